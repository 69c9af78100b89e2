"""Forecasts beside the truth, and beside forecasts that cost nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.tasks.series import UNITS
from tinygrad_rnn.train import Forecasts
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.entry import alt_text
from tinygrad_rnn.viz.plots.look import Line, grey, ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["alt", "forecast", "sentences"]

#: So many seasons are shown, and one before a forecast begins.
_SEASONS = 3
#: How the lines of those that are no models look.
_DASHES = {"last value": ":", "a season ago": "--"}


def forecast(found: Forecasts, axes: Axes | Sequence[Axes] | None = None, style: Style | None = None) -> Figure:
    """Plot the last forecasts of one step, the last of all steps, and the errors by step.

    Of several models under a name the line is the median, and the band goes from the lowest to the highest.
    """
    of, unit = found.task.of, UNITS[found.task.of]
    title = f"Forecasts of {'CO2' if of == 'co2' else of}"
    formula = r"error: $\sqrt{\mathrm{mean}\,(\hat x - x)^2}$ over all origins; no model has learned what is forecast"
    with chart.paper(axes, style) as paper:
        panels = paper.grid(title, formula, 3, 1, 2.2)
        one, free, errors = panels
        looks = paper.lines(found.models)
        last = slice(-_SEASONS * found.task.season, None)
        _values(one, found, looks, found.origins[last], (last, 0))
        ahead = found.origins[-1] + np.arange(found.steps)
        _values(free, found, looks, ahead, (-1, slice(None)), before=found.task.season)
        for name, look in looks.items():
            _line(errors, name, np.arange(1, found.steps + 1), found.rmse(name), look)
        for name in found.baselines:
            errors.plot(np.arange(1, found.steps + 1), found.rmse(name)[0], **_plain(name))
        chart.label(one, "one step ahead", "year", unit)
        what = f"{plural(found.steps, 'step')} ahead, nothing known from the line on"
        chart.label(free, what, "year", unit)
        chart.label(errors, f"error by step, from {plural(len(found.origins), 'origin')}", "steps ahead", unit)
        notes = sentences(found)
        if max(len(each) for each in found.models.values()) > 1:
            notes.append(
                "Models that differ in their weights only: the median, and a band from the lowest to the highest. It "
                "tells how trainings differ, and not how far away the truth may be."
            )
        return paper.finish(panels, notes, columns=3)


def _values(
    panel: Axes, found: Forecasts, looks: dict[str, Line], places: np.ndarray, which: tuple[Any, Any], before: int = 0
) -> None:
    """Draw the truth at some places, and so many before, and what was forecast of it."""
    years, known = found.task.years(places), np.arange(places[0] - before, places[-1] + 1)
    panel.plot(found.task.years(known), found.task.values[known], color=ink(), lw=thick(1.3), label="truth")
    for name, look in looks.items():
        _line(panel, name, years, found.models[name][(slice(None), *which)], look)
    for name, each in found.baselines.items():
        panel.plot(years, each[which], **_plain(name))
    if before:
        panel.axvline(years[0] - np.diff(years[:2]).sum() / 2, color=grey(), lw=thick(0.5), label="_now")


def _line(panel: Axes, name: str, x: np.ndarray, runs: np.ndarray, look: Line) -> None:
    """Draw the median of several lines (M, N), with a band."""
    label = chart.plain(name) + (f", {len(runs)} trainings" if len(runs) > 1 else "")
    panel.plot(x, np.median(runs, axis=0), label=label, **look.line(len(x)))
    if len(runs) > 1:
        panel.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=look.colour, alpha=0.2, lw=0)


def _plain(name: str) -> dict[str, Any]:
    return {"color": grey(), "ls": _DASHES.get(name, "-."), "lw": thick(0.8), "label": name}


def sentences(found: Forecasts) -> list[str]:
    """Return for each model what its errors are at the first step and at the last, and what they are below."""
    return [said for name in found.models for said in _said(found, name)]


def _said(found: Forecasts, name: str) -> Iterator[str]:
    for at in dict.fromkeys((0, found.steps - 1)):
        own = found.rmse(name)[:, at]
        middle = float(np.median(own))
        others = {each: float(found.rmse(each)[0, at]) for each in found.baselines}
        below = [f"{each} ({number(other)})" for each, other in others.items() if middle < other]
        above = [f"{each} ({number(other)})" for each, other in others.items() if middle >= other]
        spread = ""
        if len(own) > 1:
            spread = f" (median of {len(own)}, {number(float(own.min()))} to {number(float(own.max()))})"
        parts = [f"{word} {', '.join(each)}" for word, each in (("below", below), ("not below", above)) if each]
        yield (
            f"{name}: {plural(at + 1, 'step')} ahead its error is {number(middle)} {UNITS[found.task.of]}{spread}: "
            f"{'; '.join(parts)}."
        )


def alt(found: Forecasts) -> str:
    """Return in words where the lines of the errors begin and end."""
    parts = [
        f"{name} from {number(errors[0])} at step 1 to {number(errors[-1])} at step {found.steps}"
        for name in (*found.models, *found.baselines)
        for errors in [np.median(found.rmse(name), axis=0).tolist()]
    ]
    return alt_text("Lines of the truth and of forecasts over the years, and of the errors by step", parts)
