"""The smallest problem there is: doubling a number, for which one weight is enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.tasks.answers import LastNumberTask
from tinygrad_rnn.tasks.task import Batch, Criterion

__all__ = ["DoublingTask"]

#: What is doubled.
NUMBERS = (1.0, 2.0, 3.0)


class DoublingTask(LastNumberTask):
    """Read 1, 2 or 3 and say 2, 4 or 6: one step in, one answer out, no time in between.

    With a single weight, y = W x, the squared errors of all three numbers add up to `error`, E(W) = 14 (W - 2)^2:
    E(3) = 14, E(4) = 56, E(2) = 0, and the slope at 3 is 28. An answer off by 0.1 or more is wrong.

    >>> task = DoublingTask()
    >>> inputs, targets = task.batch(4, seed=0)
    >>> inputs.shape, bool((targets == 2 * inputs[0, :, 0]).all())
    ((1, 4, 1), True)
    """

    name = "doubling"
    steps = input_size = 1
    right = 0.1
    criterion = Criterion("wrong", at_most=0.0)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return numbers (1, B, 1) and their doubles (B,). The same seed gives the same ones."""
        numbers = np.random.default_rng(seed).choice(NUMBERS, size).astype(dtype)
        return Batch(numbers.reshape(1, size, 1), 2 * numbers)

    def error(self, weight: Tensor) -> Tensor:
        """Return E(W), the sum of the squared errors over 1, 2 and 3 if the answer is W x, for a weight of shape ().

        >>> import tinygrad_rnn as tg
        >>> [DoublingTask().error(tg.tensor(weight)).item() for weight in (3.0, 4.0, 2.0)]
        [14.0, 56.0, 0.0]
        """
        numbers = tensor(np.array(NUMBERS), dtype=weight.dtype, device=weight.device)
        return (weight * numbers - 2 * numbers).square().sum()

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the number that one example (1, 1) reads."""
        return [f"{number:g}" for number in x[:, 0]]
