"""What is written in boxes, and what the whole shows; `titles.py` has what stands above a picture."""

from __future__ import annotations

import math

from tinygrad_rnn.engine.modes import scope_text
from tinygrad_rnn.flow import FlowReport, NodeFlow, changes, reasons
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.flow.sentences import REACHES
from tinygrad_rnn.viz.scale import SIZED, Look

SYMBOLS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "pow": "^", "matmul": "@"}


def caption(node: NodeFlow, level: str, is_root: bool) -> str:
    """Return what a box is called: by its name, operation or gate."""
    if node.op is None:
        return node.label or ("leaf" if node.requires_grad else "data" if node.step is None else "input")
    label = node.label or ("loss" if is_root else None)
    if label is None:
        return operation(node)
    if level == "ops":
        word = operation(node)
        return f"{label} = {f'· {word} ·' if word in SYMBOLS.values() else word}"
    words = [name.replace("_", " ") for name, index in node.scope[-1:] if index is None and name != "reverse"]
    return " ".join([*words, label])


def parameter_order(name: str) -> tuple[bool, bool, str]:
    """Return by what parameters are put in order, the same for every cell: weights first, those of the input first.

    >>> sorted(["bias_hh_l0", "weight_hh_l0", "bias_ih_l0", "weight_ih_l0"], key=parameter_order)
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """
    return "bias" in name, "_hh" in name or "_hr" in name, name


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


def label(node: NodeFlow, caption: str, norm: float | None, seen: Look) -> list[str]:
    """Return the lines in a box: the caption, the value where it is known and tells something, and the gradient."""
    return [caption, *filter(None, (_value(node), _gradient(node, norm, seen)))]


def sizes(node: NodeFlow, seen: Look) -> str:
    """Return value and gradient of a node in one line."""
    return ", ".join(filter(None, (_value(node), _gradient(node, node.norm, seen))))


def _value(node: NodeFlow) -> str:
    """Return the value of a single number, or what those of a gate or a state are like: how open, and how large."""
    if node.value is not None and not several(node):
        return f"value {node.value:.3g}"
    if node.role == "gate" and node.values is not None:
        return f"value {node.values.mean:.2g} ± {node.values.std:.1g}"
    if node.role == "state" and node.values is not None and not several(node):
        return f"rms {math.hypot(node.values.mean, node.values.std):.2g}"
    return ""


def _gradient(node: NodeFlow, norm: float | None, seen: Look) -> str:
    signed = node.gradient if node.value is not None and not several(node) else None
    if signed is not None and norm == node.norm and seen.kind in SIZED:
        return f"grad {signed:.3g}"
    return f"grad {seen.text}" if seen.text else ""


def several(node: NodeFlow) -> bool:
    """Whether an op has several outputs: what is known of a single number is then of the first, or of the last."""
    if node.op in _SEVERAL:
        return True
    if node.gradient is None or node.norm is None or not math.isfinite(node.norm):
        return False
    return not math.isclose(abs(node.gradient), node.norm, rel_tol=1e-6)


#: Ops of this library with several outputs; of others the gradient tells, if more than one output has one.
_SEVERAL = ("split", "unbind")


def operation(node: NodeFlow) -> str:
    """Return an op with its Python numbers: "tanh", "×", "1 − ·"."""
    name = node.op or "leaf"
    constants = {position: f"{value:g}" for position, value in node.constants}
    if name in SYMBOLS:
        return " ".join([constants.get(0, "·"), SYMBOLS[name], constants.get(1, "·")]) if constants else SYMBOLS[name]
    return f"{name}({', '.join(constants.values())})" if constants else name


def fill_level(node: NodeFlow) -> float | None:
    """Return how open a gate is, from 0 to 1: the mean of its values; None where they are not known, or are others."""
    known = node.values
    if node.role != "gate" or known is None or several(node):
        return None
    return known.mean if known.minimum >= 0 and known.maximum <= 1 else None


def factor(factor: float) -> str:
    """Return what is written on an arrow that multiplies the size of a gradient: "×0.69"."""
    return f"×{factor:.2g}"


def further(share: float | None, tail: str, ratio: float | None) -> str:
    """Return what is shown when the mouse points at an arrow, besides its size."""
    said = ""
    if share is not None:
        said += f"\nshare of what arrives at {tail}: {share:.3g}"
    if ratio is not None:
        said += f"\n{ratio:.4g} times the gradient it comes from"
    return said


def size(norm: float | None, seen: Look) -> str:
    """Return the size of a gradient in full, or why there is none."""
    if norm is None or seen.kind in ("not required", "underflow"):
        return seen.kind
    return f"{norm:.6g}"


def about(node: NodeFlow, gradient: str) -> str:
    """Return what is shown when the mouse points at a box."""
    place = f"in {scope_text(node.scope)}" if node.scope else ""
    what = f"{node.op or 'leaf'}, shape {node.shape}"
    return "\n".join(filter(None, (node.name, place, what, gradient)))


def findings(report: FlowReport) -> list[str]:
    """Return the verdict in words."""
    horizon = report.horizon
    if horizon is None:
        return list(report.notes)
    times = f"over {EXPLODED:g} times as large"
    share = f"{horizon.threshold:.3g} of ‖∂L/∂{horizon.state}_T‖"
    return [
        {
            "withheld": f"No verdict: {(report.verdict_reason or 'the report does not allow one').rstrip('.')}.",
            "nonfinite": " ".join(["Some gradients are NaN or Inf.", *origin(report)]),
            "zero": "There is no gradient at the last step.",
            "explodes": f"The gradient explodes: {report.explodes_at} steps before the last {times}.",
            "vanishes": f"The gradient vanishes: less than {share} is left {horizon.steps} steps before the last.",
            "survives": f"The gradient survives: it is nowhere less than {share}. {REACHES}",
        }[report.verdict or "survives"]
    ]


def why(report: FlowReport, training: bool = True) -> str:
    """Return why the gradient of the cell is kept or lost, what training changed, and what would have to be changed.

    A line for each; "" where the numbers do not tell.

    Args:
        training: whether to tell what training changed.
    """
    said = {
        "Why": reasons.why(report),
        "What training did": changes.training(report) if training else "",
        "What to change": changes.remedy(report),
    }
    return "\n".join(f"{word}: {sentence}" for word, sentence in said.items() if sentence)


def origin(report: FlowReport) -> list[str]:
    """Return where the first NaN or Inf is: of the values as they are computed, and of the gradients on their way."""
    value, gradient = first_broken(report)
    found = [f"The first value that is not finite: {_at(value)}."] if value else []
    if gradient:
        what = "The first gradient that is, on the way back" if value else "The first, on the way back"
        found.append(f"{what}: at {_at(gradient)}.")
    return found


def first_broken(report: FlowReport) -> tuple[NodeFlow | None, NodeFlow | None]:
    """Return the first node whose value is not finite, if values were measured, and the first in the backward pass
    whose gradient is not; None where there is none."""
    measured = all(node.values is not None or node.value is not None for node in report.nodes)
    value = next((node for node in report.nodes if measured and _broken(node)), None)
    gradients = (node for node in reversed(report.nodes) if node.norm is not None and not math.isfinite(node.norm))
    return value, next(gradients, None)


def _broken(node: NodeFlow) -> bool:
    """Whether a value is known to be NaN or infinite."""
    known = node.value if node.value is not None else node.values.minimum + node.values.maximum if node.values else 0.0
    return not math.isfinite(known)


def _at(node: NodeFlow) -> str:
    what = "data" if node.op is None and not node.requires_grad else node.op or "parameter"
    return f"{node.name} ({what}{f', t={node.step}' if node.step is not None else ''})"
