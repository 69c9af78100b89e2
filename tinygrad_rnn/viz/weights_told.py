"""What a sheet says about each cell, with its initial weights and with the trained ones side by side."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.figures import number, plural
from tinygrad_rnn.flow.sentences import answers
from tinygrad_rnn.flow.trained import conclusion
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.viz.plots import Entry


def told(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield for each cell, and each layer and direction of it, where its gradient is lost, why, and what to change.

    A cell that was trained has two columns, each of which says of which weights it speaks.

    >>> from tinygrad_rnn.viz.weights_told import told
    >>> list(told([]))
    []
    """
    for entry in entries:
        name = entry.cell or entry.name
        columns = [(trained_for(entry), dict(answers(entry.report, name)))]
        if start := initial(entry):
            columns.insert(0, ("initial weights", dict(answers(start.report, name))))
        for who, found in columns[-1][1].items():
            yield f"<h2>{html.escape(who)}</h2>"
            sections = [(weights, known[who]) for weights, known in columns if who in known]
            yield f'<div class="pair">\n{"".join(_section(*each) for each in sections or [("", found)])}</div>'


def opening(entries: Sequence[Entry], settings: Mapping[str, object]) -> list[str]:
    """Return what is learned, which gradient the page is about, and that one which survives is not learning.

    Args:
        settings: of the run; "task" and "loss" are told where they are known.
    """
    said = []
    if "task" in settings:
        spec = parse_task(str(settings["task"]))
        said.append(f"What is learned (task {spec.text}): {spec.entry.summary}.")
    unit = f", in {settings['loss']}" if settings.get("loss") else ""
    said.append(
        f"The page follows the gradient of one loss, that of the last step{unit}: how much of it arrives at the states "
        "of earlier and earlier steps."
    )
    if entries:
        now = ", ".join(f"{number(entry.report.loss)} ({entry.cell or entry.name})" for entry in entries)
        before = [start.report.loss for entry in entries if (start := initial(entry))]
        was = f"; with initial weights {', '.join(map(number, before))}" if before else ""
        said.append(f"That a gradient survives does not say how much is learned: that loss is {now}{was}.")
    return [" ".join(said)]


def concluded(entries: Sequence[Entry]) -> list[str]:
    """Return for each cell what its training did to the gradient; of those that were not trained there is nothing."""
    said = ((entry.cell or entry.name, conclusion(entry.report)) for entry in entries)
    return [f"{name}: {found}" for name, found in said if found]


def initial(entry: Entry) -> Entry | None:
    """Return a cell as it was before its training; None if it was not trained, or not measured before."""
    if not entry.updates_made or not entry.history or entry.history[0][0]:
        return None
    name = f"{entry.cell or entry.name}, initial weights"
    return replace(entry, name=name, report=entry.history[0][1], updates_made=0)


def trained_for(entry: Entry) -> str:
    """Return of which weights the report of a cell is."""
    return f"trained weights, after {plural(entry.updates_made, 'update')}" if entry.updates_made else "initial weights"


def survivors(entries: Sequence[Entry]) -> list[str]:
    """Return for each cell with which of the changes that were tried its gradient survives."""
    said = []
    for entry in entries:
        report, name = entry.report, entry.cell or entry.name
        if report.remedies and report.verdict != "survives":
            said.append(f"{name} {report.verdict}; {_with(report)}.")
        elif report.remedies:
            said.append(f"{name} survives as it is.")
    return said


def _with(report: FlowReport) -> str:
    kept = [tried.what for tried in report.remedies if tried.verdict == "survives"]
    if not kept:
        return f"it would survive with none of {plural(len(report.remedies), 'change')} tried"
    return f"it would survive with {'; or with '.join(kept)}"


def _section(weights: str, found: Mapping[str, str]) -> str:
    lines = "\n".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(said)}</dd>" for name, said in found.items())
    return f"<section>\n<h3>{html.escape(weights.capitalize())}</h3>\n<dl>\n{lines}\n</dl>\n</section>\n"
