"""How fast a gradient decays: the straight line that fits its logarithm best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Numbers below this have lost digits, so a line through their logarithms would bend.
_SMALLEST = float(np.finfo(np.float64).smallest_normal)


@dataclass(frozen=True)
class Decay:
    """The line through log G over the lags 0 to `last`."""

    per_step: float  # G grows by this factor with each step further back
    last: int

    @property
    def half_life(self) -> float | None:
        """The steps in which half of the gradient is lost; None if it does not get smaller."""
        return math.log(2) / -math.log(self.per_step) if self.per_step < 1 else None


def decay(by_lag: np.ndarray) -> Decay | None:
    """Fit a line by least squares to log G over the lags 0, 1, ... until G is 0, not finite, or loses digits.

    Args:
        by_lag: G_T, G_{T-1}, ..., as `StateFlow.by_lag` has it.

    Returns:
        The fit; None if fewer than two lags can be used.

    >>> from tinygrad_rnn.viz.plots.decay import decay
    >>> import numpy as np
    >>> fit = decay(np.array([8.0, 4.0, 2.0, 1.0, 0.0, 0.0]))
    >>> round(fit.per_step, 6), round(fit.half_life, 6), fit.last
    (0.5, 1.0, 3)
    """
    sizes = np.asarray(by_lag, dtype=np.float64)
    unusable = ~(np.isfinite(sizes) & (sizes >= _SMALLEST))
    count = int(unusable.argmax()) if unusable.any() else len(sizes)
    if count < 2:
        return None
    lags = np.arange(count) - (count - 1) / 2
    slope = float(lags @ np.log(sizes[:count]) / (lags @ lags))
    return Decay(math.exp(min(slope, 700.0)), count - 1)
