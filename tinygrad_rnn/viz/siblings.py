"""Links from a page to the others in its folder."""

from __future__ import annotations

import html
from collections.abc import Mapping


def links_to(pages: Mapping[str, str], what: str = "See also") -> str:
    """Return links to other pages in the same folder, file names by what they are called; "" if there are none.

    >>> from tinygrad_rnn.viz.siblings import links_to
    >>> links_to({"all plots": "flow.html"})
    '<nav aria-label="Other pages">See also: <a href="flow.html">all plots</a></nav>'
    """
    links = " · ".join(f'<a href="{html.escape(name)}">{html.escape(text)}</a>' for text, name in pages.items())
    label = "Other pages" if what == "See also" else what
    return f'<nav aria-label="{label}">{what}: {links}</nav>' if links else ""
