"""The tasks there are, and which one is meant by a few words: "adding", "copy:symbols=4".

A new task is a class in a file beside this one, and a line in `TASKS`: commands, documents and tests read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinygrad_rnn import specs
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.adding import AddingTask
from tinygrad_rnn.tasks.task import Task
from tinygrad_rnn.tasks.text import TextTask

__all__ = ["TASKS", "TaskEntry", "TaskSpec", "parse_task"]


@dataclass(frozen=True)
class TaskEntry:
    """A line of the table of tasks.

    Attributes:
        task: the class. It is called with the options by name, `steps=T` unless its length is fixed, and, if it reads
            a text, with that text first.
        summary: what it is, in one line.
        reference: where it comes from: authors, year, and where there.
        options: what can be chosen about it, and how a value is read, as in `nn.CELLS`.
        steps: T unless another is asked for; None if nobody can choose it.
        reads_text: whether it learns from a text that a user may bring.
    """

    task: Callable[..., Task]
    summary: str
    reference: str
    options: Mapping[str, Callable[[str], specs.Value]] = field(default_factory=dict)
    steps: int | None = 50
    reads_text: bool = False


#: By the name that texts and commands use.
TASKS: dict[str, TaskEntry] = {
    "text": TaskEntry(
        TextTask, "predict the next character of a text, at every step", "Graves 2013, section 3", reads_text=True
    ),
    "adding": TaskEntry(
        AddingTask, "the sum of the two numbers that are marked among T", "Hochreiter & Schmidhuber 1997, section 5.4; "
        "Le, Jaitly & Hinton 2015, section 4.1",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class TaskSpec(specs.Spec):
    """A task of the table and what was chosen about it."""

    @property
    def entry(self) -> TaskEntry:
        """Its line of the table."""
        return TASKS[self.name]

    def make(self, steps: int | None = None, text: str | None = None, **more: Any) -> Task:
        """Return the task.

        Args:
            steps: T; that of the table unless given.
            text: what it reads, if it reads a text.
            more: what else its class takes, such as the vocabulary that a model knows.

        Raises:
            InputError: an option or a length that the task cannot have, or a text for a task that reads none.
        """
        entry = self.entry
        if entry.steps is None and steps is not None:
            raise InputError(f"the length of {self.name} is fixed; leave the number of steps out")
        if entry.reads_text is (text is None):
            raise InputError(f"{self.name} reads {'a text: give it one' if entry.reads_text else 'no text'}")
        length = {} if entry.steps is None else {"steps": steps or entry.steps}
        return entry.task(*([] if text is None else [text]), **length, **dict(self.options), **more)


def parse_task(text: str) -> TaskSpec:
    """Read a specification: a task's name, then `:option=value` as often as needed.

    Raises:
        InputError: an unknown task or option, a value that is none, or an option given twice.

    >>> from tinygrad_rnn.tasks import parse_task
    >>> parse_task("adding").make(steps=7).batch(2, seed=0).inputs.shape
    (7, 2, 2)
    """
    return TaskSpec(*specs.read("task", text, TASKS))
