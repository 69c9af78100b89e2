"""Forecasting: two series that everybody has seen, beside forecasts that cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.tasks.task import Batch, Criterion, Task, mean_of_counted

__all__ = ["SeriesTask", "series"]

#: The share of a series, at its end, that is not learned.
HELD_OUT = 0.2
#: How many steps after it a series is about the same again: the cycle of the sun in years, a year in weeks.
SEASONS = {"sunspots": 11, "co2": 52}
#: What the values count, when the first was measured, and how long it is from one to the next, in years.
UNITS = {"sunspots": "spots", "co2": "ppm"}
BEGINS = {"sunspots": (1700.0, 1.0), "co2": (1958 + 87 / 365, 7 / 365.2425)}


@cache
def series(name: str) -> np.ndarray:
    """Return a series of statsmodels: "sunspots", 309 years from 1700, or "co2", weekly ppm on Mauna Loa from 1958.

    The 59 weeks without a measurement are interpolated linearly.

    Raises:
        MissingToolError: statsmodels is not installed.
    """
    try:
        from statsmodels.datasets import co2, sunspots  # noqa: PLC0415 - not everybody has the extra "data"
    except ImportError:
        raise MissingToolError(
            "the series come with statsmodels, which is not installed: pip install 'tinygrad_rnn[data]'"
        ) from None
    if name == "sunspots":
        return np.asarray(sunspots.load_pandas().data["SUNACTIVITY"], dtype=np.float64)
    found = np.asarray(co2.load_pandas().data["co2"], dtype=np.float64)
    there = np.flatnonzero(~np.isnan(found))
    return np.interp(np.arange(len(found)), there, found[there])


class SeriesTask(Task):
    """What is the next value of a series, at every step of a window?

    Inputs and targets are standardised by mean and deviation of what is learned. As "level" they are the values
    themselves, as "difference" the change from each value to the next: a network that has only seen low values cannot
    say high ones, and CO2 rises.

    The scores are mean squared errors at the last step in the series' own units: of the network, of repeating the last
    value, and of repeating the value one season before.

    Args:
        of: "sunspots" or "co2".
        steps: T, the values in a window; more than a season.
        feed: "level" or "difference".
        held: ask for the values from `cut` on; a window reads as many before the first as it is long.

    Attributes:
        values: the whole series, float64, in its own units.
        cut: the place of the first value that is not learned.
        season: after how many values it is about the same again.

    Raises:
        InputError: the windows are too short or too long.
        MissingToolError: statsmodels is not installed.
    """

    name = "series"
    unit = "squared error"
    input_size = output_size = 1
    criterion = Criterion("squared error", below="last value")

    def __init__(self, steps: int, of: str = "sunspots", feed: str = "level", held: bool = False) -> None:
        values = series(of)
        cut = int(len(values) * (1 - HELD_OUT))
        season, longest = SEASONS[of], cut // 2
        if not season < steps <= longest:
            raise InputError(
                f"windows of {of} need more steps than its season of {season}, and at most {longest}, half of what is "
                f"learned; {steps} is none of these"
            )
        self.steps, self.of, self.feed, self.season, self.held = steps, of, feed, season, held
        self.values, self.cut = values, cut
        fed, end = (np.diff(values), cut - 1) if feed == "difference" else (values, cut)  # a change takes two values
        self._fed = fed[end - steps :] if held else fed[:end]  # all that is asked at the end of a window is held out
        self._mean, self._deviation = float(fed[:end].mean()), float(fed[:end].std())

    @property
    def data_size(self) -> int:
        """How many windows cover the series once."""
        return -(-(len(self._fed) - 1) // self.steps)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return windows at random places (T, B, 1), and what comes one step later (T, B). Same seed, same ones."""
        last = len(self._fed) - self.steps - 1
        starts = np.random.default_rng(seed).integers(0, last, size=size, endpoint=True)
        places = np.arange(self.steps + 1)[:, None] + starts
        windows = (self._fed[places] - self._mean) / self._deviation
        # What is learned is read by the first held-out windows, and asked by none.
        mask = (places[1:] >= self.steps).astype(dtype) if self.held else None
        return Batch(windows[:-1, :, None].astype(dtype), windows[1:].astype(dtype), mask=mask)

    def before(self, places: np.ndarray, dtype: Any = "float32") -> np.ndarray:
        """Return what a model reads to forecast the values at some places (N,) of the series: windows (T, N, 1).

        The last of a window is what is known one step before that place.

        >>> task = SeriesTask(60, "sunspots")
        >>> window = task.before(np.array([100]))[:, 0, 0]
        >>> len(window), [round(float(value)) for value in task.values_of(window[-2:], task.values[98:99])]
        (60, [4, 7])
        >>> task.values[98:100].tolist()
        [4.1, 6.8]
        """
        fed, last = (np.diff(self.values), places - 1) if self.feed == "difference" else (self.values, places)
        windows = fed[np.arange(-self.steps, 0)[:, None] + last]
        return ((windows - self._mean) / self._deviation)[..., None].astype(dtype)

    def values_of(self, outputs: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return the values of the series that outputs of a model stand for, each given the value one step before."""
        found = self._in_units(outputs)
        return last + found if self.feed == "difference" else found

    def years(self, places: np.ndarray) -> np.ndarray:
        """Return when the values at some places of the series were measured."""
        first, step = BEGINS[self.of]
        return first + step * np.asarray(places)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean squared error over all steps that count, outputs (T, B, 1)."""
        error = outputs.reshape(*outputs.shape[:2]) - tensor(batch.targets, device=outputs.device)
        return mean_of_counted(error * error, batch.mask)

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's squared error at a step, from the output (B, 1) there."""
        error = output.reshape(-1) - tensor(batch.targets[step], device=output.device)
        return error * error

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return the squared errors at the last step, in the series' own units, of the network and of two that copy."""
        read, asked = np.asarray(self._in_units(batch.inputs))[..., 0], self._in_units(batch.targets)[-1]
        said = self._in_units(outputs.numpy())[-1, :, 0]
        if self.feed == "difference":  # repeating the last value is no change, an older one takes back all since then
            last, season = np.zeros(len(asked)), -read[len(read) - self.season + 1 :].sum(axis=0)
        else:
            last, season = read[-1], read[-self.season]
        forecasts = {"squared error": said, "last value": last, "a season ago": season}
        return {name: (forecast - asked) ** 2 for name, forecast in forecasts.items()}

    def _in_units(self, standardised: Any) -> np.ndarray:
        values = standardised.numpy() if isinstance(standardised, Tensor) else standardised
        return np.asarray(values, dtype=np.float64) * self._deviation + self._mean

    def held_out(self) -> tuple[SeriesTask, SeriesTask]:
        """Return the task on the first four fifths of the series, and on the rest."""
        return self, SeriesTask(self.steps, self.of, self.feed, held=True)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return what one example (T, 1) reads, in the series' own units."""
        return [f"{value:.3g}" for value in self._in_units(x)[:, 0]]
