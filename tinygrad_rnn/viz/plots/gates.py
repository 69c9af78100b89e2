"""How open the gates are, and what the path through one of them alone would bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow import FlowReport, StateFlow
from tinygrad_rnn.flow.reasons import keeping
from tinygrad_rnn.flow.records import GateFlow
from tinygrad_rnn.flow.sentences import number, plural
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
STRAIGHT = "straight factors multiplied"
TWO_WAYS = (
    "Right: what one gate would leave. Unit by unit (dashed): the last gradient times the gate of every step; what is "
    "left gathers in units whose gate stays open. Straight factors (dotted): at each step the gate weighted by where "
    "the measured gradient is; other paths bring it into other units at every step, so that the two differ. The "
    "straight factor per step in the sentences is the geometric mean of these factors down to the horizon."
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
            chart.label(left, f"{chart.plain(name)}: gates", LAG, "value (1: open)")
            if sizes := _carried(right, name, report):
                divided.append((right, sizes))
        settle(panels[1::2])
        floors = mark_floors(divided)
        bare = f"Without named gates: {chart.plain(', '.join(without))}." if without else ""
        return paper.finish(
            panels, ["Bands: over all units and examples of one step.", TWO_WAYS, bare, floors], columns=4
        )


def _gates_of(report: FlowReport) -> list[GateFlow]:
    return [gate for gate in report.gates if not report.cell or beside(gate, report.cell[0])]


def _gate_bands(axes: Axes, report: FlowReport, looks: Mapping[str, Line]) -> None:
    state = report.cell[0] if report.cell else None
    for gate in _gates_of(report):
        style = looks[gate.label]
        order = np.argsort(at := lags(gate.steps, state))
        axes.fill_between(at[order], gate.low[order], gate.high[order], color=style.colour, alpha=0.15, lw=0)
        word = gate.label if gate.name == gate.label else f"{gate.label}: {gate.name.replace('_', ' ')}"
        label = chart.plain(word) + chart.plain(_kept_by(report, gate))
        axes.plot(at[order], gate.mean[order], label=label, **style.line(len(at)))


def _kept_by(report: FlowReport, gate: GateFlow, before: str = ", ") -> str:
    """Return which old state a gate keeps where it is open, or closed: ", 1 = keep the old h"; "" if none."""
    for carry in report.carries:
        if beside(carry, report.cell[0]) and carry.gate in (gate.label, f"1 - {gate.label}"):
            return f"{before}{keeping(carry.gate).partition(' = ')[2]} = keep the old {carry.kind}"
    return ""


def _straight_factors(report: FlowReport, state: StateFlow) -> tuple[np.ndarray, np.ndarray]:
    """Return lags, and by lag the product of the straight factors of all steps after it: ‖gate · g‖ / ‖g‖."""
    path = next(
        (p for p in report.paths if p.child == p.parent == state.kind and beside(p, state)), None
    )  # fmt: skip
    if path is None:
        return np.zeros(0), np.zeros(0)
    at, sent = by_lag(path.steps, path.norms, state)
    factors = ratio(sent, state.by_lag[at])
    return np.concatenate([at[:1], at + 1]), np.concatenate([[1.0], np.cumprod(factors)])


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
            dotted = dashed | {"ls": ":"}
            over, straight = _straight_factors(report, state)
            log_line(axes, over, straight, 2 * place + 2, label=STRAIGHT, **dotted)
            last = int(at[-1])
            straight_end = f", straight factors {number(float(straight[-1]))}" if len(straight) else ""
            findings.append(
                f"at lag {last}: measured {number(float(measured[last]))}, {carry.gate.replace('-', '−')} alone "
                f"{number(float(alone[-1]))}{straight_end}"
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
    return found


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
