"""Pictures and text of graphs: `draw` for Graphviz, `write_page` to step through, `listing` as plain text."""

from tinygrad_rnn.flow import backward_graph, gradient_flow
from tinygrad_rnn.viz import notebook
from tinygrad_rnn.viz.dot import dot_source, draw
from tinygrad_rnn.viz.listing import listing
from tinygrad_rnn.viz.notebook import show
from tinygrad_rnn.viz.page import page, write_page
from tinygrad_rnn.viz.render import render

notebook.register()

__all__ = ["backward_graph", "dot_source", "draw", "gradient_flow", "listing", "page", "render", "show", "write_page"]


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
