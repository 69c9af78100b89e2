"""Pictures and text of graphs: `draw` for Graphviz, `listing` as plain text, `render` to files."""

from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.viz import notebook
from tinygrad_rnn.viz.dot import dot_source, draw
from tinygrad_rnn.viz.listing import listing
from tinygrad_rnn.viz.render import render

notebook.register()

__all__ = ["dot_source", "draw", "gradient_flow", "listing", "render"]
