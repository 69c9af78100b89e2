"""By which factor one step back changes the gradient, and what each path has to do with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.flow import FlowReport, StateFlow
from tinygrad_rnn.flow.reasons import LITTLE, ways
from tinygrad_rnn.flow.sentences import OPERATIONS, number
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import log_line, settle
from tinygrad_rnn.viz.plots.entry import Entry, Plot, alt_text, extent, reports
from tinygrad_rnn.viz.plots.lags import LAG, NO_STATES, beside, by_lag, named, one_step_back, ratio, time_to_the_right
from tinygrad_rnn.viz.plots.look import grey, ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TOTAL = "all paths together"

Part = tuple[str, np.ndarray, np.ndarray]  # its name, the lags at which it arrives, the factors


def attenuation(
    reports: Mapping[str, FlowReport | None] | FlowReport,
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
    """Plot by which factor one step back changes the size of a state's gradient, and what each path has to do with it.

    Where a single path of operations leads from a state to the one before (Elman), these are the factors of the
    operations, with G_{t-1} / G_t as their product. Else they are the sizes of what arrives along each path, relative
    to G_t: as vectors these add up, as sizes they do not. One of them is the way round: from the c of an LSTM to the h
    of the same step, which the gates of the next step read. Which path brings most goes by shares, which add up.
    """
    title = "Who killed it: the attenuation of one step, split by path"
    formula = r"$G_{t-1} / G_t$,  and by path:  $\Vert$message$\Vert / G_t$,  or the factor of each operation"
    found = [
        (name, report, state)
        for name, report in named(reports).items()
        for state in (report.cell if report else ())
        if report and len(state.norms) > 1
    ]
    with chart.paper(axes, style) as paper:
        if not found:
            return paper.empty(title, formula, f"{NO_STATES} Two steps are needed.")
        panels = paper.grid(title, formula, len(found), 3, 2.7)
        parts = [split_by_path(report, state) for _, report, state in found]
        looks = paper.part_lines(sorted({_key(word) for _, each in parts for word, _, _ in each}))
        time_to_the_right(panels)
        for panel, (name, report, state), (only, split) in zip(panels, found, parts, strict=True):
            total = one_step_back(report, state)
            log_line(panel, np.arange(1, len(total) + 1), total, label=_TOTAL, color=ink(), lw=thick(2), alpha=0.8)
            for place, (word, at, values) in enumerate(split, start=1):
                line = looks[_key(word)].line(len(at)) | {"lw": thick(0.7)}
                log_line(panel, at, values, place, label=chart.plain(word), **line)
            panel.axhline(1, color=grey(), lw=thick(0.5), ls=":")
            _mark_horizon(panel, state, report.threshold)
            what = f"{chart.plain(name)}: into ${state.kind}_{{t-1}}$"
            finding = culprit(split, _span(report, state)) if only else dominant(report, state)
            chart.label(panel, what, LAG, "factor of a step, relative", finding)
        settle(panels)
        return paper.finish(
            panels,
            [
                "Norms of contributions do not add: what arrives along several paths is a sum of vectors, which may "
                "cancel or stand at right angles.",
                "tanh′, relu′, W_hh: on the only path there is, and they multiply. straight: from a state to itself "
                "one step earlier, times the gate that keeps it (f of an LSTM, z of a GRU). round by h: what c gets "
                "from the h of its own step, which the gates of the next step have read.",
                "gate x: what comes back because the gate x itself was computed from the state. A point stands at the "
                "lag of t−1, where it arrives; each panel has an axis of its own. Titles: geometric mean factors, mean "
                "shares, down to the horizon (upright line: the first lag below the threshold), or over all lags.",
            ],
            columns=6,
        )


def _span(report: FlowReport, state: StateFlow) -> int:
    """Return down to which lag the factors of a state are averaged: as its factor per step is."""
    decay = state.decay(report.threshold)
    return decay.lag if decay else len(state.norms) - 1


def _key(word: str) -> str:
    """Return what has a colour of its own: the gate of "gate f", "round" for the way by whichever state."""
    if word.startswith("round by") and " gate " not in word:
        return "round"
    return word.rpartition("gate ")[2]


def _mark_horizon(panel: Axes, state: StateFlow, threshold: float) -> None:
    """Mark the first lag at which less than the threshold is left of this state's gradient, whatever others keep."""
    lag = state.horizon(threshold)
    if lag is not None:
        panel.axvline(lag, color=grey(), lw=thick(0.7), ls=(0, (4, 2)), label="_horizon")
        side = 1 if 2 * lag > len(state.norms) else -1  # of the line, where there is more room
        over = panel.get_xaxis_transform()
        panel.annotate(
            f"{state.kind} below {threshold:g}", (lag, 0.02), (2 * side, 0), over, "offset points",
            fontsize="small", color=grey(), ha="left" if side > 0 else "right", va="bottom",
            bbox={"facecolor": panel.get_facecolor(), "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
        )  # fmt: skip


def dominant(report: FlowReport, state: StateFlow) -> str:
    """Return in words which path brings most of what arrives at a state, and which next; "" where it is unknown."""
    cause = next((cause for cause in report.causes() if cause.kind == state.kind), None)
    found = sorted(ways(cause), key=lambda way: -way[1]) if cause and cause.shares else []
    if not found:
        return ""
    told = (f"{how}: {share:.0%}".replace("-", "−") for how, share in found if abs(share) >= LITTLE)
    most, *others = (way.replace("1 − ", "1\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}") for way in told)
    return f"most comes {most}" + (f"; next {others[0]}" if others else "")


def culprit(split: Sequence[Part], lag: int) -> str:
    """Return in words which operation on the only path takes most away; "" where nothing can be said.

    Args:
        lag: down to which the factors are averaged.
    """
    means = {word: _geometric_mean(values[at <= lag]) for word, at, values in split}
    known = {word: mean for word, mean in means.items() if mean is not None}
    if not known:
        return ""
    word = min(known, key=lambda each: known[each])
    taken = f"most is lost in {word}" if known[word] < 1 else f"nothing is lost, least is gained in {word}"
    return f"{taken}: {_factor(known[word])}"


def _factor(size: float) -> str:
    return f"× {size:.2g} per step".replace(" ", "\N{NO-BREAK SPACE}")  # it stays on one line


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
            yield OPERATIONS.get(flow.op, flow.op), *_arriving(flow.steps, flow.factors, state)


def _arrivals(report: FlowReport, state: StateFlow) -> Iterator[Part]:
    """Yield the size of what arrives at a state along each path, relative to the state's own one step later."""
    own = dict(zip(state.steps, state.norms, strict=True))
    kinds = {other.kind for other in report.states}
    for path in report.paths:
        if path.parent == state.kind and beside(path, state):
            later = [own.get(step, np.nan) for step in path.steps]
            straight = path.child == state.kind
            word = "straight" if straight else path.child if path.child in kinds else f"gate {path.child}"
            yield word, *_arriving(path.steps, ratio(path.norms, later), state)
    for path in report.rounds:
        if path.parent == state.kind and beside(path, state):
            at, sent = by_lag(path.steps, path.norms, state)
            word = f"round by {path.child}" if path.child in kinds else f"round by gate {path.child}"
            yield word, at[at > 0], ratio(sent[at > 0], state.by_lag[at[at > 0] - 1])


def _arriving(steps: tuple[int, ...], values: np.ndarray, state: StateFlow) -> tuple[np.ndarray, np.ndarray]:
    at, ordered = by_lag(steps, values, state)
    return at + 1, ordered  # what a step sends arrives one step further back


def sentences(entries: Sequence[Entry]) -> list[str]:
    """Return along which path most of the gradient of each state arrives."""
    found = []
    for entry in entries:
        for state in entry.report.cell:
            decay = state.decay(entry.report.threshold)
            if decay is None:
                found.append(f"{entry.called()}: by which factor a step changes ‖∂L/∂{state.kind}‖ is unknown.")
                continue
            factor = f"×{number(decay.per_step)} per step for ‖∂L/∂{state.kind}‖, down to lag {decay.lag}"
            what = f"{entry.called()}: {factor}"
            cause = next(cause for cause in entry.report.causes() if cause.kind == state.kind)
            if cause.factors:
                how = ", ".join(f"{OPERATIONS.get(op, op)} ×{number(size)}" for op, size in cause.factors if size != 1)
                found.append(f"{what}; on its only path, on average: {how or 'nothing changes it'}.")
            elif cause.shares:
                alone = f". The straight way alone makes ×{number(cause.straight)} per step" if cause.straight else ""
                found.append(f"{what}; of what arrives at {state.kind} {dominant(entry.report, state)}{alone}.")
            else:
                found.append(f"{what}.")
    return found


def alt(entries: Sequence[Entry]) -> str:
    """Return the range of each line."""
    parts = []
    for entry in entries:
        for state in entry.report.cell:
            lines = [f"{word} {extent(values)}" for word, _, values in split_by_path(entry.report, state)[1]]
            parts.append(f"{entry.name}, into {state.kind}: {', '.join(lines) or 'no path is known'}")
    return alt_text("A panel for each state with factors per step over the lag, logarithmic", parts)


PLOT = Plot(
    "attenuation",
    "Which path takes it, which brings it?",
    "By which factor one step changes the gradient, and what arrives along each path: straight from a state to itself, "
    "round by another state, through the gates. All relative to the gradient a step later. Norms do not add.",
    lambda entries, style: attenuation(reports(entries), style=style),
    sentences,
    alt,
)
