"""How open the gates are, and what the path through one of them alone would bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.reasons import keeping
from tinygrad_rnn.flow.records import GateFlow
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.flow.units import units_of
from tinygrad_rnn.flow.why import unit_means
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import log_line, mark_floors, settle
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, extent, reports
from tinygrad_rnn.viz.plots.lags import LAG, beside, by_lag, lags, named, ratio, relative, time_to_the_right, zero_of
from tinygrad_rnn.viz.plots.look import Line, grey, ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


ALONE = "the gate alone, unit by unit"
ALONE_IS = (
    "Right, dashed: the last gradient times what the gate of each step lets through, unit by unit, and nothing else. "
    "What is left of it gathers in the units whose gate stays open. The measured gradient also comes through the other "
    "gates, into other units: that the two lie near each other does not mean that the gate alone explains it."
)
#: A gate whose unit lets more than this through per step keeps a third of a gradient over ten steps.
OPEN = 0.9


def gates(
    reports: Mapping[str, FlowReport | None] | FlowReport,
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
    """Plot each gate's mean and 10% to 90% band, and the gradient that the carried path alone would bring."""
    title = "How open the gates are, and what the path through them alone would bring"
    formula = (
        r"left: mean and 10–90% band;   right: $G^k_t$ against "
        r"$\sqrt{\mathrm{mean}_b\,\Vert\partial L_b/\partial k_T \cdot \prod_{s>t} \mathrm{gate}_s\Vert^2}$"
    )
    reports = named(reports)
    found = {name: report for name, report in reports.items() if report and _gates_of(report)}
    without = [name for name, report in reports.items() if report and name not in found]
    with chart.paper(axes, style) as paper:
        if not found:
            return paper.empty(title, formula, "No gates were measured: the cells have none, or none with a name.")
        panels = paper.grid(title, formula, 2 * len(found), 2, 2.4, together=2)
        looks = paper.part_lines(sorted({gate.label for report in found.values() for gate in _gates_of(report)}))
        time_to_the_right(panels)
        divided = []
        for (name, report), left, right in zip(found.items(), panels[::2], panels[1::2], strict=True):
            _gate_bands(left, report, looks)
            _set_apart(left, [gate.label for gate in _gates_of(report) if gate.low.min() < 0])
            chart.label(left, f"{chart.plain(name)}: gates", LAG, "value (1: open)")
            if sizes := _carried(right, name, report):
                divided.append((right, sizes))
        settle(panels[1::2])
        floors = mark_floors(divided)
        bare = f"Without named gates: {chart.plain(', '.join(without))}." if without else ""
        bands = "Bands: over all units and examples of one step, filled for the gate that keeps the state."
        return paper.finish(panels, [bands, ALONE_IS, bare, floors], columns=4)


def _set_apart(axes: Axes, candidates: Sequence[str]) -> None:
    """Shade the paper below 0, where a candidate may be and a gate is not."""
    if candidates:
        axes.axhspan(axes.get_ylim()[0], 0, color=grey(), alpha=0.12, lw=0, zorder=0)
        said = f"below 0: {' and '.join(candidates)} alone, no gate, −1 to 1"
        axes.text(0.03, 0.12, said, fontsize="small", color=grey(), transform=axes.transAxes)


def _gates_of(report: FlowReport) -> list[GateFlow]:
    return [gate for gate in report.gates if not report.cell or beside(gate, report.cell[0])]


def _gate_bands(axes: Axes, report: FlowReport, looks: Mapping[str, Line]) -> None:
    state = report.cell[0] if report.cell else None
    for gate in _gates_of(report):
        style = looks[gate.label]
        order = np.argsort(at := lags(gate.steps, state))
        # One fill alone can be told from what lies on it: that of the gate that keeps the state.
        fill = (style.colour, 0.15) if _kept_by(report, gate) else "none"
        band: dict[str, Any] = {"facecolor": fill, "edgecolor": (style.colour, 0.7), "lw": thick(0.4)}
        axes.fill_between(at[order], gate.low[order], gate.high[order], ls=style.dashes, **band)
        word = gate.label if gate.name == gate.label else f"{gate.label}: {gate.name.replace('_', ' ')}"
        label = chart.plain(word) + chart.plain(_kept_by(report, gate))
        axes.plot(at[order], gate.mean[order], label=label, **style.line(len(at)))


def _kept_by(report: FlowReport, gate: GateFlow, before: str = ", ") -> str:
    """Return which old state a gate keeps where it is open, or closed: ", 1 = keep the old h"; "" if none."""
    for carry in report.carries:
        if beside(carry, report.cell[0]) and carry.gate in (gate.label, f"1 - {gate.label}"):
            return f"{before}{keeping(carry.gate).partition(' = ')[2]} = keep the old {carry.kind}"
    return ""


def _carried(axes: Axes, name: str, report: FlowReport) -> list[float]:
    """Draw what each carried path would bring beside what was measured; return by what the lines were divided."""
    sizes, findings = [], []
    found = [carry for carry in report.carries if report.cell and beside(carry, report.cell[0])]
    for place, carry in enumerate(found):
        state = report.state(carry.kind)
        if state is not None:
            size = float(state.by_lag[0]) if state.measurable else 1.0
            sizes.append(size)
            measured = relative(state)
            whole: dict[str, Any] = {"color": ink(), "lw": thick(1.3), "label": "measured"}
            log_line(axes, np.arange(len(measured)), measured, 2 * place, zero_of(state), **whole)
            at, alone = by_lag(carry.steps, ratio(carry.norms, size), state)
            dashed: dict[str, Any] = {"color": grey(), "ls": "--", "lw": thick(1.3)}
            log_line(axes, at, alone, 2 * place + 1, label=ALONE, **dashed)
            ends = [cause.lag for cause in report.causes() if cause.kind == carry.kind]
            lag = min([*ends, int(at[-1])])
            findings.append(
                f"at lag {lag}: measured {number(float(measured[lag]))}, {carry.gate.replace('-', '−')} alone "
                f"{number(float(alone[lag]))}"
            )
    if not sizes:
        axes.text(0.5, 0.5, "no path that one gate carries", ha="center", color=grey(), transform=axes.transAxes)
    kinds = ",\\,".join(carry.kind for carry in found) or "k"
    paths = " and ".join(f"{carry.kind} carried by {carry.gate}" for carry in found) or "carried paths"
    what = f"{chart.plain(name)}: {chart.plain(paths)}"
    chart.label(axes, what, LAG, f"$G^{{{kinds}}}_t$ relative to lag 0", "; ".join(findings))
    return sizes


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return how open the gates of each cell are, and how much their units differ."""
    found = []
    for entry in entries:
        state = entry.report.cell[0] if entry.report.cell else None
        own = [gate for gate in entry.report.gates if state is None or gate.scope == state.scope]
        if not own:
            found.append(f"{entry.called()}: no gate has a name.")
        for gate in own:
            over = f"over all {plural(len(gate.steps), 'step')}"
            said = f"{entry.called()}: the gate {gate.label} is {number(float(np.mean(gate.mean)))} on average {over}"
            units = unit_means(gate)
            if units is not None and len(units) > 1:
                low, high = np.quantile(units, (0.1, 0.9))
                open_units = int((units > OPEN).sum())
                ends = f"{number(float(low))} and {number(float(high))}"
                said += f"; the means of eight in ten of its units lie between {ends}"
                said += f", {open_units} of {len(units)} above {OPEN:g}" if open_units else ""
            found.append(f"{said}{_kept_by(entry.report, gate, '; ')}.")
        found += [f"{entry.called()}: {said}" for said in _alone(entry.report)]
    return found


def _alone(report: FlowReport) -> list[str]:
    """Return what one gate alone would leave, and in which units, beside what is measured; [] if it is not known."""
    flow = units_of(report)
    if flow is None or flow.alone is None or flow.cause.gate_alone is None:
        return []
    cause = flow.cause
    if cause.kind not in dict(cause.shares):
        return []
    gate = flow.factor.replace("-", "−")
    said = (
        f"{gate} alone would leave {number(cause.gate_alone)} at lag {cause.lag}, where {number(cause.measured)} is "
        f"measured; it would be in units whose {gate} is {number(flow.alone)}"
    )
    straight = f"{dict(cause.shares)[cause.kind]:.0%}".replace("-", "−")
    return [
        f"{said}. The measured gradient is where {gate} is {number(flow.there)}: at each step {straight} of what "
        "arrives comes straight, the rest by other paths and into other units."
    ]


def alt(entries: Sequence[Entry]) -> str:
    """Return the range of each gate's mean."""
    parts = [f"{entry.name} {gate.label} {extent(gate.mean)}" for entry in entries for gate in entry.report.gates]
    return alt_text("Means and bands of gates over the lag, beside what the carried path would bring; means", parts)


PLOT = Plot(
    "gates",
    "What do the gates let through?",
    "How open the gates are, and how much of the gradient would be left if only the path through one gate carried it.",
    lambda entries, style: gates(reports(entries), style=style),
    sentences,
    alt,
    lambda entry: entry.report.gates,
    "None of the cells has a gate with a name.",
)
