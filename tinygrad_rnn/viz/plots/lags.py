"""From reports to numbers by lag: how many steps before the last something lies, as the cell goes through the steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tinygrad_rnn.flow import FlowReport, StateFlow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measured = TypeVar("Measured")
#: What an axis of lags is called.
LAG = "lag $T-t$ (steps back from the loss)"
NO_STATES = 'Nothing is known as a state: say t.named("h", role="state") inside tg.scope("t", t).'


def time_to_the_right(panels: Iterable[Axes]) -> None:
    """Let time run as it does in the graphs: lag 0, where the loss is, at the right end, and t = 0 at the left."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  (optional, and slow to load)

    for axes in panels:
        axes.xaxis.set_inverted(True)
        axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))


def named(found: Mapping[str, Measured | None] | Measured) -> Mapping[str, Measured | None]:
    """Return what was measured by name; a single measurement needs none."""
    return found if isinstance(found, Mapping) else {"network": found}


def beside(flow: Any, state: StateFlow) -> bool:
    """Whether something measured belongs to the layer and direction of a state."""
    return bool((flow.layer, flow.direction) == (state.layer, state.direction))


def lags(steps: Sequence[int], state: StateFlow | None) -> np.ndarray:
    """Return how many steps of a state come after each of these; without a state, how many of these."""
    at, over = np.asarray(steps, dtype=int), np.asarray(steps if state is None else state.steps, dtype=int)
    backward = state is not None and state.direction == "reverse"
    later = over < at[:, None] if backward else over > at[:, None]
    return later.sum(axis=1)


def by_lag(steps: Sequence[int], values: Any, state: StateFlow | None) -> tuple[np.ndarray, np.ndarray]:
    """Return lags in ascending order, and the values there."""
    at = lags(steps, state)
    order = np.argsort(at)
    return at[order], np.asarray(values, dtype=float)[order]


def relative(state: StateFlow) -> np.ndarray:
    """Return G_{T-d} / G_T by lag d; G itself if there is no gradient at the last step to compare with."""
    return ratio(state.by_lag, state.by_lag[0]) if state.measurable else state.by_lag


def furthest(report: FlowReport) -> StateFlow | None:
    """Return the state whose gradient reaches furthest: the one the verdict is about."""
    horizon = report.horizon
    return report.state(horizon.state) if horizon else None


def zero_of(state: StateFlow) -> str:
    """Return what a 0 among the sizes of a state is."""
    return "0" if state.underflows_at is None else "underflow"


def one_step_back(report: FlowReport, state: StateFlow) -> np.ndarray:
    """Return G_{t-1} / G_t by the lag of t-1: 1, 2, ..."""
    factors = report.attenuation(state.kind)
    if factors is None:
        return np.zeros(0)
    return factors if state.direction == "reverse" else factors[::-1]


def ratio(values: Any, by: Any) -> np.ndarray:
    """Return values / by: infinite where by is 0, NaN where both are."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(values, dtype=float) / by
