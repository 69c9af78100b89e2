"""From the options of `train` to a training: a new one, or one that goes on from a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tinygrad_rnn import optim
from tinygrad_rnn.cli.options import LEARNING_RATE, TRAINING, UPDATES
from tinygrad_rnn.cli.problem import (
    check_cells,
    check_memory,
    corpus_of,
    describe,
    dropout_of,
    fits,
    make_task,
    say,
    setting,
)
from tinygrad_rnn.cli.progress import training_progress
from tinygrad_rnn.engine.creation import manual_seed
from tinygrad_rnn.errors import DivergenceError, InputError
from tinygrad_rnn.tasks import Corpus, Task, Vocabulary, parse_task
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import MODELS, Checkpoint, Cures, Trainer, Update, pretrain, updates_per_epoch

__all__ = ["again", "cures_of", "new", "remember"]

#: What each resumed training may choose anew, and else has as before.
CHANGEABLE = ("every", "keep")
#: What a checkpoint keeps of the options, beside what the model and the trainer say.
ABOUT = ("task", "text", "steps", *CHANGEABLE)
#: What it says of the training that has to be known to go on.
REMEMBERED = ("task", "text", "steps", "batch", "clip", "seed", "updates")
#: How an update finds its gradients.
CURES = ("truncate", "recompute", "omega", "teacher", "clip_value")
#: The same as above, which not all files say.
REMEMBERED_IF_SAID = ("validate_every", "until_solved", "target", "text_sha256", "pretrain", *CHANGEABLE)
#: What a model says of itself under the names of options.
OF_THE_MODEL = ("cell", "dropout", "zoneout", "variational", "dtype")


def cures_of(options: argparse.Namespace) -> Cures:
    """Return how an update finds its gradients; InputError if the options say what cannot be."""
    chosen = {name: getattr(options, name) for name in CURES}
    return Cures.of({name: value for name, value in chosen.items() if value is not None})


# ---- a new training ------------------------------------------------------------------------------------------------


def new(options: argparse.Namespace) -> Trainer:
    """Return the training that the options ask for, before its first update."""
    for name, value in TRAINING.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.steps = parse_task(options.task).entry.steps if options.steps is None else options.steps
    corpus = corpus_of(options)
    task, held_out = make_task(options, corpus).held_out()
    kind = MODELS[task.model]
    rest = {"dtype": options.dtype, "device": options.device, **dropout_of(options, kind)}
    _check_until_solved(options.until_solved, task)
    check_cells(options, task, [options.cell])
    check_memory(options, task, [options.cell])
    describe(corpus, task)
    manual_seed(options.seed)
    model = kind.for_task(task, options.cell, options.hidden, options.layers, **rest)
    lr = LEARNING_RATE if options.lr is None else options.lr
    optimizer = optim.parse_optimizer(options.optimizer).make(model.parameters(), lr=lr)
    trainer = Trainer(
        model, task, optimizer, _updates(options, task) or UPDATES, held_out=held_out, batch=options.batch,
        seed=options.seed, clip=options.clip, validate_every=options.validate_every,
        until_solved=options.until_solved, about=_about(options, corpus, task), schedule=options.schedule,
        cures=cures_of(options),
    )  # fmt: skip
    if options.pretrain:
        _pretrain(trainer, options.pretrain, lr)
    return trainer


def _pretrain(trainer: Trainer, updates: int, lr: float) -> None:
    """Train the layers without the task's targets, before the first update; a checkpoint has what came of it."""
    model, task, label = trainer.model, trainer.task, trainer.model.cell_name
    layers = sum(part.num_layers for part in model.recurrent.values())
    how = updates, trainer.batch, lr, trainer.seed, trainer.clip
    try:
        with training_progress(f"{label}, before", updates * layers, "squared error") as advance:
            told = lambda error, norm: advance(Update(error, norm, norm))  # noqa: E731
            errors = pretrain(model, task, *how, on_update=told)
    except DivergenceError as error:
        raise InputError(f"--pretrain: {error} (--lr, --clip)") from None
    except InputError as error:
        raise InputError(f"--pretrain: {error}") from None
    for layer, (first, last) in enumerate(errors):
        say(f"{label}: layer {layer} learned to predict what it reads next: squared error {first:.3g} -> {last:.3g}")


def _check_until_solved(until_solved: bool | None, task: Task) -> None:
    if until_solved and task.criterion is None:
        raise InputError(f"--until-solved: nobody can say when {task.name} is solved; take --updates or --epochs")


def _updates(options: argparse.Namespace, task: Task) -> int | None:
    """Return how many updates are asked for; None if the options do not say."""
    if options.epochs is None:
        updates: int | None = options.updates
        return updates
    try:
        return int(options.epochs) * updates_per_epoch(task, options.batch)
    except InputError as error:
        raise InputError(f"--epochs: {error}; take --updates") from None


def _about(options: argparse.Namespace, corpus: Corpus | None, task: Task) -> dict[str, Any]:
    """Return what a checkpoint has to say so that the task can be made again."""
    about = {name: getattr(options, name) for name in ABOUT}
    if options.text is not None:  # to find it again, from wherever the training is resumed
        about["text"] = str(Path(options.text).resolve())
    if corpus is not None:
        about["text_sha256"] = corpus.sha256
    if options.pretrain:
        about["pretrain"] = options.pretrain
    if isinstance(known := getattr(task, "vocabulary", None), Vocabulary):
        about["vocabulary"] = known.characters
    return about


# ---- a training that goes on ---------------------------------------------------------------------------------------


def remember(options: argparse.Namespace, checkpoint: Checkpoint, where: str) -> None:
    """Take from the checkpoint what it was trained with, and refuse options that ask for something else."""
    config = checkpoint.model.config()
    said: dict[str, Any] = {name: config[name] for name in OF_THE_MODEL if name in config}
    said |= {"hidden": config.get("hidden_size"), "layers": config.get("num_layers", 1)}
    schedule = checkpoint.settings.get("schedule")
    try:
        said |= {"schedule": None if schedule is None else optim.parse_schedule(schedule).text}
        said |= {"optimizer": optim.optimizer_of(checkpoint.training.get("optimizer", {})).text}
        cures = Cures.said_by(checkpoint.settings)
        said |= {name: getattr(cures, name) for name in CURES}
        said |= {name: setting(checkpoint, name) for name in REMEMBERED}
        said |= {name: setting(checkpoint, name) for name in REMEMBERED_IF_SAID if name in checkpoint.settings}
    except (InputError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"--resume: {where} lacks what is needed to continue: {error}") from None
    for name in (*TRAINING, "steps"):
        given, learned = getattr(options, name), said.get(name, TRAINING.get(name))
        if given is not None and name not in ("until_solved", *CHANGEABLE) and given != learned:
            option = f"--{name.replace('_', '-')}"
            without = not learned and name != "seed"
            how = f"without {option}" if without else f"with {option}{_value(learned)}, not{_value(given)}"
            raise InputError(
                f"--resume: {where} was trained {how}; leave {option} out, or train another model with another --name "
                "or --out"
            )
    for name in CHANGEABLE:
        said[name] = getattr(options, name) or said.get(name, TRAINING[name])
    kept = {name: value for name, value in said.items() if name not in ("updates", "target", "until_solved")}
    vars(options).update({**kept, "text": said["text"] if options.text is None else options.text})


def _value(value: Any) -> str:
    """Return the value of an option as it is written behind it."""
    if isinstance(value, bool):
        return ""
    parts = [f"{name}={each}" for name, each in value.items()] if isinstance(value, dict) else value
    return f" {','.join(map(str, parts)) if isinstance(parts, tuple | list) else value}"


def again(
    options: argparse.Namespace, checkpoint: Checkpoint, where: str, text: str | None, lr: float | None
) -> Trainer:
    """Return the training of a checkpoint, as it stood."""
    corpus = corpus_of(options)
    vocabulary = Vocabulary(setting(checkpoint, "vocabulary")) if corpus else None
    task, held_out = make_task(options, corpus, vocabulary).held_out()
    model = checkpoint.model
    if not fits(model, task):
        raise InputError(f"--resume: {where} was not trained on the task {options.task!r} that it names")
    made = setting(checkpoint, "updates")
    asked = _updates(options, task)
    updates = asked or checkpoint.settings.get("target", max(UPDATES, made))
    if asked is not None and asked <= made:
        raise InputError(
            f"--resume: {where} has had {made} updates already; ask for more in all, for example "
            f"--updates {made + 1000}"
        )
    check_memory(options, task, [model.cell_name])
    describe(corpus, task)
    _check_text(checkpoint, corpus, text)
    trainer = Trainer.resumed(checkpoint, task, held_out)
    trainer.updates = updates
    trainer.about |= _about(options, corpus, task)
    _check_until_solved(options.until_solved, task)
    if options.until_solved is not None:
        trainer.until_solved = options.until_solved
    if lr is not None:
        before = trainer.base_lr
        if lr != before:
            say(f"--resume: goes on with the learning rate {lr:g} instead of {before:g}")
            trainer.base_lr = lr
    return trainer


def _check_text(checkpoint: Checkpoint, corpus: Corpus | None, text: str | None) -> None:
    """Say if the training goes on with another text; refuse to if nobody asked for it."""
    if corpus is None:
        return
    named, learned = checkpoint.settings["text"], checkpoint.settings.get("text_sha256", corpus.sha256)
    if text is None and corpus.sha256 != learned:
        raise InputError(
            f"--resume: {shown(corpus.source)} has changed since the training began; put the text back (sha256 "
            f"{learned[:12]}...), or name the one to go on with by --text"
        )
    if text is not None and (str(Path(text).resolve()) != named or corpus.sha256 != learned):
        say(f"--resume: goes on with {shown(Path(text).resolve())} instead of {shown(named)}")
