"""The error as a function of one weight, and the steps that gradient descent took on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.train.descent import Descent, errors_at
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.entry import alt_text
from tinygrad_rnn.viz.plots.look import grey, ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["alt", "error_curve", "sentences"]

#: Points of the curve.
POINTS = 201
#: So many places are told, and named beside their points.
TOLD = 4


def error_curve(
    descents: Mapping[str, Descent], axes: Axes | Sequence[Axes] | None = None, style: Style | None = None
) -> Figure:
    """Plot the error over the weight, a panel for each descent: its places on the curve, and the slope at the first.

    Args:
        descents: by what they shall be called; on one curve.

    Raises:
        InputError: there is none.

    >>> from tinygrad_rnn.tasks import DoublingTask
    >>> from tinygrad_rnn.train import descend
    >>> found = descend(DoublingTask().error, start=3.0, rate=1 / 28, steps=1)
    >>> error_curve({"minus": found}).axes[0].get_xlabel()
    'weight W'
    """
    if not descents:
        raise InputError("an error curve needs at least one descent")
    title, formula = "Error over the weight", r"$E(W)$, and the steps $W \leftarrow W - \eta\,\partial E/\partial W$"
    with chart.paper(axes, style) as paper:
        panels = paper.grid(title, formula, len(descents), 3, 2.8, sharey=True)
        looks, (low, high) = paper.lines(descents), _range(descents.values())
        for panel, (name, found) in zip(panels, descents.items(), strict=True):
            look = looks[name]
            at = np.linspace(low, high, POINTS)
            panel.plot(at, errors_at(found.error, at), color=grey(), lw=thick(1), label="E(W)")
            start, error, slope = found.weights[0], found.errors[0], found.slopes[0]
            beside = start + np.array([-1, 1]) * 0.12 * (high - low)
            panel.plot(beside, error + slope * (beside - start), color=ink(), ls=":", lw=thick(0.9), label="slope at A")
            panel.plot(
                found.weights, found.errors, color=look.colour, marker="o", lw=thick(0.8), ls="--", label="steps"
            )
            for place in range(min(TOLD, len(found.weights))):
                if not _seen(found, place):
                    panel.annotate(
                        "ABCD"[place], (found.weights[place], found.errors[place]), (7, -4), textcoords="offset points"
                    )
            chart.label(panel, chart.plain(name), "weight W", "error E", _path(found))
        return paper.finish(panels[:1], ["A is where it begins; the dotted line has the slope of the curve there."])


def _range(descents: Iterable[Descent]) -> tuple[float, float]:
    """Return from where to where the curves are drawn: all places that are finite numbers, and a little beyond."""
    weights = np.concatenate([found.weights for found in descents])
    there = weights[np.isfinite(weights)]
    beyond = max(0.25 * float(np.ptp(there)), 0.5)
    return float(there.min()) - beyond, float(there.max()) + beyond


def _seen(found: Descent, place: int) -> bool:
    return bool(np.isclose(found.weights[:place], found.weights[place]).any())


def _path(found: Descent) -> str:
    told = [number(float(weight)) for weight in found.weights[:TOLD]]
    return "W: " + ", ".join(told) + (" ..." if len(found.weights) > TOLD else "")


def sentences(descents: Mapping[str, Descent]) -> list[str]:
    """Return where each descent began, how steep it was there, and where it ended.

    >>> from tinygrad_rnn.tasks import DoublingTask
    >>> from tinygrad_rnn.train import descend
    >>> sentences({"added": descend(DoublingTask().error, 3.0, 1 / 28, 1, added=True)})
    ['added: from W = 3, where E is 14 and its slope 28, to W = 4, where E is 56, in 1 step: uphill.']
    """
    said = []
    for name, found in descents.items():
        steps = len(found.weights) - 1
        began = f"from W = {number(found.weights[0])}, where E is {number(found.errors[0])} and its slope "
        began += number(found.slopes[0])
        ended = f"to W = {number(found.weights[-1])}, where E is {number(found.errors[-1])}, in {plural(steps, 'step')}"
        up = found.errors[-1] > found.errors[0]
        same = np.isclose(found.errors[-1], found.errors[0])
        way = "no lower" if same else "uphill" if up else "downhill"
        said.append(f"{name}: {began}, {ended}: {way}.")
    return said


def alt(descents: Mapping[str, Descent]) -> str:
    """Return where the places lie, for those who do not see them."""
    return alt_text("The error over the weight", [f"{name}, {_path(found)}" for name, found in descents.items()])
