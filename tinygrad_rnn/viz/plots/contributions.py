"""What each step contributes to the gradient of a weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.engine.modes import Scope
from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import log_marks, settle
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, extent, reports
from tinygrad_rnn.viz.plots.lags import LAG, by_lag, named, ratio, time_to_the_right
from tinygrad_rnn.viz.plots.look import ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: This share of the sizes of all parts is said to be most of them.
_MOST = 0.9


def contributions(
    reports: Mapping[str, FlowReport | None] | FlowReport,
    weight: str = "weight_hh",
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
    """Plot what each step contributes to the gradient of a weight, and what has been gathered until there.

    Args:
        weight: how its name begins; the last layer's is taken.
    """
    title = "What each step contributes to the gradient of a weight"
    formula = (
        r"bars: $\Vert(\partial L/\partial W)_t\Vert \,/\, \Vert\partial L/\partial W\Vert$;   "
        r"line: $\Vert\sum_{s \geq t}(\partial L/\partial W)_s\Vert \,/\, \Vert\partial L/\partial W\Vert$"
    )
    reports = named(reports)
    chosen = {name: weight_of(report, weight) if report else None for name, report in reports.items()}
    found = [(name, report, chosen[name] or "") for name, report in reports.items() if report and chosen[name]]
    with chart.paper(axes, style) as paper:
        if not found:
            return paper.empty(title, formula, f"No weight called {weight}... is read in the steps alone.")
        panels = paper.grid(title, formula, len(found), 3, 2.7)
        looks = paper.lines(reports)
        time_to_the_right(panels)
        for panel, (name, report, wanted) in zip(panels, found, strict=True):
            flow = report.weights[wanted]
            state = report.cell[0] if report.cell else None
            at, shares = by_lag(report.steps, ratio(flow.per_step, flow.total), state)
            _log_bars(panel, at, shares, looks[name].colour)
            chart.label(panel, chart.plain(name), LAG, f"relative to ‖∂L/∂{chart.plain(wanted)}‖")
            place = panel.get_subplotspec()
            if place is not None and not place.is_first_col() and wanted == found[0][2]:
                panel.set_ylabel("")  # where it would stand there are the numbers of the axis to the right of another
            at, gathered = by_lag(report.steps, ratio(flow.running, flow.total), state)
            _gathered(panel, at, gathered)
        settle(panels)
        note = (
            "Relative to the size of the whole gradient of the weight. Bars: logarithmic axis, left. Line: gathered "
            "from the last step backward, so from right to left; linear axis, right."
        )
        return paper.finish(notes=[note])


def weight_of(report: FlowReport, weight: str) -> str | None:
    """Return the name of the cell's weight that begins so and is read in steps alone, or else another's, or None."""
    names = [name for name, flow in report.weights.items() if flow.per_step is not None]
    fitting = [name for name in reversed(names) if name.rpartition(".")[2].startswith(weight)]
    lane = report.cell[0].scope if report.cell else None
    readers: dict[int, set[Scope]] = {}
    for edge in report.edges:
        readers.setdefault(edge.parent, set()).add(lane_of(report.nodes[edge.child].scope))
    own = [name for name in fitting if lane in readers.get(report.weights[name].node, ())]
    return next(iter(own or fitting), None)


def _log_bars(axes: Axes, x: np.ndarray, heights: np.ndarray, colour: str) -> None:
    """Draw bars on a logarithmic axis, and marks instead of those that have no place on it."""
    fine = np.isfinite(heights) & (heights > 0)
    axes.set_yscale("log")
    if fine.any():
        axes.bar(x[fine], heights[fine], width=1.0, color=colour, alpha=0.75)
        axes.set_ylim(bottom=heights[fine].min() / 2)
    axes.set_xlim(x.max(initial=0) + 0.07 * len(x) + 1, x.min(initial=0) - 1)  # time to the right; room for a "0"
    log_marks(axes, x, heights, 0, colour)


def _gathered(axes: Axes, x: np.ndarray, shares: np.ndarray) -> None:
    right = axes.twinx()
    fine = np.isfinite(shares)
    right.plot(x, np.where(fine, shares, np.nan), color=ink(), lw=thick(0.8))
    right.set_ylim(0, 1.08 * max(1.0, *shares[fine]) if fine.any() else 1.0)
    right.spines["right"].set_visible(True)
    right.grid(False)


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return how many of the last steps make up the gradient of the recurrent weight."""
    found = []
    for entry in entries:
        report = entry.report
        name = weight_of(report, "weight_hh")
        flow = report.weights[name] if name else None
        if flow is None or flow.running is None:
            found.append(f"{entry.name}: no recurrent weight is read in the steps alone.")
        elif not math.isfinite(flow.total) or flow.total == 0:
            found.append(f"{entry.name}: the gradient of {name} is {number(flow.total)}.")
        else:
            _, gathered = by_lag(report.steps, ratio(flow.running, flow.total), report.cell[0] if report.cell else None)
            off = np.flatnonzero(~(np.abs(gathered - 1) < 0.01))
            last = int(off[-1]) + 2 if len(off) else 1
            most = flow.steps_with(_MOST, report.cell[0].direction == "reverse" if report.cell else False)
            found.append(
                f"{entry.name}: {most} of {plural(len(gathered), 'step')}, counted from the loss, have {_MOST:.0%} of "
                f"the sizes of all parts of ∂L/∂{name}. They are vectors: the size of their sum stays within 1% of the "
                f"whole after the last {last}."
            )
    return found


def alt(entries: Sequence[Entry]) -> str:
    """Return the largest and the smallest bar of each panel."""
    parts = []
    for entry in entries:
        name = weight_of(entry.report, "weight_hh")
        flow = entry.report.weights[name] if name else None
        if flow is not None and flow.per_step is not None:
            parts.append(f"{entry.name} {extent(flow.per_step)} of {number(flow.total)} in all")
    return alt_text("Bars over the lag, logarithmic", parts)


PLOT = Plot(
    "contributions",
    "Which steps does the recurrent weight learn from?",
    "All steps share one weight; its gradient is the sum of their contributions.",
    lambda entries, style: contributions(reports(entries), style=style),
    sentences,
    alt,
)
