"""`tinygrad-rnn train`: train a model and keep it in a file."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tinygrad_rnn import optim
from tinygrad_rnn.cli.files import previous_of, writable_folder
from tinygrad_rnn.cli.parser import LEARNING_RATE, TRAINING
from tinygrad_rnn.cli.problem import check_device, check_memory, corpus_of, describe, fits, make_task, say, setting
from tinygrad_rnn.cli.progress import training_progress
from tinygrad_rnn.engine.creation import manual_seed
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.tasks import Task, TextTask, Vocabulary
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import MODELS, Checkpoint, Model, diverged, evaluate, fit, load_checkpoint, save_checkpoint

#: What the file keeps of the options, beside what the model itself says.
REMEMBERED = ("task", "text", "steps", "batch", "clip", "seed")

#: The loss before and after is the mean over this many sequences.
EVALUATED = 256


@dataclass
class Training:
    """A model under way."""

    model: Model
    optimizer: optim.Optimizer
    task: Task
    held_out: Task
    updates: int  # made so far
    saved: bool = False  # whether the file in --out is of this training

    def save(self, options: argparse.Namespace) -> None:
        """Write it to --out; the model of another training that is there is kept beside it."""
        if not all(np.isfinite(parameter.numpy()).all() for parameter in self.model.parameters()):
            raise InputError(
                f"after update {self.updates} the weights are no finite numbers: training diverged, and they are not "
                "saved; take a smaller learning rate (train --lr) or fewer updates"
            )
        out = Path(options.out)
        if not self.saved and out.exists():
            out.replace(previous_of(out))
        self.saved = True
        settings = {name: getattr(options, name) for name in REMEMBERED} | {"updates": self.updates}
        if isinstance(self.task, TextTask):
            settings["vocabulary"] = self.task.vocabulary.characters
        save_checkpoint(out, self.model, self.optimizer, settings)


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for; see `tinygrad-rnn train --help`."""
    check_device(options)
    out = Path(options.out)
    if options.resume:
        checkpoint = load_checkpoint(out, options.device)
        given = {name: getattr(options, name) for name in ("text", "lr")}
        _remember(options, checkpoint)
    writable_folder(out.parent, "--out", [out.name] if options.resume else [out.name, previous_of(out).name])
    if not options.resume:
        _keep(out)
    with threadpool_limits(limits=1, user_api="blas"):
        training = _resume(options, checkpoint, **given) if options.resume else _begin(options)
        before = evaluate(training.model, training.held_out, EVALUATED, options.seed)
        made = plural(training.updates, "update")
        say(f"{training.model.cell_name}: {before:.3f} {training.task.unit} after {made}")
        _train(training, options)
        after = evaluate(training.model, training.held_out, EVALUATED, options.seed)
    unseen = training.held_out is not training.task
    which = "unseen sequences" if unseen else "the text itself, too short to hold some out"
    print(f"{training.model.cell_name}: {before:.3f} -> {after:.3f} {training.task.unit} on {which}")
    print(f"written: {shown(out)}")
    if found := diverged(before, after):
        say(f"warning: {found} (train --lr); {shown(out)} holds what came of it")
    return 0


def _keep(out: Path) -> None:
    """Say what happens to a file that is there already; refuse where a model would be lost."""
    if not out.exists():
        return
    kept = previous_of(out)
    if kept.exists():
        raise InputError(
            f"--out: {shown(out)} is there, and so is {shown(kept)}, which keeps the one before: move or delete one of "
            "them, choose another --out, or continue the model with --resume"
        )
    say(f"{shown(out)} is there already; it will be kept as {shown(kept)}")


def _begin(options: argparse.Namespace) -> Training:
    for name, value in TRAINING.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.dropout and options.layers == 1:
        raise InputError("--dropout drops values between layers, and there is one layer; take --layers 2 or more")
    corpus = corpus_of(options)
    task, held_out = make_task(options, corpus).held_out()
    check_memory(options, task, [options.cell])
    describe(corpus, task)
    if options.text is not None:
        options.text = str(Path(options.text).resolve())  # to find it again, from wherever the training is resumed
    manual_seed(options.seed)
    rest = {name: getattr(options, name) for name in ("dtype", "device", "dropout")}
    model = MODELS[task.model].for_task(task, options.cell, options.hidden, options.layers, **rest)
    lr = LEARNING_RATE if options.lr is None else options.lr
    return Training(model, optim.Adam(model.parameters(), lr=lr), task, held_out, updates=0)


def _remember(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    """Take from the file what it was trained with, and refuse options that ask for something else."""
    model = checkpoint.model
    config = model.config()
    said: dict[str, Any] = {name: config[name] for name in ("cell", "dropout", "dtype")}
    said |= {"hidden": config["hidden_size"], "layers": config["num_layers"]}
    try:
        said |= {name: setting(checkpoint, name) for name in (*REMEMBERED, "updates")}
    except InputError as error:
        raise InputError(f"--resume: {shown(options.out)} lacks what is needed to continue: {error}") from None
    for name in TRAINING:
        given = getattr(options, name)
        if given is not None and given != said[name]:
            raise InputError(
                f"--resume: {shown(options.out)} was trained with --{name} {said[name]}, not {given}; leave --{name} "
                "out, or train another model with another --out"
            )
    if options.updates <= said["updates"]:
        raise InputError(
            f"--resume: {shown(options.out)} has had {said['updates']} updates already; ask for more in all, for "
            f"example --updates {said['updates'] + 1000}"
        )
    if options.text is not None:
        said["text"] = options.text
    vars(options).update({name: value for name, value in said.items() if name != "updates"})


def _resume(options: argparse.Namespace, checkpoint: Checkpoint, text: str | None, lr: float | None) -> Training:
    corpus = corpus_of(options)
    vocabulary = Vocabulary(setting(checkpoint, "vocabulary")) if corpus else None
    task, held_out = make_task(options, corpus, vocabulary).held_out()
    model = checkpoint.model
    if not fits(model, task):
        raise InputError(f"--resume: {shown(options.out)} was not trained on the task {options.task!r} that it names")
    check_memory(options, task, [model.cell_name])
    describe(corpus, task)
    if text is not None:
        options.text = str(Path(text).resolve())
        if options.text != checkpoint.settings["text"]:
            say(f"--resume: goes on with {shown(options.text)} instead of {shown(checkpoint.settings['text'])}")
    optimizer = checkpoint.resume()
    if lr is not None:
        if lr != optimizer.lr.item():
            say(f"--resume: goes on with the learning rate {lr:g} instead of {optimizer.lr.item():g}")
        optimizer.lr = lr
    return Training(model, optimizer, task, held_out, setting(checkpoint, "updates"), saved=True)


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
                say(f"saved {shown(options.out)} after {training.updates} updates; go on with --resume")
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
