"""What tasks share whose answer is one of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.tasks.task import Batch, Criterion, Task

__all__ = ["ClassAtEnd", "ClassOfEach", "at_end", "one_hot_sequences", "one_of"]


class ClassAtEnd(Task):
    """Many to one: which of O classes an example belongs to is asked after its last step; targets (B,) int64."""

    unit = "nats"
    criterion = Criterion("wrong", at_most=0.02)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean cross entropy at each example's last step, of outputs (T, B, O)."""
        return self.last_losses(at_end(outputs, batch.lengths), batch).mean()

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's cross entropy if its class were asked at this step, from the output (B, O) there."""
        return F.cross_entropy(output, tensor(batch.targets), reduction="none")

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return whether the class thought likeliest is wrong."""
        return {"wrong": at_end(outputs, batch.lengths).numpy().argmax(axis=-1) != np.asarray(batch.targets)}


class ClassOfEach(Task):
    """Many to many, aligned: which of O classes each step belongs to; targets (T, B) int64."""

    unit = "nats/step"
    criterion = Criterion("wrong", at_most=0.02)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean cross entropy over all steps, outputs (T, B, O)."""
        return F.cross_entropy(outputs.reshape(-1, self.output_size), tensor(batch.targets.reshape(-1)))

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's cross entropy at a step, from the output (B, O) there."""
        return F.cross_entropy(output, tensor(batch.targets[step]), reduction="none")

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return the share of the steps of each example whose class is wrong."""
        return {"wrong": (outputs.numpy().argmax(axis=-1) != np.asarray(batch.targets)).mean(axis=0)}


def at_end(outputs: Tensor, lengths: Any) -> Tensor:
    """Return the outputs (B, O) at the last step of each example, from those of all steps (T, B, O)."""
    if lengths is None:
        return outputs[-1]
    last = np.asarray(lengths) - 1
    return outputs[last, np.arange(len(last))]


def one_hot_sequences(
    sequences: list[np.ndarray], symbols: int, steps: int, dtype: Any = "float32"
) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of numbers as one-hot vectors (T, B, symbols), 0 after their ends, and their lengths (B,)."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    inputs = np.zeros((steps, len(sequences), symbols), dtype)
    for example, sequence in enumerate(sequences):
        inputs[np.arange(len(sequence)), example, sequence] = 1.0
    return inputs, lengths


def one_of(random: np.random.Generator, words: Sequence[str]) -> str:
    """Return any of some words."""
    return words[int(random.integers(0, len(words)))]
