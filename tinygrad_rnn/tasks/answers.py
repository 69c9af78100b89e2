"""When a task wants its answers, after the last step of each example or at every step, and which answers are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import arange, tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.tasks.task import Batch, Task, mean_of_counted

__all__ = ["EveryClassTask", "LastClassTask", "LastNumberTask", "SpreadTask", "at_end"]


def at_end(outputs: Tensor, batch: Batch) -> Tensor:
    """Return the output of the last step of each example, (B, O), from the outputs of all steps (T, B, O).

    >>> import numpy as np, tinygrad_rnn as tg
    >>> from tinygrad_rnn.tasks import Batch
    >>> outputs = tg.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
    >>> at_end(outputs, Batch(None, None, lengths=np.array([2, 1]))).tolist()
    [[3.0], [2.0]]
    """
    if batch.lengths is None:
        return outputs[-1]
    steps, size, features = outputs.shape
    lengths = tensor(batch.lengths, device=outputs.device)
    rows = (lengths - 1) * size + arange(size, device=outputs.device)
    return outputs.reshape(steps * size, features).take(rows, 0)


class _LastTask(Task):
    """Base of the tasks that ask once, after the last step of each example."""

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean loss of the examples, each at its last step, of (T, B, O)."""
        return self.last_losses(at_end(outputs, batch), batch).mean()


class LastNumberTask(_LastTask):
    """Base of the tasks that ask for a number at the end: targets (B,), one output, squared error.

    Attributes:
        right: an answer that is off by less is right.
    """

    unit = "squared error"
    output_size = 1
    right: float

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's squared error if it were asked at this step, from the output (B, 1) there."""
        error = output.reshape(-1) - tensor(batch.targets, device=output.device)
        return error * error

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return which answers are wrong: off by `right` or more."""
        return {"wrong": self.last_losses(at_end(outputs, batch), batch).numpy() >= self.right**2}


class LastClassTask(_LastTask):
    """Base of the tasks that ask for a class at the end: targets (B,) int64, an output for each class, cross entropy.

    Attributes:
        right: an answer is right if all its outputs, as probabilities, are off by less; None: if it is the likeliest.
    """

    unit = "nats"
    right: ClassVar[float | None] = None

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's cross entropy if it were asked at this step, from the output (B, O) there."""
        return F.cross_entropy(output, tensor(batch.targets, device=output.device), reduction="none")

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return which answers are wrong."""
        last = at_end(outputs, batch)
        if self.right is None:
            return {"wrong": last.numpy().argmax(axis=-1) != np.asarray(batch.targets)}
        return {"wrong": _off(self.last_losses(last, batch)) >= self.right}


class EveryClassTask(Task):
    """Base of the tasks that ask for a class at every step: targets (T, B) int64, cross entropy.

    Attributes:
        right: an answer is right if all its outputs, as probabilities, are off by less; 0.5 is "more likely than not".
    """

    unit = "nats/step"
    right: ClassVar[float] = 0.5

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean cross entropy over all steps that count, outputs (T, B, O)."""
        return mean_of_counted(self.losses(outputs, batch), batch.mask)

    def losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the cross entropies of all steps, (T, B), those that do not count included."""
        targets = tensor(batch.targets, device=outputs.device)
        flat = outputs.reshape(-1, self.output_size)
        return F.cross_entropy(flat, targets.reshape(-1), reduction="none").reshape(targets.shape)

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's cross entropy at a step, from the output (B, O) there."""
        return F.cross_entropy(output, tensor(batch.targets[step], device=output.device), reduction="none")

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return which examples are wrong: some output off by `right` or more at some step that counts."""
        wrong = _off(self.losses(outputs, batch)) >= self.right
        return {"wrong": np.any(wrong if batch.mask is None else wrong & (batch.mask > 0), axis=0)}


def _off(losses: Tensor) -> np.ndarray:
    """Return how far the worst output is off: the one of the right class, which is 1 - p for a loss of -log p."""
    return 1 - np.exp(-losses.numpy())


class SpreadTask(Task):
    """Base of the tasks of Hochreiter & Schmidhuber (1997) whose examples have T to T + T/10 steps, all as likely.

    A batch is padded to the longest example there can be, so that all batches have one shape.
    """

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return B examples with their lengths. The same seed gives the same ones."""
        random = np.random.default_rng(seed)
        longest = self.steps + self.steps // 10
        lengths = random.integers(self.steps, longest, size, endpoint=True)
        return replace(self.examples(random, lengths, longest, dtype), lengths=lengths)

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return B examples of T steps."""
        lengths = np.full(size, self.steps)
        return self.examples(np.random.default_rng(seed), lengths, self.steps, dtype)

    def examples(self, random: np.random.Generator, lengths: np.ndarray, longest: int, dtype: Any) -> Batch:
        """Return inputs and targets of examples with these lengths (B,), padded with 0 to the longest."""
        raise NotImplementedError(f"{type(self).__name__} has no examples method: define one")
