"""What a report says, in sentences. Each is worked out from the numbers: none says what should have come out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_rnn.flow.changes import remedy, training
from tinygrad_rnn.flow.figures import OPERATIONS, number, percent, plural
from tinygrad_rnn.flow.reasons import why
from tinygrad_rnn.flow.records import EXPLODED, StateFlow
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.verdict import LaneFlow

__all__ = ["OPERATIONS", "answers", "left", "number", "percent", "plural", "verdicts"]

#: What a gradient that survives does not say.
REACHES = "That it reaches the first step does not say that anything is learned from there."
#: The question that a verdict answers.
WHERE = "where"


def left(state: StateFlow, lag: int) -> str:
    """Return G_{T-lag} / G_T in few digits, or that it is too small for the dtype."""
    return f"too little for {state.dtype}" if state.underflows(lag) else number(state.relative(lag))


def verdicts(report: FlowReport, name: str) -> Iterator[str]:
    """Yield the answers, one after the other in sentences.

    Args:
        name: what each sentence begins with.
    """
    for who, found in answers(report, name):
        for question, said in found.items():
            yield said if question == WHERE else f"{who}, {question}: {said}"


def answers(report: FlowReport, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield for each layer and direction, that of the cell first, its name and by question what became of the gradient
    and why; of the cell also what training changed, and what would have to be changed.

    Args:
        name: what the network is called.
    """
    if not report.lanes:
        yield name, {WHERE: f"{name}: nothing can be said, because no state has a name."}
    for lane in sorted(report.lanes, key=lambda lane: (lane.states != report.cell, -lane.layer)):
        place = report.place(lane)
        who = f"{name} ({place})" if place else name
        found = {WHERE: _verdict(who, report, lane), "why": why(report, lane)}
        if lane.states == report.cell:
            found |= {"what training did": training(report), "what to change": remedy(report)}
        yield who, {question: said for question, said in found.items() if said}


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
        return f"{who} survives these {plural(last + 1, 'step')}: {kept}. {_speed(lane)}{_extremes(state)} {REACHES}"
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
    factor = f"That is ×{number(decay.per_step)} per step down to lag {decay.lag}"
    if decay.line is None and decay.bend is not None:
        return (
            f"{factor}, but no straight line fits: ×{number(decay.before)} per step to lag "
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
