"""Which units hold the gradient, and what they let through: what means over all units hide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.figures import number, plural
from tinygrad_rnn.flow.units import UnitsFlow, units_of
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, reports
from tinygrad_rnn.viz.plots.lags import named
from tinygrad_rnn.viz.plots.look import grey, ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: So many of the units that carry most are called by their number, if no others lie close.
_NUMBERED = 5
_THERE, _OVER_ALL = "where the gradient is", "mean over all units"

#: How wide a digit is, and how high, of the room between the axes.
_LETTER, _HIGH = 0.035, 0.07


def units(
    reports: Mapping[str, FlowReport | None] | FlowReport,
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
    """Plot each unit of a state: what its gate lets through against its share of the squared gradient.

    In Elman's network, which has no gate, it is tanh′. Filled are the fewest units that hold four fifths.
    """
    title = "Which units hold the gradient, and what they let through"
    formula = (
        r"share of unit $j$:  mean over lags and examples of  $(\partial L/\partial k_{t,j})^2 \,/\, "
        r"\Vert\partial L/\partial k_t\Vert^2$"
    )
    reports = named(reports)
    found = {name: flow for name, report in reports.items() if report and (flow := units_of(report))}
    without = [name for name, report in reports.items() if report and name not in found]
    with chart.paper(axes, style) as paper:
        if not found:
            return paper.empty(title, formula, "No state is multiplied unit by unit, or units were not measured.")
        panels = paper.grid(title, formula, len(found), 3, 2.9)
        looks = paper.lines(reports)
        for panel, (name, flow) in zip(panels, found.items(), strict=True):
            _points(panel, flow, looks[name].colour)
            panel.axvline(flow.over_all, color=grey(), lw=thick(1), ls="--", label=_OVER_ALL)
            panel.axvline(flow.there, color=ink(), lw=thick(1), label=_THERE)
            called = flow.factor.replace("-", "−")
            across = f"{called} of a unit, mean over {plural(flow.cause.lag, 'step')}"
            finding = (
                f"{_few(flow)}; {called} there {number(flow.there)}, over all {number(flow.over_all)}"
            )  # fmt: skip
            what = f"{chart.plain(name)}: {flow.cause.kind}"
            chart.label(panel, what, across, f"share of the squared gradient of {flow.cause.kind}", finding)
        bare = f"Without such a factor: {chart.plain(', '.join(without))}." if without else ""
        note = (
            "Each point is a unit. Filled: the fewest units that together hold four fifths of the squared gradient, "
            "the first of them with their numbers. Full line: the factor where the gradient is, the root mean square "
            "over the units, each weighted by its squared gradient at that step. Means are over the steps back to the "
            "horizon, or to the first step."
        )
        return paper.finish(panels[:1], [note, bare])


def _points(panel: Axes, flow: UnitsFlow, colour: str) -> None:
    """Draw the units: those that carry filled, and the first of them with their numbers."""
    carrying = list(flow.carriers)
    others = [unit for unit in range(len(flow.shares)) if unit not in flow.carriers]
    for chosen, face, label in ((others, "none", "_others"), (carrying, colour, "_carriers")):
        panel.plot(
            flow.through[chosen], flow.shares[chosen], "o", ms=5, mec=colour, mfc=face, label=label, clip_on=False
        )
    high = float(flow.shares.max())
    taken = [(float(x), float(y) / high) for x, y in zip(flow.through, flow.shares, strict=True)]
    for unit in carrying[:_NUMBERED]:
        x, y = float(flow.through[unit]), float(flow.shares[unit]) / high
        wide = _LETTER * len(str(unit))
        for side in (-1, 1) if x > 0.5 else (1, -1):
            from_, to = sorted((x + side * 0.025, x + side * (0.025 + wide)))
            lines = any(from_ - 0.01 < at < to + 0.01 for at in (flow.over_all, flow.there))
            points = any(from_ - 0.02 < at < to + 0.02 and abs(height - y) < _HIGH for at, height in taken)
            if from_ > 0 and to < 1.06 and not lines and not points:
                taken += [(from_ + wide * part / 4, y) for part in range(5)]
                panel.annotate(
                    str(unit), (x, y * high), (6 * side, 0), textcoords="offset points", fontsize="small",
                    ha="left" if side > 0 else "right", va="center",
                )  # fmt: skip
                break
    panel.set_xlim(-0.02, 1.02)
    panel.set_ylim(0, 1.12 * high)
    panel.yaxis.set_major_formatter(lambda share, _: f"{share:.3g}")


def _few(flow: UnitsFlow) -> str:
    count = len(flow.carriers)
    return f"{count} of {plural(len(flow.shares), 'unit')} {'hold' if count > 1 else 'holds'} four fifths"


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return how few units hold most of the gradient, and what they let through beside all units."""
    found = []
    for entry in entries:
        flow = units_of(entry.report)
        if flow is None:
            found.append(f"{entry.called()}: no gate and no tanh′ multiplies a state unit by unit.")
            continue
        even = math.ceil(0.8 * len(flow.shares))
        end = "the horizon" if entry.report.horizon and entry.report.horizon.steps else "the first step"
        before = units_of(entry.history[0][1]) if len(entry.history) > 1 else None
        then = f" Before training: {_few(before)}, {_both(before)}." if before else ""
        found.append(
            f"{entry.called()}: {_few(flow)} of the squared gradient of {flow.cause.kind} (spread evenly it would take "
            f"{even}); {_both(flow)}. These are means over the {plural(flow.cause.lag, 'step')} back to {end}.{then}"
        )
    return found


def _both(flow: UnitsFlow) -> str:
    called = flow.factor.replace("-", "−")
    return f"{called} is {number(flow.there)} where the gradient is, {number(flow.over_all)} over all units"


def alt(entries: Sequence[Entry]) -> str:
    """Return how many units carry, where they lie and where all do."""
    parts = []
    for entry in entries:
        flow = units_of(entry.report)
        if flow is not None:
            carrying = flow.through[list(flow.carriers)]
            called = flow.factor.replace("-", "−")
            parts.append(
                f"{entry.name} {called}: {_few(flow)}, at {called} from {number(float(carrying.min()))} to "
                f"{number(float(carrying.max()))}, lines at {number(flow.there)} where the gradient is and "
                f"{number(flow.over_all)} for all"
            )
    return alt_text(
        "A panel for each cell with a point for each unit, its gate across, its share of the gradient up", parts
    )


PLOT = Plot(
    "units",
    "Which units hold the gradient?",
    "A network keeps its gradient in the units that let it through, and these may be few: a mean over all units does "
    "not show them. Right: units that let much through. High: units that hold much of the gradient.",
    lambda entries, style: units(reports(entries), style=style),
    sentences,
    alt,
    lambda entry: units_of(entry.report),
    "No cell has a gate or a tanh′ that multiplies its state unit by unit.",
)
