"""`tinygrad-rnn runs`: what train has made, side by side."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tinygrad_rnn.cli.files import writable_folder
from tinygrad_rnn.cli.problem import say
from tinygrad_rnn.cli.progress import duration
from tinygrad_rnn.cli.summary import Output, finite
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow.sentences import number
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import History, Run, runs_in
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots.curves import sentences

SCHEMA = "tinygrad_rnn.runs/1"

Found = Sequence[tuple[Run, History]]

#: In what runs of one group may differ.
OWN = ("seed", "event_file", "version", "every", "keep")


def run(options: argparse.Namespace) -> int:
    """Print the runs of a folder; draw their curves over each other if asked to."""
    found = _read(options.folder)
    if not found:
        raise InputError(f"there are no runs in {shown(options.folder)}; `tinygrad-rnn train` makes them")
    if options.plot:
        plots.require_matplotlib()
        writable_folder(Path(options.folder), "the plots", [])
    rows = [_row(run, history) for run, history in found]
    if options.json:
        print(json.dumps({"schema": SCHEMA, "runs": rows}, indent=2))
    else:
        _print(rows)
    if options.plot:
        _plot(found, Path(options.folder), quiet=options.json)
    return 0


def _read(folder: str) -> Found:
    """Return the runs with what their metrics say; those that cannot be read are named and left out."""
    found = []
    for each in runs_in(folder):
        try:
            _check(each)
            found.append((each, each.history()))
        except InputError as error:
            say(f"{shown(each.path)} is left out: {error}")
    return found


def _check(run: Run) -> None:
    """Make sure that a run says what the list and the plots take of it; InputError if it is damaged."""
    for name, kinds in (("task", str | None), ("model", dict), ("seed", int), ("unit", str), ("target", int)):
        if not isinstance(found := run.settings.get(name), kinds):
            raise InputError(f"its settings are damaged: {name} is {found!r}")
    _ = run.criterion, run.seconds()


def _row(run: Run, history: History) -> dict[str, Any]:
    settings = run.settings
    made = [*history.updates.tolist(), *history.validated.tolist(), 0]
    return {
        "name": run.name,
        "task": settings.get("task"),
        "cell": settings.get("model", {}).get("cell"),
        "seed": settings.get("seed"),
        "updates": max(made),
        "target": settings.get("target"),
        "unit": settings.get("unit"),
        "scores": {name: finite(value) for name, value in history.last().items()},
        "criterion": None if run.criterion is None else str(run.criterion),
        "solved": history.solved,
        "diverged": history.diverged,
        "seconds": run.seconds(),
    }


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    console = Output.wide()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading, justify in (
        ("run", "left"), ("task", "left"), ("cell", "left"), ("updates", "right"), ("loss", "right"),
        ("scores", "left"), ("solved", "left"), ("time", "right"),
    ):  # fmt: skip
        table.add_column(heading, justify=justify, no_wrap=heading == "run")  # type: ignore[arg-type]
    for row in rows:
        scores = {name: number(value) if value is not None else "not finite" for name, value in row["scores"].items()}
        loss = scores.pop("loss", "-")
        table.add_row(
            row["name"],
            row["task"],
            row["cell"],
            f"{row['updates']}/{row['target']}",
            loss,
            ", ".join(f"{name} {value}" for name, value in scores.items()) or "-",
            _solved(row),
            duration(row["seconds"]),
        )
    console.print(table)


def _solved(row: Mapping[str, Any]) -> str:
    if row["diverged"] is not None:
        return "diverged"
    if row["criterion"] is None:
        return "-"
    return "no" if row["solved"] is None else f"at {row['solved']}"


def _plot(found: Found, folder: Path, quiet: bool) -> None:
    """Draw a figure for each task, a line for each run or group of runs that differ in their seed only."""
    for task in dict.fromkeys(run.settings.get("task") for run, _ in found):
        of_task = [(run, history) for run, history in found if run.settings.get("task") == task]
        histories, run = by_seed(of_task), of_task[0][0]
        paths = plots.save(plots.curves(histories, run.settings["unit"], run.criterion), folder / _task_name(run))
        if not quiet:
            print(*sentences(histories, run.settings["unit"]), sep="\n")
            print(*(f"written: {shown(path)}" for path in paths), sep="\n")


def short_name(run: Run) -> str:
    """Return the name of a run without the task: a line that begins with a cell has that cell's colour."""
    return run.name.removeprefix(f"{_task_name(run)}-") or run.name


def _task_name(run: Run) -> str:
    """Return the task of a run as a part of a file's name; it may be one of the user's own, or not be said."""
    text = run.settings.get("task") or "unnamed task"
    try:
        return parse_task(text).file_name
    except InputError:
        return re.sub(r"[^\w.-]+", "-", text).strip(".-") or "task"


def by_seed(found: Found) -> dict[str, list[History]]:
    """Return the histories, those of runs that differ in their seed only together, by the name that they share."""
    groups: dict[str, list[tuple[Run, History]]] = {}
    for run, history in found:
        same = {name: value for name, value in run.settings.items() if name not in OWN}
        groups.setdefault(json.dumps(same, sort_keys=True), []).append((run, history))
    names = [_names(group) for group in groups.values()]
    named: dict[str, list[History]] = {}
    for group, own in zip(groups.values(), names, strict=True):
        # The shortest that no other has: the full name of a run is its own.
        name = next((name for name in own if sum(name in others for others in names) == 1), own[-1])
        once = {run.settings["seed"]: history for run, history in group}  # the same seed gives the same numbers
        named[name] = list(once.values())
    return named


def _names(group: Found) -> list[str]:
    """Return what a group may be called, the shortest first."""
    first = group[0][0]
    # A name that has been given twice has a number at its end.
    shared = [re.sub(r"\.seed-\d+(-\d+)?$", "", name) for name in (short_name(first), first.name) if len(group) > 1]
    return [*shared[:1], short_name(first), *shared[1:], first.name]
