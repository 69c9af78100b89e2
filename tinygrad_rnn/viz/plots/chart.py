"""What the plots have in common: figures, styles of lines, logarithmic axes and what does not lie on them, files.

Matplotlib is imported when the first figure is made: it is optional, and slow to load.
"""

from __future__ import annotations

import importlib
import io
import math
import os
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.viz.hues import hues
from tinygrad_rnn.viz.scale import colour as shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours that stand out from white, which every kind of colour vision tells apart, and a few more.
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7b3fa0", "#8a6d00", "#a0174f", "#444444",
)  # fmt: skip
#: These tell lines apart in grey, too.
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (8, 3)), (0, (1, 2)))
_MARKERS = "os^DvPX*"

GREY = "#666666"
_INCHES_WIDE = 9.0
_DOTS_PER_INCH = 110
_LEFT = 0.01
_TITLES_HIGH = 0.75  # inches
_INCHES_PER_LINE = 0.15  # of the notes
_LETTERS_IN_TITLES = {1: 100, 2: 47, 3: 32}  # of a panel, by the panels in a row; of more, 100 in all
_LETTERS_IN_NOTES = 175
_LETTERS_IN_NAMES = 32
#: Whatever a user's own matplotlibrc says, a figure looks the same.
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
    "svg.hashsalt": "tinygrad_rnn",  # or the names inside an SVG would be random
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
        marks = (self.place * every // len(_MARKERS) % every, every)
        return {"color": self.colour, "linestyle": self.dashes, "marker": self.marker, "markevery": marks}


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Return a style for each name: a cell has the same everywhere, other names go by their place among them."""
    return {
        name: Style(COLOURS[i % len(COLOURS)], _DASHES[i % len(_DASHES)], _MARKERS[i % len(_MARKERS)], i)
        for name, i in hues(names).items()
    }


def plain(name: str) -> str:
    """Return a name so that Matplotlib shows it as it is: no formula between dollars, one line, not too long."""
    text = " ".join(name.split())
    text = text if len(text) <= _LETTERS_IN_NAMES else f"{text[: _LETTERS_IN_NAMES - 1]}…"
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text  # a legend leaves out what begins with "_"


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
    title: str, formula: str, panels: int, columns: int = 3, height: float = 2.6, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure with a title in words and as a formula, and so many panels; `finish` it when they are drawn.

    Args:
        height: of a row of panels, in inches.
        sharey: all panels have the same vertical axis.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  (optional, and slow to load)

    columns = max(1, min(columns, panels))
    rows = max(1, math.ceil(panels / columns))
    figure = Figure(figsize=(_INCHES_WIDE, height * rows), layout="constrained")
    figure.text(_LEFT, 1.0, title, va="top", fontsize=12, weight="bold")
    figure.text(_LEFT, 1.0, formula, va="top", fontsize=10.5)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    for unused in axes.flat[panels:]:
        unused.remove()
    return figure, list(axes.flat[:panels])


def label(axes: Axes, title: str, xlabel: str, ylabel: str, finding: str = "") -> None:
    """Write what a panel shows, and what it says; an axis that all panels of a row share is named at the left only."""
    place = axes.get_subplotspec()
    columns = place.get_gridspec().ncols if place else 1
    letters = _LETTERS_IN_TITLES.get(columns, 100 // columns)
    shared = len(axes.get_shared_y_axes().get_siblings(axes)) > 1
    inner = shared and place is not None and not place.is_first_col()
    wide = letters - 3  # a finding has no formulas, whose letters are narrow
    lines = textwrap.wrap(title, letters, break_on_hyphens=False) + textwrap.wrap(finding, wide)
    axes.set_title("\n".join(lines))
    axes.set(xlabel=xlabel, ylabel="" if inner else ylabel)


def finish(figure: Figure, legend_of: Sequence[Axes] = (), notes: Iterable[str] = (), columns: int = 4) -> Figure:
    """Make room for the titles, and below the panels for a legend and for how to read them.

    Args:
        legend_of: the panels whose lines it lists; what has the same name in several appears once.
        columns: of the legend, or fewer if its entries are long.
    """
    entries: dict[str, Any] = {}
    for axes in legend_of:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(name, handle)
    lines = [line for note in notes for line in textwrap.wrap(note, _LETTERS_IN_NOTES)]
    inches = 0.75 + 0.056 * max(map(len, entries), default=0)  # of the widest entry, about
    columns = max(1, min(columns, int(_INCHES_WIDE / inches)))
    notes_high = _INCHES_PER_LINE * len(lines)
    legend_high = 0.19 * math.ceil(len(entries) / columns) + 0.1 * bool(entries)
    panels_high = figure.get_figheight()
    total = _TITLES_HIGH + panels_high + legend_high + notes_high + 0.08
    figure.set_figheight(total)
    for text, inches in zip(figure.texts, (0.08, 0.33), strict=False):  # the title and the formula
        text.set_y(1 - inches / total)
    low = (total - _TITLES_HIGH - panels_high) / total
    figure.set_layout_engine("constrained", rect=(0, low, 1, panels_high / total))
    if lines:
        figure.text(_LEFT, 0.05 / total, "\n".join(lines), va="bottom", fontsize=7.5, color="#333333")
    if entries:
        figure.legend(
            entries.values(), entries.keys(), loc="lower center", ncols=min(len(entries), columns),
            bbox_to_anchor=(0.5, (notes_high + 0.05) / total), borderaxespad=0,
        )  # fmt: skip
    return figure


def empty(title: str, formula: str, reason: str) -> Figure:
    """Return a figure that says why there is nothing to show."""
    figure, _ = grid(title, formula, 0, height=1.0)
    figure.text(0.5, 0.4, reason, ha="center", va="center", color=GREY, wrap=True)
    return finish(figure)


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
    offset = 0.03 + 0.06 * (place % 8)
    height = offset if bottom else 1 - offset
    marker = {"0": "v", "NaN": "x", "Inf": "^"}[word]
    over = axes.get_xaxis_transform()  # x as data, y as a share of the axis
    axes.plot([first, last], [height] * 2, transform=over, color=colour, marker=marker, lw=1, label=f"_{word}")
    axes.annotate(
        word, (first, height), (-5, 0), over, "offset points", color=colour, ha="right", va="center", fontsize=7.5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
    )  # fmt: skip


def _runs(found: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last positions of the stretches of neighbours that are True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], found, [False]]).astype(np.int8)))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]


def settle(panels: Iterable[Axes]) -> None:
    """Fix the range of logarithmic axes; one of less than a decade counts 0.7, 0.8, ... instead of powers of ten."""
    from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullLocator  # noqa: PLC0415  (optional)

    for axes in panels:
        if axes.get_yscale() != "log":
            continue
        together = [each.dataLim for each in axes.get_shared_y_axes().get_siblings(axes)]
        lowest, highest = min(box.minposy for box in together), max(box.y1 for box in together)
        if not 0 < lowest < highest < math.inf:  # a single size, or none
            middle = highest if 0 < highest < math.inf else 1.0
            axes.set_autoscaley_on(False)
            axes.set_ylim(middle / 10, middle * 10)
        low, high = axes.get_ylim()
        if high < 12 * low:
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_formatter(FormatStrFormatter("%.4g"))
            axes.yaxis.set_minor_locator(NullLocator())


def mark_edges(panels: Iterable[Axes], thresholds: Iterable[float]) -> None:
    """Shade what the scale of colours has edges for: below the threshold, and above 1."""
    edges = sorted({threshold for threshold in thresholds if threshold > 0})
    for axes in panels:
        low, high = axes.get_ylim()
        for edge in edges:
            axes.axhline(edge, color=GREY, lw=0.8, ls=":", label="_threshold")
        if edges and low < edges[0]:
            axes.axhspan(low, edges[0], color=shade(0.5 + 1e-9), alpha=0.6, lw=0, zorder=0)
        if high > 1:
            axes.axhspan(1, high, color=shade(-1e-9), alpha=0.08, lw=0, zorder=0)
        axes.set_ylim(low, high)


def mark_floors(panels: Iterable[tuple[Axes, Sequence[float]]]) -> str:
    """Mark where the numbers of each dtype lose digits (below the smallest normal one), and where they end.

    Args:
        panels: each with the sizes by which its lines were divided, as the marks are; where they differ, a mark is a
            band.

    Returns:
        In words, what was marked, and which floors lie below an axis.
    """
    marked, below = False, dict[str, None]()
    for axes, sizes in panels:
        used = [size for size in sizes if 0 < size < math.inf] or [1.0]
        low, high = axes.get_ylim()
        for dtype in (np.float32, np.float64):
            limits = np.finfo(dtype)
            for words, floor in (("loses digits", limits.smallest_normal), ("is 0", limits.smallest_subnormal)):
                least, most = float(floor) / max(used), float(floor) / min(used)
                text = f"{limits.dtype} {words} below {floor:.1e}"
                if low <= most and 0 < least < high:
                    marked = True
                    _mark_floor(axes, least, most, text)
                elif most < low and words == "loses digits":
                    below[text] = None
        axes.set_ylim(low, high)
    shown = "Grey lines: the floors of float32 and float64, divided like the curves." if marked else ""
    hidden = f"Not in sight, further below: {'; '.join(below)}." if below else ""
    return f"{shown} {hidden}".strip()


def _mark_floor(axes: Axes, least: float, most: float, text: str) -> None:
    axes.axhspan(least, most, color=GREY, alpha=0.2, lw=0)
    axes.axhline(most, color=GREY, lw=0.8, ls="-." if "digits" in text else "-", label="_floor")
    axes.annotate(
        text, (0.99, most), (0, 2), axes.get_yaxis_transform(), "offset points",
        ha="right", va="bottom", fontsize=7, color=GREY,
    )  # fmt: skip


# ---- files ---------------------------------------------------------------------------------------------------------


def save(figure: Figure, stem: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure as STEM.svg and STEM.png; the same figure gives the same bytes.

    Returns:
        Both paths.

    Raises:
        InputError: they cannot be written there.
    """
    svg, png = Path(f"{os.fspath(stem)}.svg"), Path(f"{os.fspath(stem)}.png")
    with look():
        # Not by figure.savefig, which draws everything twice.
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (optional, and slow to load)
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415

        before = figure.dpi
        figure.set_dpi(_DOTS_PER_INCH)
        dots, lines = io.BytesIO(), io.BytesIO()
        FigureCanvasAgg(figure).print_png(dots, metadata={"Software": None})
        figure.set_layout_engine("none")  # what has been laid out stays
        FigureCanvasSVG(figure).print_svg(lines, metadata={"Date": None})
        figure.set_dpi(before)
    write_whole(svg, lines.getvalue())
    write_whole(png, dots.getvalue())
    return svg, png
