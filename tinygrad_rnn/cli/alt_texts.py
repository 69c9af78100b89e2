"""What the pictures of a sheet show, in words for those who do not see them: every number is read from the reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tinygrad_rnn.cli.claims import Entry, number, plural
from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.viz.plots.causes import split_by_path
from tinygrad_rnn.viz.plots.lags import relative
from tinygrad_rnn.viz.plots.through_time import relative_map
from tinygrad_rnn.viz.plots.weights import weight_of


def _alt(kind: str, parts: Iterable[str]) -> str:
    return f"{kind}: {'; '.join(parts) or 'nothing'}."


def _ends(name: str, values: np.ndarray) -> str:
    """Return how a line by lag begins and ends."""
    if not len(values):
        return f"{name} without values"
    if len(values) == 1:
        return f"{name} {number(float(values[0]))} at the only lag"
    return f"{name} from {number(float(values[0]))} at lag 0 to {number(float(values[-1]))} at lag {len(values) - 1}"


def _lines(reports: Iterable[tuple[str, FlowReport]]) -> list[str]:
    return [_ends(f"{name} {state.kind}", relative(state)) for name, report in reports for state in report.cell]


def through_time(entries: Sequence[Entry]) -> str:
    """Return where each line of the plot begins and ends."""
    return _alt("Lines over the lag, logarithmic", _lines((entry.name, entry.report) for entry in entries))


def attenuation(entries: Sequence[Entry]) -> str:
    """Return the range of each line."""
    parts = []
    for entry in entries:
        for state in entry.report.cell:
            lines = [f"{word} {_range(values)}" for word, _, values in split_by_path(entry.report, state)[1]]
            parts.append(f"{entry.name}, into {state.kind}: {', '.join(lines) or 'no path is known'}")
    return _alt("A panel for each state with factors per step over the lag, logarithmic", parts)


def contributions(entries: Sequence[Entry]) -> str:
    """Return the largest and the smallest bar of each panel."""
    parts = []
    for entry in entries:
        name = weight_of(entry.report, "weight_hh")
        flow = entry.report.weights[name] if name else None
        if flow is not None and flow.per_step is not None:
            parts.append(f"{entry.name} {_range(flow.per_step)} of {number(flow.total)} in all")
    return _alt("Bars over the lag, logarithmic", parts)


def loss_maps(entries: Sequence[Entry]) -> str:
    """Return the smallest share in each map."""
    parts = []
    for entry in entries:
        if entry.flow_map is not None:
            shares = relative_map(entry.flow_map)
            parts.append(f"{entry.name} {_range(shares[~np.isnan(shares)])}")
    return _alt("Heat maps, step of the loss by step of the state; the share that is left", parts)


def singular_values(entries: Sequence[Entry]) -> str:
    """Return where the lines of the largest singular values begin and end."""
    found = [(entry.name, entry.jacobians) for entry in entries if entry.jacobians is not None]
    lines = [_ends(f"largest of {name}", report.largest) for name, report in found]
    return _alt("Lines over the lag, logarithmic, and Lyapunov exponents", lines)


def gates(entries: Sequence[Entry]) -> str:
    """Return the range of each gate's mean."""
    parts = [f"{entry.name} {gate.label} {_range(gate.mean)}" for entry in entries for gate in entry.report.gates]
    return _alt("Means and bands of gates over the lag, beside what the carried path would bring; means", parts)


def over_training(entries: Sequence[Entry]) -> str:
    """Return where each line begins and ends, panel by panel."""
    parts = []
    for update in sorted({update for entry in entries for update, _ in entry.history}):
        at = [(entry.name, report) for entry in entries for made, report in entry.history if made == update]
        when = f"after {plural(update, 'update')}" if update else "with initial weights"
        parts.append(f"{when} {', '.join(_lines(at))}")
    return _alt("Lines over the lag, logarithmic, panel by panel", parts)


def clipping(entries: Sequence[Entry]) -> str:
    """Return the range of the norms of each panel."""
    parts = [
        f"{entry.name} {_range(np.array([update.norm for update in entry.updates]))}"
        for entry in entries
        if entry.updates
    ]
    return _alt("Norms over the updates, logarithmic, before clipping and after; before", parts)


def _range(values: np.ndarray) -> str:
    known = np.asarray(values)[np.isfinite(values)]
    if not len(known):
        return "without finite values"
    return f"from {number(float(known.min()))} to {number(float(known.max()))}"
