"""`tinygrad-rnn forecast`: let trained models forecast a series, beside forecasts that cost nothing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli.entries import can_plot, style_of
from tinygrad_rnn.cli.files import only_of_this_run, writable_folder, write_json
from tinygrad_rnn.cli.learned import learned
from tinygrad_rnn.cli.problem import check_device
from tinygrad_rnn.cli.summary import Output
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.tasks.series import UNITS, SeriesTask
from tinygrad_rnn.train import Forecasts, SequenceModel, forecasts_of
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots.forecast import alt, sentences
from tinygrad_rnn.viz.sheet import DEFAULT_FORMATS

SCHEMA = "tinygrad_rnn.forecast/1"
#: How its files are called.
STEM = "forecast"
NUMBERS = f"{STEM}.json"

Models = dict[str, list[tuple[SequenceModel, SeriesTask]]]


def run(options: argparse.Namespace) -> int:
    """Forecast, and print the errors; see `tinygrad-rnn forecast --help`."""
    check_device(options)
    models = _models(options)
    task = next(iter(models.values()))[0][1]
    folder = Path(options.out)
    formats = options.format or DEFAULT_FORMATS
    plotted = can_plot(folder / f"{STEM}.{formats[0]}")
    names = [*(f"{STEM}.{kind}" for kind in formats if plotted), NUMBERS]
    writable_folder(folder, "--out", names)
    with only_of_this_run(folder, "forecast", names), threadpool_limits(limits=1, user_api="blas"):
        found = forecasts_of(models, task.season if options.steps is None else options.steps)
        said = _to_json(found, options, [shown(folder / name) for name in names])
        write_json(folder / NUMBERS, said)
        if plotted:
            plots.save(plots.forecast(found, style=style_of(options)), folder / STEM, formats)
    if options.json:
        print(json.dumps(said, indent=2, allow_nan=False))
    else:
        _print_table(found)
        print("\n".join(said["claims"]))
        print(f"\nwritten: {', '.join(said['files'])}")
    return 0


def _models(options: argparse.Namespace) -> Models:
    """Return the models with their tasks, those that differ in their weights only under one name."""
    groups: dict[str, list[tuple[SequenceModel, SeriesTask]]] = {}
    options.models = list({Path(path).resolve(): path for path in options.models}.values())  # each once
    for path in options.models:
        found = learned(path, options.device, SeriesTask, "forecast a series")
        model, task = cast(SequenceModel, found.checkpoint.model), found.task
        same = json.dumps([task.specification, task.steps, model.config()], sort_keys=True)
        groups.setdefault(same, []).append((model, task))
    named: Models = {}
    for each in groups.values():
        model, task = each[0]
        name = f"{model.cell_name}, {task.feed}"
        if name in named:
            config = model.config()
            name += f", H {config['hidden_size']}, L {config['num_layers']}, T {task.steps}"
        while name in named:
            name += "'"
        named[name] = each
    return named


def _print_table(found: Forecasts) -> None:
    console = Output.wide()
    table = Table("error of", box=SIMPLE_HEAD, pad_edge=False)
    shown_at = sorted({0, (found.steps - 1) // 2, found.steps - 1})
    for at in shown_at:
        table.add_column(plural(at + 1, "step"), justify="right", no_wrap=True)
    for name in (*found.models, *found.baselines):
        table.add_row(escape(name), *[_errors(found.rmse(name)[:, at]) for at in shown_at])
    console.print(table)
    several = any(len(each) > 1 for each in found.models.values())
    band = ";\n(lowest-highest) of models that differ in their weights only" if several else ""
    console.print(
        f"error: the root of the mean squared error in {UNITS[found.task.of]}, so many steps ahead, from "
        f"{plural(len(found.origins), 'origin')}{band}\n",
        highlight=False,
    )


def _errors(errors: np.ndarray) -> str:
    """Return an error, or the median of several with the lowest and the highest."""
    middle = number(float(np.median(errors)))
    return middle if len(errors) == 1 else f"{middle} ({number(float(errors.min()))}-{number(float(errors.max()))})"


def _to_json(found: Forecasts, options: argparse.Namespace, files: list[str]) -> dict[str, Any]:
    task = found.task
    return {
        "schema": SCHEMA,
        "models": list(options.models),
        "series": task.of,
        "unit": UNITS[task.of],
        "steps": found.steps,
        "years": task.years(found.origins).tolist(),
        "truth": found.truth.tolist(),
        "forecasts": {name: each.tolist() for name, each in found.models.items()},
        "baselines": {name: each.tolist() for name, each in found.baselines.items()},
        "rmse": {name: found.rmse(name).tolist() for name in (*found.models, *found.baselines)},
        "claims": sentences(found),
        "alt": alt(found),
        "files": files,
    }
