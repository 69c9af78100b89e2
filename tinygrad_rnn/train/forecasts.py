"""Forecasts of a series by models, each step from the one before, beside forecasts that cost nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.tasks.series import SeriesTask
from tinygrad_rnn.train.models import SequenceModel
from tinygrad_rnn.train.models.base import in_use

__all__ = ["AR_ORDERS", "Forecasts", "autoregression", "forecast", "forecasts_of"]

#: How many values back the linear autoregression of a series sees.
AR_ORDERS = {"sunspots": 9, "co2": 30}


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from N places of the part of a series that is not learned, S steps each.

    Attributes:
        task: of the series; other models may have been fed otherwise, or in shorter windows.
        origins: (N,) the places of the first value forecast: all before it is known.
        truth: (N, S).
        models: by name, of several models that differ in their weights, (M, N, S).
        baselines: by name, (N, S): "last value", "a season ago" and "AR(p)", which learned from what models learn from.
    """

    task: SeriesTask
    origins: np.ndarray
    truth: np.ndarray
    models: dict[str, np.ndarray]
    baselines: dict[str, np.ndarray]

    @property
    def steps(self) -> int:
        """S."""
        return int(self.truth.shape[1])

    def rmse(self, name: str) -> np.ndarray:
        """Return the root mean squared errors by step: (M, S) of models, (1, S) of what is no model."""
        found = self.models[name] if name in self.models else self.baselines[name][None]
        errors: np.ndarray = np.sqrt(((found - self.truth) ** 2).mean(axis=1))
        return errors


def forecast(model: SequenceModel, task: SeriesTask, origins: np.ndarray, steps: int) -> np.ndarray:
    """Return what a model forecasts from each origin, (N, steps): the first step from what is known, and then its own.

    It reads the window before the origin, and what it says goes on as its next input.

    Args:
        origins: (N,) places in the series.

    Raises:
        InputError: no positive number of steps, or the model's outputs or their squares are not finite.

    >>> import numpy as np
    >>> from tinygrad_rnn.tasks import parse_task
    >>> from tinygrad_rnn.train import SequenceModel, forecast
    >>> task = parse_task("series").make()
    >>> forecast(SequenceModel("gru", 1, 4, 1), task, np.array([250, 260]), steps=3).shape
    (2, 3)
    """
    steps = arguments.whole("forecast: steps", steps)
    last, found, state = task.values[origins - 1], [], None
    with no_grad(), in_use(model):
        read = tensor(task.before(origins, str(model.dtype)), device=model.device)
        for _ in range(steps):
            outputs, state = model(read, state)
            read = outputs[-1:]
            last = task.values_of(read.numpy()[0, :, 0].astype(np.float64), last)
            found.append(last)
    said = np.stack(found, axis=1)
    with np.errstate(over="ignore"):
        squares = (said**2).sum()  # errors are made of them
    if not np.isfinite(squares):
        raise InputError("the model's forecasts are not finite numbers: its training diverged; train it again")
    return said


def autoregression(values: np.ndarray, cut: int, origins: np.ndarray, steps: int, order: int) -> np.ndarray:
    """Return the forecasts (N, steps) of x_t = c + sum_i phi_i x_{t-i}, fitted by least squares to values[:cut].

    Raises:
        MissingToolError: statsmodels, which fits it, is not installed.
    """
    try:
        from statsmodels.tsa.ar_model import AutoReg  # noqa: PLC0415 - not everybody has the extra "data"
    except ImportError:
        raise MissingToolError(
            "the autoregression comes with statsmodels, which is not installed: pip install 'tinygrad_rnn[data]'"
        ) from None
    constant, *weights = AutoReg(values[:cut], lags=order).fit().params
    known = values[np.asarray(origins)[:, None] + np.arange(-order, 0)]
    for _ in range(steps):
        following = constant + known[:, -order:][:, ::-1] @ np.array(weights)
        known = np.column_stack([known, following])
    return known[:, order:]


def forecasts_of(learned: Mapping[str, Sequence[tuple[SequenceModel, SeriesTask]]], steps: int) -> Forecasts:
    """Forecast a series from every place that is not learned and has so many values behind it.

    Args:
        learned: models with their tasks, under a name those that differ in their weights only; all of one series.
        steps: S.

    Raises:
        InputError: the series differ, or there are not so many steps.
        MissingToolError: statsmodels is not installed.
    """
    tasks = [task for each in learned.values() for _, task in each]
    if len({task.of for task in tasks}) != 1:
        raise InputError(f"forecasts of one series go together, not of {', '.join(sorted({t.of for t in tasks}))}")
    task = tasks[0]
    most = len(task.values) - task.cut
    if not 0 < steps <= most:
        raise InputError(f"{most} values of {task.of} are not learned: forecasts have 1 to {most} steps, not {steps}")
    origins = np.arange(task.cut, len(task.values) - steps + 1)
    ahead = np.arange(steps)
    order = AR_ORDERS[task.of]
    return Forecasts(
        task,
        origins,
        task.values[origins[:, None] + ahead],
        {name: np.stack([forecast(*each, origins, steps) for each in models]) for name, models in learned.items()},
        {
            "last value": np.repeat(task.values[origins - 1][:, None], steps, axis=1),
            "a season ago": task.values[origins[:, None] - task.season + ahead % task.season],
            f"AR({order})": autoregression(task.values, task.cut, origins, steps, order),
        },
    )
