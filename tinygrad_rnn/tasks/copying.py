"""The copy memory problem: say again, after a long pause, what was said at the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.tasks.answers import EveryClassTask
from tinygrad_rnn.tasks.symbols import names, one_hot
from tinygrad_rnn.tasks.task import Batch, Criterion, enough_steps


class CopyTask(EveryClassTask):
    """Ten symbols are to be remembered over T blanks, and to be repeated in order when a delimiter has come.

    Arjovsky, Shah and Bengio (2016), section 4.1, after Hochreiter and Schmidhuber (1997). An example has T + 20 steps:
    ten symbols of eight, each as likely, T - 1 blanks, the delimiter, ten blanks. The answer is a blank for T + 10
    steps, then the ten symbols. Without a memory the best mean cross entropy is 10 ln 8 / (T + 20): sure of the blanks,
    guessing the symbols.

    The paper has no criterion; here an example is wrong if some answer of it has a probability of 1/2 or less, and the
    problem is solved when at most 1 in 100 is.

    Args:
        steps: T, at least 1; `task.steps` is T + 20.
        symbols: how many there are.
        length: how many are to be remembered.

    Raises:
        InputError: no step between, no symbol, or nothing to be remembered.

    >>> task = CopyTask(steps=4, length=3)
    >>> inputs, targets = task.batch(1, seed=0)
    >>> "".join(task.input_labels(inputs[:, 0])), targets[:, 0].tolist()
    ('654___|___', [8, 8, 8, 8, 8, 8, 8, 6, 5, 4])
    >>> print(f"{CopyTask(steps=100).baseline:.5f}")
    0.17329
    """

    name = "copy"
    criterion = Criterion("wrong", at_most=0.01)

    def __init__(self, steps: int, symbols: int = 8, length: int = 10) -> None:
        self.pause = enough_steps(steps, 1, "the copy problem has a pause between hearing and saying")
        self.symbols = arguments.whole("CopyTask: symbols", symbols)
        self.length = arguments.whole("CopyTask: length", length)
        self.steps = steps + 2 * length
        self.input_size, self.output_size = symbols + 2, symbols + 1

    @property
    def baseline(self) -> float:
        """The mean cross entropy of the best answers without a memory."""
        return self.length * float(np.log(self.symbols)) / self.steps

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences of symbols (T + 20, B, 10), and what is to be said (T + 20, B)."""
        said = np.random.default_rng(seed).integers(0, self.symbols, (self.length, size))
        read, targets = np.full((2, self.steps, size), self.symbols)
        read[: self.length] = targets[-self.length :] = said
        read[self.length + self.pause - 1] = self.symbols + 1
        return Batch(one_hot(read, self.input_size, dtype), targets)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the symbols that one example (T, I) reads, as numbers, "_" for a blank, "|" for the delimiter."""
        return names(x, [*map(str, range(self.symbols)), "_", "|"])
