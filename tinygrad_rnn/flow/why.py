"""The numbers behind a verdict: by which factors a cell carries its gradient, and in which of its units."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.flow.records import CarryFlow, FactorFlow, GateFlow, PathFlow, SquashFlow, StateFlow
from tinygrad_rnn.flow.verdict import LaneFlow


@dataclass(frozen=True)
class Cause:
    """What carries the gradient of one kind of state back, over the same lags as its factor per step.

    All means are over the same lags, the first `lag` of them.

    Attributes:
        kind: of the state, "h".
        lag: down to which lag, and from lag 0.
        per_step: the factor per step over these lags.
        shares: by what reads the state in the next step, the mean share of what arrives at the state; what is missing
            to 1 comes from its own step.
        straight: of the way from the state of the next step, past the gates, the geometric mean of (message) /
            (gradient there); None where there is no such way.
        factors: by op, where a single way leads from step to step: the geometric mean of its factors. Their product is
            the factor per step.
        gate: the gate by which the state is multiplied, "f"; None if there is none. `straight` is then its root mean
            square over the units, each weighted by the square of its gradient.
        rule: how the state is made with it, "f · c + i · g"; "" without a gate.
        around: where the state is read in its own step, by whom, and what reads that in the next: {"h": ("i", "f")}.
        gate_mean: of all that it lets through, the mean.
        gate_through: (H,) of each unit, the mean of what it lets through.
        gate_units: (H,) of each unit, what this gate alone lets through per step: the geometric mean over steps and
            examples.
        gate_alone: what would be left of the gradient if only that gate carried it.
        measured: what is left of it.
        carriers: the fewest units that together have four fifths of G^2 in the mean; None without statistics.
        unit_shares: (H,) the share of G^2 that each unit has in the mean; None without statistics.
        carriers_mean: of what the gate lets through in these units, the mean.
        units: H; None without statistics.
        squash: the op that squashes the state where its own step reads it, "tanh"; None if there is none.
        slopes: (H,) of each unit, the mean of its derivative.
    """

    kind: str
    lag: int
    per_step: float
    shares: tuple[tuple[str, float], ...]
    straight: float | None
    factors: tuple[tuple[str, float], ...]
    gate: str | None
    rule: str
    around: dict[str, tuple[str, ...]]
    gate_mean: float | None
    gate_through: np.ndarray | None
    gate_units: np.ndarray | None
    gate_alone: float | None
    measured: float
    carriers: tuple[int, ...] | None
    carriers_mean: float | None
    units: int | None
    unit_shares: np.ndarray | None = None
    squash: str | None = None
    slopes: np.ndarray | None = None


def causes_of(
    lane: LaneFlow,
    factors: Sequence[FactorFlow],
    carries: Sequence[CarryFlow],
    paths: Sequence[PathFlow],
    gates: Sequence[GateFlow],
    squashes: Sequence[SquashFlow],
    readers: Mapping[str, Sequence[str]],
) -> tuple[Cause, ...]:
    """Return the causes for each state of a lane whose gradient can be compared.

    Args:
        factors, carries, paths, gates, squashes: of the report, all of them.
        readers: by kind of state, what reads it in its own step.
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
        through = _lets_through(carry, gates, steps) if carry else None
        carriers = state.carriers(decay.lag)
        squash = next((flow for flow in squashes if flow.scope == state.scope and flow.kind == state.kind), None)
        reading = [path for path in paths if path.scope == state.scope and path.parent == state.kind]
        found.append(
            Cause(
                kind=state.kind,
                lag=decay.lag,
                per_step=decay.per_step,
                shares=_mean_shares(reading, steps),
                straight=_straight(state, reading, steps),
                factors=means,
                gate=carry.gate if carry else None,
                rule=carry.rule if carry else "",
                around={
                    reader: tuple(path.child for path in paths if path.scope == state.scope and path.parent == reader)
                    for reader in readers.get(state.kind, ())
                },
                gate_mean=None if through is None else float(through.mean()),
                gate_through=through,
                gate_units=_unit_factors(carry, decay.lag) if carry else None,
                gate_alone=_left(carry, state, decay.lag) if carry else None,
                measured=float(state.by_lag[decay.lag] / state.by_lag[0]),
                carriers=carriers,
                carriers_mean=None if through is None or carriers is None else float(through[list(carriers)].mean()),
                units=None if state.units is None else state.units.shape[1],
                unit_shares=state.unit_shares(decay.lag),
                squash=squash.op if squash else None,
                slopes=_slopes(squash, steps) if squash else None,
            )
        )
    return tuple(found)


def unit_means(gate: GateFlow) -> np.ndarray | None:
    """Return (H,), the mean of each unit of a gate over steps and examples; None if they were not measured."""
    return None if gate.units is None else gate.units.mean(axis=0)


def _mean_shares(reading: Sequence[PathFlow], steps: Container[int]) -> tuple[tuple[str, float], ...]:
    """Return the mean share of each path over its steps among these; of those that have any."""
    inside = {
        path.child: [share for step, share in zip(path.steps, path.shares, strict=True) if step in steps]
        for path in reading
    }
    known = {child: [share for share in shares if math.isfinite(share)] for child, shares in inside.items()}
    return tuple((child, math.fsum(shares) / len(shares)) for child, shares in known.items() if shares)


def _straight(state: StateFlow, reading: Sequence[PathFlow], steps: Container[int]) -> float | None:
    """Return the mean factor of the way from the state of the next step itself."""
    path = next((path for path in reading if path.child == state.kind), None)
    if path is None:
        return None
    arrived = dict(zip(state.steps, state.norms, strict=True))
    sent = [(norm, arrived[step]) for step, norm in zip(path.steps, path.norms, strict=True) if step in steps]
    factors = [norm / size for norm, size in sent if size]
    return _geometric(factors) if factors else None


def _lets_through(carry: CarryFlow, gates: Sequence[GateFlow], steps: Container[int]) -> np.ndarray | None:
    """Return (H,), the mean of what each unit of a carrying gate lets through; None if it was not measured."""
    for gate in gates:
        if gate.scope == carry.scope and carry.gate in (gate.label, f"1 - {gate.label}") and gate.units is not None:
            means = gate.units[[step in steps for step in gate.steps]].mean(axis=0)
            return means if carry.gate == gate.label else 1 - means
    return None


def _unit_factors(carry: CarryFlow, lag: int) -> np.ndarray | None:
    """Return (H,), the geometric mean of what each unit's gate lets through over so many lags."""
    if carry.units is None:
        return None
    with np.errstate(divide="ignore"):
        return np.exp(np.log(carry.units[:lag]).mean(axis=0))


def _slopes(squash: SquashFlow, steps: Container[int]) -> np.ndarray | None:
    """Return (H,), the mean derivative of what squashes a state, over these steps."""
    inside = [step in steps for step in squash.steps]
    return squash.slopes[inside].mean(axis=0) if any(inside) else None


def _left(carry: CarryFlow, state: StateFlow, lag: int) -> float | None:
    step = state.steps[lag] if state.direction == "reverse" else state.steps[-1 - lag]
    sizes = dict(zip(carry.steps, carry.norms, strict=True))
    return float(sizes[step] / state.by_lag[0]) if step in sizes else None


def _geometric(sizes: Iterable[float]) -> float:
    known = [float(size) for size in sizes]
    if not known or not all(math.isfinite(size) for size in known):
        return math.nan
    return 0.0 if min(known) <= 0 else math.exp(math.fsum(map(math.log, known)) / len(known))
