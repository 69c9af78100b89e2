"""What notebooks show of a tensor and of a report: a picture of the graph, where it is small enough to be one."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from tinygrad_rnn.engine.modes import step_of
from tinygrad_rnn.engine.protocol import Vertex
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, MissingToolError, TinygradError
from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.dot import dot_source, draw
from tinygrad_rnn.viz.page import page
from tinygrad_rnn.viz.pictures import write_picture
from tinygrad_rnn.viz.render import rendered

#: A graph with more nodes and arrows than this is shown as text only: in all, in one step of time, outside the steps.
MOST_PARTS, MOST_OF_A_STEP, MOST_OUTSIDE = 20_000, 300, 1000
#: Seconds that Graphviz gets: nobody asked for this picture, so nobody waits for it.
PATIENCE = 2.0
#: Lines of a tensor's values above its picture.
MOST_LINES = 8


def register() -> None:
    """Make tensors and reports show themselves in notebooks; importing `tinygrad_rnn.viz` does."""
    Tensor.shown_as = staticmethod(svg_of)
    FlowReport.shown_as = staticmethod(html_of)


def svg_of(x: Tensor) -> str | None:
    """Return the values of a tensor and the graph behind it as SVG; None if there is none, or it is too large, freed,
    or not to be drawn."""
    if not x.requires_grad or x.is_leaf or _large(x.edge[0]):
        return None
    try:
        lines = repr(x).splitlines()
        values = "\n".join([*lines[:MOST_LINES], *["..."] * (len(lines) > MOST_LINES)])
        return rendered(dot_source(x, title=values), "svg", PATIENCE).decode()
    except TinygradError:
        return None


def html_of(report: FlowReport) -> str:
    """Return a report as HTML: what it found, and the picture if it is not too large and one can be drawn."""
    text = "".join(f"<p>{escape(line)}</p>" for line in words.findings(report))
    parts = Counter(node.step for node in report.nodes)
    parts.update(report.nodes[edge.child].step for edge in report.edges)
    if _too_many(parts):
        return f"{text}<p>Too large for a picture here: viz.draw(report, level=..., window=...) draws a part of it.</p>"
    try:
        svg = rendered(dot_source(report), "svg", PATIENCE).decode()
    except TinygradError as error:
        return f"{text}<p>{escape(str(error))}</p>"
    return f'{text}<div style="overflow-x: auto">{svg[svg.index("<svg") :]}</div>'


def show(x: Any, height: int = 900, *, name: str | None = None, **options: Any) -> Shown | Picture | None:
    """Show a page of reports, the graph of a tensor, a drawing or a figure of Matplotlib.

    Without a name it is returned, and a notebook shows it where it is the last line of a cell. With a name it is shown
    at once: in a notebook in its place, elsewhere as a file, of which a line is printed that says where. These files go
    to the folder TINYGRAD_RNN_PICTURES, or else to a folder for this script among the user's data.

    Args:
        x: reports of `gradient_flow(losses, statistics=True)` by name, or a single one: the page of `viz.page`, in a
            frame where neither disturbs the other; a tensor; what `viz.draw` returns; or a figure.
        height: of the frame, in pixels.
        name: of the picture: letters, digits, - and _.
        options: of `viz.page` (title, level, window, decades, inputs, maps) or, for a tensor, of `viz.draw`.

    Raises:
        InputError: there is nothing to draw of it, the name cannot be that of a file, or as `viz.page`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> x = tg.tensor(3.0, requires_grad=True).named("x")
    >>> "<iframe" in viz.show(viz.gradient_flow(x * x, statistics=True))._repr_html_()
    True
    """
    shown = _shown(x, height, options)
    if name is None:
        return shown
    if (display := _display()) is not None:
        display(shown)
        return None
    try:
        write_picture(name, *shown.file())
    except MissingToolError as error:  # the numbers are there all the same
        print(f"no picture: {error}")
    return None


def _shown(x: Any, height: int, options: dict[str, Any]) -> Shown | Picture:
    if isinstance(x, Mapping | FlowReport):
        return Shown(page(x, **options), height)
    if isinstance(x, Tensor):
        return Picture(draw(x, **options))
    if options:
        raise InputError(f"show: {', '.join(options)}: a {type(x).__name__} is shown as it is; draw it so before")
    if isinstance(getattr(x, "source", None), str) or callable(getattr(x, "savefig", None)):
        return Picture(x)
    raise InputError(
        f"show: there is no picture of a {type(x).__name__}; pass a report, a tensor, viz.draw(...) or a figure"
    )


def _display() -> Callable[[Any], Any] | None:
    """Return what shows things in the notebook that this runs in; None outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display  # noqa: PLC0415  (there in notebooks only)

    return display


class Shown:
    """A page in a frame."""

    def __init__(self, page: str, height: int) -> None:
        self.page = page
        self.height = height

    def _repr_html_(self) -> str:
        style = f"width: 100%; height: {self.height}px; border: 0"
        return f'<iframe srcdoc="{escape(self.page)}" style="{style}" title="Gradient flow, step by step"></iframe>'

    def file(self) -> tuple[str, bytes]:
        """Return how the name of a file of it ends, and its content."""
        return "html", self.page.encode()


class Picture:
    """A drawing of Graphviz, which has a `source`, or a figure of Matplotlib."""

    def __init__(self, drawn: Any) -> None:
        self.drawn = drawn

    def _repr_svg_(self) -> str:
        return self.file()[1].decode()

    def file(self) -> tuple[str, bytes]:
        """Return how the name of a file of it ends, and its content; MissingToolError if nothing can draw it."""
        if not hasattr(self.drawn, "savefig"):
            return "svg", rendered(self.drawn.source, "svg")
        import matplotlib  # noqa: PLC0415  (optional, and slow to load; who hands over a figure has it)

        content = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "tinygrad_rnn"}):  # or the names inside would be random
            self.drawn.savefig(content, format="svg", bbox_inches="tight", metadata={"Date": None})
        if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
            pyplot.close(self.drawn)  # or a notebook would show it once more
        return "svg", content.getvalue()


def _large(root: Vertex) -> bool:
    """Whether there is more than can be looked at; stops counting where that is clear."""
    parts = Counter({step_of(root.scope): 1})
    seen = {root}
    waiting = [root]
    counted = 0
    while waiting and counted <= MOST_PARTS:
        node = waiting.pop()
        for parent, _ in node.parents or ():
            parts[step_of(node.scope)] += 1
            counted += 1
            if parent not in seen:
                parts[step_of(parent.scope)] += 1
                counted += 1
                seen.add(parent)
                waiting.append(parent)
    return _too_many(parts)


def _too_many(parts: Counter[int | None]) -> bool:
    """Whether nodes and arrows, counted by their step of time, are too many for a picture that is there at once."""
    most = max((count for step, count in parts.items() if step is not None), default=0)
    return parts.total() > MOST_PARTS or most > MOST_OF_A_STEP or parts[None] > MOST_OUTSIDE
