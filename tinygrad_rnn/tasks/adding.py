"""The adding problem: remember two numbers among many, for a long time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.task import Batch, Criterion, Task

#: An answer that is off by less is right (Hochreiter & Schmidhuber 1997, section 5.4: 0.04 of a range of 1).
RIGHT = 0.04


class AddingTask(Task):
    """Each step brings a number and a marker; two steps are marked, and at the end their numbers' sum is asked.

    Hochreiter and Schmidhuber (1997), experiment 4, in the form of Le, Jaitly and Hinton (2015), section 4.1: numbers
    are uniform in [0, 1), markers 0 or 1, the target is the plain sum. As in Arjovsky, Shah and Bengio (2016) one mark
    lies in each half. Always answering 1 has a mean squared error of 1/6.

    Args:
        steps: T, at least 2.

    Raises:
        InputError: there are fewer than two steps.

    >>> inputs, targets = AddingTask(steps=10).batch(3, seed=0)
    >>> inputs.shape, targets.shape, inputs[:, :, 1].sum(axis=0).tolist()
    ((10, 3, 2), (3,), [2.0, 2.0, 2.0])
    """

    name = "adding"
    unit = "squared error"
    input_size = 2
    output_size = 1
    criterion = Criterion("wrong", at_most=0.01)

    def __init__(self, steps: int) -> None:
        if steps < 2:
            raise InputError(f"the adding problem marks two different steps; {steps} is too few, take at least 2")
        self.steps = steps

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences of (number, marker), (T, B, 2), and the sums (B,). The same seed gives the same ones."""
        random = np.random.default_rng(seed)
        half = self.steps // 2
        numbers = random.random((self.steps, size))
        marked = np.stack([random.integers(0, half, size), random.integers(half, self.steps, size)])
        examples = np.arange(size)
        inputs = np.zeros((self.steps, size, 2), dtype)
        inputs[:, :, 0] = numbers
        inputs[marked, examples, 1] = 1.0
        return Batch(inputs, numbers[marked, examples].sum(axis=0).astype(dtype))

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the numbers that one example (T, 2) reads, each mark as a star."""
        return [f"{number:.1f}".removeprefix("0") + "*" * int(marker) for number, marker in x]

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean squared error of the last of the outputs (T, B, 1)."""
        return self.last_losses(outputs[-1], batch).mean()

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's squared error if the sum were asked at this step, from the output (B, 1) there."""
        error = output.reshape(-1) - tensor(batch.targets, device=output.device)
        return error * error

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return whether each answer is wrong: off by 0.04 of the range of the sums or more."""
        return {"wrong": self.last_losses(outputs[-1], batch).numpy() >= (2 * RIGHT) ** 2}
