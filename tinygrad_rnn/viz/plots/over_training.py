"""The gradient through time again and again, while cells are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import mark_edges, mark_floors, settle
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, state_lines
from tinygrad_rnn.viz.plots.lags import LAG, NO_STATES, named, time_to_the_right
from tinygrad_rnn.viz.plots.relative import (
    FORMULA,
    how_to_read,
    kinds_of,
    last_sizes,
    relative_lines,
    thresholds,
    told_apart,
)
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def over_training(
    histories: Mapping[str, Sequence[tuple[int, FlowReport]] | None] | Sequence[tuple[int, FlowReport]],
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
    """Plot the gradient through time again and again while the cells are trained: a panel for each update measured.

    Args:
        histories: by cell, the number of updates made and what was measured then.
    """
    found = {name: dict(history or ()) for name, history in named(histories).items()}
    updates = sorted({update for history in found.values() for update in history})
    title = f"Gradient through time, {'before and after' if len(updates) == 2 and not updates[0] else 'while'} training"
    at = {update: {name: history.get(update) for name, history in found.items()} for update in updates}
    kinds = list(dict.fromkeys(kind for update in updates for kind in kinds_of(at[update])))
    with chart.paper(axes, style) as paper:
        if not kinds:
            return paper.empty(title, FORMULA, NO_STATES if updates else "Nothing was measured during a training.")
        places = [(kind, update) for kind in kinds for update in updates]
        panels = paper.grid(title, FORMULA, len(places), len(updates), 2.9, sharey=True, together=len(updates))
        looks = paper.lines(found)
        time_to_the_right(panels)
        for panel, (kind, update) in zip(panels, places, strict=True):
            panel.set_yscale("log")
            relative_lines(panel, at[update], kind, looks, fitted=False, parts=len(kinds) > 1)
            when = "initial weights" if update == 0 else f"after {update} update{'s' * (update > 1)}"
            chart.label(panel, f"{kind}, {when}", LAG, f"relative: $G^{kind}_t / G^{kind}_T$")
        settle(panels)
        mark_edges(panels, [at for history in found.values() for at in thresholds(history)])
        sizes = [last_sizes(at[update], kind) for kind, update in places]
        return paper.finish(
            panels, [f"{how_to_read(panels)} {told_apart(kinds)}", mark_floors(zip(panels, sizes, strict=True))]
        )


def _named_as_cells(entries: Sequence[Entry]) -> dict[str, Sequence[tuple[int, FlowReport]]]:
    """Return the histories by cell, for a name may tell of the last update only; by name where that is not enough."""
    cells = [entry.cell or entry.name for entry in entries]
    names = cells if len(set(cells)) == len(cells) else [entry.name for entry in entries]
    return {name: entry.history for name, entry in zip(names, entries, strict=True)}


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return how far back the gradient reached before the training and after it."""
    found = []
    for entry in entries:
        if entry.history:
            (first, before), *_, (last, after) = [entry.history[0], *entry.history]
            start = "with initial weights" if first == 0 else f"after {plural(first, 'update')}"
            found.append(
                f"{entry.called(entry.cell)}: {_horizon(before)} {start}, {_horizon(after)} after "
                f"{plural(last, 'update')}."
            )
        if entry.ended:
            found.append(f"{entry.name}: {entry.ended}")
    return found


def _horizon(report: FlowReport) -> str:
    if report.verdict not in ("vanishes", "survives", "explodes") or report.horizon is None:
        return f"no horizon ({report.verdict or 'no named state'})"
    steps = report.horizon.steps
    return "horizon beyond the first step" if steps is None else f"horizon {plural(steps, 'step')}"


def alt(entries: Sequence[Entry]) -> str:
    """Return where each line begins and ends, panel by panel."""
    parts = []
    for update in sorted({update for entry in entries for update, _ in entry.history}):
        at = [(entry.name, report) for entry in entries for made, report in entry.history if made == update]
        when = f"after {plural(update, 'update')}" if update else "with initial weights"
        parts.append(f"{when} {', '.join(state_lines(at))}")
    return alt_text("Lines over the lag, logarithmic, panel by panel", parts)


PLOT = Plot(
    "over_training",
    "What does training change?",
    "The gradient at earlier and earlier steps, relative to that at the last, with the initial weights and after "
    "updates. A line that falls less reaches further back.",
    lambda entries, style: over_training(_named_as_cells(entries), style=style),
    sentences,
    alt,
    lambda entry: entry.history,
    "Nothing was trained, so there is no change to show.",
)
