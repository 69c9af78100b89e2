"""Which of two symbols came first? Classes that depend on an order, with the symbols far apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.tasks.answers import LastClassTask, SpreadTask
from tinygrad_rnn.tasks.symbols import NOTHING, names, one_hot
from tinygrad_rnn.tasks.task import Batch, Criterion, enough_steps

#: E begins, B ends and asks, X and Y are what matters, the others distract.
SYMBOLS = "EBXYabcd"
_BEGIN, _END, _X, _DISTRACTOR = 0, 1, 2, 4
#: Where the relevant symbols lie, in hundredths of T: from, to.
PLACES = {"6a": ((10, 20), (50, 60)), "6b": ((10, 20), (33, 43), (66, 76))}


class TemporalOrderTask(SpreadTask, LastClassTask):
    """Two or three relevant symbols, X or Y, lie far apart among distractors; the class is which came in which order.

    Hochreiter and Schmidhuber (1997), section 5.6. A sequence begins with E, ends with the trigger B, and has between
    them a, b, c or d at random, except at t_1 and t_2 (experiment 6a: t_1 from 10 to 20, t_2 from 50 to 60) or t_1,
    t_2 and t_3 (6b: 10 to 20, 33 to 43, 66 to 76), where X or Y stands. Lengths are from 100 to 110. For another T
    places and lengths are in proportion. Classes count in binary, the first symbol first, X as 0: with two, XX, XY, YX,
    YY are 0, 1, 2, 3 (the paper's Q, R, S, U).

    An answer is wrong if some output is off by 0.3 or more. In the paper the problem is solved when the last 2,000
    sequences learned from were right and the mean error is below 0.1; here when 2,000 that are not learned from are.
    Outputs are probabilities with cross entropy here, and logistic units with squared error in the paper.

    Args:
        steps: T, at least 10.
        form: "6a" (two relevant symbols, 4 classes) or "6b" (three, 8 classes).

    Raises:
        InputError: there are fewer steps, or form is another word.

    >>> task = TemporalOrderTask(steps=20)
    >>> "".join(task.input_labels(task.measured(1, seed=0).inputs[:, 0]))
    'EcYbbaaaadcdXcdccccB'
    """

    name = "temporal_order"
    input_size = len(SYMBOLS)
    right = 0.3
    criterion = Criterion("wrong", at_most=0.0, examples=2000)

    def __init__(self, steps: int, form: str = "6a") -> None:
        self.steps = enough_steps(steps, 10, "the relevant symbols lie behind the first tenth")
        self.places = PLACES[arguments.one_of("TemporalOrderTask: form", form, tuple(PLACES))]
        self.output_size = 2 ** len(self.places)

    def examples(self, random: np.random.Generator, lengths: np.ndarray, longest: int, dtype: Any) -> Batch:
        """Return sequences of symbols (T, B, 8), padded, and the classes (B,)."""
        every = np.arange(len(lengths))
        read = random.integers(_DISTRACTOR, len(SYMBOLS), (longest, len(lengths)))
        targets = np.zeros(len(lengths), np.int64)
        for start, stop in self.places:
            places = random.integers(start * self.steps // 100, stop * self.steps // 100, len(lengths), endpoint=True)
            relevant = random.integers(0, 2, len(lengths))
            read[places, every] = _X + relevant
            targets = 2 * targets + relevant
        read[0] = _BEGIN
        read[lengths - 1, every] = _END
        read[np.arange(longest)[:, None] >= lengths] = NOTHING
        return Batch(one_hot(read, len(SYMBOLS), dtype), targets)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the symbols that one example (T, 8) reads."""
        return names(x, SYMBOLS)
