"""What is written in pictures: captions, numbers, and what the whole shows."""

from __future__ import annotations

import math

from tinygrad_rnn.engine.modes import scope_text
from tinygrad_rnn.flow import BackwardReport, FlowReport, NodeFlow
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.viz.scale import Look

SYMBOLS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "pow": "^", "matmul": "@"}


def caption(node: NodeFlow, level: str, is_root: bool) -> str:
    """Return what a box is called: by its name, operation or gate."""
    if node.op is None:
        return node.label or ("leaf" if node.requires_grad else "data" if node.step is None else "input")
    label = node.label or ("loss" if is_root else None)
    if label is None:
        return operation(node)
    if level == "ops":
        return f"{label} = {operation(node)}"
    words = [name.replace("_", " ") for name, index in node.scope[-1:] if index is None and name != "reverse"]
    return " ".join([*words, label])


def lane(node: NodeFlow) -> str:
    """Return the layer and direction a node belongs to: "layer 1, reverse"."""
    parts = [part for part in node.scope if part[0] in ("layer", "reverse")]
    return ", ".join(name if index is None else f"{name} {index}" for name, index in parts)


def row(node: NodeFlow) -> str:
    """Return what a node is called without its step: nodes that play the same part in each step have this in common."""
    return node.name.removeprefix(f"t{node.step}_")


def kind(node: NodeFlow, is_root: bool) -> str:
    """Return the part a node plays in a picture; see `Box.kind`."""
    if node.op is None:
        return "parameter" if node.parameter else "input"
    if is_root and node.step is None:
        return "loss"
    return node.role or "op"


def folded(report: FlowReport, first: int, last: int) -> list[str]:
    """Return what is written in place of steps that are not drawn, and how the gradient changes over them."""
    count = sum(first <= step <= last for step in report.steps)
    lines = [f"… {count} steps …", f"t = {first} to {last}"] if count > 1 else ["… 1 step …", f"t = {first}"]
    for state in report.cell:
        inside = [float(norm) for step, norm in zip(state.steps, state.norms, strict=True) if first <= step <= last]
        if not inside:
            continue
        lines.append(f"going back, ‖∂L/∂{state.kind}‖")
        late, early = (inside[-1], inside[0]) if state.direction == "forward" else (inside[0], inside[-1])
        if not all(map(math.isfinite, inside)):
            lines.append("is NaN or Inf in between")
            continue
        before, after = f"{late:.1e}", f"{early:.1e}"
        verb = "falls" if early < late else "grows"
        lines.append(f"stays at {before}" if before == after else f"{verb} from {before} to {after}")
        if max(inside) > 1.1 * max(late, early):
            lines.append(f"in between up to {max(inside):.1e}")
        if min(inside) < 0.9 * min(late, early):
            lines.append(f"in between down to {min(inside):.1e}")
    return lines


def label(node: NodeFlow, caption: str, norm: float | None, seen: Look) -> str:
    """Return the lines in a box: the caption, the size of the gradient; of a single number its value and gradient."""
    if node.value is None:
        lines = [caption, seen.text]
    else:
        signed = node.gradient is not None and math.isfinite(node.gradient) and norm == node.norm
        gradient = f"{node.gradient:.3g}" if signed else seen.text
        lines = [caption, f"value {node.value:.3g}", f"grad {gradient}" if gradient else ""]
    return "\n".join(line for line in lines if line)


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


def title(report: FlowReport, first: str | None) -> str:
    """Return what is written above a picture: a first line, how to read it, and what it shows."""
    steps = f" through {len(report.steps)} steps of time" if report.steps else ""
    known = [node.norm is not None for node in report.nodes if node.requires_grad]
    if isinstance(report, BackwardReport):
        return "\n".join(
            [
                first or "The backward pass" + steps,
                "Every box computes a gradient of the loss L; its number and colour show how large that is.",
                "Arrows lead from a gradient to what is computed from it. Dotted: values of the forward pass.",
            ]
        )
    lines = [first or ("Gradient flow" if any(known) else "Computation") + steps]
    if any(known):
        lines.append(
            f"Number in a box: the size of the gradient of the loss there{_mean(report)}. "
            f"Its colour: that relative to ‖∂L/∂{report.reference[0]}‖, log scale."
        )
    if any(edge.norm is not None for edge in report.edges):
        lines.append("Arrows point forward; their colour and width show the gradient that comes back along them.")
    if not all(known):
        lines.append("Dashed: a gradient not computed, or not kept. draw(gradient_flow(losses)) shows them all.")
    return "\n".join([*lines, *findings(report)])


def _mean(report: FlowReport) -> str:
    return f", root mean square over {report.batch} examples" if report.batch > 1 else ""


def findings(report: FlowReport) -> list[str]:
    """Return the verdict in words."""
    horizon = report.horizon
    if horizon is None:
        return list(report.notes)
    times = f"over {EXPLODED:g} times as large"
    share = f"{horizon.threshold:.3g} of ‖∂L/∂{horizon.state}_T‖"
    return [
        {
            "withheld": f"No verdict: {report.verdict_reason}.",
            "nonfinite": "Some gradients are NaN or Inf.",
            "zero": "There is no gradient at the last step.",
            "explodes": f"The gradient explodes: {report.explodes_at} steps before the last {times}.",
            "vanishes": f"The gradient vanishes: less than {share} is left {horizon.steps} steps before the last.",
            "survives": f"The gradient survives: it is nowhere less than {share}.",
        }[report.verdict or "survives"]
    ]
