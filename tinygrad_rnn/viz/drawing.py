"""A drawing that shows itself in notebooks, also where Graphviz's program is not installed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import graphviz

from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.viz.render import rendered

#: Seconds that a notebook waits for a picture, and how much of the text it shows instead.
PATIENCE = 10.0
MOST_LINES = 200


class Drawing(graphviz.Digraph):
    """A `graphviz.Digraph` that notebooks show by whatever can render it; where nothing can, as its text."""

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None, **_: Any
    ) -> dict[str, bytes | str]:
        try:
            return super()._repr_mimebundle_(include, exclude)
        except MissingToolError as error:
            lines = self.source.splitlines()
            rest = f"\n... {len(lines) - MOST_LINES:,} more lines, all in .source" if len(lines) > MOST_LINES else ""
            return {"text/plain": "\n".join([f"{error}\n", *lines[:MOST_LINES]]) + rest}

    def _repr_image_svg_xml(self) -> str:
        return rendered(self.source, "svg", PATIENCE).decode()
