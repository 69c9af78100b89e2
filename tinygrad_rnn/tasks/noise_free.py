"""Sequences without noise that differ in one early symbol only, which decides the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.answers import EveryClassTask, LastClassTask
from tinygrad_rnn.tasks.symbols import NOTHING, names, one_hot
from tinygrad_rnn.tasks.task import Batch, Criterion, Task, enough_steps

__all__ = ["NoiseFreeTask", "TriggeredTask", "noise_free_task"]

#: Experiments 2a, 2b and 2c.
FORMS = ("2a", "2b", "2c")
#: The paper asks for 10,000 right answers in a row; a validation that long would take longer than what lies between.
JUDGED = 2000
#: After the fewest distractors, the next symbol is the trigger with this probability, each time.
STOP = 0.1


class NoiseFreeTask(EveryClassTask):
    """Predict the next symbol of (x, a_1, ..., a_{p-1}, x) or (y, a_1, ..., a_{p-1}, y): two sequences, nearly alike.

    Hochreiter and Schmidhuber (1997), section 5.2, experiment 2a; each sequence is as likely. In 2b the symbols between
    are drawn anew from a_1, ..., a_{p-1} for every sequence, so that only the last can be predicted with certainty.
    An example reads the p symbols before the last. It is wrong if some output is off by 0.25 or more at some step (2b:
    at the last). In the paper the problem is solved when 10,000 in a row are right; here when both sequences are (2b:
    when 2,000 that are not learned from are). Outputs are probabilities with cross entropy here, and logistic units
    with squared error in the paper.

    Args:
        steps: p, at least 2.
        form: "2a" or "2b".

    Raises:
        InputError: there are fewer steps, or form is another word.

    >>> task = NoiseFreeTask(steps=4)
    >>> inputs, targets = task.batch(1, seed=1)
    >>> task.input_labels(inputs[:, 0]), targets[:, 0].tolist()
    (['x', 'a1', 'a2', 'a3'], [0, 1, 2, 3])
    """

    name = "noise_free"
    right = 0.25

    def __init__(self, steps: int, form: str = "2a") -> None:
        self.steps = enough_steps(steps, 2, "between the first symbol and the last there are others")
        self.form = arguments.one_of("NoiseFreeTask: form", form, FORMS[:2])
        self.criterion = Criterion("wrong", at_most=0.0, examples=JUDGED if form == "2b" else 0)
        self.symbols = (*[f"a{number}" for number in range(1, steps)], "x", "y")
        self.input_size = self.output_size = len(self.symbols)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences of symbols (p, B, p + 1), and the next ones (p, B). The same seed gives the same ones."""
        random = np.random.default_rng(seed)
        between = self.steps - 1
        symbols = np.empty((self.steps + 1, size), np.int64)
        symbols[0] = symbols[-1] = between + random.integers(0, 2, size)
        if self.form == "2b":
            symbols[1:-1] = random.integers(0, between, (between, size))
        else:
            symbols[1:-1] = np.arange(between)[:, None]
        return Batch(one_hot(symbols[:-1], self.input_size, dtype), symbols[1:])

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return which examples are wrong: some output off by 0.25 or more, at any step, or (2b) at the last."""
        if self.form == "2b":
            return super().scores(outputs[-1:], Batch(None, batch.targets[-1:]))
        return super().scores(outputs, batch)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the symbols that one example (T, I) reads."""
        return names(x, self.symbols)


class TriggeredTask(LastClassTask):
    """The second symbol is x or y, at least q distractors follow, and after a trigger that symbol is asked.

    Hochreiter and Schmidhuber (1997), section 5.2, experiment 2c. A sequence is b, x or y, q + k distractors of p, the
    trigger e, and x or y again: q come always, and then each further symbol is e with probability 1/10. So it has
    q + k + 4 symbols, of which the last is the answer. Both outputs have to be off by less than 0.2. In the paper the
    problem is solved when 10,000 sequences in a row are right; here when 2,000 that are not learned from are. Outputs
    are probabilities with cross entropy here, and logistic units with squared error in the paper. (The paper gives q +
    14 for the mean length; it is q + 13, as the mean of k is 9.)

    Args:
        steps: q, at least 1; `task.steps`, what the shortest example reads, is q + 3.
        symbols: p, how many distractors there are; q unless given.

    Raises:
        InputError: there are fewer steps, or no distractor.

    >>> task = TriggeredTask(steps=4)
    >>> task.input_labels(task.measured(1, seed=0).inputs[:, 0])
    ['b', 'y', 'a2', 'a2', 'a1', 'a1', 'e']
    """

    name = "noise_free"
    output_size = 2
    right = 0.2
    criterion = Criterion("wrong", at_most=0.0, examples=JUDGED)

    def __init__(self, steps: int, symbols: int | None = None) -> None:
        self.fewest = enough_steps(steps, 1, "distractors lie between the symbol and the trigger")
        self.steps = steps + 3
        self.distractors = steps if symbols is None else arguments.whole("TriggeredTask: symbols", symbols)
        self.symbols = (*[f"a{number}" for number in range(1, self.distractors + 1)], "e", "b", "x", "y")
        self.input_size = len(self.symbols)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences of symbols (T, B, p + 4), padded to the longest, and the answers (B,): 0 for x, 1 for y."""
        random = np.random.default_rng(seed)
        return self._examples(random, self.steps + random.geometric(STOP, size) - 1, dtype)

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return examples with q distractors."""
        return self._examples(np.random.default_rng(seed), np.full(size, self.steps), dtype)

    def _examples(self, random: np.random.Generator, lengths: np.ndarray, dtype: Any) -> Batch:
        longest, p = lengths.max(), self.distractors
        targets = random.integers(0, 2, len(lengths))
        read = random.integers(0, p, (longest, len(lengths)))
        read[0], read[1] = p + 1, p + 2 + targets
        read[lengths - 1, np.arange(len(lengths))] = p
        read[np.arange(longest)[:, None] >= lengths] = NOTHING
        return Batch(one_hot(read, self.input_size, dtype), targets, lengths)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the symbols that one example (T, I) reads."""
        return names(x, self.symbols)


def noise_free_task(steps: int, form: str = "2a", symbols: int | None = None) -> Task:
    """Return `NoiseFreeTask` for the forms "2a" and "2b" (steps is p), or `TriggeredTask` for "2c" (steps is q).

    Raises:
        InputError: too few steps, another form, or a number of symbols for another form than 2c.
    """
    arguments.one_of("noise_free: form", form, FORMS)
    if form == "2c":
        return TriggeredTask(steps, symbols)
    if symbols is not None:
        raise InputError(f"the number of symbols of noise_free:form={form} is that of the steps; leave symbols out")
    return NoiseFreeTask(steps, form)
