"""Where on a strip a model looked for each letter that it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.train import Gaze
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.alignment import MOST, bar, left_out, shades, weight_colours
from tinygrad_rnn.viz.plots.entry import alt_text
from tinygrad_rnn.viz.plots.look import ink, thick
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["alt", "gaze", "sentences"]

#: The attention of a letter is as high as so many pixels of the strip.
_ROW = 3.0
#: The height of a row of panels on a page, in inches.
_HIGH = 2.0


def gaze(found: Sequence[Gaze], axes: Axes | Sequence[Axes] | None = None, style: Style | None = None) -> Figure:
    """Plot a panel for each of the first six strips: its image, and below it a row for each letter written.

    A row is as dark as the attention there; the point is its centre, and the line leads through the centres.
    """
    title = "Where each letter written looked"
    formula = r"$\alpha_{s,x}$: the weight of places at $x$ for letter $s$; points: centre $\sum_x x\,\alpha_{s,x}$"
    shown = found[:MOST]
    with chart.paper(axes, style) as paper:
        if not shown:
            return paper.empty(title, formula, "Nothing was written.")
        panels = paper.grid(title, formula, len(shown), 2, _HIGH)
        colours = weight_colours(paper)
        for panel, each in zip(panels, shown, strict=True):
            _strip(panel, each, colours, paper.lines(["lstm"])["lstm"].colour)
        bar(paper, colours, panels)
        return paper.finish(panels[:1], [*sentences(shown), *left_out(found)])


def _strip(panel: Axes, each: Gaze, colours: Any, colour: str) -> None:
    high, wide = each.image.shape
    below = high + _ROW * len(each.written)
    panel.imshow(each.image, shades(), vmin=0, vmax=1, extent=(0, wide, high, 0), aspect="auto")
    if each.written:
        extent = (0, wide, below, high)
        panel.imshow(each.weights, colours, vmin=0, vmax=1, extent=extent, aspect="auto", interpolation="nearest")
    rows = high + _ROW * (np.arange(len(each.written)) + 0.5)
    panel.plot(
        each.centres, rows, color=colour, marker="o", lw=thick(0.8), label="centre of attention",
        markerfacecolor=panel.get_facecolor(),
    )  # fmt: skip
    panel.axhline(high, color=ink(), lw=thick(0.5), label="_edge")
    panel.set_ylim(below, 0)
    panel.set_yticks([high / 2, *rows], ["strip", *each.written])
    panel.tick_params(axis="y", length=0)
    panel.grid(False)
    chart.label(panel, f"written: {chart.plain(each.written)}", "pixel", "")


def sentences(found: Sequence[Gaze]) -> list[str]:
    """Return where the centre of attention was for each letter, and whether it moved from left to right.

    >>> import numpy as np
    >>> from tinygrad_rnn.train import Gaze
    >>> from tinygrad_rnn.viz.plots.gaze import sentences
    >>> sentences([Gaze(np.zeros((8, 16)), "71", np.eye(2))])
    ["'71': the centre of attention is at pixel 4, 12 of 16: from left to right."]
    """
    return [_said(each) for each in found]


def _said(each: Gaze) -> str:
    if not each.written:
        return "'': nothing was written."
    centres = ", ".join(map(number, each.centres.tolist()))
    return (
        f"{each.written!r}: the centre of attention is at pixel {centres} of {each.image.shape[1]}"
        f"{_direction(each.centres)}."
    )


def _direction(centres: np.ndarray) -> str:
    if len(centres) < 2:
        return ""
    forward = int((np.diff(centres) > 0).sum())
    if forward == len(centres) - 1:
        return ": from left to right"
    return f"; it moves to the right at {forward} of {plural(len(centres) - 1, 'step')}"


def alt(found: Sequence[Gaze]) -> str:
    """Return in words where the points of each panel lie."""
    return alt_text("Strips with the attention of each letter below; its centre in pixels", _points(found[:MOST]))


def _points(found: Sequence[Gaze]) -> Iterator[str]:
    for each in found:
        pairs = zip(each.written, each.centres.tolist(), strict=True)
        yield f"strip {each.written!r}: " + ", ".join(f"{letter} at {number(centre)}" for letter, centre in pairs)
