"""Which steps of time a picture shows, and which one it marks; what it does not show is folded into boxes of their own.

What a reader looks for is at three places: at the loss, where the gradient has vanished or exploded, and at the first
step. So these are drawn, and one step that is like most; what lies between them is folded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import FlowReport, StateFlow
from tinygrad_rnn.flow.reasons import typical_steps
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.shapes import Flag


@dataclass(frozen=True)
class Folding:
    """Which steps are drawn where there are more than `most`."""

    most: int
    first: int  # so many at the beginning,
    marked: int  # so many where the verdict falls: the marked step, then those next to it on the way to the loss,
    last: int  # and so many at the end


#: By level. A screen holds about six steps of an LSTM in letters that can still be read.
FOLDING = {"cell": Folding(12, 1, 2, 3), "ops": Folding(12, 1, 2, 2)}


def folds(
    report: FlowReport, level: str, window: tuple[int, int] | None, folding: Mapping[str, Folding] = FOLDING
) -> list[tuple[int, int]]:
    """Return the first and last step of every stretch that is not drawn.

    Raises:
        InputError: no step lies in the window.
    """
    steps = report.steps
    if window is not None:
        first, last = window
        drawn = {step for step in steps if first <= step < last}
        if not drawn:
            there = f"steps {steps[0]}:{steps[-1] + 1}" if steps else "no steps of time"
            raise InputError(f"draw: no step lies in {first}:{last}; the graph has {there}")
    else:
        drawn = _drawn(report, folding[level]) if level in folding else set(steps)
    stretches = [list(part) for hidden, part in groupby(steps, key=lambda step: step not in drawn) if hidden]
    return [(part[0], part[-1]) for part in stretches if len(part) > 1 or window is not None]


def _drawn(report: FlowReport, folding: Folding) -> set[int]:
    """Return the steps that are drawn unless others are asked for."""
    steps = report.steps
    if len(steps) <= folding.most:
        return set(steps)
    drawn = {*steps[: folding.first], *steps[len(steps) - folding.last :]}
    reverse = any(state.direction == "reverse" for state in report.cell)
    for flag in flags(report):
        place = steps.index(flag.step)
        beside = range(place, place - folding.marked, -1) if reverse else range(place, place + folding.marked)
        drawn |= {steps[i] for i in beside if 0 <= i < len(steps)}
    usual = typical_steps(report, folding.last)
    return drawn if usual is None else drawn | set(usual[:2])


def flags(report: FlowReport) -> list[Flag]:
    """Mark the step at which the cell's gradient has vanished, or exploded, or where the first NaN is."""
    found = []
    horizon = report.horizon
    for state in report.cell:
        if report.verdict == "vanishes" and horizon is not None and horizon.state == state.kind:
            assert horizon.steps is not None
            text = f"vanished: ‖∂L/∂{state.kind}‖ < {horizon.threshold:g} of ‖∂L/∂{state.kind}_T‖"
            found.append(Flag(text, _step_at(state, horizon.steps)))
        elif report.verdict == "explodes" and state.explodes_at is not None:
            text = f"exploded: ‖∂L/∂{state.kind}‖ > {EXPLODED:g} ‖∂L/∂{state.kind}_T‖"
            found.append(Flag(text, _step_at(state, state.explodes_at)))
    if report.verdict == "nonfinite":
        broken = next((node for node in words.first_broken(report) if node is not None and node.step is not None), None)
        if broken is not None and broken.step is not None:
            found.append(Flag(f"the first NaN or Inf: {broken.name}", broken.step))
    return found[:1]


def _step_at(state: StateFlow, lag: int) -> int:
    return state.steps[lag] if state.direction == "reverse" else state.steps[-1 - lag]
