"""How fast a gradient decays: one factor per step, and whether that one number tells the curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: A line that misses no size by more than this factor fits,
_CLOSE = 1.25
#: or by more than this share of the decades that the curve runs through.
_OF_ALL = 0.05


@dataclass(frozen=True)
class Decay:
    """How fast G changes from step to step, going back.

    Attributes:
        per_step: (G_{T-d} / G_T)^(1/d): with this factor at every step G would have become what it is at lag d.
        lag: d, the horizon if there is one, else the last lag.
        last: the last lag whose size has all its digits, and over which a line was fitted.
        line: the factor per step of the line that fits log G best over the lags 0 to `last`; None where it does not
            fit: where it misses a size by more than a factor of 1.25 and 5% of the decades that the curve runs through.
        bend: where no line fits, the lag at which the curve is furthest from a straight one.
        before, after: the mean factor per step up to the bend, and from there on.
        half_life: the lag at which half is left, read off the curve: between two lags as on a straight line of log G;
            None if no line fits, or if half was not lost within the lags measured.
    """

    per_step: float
    lag: int
    last: int
    line: float | None
    bend: int | None = None
    before: float | None = None
    after: float | None = None
    half_life: float | None = None


def decay_of(by_lag: np.ndarray, lag: int, smallest: float = 0.0) -> Decay | None:
    """Return the factor per step over the lags 0 to `lag`, and the line through log G if one fits.

    Args:
        by_lag: G_T, G_{T-1}, ..., as `StateFlow.by_lag` has it.
        lag: d >= 1, the horizon, else the last lag.
        smallest: sizes below it have lost digits; the line leaves them out, and what follows.

    Returns:
        The decay; None if G_T or G_{T-d} is no number to compare.

    >>> from tinygrad_rnn.flow.decay import decay_of
    >>> import numpy as np
    >>> straight = decay_of(np.array([8.0, 4.0, 2.0, 1.0]), lag=3)
    >>> round(straight.per_step, 6), round(straight.line, 6), round(straight.half_life, 6)
    (0.5, 0.5, 1.0)
    >>> drop = decay_of(np.array([1.0, 0.1, 0.1, 0.1, 0.1]), lag=4)
    >>> drop.line, drop.half_life, drop.bend, drop.after
    (None, None, 1, 1.0)
    """
    sizes = np.asarray(by_lag, dtype=np.float64)
    if not (1 <= lag < len(sizes) and 0 < sizes[0] < math.inf and 0 <= sizes[lag] < math.inf):
        return None
    per_step = _factor(sizes[lag], sizes[0], lag)
    unusable = ~(np.isfinite(sizes) & (sizes > 0) & (sizes >= smallest))
    last = int(unusable.argmax()) - 1 if unusable.any() else len(sizes) - 1
    if last < 1:
        return Decay(per_step, lag, max(last, 0), None)
    logs = np.log(sizes[: last + 1])
    lags = np.arange(last + 1)
    slope, start = np.polyfit(lags, logs, 1)
    missed = np.abs(logs - (start + slope * lags)).max()
    if missed <= max(math.log(_CLOSE), _OF_ALL * np.ptp(logs)):
        return Decay(per_step, lag, last, math.exp(min(slope, 700.0)), half_life=_crossing(logs, logs[0] - math.log(2)))
    bend = int(np.abs(logs - (logs[0] + (logs[-1] - logs[0]) * lags / last)).argmax())
    before, after = _factor(sizes[bend], sizes[0], bend), _factor(sizes[last], sizes[bend], last - bend)
    return Decay(per_step, lag, last, None, bend, before, after)


def _crossing(logs: np.ndarray, level: float) -> float | None:
    """Return at which lag a curve first comes down to a level, on a straight line between two lags; None if nowhere."""
    below = logs <= level + 1e-12
    at = int(below.argmax())
    return at - 1 + float((logs[at - 1] - level) / (logs[at - 1] - logs[at])) if at else None


def _factor(size: float, start: float, steps: int) -> float:
    """Return (size / start)^(1/steps), also where the quotient is beyond the range of the numbers."""
    if size == 0:
        return 0.0
    return math.exp((math.log(size) - math.log(start)) / steps)
