"""Plots of what makes the gradient smaller: paths, singular values, gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow import FlowReport, StateFlow
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.lags import LAG, NO_STATES, beside, by_lag, lags, named, one_step_back, ratio, relative

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinygrad_rnn.flow import JacobianReport

_OPERATIONS = {"tanh": "tanh′", "relu": "relu′", "sigmoid": "sigmoid′", "matmul": "W_hh"}
_TOTAL = "all paths together"

Part = tuple[str, np.ndarray, np.ndarray]  # its name, the lags at which it arrives, the factors


# ---- along which path ----------------------------------------------------------------------------------------------


def attenuation(reports: Mapping[str, FlowReport | None] | FlowReport) -> Figure:
    """Plot by which factor one step back changes the size of a state's gradient, and what each path has to do with it.

    Where a single path of operations leads from a state to the one before (Elman), these are the factors of the
    operations, with G_{t-1} / G_t as their product. Else they are the sizes of what arrives along each path, relative
    to G_t: as vectors these add up, as sizes they do not.
    """
    title = "Who killed it: the attenuation of one step, split by path"
    formula = r"$G_{t-1} / G_t$,  and by path:  $\Vert$message$\Vert / G_t$,  or the factor of each operation"
    found = [
        (name, report, state)
        for name, report in named(reports).items()
        for state in (report.cell if report else ())
        if report and len(state.norms) > 1
    ]
    with chart.look():
        if not found:
            return chart.empty(title, formula, f"{NO_STATES} Two steps are needed.")
        figure, panels = chart.grid(title, formula, len(found), 3, 2.7)
        parts = [split_by_path(report, state) for _, report, state in found]
        looks = chart.styles(sorted({word for _, each in parts for word, _, _ in each}))
        for axes, (name, report, state), (only, split) in zip(panels, found, parts, strict=True):
            total = one_step_back(report, state)
            chart.log_line(axes, np.arange(1, len(total) + 1), total, label=_TOTAL, color="black", lw=3, alpha=0.8)
            for place, (word, at, values) in enumerate(split, start=1):
                chart.log_line(
                    axes, at, values, place, label=chart.plain(word), **looks[word].line(len(at)) | {"lw": 1.1}
                )
            axes.axhline(1, color=chart.GREY, lw=0.8, ls=":")
            what = f"{chart.plain(name)}: into ${state.kind}_{{t-1}}$"
            chart.label(axes, what, "lag of $t-1$", "factor of one step", culprit(only, split))
        chart.settle(panels)
        return chart.finish(
            figure,
            panels,
            [
                "Norms of contributions do not add: what arrives along several paths is a sum of vectors, which may "
                "cancel or stand at right angles.",
                "tanh′, relu′, W_hh: on the only path there is, and they multiply. carry: from a state straight "
                "to itself one step earlier, times the gate that keeps it (f of an LSTM, z of a GRU).",
                "gate x: what comes back because the gate x itself was computed from the state. Each panel has an axis "
                "of its own. Factors in titles: geometric means over the steps.",
            ],
            columns=6,
        )


def culprit(only: bool, split: Sequence[Part]) -> str:
    """Return in words which operation takes most away, or which path brings most; "" where nothing can be said."""
    means = {word: _geometric_mean(values) for word, _, values in split}
    known = {word: mean for word, mean in means.items() if mean is not None}
    if not known:
        return ""
    if only:
        word = min(known, key=lambda each: known[each])
        taken = f"most is lost in {word}" if known[word] < 1 else f"nothing is lost, least is gained in {word}"
        return f"{taken}: × {known[word]:.2g} per step"
    word = max(known, key=lambda each: known[each])
    return f"most comes by {chart.plain(word)}: × {known[word]:.2g} per step"


def _geometric_mean(values: np.ndarray) -> float | None:
    fine = values[np.isfinite(values)]
    if not len(fine):
        return None
    return float(np.exp(np.log(fine).mean())) if (fine > 0).all() else 0.0


def split_by_path(report: FlowReport, state: StateFlow) -> tuple[bool, list[Part]]:
    """Return whether a single path leads to a state, and what happens on it, else what arrives along each."""
    only = any(flow.kind == state.kind and beside(flow, state) for flow in report.factors)
    return only, list(_factors(report, state) if only else _arrivals(report, state))


def _factors(report: FlowReport, state: StateFlow) -> Iterator[Part]:
    """Yield what each operation on the only path does, leaving out those that change no size."""
    for flow in report.factors:
        if flow.kind == state.kind and beside(flow, state) and not np.allclose(flow.factors, 1, rtol=0, atol=1e-9):
            yield _OPERATIONS.get(flow.op, flow.op), *_arriving(flow.steps, flow.factors, state)


def _arrivals(report: FlowReport, state: StateFlow) -> Iterator[Part]:
    """Yield the size of what arrives at a state along each path, relative to the state's own one step later."""
    own = dict(zip(state.steps, state.norms, strict=True))
    kinds = {other.kind for other in report.states}
    for path in report.paths:
        if path.parent == state.kind and beside(path, state):
            later = [own.get(step, np.nan) for step in path.steps]
            word = "carry" if path.child in kinds else f"gate {path.child}"
            yield word, *_arriving(path.steps, ratio(path.norms, later), state)


def _arriving(steps: tuple[int, ...], values: np.ndarray, state: StateFlow) -> tuple[np.ndarray, np.ndarray]:
    at, ordered = by_lag(steps, values, state)
    return at + 1, ordered  # what a step sends arrives one step further back


# ---- singular values -----------------------------------------------------------------------------------------------


_SIZES = {"largest": "-", "median": "--", "smallest": ":"}  # and how they are drawn
_BOUND = r"bound: $\sigma_{\max}(W_{hh})^{T-t}$"


def singular_values(
    jacobians: Mapping[str, JacobianReport | None] | JacobianReport,
    bounds: Mapping[str, np.ndarray | None] | None = None,
) -> Figure:
    """Plot the largest, median and smallest singular value of ds_T/ds_t by lag, and the Lyapunov exponents.

    Args:
        bounds: by cell and lag, what no singular value exceeds, from `elman_bound`; other cells have none.
    """
    title = "What one state passes to an earlier one: singular values and Lyapunov exponents"
    formula = (
        r"$\sigma(\partial s_T/\partial s_t)$ by the lag $T-t$, median over examples;   "
        r"$\lambda_i$: mean growth of $\ln\,\sigma_i$ per step"
    )
    jacobians = named(jacobians)
    found = {name: report for name, report in jacobians.items() if report is not None}
    with chart.look():
        if not found:
            return chart.empty(title, formula, "No Jacobians of states were measured.")
        figure, panels = chart.grid(title, formula, len(found) + 1, 3, 2.8)
        *by_cell, last = panels
        looks = chart.styles(jacobians)
        for axes, (name, report) in zip(by_cell, found.items(), strict=True):
            _singular_lines(axes, report, looks[name].colour)
            bound = (bounds or {}).get(name)
            if bound is not None:
                chart.log_line(axes, np.arange(len(bound)), bound, 3, label=_BOUND, color="black", ls="-.", lw=1)
            state = ",".join(report.kinds)
            which = f"$s=({state})$" if len(report.kinds) > 1 else f"$s={state}$"
            chart.label(axes, f"{chart.plain(name)}, {which}", LAG, r"$\sigma(\partial s_T/\partial s_t)$")
        for name, report in found.items():
            at = np.arange(1, len(report.exponents) + 1)
            numbers = np.where(np.isfinite(report.exponents), report.exponents, np.nan)
            last.plot(
                at,
                numbers,
                label=f"{chart.plain(name)}: {_range(report.exponents)}",
                **looks[name].line(len(at)) | {"lw": 1.2},
            )
        bounded = any(line.get_label() == _BOUND for axes in by_cell for line in axes.get_lines())
        for word, dashes in (_SIZES | ({_BOUND: "-."} if bounded else {})).items():
            last.plot([], [], color="black", ls=dashes, label=word)  # for the legend: of no cell's colour
        last.axhline(0, color=chart.GREY, lw=0.8, ls=":")
        chart.label(last, "Lyapunov exponents", "$i$", r"$\lambda_i$ (per step)")
        chart.settle(by_cell)
        for axes, report in zip(by_cell, found.values(), strict=True):
            _without_bound(axes, report)
        floors = chart.mark_floors((axes, [1.0]) for axes in by_cell)
        return chart.finish(
            figure,
            [last],
            [
                "A line ends where a singular value is below rounding (ε times the largest). "
                "λ: by QR over all steps, from the largest to the smallest; below 0 that direction shrinks.",
                floors,
            ],
        )


def _singular_lines(axes: Axes, report: JacobianReport, colour: str) -> None:
    for place, (word, dashes) in enumerate(_SIZES.items()):
        values = np.asarray(getattr(report, word))
        there = ~np.isnan(values)  # NaN says "below rounding", which is no news
        axes.set_yscale("log")
        chart.log_line(axes, np.flatnonzero(there), values[there], place, label=word, color=colour, ls=dashes)
    axes.axhline(1, color=chart.GREY, lw=0.8, ls=":")


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


# ---- gates ---------------------------------------------------------------------------------------------------------


def gates(reports: Mapping[str, FlowReport | None] | FlowReport) -> Figure:
    """Plot each gate's mean and 10% to 90% band, and the gradient that the carried path alone would bring."""
    title = "How open the gates are, and what the path through them alone would bring"
    formula = (
        r"left: mean and 10–90% band;   right: $G^k_t$ against "
        r"$\sqrt{\mathrm{mean}_b\,\Vert\partial L_b/\partial k_T \cdot \prod_{s>t} \mathrm{gate}_s\Vert^2}$"
    )
    reports = named(reports)
    found = {name: report for name, report in reports.items() if report and _gates_of(report)}
    without = [name for name, report in reports.items() if report and name not in found]
    with chart.look():
        if not found:
            return chart.empty(title, formula, "No gates were measured: the cells have none, or none with a name.")
        figure, panels = chart.grid(title, formula, 2 * len(found), 2, 2.4)
        looks = chart.styles(sorted({gate.label for report in found.values() for gate in _gates_of(report)}))
        divided = []
        for (name, report), left, right in zip(found.items(), panels[::2], panels[1::2], strict=True):
            _gate_bands(left, report, looks)
            chart.label(left, f"{chart.plain(name)}: gates", LAG, "value")
            divided.append((right, _carried(right, name, report)))
        chart.settle(panels[1::2])
        floors = chart.mark_floors(divided)
        bare = f"Without named gates: {chart.plain(', '.join(without))}." if without else ""
        return chart.finish(
            figure, panels, ["Bands: over all units and examples of one step.", bare, floors], columns=5
        )


def _gates_of(report: FlowReport) -> list[Any]:
    return [gate for gate in report.gates if not report.cell or beside(gate, report.cell[0])]


def _gate_bands(axes: Axes, report: FlowReport, looks: Mapping[str, chart.Style]) -> None:
    state = report.cell[0] if report.cell else None
    for gate in _gates_of(report):
        style = looks[gate.label]
        order = np.argsort(at := lags(gate.steps, state))
        axes.fill_between(at[order], gate.low[order], gate.high[order], color=style.colour, alpha=0.15, lw=0)
        word = gate.label if gate.name == gate.label else f"{gate.label}: {gate.name.replace('_', ' ')}"
        axes.plot(at[order], gate.mean[order], label=chart.plain(word), **style.line(len(at)))


def _carried(axes: Axes, name: str, report: FlowReport) -> list[float]:
    """Draw what each carried path would bring beside what was measured; return by what the lines were divided."""
    sizes = []
    found = [carry for carry in report.carries if report.cell and beside(carry, report.cell[0])]
    for place, carry in enumerate(found):
        state = report.state(carry.kind)
        if state is not None:
            size = float(state.by_lag[0]) if state.measurable else 1.0
            sizes.append(size)
            measured = relative(state)
            chart.log_line(axes, np.arange(len(measured)), measured, 2 * place, label="measured", color="black", lw=2)
            at, alone = by_lag(carry.steps, ratio(carry.norms, size), state)
            look = {"color": chart.GREY, "ls": "--", "lw": 2, "label": "by the product of that gate alone"}
            chart.log_line(axes, at, alone, 2 * place + 1, **look)
    if not sizes:
        axes.text(0.5, 0.5, "no path that one gate carries", ha="center", color=chart.GREY, transform=axes.transAxes)
    kinds = ",\\,".join(carry.kind for carry in found) or "k"
    paths = " and ".join(f"{carry.kind} carried by {carry.gate}" for carry in found) or "carried paths"
    chart.label(axes, f"{chart.plain(name)}: {chart.plain(paths)}", LAG, f"$G^{{{kinds}}}_t$ relative to lag 0")
    return sizes
