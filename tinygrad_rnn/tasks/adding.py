"""The adding and the multiplication problem: remember two numbers among many, for a long time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.tasks.answers import LastNumberTask, SpreadTask
from tinygrad_rnn.tasks.task import Batch, Criterion, Task, enough_steps

__all__ = ["AddingTask", "MultiplicationTask", "OriginalAddingTask", "adding_task"]

#: The years in which it was set.
FORMS = ("2015", "1997")
#: An answer that is off by less is right (Hochreiter & Schmidhuber 1997, section 5.4: 0.04 of a range of 1).
RIGHT = 0.04
#: One of so many pairs at the beginning is the first to be marked, in 1997.
FIRST = 10


class AddingTask(LastNumberTask):
    """Each step brings a number and a marker; two steps are marked, and at the end their numbers' sum is asked.

    Hochreiter and Schmidhuber (1997), experiment 4, in the form of Le, Jaitly and Hinton (2015), section 4.1: numbers
    are uniform in [0, 1), markers 0 or 1, the target is the plain sum. As in Arjovsky, Shah and Bengio (2016) one mark
    lies in each half. Always answering 1 has a mean squared error of 1/6. An answer that is off by 0.04 of the range
    of the sums or more is wrong.

    Args:
        steps: T, at least 2.

    Raises:
        InputError: there are fewer than two steps.

    >>> inputs, targets = AddingTask(steps=10).batch(3, seed=0)
    >>> inputs.shape, targets.shape, inputs[:, :, 1].sum(axis=0).tolist()
    ((10, 3, 2), (3,), [2.0, 2.0, 2.0])
    """

    name = "adding"
    input_size = 2
    right = 2 * RIGHT
    criterion = Criterion("wrong", at_most=0.01)

    def __init__(self, steps: int) -> None:
        self.steps = enough_steps(steps, 2, "the adding problem marks two different steps")

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
        return _marked_numbers(x)


class OriginalAddingTask(SpreadTask, LastNumberTask):
    """The adding problem as it was first set: two of the pairs are marked, and at the end a scaled sum is asked.

    Hochreiter and Schmidhuber (1997), section 5.4. Sequences have T to T + T/10 pairs, all lengths as likely. Numbers
    are uniform in [-1, 1]. One of the first ten pairs is marked, then one of the first T/2 - 1 that are not yet marked:
    their second component is 1. That of the first and the last pair is -1, and of all others 0. If the first pair of
    all was to be marked, as with T = 100 in one of eight sequences, its mark cannot be seen, and its number is set to
    0. The target is 0.5 + (X_1 + X_2) / 4, and an answer off by 0.04 or more is wrong. In the paper the problem is
    solved when the last 2,000 sequences learned from were right and the mean error is below 0.01; here when 2,000 that
    are not learned from are.

    The output is linear here and logistic in the paper; the error is squared in both.

    Args:
        steps: T, at least 11.

    Raises:
        InputError: there are fewer steps.

    >>> inputs, targets, lengths, *_ = OriginalAddingTask(steps=20).batch(3, seed=0).parts()
    >>> inputs.shape, targets.shape, inputs[0, :, 1].tolist()
    ((22, 3, 2), (3,), [-1.0, -1.0, -1.0])
    """

    name = "adding"
    input_size = 2
    right = RIGHT
    criterion = Criterion("wrong", at_most=0.0, examples=2000)
    #: Numbers are uniform between.
    between: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    #: The number that leaves the answer as it is.
    neutral: ClassVar[float] = 0.0

    def __init__(self, steps: int) -> None:
        why = f"one of the first {FIRST} pairs is marked, and never the last"
        self.steps = enough_steps(steps, FIRST + 1, why)

    def examples(self, random: np.random.Generator, lengths: np.ndarray, longest: int, dtype: Any) -> Batch:
        """Return sequences of (number, marker), padded, and the answers (B,)."""
        every = np.arange(len(lengths))
        numbers = random.uniform(*self.between, (longest, len(lengths)))
        first = random.integers(0, FIRST, len(lengths))
        second = random.integers(0, self.steps // 2 - 1, len(lengths))
        second += second >= first  # the pair that is marked already is left out
        numbers[0, (first == 0) | (second == 0)] = self.neutral
        inputs = np.zeros((longest, len(lengths), 2), dtype)
        inputs[:, :, 0] = numbers * (np.arange(longest)[:, None] < lengths)
        inputs[first, every, 1] = inputs[second, every, 1] = 1.0
        inputs[0, :, 1] = inputs[lengths - 1, every, 1] = -1.0
        return Batch(inputs, self.answers(numbers[first, every], numbers[second, every]).astype(dtype))

    def answers(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the answers for the marked numbers."""
        return 0.5 + (first + second) / 4

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the numbers that one example (T, 2) reads, each mark as a star, the ends with a bar."""
        return _marked_numbers(x)


class MultiplicationTask(OriginalAddingTask):
    """The adding problem with a product: numbers are uniform in [0, 1], and the target is X_1 * X_2.

    Hochreiter and Schmidhuber (1997), section 5.5, where all else is as in section 5.4; if the first pair of all was to
    be marked, its number is set to 1. The paper stops when fewer than 140 or 13 of the last 2,000 answers were off by
    more than 0.04; the criterion here is fewer than 13, of 2,000 that are not learned from. Always answering 1/4 has a
    mean squared error of 7/144 where two numbers are marked and of 7/48 where one is 1 instead: in all 0.060 with
    T = 100. The output is linear here and logistic in the paper.

    Args, Raises: as of `OriginalAddingTask`.

    >>> inputs, targets, lengths, *_ = MultiplicationTask(steps=20).batch(3, seed=0).parts()
    >>> bool(((0 <= targets) & (targets <= 1)).all())
    True
    """

    name = "multiplication"
    criterion = Criterion("wrong", at_most=12 / 2000, examples=2000)
    between = (0.0, 1.0)
    neutral = 1.0

    def answers(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the products of the marked numbers."""
        return first * second


def adding_task(steps: int, form: str = "2015") -> Task:
    """Return the adding problem in the form of a year: `AddingTask` of 2015, or `OriginalAddingTask` of 1997.

    Raises:
        InputError: too few steps, or another form.
    """
    arguments.one_of("adding: form", form, FORMS)
    return OriginalAddingTask(steps) if form == "1997" else AddingTask(steps)


def _marked_numbers(x: np.ndarray) -> list[str]:
    marks = {0: "", 1: "*", -1: "|"}
    return [f"{number:.1f}".replace("0.", ".") + marks[int(marker)] for number, marker in x]
