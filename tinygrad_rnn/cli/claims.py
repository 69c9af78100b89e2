"""Sentences about what was measured. Each is worked out from the numbers: none says what should have come out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.flow import FlowMap, FlowReport, JacobianReport, StateFlow
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.train import Update
from tinygrad_rnn.viz.plots.causes import split_by_path
from tinygrad_rnn.viz.plots.decay import decay
from tinygrad_rnn.viz.plots.lags import beside, by_lag, one_step_back, ratio
from tinygrad_rnn.viz.plots.through_time import relative_map
from tinygrad_rnn.viz.plots.weights import weight_of


@dataclass(frozen=True)
class Entry:
    """One cell of a sheet, and what was measured of it.

    Attributes:
        name: what it is called, different from all others.
        report: measured with statistics.
        cell: its specification, "lstm:forget_bias=0"; None for a cell of one's own.
        updates_made: how long it had been trained when the report was made.
        jacobians, bound, flow_map: None where they were not measured; the bound by lag, for Elman's cell only.
        history: while it was trained on, (updates made, report); the first before any.
        updates: of that training.
        ended: what is to be said about that training if it diverged.
    """

    name: str
    report: FlowReport
    cell: str | None = None
    updates_made: int = 0
    jacobians: JacobianReport | None = None
    bound: np.ndarray | None = None
    flow_map: FlowMap | None = None
    history: Sequence[tuple[int, FlowReport]] = ()
    updates: Sequence[Update] = ()
    ended: str | None = None


def number(value: float | None) -> str:
    """Return a number in few digits, or what it is instead."""
    if value is None:
        return "unknown"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinite"
    return f"{value:.1e}" if value and not 0.001 <= abs(value) < 1000 else f"{value:.3g}"


def plural(count: int, noun: str) -> str:
    """Return "1 step" or "2 steps"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def furthest(report: FlowReport) -> StateFlow | None:
    """Return the state whose gradient reaches furthest: the one the verdict is about."""
    horizon = report.horizon
    return report.state(horizon.state) if horizon else None


# ---- through time --------------------------------------------------------------------------------------------------


def through_time(entries: Sequence[Entry]) -> list[str]:
    """Return a sentence about each cell, about LSTMs as they start, and about the cells side by side."""
    about_lstms = filter(None, (_lstm(entry, entries) for entry in entries))
    return [*map(_verdict, entries), *about_lstms, *_compared(entries)]


def _verdict(entry: Entry) -> str:
    report, state, name = entry.report, furthest(entry.report), entry.name
    if state is None or report.horizon is None:
        return f"{name}: nothing can be said, because no state has a name."
    if report.verdict == "nonfinite":
        return f"{name}: some gradients are NaN or infinite, so there is no horizon."
    if report.verdict == "zero":
        return f"{name}: no gradient arrives at the last state, so there is none to lose."
    lag, size, threshold = len(state.norms) - 1, f"‖∂L/∂{state.kind}_T‖", f"{report.threshold:.3g}"
    if not lag:
        return f"{name}: there is a single step, so there is nothing to compare."
    at_the_end = f"{number(state.relative(lag))} at lag {lag}"
    if report.verdict == "explodes":
        return (
            f"{name} explodes: at lag {report.explodes_at} a gradient is over {EXPLODED:g} times as large as at lag 0."
        )
    if report.verdict == "survives":
        return f"{name} survives: nowhere is less than {threshold} of {size} left; it is {at_the_end}."
    short = f"less than {threshold} of {size} is left at lag {report.horizon.steps}, {at_the_end}"
    return f"{name} vanishes: {short}. {_speed(state)}"


def _speed(state: StateFlow) -> str:
    fit = decay(state.by_lag)
    if fit is None:
        return "Too few steps have a gradient to fit a speed."
    if fit.half_life is None:
        return f"Fitted over lags 0 to {fit.last} it does not shrink: ×{number(fit.per_step)} per step."
    return f"Fitted: ×{number(fit.per_step)} per step, half of it gone in {number(fit.half_life)} steps."


def _lstm(entry: Entry, entries: Sequence[Entry]) -> str | None:
    """Return whether an LSTM as it starts escapes what happens to the Elman networks beside it."""
    spec = parse_cell(entry.cell) if entry.cell else None
    state = furthest(entry.report)
    if spec is None or spec.cell != "lstm" or entry.updates_made or state is None or len(state.norms) < 2:
        return None
    bias = dict(spec.options).get("forget_bias")
    which = "With PyTorch's initial weights" if bias is None else f"At forget bias {bias:g}"
    lag = len(state.norms) - 1
    share = f"{number(state.relative(lag))} of ‖∂L/∂{state.kind}_T‖ is left at lag {lag}"
    if entry.report.verdict == "vanishes":
        elman = [other for other in entries if other.cell and parse_cell(other.cell).cell == "rnn"]
        too = " too" if any(other.report.verdict == "vanishes" for other in elman) else ""
        return f"{which} the LSTM vanishes{too}: {share}."
    if entry.report.verdict == "survives":
        return f"{which} the LSTM does not vanish over these {plural(len(state.norms), 'step')}: {share}."
    return None


def _compared(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield which cell keeps most of the gradient over the longest lag that all have."""
    states = {entry.name: state for entry in entries if (state := furthest(entry.report)) and state.measurable}
    lag = min((len(state.norms) for state in states.values()), default=0) - 1
    left = {name: state.relative(lag) for name, state in states.items()}
    known = {name: share for name, share in left.items() if share is not None and math.isfinite(share)}
    if lag < 1 or len(known) < 2:
        return
    most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    if known[most] == known[least]:
        yield f"At lag {lag} all keep the same share of the gradient, {number(known[most])}."
    else:
        shares = f"({number(known[most])}), {least} keeps least ({number(known[least])})"
        yield f"At lag {lag} {most} keeps most of the gradient {shares}."


def loss_maps(entries: Sequence[Entry]) -> list[str]:
    """Return how far back the losses of the steps are felt."""
    found = []
    for entry in entries:
        flow = entry.flow_map
        if flow is None:
            found.append(f"{entry.name}: the losses of single steps were not measured.")
            continue
        rows = relative_map(flow)
        backward = flow.direction == "reverse"
        # Row by row what is left of a loss, from the state of its own step to the first one taken.
        shares = [row[i:] if backward else row[i::-1] for i, row in enumerate(rows)]
        known = [share for share in shares if share[0] == 1 and np.isfinite(share).all()]
        lags = [int(np.argmax(share < entry.report.threshold)) for share in known]
        felt = [lag for lag in lags if lag]
        where = f"{np.median(felt):g} steps back (median of {len(felt)})" if felt else "nowhere"
        whole = f"{len(known) - len(felt)} of {len(shares)} are felt back to the first step taken"
        less = f"less than {entry.report.threshold:.3g} of the gradient of a step's loss is left"
        found.append(f"{entry.name}: {less} {where}; {whole}.")
    return found


# ---- why -----------------------------------------------------------------------------------------------------------


def attenuation(entries: Sequence[Entry]) -> list[str]:
    """Return by which factor a step changes the gradient of each state, and along which path most arrives."""
    found = []
    for entry in entries:
        for state in entry.report.cell:
            total = _median(one_step_back(entry.report, state))
            if total is None:
                found.append(f"{entry.name}: by which factor a step changes ‖∂L/∂{state.kind}‖ is unknown.")
                continue
            what = f"{entry.name}: one step back ‖∂L/∂{state.kind}‖ is {number(total)} times as large"
            only, parts = split_by_path(entry.report, state)
            each = [(word, size) for word, _, values in parts if (size := _median(values)) is not None]
            sizes = dict(each)
            if only and sizes:
                how = ", ".join(f"{word} {number(size)}" for word, size in each)
                found.append(f"{what}; on its only path: {how} (medians over the steps).")
            elif sizes:
                most = max(sizes, key=sizes.__getitem__)
                found.append(
                    f"{what}; of its paths {most} brings most, {number(sizes[most])} (medians over the steps)."
                )
            else:
                found.append(f"{what} (median over the steps).")
    return found


def contributions(entries: Sequence[Entry]) -> list[str]:
    """Return how many of the last steps make up the gradient of the recurrent weight."""
    found = []
    for entry in entries:
        report = entry.report
        name = weight_of(report, "weight_hh")
        flow = report.weights[name] if name else None
        if flow is None or flow.running is None:
            found.append(f"{entry.name}: no recurrent weight is read in the steps alone.")
        elif not math.isfinite(flow.total) or flow.total == 0:
            found.append(f"{entry.name}: the gradient of {name} is {number(flow.total)}.")
        else:
            _, gathered = by_lag(report.steps, ratio(flow.running, flow.total), report.cell[0] if report.cell else None)
            off = np.flatnonzero(~(np.abs(gathered - 1) < 0.01))
            last = int(off[-1]) + 2 if len(off) else 1
            found.append(
                f"{entry.name}: after the last {last} of {plural(len(gathered), 'step')} the norm of what is gathered "
                f"stays within 1% of ‖∂L/∂{name}‖."
            )
    return found


def singular_values(entries: Sequence[Entry]) -> list[str]:
    """Return the largest finite-time Lyapunov exponent of each cell: of the lags measured, not of endless time."""
    found = []
    for entry in entries:
        if entry.jacobians is None:
            found.append(f"{entry.name}: the Jacobians of the states were not measured.")
            continue
        exponents = np.asarray(entry.jacobians.exponents)
        lag = len(entry.jacobians.steps) - 1
        what = f"the largest finite-time Lyapunov exponent, ln(σ_max)/{lag},"
        if not lag:
            found.append(f"{entry.name}: there is a single step, so there is no Jacobian between two states.")
        elif not len(exponents) or not math.isfinite(exponents[0]):
            found.append(f"{entry.name}: {what} is {number(_first(exponents))}.")
        else:
            sigma, per_step = (math.exp(min(exponents[0] * times, 700)) for times in (lag, 1))
            lost = int((~np.isfinite(exponents)).sum())
            rest = f"; {lost} of {len(exponents)} exponents {'is' if lost == 1 else 'are'} not finite" if lost else ""
            found.append(
                f"{entry.name}: {what} is {number(exponents[0])}: after {plural(lag, 'step')} a change of the "
                f"state is at most {number(sigma)} times as large, ×{per_step:.4g} with each{rest}."
            )
    return found


def gates(entries: Sequence[Entry]) -> list[str]:
    """Return how open the gates are that carry a state, and what they alone would bring."""
    found = []
    for entry in entries:
        if not entry.report.carries:
            found.append(f"{entry.name}: there is no path that a gate carries.")
        for carry in entry.report.carries:
            state = entry.report.state(carry.kind)
            if state is None or not beside(carry, state) or not state.measurable:
                continue
            at, alone = by_lag(carry.steps, ratio(carry.norms, state.by_lag[0]), state)
            gate = next((g for g in entry.report.gates if g.label == carry.gate and beside(g, state)), None)
            mean = f"the gate {carry.gate} is {number(float(np.mean(gate.mean)))} on average; " if gate else ""
            found.append(
                f"{entry.name}: {mean}carried by it alone {number(alone[-1])} of ‖∂L/∂{carry.kind}_T‖ would be left at "
                f"lag {at[-1]}, and {number(state.relative(int(at[-1])))} was measured."
            )
    return found


# ---- training ------------------------------------------------------------------------------------------------------


def over_training(entries: Sequence[Entry]) -> list[str]:
    """Return how far back the gradient reached before the training and after it."""
    found = []
    for entry in entries:
        if entry.history:
            (first, before), *_, (last, after) = [entry.history[0], *entry.history]
            found.append(
                f"{entry.name}: {_horizon(before)} after {plural(first, 'update')}, {_horizon(after)} after {last}."
            )
        if entry.ended:
            found.append(f"{entry.name}: {entry.ended}")
    return found


def _horizon(report: FlowReport) -> str:
    if report.verdict not in ("vanishes", "survives", "explodes") or report.horizon is None:
        return f"no horizon ({report.verdict or 'no named state'})"
    steps = report.horizon.steps
    return "horizon beyond the first step" if steps is None else f"horizon {steps}"


def clipping(entries: Sequence[Entry]) -> list[str]:
    """Return how many updates were clipped, and how large the largest gradient was."""
    found = []
    for entry in entries:
        if entry.updates:
            norms = np.array([update.norm for update in entry.updates])
            clipped = sum(update.clipped < update.norm for update in entry.updates)
            largest = int(np.nanargmax(norms)) if not np.isnan(norms).all() else 0
            found.append(
                f"{entry.name}: {clipped} of {plural(len(norms), 'update')} clipped; the largest norm was "
                f"{number(norms[largest])}, at update {largest + 1}."
            )
    return found


def _median(values: np.ndarray) -> float | None:
    known = np.asarray(values)[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _first(values: np.ndarray) -> float | None:
    return float(values[0]) if len(values) else None
