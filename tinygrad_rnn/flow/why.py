"""The numbers behind a verdict: by which factors a cell carries its gradient, and in which of its units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.flow.records import CarryFlow, FactorFlow, GateFlow, StateFlow
from tinygrad_rnn.flow.verdict import LaneFlow


@dataclass(frozen=True)
class Cause:
    """What carries the gradient of one kind of state back, over the same lags as its factor per step.

    Attributes:
        kind: of the state, "h".
        lag: down to which lag, and from lag 0.
        factors: by op, where a single way leads from step to step: the geometric mean of its factors. Their product is
            the factor per step.
        gate: the gate by which the state is multiplied, "f"; None if there is none.
        gate_units: (H,) of each unit, what this gate alone lets through per step: the geometric mean over steps and
            examples.
        gate_alone: what would be left of the gradient if only that gate carried it.
        measured: what is left of it.
        carriers: the fewest units that together have four fifths of G^2 there; None without statistics.
        units: H; None without statistics.
    """

    kind: str
    lag: int
    factors: tuple[tuple[str, float], ...]
    gate: str | None
    gate_units: np.ndarray | None
    gate_alone: float | None
    measured: float
    carriers: tuple[int, ...] | None
    units: int | None


def causes_of(lane: LaneFlow, factors: Sequence[FactorFlow], carries: Sequence[CarryFlow]) -> tuple[Cause, ...]:
    """Return the causes for each state of a lane whose gradient can be compared.

    Args:
        factors, carries: of the report, all of them.
    """
    found = []
    for state in lane.states:
        decay = state.decay(lane.threshold)
        if decay is None:
            continue
        steps = state.steps[: decay.lag] if state.direction == "reverse" else state.steps[-decay.lag :]
        means = tuple(
            (flow.op, _geometric(size for step, size in zip(flow.steps, flow.factors, strict=True) if step in steps))
            for flow in factors
            if flow.scope == state.scope and flow.kind == state.kind
        )
        carry = next((flow for flow in carries if flow.scope == state.scope and flow.kind == state.kind), None)
        found.append(
            Cause(
                kind=state.kind,
                lag=decay.lag,
                factors=means,
                gate=carry.gate if carry else None,
                gate_units=carry.units if carry else None,
                gate_alone=_left(carry, state, decay.lag) if carry else None,
                measured=float(state.by_lag[decay.lag] / state.by_lag[0]),
                carriers=state.carriers(decay.lag),
                units=None if state.units is None else state.units.shape[1],
            )
        )
    return tuple(found)


def unit_means(gate: GateFlow) -> np.ndarray | None:
    """Return (H,), the mean of each unit of a gate over steps and examples; None if they were not measured."""
    return None if gate.units is None else gate.units.mean(axis=0)


def _left(carry: CarryFlow, state: StateFlow, lag: int) -> float | None:
    step = state.steps[lag] if state.direction == "reverse" else state.steps[-1 - lag]
    sizes = dict(zip(carry.steps, carry.norms, strict=True))
    return float(sizes[step] / state.by_lag[0]) if step in sizes else None


def _geometric(sizes: Iterable[float]) -> float:
    known = [float(size) for size in sizes]
    if not known or not all(math.isfinite(size) for size in known):
        return math.nan
    return 0.0 if min(known) <= 0 else math.exp(math.fsum(map(math.log, known)) / len(known))
