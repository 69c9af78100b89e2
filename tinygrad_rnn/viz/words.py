"""What is written in pictures: captions, numbers, and what the whole shows."""

from __future__ import annotations

from tinygrad_rnn.engine.graph import scope_text
from tinygrad_rnn.flow import FlowReport, NodeFlow
from tinygrad_rnn.flow.report import EXPLODED

SYMBOLS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "pow": "^", "matmul": "@"}


def caption(node: NodeFlow, level: str, is_root: bool) -> str:
    """Return what a box is called: by its name, gate and, at the level of ops, its operation."""
    if node.op is None:
        return node.label or ("leaf" if node.requires_grad else "data")
    label = node.label or ("loss" if is_root else None)
    if label is None:
        return operation(node)
    if level == "ops":
        return f"{label} = {operation(node)}"
    gate = node.scope[-1][0].replace("_", " ") if node.scope and node.scope[-1][1] is None else ""
    return f"{gate} {label}".strip()


def operation(node: NodeFlow) -> str:
    """Return an op with its Python numbers: "tanh", "×", "1 − ·"."""
    name = node.op or "leaf"
    constants = {position: f"{value:g}" for position, value in node.constants}
    if name in SYMBOLS:
        return " ".join([constants.get(0, "·"), SYMBOLS[name], constants.get(1, "·")]) if constants else SYMBOLS[name]
    return f"{name}({', '.join(constants.values())})" if constants else name


def size(norm: float | None, requires_grad: bool) -> str:
    """Return the size of a gradient in full, or why there is none."""
    if not requires_grad:
        return "not required"
    return "not computed" if norm is None else f"{norm:.6g}"


def about(node: NodeFlow, gradient: str) -> str:
    """Return what is shown when the mouse points at a box."""
    place = f"in {scope_text(node.scope)}" if node.scope else ""
    what = f"{node.op or 'leaf'}, shape {node.shape}"
    return "\n".join(filter(None, (node.name, place, what, gradient)))


def number(step: int) -> str:
    """Return a step as a part of an identifier."""
    return str(step).replace("-", "minus")


def title(report: FlowReport, first: str | None) -> str:
    """Return what is written above a picture: a first line, how to read it, and what it shows."""
    steps = f" through {len(report.steps)} steps of time" if report.steps else ""
    if all(node.norm is None for node in report.nodes):
        return "\n".join([first or f"Computation{steps}", "gradients are not computed yet"])
    name, _ = report.reference
    return "\n".join(
        [
            first or f"Gradient flow{steps}",
            f"Number in a box: the gradient of the loss L there. Its colour: that relative to ‖∂L/∂{name}‖, log scale.",
            "Arrows point forward; their colour and width show the gradient that comes back along them.",
            *findings(report),
        ]
    )


def findings(report: FlowReport) -> list[str]:
    """Return the verdict in words."""
    horizon = report.horizon
    if horizon is None:
        return list(report.notes)
    share = f"{horizon.threshold:.3g} of ‖∂L/∂{horizon.state}_T‖"
    return [
        {
            "nonfinite": "Some gradients are NaN or Inf.",
            "zero": "There is no gradient at the last step.",
            "explodes": f"The gradient explodes: over {EXPLODED:g} times larger {report.explodes_at} steps before the last.",
            "vanishes": f"The gradient vanishes: less than {share} is left {horizon.steps} steps before the last.",
            "survives": f"The gradient survives: it is nowhere less than {share}.",
        }[report.verdict or "survives"]
    ]
