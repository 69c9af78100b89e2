"""The options of the commands that train: train, reproduce; and of runs, which lists what came of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from tinygrad_rnn.cli.options import (
    DROPOUT,
    DTYPES,
    EXPERIMENTS,
    LEARNING_RATE,
    RUNS,
    UPDATES,
    add_device,
    add_seed,
    cells_help,
    command,
    option,
    remembered,
    tasks_help,
)
from tinygrad_rnn.cli.usage import Parser
from tinygrad_rnn.cli.values import (
    cell,
    k1_and_k2,
    optimizer,
    positive_float,
    positive_int,
    schedule,
    share_below_1,
    task,
    whole_number,
    zoneout,
)
from tinygrad_rnn.optim import OPTIMIZERS, SCHEDULES

__all__ = ["add_reproduce", "add_runs", "add_train"]


def add_train(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command train."""
    train = command(
        commands,
        "train",
        "train a model, and keep it with all that it takes to go on",
        "Train a model. Its settings, metrics, curves and last checkpoints go to runs/NAME, where no other run is "
        "touched; or all that it takes to go on or to sample from it goes to one file, --out.",
    )
    # With --resume the checkpoint says these; without a default here the command can tell whether they were given.
    remembered(train, "--cell", cells_help(), type=cell, metavar="CELL")
    remembered(train, "--task", tasks_help(), type=task, metavar="TASK")
    train.add_argument("--text", metavar="FILE", help="text to learn, in UTF-8 (default: one made by a grammar)")
    steps_help = "length of a sequence (default: what `tinygrad-rnn tasks` says)"
    train.add_argument("--steps", type=positive_int, metavar="T", help=steps_help)
    remembered(train, "--hidden", "size of the state", type=positive_int, metavar="H")
    remembered(train, "--layers", "cells stacked", type=positive_int, metavar="L")
    remembered(train, "--dropout", DROPOUT, type=share_below_1, metavar="P")
    zoneout_help = "share of a state that stays as it was, at each step, in training; or one of each, as c=0.5,h=0.05"
    remembered(train, "--zoneout", zoneout_help, type=zoneout, metavar="P")
    variational_help = "share of input and state dropped, the same elements at every step of a sequence, in training"
    remembered(train, "--variational", variational_help, type=share_below_1, metavar="P")
    add_device(train)
    remembered(train, "--dtype", "of the numbers computed with", choices=DTYPES)
    remembered(train, "--batch", "examples in a batch", type=positive_int, metavar="B")
    how_long = train.add_mutually_exclusive_group()
    updates_help = f"updates to have made at the end (default: {UPDATES}; with --resume as many as were asked for)"
    how_long.add_argument("--updates", type=positive_int, metavar="N", help=updates_help)
    epochs_help = "the same in epochs: the updates that see as many examples as the text, or other data, has"
    how_long.add_argument("--epochs", type=positive_int, metavar="N", help=epochs_help)
    until_help = "end when the task counts as solved; see `tinygrad-rnn tasks`"
    train.add_argument("--until-solved", action=argparse.BooleanOptionalAction, default=None, help=until_help)
    options = ", ".join(f"{name} ({', '.join(entry.options)})" for name, entry in OPTIMIZERS.items())
    optimizer_help = f"how weights follow their gradient: {options}; as in sgd:momentum=0.9:nesterov=yes"
    remembered(train, "--optimizer", optimizer_help, type=optimizer, metavar="OPTIMIZER")
    lr_help = f"the learning rate, from which a schedule starts (default: {LEARNING_RATE}; with --resume as before)"
    train.add_argument("--lr", type=positive_float, metavar="X", help=lr_help)
    remembered(train, "--clip", "largest norm of a gradient", type=positive_float, metavar="X")
    _add_cures(train)
    validate_help = "measure on examples that it does not learn from, after so many updates"
    remembered(train, "--validate-every", validate_help, type=positive_int, metavar="N")
    remembered(train, "--every", "make a checkpoint after so many updates", type=positive_int, metavar="N")
    remembered(train, "--keep", "so many checkpoints, the last ones", type=positive_int, metavar="K")
    remembered(train, "--seed", "same seed and text, same numbers", type=whole_number, metavar="S")
    seeds_help = "a run for each of so many seeds, --seed and those after it: runs/NAME.seed-S"
    option(train, "--seeds", 1, seeds_help, type=positive_int, metavar="N")
    where = train.add_mutually_exclusive_group()
    name_help = f"the run goes to {RUNS}/NAME (default: TASK-CELL, or TASK-CELL-2, ... if that is taken)"
    where.add_argument("--name", metavar="NAME", help=name_help)
    out_help = "keep it in this file alone instead; a file that is there already is kept as FILE.prev"
    where.add_argument("--out", metavar="FILE", help=out_help)
    resume_help = (
        "go on with the run --name, the file --out, or else the newest run, which bring their own text, sizes and seed"
    )
    train.add_argument("--resume", action="store_true", help=resume_help)
    events_help = "also write the metrics as event files for TensorBoard"
    train.add_argument("--tensorboard", action="store_true", help=events_help)


def _choices(table: Mapping[str, Any]) -> str:
    """Return the names of a table with their options, in brackets those that can be left out."""
    words = []
    for name, entry in table.items():
        needed = getattr(entry, "needed", ())
        options = (f":{each}=..." if each in needed else f"[:{each}=...]" for each in entry.options)
        words.append(name + "".join(options))
    return ", ".join(words)


def _add_cures(train: Parser) -> None:
    """Add what can be done about gradients that vanish or explode, and about what else goes wrong in training."""
    schedule_help = f"how the learning rate changes: {_choices(SCHEDULES)}"
    train.add_argument("--schedule", type=schedule, metavar="SCHEDULE", help=schedule_help)
    pretrain_help = "before, let each layer learn to predict what it reads next, for so many updates"
    remembered(train, "--pretrain", pretrain_help, type=whole_number, metavar="N")
    value_help = "largest element of a gradient, limited before the norm is"
    train.add_argument("--clip-value", type=positive_float, metavar="X", help=value_help)
    how = train.add_mutually_exclusive_group()
    truncate_help = "after every K1 steps go back K2, K2 >= K1: truncated back-propagation"
    how.add_argument("--truncate", type=k1_and_k2, metavar="K1,K2", help=truncate_help)
    recompute_help = "keep the graph of sqrt(T) steps at a time, and compute the states twice"
    how.add_argument("--recompute", action="store_true", default=None, help=recompute_help)
    omega_help = "weight of Pascanu's regulariser against vanishing gradients; for cells rnn and irnn"
    how.add_argument("--omega", type=positive_float, metavar="X", help=omega_help)
    teacher_help = "scheduled sampling: linear[:over=...][:least=...], exponential[:k=...] or sigmoid[:k=...]"
    how.add_argument("--teacher", metavar="TEACHER", help=teacher_help)


def add_runs(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command runs."""
    listed = command(
        commands,
        "runs",
        "list the runs that train made, and compare their curves",
        "List the runs that train made: their last validation, whether they solved the task and when, how long they "
        "took.",
    )
    listed.add_argument("folder", nargs="?", default=RUNS, metavar="DIR", help=f"where they are (default: {RUNS})")
    plot_help = (
        "draw the curves of all runs of a task over each other, as DIR/TASK.svg and .png; runs that differ in their "
        "seed only become a line with a band"
    )
    listed.add_argument("--plot", action="store_true", help=plot_help)
    listed.add_argument("--json", action="store_true", help="print the list as JSON instead of a table")


def add_reproduce(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command reproduce."""
    reproduce = command(
        commands,
        "reproduce",
        "do experiments of papers again, in minutes, and print the results beside those published",
        "Do an experiment of a paper again, in a size for a laptop: greff (nine variants of the LSTM on one task), "
        "forget-gate (continual Reber strings with a forget gate and without), pascanu (clipping and Omega on the "
        "temporal order problem), hochreiter (the experiments of 1997, under their own conditions). Says what differs "
        "from the paper, and what was not reached. "
        "Writes NAME.json and NAME.md.",
    )
    reproduce.add_argument("name", choices=EXPERIMENTS, metavar="NAME", help=f"one of {', '.join(EXPERIMENTS)}")
    seeds_help = "trials of each learner: with --seed and the seeds after it (default: 3)"
    reproduce.add_argument("--seeds", type=positive_int, metavar="N", help=seeds_help)
    add_seed(reproduce)
    updates_help = "updates of a trial at most (default: those of the experiment)"
    reproduce.add_argument("--updates", type=positive_int, metavar="N", help=updates_help)
    only_help = "these of the learners, or of the experiments of 1997: 6a 6b (default: all; of 1997 the shortest)"
    reproduce.add_argument("--only", nargs="+", metavar="LINE", help=only_help)
    option(reproduce, "--out", "build/reproduce", "folder for the files", metavar="DIR")
    reproduce.add_argument("--json", action="store_true", help="print all numbers as JSON instead of the table")
