"""Colours of lines, paper and ink under the settings of Matplotlib that hold just now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_rnn.viz.hues import hues, part_hues
from tinygrad_rnn.viz.scale import ink as ink_on

#: Okabe and Ito's colours that stand out from white, which every kind of colour vision tells apart, and a few more.
_ON_LIGHT = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7b3fa0", "#8a6d00", "#a0174f", "#444444",
)  # fmt: skip
#: The same hues where paper is dark.
_ON_DARK = (
    "#5cb3ff", "#ff8c42", "#2fd6a3", "#f0a6cf", "#ffc94d", "#9fd8f7", "#c39bea", "#d6b95e", "#ff7aa8", "#c0c0c0",
)  # fmt: skip
#: Of gates and paths: none of them is a cell's.
_PARTS_ON_LIGHT = (
    "#b8860b", "#00838f", "#3fa7d6", "#b5519c", "#5e35b1", "#6d4c41", "#8e1b4f", "#3949ab", "#a93226", "#5d7b93",
    "#7cb342", "#827717",
)  # fmt: skip
_PARTS_ON_DARK = (
    "#e0b040", "#4dd0e1", "#7cc8ec", "#e08fcf", "#b39ddb", "#bcaaa4", "#f48fb1", "#9fa8da", "#ff8a80", "#b0bec5",
    "#aed581", "#d4e157",
)  # fmt: skip
#: In print dashes and marks tell lines apart.
_IN_PRINT = ("#000000", "#5a5a5a", "#8a8a8a")
#: These tell lines apart in grey, too.
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (8, 3)), (0, (1, 2)))
_MARKERS = "os^DvPX*"


@dataclass(frozen=True)
class Line:
    """How the line of one cell looks."""

    colour: str
    dashes: Any
    marker: str
    place: int  # among the cells: their marks do not lie on each other

    def line(self, points: int) -> dict[str, Any]:
        """Return the arguments for a line of so many points: about eight of them are marked."""
        every = max(1, points // 8)
        marks = (self.place * every // len(_MARKERS) % every, every)
        return {"color": self.colour, "linestyle": self.dashes, "marker": self.marker, "markevery": marks}

    def of_part(self, place: int) -> dict[str, Any]:
        """Return what tells the parts of a cell's state apart: the first is as it is, others are dotted."""
        if not place:
            return {}
        return {"linestyle": (0, (1, 1 + 0.8 * place)), "markerfacecolor": _colour("axes.facecolor")}


def lines(names: Iterable[str], printed: bool = False) -> dict[str, Line]:
    """Return a look for each name: a cell has the same everywhere, other names go by their place among them."""
    return _looks(hues(names), _IN_PRINT if printed else _ON_DARK if dark() else _ON_LIGHT)


def part_lines(names: Iterable[str], printed: bool = False) -> dict[str, Line]:
    """Return a look for each gate, path or op, in colours that no cell has."""
    light, night = (
        (*parts, *cells[3:]) for parts, cells in ((_PARTS_ON_LIGHT, _ON_LIGHT), (_PARTS_ON_DARK, _ON_DARK))
    )  # what has no colour of its own gets one of the cells that have none either
    return _looks(part_hues(names), _IN_PRINT if printed else night if dark() else light)


def _looks(numbers: Mapping[str, int], colours: Sequence[str]) -> dict[str, Line]:
    return {
        name: Line(colours[i % len(colours)], _DASHES[i % len(_DASHES)], _MARKERS[i % len(_MARKERS)], i)
        for name, i in numbers.items()
    }


def dark() -> bool:
    """Whether the paper between the axes is dark."""
    return ink_on(_colour("axes.facecolor")) == "#ffffff"


def ink() -> str:
    """Return the colour of letters, and of lines that belong to no cell."""
    return _colour("text.color")


def grey() -> str:
    """Return the colour of what is of less weight: more ink than paper."""
    paper = _colour("axes.facecolor")
    channels = ((int(ink()[i : i + 2], 16), int(paper[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(0.6 * written + 0.4 * blank):02x}" for written, blank in channels)


def thick(times: float) -> float:
    """Return the width of a line that is so many times as wide as others."""
    return times * float(settings()["lines.linewidth"])


def settings() -> Any:
    """Return Matplotlib's settings."""
    import matplotlib  # noqa: PLC0415  (optional, and slow to load)

    return matplotlib.rcParams


def _colour(name: str) -> str:
    from matplotlib.colors import to_hex  # noqa: PLC0415  (optional, and slow to load)

    return str(to_hex(settings()[name]))
