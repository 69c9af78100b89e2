"""In which units the gradient is, beside what each unit lets through: what a mean over all units hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.flow.figures import OPERATIONS
from tinygrad_rnn.flow.records import StateFlow
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.flow.why import Cause


@dataclass(frozen=True)
class UnitsFlow:
    """What multiplies the gradient of one state on its straight way back, unit by unit, and where the gradient is.

    All are means over the same steps, those of the cause: its first `lag` lags.

    Attributes:
        cause: of the state.
        factor: what multiplies: a gate as it is used, "f" or "1 - z"; "tanh′" in Elman's network.
        through: (H,) what each unit lets through in the mean.
        shares: (H,) its share of the squared gradient.
        carriers: the fewest units that together have four fifths of it, the largest first.
        over_all: the mean over all units.
        there: the same where the gradient is: the root mean square over the units, each weighted by its squared
            gradient; the geometric mean over the steps.
        alone: where the gradient would be, if that gate alone carried it from the last step to lag `lag`: the mean of
            `through` over the units, each weighted by what would be left of its squared gradient. None for tanh′.
    """

    cause: Cause
    factor: str
    through: np.ndarray
    shares: np.ndarray
    carriers: tuple[int, ...]
    over_all: float
    there: float
    alone: float | None = None


def units_of(report: FlowReport) -> UnitsFlow | None:
    """Return where the gradient of the cell is, for the state that reaches furthest and that one factor multiplies.

    Returns:
        The units; None without statistics or links, and where neither a gate nor tanh multiplies a state unit by unit.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.flow import gradient_flow
    >>> from tinygrad_rnn.flow.units import units_of
    >>> outputs, _ = nn.GRU(2, 3).unroll(tg.randn(5, 4, 2))
    >>> found = units_of(gradient_flow(outputs[-1].sum(axis=1), statistics=True))
    >>> found.factor, found.shares.shape, round(float(found.shares.sum()), 6)
    ('z', (3,), 1.0)
    """
    horizon = report.horizon
    if horizon is None or report.verdict not in ("explodes", "vanishes", "survives"):
        return None
    for cause in sorted(report.causes(), key=lambda cause: cause.kind != horizon.state):
        state = report.state(cause.kind)
        shares = None if state is None else state.unit_shares(cause.lag)
        if state is None or shares is None or cause.carriers is None:
            continue
        if cause.gate is not None and cause.straight is not None:
            factor, through, there = cause.gate, cause.gate_through, cause.straight
        else:
            tanh = dict(cause.factors).get("tanh")
            if tanh is None:
                continue
            factor, through, there = OPERATIONS["tanh"], _slopes(report, state, cause.lag), tanh
        if through is not None and through.shape == shares.shape:
            alone = _alone(report, state, cause.lag, through) if cause.gate else None
            return UnitsFlow(cause, factor, through, shares, cause.carriers, float(through.mean()), there, alone)
    return None


def _alone(report: FlowReport, state: StateFlow, lag: int, through: np.ndarray) -> float | None:
    """Return what the units let through to which a gate alone would carry the last gradient; None if unknown."""
    carry = next((carry for carry in report.carries if (carry.scope, carry.kind) == (state.scope, state.kind)), None)
    if carry is None or carry.units is None or state.units is None or len(carry.units) < lag:
        return None
    with np.errstate(divide="ignore"):
        sizes = np.log(state.units[0 if state.direction == "reverse" else -1]) + np.log(carry.units[:lag]).sum(axis=0)
    if not np.isfinite(sizes.max()):
        return None
    weights = np.exp(2 * (sizes - sizes.max()))
    return float((weights * through).sum() / weights.sum())


def _slopes(report: FlowReport, state: StateFlow, lag: int) -> np.ndarray | None:
    """Return (H,), the mean of 1 - h^2 over the examples and the first lags; None where h is not made by tanh."""
    steps = state.steps[:lag] if state.direction == "reverse" else state.steps[-lag:]
    rows = [
        node.units
        for node in report.nodes
        if node.op == "tanh" and node.label == state.kind and node.step in steps and lane_of(node.scope) == state.scope
    ]
    known = [row for row in rows if row is not None]
    if len(known) != lag or len({len(row) for row in known}) != 1:
        return None
    return np.asarray(1 - np.square(known).mean(axis=0))
