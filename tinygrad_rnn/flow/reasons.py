"""Why a gradient is kept or lost, in words: by which paths it comes, by which factors, and in which units."""

from __future__ import annotations

import math

from tinygrad_rnn.flow.figures import OPERATIONS, number
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.verdict import LaneFlow
from tinygrad_rnn.flow.why import Cause

#: Means that differ by less than this share need no explanation.
ALIKE = 0.1
#: Paths that bring less than this share are not mentioned.
LITTLE = 0.005


def why(report: FlowReport, lane: LaneFlow | None = None) -> str:
    """Return why the gradient of a lane is kept or lost; "" where there is no verdict, or the numbers do not tell.

    It speaks of the state whose gradient reaches furthest: by which path it comes back, what each step multiplies it by
    there, what other paths add, and whether a few units carry it.

    Args:
        lane: the cell unless given.
    """
    lane = lane or next((lane for lane in report.lanes if lane.states == report.cell), None)
    verdict = lane and (report.verdict if lane.states == report.cell else lane.verdict)
    if lane is None or verdict not in ("explodes", "vanishes", "survives"):
        return ""
    cause = next((cause for cause in report.causes(lane) if cause.kind == lane.horizon.state), None)
    if cause is None:
        return ""
    said = _single_path(cause) or _several_paths(cause) or _gate_alone(cause)
    end = "to the horizon" if lane.horizon.steps else "to the first step"
    return f"{said} (Means over the {cause.lag} steps back {end}.)" if said and cause.lag > 1 else said


def _single_path(cause: Cause) -> str:
    """Return by which ops the only way through time goes, and which of them takes most."""
    factors = [(OPERATIONS.get(op, op), size) for op, size in cause.factors if not math.isclose(size, 1, abs_tol=1e-9)]
    if not factors:
        return ""
    stopped = next((word for word, size in factors if size == 0), None)
    if stopped:
        return f"{stopped} lets nothing pass, and there is no other path from step to step."
    each = " and ".join(f"{word} (×{number(size)})" for word, size in factors)
    together = f": ×{number(cause.per_step)} per step" if len(factors) > 1 else " per step"
    path = f"there is one path from {cause.kind} to {cause.kind}, through {each}{together}"
    least, size = min(factors, key=lambda factor: factor[1])
    if size >= 1 or len(factors) == 1:
        return f"{path}."
    others = [word for word, _ in factors if word != least]
    rest = math.prod(size for word, size in factors if word != least)
    flat = f", which is small where {cause.kind} is near ±1" if least == OPERATIONS["tanh"] else ""
    if rest >= 1:
        return f"{path}; {' and '.join(others)} alone would not shrink it, it is {least} that does{flat}."
    return f"{path}; most is taken by {least}{flat}."


def _several_paths(cause: Cause) -> str:
    """Return what comes straight from the next state, by which factor, and what the other paths add."""
    shares = dict(cause.shares)
    if not shares:
        return ""
    kind, gate = cause.kind, cause.gate and cause.gate.replace("-", "−")
    straight = shares.pop(kind, 0.0)
    others = sorted(shares.items(), key=lambda item: -abs(item[1]))
    itself = f"the dependence of {gate} on {kind}"
    parts = [(itself if child == cause.gate else child, share) for child, share in others]
    own = 1 - straight - math.fsum(shares.values())
    parts.append((f"the way round, {_way_round(cause)}," if cause.around else "its own step", own))
    brought = [f"{path} brings {_percent(share)}" for path, share in parts if abs(share) >= LITTLE]
    if cause.straight is None:
        return f"no path leads straight from {kind} to {kind}; of what arrives at {kind} {', '.join(brought)}."
    rule = f"{kind} = {cause.rule}; " if cause.rule else ""
    through = f"the way straight through {gate}" if gate else f"the way straight from {kind} to {kind}"
    said = f"{rule}{through} multiplies the gradient by ×{number(cause.straight)} per step{_weighted(cause)}"
    said += f" It brings {_percent(straight)} of what arrives at {kind}"
    if brought:
        said += f"; {', '.join(brought)}; all together make ×{number(cause.per_step)} per step"
    return f"{said}."


def _gate_alone(cause: Cause) -> str:
    """Return what a gate would leave where nothing is known of the paths."""
    return f"{cause.kind} = {cause.rule}{_alone(cause)}{_few(cause)}." if _alone(cause) else ""


def _percent(share: float) -> str:
    """Return a share of what arrives: a negative one points against the sum."""
    return f"{share:.0%}".replace("-", "−")


def _way_round(cause: Cause) -> str:
    """Return the path through another state and the gates of the next step, in the direction of the values."""
    kind = cause.kind
    if len(cause.around) > 2:
        return f"{kind} → … → {kind}"
    return " and ".join(
        " → ".join([kind, reader, *([f"gates {', '.join(gates)}"] if gates else []), kind])
        for reader, gates in cause.around.items()
    )


def _weighted(cause: Cause) -> str:
    """Return how the gate's plain mean goes with what it does to the gradient: that lies in some units only."""
    if cause.gate is None or cause.gate_mean is None or cause.straight is None:
        return "."
    gate, mean = cause.gate.replace("-", "−"), number(cause.gate_mean)
    if abs(cause.straight - cause.gate_mean) <= ALIKE * cause.gate_mean:
        return f", {gate} being {mean} on average."
    other = "smaller" if cause.straight < cause.gate_mean else "larger"
    return (
        f": {gate} is {mean} on average, but {other} where the gradient is, {number(cause.straight)} (root mean square "
        f"over the units, weighted by their squared gradient{_few(cause)})."
    )


def _few(cause: Cause) -> str:
    """Return how few units hold most of the squared gradient at the end of the lags; "" if they are many."""
    if not cause.carriers or cause.units is None or len(cause.carriers) > cause.units / 4:
        return ""
    few = len(cause.carriers)
    theirs = "" if cause.carriers_mean is None else f", where its mean is {number(cause.carriers_mean)}"
    verb = "is" if few == 1 else "are"
    held = f"four fifths of the squared gradient at lag {cause.lag} {verb} in {few} of {cause.units} units"
    return f"; {held}{theirs}"


def _alone(cause: Cause) -> str:
    """Return what would be left if the gate alone carried, beside what is."""
    if cause.gate is None or cause.gate_alone is None:
        return ""
    alone, is_left = number(cause.gate_alone), number(cause.measured)
    return f"; by {cause.gate.replace('-', '−')} alone {alone} would be left {cause.lag} steps back, where {is_left} is"
