"""Graphs as DOT text, the language of Graphviz: time from left to right, a frame around every step, the loss last.

An arrow points the way the forward pass went; its colour and width are those of the message that came back along it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tinygrad_rnn.engine.graph import scope_text
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import EdgeFlow, FlowReport, NodeFlow, grads_at_hand
from tinygrad_rnn.viz.scale import DECADES, Look, colour, look

if TYPE_CHECKING:
    import graphviz

#: With more nodes than this, gates and states are drawn alone unless asked otherwise.
MOST_OPS = 150
SYMBOLS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "pow": "^", "matmul": "@"}

_GRAPH = {
    "rankdir": "LR", "labelloc": "t", "labeljust": "l", "fontname": "Helvetica", "fontsize": "16", "nodesep": "0.12",
    "ranksep": "0.3", "charset": "UTF-8", "outputorder": "edgesfirst",
}  # fmt: skip
_NODE = {
    "fontname": "Helvetica", "fontsize": "11", "shape": "box", "style": "rounded,filled", "margin": "0.08,0.04",
    "height": "0.3", "width": "0.5",
}  # fmt: skip
#: Above this size Graphviz's usual patience costs minutes.
_LARGE = 400
_IMPATIENT = {"nslimit": "0.1", "nslimit1": "0.1", "mclimit": "0.1", "splines": "line"}


def draw(x: Tensor | FlowReport, level: str | None = None, title: str | None = None) -> graphviz.Digraph:
    """Draw a graph.

    Args:
        x: a FlowReport of `gradient_flow`, or any tensor: the graph behind it with the `.grad` that are there.
        level: "ops" for every operation, "cell" for named gates and states only; by size unless given.
        title: a text to put above.

    Returns:
        A `graphviz.Digraph`: shows itself in notebooks, has `.source`, and `.render()` if Graphviz is installed
        (`viz.render` also works without).

    Raises:
        GraphError: backward() has freed the graph behind the tensor.
        InputError: an unknown level.
    """
    import graphviz  # noqa: PLC0415  (so that importing this library does not load it)

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


class _Picture:
    """The DOT lines of one report at one level."""

    def __init__(self, report: FlowReport, level: str) -> None:
        self.report = report
        self.level = level
        self.reference_name, self.reference = report.reference
        self.edges = report.edges if level == "ops" else report.links
        self.shared = self._shared()
        self.clusters: dict[int, list[str]] = {step: [] for step in report.steps}
        self.outside: list[str] = []
        self.arrows: list[str] = []
        self.drawn: set[str] = set()

    def lines(self, title: str | None) -> list[str]:
        for i in self._visible():
            if i not in self.shared or self._computed(i):
                self._box(i, self.report.nodes[i].name, self.report.nodes[i].step)
        for edge in self.edges:
            self._arrow(edge)
        graph = {**_GRAPH, "label": title or self._title()}
        if len(self.drawn) > _LARGE:
            graph |= _IMPATIENT
        lines = [f"  graph [{_attributes(graph)}]", f"  node [{_attributes(_NODE)}]", '  edge [arrowsize="0.6"]']
        lines += self._legend()
        for step, boxes in self.clusters.items():
            if boxes:
                lines += [f"  subgraph cluster_t{_word(step)} {{", f'    label="t = {step}"; fontsize="13"; color="#b0b0b0"']
                lines += [f"  {line}" for line in boxes]
                lines += ["  }"]
        return lines + self.outside + self.arrows

    # ---- which boxes -------------------------------------------------------------------------------------------

    def _visible(self) -> Iterable[int]:
        if self.level == "ops":
            return range(len(self.report.nodes))
        ends = {end for edge in self.edges for end in (edge.child, edge.parent)}
        return sorted(ends | {len(self.report.nodes) - 1})

    def _shared(self) -> set[int]:
        """Nodes outside time that several steps read: drawn once per step, or the layout gets out of hand."""
        readers: dict[int, set[int | None]] = {}
        for edge in self.edges:
            if self.report.nodes[edge.parent].step is None:
                readers.setdefault(edge.parent, set()).add(self.report.nodes[edge.child].step)
        return {node for node, steps in readers.items() if len(steps - {None}) > 1}

    def _computed(self, i: int) -> bool:
        """Whether a shared node has a history of its own to show, so that its copies are not enough."""
        node = self.report.nodes[i]
        return node.op is not None and not node.parameter

    # ---- boxes and arrows --------------------------------------------------------------------------------------

    def _box(self, i: int, name: str, step: int | None, copy: bool = False) -> None:
        if name in self.drawn:
            return
        self.drawn.add(name)
        node = self.report.nodes[i]
        norm, what = node.norm, "‖∂L/∂v‖"
        weight = self.report.weights.get(node.label or node.name) if node.parameter and node.op is None else None
        if copy and step is not None and weight is not None and weight.per_step is not None:
            norm = float(weight.per_step[self.report.steps.index(step)])
            what = "what this step contributes to ‖∂L/∂W‖"
        seen = look(norm, node.requires_grad, self.reference)
        attributes = {
            "label": f"{_caption(node)}\n{seen.text}" if seen.text else _caption(node),
            "tooltip": _tooltip(node, what, norm),
            **_frame(node, seen),
        }
        if copy and self._computed(i):
            attributes["style"] = "rounded,filled,dashed"
        place = self.outside if step is None else self.clusters[step]
        place.append(f"  {_quoted(name)} [{_attributes(attributes)}]")

    def _arrow(self, edge: EdgeFlow) -> None:
        nodes = self.report.nodes
        child, parent = nodes[edge.child], nodes[edge.parent]
        tail, tail_step = parent.name, parent.step
        if edge.parent in self.shared and child.step is not None:
            tail, tail_step = f"t{_word(child.step)}_{parent.name}", child.step
            self._box(edge.parent, tail, child.step, copy=True)
        seen = look(edge.norm, edge.requires_grad, self.reference)
        attributes = {"tooltip": f"message {child.name} → {tail}: {_number(edge.norm, edge.requires_grad)}"}
        attributes |= _stroke(seen)
        ends = [tail, child.name]
        if tail_step is not None and child.step is not None and tail_step > child.step:
            ends.reverse()  # keep time running to the right where the computation runs to the left
            attributes["dir"] = "back"
        self.arrows.append(f"  {_quoted(ends[0])} -> {_quoted(ends[1])} [{_attributes(attributes)}]")

    # ---- words -------------------------------------------------------------------------------------------------

    def _title(self) -> str:
        report = self.report
        if all(node.norm is None for node in report.nodes):
            return "Computation graph; gradients are not computed yet"
        steps = f" through {len(report.steps)} steps of time" if report.steps else ""
        against = f"‖∂L/∂{self.reference_name}‖ = {self.reference:.1e}"
        lines = [
            f"Gradient flow{steps}: how much gradient of the loss L reaches each value v",
            f"number in a box: ‖∂L/∂v‖; its colour: that on a log scale, relative to {against}",
            "arrow: forward computation; its colour and width: the gradient that comes back along it",
        ]
        return "\n".join(lines + self._findings())

    def _findings(self) -> list[str]:
        horizon, verdict = self.report.horizon, self.report.verdict
        if horizon is None:
            return []
        if verdict == "explodes":
            return [f"verdict: the gradient explodes, above 100 times {self.report.explodes_at} steps before the end"]
        if verdict == "vanishes":
            return [
                f"verdict: the gradient vanishes; {horizon.steps} steps before the end less than "
                f"{horizon.threshold:.0%} is left (of {horizon.state})"
            ]
        return [f"verdict: {verdict}"]

    def _legend(self) -> list[str]:
        rows = [(f"‖∂L/∂{self.reference_name}‖ or more", look(1.0, True, 1.0))]
        rows += [(f"× 1e-{d}", look(10.0**-d, True, 1.0)) for d in range(2, DECADES, 2)]
        rows += [
            (f"× 1e-{DECADES} or less", look(10.0**-DECADES, True, 1.0)),
            ("more than × 100", look(1e3, True, 1.0)),
            ("exactly 0", look(0.0, True, 1.0)),
            ("NaN or Inf", look(float("nan"), True, 1.0)),
            ("not computed", look(None, True, 1.0)),
            ("no gradient required", look(None, False, 1.0)),
        ]
        names = [f"legend_{i}" for i in range(len(rows))]
        lines = ["  subgraph cluster_legend {", '    label="gradient size"; fontsize="13"; color="#b0b0b0"']
        for name, (text, seen) in zip(names, rows, strict=True):
            attributes = {"label": text, "fontsize": "10", "width": "1.5", "height": "0.22", "margin": "0.05,0.02"}
            lines.append(f"    {name} [{_attributes({**attributes, **_fill(seen), 'tooltip': text})}]")
        lines.append(f'    {{ rank="same"; edge [style="invis"]; {" -> ".join(names)} }}')
        return [*lines, "  }"]


# ---- how things look ------------------------------------------------------------------------------------------------


def _fill(seen: Look) -> dict[str, str]:
    attributes = {"fillcolor": seen.colour, "fontcolor": seen.ink}
    if seen.kind == "exploded":
        attributes |= {"peripheries": "2", "color": "#c1121f"}
    elif seen.kind == "not computed":
        attributes |= {"style": "rounded,filled,dashed", "color": "#808080", "fontcolor": "#606060"}
    elif seen.kind == "not required":
        attributes |= {"style": "rounded,filled,dotted", "color": "#808080", "fontcolor": "#606060"}
    return attributes


def _frame(node: NodeFlow, seen: Look) -> dict[str, str]:
    attributes = _fill(seen)
    if node.parameter and node.op is None:
        attributes["shape"] = "cds"
    elif node.op is not None and node.label in ("h", "c"):
        attributes |= {"penwidth": "2", "fontsize": "14"}
    return attributes


def _stroke(seen: Look) -> dict[str, str]:
    if seen.kind in ("not computed", "not required"):
        return {"color": "#909090", "style": "dashed" if seen.kind == "not computed" else "dotted"}
    if seen.kind == "zero":
        return {"color": "#b0b0b0", "penwidth": f"{seen.width}"}
    return {"color": seen.colour, "penwidth": f"{seen.width}"}


def _caption(node: NodeFlow) -> str:
    if node.op is None:
        return node.label or ("leaf" if node.requires_grad else "data")
    constants = dict(node.constants)
    if node.op in SYMBOLS and constants:
        sides = [_constant(constants[i]) if i in constants else "·" for i in (0, 1)]
        text = f"{sides[0]} {SYMBOLS[node.op]} {sides[1]}"
    else:
        text = SYMBOLS.get(node.op, node.op)
        if constants:
            text += f"({', '.join(_constant(value) for value in constants.values())})"
    return text if node.label is None else f"{node.label} = {text}" if len(text) > 1 else f"{node.label}  ({text})"


def _constant(value: Any) -> str:
    return f"{value:g}"


def _number(norm: float | None, requires_grad: bool) -> str:
    if not requires_grad:
        return "no gradient required"
    return "not computed" if norm is None else f"{norm:.6g}"


def _tooltip(node: NodeFlow, what: str, norm: float | None) -> str:
    parts = [node.name, node.op or "leaf", f"shape {node.shape}", f"{what}: {_number(norm, node.requires_grad)}"]
    if node.scope:
        parts.insert(1, scope_text(node.scope))
    return "\n".join(parts)


def _word(step: int) -> str:
    return str(step).replace("-", "minus")


def _attributes(attributes: dict[str, str]) -> str:
    return ", ".join(f"{key}={_quoted(value)}" for key, value in attributes.items())


def _quoted(text: str) -> str:
    """Return text as a DOT string that shows exactly this text, whatever is in it."""
    text = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return '"' + "".join(character if character >= " " else "�" for character in text) + '"'
