"""What Sphinx is told. `build.py` beside this file calls it; the pages are in the folder that `pages.py` writes."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import docstrings
import formulas

import tinygrad_rnn

project = "tinygrad_rnn"
version = release = tinygrad_rnn.__version__
copyright = "the tinygrad_rnn authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

html_theme = "furo"
html_title = f"tinygrad_rnn {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # a page opened as a file may not fetch another
html_show_sphinx = False
html_math_renderer = "mathml"
templates_path: list[str] = []

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # they were run
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_use_rtype = False
napoleon_use_ivar = True
# Annotations name types of NumPy and Python, whose documentation is not here; every other reference must lead somewhere.
nitpick_ignore_regex = [("py:.*", ".*")]


def _language_of_a_page(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    if pagename.startswith("zh/"):
        context["language"] = "zh"


def setup(app: Any) -> dict[str, Any]:
    """Add what is this site's own."""
    formulas.setup(app)
    docstrings.setup(app)
    app.connect("html-page-context", _language_of_a_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
