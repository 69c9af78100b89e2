"""How much of the gradient of one loss is left at earlier and earlier steps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.sentences import left, number, plural, verdicts
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import mark_edges, mark_floors, settle
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, state_lines
from tinygrad_rnn.viz.plots.lags import LAG, NO_STATES, furthest, time_to_the_right
from tinygrad_rnn.viz.plots.relative import (
    FORMULA,
    QUARTILES,
    Runs,
    how_to_read,
    kinds_of,
    last_sizes,
    relative_lines,
    runs_of,
    thresholds,
    told_apart,
)
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def through_time(
    reports: Mapping[str, Runs] | Runs,
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
    """Plot G_t / G_T by lag: how much of the gradient is left at h of each step, and at c where there is one.

    Time runs to the right, as in the graphs: lag 0 is at the right end. Of the parts of a state h has filled marks,
    others hollow ones on dots. A ring marks the horizon. The legend has the factor per step and the half-life. Of
    several runs of a cell, a list of reports, it is the median at every lag, with a band of quartiles.
    """
    title = "Gradient through time"
    reports = reports if isinstance(reports, Mapping) else {"network": reports}
    kinds = kinds_of(reports)
    with chart.paper(axes, style) as paper:
        if not kinds:
            return paper.empty(title, FORMULA, NO_STATES)
        panels = paper.grid(title, FORMULA, len(kinds), 2, 4.2, sharey=True)
        looks = paper.lines(reports)
        time_to_the_right(panels)
        for panel, kind in zip(panels, kinds, strict=True):
            relative_lines(panel, reports, kind, looks)
            chart.label(panel, f"state {kind}", LAG, f"relative: $G^{kind}_t / G^{kind}_T$")
        settle(panels)
        mark_edges(panels, thresholds(reports))
        floors = mark_floors(zip(panels, [last_sizes(reports, kind) for kind in kinds], strict=True), all_told=True)
        factor = (
            "Factor per step: the mean down to the horizon, or to the last lag. Half-life: the lag "
            "at which half is left, read off the curve; where a straight line fits."
        )
        several = any(len(runs_of(runs)) > 1 for runs in reports.values())
        bands = "Thick: the median over runs that differ in their seed; band: their quartiles." if several else ""
        return paper.finish(panels, [factor, bands, f"{how_to_read(panels)} {told_apart(kinds)}", floors], columns=2)


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return sentences about every layer and direction of each cell, about LSTMs as they start, and side by side."""
    judged = (said for entry in entries for said in verdicts(entry.report, entry.name))
    return [*judged, *side_by_side(entries)]


def side_by_side(entries: Sequence[Entry]) -> list[str]:
    """Return what there is to say besides the verdict on each cell: of other seeds, of LSTMs, and which keeps most."""
    over_seeds = (said for entry in entries if entry.repeats for said in _over_seeds(entry))
    about_lstms = filter(None, (_lstm(entry, entries) for entry in entries))
    return [*over_seeds, *about_lstms, *_compared(entries)]


def _over_seeds(entry: Entry) -> Iterator[str]:
    """Yield how much the seed matters: for each part of the cell's state what is left, for the cell the verdicts."""
    runs = [entry.report, *entry.repeats]
    for first in entry.report.cell:
        found = [state for run in runs if (state := run.state(first.kind)) is not None]
        lag = len(first.norms) - 1
        shares = np.array([share for state in found if (share := state.relative(lag)) is not None])
        if lag > 0 and len(shares) and np.isfinite(shares).all():
            low, high = np.quantile(shares, QUARTILES)
            yield (
                f"{entry.called()}, over {plural(len(shares), 'seed')}: the median of what is left of "
                f"‖∂L/∂{first.kind}_T‖ at lag {lag} is {number(float(np.median(shares)))}, its quartiles "
                f"{number(float(low))} and {number(float(high))}."
            )
    counts = Counter(run.verdict or "no verdict" for run in runs)
    said = ", ".join(f"{verdict} with {count}" for verdict, count in counts.items())
    yield f"{entry.called()}, over {plural(len(runs), 'seed')}: {said}{_horizons(runs)}."


def _horizons(runs: Sequence[FlowReport]) -> str:
    """Return between which lags the horizons lie, where every run has one."""
    steps = [run.horizon.steps if run.horizon else None for run in runs]
    known = [step for step in steps if step is not None]
    if len(known) < len(runs):
        return ""
    if min(known) == max(known):
        return f"; the horizon is {known[0]} with all"
    return f"; the horizons lie between {min(known)} and {max(known)}"


def _lstm(entry: Entry, entries: Sequence[Entry]) -> str | None:
    """Return whether an LSTM as it starts escapes what happens to the Elman networks beside it."""
    spec = parse_cell(entry.cell) if entry.cell else None
    state = furthest(entry.report)
    if spec is None or spec.name != "lstm" or entry.updates_made or state is None or len(state.norms) < 2:
        return None
    bias = dict(spec.options).get("forget_bias")
    which = "With PyTorch's initial weights" if bias is None else f"At forget bias {bias:g}"
    lag = len(state.norms) - 1
    share = f"{left(state, lag)} of ‖∂L/∂{state.kind}_T‖ is left at lag {lag}"
    if entry.report.verdict == "vanishes":
        elman = [other for other in entries if other.cell and parse_cell(other.cell).name == "rnn"]
        too = " too" if any(other.report.verdict == "vanishes" for other in elman) else ""
        return f"{which} the LSTM vanishes{too}: {share}."
    if entry.report.verdict == "survives":
        return f"{which} the LSTM does not vanish over these {plural(len(state.norms), 'step')}: {share}."
    return None


def _compared(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield which cell keeps most of the gradient over the longest lag that all have; an explosion is no keeping."""
    judged = [entry for entry in entries if entry.report.verdict in ("survives", "vanishes")]
    states = {entry.called(): state for entry in judged if (state := furthest(entry.report))}
    lag = min((len(state.norms) for state in states.values()), default=0) - 1
    shares_left = {name: state.relative(lag) for name, state in states.items()}
    known = {name: share for name, share in shares_left.items() if share is not None and math.isfinite(share)}
    if lag < 1 or len(known) < 2:
        return
    most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    if known[most] == known[least]:
        yield f"At lag {lag} all keep the same share of the gradient, {number(known[most])}."
    else:
        others = ", apart from those that explode" if any(e.report.verdict == "explodes" for e in entries) else ""
        kinds = {name: states[name].kind for name in known}
        if len(set(kinds.values())) == 1:
            judged_by = f"by {kinds[most]}"
        else:
            by_each = "; ".join(f"{name}: {kind}" for name, kind in kinds.items())
            judged_by = f"by the state whose gradient reaches furthest ({by_each})"
        yield (
            f"At lag {lag} {most} keeps the most of its gradient, {number(known[most])}, {least} the least, "
            f"{number(known[least])}{others}; judged {judged_by}."
        )


def alt(entries: Sequence[Entry]) -> str:
    """Return where each line of the plot begins and ends."""
    return alt_text("Lines over the lag, logarithmic", state_lines((entry.name, entry.report) for entry in entries))


PLOT = Plot(
    "through_time",
    "How far back does the gradient reach?",
    "The gradient of one loss, at the last step, as it arrives at the states of earlier and earlier steps, relative to "
    "that at the last. A straight line means: the same factor with every step.",
    lambda entries, style: through_time({entry.name: [entry.report, *entry.repeats] for entry in entries}, style=style),
    sentences,
    alt,
)
