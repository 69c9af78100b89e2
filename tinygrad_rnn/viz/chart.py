"""What the plots have in common: figures, styles of lines, logarithmic axes and what does not lie on them, files.

Matplotlib is imported when the first figure is made: it is optional, and slow to load.
"""

from __future__ import annotations

import importlib
import io
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.serialization import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours that stand out from white, told apart with every kind of colour vision.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
#: Told apart in grey, too.
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (8, 3)), (0, (1, 2)))
_MARKERS = "os^DvPX*"

GREY = "#666666"
WIDTH = 9.0  # of a figure, in inches
_DOTS_PER_INCH = 110
#: Whatever a user's own matplotlibrc says, a figure looks the same, and its SVG has the same names inside.
_LOOK: dict[str, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 3.5,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "tinygrad_rnn",
}


@dataclass(frozen=True)
class Style:
    """How the line of one cell looks."""

    colour: str
    dashes: Any
    marker: str
    place: int  # among the cells: their marks do not lie on each other

    def line(self, points: int) -> dict[str, Any]:
        """Return the arguments for a line of so many points: about eight of them are marked."""
        every = max(1, points // 8)
        marks = (self.place * every // len(_MARKERS), every)
        return {"color": self.colour, "linestyle": self.dashes, "marker": self.marker, "markevery": marks}


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Return a style for each name, by its place among them."""
    return {
        name: Style(COLOURS[i % len(COLOURS)], _DASHES[i % len(_DASHES)], _MARKERS[i % len(_MARKERS)], i)
        for i, name in enumerate(names)
    }


# ---- figures -------------------------------------------------------------------------------------------------------


def require_matplotlib() -> None:
    """Raise an error that says what to install if there is no Matplotlib.

    Raises:
        MissingToolError: it cannot be imported.
    """
    try:
        importlib.import_module("matplotlib.figure")
    except ImportError as error:
        advice = "pip install 'tinygrad-rnn[plots]'"
        raise MissingToolError(f"plots need Matplotlib, which cannot be imported ({error}): {advice}") from None


@contextmanager
def look() -> Iterator[None]:
    """Make and save figures inside: settings are as they were again afterwards."""
    require_matplotlib()
    import matplotlib.style  # noqa: PLC0415  (optional, and slow to load)

    with matplotlib.style.context(["default", _LOOK]):
        yield


def grid(
    title: str, formula: str, panels: int, columns: int = 3, height: float = 2.6, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure with a title in words and as a formula, and so many panels.

    Args:
        height: of a row of panels, in inches.
        shared: for `Figure.subplots`, such as sharey=True.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  (as above)

    columns = max(1, min(columns, panels))
    rows = max(1, math.ceil(panels / columns))
    figure = Figure(figsize=(WIDTH, 1.0 + height * rows), layout="constrained")
    figure.suptitle(f"{title}\n{formula}", x=0.01, ha="left", fontsize=11)
    if not panels:
        return figure, []
    axes = figure.subplots(rows, columns, squeeze=False, **shared)
    for unused in axes.flat[panels:]:
        unused.remove()
    return figure, list(axes.flat[:panels])


def footnote(figure: Figure, lines: Iterable[str]) -> None:
    """Write below the panels how to read them."""
    text = "\n".join(line for line in lines if line)
    if text:
        figure.supxlabel(text, x=0.01, ha="left", fontsize=7.5, color="#333333")


def empty(title: str, formula: str, reason: str) -> Figure:
    """Return a figure that says why there is nothing to show."""
    figure, _ = grid(title, formula, 0)
    figure.text(0.5, 0.4, reason, ha="center", va="center", color=GREY)
    return figure


# ---- logarithmic axes ----------------------------------------------------------------------------------------------


def log_line(axes: Axes, x: Sequence[float] | np.ndarray, y: np.ndarray, place: int = 0, **line: Any) -> None:
    """Draw a line on a logarithmic axis; what has no place there is shown at its edge, with a word.

    The line has gaps where y is 0, not finite or negative. Zeros and NaN are marked at the bottom, infinities at the
    top, each run of them from its first to its last.

    Args:
        x, y: (N,).
        place: which of several lines it is; their marks lie in rows of their own.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    axes.set_yscale("log")
    on_axis = np.isfinite(y) & (y > 0)
    axes.plot(x, np.where(on_axis, y, np.nan), **line)
    log_marks(axes, x, y, place, line.get("color", "black"))


def log_marks(axes: Axes, x: np.ndarray, y: np.ndarray, place: int, colour: str) -> None:
    """Mark what has no place on a logarithmic axis, as `log_line` does."""
    for word, found, bottom in (("0", y == 0, True), ("NaN", np.isnan(y), True), ("Inf", np.isinf(y), False)):
        for first, last in _runs(found):
            _mark_run(axes, x[first], x[last], word, bottom, place, colour)


def _mark_run(axes: Axes, first: float, last: float, word: str, bottom: bool, place: int, colour: str) -> None:
    offset = 0.025 + 0.05 * place
    height = offset if bottom else 1 - offset
    marker = {"0": "v", "NaN": "x", "Inf": "^"}[word]
    over = axes.get_xaxis_transform()  # x as data, y as a share of the axis
    axes.plot([first, last], [height] * 2, transform=over, color=colour, marker=marker, lw=1, label=f"_{word}")
    axes.text(first, height, f"{word} ", transform=over, color=colour, ha="right", va="center", fontsize=7.5)


def _runs(found: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last positions of the stretches of neighbours that are True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], found, [False]]).astype(np.int8)))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]


def mark_floors(axes: Axes, references: Sequence[float] = (1.0,)) -> list[str]:
    """Mark where numbers of each dtype lose digits (below the smallest normal number) and where they end.

    Args:
        references: the sizes by which the lines were divided; where they differ, the mark is a band.

    Returns:
        Those that lie outside of the axis, in words.
    """
    low, high = axes.get_ylim()
    used = [size for size in references if 0 < size < math.inf] or [1.0]
    outside = []
    for dtype in (np.float32, np.float64):
        limits = np.finfo(dtype)
        floors = {"loses digits": float(limits.smallest_normal), "is 0": float(limits.smallest_subnormal)}
        for what, floor in floors.items():
            bounds = floor / max(used), floor / min(used)
            if bounds[1] <= low or bounds[0] >= high or not bounds[0]:
                continue
            axes.axhspan(*bounds, color=GREY, alpha=0.25, lw=0)
            axes.axhline(bounds[1], color=GREY, lw=0.8, ls="-" if what == "is 0" else "--")
            text = f"{limits.dtype} {what} below ({floor:.1e})"
            axes.annotate(text, (0.99, bounds[1]), (0, 2), axes.get_yaxis_transform(), "offset points",
                          ha="right", va="bottom", fontsize=7, color=GREY)  # fmt: skip
        if floors["loses digits"] / min(used) <= low:
            outside.append(f"{limits.dtype} loses digits below {floors['loses digits']:.1e}")
    axes.set_ylim(low, high)
    return outside


# ---- files ---------------------------------------------------------------------------------------------------------


def save(figure: Figure, stem: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure as STEM.svg and STEM.png; the same figure gives the same bytes.

    Returns:
        Both paths.

    Raises:
        InputError: they cannot be written there.
    """
    contents = {}
    for kind, metadata in {"svg": {"Date": None}, "png": {"Software": None}}.items():
        buffer = io.BytesIO()
        with look():
            figure.savefig(buffer, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)
        contents[Path(f"{os.fspath(stem)}.{kind}")] = buffer.getvalue()
    for path, content in contents.items():
        write_whole(path, content)
    svg, png = contents
    return svg, png
