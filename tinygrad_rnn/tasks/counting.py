"""Strings that can only be told by counting: a^n b^n c^n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.tasks.symbols import NOTHING, dealt, names, one_hot
from tinygrad_rnn.tasks.task import Batch, Criterion, Task, enough_steps, mean_of_counted

#: What is read: the start, then letters; what may come next: a letter, or T, the end.
READ, NEXT = "Sabc", "abcT"


class CountingTask(Task):
    """Strings of a context-sensitive language, n times a, b and c each: say which symbols may come next.

    Gers and Schmidhuber (2001). A string is read after a start symbol S, and n is 1 to N: no string comes twice in a
    batch before all have come. After S comes an a; after an a, another or a b; then the number of b and c is
    determined, and so is the end T. A string is accepted if at every step exactly the symbols that may come next have
    outputs above 1/2, as probabilities; solved is when all N are. A network has learned to count if it also accepts
    longer strings than it was trained on.

    The loss is the binary cross entropy of the four outputs, summed; the paper has the squared error of outputs that
    stand for yes with 1 and for no with -1.

    Args:
        steps: N is as large as S and 3 N letters fit into so many, at least 4; `task.steps` is 3 N + 1.

    Raises:
        InputError: there are fewer steps.

    >>> task = CountingTask(steps=8)
    >>> batch = task.measured(1, seed=0)
    >>> "".join(task.input_labels(batch.inputs[:, 0]))
    'Saabbcc'
    >>> [" or ".join(np.array([*NEXT])[after > 0]) for after in batch.targets[:, 0]]
    ['a', 'a or b', 'a or b', 'b', 'c', 'c', 'T']
    """

    name = "anbncn"
    unit = "nats/step"
    input_size = len(READ)
    output_size = len(NEXT)

    def __init__(self, steps: int) -> None:
        self.most = (enough_steps(steps, 4, "the shortest string is S, a, b, c") - 1) // 3
        self.steps = 3 * self.most + 1
        self.criterion = Criterion("wrong", at_most=0.0, examples=self.most)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return strings (T, B, 4), padded, and what may come next (T, B, 4). The same seed gives the same ones."""
        return self.strings(1 + dealt(np.random.default_rng(seed), self.most, size), dtype)

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return the string of N, B times: the last step asks for its end."""
        return self.strings(np.full(size, self.most), dtype)

    def strings(self, n: np.ndarray, dtype: Any = "float32") -> Batch:
        """Return the strings of n (B,), padded to the longest that the task has or is asked for here."""
        t = np.arange(max(self.steps, 3 * n.max() + 1))[:, None]
        there = t <= 3 * n
        read = np.where(t == 0, 0, 1 + (t - 1) // n)
        a, b, c, end = t <= n, (t >= 1) & (t < 2 * n), (t >= 2 * n) & (t < 3 * n), t == 3 * n
        targets = np.stack([a, b, c, end], axis=-1)
        inputs = one_hot(np.where(there, read, NOTHING), len(READ), dtype)
        return Batch(inputs, targets.astype(dtype), 3 * n + 1, there.astype(dtype))

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the symbols that one example (T, 4) reads."""
        return names(x, READ)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean of the losses of all steps of all strings, outputs (T, B, 4)."""
        return mean_of_counted(self._losses(outputs, batch.targets), batch.mask)

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's loss at a step, from the output (B, 4) there."""
        return self._losses(output, batch.targets[step])

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return which strings are wrong: not accepted."""
        off = np.any((outputs.numpy() > 0) != (batch.targets > 0), axis=-1)
        return {"wrong": np.any(off & (batch.mask > 0), axis=0)}

    @staticmethod
    def _losses(outputs: Tensor, targets: Any) -> Tensor:
        targets = tensor(targets, device=outputs.device)
        return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").sum(axis=-1)
