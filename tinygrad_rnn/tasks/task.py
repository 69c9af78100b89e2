"""What a task is: where its examples come from, what counts as a loss, and when it is solved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError

__all__ = ["Batch", "Criterion", "Task", "enough_steps", "mean_of_counted"]


@dataclass(frozen=True)
class Batch:
    """Some examples, as NumPy arrays; after `to`, what the model reads are tensors.

    Attributes:
        inputs: what the model reads: (T, B, I) for a sequence, (B, ...) for an image.
        targets: what it should say, in the form the task's loss takes.
        lengths: (B,) int64, how many of the T steps each example has; None if all have all.
        mask: of the shape of the targets, 1 for those that count and 0 for the others; None if all count.
        replies: (S, B, O), the second sequence of a task with two: what a decoder is fed while it is taught, each step
            the target of the one before; None for tasks with one sequence.
        continues: (B,), 1 for each example that goes on where the same one of the batch before has ended, so that the
            model begins with the state it had there, and 0 for those that begin; None if no batch goes on.

    `inputs, targets = batch` takes the first two.

    >>> from tinygrad_rnn.tasks import AddingTask
    >>> batch = AddingTask(steps=6).batch(4, seed=0)
    >>> batch.size, batch.inputs.shape, type(batch.to("cpu").inputs).__name__
    (4, (6, 4, 2), 'Tensor')
    """

    inputs: Any
    targets: Any
    lengths: Any = None
    mask: Any = None
    replies: Any = None
    continues: Any = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.inputs, self.targets))

    @property
    def size(self) -> int:
        """B, the number of examples."""
        return int(self.targets.shape[-1] if self.lengths is None else self.lengths.shape[0])

    def to(self, device: str) -> Batch:
        """Return the batch with inputs and replies as tensors on a device; losses take the rest as it is."""
        replies = None if self.replies is None else tensor(self.replies, device=device)
        return replace(self, inputs=tensor(self.inputs, device=device), replies=replies)

    def parts(self) -> list[Any]:
        """Return what it consists of, in the order of the attributes."""
        return [getattr(self, part.name) for part in fields(self)]


@dataclass(frozen=True)
class Criterion:
    """When a task counts as solved: one of its scores reaches a value, or falls below another score.

    The scores are means over examples that are not learned from; whoever judges takes the same ones at every look.

    Attributes:
        score: its name, among the task's.
        at_least, at_most, below: the value, or the name of the other score; one of the three.
        examples: it speaks of so many, and is not judged by fewer; 0 where the paper of a task names no number.

    Raises:
        InputError: none of the three, or several; or one of the numbers is none.

    >>> solved = Criterion("wrong", at_most=0.01, examples=2000)
    >>> str(solved), solved.met({"wrong": 0.005})
    ('wrong at most 0.01 of 2,000 examples', True)
    """

    score: str
    at_least: float | None = None
    at_most: float | None = None
    below: str | None = None
    examples: int = 0

    def __post_init__(self) -> None:
        if sum(bound is not None for bound in (self.at_least, self.at_most, self.below)) != 1:
            raise InputError("a criterion needs one of at_least, at_most and below")
        for name in ("at_least", "at_most"):
            if (bound := getattr(self, name)) is not None:
                arguments.number(f"Criterion: {name}", bound)
        arguments.whole("Criterion: examples", self.examples, 0)

    def met(self, scores: Mapping[str, float]) -> bool:
        """Return whether the scores say that the task is solved; NaN never does.

        Raises:
            InputError: a score that it is about is not among them.
        """
        if missing := {self.score, self.below or self.score} - set(scores):
            raise InputError(f"solved is {self}, and there is no {min(missing)} among the scores: {', '.join(scores)}")
        found = scores[self.score]
        if self.below is not None:
            return found < scores[self.below]
        return found >= self.at_least if self.at_least is not None else found <= (self.at_most or 0.0)

    def __str__(self) -> str:
        if self.below is not None:
            return f"{self.score} below that of {self.below}"
        bound = f"least {self.at_least:g}" if self.at_least is not None else f"most {self.at_most:g}"
        return f"{self.score} at {bound}" + (f" of {self.examples:,} examples" if self.examples else "")


class Task:
    """Base of the tasks. A task is a file with a subclass, and a line in `table.py`.

    A subclass says its sizes, draws batches, and tells losses: of all outputs for training (`loss`), and of single
    examples at one step (`losses_at`) for measuring.

    Attributes:
        name: as in the table.
        unit: of the loss.
        model: which kind of model learns it; see `train.MODELS`.
        steps: T, of the examples to measure the gradient flow on; where lengths differ, others may be longer.
        input_size: I.
        output_size: O.
        replies: S, the steps of the second sequence, if the task has one.
        stateful: whether training reads on, batch after batch; see `continued`.
        criterion: when it counts as solved; None if nobody can say.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    model: ClassVar[str] = "sequence"
    criterion: Criterion | None = None

    #: What was chosen about it, with its name: "copy:symbols=4"; the name alone unless `TaskSpec.make` says more.
    chosen: str = ""

    steps: int
    input_size: int
    output_size: int
    replies: int = 0
    stateful: bool = False

    @property
    def specification(self) -> str:
        """The task as commands take it: its name, and what was chosen about it."""
        return self.chosen or self.name

    @property
    def data_size(self) -> int | None:
        """How many examples cover its data once; None where every batch brings new ones."""
        return None

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return B examples, a function of the size and the seed alone."""
        raise NotImplementedError(f"{type(self).__name__} has no batch method: define one")

    def continued(self, size: int, update: int, dtype: Any = "float32") -> Batch:
        """Return the B examples of an update of a stateful task, which go on where those of the one before have ended.

        A function of the size and the update alone; what the states are depends on all updates before.
        """
        raise NotImplementedError(f"{type(self).__name__} has no continued method: define one")

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return examples to measure the gradient flow on: all of T steps, so that all losses are at the last one."""
        return self.batch(size, seed, dtype)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the scalar that training minimises, from what the model puts out for the batch."""
        raise NotImplementedError(f"{type(self).__name__} has no loss method: define one")

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return the losses (B,) of the examples if the one that counts were at this step, from its output (B, O)."""
        raise NotImplementedError(f"{type(self).__name__} has no losses_at method: define one")

    def last_losses(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the losses (B,) of the examples, from the output (B, O) of the last step."""
        return self.losses_at(-1, output, batch)

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return further numbers that say how good the outputs are, by name, each for every example (B,)."""
        return {}

    def held_out(self) -> tuple[Task, Task]:
        """Return the task to learn and the one to evaluate on; twice itself where every seed brings new examples."""
        return self, self

    @property
    def measured_steps(self) -> int:
        """How many steps the loss that is measured reaches through, from the last to the first."""
        return self.steps

    def reply_labels(self, replies: np.ndarray) -> list[str]:
        """Return what the decoder reads of one example (S, O) at each step; nothing unless a task says so."""
        return []

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return what one example reads at each step, in a character or a few digits; nothing unless a task says so."""
        return []


def mean_of_counted(losses: Tensor, mask: np.ndarray | None) -> Tensor:
    """Return the mean of the losses that count: those where the mask, of their shape, is 1; of all without a mask."""
    if mask is None:
        return losses.mean()
    counted = tensor(mask, device=losses.device)
    return (losses * counted).sum() / counted.sum()


def enough_steps(steps: int, least: int, why: str) -> int:
    """Return the steps; InputError unless there are so many, with the reason: "the adding problem marks two steps"."""
    if isinstance(steps, Integral) and not isinstance(steps, bool) and steps < least:
        raise InputError(f"{why}; {steps} is too few, take at least {least}")
    return arguments.whole("steps", steps, least)
