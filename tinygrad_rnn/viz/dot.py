"""Graphs as DOT text, the language of Graphviz: time from left to right, a frame around every step, the loss last.

An arrow points the way the forward pass went; its colour and width are those of the message that came back along it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import EdgeFlow, FlowReport, grads_at_hand
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.scale import DECADES, Look, look

if TYPE_CHECKING:
    import graphviz

#: With more nodes than this, gates and states are drawn alone unless asked otherwise.
MOST_OPS = 150

Attributes = dict[str, str]

_GRAPH = {
    "rankdir": "LR", "labelloc": "t", "labeljust": "l", "fontname": "Helvetica", "fontsize": "16", "nodesep": "0.12",
    "ranksep": "0.3", "outputorder": "edgesfirst",
}  # fmt: skip
_NODE = {
    "fontname": "Helvetica", "fontsize": "11", "shape": "box", "style": "rounded,filled", "margin": "0.08,0.04",
    "height": "0.3", "width": "0.5",
}  # fmt: skip
_STATE = {"penwidth": "2", "fontsize": "14", "height": "0.55"}
_STRAIGHT = {"weight": "100"}
# What is drawn beside the report's nodes has a dot in its name, which no node's name has.
#: A gate in the side of a frame; as high as a state, or Graphviz would shift the next frame by the difference.
_GATE = {"label": "", "style": "invis", "fixedsize": "true", "width": "0.01", "height": _STATE["height"]}
_FRAME = {"fontname": "Helvetica", "fontsize": "13", "color": "#b0b0b0", "labeljust": "l"}
_LEGEND = {"fontsize": "10", "width": "1.5", "height": "0.22", "margin": "0.05,0.02"}
#: With more boxes than these, Graphviz's usual patience costs seconds, or minutes.
_PATIENCE = (
    (1000, {"nslimit": "0.1", "nslimit1": "0.1", "mclimit": "0.1"}),
    (400, {"nslimit": "1", "nslimit1": "1"}),
)


def draw(x: Tensor | FlowReport, level: str | None = None, title: str | None = None) -> graphviz.Digraph:
    """Draw a graph.

    Args:
        x: a FlowReport of `gradient_flow`, or any tensor: the graph behind it with the `.grad` that are there.
        level: "ops" for every operation, "cell" for named gates and states only; by size unless given.
        title: the first line above the picture.

    Returns:
        A `graphviz.Digraph`: it shows itself in notebooks and has `.source`; `viz.render` writes it to a file.

    Raises:
        GraphError: backward() has freed the graph behind the tensor.
        InputError: an unknown level.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> x = tg.tensor(3.0, requires_grad=True).named("x")
    >>> '"x" -> "loss"' in viz.draw(x * x).source
    True
    """
    import graphviz  # noqa: PLC0415  (importing this library does not load it)

    return graphviz.Digraph("gradient_flow", body=[f"{line}\n" for line in _lines(x, level, title)])


def dot_source(x: Tensor | FlowReport, level: str | None = None, title: str | None = None) -> str:
    """Return what `draw` draws as DOT text; needs no Graphviz, not even its Python package."""
    return "\n".join(["digraph gradient_flow {", *_lines(x, level, title), "}", ""])


def _lines(x: Tensor | FlowReport, level: str | None, title: str | None) -> list[str]:
    report = x if isinstance(x, FlowReport) else grads_at_hand(x)
    if level is None:
        level = "cell" if len(report.nodes) > MOST_OPS and any(n.label and n.op for n in report.nodes) else "ops"
    if level not in ("ops", "cell"):
        raise InputError(f"draw: the level {level!r} is unknown; use 'ops' or 'cell'")
    return _Picture(report, level).lines(title)


@dataclass
class _Frame:
    """What is drawn for one time step."""

    boxes: list[str] = field(default_factory=list)
    depth: dict[str, int] = field(default_factory=dict)  # how many arrows within the step lead to a box
    first: dict[str, None] = field(default_factory=dict)  # where arrows enter from the steps beside it
    last: dict[str, None] = field(default_factory=dict)  # and where they leave

    @property
    def end(self) -> str:
        return max(self.depth, key=self.depth.__getitem__)


class _Picture:
    """The DOT lines of one report at one level."""

    def __init__(self, report: FlowReport, level: str) -> None:
        self.report = report
        self.level = level
        self.reference = report.reference[1]
        self.order = {step: position for position, step in enumerate(report.steps)}
        self.many_lanes = len({state.scope for state in report.states}) > 1
        self.weights = {weight.node: weight for weight in report.weights.values()}
        self.edges = report.edges
        if level == "cell":
            self.edges = tuple(link for link in report.links if not self._far_and_zero(link))
        self.readers: dict[int, set[int | None]] = {}  # in which steps (None: outside) a node is read
        for edge in self.edges:
            self.readers.setdefault(edge.parent, set()).add(report.nodes[edge.child].step)
        self.frames = {step: _Frame() for step in report.steps}
        self.outside: list[str] = []
        self.arrows: list[str] = []
        self.drawn: set[str] = set()
        self.gates: set[str] = set()  # where lines pass from step to step
        self.entered: set[str] = set()  # boxes at the end of some arrow

    def lines(self, title: str | None) -> list[str]:
        crossing: dict[tuple[int, int, int], list[EdgeFlow]] = {}
        for i in self._visible():
            if not self._repeated(i) or self.report.nodes[i].op is not None or None in self.readers[i]:
                self._box(i)
        for edge in self.edges:
            tail_step, head_step = self._steps_of(edge)
            if tail_step is None or head_step is None or abs(self.order[tail_step] - self.order[head_step]) != 1:
                self._arrow(edge)
            else:
                crossing.setdefault((edge.parent, tail_step, head_step), []).append(edge)
        for (parent, tail_step, head_step), edges in crossing.items():
            if (parent, head_step) in self.report.crossings or edges[0].norm is None:
                self._crossing(parent, tail_step, head_step, edges)
            else:
                for edge in edges:
                    self._arrow(edge)
        self._in_line()
        graph = {**_GRAPH, **next((limits for size, limits in _PATIENCE if len(self.drawn) > size), {})}
        label = _quoted(words.title(self.report, title), left=True)
        lines = [f"graph [{_attributes(graph)}, label={label}]", f"node [{_attributes(_NODE)}]"]
        lines += ['edge [arrowsize="0.6"]', *self._legend(), *self.outside]
        for step, frame in self.frames.items():
            if frame.boxes:
                lines += _subgraph(f"cluster_t{step}", {**_FRAME, "label": f"t = {step}"}, frame.boxes)
        return [f"  {line}" for line in lines + self.arrows]

    # ---- which boxes, and where --------------------------------------------------------------------------------

    def _visible(self) -> list[int]:
        if self.level == "ops":
            return list(range(len(self.report.nodes)))
        ends = {end for edge in self.edges for end in (edge.child, edge.parent)}
        return sorted(ends | {len(self.report.nodes) - 1})

    def _far_and_zero(self, link: EdgeFlow) -> bool:
        """Whether nothing comes back from elsewhere: where steps are stacked and read singly, every step reads all."""
        head, tail = self.report.nodes[link.child].step, self.report.nodes[link.parent].step
        near = tail is None or (head is not None and abs(self.order[head] - self.order[tail]) <= 1)
        return link.norm == 0 and not near

    def _repeated(self, i: int) -> bool:
        """Whether a node outside time is read in several steps: it is drawn in each, or the layout gets out of hand."""
        return self.report.nodes[i].step is None and len(self.readers.get(i, set()) - {None}) > 1

    def _steps_of(self, edge: EdgeFlow) -> tuple[int | None, int | None]:
        head = self.report.nodes[edge.child].step
        return head if self._repeated(edge.parent) else self.report.nodes[edge.parent].step, head

    def _box(self, i: int, step: int | None = None) -> str:
        """Draw a node, or its repetition in a step; return its name."""
        node = self.report.nodes[i]
        name = node.name if step is None else f"t{step}.{node.name}"
        if name in self.drawn:
            return name
        self.drawn.add(name)
        weight = self.weights.get(i)
        norm, what = node.norm, "gradient"
        if step is not None and weight is not None and weight.per_step is not None:
            norm, what = float(weight.per_step[self.order[step]]), "contribution of this step to the gradient"
        seen = look(norm, node.requires_grad, self.reference)
        caption = words.caption(node, self.level, i == len(self.report.nodes) - 1, self.many_lanes)
        attributes = {
            "label": words.label(node, caption, norm, seen),
            "tooltip": words.about(node, f"{what}: {words.size(norm, node.requires_grad)}"),
            **_fill(seen),
        }
        if node.parameter and node.op is None:
            attributes["style"] = attributes.get("style", _NODE["style"]).replace("rounded,", "")
        elif node.op is not None and node.label in ("h", "c"):
            attributes |= _STATE
        if step is not None and node.op is not None:
            attributes["style"] = "rounded,filled,dashed"
        self._place(name, attributes, node.step if step is None else step)
        return name

    def _place(self, name: str, attributes: Attributes, step: int | None) -> None:
        line = f"{_quoted(name)} [{_attributes(attributes)}]"
        if step is None:
            self.outside.append(line)
        else:
            self.frames[step].boxes.append(line)
            self.frames[step].depth[name] = 0

    def _gate(self, name: str, step: int, side: dict[str, None]) -> None:
        self.gates.add(name)
        self._place(name, _GATE, step)
        side[name] = None

    # ---- arrows ------------------------------------------------------------------------------------------------

    def _arrow(self, edge: EdgeFlow) -> None:
        tail_step, head_step = self._steps_of(edge)
        tail = self._box(edge.parent, head_step if self._repeated(edge.parent) and head_step is not None else None)
        head = self.report.nodes[edge.child].name
        backward = tail_step is not None and head_step is not None and self.order[tail_step] > self.order[head_step]
        self._line(tail, head, self._message(edge, tail), backward)
        if tail_step is not None and tail_step == head_step:
            depth = self.frames[tail_step].depth
            depth[head] = max(depth[head], depth[tail] + 1)

    def _crossing(self, parent: int, tail_step: int, head_step: int, edges: list[EdgeFlow]) -> None:
        """Lead a value into a neighbouring step along one line, which divides there.

        It leaves its frame at the edge and enters the next at the edge: arrows that pass by other boxes outside the
        frames would push the frames into stairs.
        """
        node = self.report.nodes[parent]
        backward = self.order[tail_step] > self.order[head_step]
        here, there = self.frames[tail_step], self.frames[head_step]
        exits, entries = (here.first, there.last) if backward else (here.last, there.first)
        norm = self.report.crossings.get((parent, head_step))
        line = {
            **_stroke(look(norm, node.requires_grad, self.reference)),
            "tooltip": f"all messages from t={head_step} to {node.name}: {words.size(norm, node.requires_grad)}",
            "arrowhead": "none",
            "arrowtail": "none",
        }
        tail = node.name
        if backward or tail != here.end:
            tail = f"{node.name}.out"
            if tail not in self.gates:
                self._gate(tail, tail_step, exits)
                self._line(node.name, tail, {**line, **_STRAIGHT}, backward)
        head = f"t{head_step}.from.{node.name}"
        self._gate(head, head_step, entries)
        self._line(tail, head, {**line, **_STRAIGHT}, backward)
        again = f"t{head_step}{node.name.removeprefix(f't{tail_step}')}"
        children = [self.report.nodes[edge.child].name for edge in edges]
        for edge, child in zip(edges, children, strict=True):
            extra = _STRAIGHT if child == again else {}
            self._line(head, child, {**self._message(edge, node.name), **extra}, backward)
        if again in self.drawn and again not in children:
            self.arrows.append(_unseen(again, head, **_STRAIGHT) if backward else _unseen(head, again, **_STRAIGHT))

    def _message(self, edge: EdgeFlow, tail: str) -> Attributes:
        child = self.report.nodes[edge.child].name
        text = f"message from {child} to {tail}: {words.size(edge.norm, edge.requires_grad)}"
        return {**_stroke(look(edge.norm, edge.requires_grad, self.reference)), "tooltip": text}

    def _line(self, tail: str, head: str, attributes: Attributes, backward: bool) -> None:
        """Draw an arrow; Graphviz sees one that runs against time the other way round, so that time runs right."""
        attributes = dict(attributes)
        if backward:
            tail, head = head, tail
            attributes["dir"] = "back"
        attributes |= {f"{end}clip": "false" for end, name in (("tail", tail), ("head", head)) if name in self.gates}
        self.entered.add(head)
        self.arrows.append(f"{_quoted(tail)} -> {_quoted(head)} [{_attributes(attributes)}]")

    def _in_line(self) -> None:
        """Put the legend first and the frames one after the other."""
        frames = [frame for frame in self.frames.values() if frame.boxes]
        for before, frame in pairwise(frames):
            if not frame.first:
                self.arrows += [_unseen(before.end, name) for name, depth in frame.depth.items() if depth == 0]
        starts = list(frames[0].depth) if frames else sorted(self.drawn)
        self.arrows += [_unseen(_MIDDLE, name) for name in starts if name not in self.entered]
        for frame in frames:
            last = {frame.end: None, **frame.last}
            for rank, names in (("min", frame.first), ("max", last)):
                if names:
                    frame.boxes.append(f'{{ rank="{rank}"; {"; ".join(map(_quoted, names))} }}')

    def _legend(self) -> list[str]:
        name, size = self.report.reference
        rows = [(f"‖∂L/∂{name}‖ or more", 1.0), *[(f"× 1e-{d}", 10.0**-d) for d in range(2, DECADES, 2)]]
        rows += [(f"× 1e-{DECADES} or less", 10.0**-DECADES), ("more than × 100", 1e3), ("exactly 0", 0.0)]
        looks = [(text, look(size, True, 1.0)) for text, size in [*rows, ("NaN or Inf", math.nan)]]
        looks += [("not computed", look(None, True, 1.0)), ("no gradient required", look(None, False, 1.0))]
        names = [_quoted(f"legend.{i}") for i in range(len(looks))]
        boxes = [
            f"{name} [{_attributes({**_LEGEND, **_fill(seen), 'label': text, 'tooltip': text})}]"
            for name, (text, seen) in zip(names, looks, strict=True)
        ]
        boxes.append(f'{{ rank="same"; edge [style="invis"]; {" -> ".join(reversed(names))} }}')
        return _subgraph("cluster_legend", {**_FRAME, "label": f"‖∂L/∂{name}‖ = {size:.2g}"}, boxes)


_MIDDLE = "legend.6"


# ---- how things look ------------------------------------------------------------------------------------------------


def _fill(seen: Look) -> Attributes:
    attributes = {"fillcolor": seen.colour, "fontcolor": seen.ink}
    if seen.kind == "exploded":
        attributes |= {"peripheries": "2", "color": "#c1121f"}
    elif seen.kind == "not computed":
        attributes |= {"style": "rounded,filled,dashed", "color": "#808080", "fontcolor": "#606060"}
    elif seen.kind == "not required":
        attributes |= {"style": "rounded,filled,dotted", "color": "#808080", "fontcolor": "#606060"}
    return attributes


def _stroke(seen: Look) -> Attributes:
    if seen.kind in ("not computed", "not required"):
        return {"color": "#909090", "style": "dashed" if seen.kind == "not computed" else "dotted"}
    return {"color": "#b0b0b0" if seen.kind == "zero" else seen.colour, "penwidth": f"{seen.width}"}


# ---- DOT ------------------------------------------------------------------------------------------------------------


def _subgraph(name: str, attributes: Attributes, lines: list[str]) -> list[str]:
    settings = [f"{key}={_quoted(value)}" for key, value in attributes.items()]
    return [f"subgraph {_quoted(name)} {{", f"  {'; '.join(settings)}", *[f"  {line}" for line in lines], "}"]


def _unseen(tail: str, head: str, **attributes: str) -> str:
    return f"{_quoted(tail)} -> {_quoted(head)} [{_attributes({'style': 'invis', **attributes})}]"


def _attributes(attributes: Attributes) -> str:
    return ", ".join(f"{key}={_quoted(value)}" for key, value in attributes.items())


def _quoted(text: str, left: bool = False) -> str:
    """Return text as a DOT string that shows just this text, whatever is in it; lines are centred unless `left`."""
    lines = [_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", line) for line in text.splitlines()]
    escaped = [line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + ("".join(f"{line}\\l" for line in escaped) if left else "\\n".join(escaped)) + '"'


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
