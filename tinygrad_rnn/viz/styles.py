"""How pictures and plots look: colours for light pages, dark ones and print, sizes for slides, letters, words around.

Matplotlib is not imported here; `rc` returns what its settings are to be.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.viz.languages import LANGUAGES
from tinygrad_rnn.viz.scale import colour, ink

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
    size: str | None = None  # of plots: "16:9", "4:3", "wide"; pictures and pages are as large as they need be
    font: float | None = None  # points of the letters of plots; pictures and pages are zoomed
    legend: bool = True
    caption: bool = True  # the title, and what is written below
    language: str = "en"  # or "zh"

    def __post_init__(self) -> None:
        chosen = (("theme", self.theme, THEMES), ("size", self.size, SIZES), ("language", self.language, LANGUAGES))
        for what, value, known in chosen:
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


# ---- pictures ------------------------------------------------------------------------------------------------------


def restyled(lines: Iterable[str], style: Style | None) -> Iterator[str]:
    """Yield the lines of a DOT text in the colours of a theme, without legend or caption where they are not wanted.

    Letters keep their size: boxes have been laid out for it.
    """
    style = style or Style()
    legend_ends = ""  # the line that does, while it is left out
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        if legend_ends:
            legend_ends = "" if line == legend_ends else legend_ends
        elif not style.legend and line.lstrip().startswith('subgraph "cluster_legend"'):
            legend_ends = f"{indent}}}"
        else:
            head = line.lstrip().partition(" [")[0]
            bare = re.sub(rf", label={_TEXT}", "", line) if head == "graph" and not style.caption else line
            yield _in_colours_of(style.theme, bare, head) if style.theme in ("dark", "print") else bare


_TEXT = r'"(?:[^"\\]|\\.)*"'
_COLOURED = re.compile(rf'(?P<key>\w+)=(?P<text>{_TEXT})')
_COLOUR = re.compile(r"#[0-9a-f]{6}")


def _in_colours_of(theme: str, line: str, head: str) -> str:
    """Return a line of a DOT text in other colours; what is written in labels stays."""
    given = {found["key"]: found["text"].strip('"') for found in _COLOURED.finditer(line)}
    changed = {key: _COLOUR.sub(lambda found: recoloured(found[0], theme), text) for key, text in given.items()}
    if _COLOUR.fullmatch(changed.get("fillcolor", "")) and given.get("fontcolor") in ("#000000", "#ffffff"):
        changed["fontcolor"] = ink(changed["fillcolor"])

    def attribute(found: re.Match[str]) -> str:
        key = found["key"]
        return f'{key}="{changed[key]}"' if key in ("color", "fillcolor", "fontcolor") else found[0]

    paper, written, _ = THEMES[theme]
    own = {"graph": f'bgcolor="{paper}", fontcolor="{written}"', "node": f'color="{written}", fontcolor="{written}"'}
    own["edge"] = own["node"]
    line = _COLOURED.sub(attribute, line)
    return line.replace("[", f"[{own[head]}, ", 1) if head in own else line


@cache
def recoloured(light: str, theme: str | None) -> str:
    """Return what a colour of a light picture is in another theme.

    In print it is grey; in the dark, if it lies on the scale, the colour of that place there, else as light as it was
    dark.
    """
    red, green, blue = _channels(light)
    if theme == "print":
        return "#" + f"{round(0.2126 * red + 0.7152 * green + 0.0722 * blue):02x}" * 3
    if theme != "dark" or light == "#ffffff":
        return THEMES["dark"][0] if theme == "dark" else light
    scale = _places()
    near = min(scale, key=lambda other: sum(abs(a - b) for a, b in zip(other, (red, green, blue), strict=True)))
    if all(abs(a - b) <= 1 for a, b in zip(near, (red, green, blue), strict=True)):
        return colour(scale[near], dark=True)
    hue, lightness, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    channels = colorsys.hls_to_rgb(hue, 0.93 - 0.85 * lightness, saturation)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


@cache
def _places() -> dict[tuple[int, ...], float]:
    """Return places of the scale by their colours, in steps so small that no channel changes by more than 1."""
    places = [*(step / 1000 for step in range(-1000, 1001)), 0.5 + 1e-9, -1e-9, -0.5 - 1e-9]
    return {_channels(colour(place)): place for place in places}


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


# ---- plots ---------------------------------------------------------------------------------------------------------


def settings(style: Style, now: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of Matplotlib for a style; what somebody changed by a style sheet or a matplotlibrc stays.

    Args:
        now, default: Matplotlib's settings as they are, and as they are where nobody has changed them.
    """
    font = ON_A_PAGE if now["font.size"] == default["font.size"] else now["font.size"]
    ours = {key: value for key, value in _usual(font).items() if now[key] == default[key]}
    return ours | style.rc()
