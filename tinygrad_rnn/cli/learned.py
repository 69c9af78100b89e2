"""A trained model, and the task that it learned, made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tinygrad_rnn.cli.places import load_newest
from tinygrad_rnn.cli.problem import fits, setting
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import TASKS, Task, parse_task
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import Checkpoint

Kind = TypeVar("Kind", bound=Task)


@dataclass(frozen=True)
class Learned(Generic[Kind]):
    """What a file or a run says about a training."""

    path: Path
    checkpoint: Checkpoint
    task: Kind


def learned(path: str, device: str, kind: type[Kind], does: str) -> Learned[Kind]:
    """Return a trained model whose task is of a kind; it reads no text.

    Args:
        does: what only such a model can, as in "it cannot translate".

    Raises:
        InputError: there is no such model, or it learned something else.
    """
    place = Path(path)
    checkpoint = load_newest(place, device)
    spec = parse_task(setting(checkpoint, "task"))
    if spec.entry.task is not kind:
        name = next(name for name, entry in TASKS.items() if entry.task is kind)
        raise InputError(
            f"{shown(place)} was trained on {spec.text}, so it cannot {does}; train one with --task {name}"
        )
    task = spec.make(None if spec.entry.steps is None else setting(checkpoint, "steps"))
    if not isinstance(task, kind) or not fits(checkpoint.model, task):
        raise InputError(f"{shown(place)} was not trained on the task {spec.text!r} that it names")
    return Learned(place, checkpoint, task)
