"""How far back the loss of each step is felt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, extent
from tinygrad_rnn.viz.plots.lags import named, ratio
from tinygrad_rnn.viz.plots.look import grey, ink, thick
from tinygrad_rnn.viz.scale import Scale
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinygrad_rnn.flow import FlowMap

_SHADES = 120  # colours on each side of the scale


def loss_maps(
    maps: Mapping[str, FlowMap | None] | FlowMap,
    threshold: float = 0.01,
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
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
    with chart.paper(axes, style) as paper:
        from matplotlib.colors import ListedColormap  # noqa: PLC0415  (optional, and slow to load)

        if not found:
            return paper.empty(title, formula, "No losses of single steps were measured.")
        panels = paper.grid(title, formula, len(found), 3, 3.1, sharey=True)
        scale = Scale(threshold)
        middles = (np.arange(2 * _SHADES) + 0.5) / _SHADES - 1
        shades = ListedColormap([paper.shade(place) for place in middles])
        seen: set[str] = set()
        for panel, (name, flow) in zip(panels, found.items(), strict=True):
            shares = relative_map(flow)
            looks = [[scale.look(share, True, 1.0) for share in row] for row in shares.tolist()]
            seen |= {look.kind for row in looks for look in row}
            places = np.array([[look.place if look.share else np.nan for look in row] for row in looks])
            first, last = flow.steps[0] - 0.5, flow.steps[-1] + 0.5
            image = panel.imshow(
                places, shades, vmin=-1, vmax=1, interpolation="nearest", extent=(first, last, last, first)
            )
            everywhere = np.ones(shares.shape, dtype=bool)
            reached = np.triu(everywhere) if flow.direction == "reverse" else np.tril(everywhere)
            _mark_cells(panel, flow, reached & (shares == 0), ".", grey(), "0")
            _mark_cells(panel, flow, reached & ~np.isfinite(shares), "x", ink(), "NaN or Inf")
            panel.grid(False)
            what = chart.plain(name) + ("" if flow.kind == k else f": state {flow.kind}")
            chart.label(panel, what, "step $t$ of the state", r"step $\tau$ of the loss")
        bar = paper.figure.colorbar(image, ax=panels, shrink=0.8, aspect=30)
        marks = scale.axis(seen)
        bar.set_ticks([place for place, _ in marks], labels=[text for _, text in marks])
        bar.ax.set_ylim(marks[-1][0], marks[0][0])
        bar.set_label("relative to the loss's own step")
        note = (
            "The colours of the graphs. Blank: no path from the state to the loss. ·: 0, or too small for the dtype. "
            "×: NaN or Inf."
        )
        return paper.finish(panels, [note])


def relative_map(flow: FlowMap) -> np.ndarray:
    """Return each row of a map relative to its last entry, the loss's gradient at its own step, where that is not 0."""
    own = np.diagonal(flow.norms)[:, None]
    return np.where(own > 0, ratio(flow.norms, own), flow.norms)


def _mark_cells(axes: Axes, flow: FlowMap, found: np.ndarray, marker: str, colour: str, label: str) -> None:
    if found.any():
        rows, columns = np.nonzero(found)
        at = np.asarray(flow.steps)
        axes.scatter(
            at[columns], at[rows], s=min((100 / len(at)) ** 2, 30), marker=marker, c=colour, lw=thick(0.5), label=label
        )


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return how far back the losses of the steps are felt."""
    found = []
    for entry in entries:
        flow = entry.flow_map
        if flow is None:
            found.append(f"{entry.called()}: the losses of single steps were not measured.")
            continue
        rows = relative_map(flow)
        backward = flow.direction == "reverse"
        # Row by row what is left of a loss, from the state of its own step to the first one taken.
        shares = [row[i:] if backward else row[i::-1] for i, row in enumerate(rows)]
        known = [share for share in shares if share[0] == 1 and np.isfinite(share).all()]
        lags = [int(np.argmax(share < entry.report.threshold)) for share in known]
        felt = [lag for lag in lags if lag]
        less = f"less than {entry.report.threshold:.3g} of the gradient of a step's loss"
        if felt:
            middle = float(np.median(felt))
            lost = f"the {len(felt)} {'loss' if len(felt) == 1 else 'losses'} that it holds for"
            where = f"{less} is left {middle:g} step{'' if middle == 1 else 's'} back (median of {lost})"
        else:
            where = f"nowhere is {less} left"
        kept = len(known) - len(felt)
        first = flow.steps[-1 if backward else 0]
        whole = f"{kept} of {len(shares)} {'is' if kept == 1 else 'are'} felt back to the first step, t={first}"
        found.append(f"{entry.called()}: {where}; {whole}.{_other_state(entry, flow.kind)}")
    return found


def _other_state(entry: Entry, kind: str) -> str:
    """Return by which other state the verdict goes; "" if by this one."""
    horizon = entry.report.horizon
    if horizon is None or horizon.state == kind or entry.report.state(kind) is None:
        return ""
    return f" These are gradients at {kind}; the verdict goes by {horizon.state}, whose gradient reaches furthest."


def alt(entries: Sequence[Entry]) -> str:
    """Return the smallest share in each map."""
    parts = []
    for entry in entries:
        if entry.flow_map is not None:
            shares = relative_map(entry.flow_map)
            parts.append(f"{entry.name} {extent(shares[~np.isnan(shares)])}")
    return alt_text("Heat maps, step of the loss by step of the state; the share that is left", parts)


PLOT = Plot(
    "loss_maps",
    "Which losses reach which state?",
    "A row for the loss of each step: how much of its gradient is left at earlier states.",
    lambda entries, style: loss_maps(
        {entry.name: entry.flow_map for entry in entries},
        min((entry.report.threshold for entry in entries), default=0.01),
        style=style,
    ),
    sentences,
    alt,
    lambda entry: entry.flow_map is not None,
    "The losses of single steps were not measured, which takes long for long sequences.",
)
