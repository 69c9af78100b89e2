"""Why a gradient is kept or lost, in words: by which paths it comes, by which factors, and in which units."""

from __future__ import annotations

import math

from tinygrad_rnn.flow.figures import OPERATIONS, number, percent, plural
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.verdict import LaneFlow
from tinygrad_rnn.flow.why import Cause

#: Means that differ by less than this share need no explanation.
ALIKE = 0.1
#: A share that is as near to the mean as this does not mislead.
LIKE = 0.25
#: A derivative below this is that of a saturated function: of tanh beyond ±1.8.
SATURATED = 0.1
#: Paths that bring less than this share are not mentioned.
LITTLE = 0.005


def why(report: FlowReport, lane: LaneFlow | None = None) -> str:
    """Return why the gradient of a lane is kept or lost; "" where there is no verdict, or the numbers do not tell.

    What decides stands first, with its numbers: which op takes it, or in which units of a gate it is. Then by which
    paths it comes; in parentheses what the numbers are means of. It speaks of the state whose gradient reaches
    furthest.

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
    said, *details = _single_path(cause) or _several_paths(cause) or _gate_alone(cause) or [""]
    end = "to the horizon" if lane.horizon.steps else "to the first step"
    if said and cause.lag > 1:
        details.insert(0, f"Means over the {cause.lag} steps back {end}")
    return f"{said} ({'; '.join(details)}.)" if details else said


def _single_path(cause: Cause) -> list[str]:
    """Return which op of the only way through time takes most, and by what the way multiplies; then details."""
    factors = [(OPERATIONS.get(op, op), size) for op, size in cause.factors if not math.isclose(size, 1, abs_tol=1e-9)]
    if not factors:
        return []
    stopped = next((word for word, size in factors if size == 0), None)
    if stopped:
        return [f"{stopped} lets nothing pass, and there is no other path from step to step."]
    path = f"the only path from {cause.kind} to {cause.kind}"
    if len(factors) == 1:
        ((word, size),) = factors
        return [f"{word} multiplies the gradient by ×{number(size)} per step, alone on {path}."]
    least, size = min(factors, key=lambda factor: factor[1])
    others = " and ".join(f"{word} (×{number(other)})" for word, other in factors if word != least)
    rest = math.prod(other for word, other in factors if word != least)
    if size >= 1:
        said = f"nothing takes the gradient away: {least} (×{number(size)} per step) and {others} let it grow"
    elif rest >= 1:
        said = f"{least} takes the gradient away, ×{number(size)} per step; {others} alone would not shrink it"
    else:
        said = f"most of the gradient is taken by {least}, ×{number(size)} per step, less by {others}"
    flat = [f"tanh′ is small where {cause.kind} is near ±1"] if size < 1 and least == OPERATIONS["tanh"] else []
    return [f"{said}. They are on {path}: together ×{number(cause.per_step)} per step.", *flat]


def _several_paths(cause: Cause) -> list[str]:
    """Return how open the gate is where the gradient is, and what comes straight and by other paths; then details."""
    shares = dict(cause.shares)
    if not shares:
        return []
    kind, gate = cause.kind, cause.gate and _signed(cause.gate)
    brought = [f"{percent(share)} {how}" for how, share in ways(cause) if abs(share) >= LITTLE]
    if cause.straight is None:
        return [f"no path leads straight from {kind} to {kind}: of what arrives at {kind} comes {', '.join(brought)}."]
    lead, *details = _gate_there(cause)
    if not lead:
        through = f"straight through {gate}" if gate else f"straight from {kind} to {kind}"
        lead = f"the way {through} multiplies the gradient by ×{number(cause.straight)} per step."
    details = [*_made(cause), *details]
    together = f"; together ×{number(cause.per_step)} per step"
    comes = f"Of what arrives at {kind} comes {', '.join(brought)}"
    if len(brought) == 1:
        comes = f"All that arrives at {kind} comes {brought[0].partition(' ')[2]}"
    return [f"{lead} {comes}{together}.", *details]


def ways(cause: Cause) -> list[tuple[str, float]]:
    """Return by which ways the gradient arrives at a state, the straight one first, and the mean share of each.

    Each is said to stand after "comes 20%": "straight through f", "round by c → h → gates → c".
    """
    shares = dict(cause.shares)
    found = [(way_of(cause, cause.kind), shares.pop(cause.kind))] if cause.kind in shares else []
    others = [(way_of(cause, child), share) for child, share in shares.items()]
    own = 1 - math.fsum(share for _, share in [*found, *others])
    others.append((way_of(cause, None), own))
    return found + sorted(others, key=lambda way: -abs(way[1]))


def way_of(cause: Cause, child: str | None) -> str:
    """Return what the way is called by which a gradient comes to a state, the same wherever it is spoken of.

    Args:
        child: what sends it, in the step after the state's; None: what is in the step of the state itself.
    """
    kind, gate = cause.kind, _signed(cause.gate or "")
    if child is None:
        return f"round by {_way_round(cause)}" if cause.around else "from its own step"
    if child == kind:
        return f"straight through {gate}" if cause.gate else "straight"
    return f"because {gate} depends on {kind}" if child == cause.gate else f"by {child}"


def one_step_beside_mean(report: FlowReport) -> str:
    """Return how much comes straight to the cell's state before the last, beside the mean over steps; "" if unknown.

    A picture shows single steps, a sentence the mean.
    """
    found = _last_and_mean(report)
    if found is None:
        return ""
    cause, arrived, there, mean = found
    usual = typical_steps(report)
    like = f", and {percent(usual[2])} at t={usual[0]}" if usual and abs(usual[2] - there) > LITTLE else ""
    return (
        f"of what arrives at {cause.kind} of t={arrived}, {percent(there)} comes straight; in the mean over "
        f"{plural(cause.lag, 'step')} it is {percent(mean)}{like}"
    )


def last_step_unlike_mean(report: FlowReport) -> str:
    """Return the same where the two are so far apart that the picture of the last step misleads; else ""."""
    found = _last_and_mean(report)
    return one_step_beside_mean(report) if found is not None and abs(found[2] - found[3]) > LIKE else ""


def _last_and_mean(report: FlowReport) -> tuple[Cause, int, float, float] | None:
    """Return the cause, the step before the last, and the share that comes straight: there, and in the mean."""
    cause = next((cause for cause in report.causes() if report.horizon and cause.kind == report.horizon.state), None)
    scope = report.cell[0].scope if report.cell else None
    path = next((p for p in report.paths if cause and p.scope == scope and p.child == p.parent == cause.kind), None)
    if cause is None or path is None or cause.kind not in dict(cause.shares) or report.verdict == "withheld":
        return None
    sent = 0 if path.direction == "reverse" else -1
    steps = report.cell[0].steps
    arrived = steps[steps.index(path.steps[sent]) + (1 if path.direction == "reverse" else -1)]
    return cause, arrived, float(path.shares[sent]), dict(cause.shares)[cause.kind]


def typical_steps(report: FlowReport, away: int = 3) -> tuple[int, int, float] | None:
    """Return where as much of the gradient comes straight as in the mean: a picture that shows it misleads nobody.

    Args:
        away: at least so many steps from the last.

    Returns:
        The step at which it arrives, the one from which it comes, and the share; None where one of the last steps is
        like most, where a single path leads from step to step, where there is no verdict, and where no step lies so far
        away, but before the horizon.
    """
    cause = next((cause for cause in report.causes() if report.horizon and cause.kind == report.horizon.state), None)
    scope = report.cell[0].scope if report.cell else None
    path = next((p for p in report.paths if cause and p.scope == scope and p.child == p.parent == cause.kind), None)
    shares = dict(cause.shares) if cause else {}
    if cause is None or path is None or cause.factors or cause.kind not in shares or report.verdict == "withheld":
        return None
    steps = report.cell[0].steps if path.direction == "reverse" else report.cell[0].steps[::-1]
    found = dict(zip(path.steps, path.shares, strict=True))
    far = [lag for lag in range(max(away, 1), cause.lag + 1) if math.isfinite(found.get(steps[lag - 1], math.nan))]
    if not far:
        return None
    mean = shares[cause.kind]
    near = [found.get(steps[lag - 1], math.nan) for lag in range(1, far[0])]
    if any(abs(share - mean) <= LIKE for share in near):
        return None
    lag = min(far, key=lambda lag: abs(found[steps[lag - 1]] - mean))
    return steps[lag], steps[lag - 1], float(found[steps[lag - 1]])


def _gate_there(cause: Cause) -> list[str]:
    """Return how open a gate is in the units that hold the gradient beside all units; then details. [""] if unknown."""
    if cause.gate is None or cause.gate_mean is None or cause.straight is None:
        return [""]
    gate, there, all_units = _signed(cause.gate), cause.straight, cause.gate_mean
    numbers = f"{gate} is {number(there)} there, {number(all_units)} over all units."
    there_is = "“there”: root mean square over the units, weighted by their squared gradient"
    if abs(there - all_units) <= ALIKE * all_units:
        return [f"the units that hold the gradient are like the others: {numbers}", there_is, *_few(cause)]
    open_ = min(there, all_units) < 0.5 <= max(there, all_units)
    because = "", ""
    if there < all_units:
        which = f"not those whose {gate} is open" if open_ else f"those whose {gate} is less open"
        because = _saturated(cause, "open" if open_ else "more open")
    else:
        which = f"those whose {gate} is open" if open_ else f"those whose {gate} is more open"
    said = f"the units that hold the gradient are {which}{because[0]}: {numbers}"
    return [said, there_is, *_few(cause), *filter(None, because[1:])]


def _saturated(cause: Cause, which: str) -> tuple[str, str]:
    """Return that next to no gradient enters the units that would keep it, as what reads the state is saturated there,
    and what these numbers are; empty where the numbers do not say so."""
    slopes, through, shares = cause.slopes, cause.gate_through, cause.unit_shares
    if slopes is None or through is None or shares is None or not slopes.shape == through.shape == shares.shape:
        return "", ""
    more_open = through > through.mean()
    open_slope, there = float(slopes[more_open].mean()) if more_open.any() else math.inf, float(slopes @ shares)
    if not open_slope <= min(SATURATED, there / 3):
        return "", ""
    gate, slope = _signed(cause.gate or ""), OPERATIONS.get(cause.squash or "", f"{cause.squash}′")
    numbers = f"{slope} {number(open_slope)} against {number(there)}"
    return (
        f", because {cause.squash}({cause.kind}) is saturated in the {which} ones and little enters ({numbers})",
        f"{slope}: mean over the units whose {gate} is above the mean, against that where the gradient is",
    )


def _gate_alone(cause: Cause) -> list[str]:
    """Return what a gate would leave where nothing is known of the paths; then details."""
    if cause.gate is None or cause.gate_alone is None:
        return []
    alone, is_left = number(cause.gate_alone), number(cause.measured)
    said = f"by {_signed(cause.gate)} alone {alone} would be left {cause.lag} steps back, where {is_left} is."
    return [said, *_made(cause), *_few(cause)]


def _made(cause: Cause) -> list[str]:
    """Return how a state is made, and at which end a gate keeps the old one; [] if it is not known."""
    if not cause.rule:
        return []
    keeps = f", where {keeping(cause.gate)} keeps the old {cause.kind}" if cause.gate else ""
    return [f"{cause.kind} = {cause.rule}{keeps}"]


def keeping(gate: str) -> str:
    """Return at which value a gate keeps the old state: "f = 1", or "z = 0" of a carrying "1 - z".

    >>> from tinygrad_rnn.flow.reasons import keeping
    >>> keeping("f"), keeping("1 - z")
    ('f = 1', 'z = 0')
    """
    return f"{gate.removeprefix('1 - ')} = 0" if gate.startswith("1 - ") else f"{gate} = 1"


def _signed(gate: str) -> str:
    return gate.replace("-", "−")


def _way_round(cause: Cause) -> str:
    """Return the path through another state and the gates of the next step, in the direction of the values."""
    kind = cause.kind
    if len(cause.around) > 2:
        return f"{kind} → … → {kind}"
    return " and ".join(
        " → ".join([kind, reader, *(["gates"] if gates else []), kind]) for reader, gates in cause.around.items()
    )


def _few(cause: Cause) -> list[str]:
    """Return how few units hold most of the squared gradient; [] if they are many."""
    if not cause.carriers or cause.units is None or len(cause.carriers) > cause.units / 4:
        return []
    few = len(cause.carriers)
    verb = "is" if few == 1 else "are"
    return [f"four fifths of the squared gradient {verb} in {few} of {cause.units} units"]
