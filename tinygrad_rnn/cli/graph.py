"""`tinygrad-rnn graph`: train each cell, measure how its gradient flows before and after, draw it."""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from tinygrad_rnn import optim, viz
from tinygrad_rnn.cli.entries import CLIP, NUMBERS, fresh_model, style_of, style_words, write_numbers
from tinygrad_rnn.cli.files import only_of_this_run, writable_folder
from tinygrad_rnn.cli.options import GRAPH_CELLS, LEARNING_RATE
from tinygrad_rnn.cli.problem import (
    check_cells,
    check_device,
    check_memory,
    corpus_of,
    describe,
    facts_about,
    has_fixed_length,
    make_task,
    say,
)
from tinygrad_rnn.cli.progress import training_progress
from tinygrad_rnn.cli.summary import Result, print_table, to_json
from tinygrad_rnn.cli.tape import TAPE, write_tape
from tinygrad_rnn.cli.values import FORMATS, PLOT_FORMATS
from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.changes import remedy
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.tasks import Corpus, Task
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import (
    Measurement,
    Model,
    Update,
    backward_graph_of,
    diverged,
    evaluate,
    fit,
    measure,
)
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.measured import measured_entry
from tinygrad_rnn.viz.plots import fonts
from tinygrad_rnn.viz.sheet import DEFAULT_FORMATS as PLOTTED
from tinygrad_rnn.viz.sheet import PAGE, files, write_sheet

DEFAULT_FORMATS = ("dot", "svg", "html")
#: Unless the task has a length of its own.
DEFAULT_STEPS = 40
#: Letters in a line of what is printed.
LINE = 80


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for; see `tinygrad-rnn graph --help`."""
    _take_window(options)
    check_device(options)
    corpus = corpus_of(options)
    task = make_task(options, corpus)
    options.steps = task.steps
    _check_window(options, task)
    cells = tuple(dict.fromkeys(options.cells or GRAPH_CELLS))
    check_cells(options, task, cells)
    check_memory(options, task, cells)
    folder = Path(options.out)
    pictures = _pictures(options.format)
    html = "html" in (options.format or DEFAULT_FORMATS)
    names = [f"{stem}.{kind}" for cell in cells for stem in _stems(cell) for kind in _kinds(stem, pictures, options)]
    if html:
        _say_what_is_missing(folder, options.lang)
    pages = [*STEPPERS.values(), *files(_plotted(options))] if html else []
    writable_folder(folder, "--out", [*names, *pages])
    describe(corpus, task)
    with (
        only_of_this_run(folder, "graph", [*names, *pages]),
        threadpool_limits(limits=1, user_api="blas"),  # two threads lose to one on products this small
    ):
        results = [
            result for cell in cells for result in _measured(cell, task, corpus, options, folder, pictures, html)
        ]
        written = _write_pages(results, folder, options) if html else []
        if html:
            written.append(_write_sheet(results, folder, options, corpus, task))
    if options.json:
        print(json.dumps(to_json(results, corpus.source if corpus else None, task.unit), indent=2))
    else:
        print_table(results, task.unit)
        again = {result.cell for result in results if result.when == "untrained"}  # the initial weights a second time
        for result in results:
            change = remedy(result.measurement.report)
            if change and not (result.when == "initial" and result.cell in again):
                print("\n" + textwrap.fill(f"{result.cell}, {result.when}, what to change: {change}", LINE))
        print("\nwritten:")
        for result in results:
            print(f"  {shown(result.stem)}.{{{','.join(result.kinds)}}}")
        for page in written:
            print(f"  {shown(page)}")
        if html:
            print(f"\nopen {shown(folder / PAGE)} first: answers, plots and tables; it leads to the other pages")
    return 0


def _take_window(options: argparse.Namespace) -> None:
    """Take --steps A:B apart."""
    if isinstance(options.steps, tuple):
        if options.window is not None and options.window != options.steps:
            raise InputError(f"--steps {options.steps[0]}:{options.steps[1]} is a window already; leave --window out")
        options.window = options.steps
        options.steps = options.window[1]
    if options.steps is None and not has_fixed_length(options):
        options.steps = DEFAULT_STEPS


def _check_window(options: argparse.Namespace, task: Task) -> None:
    """Refuse a window that shows nothing."""
    length = task.measured_steps
    if options.window is not None and options.window[0] >= length:
        first, last = options.window
        raise InputError(f"--window {first}:{last} lies behind the last of {length} steps, {length - 1}")


def _write_pages(results: list[Result], folder: Path, options: argparse.Namespace) -> list[Path]:
    """Write a page that steps through all cells side by side, as they were before training and after."""
    pages = []
    for when in dict.fromkeys(result.when for result in results):
        found = {_title(result.cell): result for result in results if result.when == when}
        panels = {name: result.measurement.report for name, result in found.items()}
        inputs = {name: read for name, result in found.items() if (read := result.measurement.inputs)}
        maps = {name: felt for name, result in found.items() if result.entry and (felt := result.entry.flow_map)}
        path = folder / STEPPERS[when]
        level = options.level if options.level != "rolled" else "cell"
        title = f"Backpropagation through time: {when} weights"
        window, decades = options.window, options.decades
        others = {title: name for title, name in _pages(results).items() if name != path.name}
        style = style_of(options)
        viz.write_page(path, panels, title, level, window, decades, inputs=inputs, maps=maps, style=style, pages=others)
        pages.append(path)
    return pages


def _pages(results: Sequence[Result]) -> dict[str, str]:
    """Return the pages that are written, by what they are called."""
    moments = dict.fromkeys(result.when for result in results)
    steppers = {f"step by step, {when} weights": STEPPERS[when] for when in moments}
    return steppers | {"all plots and tables": PAGE}


def _plotted(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the formats of plots among those asked for."""
    return tuple(name for name in options.format or () if name in PLOT_FORMATS) or PLOTTED


def _say_what_is_missing(folder: Path, language: str) -> None:
    try:
        plots.require_matplotlib()
        if lacking := fonts.missing(language):
            say(lacking)
    except MissingToolError as error:
        say(f"{shown(folder / PAGE)} will have sentences and tables, but no plots: {error}")


def _write_sheet(
    results: list[Result], folder: Path, options: argparse.Namespace, corpus: Corpus | None, task: Task
) -> Path:
    """Write the plots of what was measured, and the page that has them all; return the page."""
    entries = [result.entry for result in results if result.entry is not None]
    about = ("task", "steps", "hidden", "layers", "batch", "seed", "dtype")
    settings = {name: getattr(options, name) for name in about}
    settings |= {"text": corpus.source, "text_sha256": corpus.sha256} if corpus else {}
    settings |= {"updates": options.train, "loss": task.unit}
    cells = [word for entry in entries for word in ("--cell", str(entry.cell))]
    words = ["tinygrad-rnn", "graph", *cells, *(["--text", options.text] if options.text is not None else [])]
    for name in ("task", "steps", "hidden", "layers", "dropout", "batch", "dtype", "device", "train", "seed", "out"):
        if name != "steps" or not has_fixed_length(options):
            words += [f"--{name}", str(getattr(options, name))]
    words += style_words(options)
    formats, style = _plotted(options), style_of(options)
    command = shown(shlex.join(words))
    others = {title: name for title, name in _pages(results).items() if name != PAGE}
    return write_sheet(folder, entries, settings, command, formats, style, lambda name: say(f"plot: {name}"), others)[
        -1
    ]


def _title(cell: str) -> str:
    return parse_cell(cell).title


#: The pages that step through all cells, by when they were measured.
STEPPERS = {"initial": "stepper.init.html", "trained": "stepper.html", "untrained": "stepper.html"}


def _pictures(asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the formats to render: those asked for, or SVG if anything here can render it."""
    formats = tuple(name for name in asked or DEFAULT_FORMATS if name not in ("dot", "html"))
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name in formats:  # a picture of nothing tells now, and not after training, whether it can be done
                viz.render("digraph {}", Path(folder) / f"nothing.{name}", name)
        except MissingToolError as error:
            message = str(error).partition(". The graph itself")[0]
            if asked:
                raise MissingToolError(message) from None
            say(f"no pictures, only .dot files: {message}")
            return ()
    return formats


def _stems(cell: str) -> tuple[str, str]:
    """Return how files about a cell begin: before training, and after."""
    name = parse_cell(cell).file_name
    return f"{name}.init", name


def _kinds(stem: str, pictures: Collection[str], options: argparse.Namespace) -> tuple[str, ...]:
    """Return how the files about a measurement end, those of the tape with the measurement after training."""
    drawn = ("dot", *(kind for kind in FORMATS if kind in pictures))
    backward = [f"backward.{kind}" for kind in drawn if options.backward]
    tape = TAPE if options.tape and not stem.endswith(".init") else ()
    return (*drawn, *NUMBERS, *backward, *tape)


def _measured(
    cell: str,
    task: Task,
    corpus: Corpus | None,
    options: argparse.Namespace,
    folder: Path,
    pictures: tuple[str, ...],
    sheet: bool,
) -> Iterator[Result]:
    """Yield the results before and after training; each is on disk when it comes."""
    model = fresh_model(cell, task, options, options.seed)
    if options.tape:
        write_tape(folder, cell, model.converted(model.dtype), task, options)
    updates: list[Update] = []
    history: list[tuple[int, FlowReport]] = []
    ended: str | None = None
    loss = 0.0
    for when, stem in zip(("initial", "trained" if options.train else "untrained"), _stems(cell), strict=True):
        if when == "trained":
            optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
            try:
                with training_progress(cell, options.train, task.unit) as advance:
                    for update in fit(model, task, optimizer, options.train, options.batch, options.seed, CLIP):
                        updates.append(update)
                        advance(update)
            except InputError as error:  # it diverged: a finding about this cell, and no reason to lose the others
                ended = str(error)
        exact = model.converted(options.dtype)
        facts = facts_about(corpus, len(updates))
        measurement = measure(exact, task, options.batch, options.seed, statistics=True, about=facts)
        if when == "trained":
            measurement = replace(measurement, report=measurement.report.beside(before=history[0][1]))
        history.append((len(updates), measurement.report))
        missing = _write(measurement, when, folder / stem, options, pictures)
        if options.backward:
            missing |= _draw_backward(exact, task, when, folder / stem, options, pictures)
        before, loss = loss, evaluate(model, task, options.batch, options.seed)
        if when == "trained" and (ended := ended or diverged(before, loss)):
            say(f"{cell}: {ended}")
        entry = None
        if sheet and when != "initial":
            name = cell + (f", {plural(len(updates), 'update')}" if updates else "")
            further: dict[str, Any] = {"updates_made": len(updates), "updates": updates, "clip": CLIP, "ended": ended}
            further["history"] = history if updates else ()
            entry = measured_entry(name, exact, task, options.batch, options.seed, measurement.report, say, **further)
        kinds = tuple(kind for kind in _kinds(stem, pictures, options) if kind not in missing)
        yield Result(cell, when, measurement, loss, folder / stem, kinds, entry, ended)


def _draw_backward(
    model: Model, task: Task, when: str, stem: Path, options: argparse.Namespace, pictures: tuple[str, ...]
) -> set[str]:
    """Draw the graph of the backward pass; it has no named gates, so every operation is drawn.

    Returns:
        The kinds of pictures that could not be drawn.
    """
    graph = backward_graph_of(model, task, options.batch, options.seed)
    title = f"The backward pass: {_title(model.cell_name)}, {when}"
    dot = viz.dot_source(graph, "ops", title, options.window, options.decades, style_of(options))
    return {f"backward.{kind}" for kind in _rendered(dot, Path(f"{stem}.backward"), options, pictures)}


def _write(
    measurement: Measurement, when: str, stem: Path, options: argparse.Namespace, pictures: tuple[str, ...]
) -> set[str]:
    """Write everything about one measurement, pictures last; return the kinds of pictures that could not be drawn."""
    title = f"Gradient flow through time: {_title(measurement.settings['cell'])}, {when}"
    looks = options.level, title, options.window, options.decades, style_of(options)
    dot = viz.dot_source(measurement.report, *looks)
    write_numbers(stem, measurement)
    return _rendered(dot, stem, options, pictures)


def _rendered(dot: str, stem: Path, options: argparse.Namespace, pictures: tuple[str, ...]) -> set[str]:
    """Write a graph and its pictures, and return the kinds that could not be drawn."""
    viz.render(dot, f"{stem}.dot", "dot")
    missing = set()
    for kind in pictures:
        try:
            viz.render(dot, f"{stem}.{kind}", kind)
        except MissingToolError as error:  # some graphs are too large for Graphviz
            if options.format:
                raise
            say(f"no {shown(stem)}.{kind}: {error}")
            missing.add(kind)
    return missing
