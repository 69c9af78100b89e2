"""Scheduled sampling: a model that writes is told less and less of what it should have written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinygrad_rnn import arguments, specs
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, Task, TextTask
from tinygrad_rnn.train.models import EncoderDecoder, Model, SequenceModel

__all__ = ["TEACHERS", "TeacherEntry", "check_teacher", "parse_teacher", "taught"]


def _linear(update: int, over: float = 1000, least: float = 0.0) -> float:
    return max(least, 1 - update / over)


def _exponential(update: int, k: float = 0.999) -> float:
    return k**update


def _sigmoid(update: int, k: float = 100) -> float:
    return k / (k + math.exp(min(update / k, 700.0)))


def _between(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        found = specs.number(text)
        if not low <= found <= high:
            raise InputError(f"{text!r} is not from {low:g} to {high:g}")
        return found

    return read


@dataclass(frozen=True)
class TeacherEntry:
    """A line of the table of teachers.

    Attributes:
        share: of the symbols that are told, from the number of updates made and the options.
        summary: what it does, in one line.
        options: what can be chosen about it, and how a value is read.
    """

    share: Callable[..., float]
    summary: str
    options: Mapping[str, Callable[[str], specs.Value]]


#: By the name that texts and commands use: the three of Bengio et al. (2015), section 2.4, i being the updates made.
TEACHERS: dict[str, TeacherEntry] = {
    "linear": TeacherEntry(
        _linear, "1 - i / over, and no less than least", {"over": specs.whole, "least": _between(0, 1)}
    ),
    "exponential": TeacherEntry(_exponential, "k**i", {"k": _between(0, 1)}),
    "sigmoid": TeacherEntry(_sigmoid, "k / (k + exp(i / k))", {"k": _between(1, 1e9)}),
}


@dataclass(frozen=True)
class TeacherSpec(specs.Spec):
    """A teacher of the table and what was chosen about it."""

    def share(self, update: int) -> float:
        """Return the probability that a symbol is told, after so many updates."""
        return TEACHERS[self.name].share(update, **dict(self.options))


def parse_teacher(text: str) -> TeacherSpec:
    """Read a specification: a teacher's name, then `:option=value` as often as needed.

    Raises:
        InputError: an unknown teacher or option, a value that is none, or an option given twice.

    >>> from tinygrad_rnn.train import parse_teacher
    >>> [parse_teacher("linear:over=100:least=0.25").share(update) for update in (0, 50, 100)]
    [1.0, 0.5, 0.25]
    """
    return TeacherSpec(*specs.read("teacher", text, TEACHERS))


def check_teacher(model: Model, task: Task) -> None:
    """Refuse models and tasks in which nothing is read that the model itself could write.

    Raises:
        InputError: it is such a model or task, or a text is learned with variational dropout.
    """
    writes = isinstance(model, EncoderDecoder) or (isinstance(model, SequenceModel) and isinstance(task, TextTask))
    if not writes:
        raise InputError(
            f"a teacher is for models that read what they write, of text or of a second sequence; the task {task.name} "
            "is none for them"
        )
    if isinstance(model, SequenceModel) and model.training and model.rnn.variational:
        raise InputError(
            "a teacher goes through a text step by step, and variational dropout is one draw for all steps; take "
            "dropout or zoneout with it"
        )


def taught(model: Any, task: Task, batch: Batch, share: float) -> Any:
    """Return the outputs of a model that is told what it should have written with a probability (Bengio et al. 2015).

    At every step after the first, and for every example, a draw decides whether the model reads the right symbol or the
    likeliest of its own last output; no gradient passes through that choice. Draws come from the default generator.

    Args:
        model: an `EncoderDecoder`, or a `SequenceModel` that learns a text.
        task: what it learns.
        batch: as tensors.
        share: the probability of being told; with 1 it is the usual training.

    Raises:
        InputError: another model or task, or a share that is none.

    >>> from tinygrad_rnn.tasks import TextTask
    >>> from tinygrad_rnn.train import SequenceModel, taught
    >>> task = TextTask("to be or not to be", steps=4)
    >>> model = SequenceModel("gru", task.input_size, 5, task.output_size)
    >>> taught(model, task, task.batch(2, seed=0).to("cpu"), share=0.5).shape
    (4, 2, 7)
    """
    check_teacher(model, task)
    share = arguments.number("share", share, "from 0 to 1", lambda found: 0 <= found <= 1)
    return model.taught(batch, share)
