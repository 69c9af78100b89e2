"""The smallest character model: "hello"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.tasks.task import Batch, Criterion
from tinygrad_rnn.tasks.text import TextTask

WORD = "hello"


class HelloTask(TextTask):
    """Read h, e, l, l and say e, l, l, o: after the first l comes another, after the second an o.

    The example of Karpathy's "The Unreasonable Effectiveness of Recurrent Neural Networks" (2015). Without its state
    a network cannot tell the two l's apart: its loss stays at (ln 2) / 2 or above.

    >>> HelloTask().batch(1, seed=0).targets[:, 0].tolist()
    [0, 2, 2, 3]
    """

    name = "hello"
    begins = (WORD[0],)
    goes_on = len(WORD) - 1
    criterion = Criterion("wrong", at_most=0.0)

    def __init__(self) -> None:
        super().__init__(WORD, steps=len(WORD) - 1)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return the word as often as asked for, whatever the seed: one-hot inputs (4, B, 4), targets (4, B)."""
        return super().batch(size, seed, dtype)

    def held_out(self) -> tuple[HelloTask, HelloTask]:
        """Return twice itself: there is one word."""
        return self, self

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return the bits per character, and whether any of the characters is wrong."""
        wrong = (outputs.numpy().argmax(axis=-1) != np.asarray(batch.targets)).any(axis=0)
        return super().scores(outputs, batch) | {"wrong": wrong}
