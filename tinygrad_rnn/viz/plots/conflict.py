"""What each step wants of the weight into a unit that stores, and of the weight out of it; and what is learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.train import ConflictRun, Pulls, cancelled
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.axes import log_line, settle
from tinygrad_rnn.viz.plots.entry import alt_text
from tinygrad_rnn.viz.plots.look import Line, grey, ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: A loss below this is that of a unit that has learned it; always answering 0 has 1.
LEARNED = 0.1
#: Losses are shown as means over so many updates.
_SMOOTHED = 20


class Looked(NamedTuple):
    """Which weight a task is about."""

    weight: str  # in `Pulls`
    relevant: int  # the step that it is about
    purpose: str  # of that step
    others: str  # what the other steps are there for


#: By task: the conflict it brings about.
LOOKED_AT = {
    "store": Looked("incoming", 0, "is to be stored", "are to be kept out"),
    "retrieve": Looked("outgoing", -1, "is to be answered", "are to be silent"),
}


def conflict(
    runs: Sequence[ConflictRun], axes: Axes | Sequence[Axes] | None = None, style: Style | None = None
) -> Figure:
    """Plot a row for each task: what the steps want of its weight, before, in and after training, and the losses.

    Args:
        runs: of the first seed of each cell the contributions are shown, of all seeds the losses; all measured after
            as many updates.
    """
    title = "One weight, asked for two things"
    formula = r"bars: $(\partial L/\partial w)_t$, what step $t$ contributes to the gradient of the weight $w$"
    groups = by_task_and_cell(runs)
    with chart.paper(axes, style) as paper:
        if not runs:
            return paper.empty(title, formula, "Nothing was trained.")
        trained = any(len(run.losses) for run in runs)
        across = len(runs[0].pulls) + trained
        panels = paper.grid(title, formula, len(groups) * across, across, 2.4, together=across)
        looks = paper.lines(dict.fromkeys(run.cell for run in runs))
        for row, found in enumerate(groups.values()):
            those = panels[row * across : (row + 1) * across]
            firsts = [repeats[0] for repeats in found.values()]
            for moment, panel in enumerate(those[: len(firsts[0].pulls)]):
                _bars(panel, moment, firsts, looks)
            if trained:
                _losses(those[-1], found, looks)
        settle(panels)
        note = (
            "Bars: of the first seed; one below 0 wants the weight larger. Together they are its gradient: where "
            "training has come to rest they add up to 0."
        )
        if trained:
            note += f" Losses: means over {_SMOOTHED} updates"
            several = any(len(repeats) > 1 for found in groups.values() for repeats in found.values())
            note += ", the median over the seeds, and from the lowest to the highest." if several else "."
        return paper.finish([panels[across - 1]], [note])


def by_task_and_cell(runs: Sequence[ConflictRun]) -> dict[str, dict[str, list[ConflictRun]]]:
    """Return the runs of each task, of each cell, in the order in which they come."""
    found: dict[str, dict[str, list[ConflictRun]]] = {}
    for run in runs:
        found.setdefault(run.task.kind, {}).setdefault(run.cell, []).append(run)
    return found


def parts(run: ConflictRun, pulls: Pulls) -> tuple[float, float]:
    """Return what the step that the task is about contributes to the gradient of its weight, and what all others do."""
    looked = LOOKED_AT[run.task.kind]
    each = getattr(pulls, looked.weight)
    relevant = float(each[looked.relevant])
    return relevant, float(each.sum()) - relevant


def share_cancelled(run: ConflictRun, pulls: Pulls) -> float:
    """Return which share of the contributions to the weight that the task is about cancels."""
    return cancelled(getattr(pulls, LOOKED_AT[run.task.kind].weight))


def _moment(pulls: Pulls) -> str:
    return f"after {plural(pulls.updates, 'update')}" if pulls.updates else "before training"


def _bars(panel: Axes, moment: int, runs: Sequence[ConflictRun], looks: Mapping[str, Line]) -> None:
    """Draw side by side what each step contributes in each cell."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  (optional, and slow to load)

    looked = LOOKED_AT[runs[0].task.kind]
    wide = 0.85 / len(runs)
    for place, run in enumerate(runs):
        each = getattr(run.pulls[moment], looked.weight)
        at = np.arange(len(each)) + (place - (len(runs) - 1) / 2) * wide
        panel.bar(at, each, wide, color=looks[run.cell].colour, label=chart.plain(run.cell))
    panel.axhline(0, color=ink(), lw=thick(0.5), label="_zero")
    panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    title = f"{runs[0].task.kind}: {_moment(runs[0].pulls[moment])}"
    chart.label(panel, title, "step $t$", f"{looked.weight} weight: ∂L/∂w (absolute)")


def _losses(panel: Axes, found: Mapping[str, Sequence[ConflictRun]], looks: Mapping[str, Line]) -> None:
    """Draw the median loss of each cell over the seeds, and the room between the lowest and the highest."""
    for place, (cell, repeats) in enumerate(found.items()):
        look, wide = looks[cell], min(_SMOOTHED, len(repeats[0].losses))
        if wide:
            each = np.array([np.convolve(run.losses, np.full(wide, 1 / wide), "valid") for run in repeats])
            at = np.arange(wide, wide + each.shape[1])
            panel.fill_between(at, each.min(axis=0), each.max(axis=0), color=look.colour, alpha=0.15, lw=0)
            log_line(panel, at, np.median(each, axis=0), place, label=chart.plain(cell), **look.line(len(at)))
    task = next(iter(found.values()))[0].task
    panel.axhline(task.least_of_a_carousel, color=grey(), lw=thick(0.8), ls=":", label="least of a carousel")
    chart.label(panel, f"{task.kind}: loss", "update", "loss")


# ---- words ---------------------------------------------------------------------------------------------------------


def sentences(runs: Sequence[ConflictRun]) -> list[str]:
    """Return for each task and cell what its steps want of the weight, how much cancels, and whether it is learned."""
    return [said for found in by_task_and_cell(runs).values() for each in found.values() for said in _said(each)]


def _said(repeats: Sequence[ConflictRun]) -> Iterator[str]:
    run, looked = repeats[0], LOOKED_AT[repeats[0].task.kind]
    who = f"{run.task.kind}, {run.cell}"
    first, last = run.pulls[0], run.pulls[-1]
    relevant, others = parts(run, last)
    when = _moment(last)
    which = looked.relevant % run.task.steps
    yield (
        f"{who}: {when} step {which}, which {looked.purpose}, contributes {number(relevant)} to the gradient of the "
        f"{looked.weight} weight; {_others(run.task.steps - 1, looked, relevant, others)} (seed {run.seed})."
    )
    before, after = (np.median([share_cancelled(each, each.pulls[at]) for each in repeats]) for at in (0, -1))
    cancels = np.median([_cancelling(each) for each in repeats])
    shares = f"{before:.0%} cancels {_moment(first)}" + (f", {after:.0%} {when}" if last is not first else "")
    over = f" (medians over {plural(len(repeats), 'seed')})" if len(repeats) > 1 else ""
    yield f"{who}: of all contributions {shares}; what cancels then amounts to {number(float(cancels))}{over}."
    learned = sum(each.loss < LEARNED for each in repeats)
    losses = ", ".join(number(each.loss) for each in repeats)
    bound = ""
    if run.cell == "carousel":
        products = ", ".join(number(each.product) for each in repeats)
        bound = f"; no carousel can expect less than {number(run.task.least_of_a_carousel)}, for which u v is "
        bound += f"{number(1 / run.task.steps)}, and here it is {products}"
    seeds = plural(len(repeats), "seed")
    learned_with = f"learned (loss below {LEARNED:g}) with {learned} of {seeds}: loss" if last.updates else "loss"
    yield f"{who}: {learned_with} {losses}{bound}."


def _others(count: int, looked: Looked, relevant: float, others: float) -> str:
    """Return what all steps do but the one that the task is about."""
    one = count == 1
    who = (
        f"the other one, which {looked.others.replace('are ', 'is ', 1)},"
        if one
        else (f"the other {count}, which {looked.others},")
    )
    if not others:
        return f"{who} {'contributes' if one else 'contribute'} nothing{'' if one else ' together'}"
    way = " the other way" if relevant * others < 0 else " the same way" if relevant * others > 0 else " alone"
    return f"{who} {'pulls' if one else 'pull'}{way}, by {number(others)}{'' if one else ' together'}"


def _cancelling(run: ConflictRun) -> float:
    """Return sum_t |g_t| - |sum_t g_t| at the end."""
    each = getattr(run.pulls[-1], LOOKED_AT[run.task.kind].weight)
    return float(np.abs(each).sum() - abs(each.sum()))


def alt(runs: Sequence[ConflictRun]) -> str:
    """Return in words what the bars of each panel show, and where the losses end."""
    parts_of = [
        f"{run.task.kind} {run.cell}: step {LOOKED_AT[run.task.kind].relevant % run.task.steps} "
        f"{number(parts(run, run.pulls[-1])[0])}, the others {number(parts(run, run.pulls[-1])[1])} together, loss "
        f"{number(float(np.median([each.loss for each in repeats])))}"
        for found in by_task_and_cell(runs).values()
        for repeats in found.values()
        for run in repeats[:1]
    ]
    trained = any(run.pulls[-1].updates for run in runs)
    shown = ", before, during and after training, and curves of the loss; at the end" if trained else " before training"
    return alt_text(f"Bars over the steps{shown}", parts_of)
