"""The norm of the gradient at each update of a training, before and after clipping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import log_line, settle
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, extent
from tinygrad_rnn.viz.plots.lags import named
from tinygrad_rnn.viz.plots.look import grey, ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinygrad_rnn.train import Update


def clipping(
    updates: Mapping[str, Sequence[Update] | None] | Sequence[Update],
    threshold: float,
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
    """Plot the norm of the gradient of all parameters at each update of a training, before and after clipping.

    Args:
        threshold: the largest norm that clipping let pass.
    """
    title = "Gradient norm of each update, before and after clipping"
    formula = (
        r"before: $\Vert\partial L/\partial\theta\Vert$;   after: "
        r"$\min(\Vert\partial L/\partial\theta\Vert,\; \mathrm{limit})$"
    )
    updates = named(updates)
    found = {name: list(made) for name, made in updates.items() if made}
    with chart.paper(axes, style) as paper:
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  (optional, and slow to load)

        if not found:
            return paper.empty(title, formula, "No updates were made.")
        panels = paper.grid(title, formula, len(found), 3, 2.5, sharey=True)
        looks = paper.lines(updates)
        if len(found) > 1:  # for the legend: of no cell's colour
            panels[0].plot([], [], color=grey(), lw=thick(2), label="before")
        for panel, (name, made) in zip(panels, found.items(), strict=True):
            at = np.arange(1, len(made) + 1)
            before, after = (np.array([getattr(update, when) for update in made]) for when in ("norm", "clipped"))
            label = "before" if len(found) == 1 else "_before"
            log_line(panel, at, before, 0, label=label, color=looks[name].colour, lw=thick(2), alpha=0.7)
            log_line(panel, at, after, 1, label="after", color=ink(), ls="--", lw=thick(0.7))
            panel.axhline(threshold, color=grey(), lw=thick(0.7), ls=":", label=f"limit {threshold:g}")
            clipped = f"{chart.plain(name)}: {int((after < before).sum())} of {len(made)} clipped"
            chart.label(panel, clipped, "update", "norm (absolute)")
            panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        settle(panels)
        return paper.finish(panels[:1])


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return how many updates were clipped, and how large the largest gradient was."""
    found = []
    for entry in entries:
        if entry.updates:
            norms = np.array([update.norm for update in entry.updates])
            clipped = sum(update.clipped < update.norm for update in entry.updates)
            was = "was" if clipped == 1 else "were"
            largest = int(np.nanargmax(norms)) if not np.isnan(norms).all() else 0
            found.append(
                f"{entry.name}: {clipped} of {plural(len(norms), 'update')} {was} clipped; the largest norm was "
                f"{number(norms[largest])}, at update {largest + 1}."
            )
    return found


def alt(entries: Sequence[Entry]) -> str:
    """Return the range of the norms of each panel."""
    parts = [
        f"{entry.name} {extent(np.array([update.norm for update in entry.updates]))}"
        for entry in entries
        if entry.updates
    ]
    return alt_text("Norms over the updates, logarithmic, before clipping and after; before", parts)


PLOT = Plot(
    "clipping",
    "What did clipping do?",
    "The norm of the gradient of all parameters together, at every update of that training.",
    lambda entries, style: clipping(
        {entry.name: entry.updates for entry in entries},
        max((entry.clip for entry in entries), default=1.0),
        style=style,
    ),
    sentences,
    alt,
    lambda entry: entry.updates,
    "Nothing was trained, so nothing was clipped.",
)
