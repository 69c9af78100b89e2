"""`tinygrad-rnn train`: train a model and keep it in a file."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from tinygrad_rnn import optim
from tinygrad_rnn.cli.files import writable_folder
from tinygrad_rnn.cli.parser import LEARNING_RATE
from tinygrad_rnn.cli.problem import AnyTask, check_device, check_memory, corpus_of, describe, make_tasks, say
from tinygrad_rnn.cli.progress import training_progress
from tinygrad_rnn.engine.creation import manual_seed
from tinygrad_rnn.errors import InputError, StateError
from tinygrad_rnn.tasks import TextTask, Vocabulary
from tinygrad_rnn.train import Checkpoint, SequenceModel, evaluate, fit, load_checkpoint, save_checkpoint

#: What a resumed training takes from the file instead of the command line.
REMEMBERED: dict[str, type | tuple[type, ...]] = {
    "task": str,
    "text": (str, type(None)),
    "steps": int,
    "batch": int,
    "clip": float,
    "seed": int,
}

#: The loss before and after is the mean over this many sequences.
EVALUATED = 256


@dataclass
class Training:
    """A model under way."""

    model: SequenceModel
    optimizer: optim.Adam
    task: AnyTask
    held_out: AnyTask
    updates: int  # made so far

    def save(self, options: argparse.Namespace) -> None:
        """Write it to --out."""
        settings = {name: getattr(options, name) for name in REMEMBERED} | {"updates": self.updates}
        if isinstance(self.task, TextTask):
            settings["vocabulary"] = self.task.vocabulary.characters
        save_checkpoint(options.out, self.model, self.optimizer, settings)


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for; see `tinygrad-rnn train --help`."""
    check_device(options)
    out = Path(options.out)
    writable_folder(out.parent, "--out", [out.name])
    with threadpool_limits(limits=1, user_api="blas"):
        training = _resume(options) if options.resume else _begin(options)
        before = evaluate(training.model, training.held_out, EVALUATED, options.seed)
        say(f"{training.model.cell_name}: {before:.3f} {training.task.unit} after {training.updates} updates")
        _train(training, options)
        after = evaluate(training.model, training.held_out, EVALUATED, options.seed)
    unseen = training.held_out is not training.task
    which = "unseen sequences" if unseen else "the text itself, too short to hold some out"
    print(f"{training.model.cell_name}: {before:.3f} -> {after:.3f} {training.task.unit} on {which}")
    print(f"written: {out}")
    return 0


def _begin(options: argparse.Namespace) -> Training:
    corpus = corpus_of(options)
    task, held_out = make_tasks(options, corpus, None)
    check_memory(options, task, [options.cell])
    describe(corpus, task)
    if options.text is not None:
        options.text = str(Path(options.text).resolve())  # to find it again, from wherever the training is resumed
    manual_seed(options.seed)
    sizes = task.input_size, options.hidden, task.output_size, options.layers
    model = SequenceModel(options.cell, *sizes, dtype=options.dtype, device=options.device)
    lr = LEARNING_RATE if options.lr is None else options.lr
    return Training(model, optim.Adam(model.parameters(), lr=lr), task, held_out, updates=0)


def _resume(options: argparse.Namespace) -> Training:
    checkpoint = load_checkpoint(options.out, options.device)
    moved_text = None if options.text is None else str(Path(options.text).resolve())
    try:
        for name, kind in REMEMBERED.items():
            setattr(options, name, _setting(checkpoint, name, kind))
        if moved_text is not None:
            options.text = moved_text
        updates = _setting(checkpoint, "updates", int)
        characters = _setting(checkpoint, "vocabulary", str) if options.task == "text" else ""
        optimizer = optim.Adam(checkpoint.model.parameters())
        optimizer.load_state_dict(checkpoint.optimizer_state)
        if options.lr is not None:
            optimizer.lr = options.lr
    except (KeyError, TypeError, StateError) as error:
        raise InputError(f"--resume: {options.out} lacks what is needed to continue: {error}") from None
    if updates >= options.updates:
        raise InputError(
            f"--resume: {options.out} has had {updates} updates already; ask for more in all, for example "
            f"--updates {updates + 1000}"
        )
    corpus = corpus_of(options)
    task, held_out = make_tasks(options, corpus, Vocabulary(characters) if characters else None)
    describe(corpus, task)
    return Training(checkpoint.model, optimizer, task, held_out, updates)


def _setting(checkpoint: Checkpoint, name: str, kind: type | tuple[type, ...]) -> Any:
    value = checkpoint.settings[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {value!r}")
    return value


def _train(training: Training, options: argparse.Namespace) -> None:
    """Make the updates that are missing, saving now and then, at the end, and when interrupted."""
    updates = fit(
        training.model,
        training.task,
        training.optimizer,
        options.updates,
        options.batch,
        options.seed,
        options.clip,
        training.updates,
    )
    label, unit = training.model.cell_name, training.task.unit
    with interrupt_waits() as interrupted, training_progress(label, options.updates, unit, training.updates) as advance:
        for update in updates:
            training.updates += 1
            advance(update.loss)
            if training.updates % options.every == 0 or training.updates == options.updates or interrupted():
                training.save(options)
            if interrupted():
                say(f"saved {options.out} after {training.updates} updates; go on with --resume")
                raise KeyboardInterrupt


@contextmanager
def interrupt_waits() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C wait for the update under way, so that no half of it gets saved; a second one does not wait.

    The block gets a function that tells whether it was pressed.
    """
    pressed = False

    def note(signal_number: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
