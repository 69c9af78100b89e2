"""What notebooks show of a tensor and of a report: a picture of the graph, where it is small enough to be one."""

from __future__ import annotations

from html import escape

from tinygrad_rnn.engine.protocol import Vertex
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import TinygradError
from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.dot import dot_source
from tinygrad_rnn.viz.render import rendered

#: A tensor with more nodes behind it is shown as text only.
MOST_NODES = 2000


def register() -> None:
    """Make tensors and reports show themselves in notebooks; importing `tinygrad_rnn.viz` does."""
    Tensor.shown_as = staticmethod(svg_of)
    FlowReport.shown_as = staticmethod(html_of)


def svg_of(x: Tensor) -> str | None:
    """Return the graph behind a tensor as SVG; None if there is none, or it is too large, freed, or not to be drawn."""
    if not x.requires_grad or x.is_leaf or _large(x.edge[0]):
        return None
    try:
        return rendered(dot_source(x), "svg").decode()
    except TinygradError:
        return None


def html_of(report: FlowReport) -> str:
    """Return a report as HTML: what it found, and the picture if one can be drawn."""
    text = "".join(f"<p>{escape(line)}</p>" for line in words.findings(report))
    try:
        svg = rendered(dot_source(report), "svg").decode()
    except TinygradError as error:
        return f"{text}<p>{escape(str(error))}</p>"
    return f'{text}<div style="overflow-x: auto">{svg[svg.index("<svg") :]}</div>'


def _large(root: Vertex) -> bool:
    seen = {root}
    waiting = [root]
    while waiting and len(seen) <= MOST_NODES:
        for parent, _ in waiting.pop().parents or ():
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return len(seen) > MOST_NODES
