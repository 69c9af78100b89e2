"""`tinygrad-rnn flow`: measure how the gradient of several cells flows, plot it, and put all of it on one page."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from threadpoolctl import threadpool_limits

from tinygrad_rnn import optim
from tinygrad_rnn.cli.entries import (
    CLIP,
    NUMBERS,
    TRAINING_DTYPE,
    can_plot,
    fresh_model,
    style_of,
    style_words,
    write_numbers,
)
from tinygrad_rnn.cli.files import only_of_this_run, writable_folder
from tinygrad_rnn.cli.options import FLOW_CELLS, LEARNING_RATE
from tinygrad_rnn.cli.problem import (
    check_cells,
    check_device,
    check_memory,
    corpus_of,
    describe,
    facts_about,
    fits,
    has_fixed_length,
    make_task,
    say,
    setting,
)
from tinygrad_rnn.cli.progress import training_progress
from tinygrad_rnn.cli.summary import Output, finite
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import FlowReport, changes, reasons
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.tasks import Corpus, Task, Vocabulary
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import (
    Checkpoint,
    Model,
    Update,
    diverged,
    load_checkpoint,
    measure,
    training_flow,
)
from tinygrad_rnn.viz.measured import JACOBIAN_EXAMPLES, measured_entry
from tinygrad_rnn.viz.plots import PLOTS, Entry
from tinygrad_rnn.viz.sheet import DEFAULT_FORMATS, PAGE, Row, cells, files, rows, write_sheet

SCHEMA = "tinygrad_rnn.sheet/1"
#: What the options are unless given; with --model the file says it, and these cannot be given.
DEFAULTS = {"task": "text", "hidden": 64, "layers": 1, "dropout": 0.0, "train": 50}
DEFAULT_STEPS = 100
#: After which share of the updates the flow is measured again.
MOMENTS = (0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Subject:
    """One cell to measure: as it starts, or trained."""

    cell: str
    model: Model
    updates_made: int = 0

    @property
    def name(self) -> str:
        """What it is called on the sheet."""
        return self.cell + (f", {plural(self.updates_made, 'update')}" if self.updates_made else "")


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for; see `tinygrad-rnn flow --help`."""
    check_device(options)
    checkpoint = _take_model(options) if options.model else None
    if checkpoint is None:
        _take_cells(options)
    corpus = corpus_of(options)
    task = _task(options, corpus, checkpoint)
    options.steps = task.steps
    names = [checkpoint.model.cell_name] if checkpoint else list(options.cells)
    check_cells(options, task, names)
    check_memory(options, task, names)
    folder = Path(options.out)
    stems = [_stem(name, options, seed) for name in names for seed in _seeds(options)]
    numbers = [f"{stem}.{kind}" for stem in stems for kind in NUMBERS]
    formats = options.format or DEFAULT_FORMATS
    plotted = can_plot(folder / PAGE, options.lang)
    may_be_written = [*(files(formats) if plotted else ()), *numbers]
    writable_folder(folder, "--out", may_be_written)
    describe(corpus, task)
    with (
        only_of_this_run(folder, "flow", may_be_written),
        threadpool_limits(limits=1, user_api="blas"),  # two threads lose to one on products this small
    ):
        subjects = (
            [Subject(names[0], checkpoint.model, checkpoint.settings["updates"])]
            if checkpoint
            else [Subject(name, fresh_model(name, task, options, options.seed)) for name in names]
        )
        entries = [_entry(subject, task, corpus, options, folder) for subject in subjects]
        settings = _settings(options, corpus, task)
        written = []
        if plotted:
            words = command(options)
            style = style_of(options)
            written = write_sheet(folder, entries, settings, words, formats, style, lambda name: say(f"plot: {name}"))
    made = [*(shown(folder / name) for name in numbers), *map(shown, written)]
    if options.json:
        print(json.dumps(_to_json(entries, settings, made), indent=2, allow_nan=False))
    else:
        _print_table(entries)
        print("\n".join(PLOTS["through_time"].sentences(entries)))
        one = f"all in one: {shown(written[-1])}" if written else f"no {PAGE}, for want of Matplotlib"
        print(f"\nwritten: {plural(len(made), 'file')} in {shown(folder)}; {one}")
    return 0


def _seeds(options: argparse.Namespace) -> range:
    return range(options.seed, options.seed + options.seeds)


def _stem(cell: str, options: argparse.Namespace, seed: int) -> str:
    """Return how the files about a cell begin; those of the first seed do not name it."""
    name = parse_cell(cell).file_name
    return name if seed == options.seed else f"{name}.seed-{seed}"


# ---- what to measure -----------------------------------------------------------------------------------------------


def _take_cells(options: argparse.Namespace) -> None:
    for name, value in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.cells = tuple(dict.fromkeys(options.cells or FLOW_CELLS))
    if options.steps is None and not has_fixed_length(options):
        options.steps = DEFAULT_STEPS


def _take_model(options: argparse.Namespace) -> Checkpoint:
    """Take from the file what it was trained on."""
    for name in DEFAULTS:
        if getattr(options, name) is not None:
            raise InputError(f"--{name} goes with --cells; with --model the file says it")
    if options.seeds > 1:
        raise InputError("--seeds goes with --cells; a model has the weights that it has")
    checkpoint = load_checkpoint(options.model, options.device)
    for name in ("task", "steps", "text", "updates"):
        try:
            value = setting(checkpoint, name)
        except InputError as error:
            raise InputError(f"--model: {shown(options.model)}: {error}") from None
        if getattr(options, name, value) is None:
            setattr(options, name, value)
    config = checkpoint.model.config()
    options.hidden, options.layers = config["hidden_size"], config["num_layers"]
    options.train = 0
    return checkpoint


def _task(options: argparse.Namespace, corpus: Corpus | None, checkpoint: Checkpoint | None) -> Task:
    """Return the task; a trained model goes on with the characters it knows."""
    if checkpoint is None:
        return make_task(options, corpus)
    task = make_task(options, corpus, Vocabulary(setting(checkpoint, "vocabulary")) if corpus else None)
    if not fits(checkpoint.model, task):
        raise InputError(f"--model: {options.model} was not trained on the task {options.task!r} that it names")
    return task


# ---- measuring -----------------------------------------------------------------------------------------------------


def _entry(subject: Subject, task: Task, corpus: Corpus | None, options: argparse.Namespace, folder: Path) -> Entry:
    """Measure everything about one cell; its numbers are on disk before its training begins."""
    say(f"{subject.name}: measuring the loss of the last step")
    model = subject.model.converted(options.dtype)
    facts = facts_about(corpus, subject.updates_made)
    measurement = measure(model, task, options.batch, options.seed, True, options.threshold, facts)
    write_numbers(folder / _stem(subject.cell, options, options.seed), measurement)
    repeats = list(_repeated(subject, task, facts, options, folder))
    history, updates, ended = _trained(subject, task, options, measurement.report)
    return measured_entry(
        subject.name, model, task, options.batch, options.seed, measurement.report, say, repeats=repeats,
        updates_made=subject.updates_made, history=history, updates=updates, clip=CLIP, ended=ended,
    )  # fmt: skip


def _repeated(
    subject: Subject, task: Task, facts: dict[str, Any], options: argparse.Namespace, folder: Path
) -> Iterator[FlowReport]:
    """Yield the same measurement with the other seeds: other weights and another batch."""
    for seed in _seeds(options)[1:]:
        say(f"{subject.name}: measuring seed {seed}")
        model = fresh_model(subject.cell, task, options, seed).converted(options.dtype)
        measurement = measure(model, task, options.batch, seed, True, options.threshold, facts)
        write_numbers(folder / _stem(subject.cell, options, seed), measurement)
        yield measurement.report


def _trained(
    subject: Subject, task: Task, options: argparse.Namespace, before: FlowReport
) -> tuple[list[tuple[int, FlowReport]], list[Update], str | None]:
    """Train, and return what was measured in between, the updates, and what is to be said if it diverged."""
    if not options.train:
        return [], [], None
    history, updates = [(0, before)], list[Update]()
    adam = optim.Adam(subject.model.parameters(), lr=LEARNING_RATE)
    moments = {math.ceil(share * options.train) for share in MOMENTS}
    with training_progress(subject.name, options.train, task.unit) as advance:

        def note(update: Update) -> None:
            updates.append(update)
            advance(update)

        try:
            for made, measurement in training_flow(
                subject.model, task, adam, options.train, options.batch, options.seed, moments,
                clip=CLIP, dtype=options.dtype, threshold=options.threshold, on_update=note,
            ):  # fmt: skip
                history.append((made, measurement.report))
        except InputError as error:  # training diverged: a finding about this cell, and no reason to lose the others
            say(f"{subject.name}: {error}")
            return history, updates, str(error)
    if ended := diverged(updates[0].loss, updates[-1].loss):
        say(f"{subject.name}: {ended}")
    return history, updates, ended


# ---- what came out -------------------------------------------------------------------------------------------------


def command(options: argparse.Namespace) -> str:
    """Return a command line that does the same, with nothing left to defaults."""
    words = ["tinygrad-rnn", "flow"]
    if options.model:
        words += ["--model", options.model]
    else:
        words += ["--cells", ",".join(options.cells)]
        for name in DEFAULTS:
            words += [f"--{name}", str(getattr(options, name))]
    if options.text is not None:
        words += ["--text", options.text]
    for name in ("steps", "batch", "dtype", "device", "seed", "seeds", "threshold", "out"):
        if name != "steps" or not has_fixed_length(options):
            words += [f"--{name}", str(getattr(options, name))]
    words += style_words(options)
    return shown(shlex.join(words))


def _settings(options: argparse.Namespace, corpus: Corpus | None, task: Task) -> dict[str, Any]:
    """Return what the page and the JSON say about the run."""
    settings = {name: getattr(options, name) for name in ("task", "steps", "hidden", "layers", "batch", "seed")}
    settings |= {"seeds": options.seeds} if options.seeds > 1 else {}
    settings |= {"dtype": options.dtype, "threshold": options.threshold}
    settings["jacobian_examples"] = min(options.batch, JACOBIAN_EXAMPLES)
    if corpus is not None:
        settings |= {"text": corpus.source, "text_sha256": corpus.sha256}
    if options.model:
        settings["model"] = shown(options.model)
    settings["updates"] = options.train
    if options.train:
        settings |= {"learning_rate": LEARNING_RATE, "clip": CLIP, "training_dtype": TRAINING_DTYPE}
    return settings | {"loss": task.unit}


def _print_table(entries: Sequence[Entry]) -> None:
    console = Output.wide()
    found = rows(entries)
    shown = [lag for lag in found[0].left if lag != 1]  # the page has all; here they would not fit a line
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("cell", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in [*(f"lag {lag}" for lag in shown), "horizon", "factor", "half-life"]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    before = ""
    for row in found:
        numbers = cells(replace(row, left={lag: row.left[lag] for lag in shown}))
        table.add_row(row.name if row.name != before else "", row.state, *numbers, row.verdict)
        before = row.name
    console.print(table)
    console.print(
        "factor per step, half-life in steps: of the mean decay down to the horizon, or to the last lag;\n"
        "no half-life where a straight line does not fit\n"
        f"explodes: at some step more than {EXPLODED:g} times the gradient at the last; survives: no\n"
        "horizon, which does not say that anything is learned from the first step\n",
        highlight=False,
    )


def _to_json(entries: Sequence[Entry], settings: dict[str, Any], files: Sequence[str]) -> dict[str, Any]:
    by_name: dict[str, list[Row]] = {}
    for row in rows(entries):
        by_name.setdefault(row.name, []).append(row)
    return {
        "schema": SCHEMA,
        **settings,
        "results": [
            {
                "cell": entry.cell,
                "updates": entry.updates_made,
                "status": entry.report.status,
                "verdict": entry.report.verdict,
                "verdict_reason": entry.report.verdict_reason,
                "why": reasons.why(entry.report),
                "change": changes.remedy(entry.report),
                "states": [_state(row) for row in by_name[entry.name] if row.state != "-"],
                "training": [
                    {"updates": made, "verdict": report.verdict, "horizon": report.horizon and report.horizon.steps}
                    for made, report in entry.history
                ],
                "ended": entry.ended,
                "seeds": [_seed(seed, report) for seed, report in enumerate(_runs(entry), settings["seed"])],
            }
            for entry in entries
        ],
        "claims": PLOTS["through_time"].sentences(entries),
        "files": list(files),
    }


def _runs(entry: Entry) -> list[FlowReport]:
    return [entry.report, *entry.repeats]


def _seed(seed: int, report: FlowReport) -> dict[str, Any]:
    horizon = report.horizon and report.horizon.steps
    return {"seed": seed, "status": report.status, "verdict": report.verdict, "horizon": horizon}


def _state(row: Row) -> dict[str, Any]:
    return {
        "state": row.state,
        "relative": {str(lag): finite(share) for lag, share in row.left.items()},
        "horizon": row.horizon,
        "per_step": finite(row.per_step),
        "half_life": finite(row.half_life),
    }
