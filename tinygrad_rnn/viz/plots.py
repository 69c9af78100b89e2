"""Plots of gradient flow, each drawn from reports that hold its numbers.

Every function takes what was measured by the name of the cell, None where it was not (which keeps the colours of the
others), and returns a `matplotlib.figure.Figure`; `chart.save` writes it. A lag is how many steps before the last, T,
something lies, in the order in which the cell goes through the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow import FlowReport, StateFlow
from tinygrad_rnn.viz import chart
from tinygrad_rnn.viz.decay import Decay, decay
from tinygrad_rnn.viz.scale import DECADES, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinygrad_rnn.flow import FlowMap, JacobianReport
    from tinygrad_rnn.train import Update

LAG = "lag: steps before the last, $T - t$"
NO_STATES = 'No state is named "h" or "c" in several steps: name each with t.named("h") in tg.scope("t", t).'
_SIZE = r"G^{k}_t = \sqrt{\mathrm{mean}_b\,\Vert\partial L_b/\partial k_t\Vert^2}"


# ---- 1: through time -----------------------------------------------------------------------------------------------


def through_time(reports: Mapping[str, FlowReport | None]) -> Figure:
    """Plot how much of the gradient is left at the state of each step: G_t / G_T of h, and of c where there is one.

    A ring marks the horizon. The legend has the factor per step and the half-life of the line that fits log G best.
    """
    kinds = [kind for kind in ("h", "c") if any(_states(reports, kind))]
    with chart.look():
        title, formula = "Gradient through time", rf"$G_t / G_T$ by the lag $T - t$,   ${_SIZE}$"
        if not kinds:
            return chart.empty(title, formula, NO_STATES)
        figure, panels = chart.grid(title, formula, len(kinds), 2, 5.0, sharey=True)
        outside: list[str] = []
        for axes, kind in zip(panels, kinds, strict=True):
            _relative_lines(axes, reports, kind)
            axes.set(title=f"state {kind}", xlabel=LAG, ylabel=f"$G^{kind}_t / G^{kind}_T$")
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.11))
        for axes, kind in zip(panels, kinds, strict=True):
            sizes = [float(state.by_lag[0]) for _, _, state in _states(reports, kind)]
            outside += chart.mark_floors(axes, sizes)
        chart.footnote(
            figure,
            [
                "Factor per step and half-life: exp(slope) and ln 2 / −slope of the least-squares line through log G, "
                "over lags 0 to where G is 0 or not finite.",
                "Dotted: the threshold; a ring: the horizon, the first lag below it.",
                _outside(outside),
            ],
        )
        return figure


def _relative_lines(axes: Axes, reports: Mapping[str, FlowReport | None], kind: str, legend: bool = True) -> None:
    """Draw G_t / G_T of every report by lag, the threshold and the horizons."""
    seen = chart.styles(reports)
    for name, report, state in _states(reports, kind):
        relative = relative_sizes(state)
        lags = np.arange(len(relative))
        label = f"{name}: {speed(decay(state.by_lag))}" if legend else name
        style = seen[name]
        chart.log_line(axes, lags, relative, style.place, label=label, **style.line(len(lags)))
        horizon = state.horizon(report.threshold)
        if horizon is not None and relative[horizon] > 0:
            axes.plot(horizon, relative[horizon], "o", ms=11, mfc="none", mec=style.colour, label=f"_horizon {name}")
    for threshold in sorted({report.threshold for report in reports.values() if report}):
        axes.axhline(threshold, color=chart.GREY, lw=0.8, ls=":", label="_threshold")


def relative_sizes(state: StateFlow) -> np.ndarray:
    """Return G_{T-d} / G_T by lag d; G itself if there is no gradient at the last step to compare with."""
    if not state.measurable:
        return state.by_lag
    with np.errstate(over="ignore"):
        return state.by_lag / state.by_lag[0]


def speed(fit: Decay | None) -> str:
    """Return the factor per step and the half-life in words."""
    if fit is None:
        return "no two lags to fit"
    factor = f"×{fit.per_step:.3g} per step"
    return f"{factor}, half-life {fit.half_life:.3g} steps" if fit.half_life is not None else f"{factor}, no half-life"


# ---- 3: along which path -------------------------------------------------------------------------------------------

_OPERATIONS = {"tanh": "tanh′", "relu": "relu′", "sigmoid": "sigmoid′", "matmul": "W_hh"}


def attenuation(reports: Mapping[str, FlowReport | None]) -> Figure:
    """Plot by which factor one step back changes the size of a state's gradient, and what each path has to do with it.

    Where a single path of operations leads from a state to the one before (Elman), these are factors with G_{t-1}/G_t
    as their product; else the sizes of what arrives along each path, relative to G_t: their vectors add, not these.
    """
    found = [
        (name, report, state)
        for name, report in reports.items()
        if report
        for state in report.cell
        if len(state.norms) > 1
    ]
    with chart.look():
        formula = r"$G_{t-1} / G_t$ (black); $\Vert$message along a path$\Vert / G_t$, or the factor of each operation"
        title = "Who killed it: attenuation of one step, split by path"
        if not found:
            return chart.empty(title, formula, NO_STATES)
        figure, panels = chart.grid(title, formula, len(found), 3, 2.9)
        for axes, (name, report, state) in zip(panels, found, strict=True):
            kind = state.kind
            lags = np.arange(1, len(state.norms))
            chart.log_line(
                axes, lags, one_step_back(report, state), label="all together", color="black", lw=2.2, zorder=1
            )
            parts = [*_factors(report, state), *_arrivals(report, state)]
            looks = chart.styles([part for part, _, _ in parts])
            for part, at, values in parts:
                style = looks[part]
                line = style.line(len(at)) | {"lw": 1.1}
                chart.log_line(axes, at, values, style.place + 1, label=part, **line)
            axes.axhline(1, color=chart.GREY, lw=0.8, ls=":")
            axes.set(title=f"{name}: into ${kind}_{{t-1}}$", xlabel="lag of $t-1$", ylabel="factor of one step")
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=3, handlelength=2.5, columnspacing=1)
        chart.footnote(
            figure,
            [
                "Norms of contributions do not add: what arrives along several paths is a sum of vectors, which may "
                "cancel or point apart.",
                "tanh′, W_hh: the factors of the only path there is, they multiply. carry: straight from one state to "
                "the next; gate x: through the gate called x.",
            ],
        )
        return figure


def one_step_back(report: FlowReport, state: StateFlow) -> np.ndarray:
    """Return G_{t-1} / G_t by the lag of t-1, from 1."""
    factors = report.attenuation(state.kind)
    if factors is None:
        return np.zeros(0)
    return factors if state.direction == "reverse" else factors[::-1]


def _factors(report: FlowReport, state: StateFlow) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return what each operation on the only path does, leaving out those that never change a size."""
    parts = []
    for flow in report.factors:
        changes = np.any(np.abs(np.asarray(flow.factors) - 1) > 1e-9)
        if flow.kind == state.kind and _beside(flow, state) and changes:
            word = _OPERATIONS.get(flow.op, flow.op)
            parts.append((word, _lags(state, flow.steps) + 1, flow.factors))
    return parts


def _arrivals(report: FlowReport, state: StateFlow) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return the size of what arrives at a state along each path, relative to that of the state a step later."""
    if any(flow.kind == state.kind and _beside(flow, state) for flow in report.factors):
        return []
    after = dict(zip(state.steps, state.norms, strict=True))
    parts = []
    for path in report.paths:
        if path.parent == state.kind and _beside(path, state):
            later = np.array([after.get(step, np.nan) for step in path.steps])
            word = "carry" if path.child in ("h", "c") else f"gate {path.child}"
            parts.append((word, _lags(state, path.steps) + 1, _ratio(path.norms, later)))
    return parts


# ---- 4: into the weight --------------------------------------------------------------------------------------------


def contributions(reports: Mapping[str, FlowReport | None], weight: str = "weight_hh") -> Figure:
    """Plot what each step contributes to the gradient of a weight, and the share gathered until there.

    Args:
        weight: how its name begins; the last layer's is taken.
    """
    found = []
    for name, report in reports.items():
        chosen = weight_of(report, weight) if report else None
        if report and chosen:
            found.append((name, report, chosen))
    with chart.look():
        formula = (
            r"bars: $\Vert(\partial L/\partial W)_t\Vert / \Vert\partial L/\partial W\Vert$;   "
            r"line: $\Vert\sum_{s \geq t}(\partial L/\partial W)_s\Vert / \Vert\partial L/\partial W\Vert$"
        )
        title = "What each step contributes to the gradient of a weight"
        if not found:
            return chart.empty(title, formula, f"No weight called {weight}... is used in the steps alone.")
        figure, panels = chart.grid(title, formula, len(found), 3, 2.7, sharex=True)
        looks = chart.styles(reports)
        for axes, (name, report, chosen) in zip(panels, found, strict=True):
            flow = report.weights[chosen]
            lags = _lags(report.cell[0] if report.cell else None, report.steps)
            shares = _ratio(flow.per_step, np.full(len(lags), flow.total))
            _log_bars(axes, lags, shares, looks[name].colour)
            axes.set(title=name, xlabel=LAG, ylabel=f"share of {chosen}")
            right = axes.twinx()
            running = _ratio(flow.running, np.full(len(lags), flow.total))
            order = np.argsort(lags)
            right.plot(lags[order], running[order], color="black", lw=1.2, label="gathered until there")
            right.spines["right"].set_visible(True)
            right.grid(False)
            top = float(np.nanmax(running, initial=1.0, where=np.isfinite(running)))
            right.set(ylim=(0, 1.08 * top), ylabel="gathered")
        chart.footnote(
            figure,
            ["Bars: logarithmic axis on the left. Black line: from the last step backward, linear axis on the right."],
        )
        return figure


def weight_of(report: FlowReport, weight: str) -> str | None:
    """Return the name of the last weight that begins so and is used in steps alone, or None."""
    names = [name for name, flow in report.weights.items() if flow.per_step is not None]
    return next((name for name in reversed(names) if name.rpartition(".")[2].startswith(weight)), None)


def _log_bars(axes: Axes, x: np.ndarray, heights: np.ndarray, colour: str) -> None:
    """Draw bars on a logarithmic axis, and marks instead of those that have no place on it."""
    fine = np.isfinite(heights) & (heights > 0)
    axes.set_yscale("log")
    if fine.any():
        base = 10.0 ** np.floor(np.log10(heights[fine].min()) - 0.5)
        axes.bar(x[fine], heights[fine], width=0.85, color=colour, alpha=0.75)
        axes.set_ylim(bottom=base)
    order = np.argsort(x)
    chart.log_marks(axes, x[order], heights[order], 0, colour)


# ---- 5: of every loss ----------------------------------------------------------------------------------------------


def loss_maps(maps: Mapping[str, FlowMap | None]) -> Figure:
    """Plot how much of the gradient of each step's loss is left at the state of each earlier step, as heat maps."""
    found = {name: flow for name, flow in maps.items() if flow is not None}
    with chart.look():
        from matplotlib.colors import ListedColormap  # noqa: PLC0415  (optional, and slow to load)

        formula = (
            r"$\Vert\partial \ell_\tau/\partial h_t\Vert \,/\, \Vert\partial \ell_\tau/\partial h_\tau\Vert$,   "
            r"$\Vert\cdot\Vert = \sqrt{\mathrm{mean}_b\Vert\cdot\Vert^2}$"
        )
        title = "How far back the loss of each step is felt"
        if not found:
            return chart.empty(title, formula, "No losses of single steps were measured.")
        figure, panels = chart.grid(title, formula, len(found), 3, 2.9, sharex=True, sharey=True)
        shades = ListedColormap([colour(-decades) for decades in np.linspace(DECADES, 0, 240)], "gradient")
        shades.set_bad("#ffffff")
        for axes, (name, flow) in zip(panels, found.items(), strict=True):
            relative = relative_map(flow)
            with np.errstate(divide="ignore", invalid="ignore"):
                decades = np.log10(relative)
            image = axes.imshow(
                np.ma.masked_invalid(decades), cmap=shades, vmin=-DECADES, vmax=0, interpolation="nearest",
                origin="upper", extent=_extent(flow.steps), aspect="equal",
            )  # fmt: skip
            _mark_cells(axes, flow.steps, (relative == 0) & ~np.isnan(relative), "o", "#888888", "exactly 0")
            _mark_cells(axes, flow.steps, ~np.isfinite(flow.norms) & _measured(flow), "x", "#c1121f", "NaN, Inf")
            if axes.get_legend_handles_labels()[0]:
                axes.legend(loc="upper right")
            axes.grid(False)
            axes.set(title=name, xlabel="step $t$ of the state", ylabel=r"step $\tau$ of the loss")
        bar = figure.colorbar(image, ax=panels, extend="both", shrink=0.8, aspect=30)
        bar.set_label("log10 of the share that is left")
        chart.footnote(
            figure,
            [f"The same colours as in the graphs: what is smaller than 1e-{DECADES} has the palest. White: no path."],
        )
        return figure


def relative_map(flow: FlowMap) -> np.ndarray:
    """Return each row of a map relative to its loss's gradient at the state of its own step."""
    own = np.diagonal(flow.norms)[:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(own > 0, flow.norms / own, flow.norms)


def _measured(flow: FlowMap) -> np.ndarray:
    """Return where a loss can depend on a state: (T, T), not before its time."""
    return np.tril(np.ones(flow.norms.shape, dtype=bool))


def _extent(steps: Sequence[int]) -> tuple[float, float, float, float]:
    return steps[0] - 0.5, steps[-1] + 0.5, steps[-1] + 0.5, steps[0] - 0.5


def _mark_cells(axes: Axes, steps: Sequence[int], found: np.ndarray, marker: str, colour: str, label: str) -> None:
    if found.any():
        rows, columns = np.nonzero(found)
        at = np.asarray(steps)
        size = (150 / len(at)) ** 2
        axes.scatter(at[columns], at[rows], s=min(size, 30.0), marker=marker, c=colour, lw=0.6, label=label)


# ---- 6: singular values --------------------------------------------------------------------------------------------


def singular_values(jacobians: Mapping[str, JacobianReport | None]) -> Figure:
    """Plot the largest, median and smallest singular value of ds_T/ds_t by lag, and the Lyapunov exponents."""
    found = {name: report for name, report in jacobians.items() if report is not None}
    with chart.look():
        formula = (
            r"$\sigma(\partial s_T/\partial s_t)$, median over examples;   $\lambda_i$: mean log growth of one step"
        )
        title = "How the state's Jacobian shrinks: singular values and Lyapunov exponents"
        if not found:
            return chart.empty(title, formula, "No Jacobians of states were measured.")
        figure, panels = chart.grid(title, formula, len(found) + bool(found), 3, 2.9)
        looks = chart.styles(jacobians)
        outside: list[str] = []
        for axes, (name, report) in zip(panels, found.items(), strict=False):
            lags = np.arange(len(report.largest))
            own = looks[name].colour
            for place, (word, dashes) in enumerate((("largest", "-"), ("median", "--"), ("smallest", ":"))):
                values = getattr(report, word)
                _log_line_with_gaps(axes, lags, values, place, label=word, color=own, ls=dashes)
            axes.axhline(1, color=chart.GREY, lw=0.8, ls=":")
            state = ", ".join(report.kinds)
            title = f"{name}, $s = ({state})$" if len(report.kinds) > 1 else f"{name}, $s = {state}$"
            axes.set(title=title, xlabel=LAG, ylabel=r"$\sigma(\partial s_T/\partial s_t)$")
            axes.legend(loc="best")
            outside += chart.mark_floors(axes)
        last = panels[-1]
        for name, report in found.items():
            exponents = np.asarray(report.exponents)
            style = looks[name]
            at = np.arange(1, len(exponents) + 1)
            drawn = np.where(np.isfinite(exponents), exponents, np.nan)
            missing = int((~np.isfinite(exponents)).sum())
            label = f"{name}: {exponents[0]:.3g} … " + (f"{missing} null" if missing else f"{exponents[-1]:.3g}")
            last.plot(at, drawn, label=label, **style.line(len(at)) | {"lw": 1.2})
        last.axhline(0, color=chart.GREY, lw=0.8, ls=":")
        last.set(title="Lyapunov exponents", xlabel="$i$, from the largest", ylabel=r"$\lambda_i$ (1/step)")
        last.legend(loc="upper left", bbox_to_anchor=(0, -0.2), title="largest … smallest", title_fontsize=8)
        chart.footnote(
            figure,
            [
                "A line ends where singular values are smaller than rounding (ε · the largest): there they are null. "
                "Exponents come from QR, over all steps; below 0 a direction shrinks.",
                _outside(outside),
            ],
        )
        return figure


def _log_line_with_gaps(axes: Axes, x: np.ndarray, y: np.ndarray, place: int, **line: Any) -> None:
    """Draw a line whose NaN mean "null", which is no news and gets no mark."""
    there = ~np.isnan(y)
    if not there.any():
        axes.plot([], [], **line)
    chart.log_line(axes, x[there], y[there], place, **line)


# ---- 7: gates ------------------------------------------------------------------------------------------------------


def gates(reports: Mapping[str, FlowReport | None]) -> Figure:
    """Plot each gate's mean and 10% to 90% band, and the gradient that the carried path alone would bring."""
    found = {name: report for name, report in reports.items() if report and _cell_gates(report)}
    without = [name for name, report in reports.items() if report and name not in found]
    with chart.look():
        formula = (
            r"left: mean and 10–90% band of each gate;   right: $G^k_t$ (black) against "
            r"$\sqrt{\mathrm{mean}_b\Vert\partial L_b/\partial k_T \odot \prod_{s>t} \mathrm{gate}_s\Vert^2}$"
        )
        title = "How open the gates are, and what the carried path alone would bring"
        if not found:
            return chart.empty(title, formula, "No gates were measured: the cells have none, or none with a name.")
        figure, panels = chart.grid(title, formula, 2 * len(found), 2, 2.8)
        outside: list[str] = []
        for (name, report), left, right in zip(found.items(), panels[::2], panels[1::2], strict=True):
            _gate_bands(left, report)
            left.set(title=f"{name}: gates", xlabel=LAG, ylabel="value")
            references = []
            for carry in report.carries:
                state = report.state(carry.kind)
                if state is None or not _beside(carry, state):
                    continue
                scale = float(state.by_lag[0]) if state.measurable else 1.0
                references.append(scale)
                measured = relative_sizes(state)
                at = np.arange(len(measured))
                word = f"measured $G^{carry.kind}_t/G^{carry.kind}_T$"
                chart.log_line(right, at, measured, 0, label=word, color="black", lw=2)
                lags = _lags(state, carry.steps)
                order = np.argsort(lags)
                alone = (np.asarray(carry.norms) / scale)[order]
                word = f"product of the gates {carry.gate}"
                chart.log_line(right, lags[order], alone, 1, label=word, color=chart.COLOURS[1], ls="--")
            if references:
                right.legend(loc="best")
                outside += chart.mark_floors(right, references)
            else:
                right.text(0.5, 0.4, "no path that a gate alone carries", ha="center", transform=right.transAxes)
            right.set(title=f"{name}: carried by a gate alone", xlabel=LAG, ylabel="relative to lag 0")
        notes = [f"Without named gates: {', '.join(without)}." if without else "", _outside(outside)]
        chart.footnote(figure, ["Bands: over all units and examples of one step.", *notes])
        return figure


def _gate_bands(axes: Axes, report: FlowReport) -> None:
    flows = _cell_gates(report)
    looks = chart.styles([gate.label for gate in flows])
    state = report.cell[0] if report.cell else None
    for gate in flows:
        lags = _lags(state, gate.steps)
        order = np.argsort(lags)
        style = looks[gate.label]
        band = np.asarray(gate.low)[order], np.asarray(gate.high)[order]
        axes.fill_between(lags[order], *band, color=style.colour, alpha=0.15, lw=0)
        word = gate.label if gate.name == gate.label else f"{gate.label}: {gate.name.replace('_', ' ')}"
        axes.plot(lags[order], np.asarray(gate.mean)[order], label=word, **style.line(len(lags)))
    axes.legend(loc="best", ncols=2)


def _cell_gates(report: FlowReport) -> list[Any]:
    """Return the gates beside the cell's states."""
    return [gate for gate in report.gates if not report.cell or _beside(gate, report.cell[0])]


# ---- 8: over the training ------------------------------------------------------------------------------------------


def over_training(histories: Mapping[str, Sequence[tuple[int, FlowReport]] | None]) -> Figure:
    """Plot the gradient through time again and again while the cells are trained: a panel for each update measured."""
    found = {name: dict(history) for name, history in histories.items() if history}
    updates = sorted({update for history in found.values() for update in history})
    at = {update: {name: found.get(name, {}).get(update) for name in histories} for update in updates}
    kinds = [kind for kind in ("h", "c") if any(any(_states(at[update], kind)) for update in updates)]
    with chart.look():
        title, formula = "Gradient through time, while training", rf"$G_t / G_T$ by the lag $T - t$,   ${_SIZE}$"
        if not kinds:
            return chart.empty(title, formula, "Nothing was measured during a training.")
        figure, panels = chart.grid(
            title, formula, len(updates) * len(kinds), len(updates), 2.9, sharex=True, sharey=True
        )
        places = [(kind, update) for kind in kinds for update in updates]
        for axes, (kind, update) in zip(panels, places, strict=True):
            axes.set_yscale("log")
            _relative_lines(axes, at[update], kind, legend=False)
            what = "initial weights" if update == 0 else f"after {update} update{'s' * (update > 1)}"
            axes.set_title(f"{kind}, {what}")
            if kind == kinds[-1]:
                axes.set_xlabel("lag")
            if update == updates[0]:
                axes.set_ylabel(f"$G^{kind}_t / G^{kind}_T$")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
        return figure


# ---- 9: clipping ---------------------------------------------------------------------------------------------------


def clipping(updates: Mapping[str, Sequence[Update] | None], threshold: float) -> Figure:
    """Plot the norm of the gradient of all parameters at each update of a training, before and after clipping.

    Args:
        threshold: the largest norm that clipping let pass.
    """
    found = {name: list(made) for name, made in updates.items() if made}
    with chart.look():
        formula = (
            r"$\Vert\partial L/\partial\theta\Vert$ before, and $\min(1,\, \mathrm{threshold} / "
            r"\Vert\partial L/\partial\theta\Vert)\,\Vert\partial L/\partial\theta\Vert$ after"
        )
        title = "Gradient norm of each update, before and after clipping"
        if not found:
            return chart.empty(title, formula, "No updates were made.")
        figure, panels = chart.grid(title, formula, len(found), 3, 2.5, sharey=True)
        looks = chart.styles(updates)
        for axes, (name, made) in zip(panels, found.items(), strict=True):
            at = np.arange(1, len(made) + 1)
            before = np.array([update.norm for update in made])
            after = np.array([update.clipped for update in made])
            chart.log_line(axes, at, before, 0, label="before", color=looks[name].colour, marker=".", lw=1)
            chart.log_line(axes, at, after, 1, label="after", color="black", ls="--", lw=1)
            axes.axhline(threshold, color=chart.GREY, lw=1, ls=":", label=f"threshold {threshold:g}")
            clipped = int((after < before).sum())
            axes.set(title=f"{name}: {clipped} of {len(made)} clipped", xlabel="update", ylabel="norm")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        return figure


# ---- from reports to numbers by lag --------------------------------------------------------------------------------


def _states(reports: Mapping[str, FlowReport | None], kind: str) -> Iterator[tuple[str, FlowReport, StateFlow]]:
    for name, report in reports.items():
        state = report.state(kind) if report else None
        if report and state and len(state.norms):
            yield name, report, state


def _beside(flow: Any, state: StateFlow) -> bool:
    """Whether something measured belongs to the same layer and direction as a state."""
    return (flow.layer, flow.direction) == (state.layer, state.direction)


def _lags(state: StateFlow | None, steps: Sequence[int]) -> np.ndarray:
    """Return how many steps before the last ones of a state lie; without a state, before the last of the steps."""
    over, at = np.asarray(steps if state is None else state.steps), np.asarray(steps)[:, None]
    backward = state is not None and state.direction == "reverse"
    return (over < at if backward else over > at).sum(axis=1)


def _ratio(values: Any, by: np.ndarray) -> np.ndarray:
    """Return values / by, and NaN where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(values, dtype=float) / by


def _outside(words: Iterable[str]) -> str:
    unique = list(dict.fromkeys(words))
    return f"Below the axes: {'; '.join(unique)}." if unique else ""
