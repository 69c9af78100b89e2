"""The singular values of the Jacobians between states, and their finite-time Lyapunov exponents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.flow.held import held_gradient
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import log_line, mark_floors, settle
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, ends, reports
from tinygrad_rnn.viz.plots.lags import LAG, beside, named, time_to_the_right
from tinygrad_rnn.viz.plots.look import grey, ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinygrad_rnn.flow import FlowReport, JacobianReport

_SIZES = {"largest": "-", "median": "--", "smallest": ":"}  # and how they are drawn
#: The gradient of the loss, as a line.
THIS = "of this loss's gradient"
#: Less than this share of what could pass is said to be lost for its direction.
ALIGNED = 0.01
_BOUND = r"bound: $(\sigma_{\max}(W_{hh})\,\max\varphi')^{T-t}$"


def singular_values(
    jacobians: Mapping[str, JacobianReport | None] | JacobianReport,
    bounds: Mapping[str, np.ndarray | None] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
    reports: Mapping[str, FlowReport | None] | None = None,
) -> Figure:
    """Plot the largest, median and smallest singular value of ds_T/ds_t by lag, and the finite-time
    Lyapunov exponents.

    Args:
        bounds: by cell and lag, what no singular value exceeds, from `elman_bound`; other cells have none.
        reports: by cell what was measured of one loss; what its gradient gets of all that can pass is drawn beside.
    """
    title = "What one state passes to an earlier one: singular values and Lyapunov exponents"
    formula = (
        r"$\sigma(\partial s_T/\partial s_t)$ by the lag $T-t$, geometric mean over examples;   "
        r"$\lambda_i = \ln\,\sigma_i / d$ at the last lag $d$"
    )
    jacobians = named(jacobians)
    found = {name: report for name, report in jacobians.items() if report is not None}
    with chart.paper(axes, style) as paper:
        if not found:
            return paper.empty(title, formula, "No Jacobians of states were measured.")
        panels = paper.grid(title, formula, len(found) + 1, 3, 2.8)
        *by_cell, last = panels
        far: list[str] = []
        looks = paper.lines(jacobians)
        time_to_the_right(by_cell)
        for panel, (name, report) in zip(by_cell, found.items(), strict=True):
            _singular_lines(panel, report, looks[name].colour)
            bound = (bounds or {}).get(name)
            if bound is not None and _in_sight(bound, report):
                log_line(panel, np.arange(len(bound)), bound, 3, label=_BOUND, color=ink(), ls="-.", lw=thick(0.7))
            elif bound is not None:
                end = len(bound) - 1
                far.append(f"the bound of {chart.plain(name)} is {number(float(bound[end]))} at lag {end}")
            held = held_of(report, (reports or {}).get(name))
            if held is not None:
                log_line(panel, np.arange(len(held)), held, 4, label=THIS, color=ink(), lw=thick(1.3))
            state = ",".join(report.kinds)
            which = f"$s=({state})$" if len(report.kinds) > 1 else f"$s={state}$"
            axis = r"relative: $\sigma(\partial s_T/\partial s_t)$"
            chart.label(panel, f"{chart.plain(name)}, {which}", LAG, axis, gets(report, held))
        for name, report in found.items():
            at = np.arange(1, len(report.exponents) + 1)
            numbers = np.where(np.isfinite(report.exponents), report.exponents, np.nan)
            last.plot(
                at,
                numbers,
                label=f"{chart.plain(name)}: {_range(report.exponents)}",
                **looks[name].line(len(at)) | {"lw": thick(0.8)},
            )
        bounded = any(line.get_label() == _BOUND for panel in by_cell for line in panel.get_lines())
        for word, dashes in (_SIZES | ({_BOUND: "-."} if bounded else {})).items():
            last.plot([], [], color=grey(), ls=dashes, label=word)  # for the legend: of no cell's colour
        if any(line.get_label() == THIS for panel in by_cell for line in panel.get_lines()):
            last.plot([], [], color=ink(), lw=thick(1.3), label=THIS)
        last.axhline(0, color=grey(), lw=thick(0.5), ls=":")
        chart.label(last, "finite-time Lyapunov exponents", "$i$", r"$\lambda_i$ (per step)")
        settle(by_cell)
        for panel, report in zip(by_cell, found.values(), strict=True):
            _without_bound(panel, report)
        floors = mark_floors((panel, [1.0]) for panel in by_cell)
        above = f"Not in sight, far above: {'; '.join(far)}: (σ_max(W_hh) max φ′)^(T−t)." if far else ""
        return paper.finish(
            [last],
            [
                "Largest: what a loss could keep whose gradient at the last state lies in the best direction. Of this "
                f"loss's gradient: its size by the state s, relative to lag 0{_examples(found, reports)}. "
                "A line ends where a singular value is below rounding (ε times the largest). "
                "λ, the finite-time Lyapunov exponents: ln σ / d at the last lag d, the mean over examples, from the "
                "largest to the smallest; below 0 that direction shrinks.",
                above,
                floors,
            ],
        )


def _examples(found: Mapping[str, JacobianReport], flows: Mapping[str, FlowReport | None] | None) -> str:
    """Return of how many examples the singular values and the gradient are, where these are not the same."""
    examples = {report.one_step.shape[1] for report in found.values()}
    batches = {flow.batch for flow in (flows or {}).values() if flow is not None}
    if not batches or examples == batches:
        return ""
    one, other = (" or ".join(map(str, sorted(counts))) for counts in (examples, batches))
    return f" (singular values of {one} examples, the gradient of {other}, root mean square)"


def held_of(report: JacobianReport, flow: FlowReport | None) -> np.ndarray | None:
    """Return by lag what this loss's gradient gets of what can pass from state to state; None where it is unknown."""
    if flow is None or not flow.cell or not beside(report, flow.cell[0]):
        return None
    held = held_gradient(flow, report.kinds)
    return held if held is not None and len(held) == len(report.steps) else None


def gets(report: JacobianReport, held: np.ndarray | None) -> str:
    """Return in words what could be left at the last lag, and what is left of this loss's gradient; "" if unknown."""
    lag = len(report.steps) - 1
    if held is None or not lag or not math.isfinite(report.largest[lag]):
        return ""
    most, own = float(report.largest[lag]), float(held[lag])
    share = f"{own / most:.0%} of that" if own >= ALIGNED * most else "it lies in directions that shrink"
    return f"possible at lag {lag}: {number(most)}, this loss's gradient gets {number(own)}: {share}"


def _singular_lines(axes: Axes, report: JacobianReport, colour: str) -> None:
    for place, (word, dashes) in enumerate(_SIZES.items()):
        values = np.asarray(getattr(report, word))
        there = ~np.isnan(values)  # NaN says "below rounding", which is no news
        axes.set_yscale("log")
        log_line(axes, np.flatnonzero(there), values[there], place, label=word, color=colour, ls=dashes)
    axes.axhline(1, color=grey(), lw=thick(0.5), ls=":")


def _in_sight(bound: np.ndarray, report: JacobianReport) -> bool:
    """Return whether most of a bound lies near the singular values: one that grows far beyond would flatten them."""
    sizes = np.concatenate([np.asarray(getattr(report, word)).ravel() for word in _SIZES])
    fine = sizes[np.isfinite(sizes) & (sizes > 0)]
    return bool(np.median(bound) <= 30 * max(fine.max(initial=0.0), 1.0))


def _without_bound(axes: Axes, report: JacobianReport) -> None:
    """Let the axis show the singular values: a bound that grows far beyond them would flatten them."""
    sizes = np.concatenate([np.asarray(getattr(report, word)).ravel() for word in _SIZES])
    fine = sizes[np.isfinite(sizes) & (sizes > 0)]
    if len(fine):
        low, high = axes.get_ylim()
        axes.set_ylim(low, min(high, 30 * max(fine.max(), 1.0)))


def _range(exponents: np.ndarray) -> str:
    known = np.asarray(exponents)[np.isfinite(exponents)]
    if not len(known):
        return "no finite exponent"
    unknown = len(exponents) - len(known)
    return f"λ {known[0]:.3g} to {known[-1]:.3g}" + (f", {unknown} not finite" if unknown else "")


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return the largest finite-time Lyapunov exponent of each cell: of the lags measured, not of endless time."""
    found = []
    for entry in entries:
        if entry.jacobians is None:
            found.append(f"{entry.called()}: the Jacobians of the states were not measured.")
            continue
        exponents = np.asarray(entry.jacobians.exponents)
        lag = len(entry.jacobians.steps) - 1
        what = f"the largest finite-time Lyapunov exponent, ln(σ_max)/d at the last lag d = {lag},"
        if not lag:
            found.append(f"{entry.called()}: there is a single step, so there is no Jacobian between two states.")
        elif not len(exponents) or not math.isfinite(exponents[0]):
            found.append(f"{entry.called()}: {what} is {number(_first(exponents))}.")
        else:
            sigma, per_step = (math.exp(min(exponents[0] * times, 700)) for times in (lag, 1))
            lost = int((~np.isfinite(exponents)).sum())
            rest = f"; {lost} of {len(exponents)} exponents {'is' if lost == 1 else 'are'} not finite" if lost else ""
            found.append(
                f"{entry.called()}: {what} is {number(exponents[0])}: after {plural(lag, 'step')} a change of the "
                f"state is at most {number(sigma)} times as large, ×{per_step:.4g} with each{rest}."
            )
            if this := gets(entry.jacobians, held_of(entry.jacobians, entry.report)):
                found.append(f"{entry.called()}: {this}.{_of_parts(entry.report, entry.jacobians)}")
    return found


def _of_parts(report: FlowReport, jacobians: JacobianReport) -> str:
    """Return why the gradient at the whole state is neither that at its one part nor that at the other."""
    lag = len(jacobians.steps) - 1
    shares = {state.kind: state.relative(lag) for state in report.cell if state.kind in jacobians.kinds}
    if len(shares) < 2 or None in shares.values():
        return ""
    each = " and ".join(f"{number(share)} at {kind}" for kind, share in shares.items())
    return (
        f" This is the gradient at the whole state ({', '.join(jacobians.kinds)}), relative to its own size at lag 0. "
        f"Elsewhere on this page it is {each}: each relative to its own, and with what it sends to the other part in "
        "its own step."
    )


def _first(values: np.ndarray) -> float | None:
    return float(values[0]) if len(values) else None


def alt(entries: Sequence[Entry]) -> str:
    """Return where the lines of the largest singular values begin and end."""
    found = [(entry.name, entry.jacobians) for entry in entries if entry.jacobians is not None]
    lines = [ends(f"largest of {name}", [number(float(size)) for size in report.largest]) for name, report in found]
    return alt_text("Lines over the lag, logarithmic, and Lyapunov exponents", lines)


PLOT = Plot(
    "singular_values",
    "What can pass from state to state at all?",
    "The Jacobian from an earlier state to the last one bounds what a loss that reads the last state can send back: at "
    "most its largest singular value times as much, at least its smallest. That holds for every example; shown is the "
    "geometric mean over the examples.",
    lambda entries, style: singular_values(
        {entry.name: entry.jacobians for entry in entries},
        {entry.name: entry.bound for entry in entries},
        style=style,
        reports=reports(entries),
    ),
    sentences,
    alt,
    lambda entry: entry.jacobians is not None,
    "The Jacobians of the states were not measured, which takes much memory for large states.",
)
