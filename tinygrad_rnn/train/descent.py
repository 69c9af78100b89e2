"""Gradient descent on one weight, step by step: where it stands, how large the error is there, and how steep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.engine.autograd import grad
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError

__all__ = ["Descent", "descend", "errors_at"]

#: The error as a function of the weight: both of shape ().
Error = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Descent:
    """Where a weight went; float64 all of it.

    Attributes:
        error: that went down, or did not.
        rate: the learning rate.
        momentum: how much of the last step is in the next.
        added: whether the slope was added to the weight, which goes up, rather than subtracted.
        weights, errors, slopes: (N + 1,), before the first step and after each.
    """

    error: Error
    rate: float
    momentum: float
    added: bool
    weights: np.ndarray
    errors: np.ndarray
    slopes: np.ndarray


def descend(error: Error, start: float, rate: float, steps: int, momentum: float = 0.0, added: bool = False) -> Descent:
    """Take steps down the slope: v = momentum v + dE/dW, W = W - rate v; the engine finds the slope.

    Args:
        error: from a weight to the error, both of shape ().
        start: the first weight.
        rate: the learning rate.
        steps: how many.
        momentum: 0 unless given.
        added: forget the minus sign.

    Raises:
        InputError: a rate or a number of steps below 0.

    >>> from tinygrad_rnn.tasks import DoublingTask
    >>> descend(DoublingTask().error, start=3.0, rate=1 / 28, steps=1).weights.tolist()
    [3.0, 2.0]
    >>> descend(DoublingTask().error, start=3.0, rate=1 / 28, steps=1, added=True).weights.tolist()
    [3.0, 4.0]
    """
    if rate < 0 or steps < 0:
        raise InputError(f"a learning rate of {rate:g} and {steps} steps: neither can be below 0")
    weights, errors, slopes, velocity = [float(start)], [], [], 0.0
    for _ in range(steps + 1):
        weight = tensor(weights[-1], dtype="float64", requires_grad=True)
        found = error(weight)
        errors.append(found.item())
        slopes.append(grad(found, weight).item())
        velocity = momentum * velocity + slopes[-1]
        weights.append(weights[-1] + (rate if added else -rate) * velocity)
    return Descent(error, rate, momentum, added, np.array(weights[:-1]), np.array(errors), np.array(slopes))


def errors_at(error: Error, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the error at each of some weights, (N,) float64.

    >>> from tinygrad_rnn.tasks import DoublingTask
    >>> errors_at(DoublingTask().error, [1.0, 2.0, 3.0]).tolist()
    [14.0, 0.0, 14.0]
    """
    return np.array([error(tensor(float(weight), dtype="float64")).item() for weight in weights])
