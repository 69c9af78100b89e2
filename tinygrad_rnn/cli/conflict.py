"""`tinygrad-rnn conflict`: what a unit that stores is asked for at once, and how a gate takes that off its weights."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli.entries import can_plot, style_of, style_words
from tinygrad_rnn.cli.files import only_of_this_run, writable_folder, write_json
from tinygrad_rnn.cli.options import CONFLICT_CELLS
from tinygrad_rnn.cli.problem import check_device, check_memory, say
from tinygrad_rnn.cli.summary import Output, finite
from tinygrad_rnn.engine.creation import manual_seed
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.tasks import ConflictTask
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import ConflictRun, SequenceModel, cancelled, conflict_of
from tinygrad_rnn.train.conflict import MEASURED_EXAMPLES, bit_row
from tinygrad_rnn.train.measure import versions
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots.conflict import (
    LEARNED,
    LOOKED_AT,
    alt,
    by_task_and_cell,
    conflict,
    parts,
    sentences,
    share_cancelled,
)
from tinygrad_rnn.viz.sheet import DEFAULT_FORMATS

SCHEMA = "tinygrad_rnn.conflict/1"
#: How its files are called.
STEM = "conflict"
NUMBERS = f"{STEM}.json"
#: After which share of the updates the contributions are measured, besides before the first.
MOMENTS = (0.1, 1.0)
#: Signed contributions that cancel should cancel in the numbers, too.
DTYPE = "float64"


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for; see `tinygrad-rnn conflict --help`."""
    check_device(options)
    options.cells = tuple(dict.fromkeys(options.cells or CONFLICT_CELLS))
    tasks = [ConflictTask(options.steps, kind) for kind in LOOKED_AT]
    for cell in options.cells:
        bit_row(cell)
    sizes = {"hidden": 1, "layers": 1, "batch": max(options.batch, MEASURED_EXAMPLES)}
    check_memory(argparse.Namespace(**vars(options) | sizes), tasks[0], options.cells)
    folder = Path(options.out)
    formats = options.format or DEFAULT_FORMATS
    plotted = can_plot(folder / f"{STEM}.{formats[0]}")
    names = [*(f"{STEM}.{kind}" for kind in formats if plotted), NUMBERS]
    writable_folder(folder, "--out", names)
    with (
        only_of_this_run(folder, "conflict", names),
        threadpool_limits(limits=1, user_api="blas"),  # two threads lose to one on products this small
    ):
        runs = list(_runs(tasks, options))
        found = _to_json(runs, options, [shown(folder / name) for name in names])
        write_json(folder / NUMBERS, found)
        if plotted:
            plots.save(conflict(runs, style=style_of(options)), folder / STEM, formats)
    if options.json:
        print(json.dumps(found, indent=2, allow_nan=False))
    else:
        _print_table(runs)
        print("\n".join(found["claims"]))
        print(f"\nwritten: {', '.join(found['files'])}")
    return 0


def _runs(tasks: Sequence[ConflictTask], options: argparse.Namespace) -> Iterator[ConflictRun]:
    """Train every cell on every task with every seed."""
    moments = {math.ceil(share * options.train) for share in MOMENTS}
    for task in tasks:
        for cell in options.cells:
            for seed in range(options.seed, options.seed + options.seeds):
                manual_seed(seed)
                sizes = task.input_size, 1, task.output_size
                model = SequenceModel(cell, *sizes, dtype=DTYPE, device=options.device)
                found = conflict_of(model, task, options.train, options.batch, seed, moments)
                when = f"after {plural(options.train, 'update')}" if options.train else "before training"
                say(f"{task.kind}, {cell}, seed {seed}: loss {number(found.loss)} {when}")
                yield found


# ---- what came out -------------------------------------------------------------------------------------------------


def command(options: argparse.Namespace) -> str:
    """Return a command line that does the same, with nothing left to defaults."""
    words = ["tinygrad-rnn", "conflict", "--cells", ",".join(options.cells)]
    for name in ("steps", "batch", "train", "device", "seed", "seeds", "out"):
        words += [f"--{name}", str(getattr(options, name))]
    return shown(shlex.join([*words, *style_words(options)]))


def _print_table(runs: Sequence[ConflictRun]) -> None:
    console = Output.wide()
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    trained = any(run.pulls[-1].updates for run in runs)
    when = "before and after training" if trained else "before training"
    for heading in ("task", "weight", "cell"):
        table.add_column(heading, no_wrap=True)
    for heading in ("cancels", "its step", "the others", "loss", "learned"):
        table.add_column(heading, justify="right", no_wrap=True)
    for task, found in by_task_and_cell(runs).items():
        head = task, LOOKED_AT[task].weight
        for cell, repeats in found.items():
            first, *_ = repeats
            before, after = (np.median([share_cancelled(run, run.pulls[at]) for run in repeats]) for at in (0, -1))
            relevant, others = (number(part) for part in parts(first, first.pulls[-1]))
            loss = number(float(np.median([run.loss for run in repeats])))
            learned = f"{sum(run.loss < LEARNED for run in repeats)} of {len(repeats)}"
            cancels = f"{before:.0%} -> {after:.0%}" if trained else f"{before:.0%}"
            table.add_row(*head, escape(cell), cancels, relevant, others, loss, learned)
            head = "", ""
    console.print(table)
    console.print(
        "cancels: 1 - |sum over the steps of what they contribute to the gradient of the weight| / sum of the\n"
        f"sizes, {when}; it is near 100% wherever training has come to rest.\n"
        f"its step, the others: what they contribute {'in the end' if trained else 'then'}, first seed; much of both, "
        "with other signs, is a conflict.\n"
        f"loss: 1 is that of always answering 0. learned: with how many seeds it is below {LEARNED:g}.\n"
        "cancels and loss are medians over the seeds.\n",
        highlight=False,
    )


def _to_json(runs: Sequence[ConflictRun], options: argparse.Namespace, files: Sequence[str]) -> dict[str, Any]:
    names = ("steps", "batch", "train", "device", "seed", "seeds")
    return {
        "schema": SCHEMA,
        **{name: getattr(options, name) for name in names},
        "dtype": DTYPE,
        "hidden": 1,
        "versions": versions(),
        "command": command(options),
        "results": [_result(run) for run in runs],
        "claims": sentences(runs),
        "alt": alt(runs),
        "files": list(files),
    }


def _result(run: ConflictRun) -> dict[str, Any]:
    return {
        "task": run.task.kind,
        "cell": run.cell,
        "seed": run.seed,
        "loss": finite(run.loss),
        "learned": run.loss < LEARNED,
        "least_of_a_carousel": run.task.least_of_a_carousel,
        "product": finite(run.product),
        "contributions": [
            {
                "updates": pulls.updates,
                "incoming": pulls.incoming.tolist(),
                "outgoing": pulls.outgoing.tolist(),
                "cancelled": {weight: cancelled(getattr(pulls, weight)) for weight in ("incoming", "outgoing")},
            }
            for pulls in run.pulls
        ],
        "losses": run.losses.tolist(),
    }
