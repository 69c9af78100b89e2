"""How pictures and plots look: colours for light pages, dark ones and print, sizes for slides, letters, words around.

Matplotlib is not imported here; `rc` returns what its settings are to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinygrad_rnn.errors import InputError

#: Colours of the paper, of what is written on it, and of the lines of a grid.
THEMES = {
    "light": ("#ffffff", "#000000", "#b0b0b0"),
    "dark": ("#14181e", "#e8eaed", "#5a626c"),
    "print": ("#ffffff", "#000000", "#c8c8c8"),
}
#: Width and height in inches of figures that are to fill a slide.
SIZES = {"16:9": (40 / 3, 7.5), "4:3": (10.0, 7.5), "wide": (16.0, 6.0)}
#: The size of letters in points on a page, and on a slide.
ON_A_PAGE, ON_A_SLIDE = 9.0, 12.0
#: With the larger one a slide of 16:9 has 1920 x 1080 pixels.
_DOTS_PER_INCH, _DOTS_ON_A_SLIDE = 110, 144


@dataclass(frozen=True)
class Style:
    """What to change of the looks of a picture or plot. What is None is as Matplotlib's settings say, or as usual.

    >>> from tinygrad_rnn.viz.styles import Style
    >>> Style(theme="dark", size="16:9").rc()["figure.facecolor"]
    '#14181e'
    """

    theme: str | None = None  # "light", "dark" or "print": lines in shades of grey
    size: str | None = None  # of plots: "16:9", "4:3", "wide"; pictures are as large as they need be
    font: float | None = None  # points of the letters
    legend: bool = True
    caption: bool = True  # the title, and what is written below

    def __post_init__(self) -> None:
        for what, value, known in (("theme", self.theme, THEMES), ("size", self.size, SIZES)):
            if value is not None and value not in known:
                raise InputError(f"Style: the {what} {value!r} is unknown; use one of {', '.join(known)}")

    def rc(self) -> dict[str, Any]:
        """Return the settings of Matplotlib that were asked for."""
        asked: dict[str, Any] = {}
        if self.theme:
            paper, ink, grid = THEMES[self.theme]
            asked |= dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), paper)
            inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
            asked |= dict.fromkeys(inked, ink) | {"grid.color": grid}
        if self.size:
            asked |= {"figure.figsize": SIZES[self.size], "figure.dpi": _DOTS_ON_A_SLIDE}
        if self.font or self.size:
            asked |= _letters(self.font or ON_A_SLIDE)
        return asked


def _usual(font: float) -> dict[str, Any]:
    """Return the settings of Matplotlib that hold where nobody has changed its own, for letters of so many points."""
    return _letters(font) | {
        "axes.grid": True,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titleweight": "bold",
        "figure.dpi": _DOTS_PER_INCH,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "legend.handlelength": 3.5,
        "pdf.fonttype": 42,  # a printing house wants letters
        "svg.fonttype": "path",
        "svg.hashsalt": "tinygrad_rnn",  # or the names inside an SVG would be random
    }


def _letters(points: float) -> dict[str, Any]:
    return {
        "font.size": points,
        "axes.titlesize": "medium",
        "legend.fontsize": points * 8 / 9,
        "lines.linewidth": points / 6,
        "lines.markersize": points / 2,
    }


def settings(style: Style, now: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of Matplotlib for a style; what somebody changed by a style sheet or a matplotlibrc stays.

    Args:
        now, default: Matplotlib's settings as they are, and as they are where nobody has changed them.
    """
    font = ON_A_PAGE if now["font.size"] == default["font.size"] else now["font.size"]
    ours = {key: value for key, value in _usual(font).items() if now[key] == default[key]}
    return ours | style.rc()
