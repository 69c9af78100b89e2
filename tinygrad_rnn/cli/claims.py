"""Sentences about what was measured. Each is worked out from the numbers: none says what should have come out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.flow import FlowMap, FlowReport, JacobianReport, StateFlow
from tinygrad_rnn.flow.sentences import OPEN, OPERATIONS, number, plural, verdicts
from tinygrad_rnn.flow.why import unit_means
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.train import Update
from tinygrad_rnn.viz.plots.causes import split_by_path
from tinygrad_rnn.viz.plots.lags import by_lag, ratio
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


def _who(entry: Entry, name: str | None = None) -> str:
    """Return the name, with the layer and direction of the cell where there are several: what is measured of it."""
    report = entry.report
    place = report.place(report.cell[0]) if report.cell else ""
    return f"{name or entry.name} ({place})" if place else name or entry.name


def furthest(report: FlowReport) -> StateFlow | None:
    """Return the state whose gradient reaches furthest: the one the verdict is about."""
    horizon = report.horizon
    return report.state(horizon.state) if horizon else None


# ---- through time --------------------------------------------------------------------------------------------------


def through_time(entries: Sequence[Entry]) -> list[str]:
    """Return sentences about every layer and direction of each cell, about LSTMs as they start, and side by side."""
    judged = (said for entry in entries for said in verdicts(entry.report, entry.name))
    about_lstms = filter(None, (_lstm(entry, entries) for entry in entries))
    return [*judged, *about_lstms, *_compared(entries)]


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
    """Yield which cell keeps most of the gradient over the longest lag that all have; an explosion is no keeping."""
    judged = [entry for entry in entries if entry.report.verdict in ("survives", "vanishes")]
    states = {_who(entry): state for entry in judged if (state := furthest(entry.report))}
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
        others = ", apart from those that explode" if any(e.report.verdict == "explodes" for e in entries) else ""
        yield f"At lag {lag} {most} keeps most of the gradient {shares}{others}."


def loss_maps(entries: Sequence[Entry]) -> list[str]:
    """Return how far back the losses of the steps are felt."""
    found = []
    for entry in entries:
        flow = entry.flow_map
        if flow is None:
            found.append(f"{_who(entry)}: the losses of single steps were not measured.")
            continue
        rows = relative_map(flow)
        backward = flow.direction == "reverse"
        # Row by row what is left of a loss, from the state of its own step to the first one taken.
        shares = [row[i:] if backward else row[i::-1] for i, row in enumerate(rows)]
        known = [share for share in shares if share[0] == 1 and np.isfinite(share).all()]
        lags = [int(np.argmax(share < entry.report.threshold)) for share in known]
        felt = [lag for lag in lags if lag]
        less = f"less than {entry.report.threshold:.3g} of the gradient of a step's loss"
        if felt:
            middle = float(np.median(felt))
            where = f"{less} is left {middle:g} step{'' if middle == 1 else 's'} back (median of {len(felt)})"
        else:
            where = f"nowhere is {less} left"
        kept = len(known) - len(felt)
        whole = f"{kept} of {len(shares)} {'is' if kept == 1 else 'are'} felt back to the first step taken"
        found.append(f"{_who(entry)}: {where}; {whole}.")
    return found


# ---- why -----------------------------------------------------------------------------------------------------------


def attenuation(entries: Sequence[Entry]) -> list[str]:
    """Return along which path most of the gradient of each state arrives."""
    found = []
    for entry in entries:
        for state in entry.report.cell:
            decay = state.decay(entry.report.threshold)
            if decay is None:
                found.append(f"{_who(entry)}: by which factor a step changes ‖∂L/∂{state.kind}‖ is unknown.")
                continue
            what = f"{_who(entry)}: ×{number(decay.per_step)} per step for ‖∂L/∂{state.kind}‖, down to lag {decay.lag}"
            only, parts = split_by_path(entry.report, state)
            sizes = {word: size for word, _, values in parts if (size := _median(values)) is not None}
            if only:
                cause = next(cause for cause in entry.report.causes() if cause.kind == state.kind)
                how = ", ".join(f"{OPERATIONS.get(op, op)} ×{number(size)}" for op, size in cause.factors if size != 1)
                found.append(f"{what}; on its only path, on average: {how or 'nothing changes it'}.")
            elif sizes:
                most = max(sizes, key=sizes.__getitem__)
                share = number(sizes[most])
                found.append(f"{what}; of its paths {most} brings most, {share} of what is there (median over steps).")
            else:
                found.append(f"{what}.")
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
            found.append(f"{_who(entry)}: the Jacobians of the states were not measured.")
            continue
        exponents = np.asarray(entry.jacobians.exponents)
        lag = len(entry.jacobians.steps) - 1
        what = f"the largest finite-time Lyapunov exponent, ln(σ_max)/{lag},"
        if not lag:
            found.append(f"{_who(entry)}: there is a single step, so there is no Jacobian between two states.")
        elif not len(exponents) or not math.isfinite(exponents[0]):
            found.append(f"{_who(entry)}: {what} is {number(_first(exponents))}.")
        else:
            sigma, per_step = (math.exp(min(exponents[0] * times, 700)) for times in (lag, 1))
            lost = int((~np.isfinite(exponents)).sum())
            rest = f"; {lost} of {len(exponents)} exponents {'is' if lost == 1 else 'are'} not finite" if lost else ""
            found.append(
                f"{_who(entry)}: {what} is {number(exponents[0])}: after {plural(lag, 'step')} a change of the "
                f"state is at most {number(sigma)} times as large, ×{per_step:.4g} with each{rest}."
            )
    return found


def gates(entries: Sequence[Entry]) -> list[str]:
    """Return how open the gates of each cell are, and how much their units differ."""
    found = []
    for entry in entries:
        state = entry.report.cell[0] if entry.report.cell else None
        own = [gate for gate in entry.report.gates if state is None or gate.scope == state.scope]
        if not own:
            found.append(f"{_who(entry)}: no gate has a name.")
        for gate in own:
            said = f"{_who(entry)}: the gate {gate.label} is {number(float(np.mean(gate.mean)))} on average"
            units = unit_means(gate)
            if units is not None and len(units) > 1:
                low, high = np.quantile(units, (0.1, 0.9))
                open_units = int((units > OPEN).sum())
                ends = f"{number(float(low))} and {number(float(high))}"
                said += f"; the means of eight in ten of its units lie between {ends}"
                said += f", {open_units} of {len(units)} above {OPEN:g}" if open_units else ""
            found.append(f"{said}.")
    return found


# ---- training ------------------------------------------------------------------------------------------------------


def over_training(entries: Sequence[Entry]) -> list[str]:
    """Return how far back the gradient reached before the training and after it."""
    found = []
    for entry in entries:
        if entry.history:
            (first, before), *_, (last, after) = [entry.history[0], *entry.history]
            start = "with initial weights" if first == 0 else f"after {plural(first, 'update')}"
            found.append(
                f"{_who(entry, entry.cell)}: {_horizon(before)} {start}, {_horizon(after)} after "
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


def clipping(entries: Sequence[Entry]) -> list[str]:
    """Return how many updates were clipped, and how large the largest gradient was."""
    found = []
    for entry in entries:
        if entry.updates:
            norms = np.array([update.norm for update in entry.updates])
            clipped = sum(update.clipped < update.norm for update in entry.updates)
            was = "was" if clipped == 1 else "were"
            largest = int(np.nanargmax(norms)) if not np.isnan(norms).all() else 0
            found.append(
                f"{entry.name}: {clipped} of {plural(len(norms), 'update')} {was} clipped; the largest norm was "
                f"{number(norms[largest])}, at update {largest + 1}."
            )
    return found


def _median(values: np.ndarray) -> float | None:
    known = np.asarray(values)[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _first(values: np.ndarray) -> float | None:
    return float(values[0]) if len(values) else None
