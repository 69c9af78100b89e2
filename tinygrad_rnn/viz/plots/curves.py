"""What a training came to, update by update: its loss, the norm of its gradient, its validations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.tasks import Criterion
from tinygrad_rnn.train import History
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import log_line, settle
from tinygrad_rnn.viz.plots.entry import alt_text
from tinygrad_rnn.viz.plots.look import Line, grey, thick
from tinygrad_rnn.viz.plots.relative import QUARTILES
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: A training, or several that differ in their seed only.
Runs = History | Sequence[History]
#: A line has no more points: each is a mean over as many updates as it takes.
POINTS = 100
#: An axis is logarithmic where the largest value is more than so many times the smallest.
WIDE = 20.0

#: The values of a run at certain updates.
Curve = tuple[np.ndarray, np.ndarray]


def curves(
    histories: Mapping[str, Runs],
    unit: str = "",
    criterion: Criterion | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    style: Style | None = None,
) -> Figure:
    """Plot loss and gradient norm of every update, and the scores of every validation, a line for each name.

    Of several runs under a name, a list of histories, it is the median, with a band of quartiles, as far as all got.

    Args:
        histories: by what the lines shall be called.
        unit: of the loss.
        criterion: when the task is solved; it becomes a line among the validations of its score, if it is a number.
    """
    title, formula = "Training curves", r"loss $L$ and gradient norm $\Vert\partial L/\partial\theta\Vert$ by update"
    found = {name: _list(runs) for name, runs in histories.items()}
    every = [run for runs in found.values() for run in runs]
    with chart.paper(axes, style) as paper:
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  (optional, and slow to load)

        panels_of = [each for each in _panels(found, unit) if any(each[2](run) for run in every)]
        if not panels_of:
            return paper.empty(title, formula, "No updates were made.")
        panels = paper.grid(title, formula, len(panels_of), 2, 2.6)
        looks = paper.lines(found)
        for panel, (what, ylabel, curve_of) in zip(panels, panels_of, strict=True):
            drawn = {name: [curve for run in runs if (curve := curve_of(run))] for name, runs in found.items()}
            log = _wide(value for each in drawn.values() for _, value in each)
            for name, each in drawn.items():
                if each:
                    _line(panel, name, each, looks[name], log)
            if criterion is not None and what == f"validation: {criterion.score}":
                edge = criterion.at_least if criterion.at_least is not None else criterion.at_most
                if edge is not None:
                    panel.axhline(edge, color=grey(), lw=thick(0.7), ls=":", label=f"solved: {criterion}")
            chart.label(panel, what, "update", ylabel)
            panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        settle(panels)
        return paper.finish(panels, _notes(found))


def _list(runs: Runs) -> list[History]:
    return [runs] if isinstance(runs, History) else list(runs)


def _panels(
    found: Mapping[str, list[History]], unit: str
) -> Iterator[tuple[str, str, Callable[[History], Curve | None]]]:
    """Yield what each panel shows, what its axis is called, and how a run gives the values of its line."""
    yield "training: loss", unit, lambda run: _means(run.updates, run.losses)
    yield "training: gradient norm, before clipping", "norm", lambda run: _means(run.updates, run.norms)
    for score in dict.fromkeys(name for runs in found.values() for run in runs for name in run.scores):

        def curve(run: History, score: str = score) -> Curve | None:
            values = run.scores.get(score)
            return None if values is None or not len(values) else (run.validated, values)

        yield f"validation: {score}", unit if score == "loss" else score, curve


def _means(updates: np.ndarray, values: np.ndarray) -> Curve | None:
    """Return the means over neighbours that give few enough points, each at the last update of its neighbours."""
    if not len(updates):
        return None
    together = _together(len(updates))
    starts = np.arange(0, len(updates), together)
    counts = np.diff(np.append(starts, len(updates)))
    return updates[starts + counts - 1], np.add.reduceat(values, starts) / counts


def _together(updates: int) -> int:
    return math.ceil(updates / POINTS)


def _wide(values: Iterator[np.ndarray]) -> bool:
    """Whether values are all positive and lie so far apart that an axis has to be logarithmic."""
    known = [each[np.isfinite(each)] for each in values]
    together = np.concatenate(known) if known else np.zeros(0)
    return bool(len(together) and together.min() > 0 and together.max() > WIDE * together.min())


def _line(axes: Axes, name: str, found: Sequence[Curve], style: Line, log: bool) -> None:
    """Draw the line of a run, or the median of several with their band."""
    at, runs = _common(found)
    if len(runs) > 1:
        for run in runs:
            axes.plot(at, run, color=style.colour, lw=thick(0.4), alpha=0.35, label="_run")
        low, high = np.quantile(runs, QUARTILES, axis=0)
        axes.fill_between(at, low, high, color=style.colour, alpha=0.15, lw=0)
    label = chart.plain(name) + (f", median of {plural(len(runs), 'run')}" if len(runs) > 1 else "")
    drawn: dict[str, Any] = {"label": label, **style.line(len(at))}
    if log:
        log_line(axes, at, np.median(runs, axis=0), style.place, **drawn)
    else:
        axes.plot(at, np.median(runs, axis=0), **drawn)


def _common(found: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Return the updates at which all of several runs have a value, and these values, a row for each run."""
    at = found[0][0]
    for updates, _ in found[1:]:
        at = np.intersect1d(at, updates)
    return at, np.array([values[np.isin(updates, at)] for updates, values in found])


def _notes(found: Mapping[str, list[History]]) -> Iterator[str]:
    together = max(_together(max(len(run.updates), 1)) for runs in found.values() for run in runs)
    if together > 1:
        yield f"Training: each point is the mean of {together} updates."
    yield "Validation: on examples that the model does not learn from, with dropout switched off."
    if any(len(runs) > 1 for runs in found.values()):
        yield "Thick: the median over runs that differ in their seed; band: their quartiles."


def sentences(histories: Mapping[str, Runs], unit: str = "") -> list[str]:
    """Return what the loss of the validations came to, and whether and when the task was solved."""
    said = []
    for name, runs in histories.items():
        found = [run for run in _list(runs) if len(run.validated)]
        if not found:
            said.append(f"{name}: there was no validation.")
            continue
        first, last = (float(np.median([run.scores["loss"][at] for run in found])) for at in (0, -1))
        made = max(int(run.validated[-1]) for run in found)
        loss = f"{name}: the loss of validations went from {number(first)} to {number(last)} {unit}".rstrip()
        over = f", the median of {plural(len(found), 'run')}" if len(found) > 1 else ""
        said.append(f"{loss} in {plural(made, 'update')}{over}{_solved(found)}.")
        said += [f"{name}: {run.diverged}." for run in found if run.diverged]
    return said


def _solved(found: Sequence[History]) -> str:
    at = [run.solved for run in found if run.solved is not None]
    if not at:
        return ""
    when = f"after {plural(min(at), 'update')}" if min(at) == max(at) else f"after {min(at)} to {max(at)} updates"
    return f"; solved {when}" if len(found) == 1 else f"; {len(at)} of {len(found)} solved it, {when}"


def alt(histories: Mapping[str, Runs]) -> str:
    """Return where the lines begin and end, for those who do not see them."""
    parts = []
    for name, runs in histories.items():
        for what, _, curve_of in _panels({name: _list(runs)}, ""):
            found = [curve for run in _list(runs) if (curve := curve_of(run))]
            if found and len(_common(found)[0]):
                at, values = _common(found)
                middle = np.median(values, axis=0)
                ends = f"from {number(float(middle[0]))} at update {at[0]} to {number(float(middle[-1]))} at {at[-1]}"
                parts.append(f"{name}, {what}, {ends}")
    return alt_text("Lines over the updates", parts)
