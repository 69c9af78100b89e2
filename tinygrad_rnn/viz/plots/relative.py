"""Lines of what is left of the gradient by lag, of one run or of several: through time, and over a training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow import FlowReport, StateFlow
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import above_one, log_line
from tinygrad_rnn.viz.plots.lags import relative, zero_of
from tinygrad_rnn.viz.plots.look import Line, thick

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A report, or those of several runs that differ in their seed only.
Runs = FlowReport | Sequence[FlowReport] | None

FORMULA = r"$G_t / G_T$ by the lag $T - t$,   $G^k_t = \sqrt{\mathrm{mean}_b\,\Vert\partial L_b/\partial k_t\Vert^2}$"
#: What a band of several runs is.
QUARTILES = (0.25, 0.75)


def how_to_read(panels: Iterable[Axes]) -> str:
    """Return what paper and rings mean; of red paper where there is some."""
    red = " Red: above 1." if any(above_one(axes) for axes in panels) else ""
    ring = "Ring: the horizon of that part of the state, its first lag below the threshold."
    return f"All relative to lag 0. Grey: below the threshold.{red} {ring}"


def told_apart(kinds: Sequence[str]) -> str:
    """Return in words how the lines of the parts of a state differ; "" if there is one part."""
    first, *others = kinds
    return f"{first} has filled marks, {' and '.join(others)} hollow ones on a dotted line." if others else ""


def runs_of(runs: Runs) -> list[FlowReport]:
    """Return the reports of the runs of one cell."""
    return [runs] if isinstance(runs, FlowReport) else list(runs or ())


def kinds_of(reports: Mapping[str, Runs]) -> list[str]:
    """Return the kinds of states there are."""
    found = (state for runs in reports.values() for report in runs_of(runs) for state in report.cell)
    return list(dict.fromkeys(state.kind for state in found if len(state.norms)))


def states(reports: Mapping[str, Runs], kind: str) -> Iterator[tuple[str, float, list[StateFlow]]]:
    """Yield the cells that have a state of this kind, each with the threshold and the state in every run."""
    for name, runs in reports.items():
        found = [(report.threshold, state) for report in runs_of(runs) if (state := report.state(kind))]
        if found and all(len(state.norms) for _, state in found):
            yield name, found[0][0], [state for _, state in found]


def relative_lines(
    axes: Axes,
    reports: Mapping[str, Runs],
    kind: str,
    looks: Mapping[str, Line],
    fitted: bool = True,
    parts: bool = False,
) -> None:
    """Draw G_t / G_T of every cell by lag, and the horizons; of several runs the median, with a band of quartiles.

    Args:
        fitted: whether names have the factor per step with them.
        parts: whether they have that of the part of the state.
    """
    place = kinds_of(reports).index(kind)
    for name, threshold, found in states(reports, kind):
        runs = [relative(state) for state in found]
        style = looks[name]
        label = chart.plain(name) + (f": {kind} {speed(found, threshold)}" if fitted else f": {kind}" if parts else "")
        sizes = np.median(runs, axis=0)
        lags = np.arange(len(sizes))
        if len(runs) > 1:
            _band(axes, lags, runs, style)
        line = style.line(len(sizes)) | style.of_part(place)
        log_line(axes, lags, sizes, style.place, zero_of(found[0]), label=label, **line)
        below = np.flatnonzero(sizes < threshold) if found[0].measurable else np.zeros(0, dtype=int)
        if len(below) and sizes[below[0]] > 0:
            axes.plot(below[0], sizes[below[0]], "o", ms=11, mfc="none", mec=style.colour, label=f"_horizon {name}")


def _band(axes: Axes, lags: np.ndarray, runs: Sequence[np.ndarray], style: Line) -> None:
    for run in runs:
        drawn = np.where(np.isfinite(run) & (run > 0), run, np.nan)
        axes.plot(lags, drawn, color=style.colour, lw=thick(0.4), alpha=0.35, label="_run")
    low, high = np.quantile(runs, QUARTILES, axis=0)
    there = np.isfinite(low) & np.isfinite(high) & (low > 0)
    axes.fill_between(lags, low, high, where=there, color=style.colour, alpha=0.15, lw=0)


def thresholds(reports: Mapping[Any, Runs]) -> list[float]:
    """Return the thresholds of all reports."""
    return [report.threshold for runs in reports.values() for report in runs_of(runs)]


def last_sizes(reports: Mapping[str, Runs], kind: str) -> list[float]:
    """Return the sizes by which the lines were divided."""
    return [float(state.by_lag[0]) for _, _, found in states(reports, kind) for state in found]


def speed(found: Sequence[StateFlow], threshold: float) -> str:
    """Return the factor per step and the half-life in words, of several runs the medians.

    Where no straight line fits, those on both sides of the bend instead of a half-life.
    """
    decays = [decay for state in found if (decay := state.decay(threshold))]
    if not decays:
        return "has no factor per step"
    halves = [decay.half_life for decay in decays]
    known = [half for half in halves if half is not None]
    steps = f"{float(np.median(known)):.3g}" if len(known) == len(halves) else ""
    half = f", half-life {steps} step{'' if steps == '1' else 's'}" if steps else ""
    (first, *others) = decays
    if not half and not others and first.bend and first.before is not None and first.after is not None:
        half = f" to lag {first.lag} (×{number(first.before)} to lag {first.bend}, ×{number(first.after)} after it)"
    over = f" (median of {plural(len(found), 'run')})" if len(found) > 1 else ""
    return f"×{number(float(np.median([decay.per_step for decay in decays])))} per step{half}{over}"
