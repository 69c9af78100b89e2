"""`tinygrad-rnn train`: train a model, and keep it in a run or in a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli.files import writable_folder
from tinygrad_rnn.cli.interrupts import interrupt_waits
from tinygrad_rnn.cli.options import RUNS, TRAINING
from tinygrad_rnn.cli.places import load_newest, newest_model
from tinygrad_rnn.cli.problem import check_device, say
from tinygrad_rnn.cli.progress import training_progress
from tinygrad_rnn.cli.runs import short_name
from tinygrad_rnn.cli.trainers import again, cures_of, new, remember
from tinygrad_rnn.errors import DivergenceError, InputError, MissingToolError
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.tasks import TextTask, parse_task
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import FileKeeper, Run, RunKeeper, Trainer, diverged
from tinygrad_rnn.train.event_files import require_tensorboardx
from tinygrad_rnn.train.runs import check_name, previous_of
from tinygrad_rnn.viz import plots


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
    cures_of(options)
    if options.name is not None:
        try:
            check_name(options.name)
        except InputError as error:
            raise InputError(f"--name: {error}") from None


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
    trainer = new(options)
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
    remember(options, checkpoint, shown(path))
    if path.is_dir():
        run = Run(path)
        if options.out is None and options.name is None:
            say(f"--resume: goes on with {shown(path)}")
        trainer = again(options, checkpoint, shown(path), **given)
        return _train(
            trainer, RunKeeper.resume(run, trainer, keep=options.keep, event_file=options.tensorboard), options
        )
    writable_folder(path.parent, "--out", [path.name])
    trainer = again(options, checkpoint, shown(path), **given)
    return _train(trainer, FileKeeper(path, own=True), options, shown(path))


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
