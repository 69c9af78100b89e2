"""What a report says, in sentences. Each is worked out from the numbers: none says what should have come out."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tinygrad_rnn.flow.records import EXPLODED, StateFlow
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.verdict import LaneFlow
from tinygrad_rnn.flow.why import Cause

#: What ops are called as factors of a gradient.
OPERATIONS = {"tanh": "tanh′", "relu": "relu′", "sigmoid": "sigmoid′", "matmul": "W_hh"}
#: A gate whose unit lets more than this through per step keeps a third of a gradient over ten steps.
OPEN = 0.9


def number(value: float | None) -> str:
    """Return a number in few digits, or what it is instead."""
    if value is None:
        return "unknown"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinite"
    if value == 0:
        return "0"  # and not "-0"
    return f"{value:.3g}" if 0.001 <= abs(value) < 1000 else f"{value:.1e}"


def plural(count: int, noun: str) -> str:
    """Return "1 step" or "2 steps"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def left(state: StateFlow, lag: int) -> str:
    """Return G_{T-lag} / G_T in few digits, or that it is too small for the dtype."""
    share, small = state.relative(lag), state.underflows_at
    return f"too little for {state.dtype}" if share == 0 and small is not None and lag >= small else number(share)


def verdicts(report: FlowReport, name: str) -> Iterator[str]:
    """Yield the verdict on the states of each layer and direction, that of the cell first, and why it is so.

    Args:
        name: what each sentence begins with.
    """
    if not report.lanes:
        yield f"{name}: nothing can be said, because no state has a name."
    for lane in sorted(report.lanes, key=lambda lane: (lane.states != report.cell, -lane.layer)):
        place = report.place(lane)
        who = f"{name} ({place})" if place else name
        yield _verdict(who, report, lane)
        if lane.verdict in ("explodes", "vanishes", "survives"):
            yield from (said for cause in report.causes(lane) if (said := _why(who, cause)))


def _verdict(who: str, report: FlowReport, lane: LaneFlow) -> str:
    state = lane.furthest
    last = len(state.norms) - 1
    at_the_end = f"{left(state, last)} at lag {last}"
    short = f"less than {report.threshold:.3g} of ‖∂L/∂{state.kind}_T‖"
    lag = lane.horizon.steps
    if lane.verdict == "withheld":
        return f"{who}: no verdict, because {lane.withheld}."
    if lane.verdict == "nonfinite":
        reason = report.nonfinite or "some gradients are NaN or infinite"
        exploded = f"; before that, {_explosion(lane)}" if lane.explodes_at is not None else ""
        return f"{who}: no horizon in numbers that are not finite: {reason}{exploded}."
    if lane.verdict == "zero":
        return f"{who}: no gradient arrives at the last state, so there is none to lose."
    if lane.verdict == "explodes":
        grown = f"{who} explodes: {_explosion(lane)}."
        if lag is None or lane.explodes_at is None:
            return f"{grown} {_speed(lane)}"
        return f"{grown} {'Before' if lag < lane.explodes_at else 'Then'} it falls: {short} is left at lag {lag}."
    if lane.verdict == "survives":
        kept = f"nowhere is {short} left; it is {at_the_end}"
        return f"{who} survives these {plural(last + 1, 'step')}: {kept}. {_speed(lane)}{_extremes(state)}"
    return f"{who} vanishes: {short} is left at lag {lag}, {at_the_end}. {_speed(lane)}{_extremes(state)}"


def _explosion(lane: LaneFlow) -> str:
    """Return where the gradient is first more than a hundredfold, of which state, and what it grows to."""
    state = next(state for state in lane.states if state.explodes_at == lane.explodes_at)
    sizes = state.by_lag / state.by_lag[0]
    most = int(np.argmax(np.where(np.isfinite(sizes), sizes, 0.0)))
    return (
        f"‖∂L/∂{state.kind}‖ is over {EXPLODED:g} times that of the last step at lag {lane.explodes_at}, and at most "
        f"{number(float(sizes[most]))} times at lag {most}"
    )


def _speed(lane: LaneFlow) -> str:
    """Return the one factor per step, and what it does not tell."""
    decay = lane.decay
    if decay is None or decay.last < 1:
        return "Too few steps have a gradient for a factor per step."
    factor = f"That is ×{number(decay.per_step)} per step"
    if decay.line is None and decay.bend is not None:
        return (
            f"{factor} down to lag {decay.lag}, but no straight line fits: ×{number(decay.before)} per step to lag "
            f"{decay.bend}, ×{number(decay.after)} from there to lag {decay.last}."
        )
    half = decay.half_life
    return f"{factor}, half of it gone in {number(half)} steps." if half else f"{factor}."


def _extremes(state: StateFlow) -> str:
    """Return what a curve does besides falling: where it is 0 or too small to be measured, and where it comes back."""
    said = ""
    zero = state.zero_at
    if zero is not None:
        said += f" {'At' if state.by_lag[zero:].any() else 'From'} lag {zero} it is exactly 0: no path carries it."
    if state.underflows_at is not None:
        said += f" From lag {state.underflows_at} it is too small for {state.dtype}: measure in float64 what is there."
    sizes = state.by_lag / state.by_lag[0]
    least = int(np.argmin(sizes))
    again = int(np.argmax(sizes[least:])) + least
    most = int(np.argmax(sizes))
    if sizes[least] > 0 and sizes[again] > 10 * sizes[least]:
        said += f" It rises again, from {number(sizes[least])} at lag {least} to {number(sizes[again])} at lag {again}."
    elif sizes[most] > 2:
        said += f" In between it grows, to {number(sizes[most])} at lag {most}."
    return said


def _why(who: str, cause: Cause) -> str | None:
    """Return by which factors or in which units the gradient of a state is carried."""
    factors = [(OPERATIONS.get(op, op), size) for op, size in cause.factors if not math.isclose(size, 1, abs_tol=1e-9)]
    stopped = next((word for word, size in factors if size == 0), None)
    if stopped:
        return f"{who}: on its only path from {cause.kind} to {cause.kind}, {stopped} lets nothing pass."
    if factors:
        each = " and ".join(f"{word} (×{number(size)})" for word, size in factors)
        return f"{who}: on its only path from {cause.kind} to {cause.kind} a step multiplies by {each}, on average."
    if cause.gate is None or cause.gate_alone is None:
        return None
    said = f"by the gate {cause.gate} alone {number(cause.gate_alone)} of ‖∂L/∂{cause.kind}_T‖ would be left at lag "
    said = f"{who}: {said}{cause.lag}, and {number(cause.measured)} was measured"
    if cause.gate_units is None:
        return f"{said}."
    middle, most = float(np.median(cause.gate_units)), float(cause.gate_units.max())
    said += f"; it lets through ×{number(middle)} per step in the middle unit, ×{number(most)} in the most open one"
    wide = int((cause.gate_units > OPEN).sum())
    said += f", more than ×{OPEN:g} in {wide} of {len(cause.gate_units)}." if wide else "."
    if cause.carriers and cause.units:
        few = len(cause.carriers)
        carry = "carries" if few == 1 else "carry"
        said += f" {few} of {cause.units} units {carry} four fifths of the squared gradient there."
    return said
