"""Plots of how much of the gradient is left at earlier steps: of one loss, of every step's loss, over the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.decay import decay
from tinygrad_rnn.viz.plots.lags import LAG, NO_STATES, kinds_of, named, ratio, relative, states
from tinygrad_rnn.viz.scale import Scale, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinygrad_rnn.flow import FlowMap

_FORMULA = r"$G_t / G_T$ by the lag $T - t$,   $G^k_t = \sqrt{\mathrm{mean}_b\,\Vert\partial L_b/\partial k_t\Vert^2}$"
_SHADES = 120  # colours on each side of the scale
_HORIZON = "Grey: below the threshold. Red: above 1. Ring: the horizon, the first lag below the threshold."


def through_time(reports: Mapping[str, FlowReport | None] | FlowReport) -> Figure:
    """Plot G_t / G_T by lag: how much of the gradient is left at h of each step, and at c where there is one.

    A ring marks the horizon. The legend has factor per step and half-life of the line that fits log G best.
    """
    title = "Gradient through time"
    reports = named(reports)
    kinds = kinds_of(reports)
    with chart.look():
        if not kinds:
            return chart.empty(title, _FORMULA, NO_STATES)
        figure, panels = chart.grid(title, _FORMULA, len(kinds), 2, 4.2, sharey=True)
        for axes, kind in zip(panels, kinds, strict=True):
            _relative_lines(axes, reports, kind)
            chart.label(axes, f"state {kind}", LAG, f"$G^{kind}_t / G^{kind}_T$")
        chart.settle(panels)
        chart.mark_edges(panels, _thresholds(reports))
        floors = chart.mark_floors(zip(panels, [_last_sizes(reports, kind) for kind in kinds], strict=True))
        fitted = (
            "Factor per step, half-life: exp(slope) and ln 2 / −slope of the least-squares line through log G, from "
            "lag 0 to where G is 0 or not finite."
        )
        return chart.finish(figure, panels, [fitted, _HORIZON, floors], columns=2)


def over_training(
    histories: Mapping[str, Sequence[tuple[int, FlowReport]] | None] | Sequence[tuple[int, FlowReport]],
) -> Figure:
    """Plot the gradient through time again and again while the cells are trained: a panel for each update measured.

    Args:
        histories: by cell, the number of updates made and what was measured then.
    """
    title = "Gradient through time, while training"
    found = {name: dict(history or ()) for name, history in named(histories).items()}
    updates = sorted({update for history in found.values() for update in history})
    at = {update: {name: history.get(update) for name, history in found.items()} for update in updates}
    kinds = list(dict.fromkeys(kind for update in updates for kind in kinds_of(at[update])))
    with chart.look():
        if not kinds:
            return chart.empty(title, _FORMULA, NO_STATES if updates else "Nothing was measured during a training.")
        places = [(kind, update) for kind in kinds for update in updates]
        figure, panels = chart.grid(title, _FORMULA, len(places), len(updates), 2.9, sharey=True)
        for axes, (kind, update) in zip(panels, places, strict=True):
            axes.set_yscale("log")
            _relative_lines(axes, at[update], kind, fitted=False)
            when = "initial weights" if update == 0 else f"after {update} update{'s' * (update > 1)}"
            chart.label(axes, f"{kind}, {when}", "lag", f"$G^{kind}_t / G^{kind}_T$")
        chart.settle(panels)
        chart.mark_edges(panels, [at for history in found.values() for at in _thresholds(history)])
        sizes = [_last_sizes(at[update], kind) for kind, update in places]
        return chart.finish(figure, panels, [_HORIZON, chart.mark_floors(zip(panels, sizes, strict=True))])


def _relative_lines(axes: Axes, reports: Mapping[str, FlowReport | None], kind: str, fitted: bool = True) -> None:
    """Draw G_t / G_T of every report by lag, the threshold and the horizons."""
    looks = chart.styles(reports)
    for name, report, state in states(reports, kind):
        sizes = relative(state)
        style = looks[name]
        label = chart.plain(name) + (f": {kind} {speed(state.by_lag)}" if fitted else "")
        chart.log_line(axes, np.arange(len(sizes)), sizes, style.place, label=label, **style.line(len(sizes)))
        horizon = state.horizon(report.threshold)
        if horizon is not None and sizes[horizon] > 0:
            axes.plot(horizon, sizes[horizon], "o", ms=11, mfc="none", mec=style.colour, label=f"_horizon {name}")


def _thresholds(reports: Mapping[Any, FlowReport | None]) -> list[float]:
    return [report.threshold for report in reports.values() if report]


def _last_sizes(reports: Mapping[str, FlowReport | None], kind: str) -> list[float]:
    return [float(state.by_lag[0]) for _, _, state in states(reports, kind)]


def speed(by_lag: np.ndarray) -> str:
    """Return the factor per step and the half-life in words."""
    fit = decay(by_lag)
    if fit is None:
        return "no two lags to fit"
    half = "no half-life" if fit.half_life is None else f"half-life {fit.half_life:.3g} steps"
    return f"×{fit.per_step:.3g} per step, {half}"


# ---- the loss of every step ----------------------------------------------------------------------------------------


def loss_maps(maps: Mapping[str, FlowMap | None] | FlowMap, threshold: float = 0.01) -> Figure:
    """Plot as heat maps how much of the gradient of each step's loss is left at the state of each earlier step.

    Args:
        threshold: the share below which a gradient counts as vanished.
    """
    title = "How far back the loss of each step is felt"
    found = {name: flow for name, flow in named(maps).items() if flow is not None and flow.norms.size}
    kinds = {flow.kind for flow in found.values()}
    k = next(iter(kinds)) if len(kinds) == 1 else "k"
    formula = (
        rf"$\Vert\partial \ell_\tau/\partial {k}_t\Vert \,/\, \Vert\partial \ell_\tau/\partial {k}_\tau\Vert$,  "
        r"where $\Vert\cdot\Vert$ is $\sqrt{\mathrm{mean}_b\,\Vert\cdot\Vert^2}$"
    )
    with chart.look():
        from matplotlib.colors import ListedColormap  # noqa: PLC0415  (optional, and slow to load)

        if not found:
            return chart.empty(title, formula, "No losses of single steps were measured.")
        figure, panels = chart.grid(title, formula, len(found), 3, 3.1, sharey=True)
        scale = Scale(threshold)
        middles = (np.arange(2 * _SHADES) + 0.5) / _SHADES - 1
        shades = ListedColormap([colour(place) for place in middles])
        seen: set[str] = set()
        for axes, (name, flow) in zip(panels, found.items(), strict=True):
            shares = relative_map(flow)
            looks = [[scale.look(share, True, 1.0) for share in row] for row in shares.tolist()]
            seen |= {look.kind for row in looks for look in row}
            places = np.array([[look.place if look.share else np.nan for look in row] for row in looks])
            first, last = flow.steps[0] - 0.5, flow.steps[-1] + 0.5
            image = axes.imshow(
                places, shades, vmin=-1, vmax=1, interpolation="nearest", extent=(first, last, last, first)
            )
            everywhere = np.ones(shares.shape, dtype=bool)
            reached = np.triu(everywhere) if flow.direction == "reverse" else np.tril(everywhere)
            _mark_cells(axes, flow, reached & (shares == 0), ".", chart.GREY, "0")
            _mark_cells(axes, flow, reached & ~np.isfinite(shares), "x", "black", "NaN or Inf")
            axes.grid(False)
            what = chart.plain(name) + ("" if flow.kind == k else f": state {flow.kind}")
            chart.label(axes, what, "step $t$ of the state", r"step $\tau$ of the loss")
        bar = figure.colorbar(image, ax=panels, shrink=0.8, aspect=30)
        marks = scale.axis(seen)
        bar.set_ticks([place for place, _ in marks], labels=[text for _, text in marks])
        bar.ax.set_ylim(marks[-1][0], marks[0][0])
        bar.set_label("what is left of it")
        note = (
            "The colours of the graphs. White: no path from the state to the loss. ·: 0, or too small for the dtype. "
            "×: NaN or Inf."
        )
        return chart.finish(figure, panels, [note])


def relative_map(flow: FlowMap) -> np.ndarray:
    """Return each row of a map relative to its last entry, the loss's gradient at its own step, where that is not 0."""
    own = np.diagonal(flow.norms)[:, None]
    return np.where(own > 0, ratio(flow.norms, own), flow.norms)


def _mark_cells(axes: Axes, flow: FlowMap, found: np.ndarray, marker: str, colour: str, label: str) -> None:
    if found.any():
        rows, columns = np.nonzero(found)
        at = np.asarray(flow.steps)
        axes.scatter(
            at[columns], at[rows], s=min((100 / len(at)) ** 2, 30), marker=marker, c=colour, lw=0.7, label=label
        )
