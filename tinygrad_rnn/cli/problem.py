"""From the options of the command line to a task."""

from __future__ import annotations

import argparse
import math
import os
import reprlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

from tinygrad_rnn import backends
from tinygrad_rnn.cli.values import LARGEST
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.tasks import TASKS, Corpus, Task, TextTask, Vocabulary, parse_task, read_corpus
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import Checkpoint, Model


def corpus_of(options: argparse.Namespace) -> Corpus | None:
    """Return the text the options ask for, or None for a task without one."""
    entry = parse_task(options.task).entry
    if entry.reads is None:
        if options.text is not None:
            readers = " or ".join(f"--task {name}" for name, entry in TASKS.items() if entry.reads)
            raise InputError(f"--text goes with {readers}, not with --task {options.task}")
        return None
    return entry.reads() if options.text is None else read_corpus(options.text)


def make_task(options: argparse.Namespace, corpus: Corpus | None, vocabulary: Vocabulary | None = None) -> Task:
    """Return the task the options ask for."""
    return parse_task(options.task).make(options.steps, corpus.text if corpus else None, **_known(vocabulary))


def has_fixed_length(options: argparse.Namespace) -> bool:
    """Return whether nobody can choose the length of the task that the options ask for."""
    return parse_task(options.task).entry.steps is None


def _known(vocabulary: Vocabulary | None) -> dict[str, Vocabulary]:
    return {} if vocabulary is None else {"vocabulary": vocabulary}


def fits(model: Model, task: Task) -> bool:
    """Return whether a model is of the kind and of the sizes that a task needs."""
    config = model.config()
    sizes = {"input_size": task.input_size, "output_size": task.output_size}
    if "replies" in config:
        sizes["replies"] = task.replies
    return model.kind == task.model and all(config[name] == size for name, size in sizes.items())


def seeds_of(options: argparse.Namespace, count: int) -> range:
    """Return --seed and those after it, so many in all.

    Raises:
        InputError: they end above the largest seed there is, behind which they would begin again at 0.
    """
    first = options.seed or 0
    if first + count > 2**63:
        raise InputError(f"--seeds: {count} seeds from {first} on end above 2**63 - 1; take a smaller --seed")
    return range(first, first + count)


def check_device(options: argparse.Namespace) -> None:
    """Make sure that the device asked for is there, before anything is read or written.

    Raises:
        DeviceError: it is not; says what was looked for.
    """
    options.device = backends.get(options.device).device


def dropout_of(options: argparse.Namespace, kind: type[Model]) -> dict[str, Any]:
    """Return dropout and its kin as asked for and as a kind of model takes them; InputError where one does nothing."""
    names = ("dropout", "zoneout", "variational")
    found = {name: share for name in names if (share := getattr(options, name, 0.0))}
    for name in found:
        if name not in kind.settings:
            raise InputError(f"--{name}: the model that learns {options.task} has none; leave it out")
    if "dropout" in found and options.layers == 1:
        raise InputError("--dropout drops values between layers, and there is one layer; take --layers 2 or more")
    return found


def _whole(lowest: int, largest: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and lowest <= value <= largest


#: What a model file says of its training, and what of it can be used.
SETTINGS: dict[str, Callable[[Any], bool]] = {
    "task": lambda value: isinstance(value, str) and _is_task(value),
    "text": lambda value: value is None or (isinstance(value, str) and "\0" not in value),
    "steps": lambda value: value is None or _whole(1, LARGEST)(value),  # None: the task's length is fixed
    "batch": _whole(1, LARGEST),
    "clip": lambda value: type(value) in (int, float) and 0 < value < math.inf,
    "seed": _whole(0, 2**63 - 1),
    "updates": _whole(0, 2**63 - 1),
    "target": _whole(1, 2**63 - 1),
    "validate_every": _whole(1, LARGEST),
    "until_solved": lambda value: isinstance(value, bool),
    "pretrain": _whole(0, 2**63 - 1),
    "every": _whole(1, LARGEST),
    "keep": _whole(1, LARGEST),
    "text_sha256": lambda value: isinstance(value, str),
    "vocabulary": lambda value: isinstance(value, str) and len(set(value)) == len(value) > 0,
}


def _is_task(text: str) -> bool:
    try:
        return parse_task(text).text == text
    except InputError:
        return False


def setting(checkpoint: Checkpoint, name: str) -> Any:
    """Return what a model file says of its training.

    Raises:
        InputError: it does not say so, or something that cannot be.
    """
    value = checkpoint.settings.get(name, ...)
    if value is ... or not SETTINGS[name](value):
        said = "nothing" if value is ... else reprlib.repr(value)
        raise InputError(
            f"the file says {said} about the {name} of its training; `tinygrad-rnn train` makes files that can be used"
        )
    return value


def check_cells(options: argparse.Namespace, task: Task, cells: Iterable[str]) -> None:
    """Make sure that every cell can have the sizes asked for, before the first is measured.

    Raises:
        InputError: one cannot; says which it can have.
    """
    for text in cells:
        spec = parse_cell(text)
        try:
            spec.cell_class.shapes(task.input_size, options.hidden, **spec.cell_options)
        except InputError as error:
            raise InputError(f"{text} cannot have --hidden {options.hidden}: {error}") from None


def check_memory(options: argparse.Namespace, task: Task, cells: Iterable[str]) -> None:
    """Refuse sizes that cannot fit: the system would end the program without a word. (A GPU says so by itself.)"""
    if options.device != "cpu":
        return
    gates = max(parse_cell(cell).cell_class.gates for cell in cells)
    size, layers = options.hidden, options.layers
    weights = gates * size * (task.input_size + size * (2 * layers - 1)) + task.output_size * size
    values = task.steps * options.batch * (task.input_size + 2 * gates * size * layers + task.output_size)
    needed = 4 * (4 * weights + values)  # float32; a weight has its gradient and Adam's two moments
    if needed > (there := _memory()):
        raise InputError(
            f"this takes more than {needed / 1e9:,.0f} GB of memory, and there are {there / 1e9:,.0f}; take smaller "
            "--hidden, --layers, --batch or --steps"
        )


def _memory() -> float:
    """Return the bytes of memory of this machine, infinitely many where the system does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def facts_about(corpus: Corpus | None, updates: int) -> dict[str, Any]:
    """Return what flow.json says about the text, and about the training that came before."""
    text, sha256 = (shown(corpus.source), corpus.sha256) if corpus else (None, None)
    return {"text": text, "text_sha256": sha256, "updates": updates, "when": "trained" if updates else "initial"}


def describe(corpus: Corpus | None, task: Task) -> None:
    """Say on stderr what the task reads."""
    if corpus is None or not isinstance(task, TextTask):
        return
    different, known = len(set(corpus.text)), len(task.vocabulary)
    kept = f", the {known} most frequent are kept" if different > known else ""
    say(
        f"text: {shown(corpus.source)}: {len(corpus.text):,} characters, {different} different ones{kept}, "
        f"sha256 {corpus.sha256[:12]}"
    )


def say(message: str) -> None:
    """Tell people something that is not the result."""
    print(message, file=sys.stderr, flush=True)
