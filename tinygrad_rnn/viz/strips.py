"""The heat strip of a page: the gradient at the state of every step of time, whether the graph below shows it or not.

It is about the state that the verdict goes by. Steps stand in the order in which they are taken, so that the loss is
at the right end whatever the direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import FlowMap, FlowReport, StateFlow
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.flow.sentences import left, number
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.viz import encoding
from tinygrad_rnn.viz.events import Event, arrivals
from tinygrad_rnn.viz.scale import SIZED, Look, Scale, short
from tinygrad_rnn.viz.shapes import Picture

if TYPE_CHECKING:
    from tinygrad_rnn.train import InputFlow

#: Characters that would not be seen on the axis.
_INVISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥"}
#: A map of more steps than this would be most of the page.
_MOST_MAPPED = 150


def strip(
    drawn: Picture, backward: Sequence[Event], inputs: InputFlow | None, flow_map: FlowMap | None
) -> dict[str, Any] | None:
    """Return the data of the strip of a picture; None where no state has a name."""
    report = drawn.report
    state = judged(report)
    if state is None:
        return None
    steps = _taken(state, state.steps)
    turns = _turns(drawn, backward, state)
    found: dict[str, Any] = {
        "kind": state.kind,
        "place": report.place(state),
        "steps": steps,
        "cells": [encoding.seen(look, norm) for look, norm in _looks(report, state, drawn.scale)],
        "events": [turns[step] for step in steps],
        "edges": list(_edges(report, state)),
        "facts": list(_facts(report, state)),
    }
    if inputs is not None:
        found |= _read(state, inputs)
    if flow_map is not None and flow_map.steps == state.steps and len(steps) <= _MOST_MAPPED:
        found["reach"] = {"kind": flow_map.kind, "shades": _reach(state, flow_map, Scale(report.threshold))}
    return found


def judged(report: FlowReport) -> StateFlow | None:
    """Return the state that the verdict goes by: the one with the longest horizon."""
    horizon = report.horizon
    return report.state(horizon.state) if horizon else None


def _taken(state: StateFlow, values: Sequence[Any] | np.ndarray) -> list[Any]:
    """Return what is in the order of time in the order in which the steps are taken."""
    return list(values[::-1] if state.direction == "reverse" else values)


def _looks(report: FlowReport, state: StateFlow, scale: Scale) -> Iterator[tuple[Look, float]]:
    """Yield how each step looks, the last one at the end."""
    name, size = (f"{state.kind}_T", float(state.by_lag[0])) if state.measurable else report.reference
    tiny = state.underflows_at
    for lag in range(len(state.norms) - 1, -1, -1):
        norm = float(state.by_lag[lag])
        yield scale.look(norm, True, size, underflow=tiny is not None and lag >= tiny, against=name), norm


def _turns(drawn: Picture, backward: Sequence[Event], state: StateFlow) -> dict[int, int]:
    """Return for every step which event of the backward pass completes the gradient of its state."""
    report = drawn.report
    found = dict(zip(report.steps, arrivals(drawn, backward, -1), strict=True))
    for i, event in enumerate(backward):
        box = drawn.boxes[event.box]
        if box.kind == "state" and box.node is not None and box.step is not None:
            node = report.nodes[box.node]
            if node.label == state.kind and lane_of(node.scope) == state.scope:
                found[box.step] = i
    return found


def _edges(report: FlowReport, state: StateFlow) -> Iterator[dict[str, Any]]:
    """Yield where the verdict changes, as lags: from there on, going back, the gradient has vanished, or exploded.

    Of the other states of the cell there is a mark, too, where less than the threshold is left of their own.
    """
    if report.verdict == "withheld":
        return
    others = [other for other in report.cell if other.kind != state.kind]
    of = f" of {state.kind}" if others else ""
    lag, grown = state.horizon(report.threshold), state.explodes_at
    if lag is not None:
        short = f"horizon{of}, {lag} back"
        yield {"lag": lag, "text": f"{short}: less than {report.threshold:.3g}", "short": short, "name": "horizon"}
    if grown is not None:
        text = f"{grown} back: over {EXPLODED:g} times"
        yield {"lag": grown, "text": text, "short": text, "name": "exploded"}
    for other in others:
        crossed = other.horizon(report.threshold)
        if crossed is not None:
            text = f"{other.kind}: {crossed} back"
            yield {"lag": crossed, "text": text, "short": text, "name": "other"}


def _facts(report: FlowReport, state: StateFlow) -> Iterator[str]:
    """Yield what stands beside the strip: the verdict, the factor per step, and what is left at the first step."""
    decay = state.decay(report.threshold)
    yield {"nonfinite": "NaN or Inf", "zero": "no gradient", "withheld": "no verdict"}.get(
        report.verdict or "", report.verdict or ""
    )
    if decay is not None:
        span = f" to {decay.lag} back" if decay.lag < len(state.norms) - 1 else ""
        yield f"×{number(decay.per_step)} per step{span}"
    if state.measurable:
        lag = len(state.norms) - 1
        share = state.relative(lag)
        least = short(share) if share and np.isfinite(share) else left(state, lag)
        yield f"{least} of it left at t={state.steps[-1] if state.direction == 'reverse' else state.steps[0]}"


def _read(state: StateFlow, inputs: InputFlow) -> dict[str, Any]:
    if len(inputs.norms) != len(state.steps):
        raise InputError(
            f"page: inputs of {len(inputs.norms)} steps do not belong to a report of {len(state.steps)}; pass those "
            "that were measured with it"
        )
    found: dict[str, Any] = {
        "products": encoding.numbers(_taken(state, inputs.products), 4),
        "sizes": encoding.numbers(_taken(state, inputs.norms), 4),
    }
    if inputs.labels:
        found["labels"] = [_INVISIBLE.get(label, label) for label in _taken(state, inputs.labels)]
    return found


def _reach(state: StateFlow, flow_map: FlowMap, scale: Scale) -> list[list[int | None]]:
    """Return for every step the colours of the losses from there on: what reaches its state of the gradient that each
    has at its own step."""
    order = _taken(state, range(len(flow_map.steps)))
    own = np.diagonal(flow_map.norms)
    rows = []
    for place, column in enumerate(order):
        sizes = [(float(flow_map.norms[row, column]), float(own[row])) for row in order[place:]]
        looks = [scale.look(size, True, whole if whole > 0 else 1.0) for size, whole in sizes]
        rows.append([encoding.shade(look) if look.kind in SIZED else None for look in looks])
    return rows
