"""`tinygrad-rnn train`: train a model, and keep it in a run or in a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from tinygrad_rnn import optim
from tinygrad_rnn.cli.files import writable_folder
from tinygrad_rnn.cli.interrupts import interrupt_waits
from tinygrad_rnn.cli.parser import LEARNING_RATE, RUNS, TRAINING, UPDATES
from tinygrad_rnn.cli.places import load_newest, newest_model
from tinygrad_rnn.cli.problem import (
    check_cells,
    check_device,
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
from tinygrad_rnn.cli.runs import short_name
from tinygrad_rnn.engine.creation import manual_seed
from tinygrad_rnn.errors import DivergenceError, InputError, MissingToolError
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.tasks import Corpus, Task, TextTask, Vocabulary, parse_task
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import (
    MODELS,
    Checkpoint,
    Cures,
    FileKeeper,
    Run,
    RunKeeper,
    Trainer,
    Update,
    diverged,
    pretrain,
    updates_per_epoch,
)
from tinygrad_rnn.train.event_files import require_tensorboardx
from tinygrad_rnn.train.runs import check_name, previous_of
from tinygrad_rnn.viz import plots

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


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for; see `tinygrad-rnn train --help`."""
    _check_together(options)
    check_device(options)
    with threadpool_limits(limits=1, user_api="blas"):
        if options.resume:
            return _resume(options)
        if options.seeds == 1:
            return _begin(options)
        first, names = options.seed or TRAINING["seed"], _names_by_seed(options)
        for seed, name in enumerate(names, start=first):
            _begin(argparse.Namespace(**vars(options) | {"seed": seed, "name": name}), options.name is None)
    say("to compare them: tinygrad-rnn runs --plot")
    return 0


def _check_together(options: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if options.seeds > 1 and (options.resume or options.out):
        other = "--resume goes on with one of them" if options.resume else "--out is one file"
        raise InputError(f"--seeds makes several runs, and {other}; leave one of both out")
    if (options.seed or 0) + options.seeds > 2**63:
        raise InputError(
            f"--seeds: {options.seeds} seeds from {options.seed} on end above 2**63 - 1; take a smaller --seed"
        )
    if options.out and options.tensorboard:
        raise InputError("--tensorboard writes into the folder of a run, and --out keeps one file; leave one out")
    if options.tensorboard:
        require_tensorboardx()
    _cures(options)
    if options.name is not None:
        try:
            check_name(options.name)
        except InputError as error:
            raise InputError(f"--name: {error}") from None


def _cures(options: argparse.Namespace) -> Cures:
    """Return how an update finds its gradients; InputError if the options say what cannot be."""
    chosen = {name: getattr(options, name) for name in CURES}
    return Cures.of({name: value for name, value in chosen.items() if value is not None})


def _names_by_seed(options: argparse.Namespace) -> list[str]:
    """Return the names of the runs of several seeds; a name that was chosen must be free for all of them."""
    first = options.seed or TRAINING["seed"]
    names = [f"{options.name or _automatic(options)}.seed-{first + each}" for each in range(options.seeds)]
    if options.name:
        _check_free(names)
    return names


def _check_free(names: Iterable[str]) -> None:
    """Refuse names that runs have, before anything is done for a run that could not be kept."""
    for name in names:
        path = Path(RUNS, name)
        if path.exists():
            raise InputError(
                f"--name: {shown(path)} is there already; choose another name, or go on with it by --resume --name "
                f"{name}"
            )


def _automatic(options: argparse.Namespace) -> str:
    """Return what a run is called if nobody says."""
    task, cell = options.task or TRAINING["task"], options.cell or TRAINING["cell"]
    return f"{parse_task(task).file_name}-{parse_cell(cell).file_name}"


# ---- a new training ------------------------------------------------------------------------------------------------


def _begin(options: argparse.Namespace, numbered: bool | None = None) -> int:
    """Train from the beginning; `numbered`: a run whose name is taken gets another, as it does if nobody chose it."""
    out = None if options.out is None else Path(options.out)
    numbered = options.name is None if numbered is None else numbered
    if not numbered:
        _check_free([options.name])
    if out is not None:
        writable_folder(out.parent, "--out", [out.name, previous_of(out).name])
        _keep(out)
    trainer = _new(options)
    if out is not None:
        return _train(trainer, FileKeeper(out), options, shown(out))
    chosen = {"numbered": numbered, "keep": options.keep, "event_file": options.tensorboard}
    keeper = RunKeeper.create(RUNS, options.name or _automatic(options), trainer, **chosen)
    return _train(trainer, keeper, options)


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


def _new(options: argparse.Namespace) -> Trainer:
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
        cures=_cures(options),
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


def _resume(options: argparse.Namespace) -> int:
    """Go on with a run or a file."""
    if options.out is not None:
        path = Path(options.out)
    elif options.name is not None:
        path = Path(RUNS, options.name)
        if not path.is_dir():
            raise InputError(f"--resume: there is no run {shown(path)}; `tinygrad-rnn runs` lists those there are")
    else:
        path = newest_model()
    checkpoint = load_newest(path, options.device)
    given = {name: getattr(options, name) for name in ("text", "lr")}
    _remember(options, checkpoint, shown(path))
    if path.is_dir():
        run = Run(path)
        if options.out is None and options.name is None:
            say(f"--resume: goes on with {shown(path)}")
        trainer = _again(options, checkpoint, shown(path), **given)
        return _train(
            trainer, RunKeeper.resume(run, trainer, keep=options.keep, event_file=options.tensorboard), options
        )
    writable_folder(path.parent, "--out", [path.name])
    trainer = _again(options, checkpoint, shown(path), **given)
    return _train(trainer, FileKeeper(path, own=True), options, shown(path))


def _remember(options: argparse.Namespace, checkpoint: Checkpoint, where: str) -> None:
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
    return f" {','.join(map(str, value)) if isinstance(value, tuple) else value}"


def _again(
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


# ---- both ----------------------------------------------------------------------------------------------------------


def _train(
    trainer: Trainer,
    keeping: AbstractContextManager[FileKeeper | RunKeeper],
    options: argparse.Namespace,
    file: str | None = None,
) -> int:
    """Make the updates that are missing, and say what came of it."""
    label, task = trainer.model.cell_name, trainer.task
    _say_what_is_cut_off(trainer)
    before = trainer.scores()
    say(f"{label}: {before['loss']:.3f} {task.unit} after {plural(trainer.made, 'update')}")
    with keeping as keeper:
        run = keeper.run if isinstance(keeper, RunKeeper) else None
        where = file or shown(run.path if run else "")
        if options.resume and isinstance(keeper, FileKeeper):
            keeper.save(trainer)  # what was changed holds from here on, whatever becomes of this process
        if run is not None:
            say(f"{label}: kept in {where}")
        try:
            ended = _updated(trainer, keeper, options)
        except DivergenceError as error:
            raise InputError(f"{error} (--lr, --clip, --updates)") from None
        if ended == "interrupted":
            go_on = f"--resume --name {run.name}" if run else f"--resume --out {where}"
            say(f"saved {where} after {plural(trainer.made, 'update')}; go on with {go_on}")
            raise KeyboardInterrupt
        curves = _curves(run) if run else []
    after = trainer.scores()
    unseen = trainer.held_out is not task or not isinstance(task, TextTask)
    which = "unseen sequences" if unseen else "the text itself, too short to hold some out"
    print(f"{label}: {before['loss']:.3f} -> {after['loss']:.3f} {task.unit} on {which}")
    for name in [name for name in after if name != "loss"]:
        print(f"{label}: {name} {number(before[name])} -> {number(after[name])}")
    if task.criterion is not None:
        solved = f"solved after {plural(trainer.made, 'update')}" if trainer.solved else "not solved"
        print(f"{label}: {solved} ({task.criterion})")
    for path in [where, *map(shown, curves)]:
        print(f"written: {path}")
    if found := diverged(before["loss"], after["loss"]):
        say(f"warning: {found} (--lr); {where} holds what came of it")
    return 0


def _say_what_is_cut_off(trainer: Trainer) -> None:
    """Say if truncated back-propagation truncates nothing."""
    cut, steps = trainer.cures.truncate, trainer.task.steps
    if cut is not None and cut[1] >= steps:
        say(f"--truncate: a sequence has {plural(steps, 'step')}, and {cut[1]} steps back nothing is cut off")


def _updated(trainer: Trainer, keeper: FileKeeper | RunKeeper, options: argparse.Namespace) -> str:
    """Make the updates, with a bar; return how they ended."""
    if trainer.made == trainer.updates:  # killed after its last checkpoint, or resumed once more
        say(f"all {plural(trainer.made, 'update')} have been made; --updates asks for more in all")
        return "done"
    shown_as = trainer.model.cell_name, trainer.updates, trainer.task.unit, trainer.made
    with interrupt_waits() as interrupted, training_progress(*shown_as) as advance:
        return trainer.train(keeper, options.every, advance, interrupted)


def _curves(run: Run) -> list[Path]:
    """Draw the curves of a run into its folder; return what was written."""
    try:
        figure = plots.curves({short_name(run): run.history()}, run.settings["unit"], run.criterion)
        return plots.save(figure, run.path / "curves")
    except MissingToolError as error:
        say(f"the curves are not drawn: {error}")
        return []
