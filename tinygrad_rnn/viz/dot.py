"""Pictures as DOT text, the language of Graphviz, with a place for every box and every arrow.

`layout="nop2"` makes Graphviz keep those places, so that large pictures take a fraction of a second; without that line
(`dot -Glayout=dot`) it makes a layout of its own. Graphs without steps of time are left to Graphviz altogether.

An arrow points the way the forward pass went; its colour is that of the message that came back along it, its width its
share of all that arrived where it begins.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinygrad_rnn.engine.protocol import Value, is_value
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import BackwardReport, FlowReport, grads_at_hand
from tinygrad_rnn.viz.languages import broken, translated
from tinygrad_rnn.viz.letters import SMALL, text_width
from tinygrad_rnn.viz.picture import picture
from tinygrad_rnn.viz.scale import DECADES, SIZED, Look
from tinygrad_rnn.viz.shapes import WHOLE, Arrow, Box, Flag, Frame, Picture, Point
from tinygrad_rnn.viz.styles import Style, restyled
from tinygrad_rnn.viz.titles import title as picture_title

if TYPE_CHECKING:
    import graphviz

Attributes = dict[str, str]

_GRAPH = {"labelloc": "t", "labeljust": "l", "fontname": "Helvetica", "fontsize": "14", "outputorder": "edgesfirst"}
#: For graphs that Graphviz lays out.
_FREE = {"rankdir": "LR", "nodesep": "0.12", "ranksep": "0.3"}
#: Added with more arrows than this: straight lines and a layout that is good enough. The best one can take minutes.
_MANY = 200
_HURRIED = {"nslimit": "0.1", "nslimit1": "0.1", "mclimit": "0.05", "splines": "line"}
_OUTLINE = "#7a8490"  # of all boxes but those whose outline says something
_NODE = {
    "fontname": "Helvetica",
    "fontsize": "11",
    "shape": "box",
    "style": "rounded,filled",
    "margin": "0.08,0.04",
    "color": _OUTLINE,
}
_PLACED = {"fixedsize": "shape"}
_STATE = {"penwidth": "2.5", "fontsize": "14", "color": "#000000"}  # a thick black outline is a state, and nothing else
_LIQUID = "#b7dcae"  # what fills gates: no colour of the scale
_FOLD = {"style": "filled,dashed", "fillcolor": "#f4f4f4", "color": "#808080", "fontcolor": "#202020"}
_FRAME = {"fontname": "Helvetica", "fontsize": "13", "color": "#b0b0b0", "labeljust": "l"}
_FLAG = {"shape": "box", "style": "filled", "fillcolor": "#fff3cd", "color": "#c1121f", "fontcolor": "#000000"}
_LEGEND = {"fontsize": "10", "width": "1.5", "height": "0.22", "margin": "0.05,0.02"}
_LINE = {"shape": "underline", "color": "#404040", "style": "solid"}
_SWATCH = 132.0, 18.0  # width and height of a box of the legend
_SCREEN = 1050.0  # points that a window of 1400 pixels holds: a legend that is wider would not be seen whole
_ARROWHEAD = 6.0
_LETTERS = 130  # in a line of the title


def draw(
    x: Value | FlowReport,
    level: str | None = None,
    title: str | None = None,
    window: tuple[int, int] | None = None,
    decades: int = DECADES,
    style: Style | None = None,
) -> graphviz.Digraph:
    """Draw a graph.

    Args:
        x: a FlowReport of `gradient_flow`, or any tensor: the graph behind it with the `.grad` that are there.
        level: "ops" for every operation, "cell" for named gates and states only, "rolled" for one step that stands for
            all; by size unless given.
        title: the first line above the picture.
        window: the steps (A, B) to draw, B not included; unless given, many steps are folded except both ends and where
            the verdict falls.
        decades: how far from the reference the scale of colours reaches on both sides, at least to its edges.
        style: theme, legend and caption; see `viz.styles.Style`.

    Returns:
        A `graphviz.Digraph`: it shows itself in notebooks and has `.source`; `viz.render` writes it to a file.

    Raises:
        GraphError: backward() has freed the graph behind the tensor.
        InputError: an unknown level, no step in the window, or x is neither.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> x = tg.tensor(3.0, requires_grad=True).named("x")
    >>> '"x" -> "loss"' in viz.draw(x * x).source
    True
    """
    from tinygrad_rnn.viz.drawing import Drawing  # noqa: PLC0415  (importing this library does not load Graphviz)

    lines = restyled(_lines(x, level, title, window, decades, style), style)
    return Drawing("gradient_flow", body=[f"{line}\n" for line in lines])


def dot_source(
    x: Value | FlowReport,
    level: str | None = None,
    title: str | None = None,
    window: tuple[int, int] | None = None,
    decades: int = DECADES,
    style: Style | None = None,
) -> str:
    """Return what `draw` draws as DOT text; needs no Graphviz, not even its Python package."""
    lines = restyled(_lines(x, level, title, window, decades, style), style)
    return "\n".join(["digraph gradient_flow {", *lines, "}", ""])


def _lines(
    x: Value | FlowReport,
    level: str | None,
    title: str | None,
    window: tuple[int, int] | None,
    decades: int,
    style: Style | None,
) -> list[str]:
    if not (isinstance(x, FlowReport) or is_value(x)):
        raise InputError(
            f"draw: cannot draw a {type(x).__name__}; pass a tensor, whose graph is drawn, or the report of "
            "gradient_flow(losses)"
        )
    report = x if isinstance(x, FlowReport) else grads_at_hand(x)
    return _Writer(picture(report, level, window, decades), (style or Style()).language).lines(title)


class _Writer:
    """The DOT lines of one picture."""

    def __init__(self, drawn: Picture, language: str) -> None:
        self.picture = drawn
        self.free = not drawn.timed
        self.language = language

    def _said(self, text: str) -> str:
        """Return what is written, line by line, in the language of the picture."""
        return "\n".join(translated(line, self.language) for line in text.splitlines())

    def lines(self, title: str | None) -> list[str]:
        drawn = self.picture
        free = {**_FREE, **(_HURRIED if len(drawn.arrows) > _MANY else {})}
        graph = {**_GRAPH, **(free if self.free else {"layout": "nop2"})}
        label = _quoted("\n".join(_wrapped(picture_title(drawn, title), self.language)), left=True)
        node = _NODE if self.free else {**_NODE, **_PLACED}
        lines = [f"graph [{_attributes(graph)}, label={label}]", f"node [{_attributes(node)}]"]
        lines += [f'edge [arrowsize="0.6", fontname="Helvetica", fontsize="{SMALL:g}"]', *self._legend()]
        boxes = {box.name: self._box(box) for box in drawn.boxes}
        framed = {name for frame in drawn.frames for name in frame.boxes}
        lines += [line for name, line in boxes.items() if name not in framed]
        for frame in drawn.frames:
            if not frame.inner:
                lines += self._frame(frame, boxes)
        lines += [line for i, flag in enumerate(drawn.flags) for line in self._flag(i, flag)]
        lines += [self._arrow(arrow) for arrow in drawn.arrows]
        return [f"  {line}" for line in lines]

    def _place(self, x: float, y: float) -> str:
        """Return a point as Graphviz counts, upwards."""
        return f"{x:.1f},{self.picture.height - y:.1f}"

    def _box(self, box: Box) -> str:
        attributes = {"label": self._said("\n".join(box.lines)), "tooltip": self._said(box.tooltip), **_fill(box.seen)}
        if box.kind == "fold":
            attributes |= _FOLD
        elif box.kind in ("parameter", "total"):
            attributes["style"] = attributes.get("style", _NODE["style"]).replace("rounded,", "")
        elif box.kind == "state":
            attributes |= _STATE
        if box.filled:
            del attributes["fontcolor"]  # which goes with the colour of the gradient
            attributes |= _filled(box.level or 0.0, box.seen)
        elif box.kind == "copy" and box.requires_grad:
            attributes["style"] = "rounded,filled,dashed"
        return f"{_quoted(box.name)} [{_attributes(attributes)}{self._spot(box.x, box.y, box.width, box.height)}]"

    def _spot(self, x: float, y: float, width: float, height: float) -> str:
        if self.free:
            return ""
        return f', pos="{self._place(x, y)}", width="{width / 72:.3f}", height="{height / 72:.3f}"'

    def _frame(self, frame: Frame, boxes: dict[str, str]) -> list[str]:
        inner = [other for other in self.picture.frames if other.inner and other.step == frame.step]
        within = {name for other in inner for name in other.boxes} if not frame.inner else set()
        lines = [boxes[name] for name in frame.boxes if name not in within]
        if not frame.inner:
            lines += [line for other in inner for line in self._frame(other, boxes)]
        label = self._said(frame.label)
        attributes = {**_FRAME, "label": label}
        if not self.free:
            left, right = frame.x, frame.x + frame.width
            top, bottom = frame.y, frame.y + frame.height
            attributes["bb"] = f"{self._place(left, bottom)},{self._place(right, top)}"
            attributes["lp"] = self._place(left + text_width(label, 13) / 2 + 6, top + 10)
        return _subgraph(f"cluster_{frame.name}", attributes, lines)

    def _flag(self, i: int, flag: Flag) -> list[str]:
        name = f"flag.{i}"
        text = self._said(flag.text)
        width = text_width(text) + 14
        spot = self._spot(flag.x, flag.y, width, 20)
        foot = f"{name}.foot"
        hidden = {"label": "", "style": "invis", "width": "0.01", "height": "0.01"}
        pole = ((flag.x, flag.y + 10), (flag.x, flag.y + 12), (flag.x, flag.foot - 2), (flag.x, flag.foot))
        lines = [f"{_quoted(name)} [{_attributes({**_FLAG, 'label': text, 'tooltip': text})}{spot}]"]
        if not self.free:
            lines.append(f'{_quoted(foot)} [{_attributes(hidden)}, pos="{self._place(flag.x, flag.foot)}"]')
            pos = self._curve(pole, headed=False)
            lines.append(f'{_quoted(name)} -> {_quoted(foot)} [color="#c1121f", arrowhead="none", pos="{pos}"]')
        return lines

    def _arrow(self, arrow: Arrow) -> str:
        attributes = {**_stroke(arrow.seen, arrow.width), "tooltip": self._said(arrow.tooltip)}
        if arrow.against:
            attributes["style"] = "dashed"
        if arrow.text:
            attributes["label"] = arrow.text
        if not self.free:
            attributes["pos"] = self._curve(arrow.points, headed=True)
            if arrow.text:
                attributes["lp"] = self._place(*arrow.text_at)
        return f"{_quoted(arrow.tail)} -> {_quoted(arrow.head)} [{_attributes(attributes)}]"

    def _curve(self, points: tuple[Point, ...], headed: bool) -> str:
        if not headed:
            return " ".join(self._place(*point) for point in points)
        *rest, before, end = points
        distance = math.dist(before, end) or 1.0
        share = min(_ARROWHEAD / distance, 1.0)
        neck = end[0] + (before[0] - end[0]) * share, end[1] + (before[1] - end[1]) * share
        return f"e,{self._place(*end)} " + " ".join(self._place(*point) for point in (*rest, before, neck))

    # ---- the legend --------------------------------------------------------------------------------------------

    def _samples(self) -> list[tuple[str, Attributes]]:
        """Return what the legend shows: only what occurs in the picture."""
        drawn = self.picture
        found = [(text, _fill(seen)) for text, seen in drawn.scale.legend(drawn.kinds)]
        if any(box.kind == "state" and box.fold is None for box in drawn.boxes):
            found.append(("thick outline: a state", {"fillcolor": "#ffffff", **_STATE, "fontsize": "10"}))
        if drawn.has_levels:
            found.append(("filled: a gate open 0.3", _filled(0.3)))
        if drawn.has_shares:
            shares = {"width: all that arrives": 1.0, "half of what arrives": 0.5, "a tenth of it": 0.1}
            found += [(text, {**_LINE, "penwidth": f"{WHOLE * share:g}"}) for text, share in shares.items()]
        if any(arrow.against for arrow in drawn.arrows):
            found.append(("dashed: against the sum", {**_LINE, "penwidth": "2", "style": "dashed"}))
        return found

    def _legend(self) -> list[str]:
        looks = [(self._said(text), look) for text, look in self._samples()]
        names = [_quoted(f"legend.{i}") for i in range(len(looks))]
        if self.free:
            boxes = [
                f"{name} [{_attributes({**_LEGEND, **look, 'label': text, 'tooltip': text})}]"
                for name, (text, look) in zip(names, looks, strict=True)
            ]
            boxes.append(f'{{ rank="same"; edge [style="invis"]; {" -> ".join(reversed(names))} }}')
            return _subgraph("cluster_legend", {**_FRAME, "label": self._said(_scale_text(self.picture))}, boxes)
        width, height = _SWATCH
        across = int(min(max(self.picture.width, 6 * width), _SCREEN) // width)
        rows = math.ceil(len(looks) / across)
        top = -(rows * (height + 4) + 26)
        lines = []
        for i, (name, (text, look)) in enumerate(zip(names, looks, strict=True)):
            x = (i % across) * width + width / 2
            y = top + 24 + (i // across) * (height + 4) + height / 2
            attributes = {"fontsize": "10", **look, "label": text, "tooltip": text}
            lines.append(f"{name} [{_attributes(attributes)}{self._spot(x, y, width - 6, height)}]")
        count = min(len(looks), across)
        attributes = {**_FRAME, "label": (text := self._said(_scale_text(self.picture)))}
        attributes["bb"] = f"{self._place(-4, -2)},{self._place(count * width + 2, top)}"
        attributes["lp"] = self._place(text_width(text, 13) / 2 + 4, top + 11)
        return _subgraph("cluster_legend", attributes, lines)


def _scale_text(drawn: Picture) -> str:
    """Return the sizes that have the colour of 1, if anything has a size."""
    report = drawn.report
    if not drawn.kinds & {*SIZED}:
        return ""
    if isinstance(report, BackwardReport):
        return "1: the seed"
    sizes = [(f"{state.kind}_T", float(state.by_lag[0])) for state in report.cell if state.measurable]
    found = ", ".join(f"‖∂L/∂{name}‖ = {size:.2g}" for name, size in sizes or [report.reference])
    return f"colour: relative, 1 is {found}; numbers in boxes: absolute"


def _wrapped(lines: Sequence[str], language: str) -> list[str]:
    """Return lines that a window of usual size holds, with every character as it was, or in another language."""
    wrapper = textwrap.TextWrapper(
        _LETTERS, expand_tabs=False, replace_whitespace=False, break_long_words=False, break_on_hyphens=False
    )
    parts = [part for line in lines for part in line.splitlines()]
    if language != "en":
        return [short for part in parts for short in broken(translated(part, language), _LETTERS)]
    return [short for part in parts for short in wrapper.wrap(part) or [""]]


# ---- how things look ------------------------------------------------------------------------------------------------
def _fill(seen: Look) -> Attributes:
    attributes = {"fillcolor": seen.colour, "fontcolor": seen.ink}
    if seen.kind == "vanished":
        attributes |= {"color": "#a0a8b2", "fontcolor": "#4a525c"}
    elif seen.kind in ("grown", "exploded"):
        attributes |= {"color": seen.colour, "peripheries": "2"} if seen.kind == "exploded" else {"color": seen.colour}
    elif seen.kind == "nonfinite":
        attributes |= {"penwidth": "3"}
    elif seen.kind == "zero":
        attributes |= {"penwidth": "1.5", "color": _OUTLINE}  # white says it: nothing else is
    elif seen.kind == "underflow":
        attributes |= {"fillcolor": "#ffffff:#d5dae0", "fontcolor": "#4a525c", "color": "#a0a8b2"}
    elif seen.kind in ("not computed", "not required"):
        dashes = "dashed" if seen.kind == "not computed" else "dotted"
        attributes |= {"style": f"rounded,filled,{dashes}", "color": "#808080", "fontcolor": "#606060"}
    return attributes


def _filled(level: float, seen: Look | None = None) -> Attributes:
    """Return how a gate looks that is open so far: filled from the left, with its gradient's colour around it.

    The rim of what is filled stands upright: lying, it would strike out a line of text.
    """
    fill = f"{_LIQUID};{min(max(level, 0.001), 0.999):.3f}:#ffffff"
    found = {"fillcolor": fill, "gradientangle": "0"}
    return found | _stroke(seen, 2.5) if seen is not None and seen.kind in SIZED else found


def _stroke(seen: Look, width: float) -> Attributes:
    if seen.kind in ("not computed", "not required"):
        return {"color": "#909090", "style": "dashed" if seen.kind == "not computed" else "dotted"}
    if seen.kind == "vanished":
        return {"color": "#b9c0c9", "penwidth": f"{width}"}  # the ghosts of boxes are too pale for a line
    if seen.kind == "nonfinite":
        return {"color": "#000000:#ffd400:#000000", "penwidth": "1.5"}
    return {"color": "#b0b0b0" if seen.kind in ("zero", "underflow") else seen.colour, "penwidth": f"{width}"}


# ---- DOT ------------------------------------------------------------------------------------------------------------


def _subgraph(name: str, attributes: Attributes, lines: list[str]) -> list[str]:
    settings = [f"{key}={_quoted(value)}" for key, value in attributes.items()]
    return [f"subgraph {_quoted(name)} {{", f"  {'; '.join(settings)}", *[f"  {line}" for line in lines], "}"]


def _attributes(attributes: Attributes) -> str:
    return ", ".join(f"{key}={_quoted(value)}" for key, value in attributes.items())


def _quoted(text: str, left: bool = False) -> str:
    """Return text as a DOT string that shows just this text, whatever is in it; lines are centred unless `left`."""
    lines = [_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", line) for line in text.splitlines()]
    escaped = [line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + ("".join(f"{line}\\l" for line in escaped) if left else "\\n".join(escaped)) + '"'


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
