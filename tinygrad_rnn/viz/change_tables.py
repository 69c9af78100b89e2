"""The tables of a sheet that tell what would have to be changed, and what training changed."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.changes import figures
from tinygrad_rnn.flow.figures import number, plural
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.viz.plots import Entry

#: What `remedied` has columns for; from the third on they are numbers, but for the last.
REMEDIED = ("cell", "change", "× per step", "horizon", "left", "largest", "loss", "verdict")
REMEDIED_ABOUT = (
    "Each change was made to these very weights and to nothing else, and the gradient measured anew on the same "
    "examples. It tells what the gradient would do, and not whether the network would learn more: it was not trained "
    "with the change, and the loss is that right after it. Left: of the gradient, at the first step. Largest: the "
    f"gradient on the way where it is largest; both relative to the last step. More than {EXPLODED:g} times as much is "
    "called an explosion."
)


def remedied(entries: Sequence[Entry]) -> list[list[str]]:
    """Return a line for every cell as it is, and for every change to it that was measured; cells without are left out.

    >>> from tinygrad_rnn.viz.change_tables import remedied
    >>> remedied([])
    []
    """
    lines = []
    for entry in entries:
        report = entry.report
        if report.remedies:
            lines.append([entry.cell or entry.name, "none", *_now(report)])
        for tried in report.remedies:
            beyond = "-" if tried.left is None else f">{_last(report)}"
            lines.append([
                "", tried.what, "-" if tried.per_step is None else number(tried.per_step),
                beyond if tried.horizon is None else str(tried.horizon),
                *("-" if size is None else number(size) for size in (tried.left, tried.largest)),
                number(tried.loss), tried.verdict or "",
            ])  # fmt: skip
    return lines


def _now(report: FlowReport) -> list[str]:
    """Return the numbers of a cell as it is."""
    found = figures(report)
    per_step, horizon, left = (
        found.get(name, "-") for name in ("× per step to the horizon", "horizon", "left at the first step")
    )
    largest = "-" if report.largest is None else number(report.largest)
    return [per_step, horizon, left, largest, found["loss of the last step"], report.verdict or ""]


def _last(report: FlowReport) -> int:
    return len(report.cell[0].norms) - 1 if report.cell else 0


def trained(entries: Sequence[Entry]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return the headings and lines of what decides over the gradient of each cell, before its training and after."""
    told = [entry for entry in entries if len(entry.history) > 1]
    if not told:
        return (), []
    lines = []
    for entry in told:
        before, after = (figures(entry.history[at][1]) for at in (0, -1))
        name = entry.cell or entry.name
        for what, value in before.items():
            if what in after:
                lines.append([name, what, value, after[what]])
                name = ""
    counts = {made for entry in told for made in (entry.history[-1][0],)}
    when = f"after {plural(counts.pop(), 'update')}" if len(counts) == 1 else "trained"
    return ("cell", "what", "initial weights", when), lines
