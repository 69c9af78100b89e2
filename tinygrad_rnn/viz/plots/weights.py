"""Plots of the gradients that reach the weights: from each step, and at each update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.engine.modes import Scope
from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.lags import LAG, by_lag, named, ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinygrad_rnn.train import Update


def contributions(reports: Mapping[str, FlowReport | None] | FlowReport, weight: str = "weight_hh") -> Figure:
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
    with chart.look():
        if not found:
            return chart.empty(title, formula, f"No weight called {weight}... is read in the steps alone.")
        figure, panels = chart.grid(title, formula, len(found), 3, 2.7)
        looks = chart.styles(reports)
        for axes, (name, report, wanted) in zip(panels, found, strict=True):
            flow = report.weights[wanted]
            state = report.cell[0] if report.cell else None
            at, shares = by_lag(report.steps, ratio(flow.per_step, flow.total), state)
            _log_bars(axes, at, shares, looks[name].colour)
            chart.label(axes, chart.plain(name), LAG, f"of {chart.plain(wanted)}")
            at, gathered = by_lag(report.steps, ratio(flow.running, flow.total), state)
            _gathered(axes, at, gathered)
        chart.settle(panels)
        note = "Bars: logarithmic axis, left. Line: from the last step backward, linear axis, right."
        return chart.finish(figure, notes=[note])


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
    chart.log_marks(axes, x, heights, 0, colour)


def _gathered(axes: Axes, x: np.ndarray, shares: np.ndarray) -> None:
    right = axes.twinx()
    fine = np.isfinite(shares)
    right.plot(x, np.where(fine, shares, np.nan), color="black", lw=1.2)
    right.set_ylim(0, 1.08 * max(1.0, *shares[fine]) if fine.any() else 1.0)
    right.spines["right"].set_visible(True)
    right.grid(False)


def clipping(updates: Mapping[str, Sequence[Update] | None] | Sequence[Update], threshold: float) -> Figure:
    """Plot the norm of the gradient of all parameters at each update of a training, before and after clipping.

    Args:
        threshold: the largest norm that clipping let pass.
    """
    title = "Gradient norm of each update, before and after clipping"
    formula = (
        r"before: $\Vert\partial L/\partial\theta\Vert$;   after: "
        r"$\min(\Vert\partial L/\partial\theta\Vert,\; \mathrm{threshold})$"
    )
    updates = named(updates)
    found = {name: list(made) for name, made in updates.items() if made}
    with chart.look():
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  (optional, and slow to load)

        if not found:
            return chart.empty(title, formula, "No updates were made.")
        figure, panels = chart.grid(title, formula, len(found), 3, 2.5, sharey=True)
        looks = chart.styles(updates)
        for axes, (name, made) in zip(panels, found.items(), strict=True):
            at = np.arange(1, len(made) + 1)
            before, after = (np.array([getattr(update, when) for update in made]) for when in ("norm", "clipped"))
            chart.log_line(axes, at, before, 0, label="before", color=looks[name].colour, lw=3, alpha=0.7)
            chart.log_line(axes, at, after, 1, label="after", color="black", ls="--", lw=1)
            axes.axhline(threshold, color=chart.GREY, lw=1, ls=":", label=f"threshold {threshold:g}")
            chart.label(
                axes, f"{chart.plain(name)}: {int((after < before).sum())} of {len(made)} clipped", "update", "norm"
            )
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        chart.settle(panels)
        return chart.finish(figure, panels[:1])
