"""What of a text a model looked at for each letter that it wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.train import Alignment
from tinygrad_rnn.viz.plots import chart, look
from tinygrad_rnn.viz.plots.entry import alt_text
from tinygrad_rnn.viz.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MOST", "alignment", "alt", "bar", "left_out", "sentences", "shades", "weight_colours"]

#: A figure has no more panels.
MOST = 6
#: The height of a row of panels on a page, in inches.
_HIGH = 2.6


def alignment(
    found: Sequence[Alignment], axes: Axes | Sequence[Axes] | None = None, style: Style | None = None
) -> Figure:
    """Plot a panel for each of the first six texts: a row for each letter written, a column for each letter read."""
    title = "What each letter written looked at"
    formula = r"$\alpha_{s,t}$: the weight of the letter read at step $t$ when letter $s$ is written; 1 in a row"
    shown = found[:MOST]
    with chart.paper(axes, style) as paper:
        if not shown:
            return paper.empty(title, formula, "Nothing was written.")
        panels = paper.grid(title, formula, len(shown), 2, _HIGH)
        colours = weight_colours(paper)
        for panel, each in zip(panels, shown, strict=True):
            panel.imshow(each.weights, colours, vmin=0, vmax=1, interpolation="nearest", aspect="auto")
            panel.set_xticks(range(len(each.read)), [chart.plain(letter) for letter in each.read])
            panel.set_yticks(range(len(each.written)), [chart.plain(letter) for letter in each.written])
            panel.tick_params(length=0)
            panel.grid(False)
            chart.label(panel, f"{chart.plain(each.read)} → {chart.plain(each.written)}", "letters read", "written")
        bar(paper, colours, panels)
        why = "An encoder's state knows the letters before its own: a look at what follows a word may mean the word."
        return paper.finish([], [*sentences(shown), why, *left_out(found)])


def shades(*hues: str) -> Any:
    """Return a map of colours from the paper over some hues to ink: one dark hue can be read in grey, too."""
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415  (optional, and slow to load)

    blank = look.settings()["axes.facecolor"]
    return LinearSegmentedColormap.from_list("weights", [blank, *hues, look.ink()])


def weight_colours(paper: chart.Paper) -> Any:
    """Return the colours of weights from 0 to 1; in print shades of grey."""
    return shades() if paper.style.theme == "print" else shades(paper.lines(["rnn"])["rnn"].colour)


def bar(paper: chart.Paper, colours: Any, panels: Sequence[Axes]) -> None:
    """Draw what the colours of the weights mean."""
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415  (optional, and slow to load)

    if paper.style.legend:
        scale = ScalarMappable(cmap=colours)
        scale.set_clim(0, 1)
        paper.figure.colorbar(scale, ax=list(panels), shrink=0.8, aspect=30).set_label("weight")


def left_out(found: Sequence[object]) -> list[str]:
    """Return a note on how many are not drawn, if any."""
    return [f"{plural(len(found) - MOST, 'further one')} not drawn."] if len(found) > MOST else []


def sentences(found: Sequence[Alignment]) -> list[str]:
    """Return for each text which of its words the parts of what was written looked at most, and how much.

    >>> import numpy as np
    >>> from tinygrad_rnn.train import Alignment
    >>> from tinygrad_rnn.viz.plots.alignment import sentences
    >>> sentences([Alignment("1 May", "05-1", np.eye(4, 5)[[2, 3, 1, 0]])])
    ["'1 May' → '05-1': 05 looked at May (100% of its weight), 1 at 1 (100%)."]
    """
    return [_said(each) for each in found]


def _said(each: Alignment) -> str:
    parts: list[str] = []
    for part in re.finditer(r"\w+", each.written):
        rows = each.weights[part.start() : part.end()].mean(axis=0)
        word, weight = _looked_at(each.read, rows)
        first = not parts
        share = f"{weight:.0%}{' of its weight' if first else ''}"
        parts.append(f"{part[0]} {'looked ' if first else ''}at {word} ({share})")
    what = ", ".join(parts) or "nothing was written"
    return f"{each.read!r} → {each.written!r}: {what}."


def _looked_at(text: str, weights: np.ndarray) -> tuple[str, float]:
    """Return the word of a text, or what is between two, with the largest part of the weights (T,), and that part."""
    parts = [(float(weights[part.start() : part.end()].sum()), part[0]) for part in re.finditer(r"\w+|\W+", text)]
    weight, part = max(parts, key=lambda each: each[0])
    return (part if part.isalnum() else repr(part)), weight


def alt(found: Sequence[Alignment]) -> str:
    """Return in words where the darkest place of each row is."""
    parts = [
        f"{each.read!r} to {each.written!r}: "
        + ", ".join(
            f"{letter} at {each.read[place]!r} ({each.weights[row, place]:.0%})"
            for row, (letter, place) in enumerate(zip(each.written, each.weights.argmax(axis=1), strict=True))
        )
        for each in found[:MOST]
    ]
    return alt_text("Heat maps, letters written by letters read; the largest weight of each row", parts)
