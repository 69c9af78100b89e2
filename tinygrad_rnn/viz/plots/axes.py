"""Logarithmic axes, what does not lie on them, and the edges and floors that are marked there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.viz.plots.look import dark, grey, ink, thick
from tinygrad_rnn.viz.scale import colour as shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def log_line(
    axes: Axes, x: Sequence[float] | np.ndarray, y: np.ndarray, place: int = 0, zero: str = "0", **line: Any
) -> None:
    """Draw a line on a logarithmic axis; what has no place there is shown at its edge, with a word.

    The line has gaps where y is 0, not finite or negative. Zeros and NaN are marked at the bottom, infinities at the
    top, each run of them from its first to its last.

    Args:
        x, y: (N,).
        place: which of several lines it is; their marks lie in rows of their own.
        zero: the word at a 0.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    axes.set_yscale("log")
    on_axis = np.isfinite(y) & (y > 0)
    axes.plot(x, np.where(on_axis, y, np.nan), **line)
    log_marks(axes, x, y, place, line.get("color", ink()), zero)


def log_marks(axes: Axes, x: np.ndarray, y: np.ndarray, place: int, colour: str, zero: str = "0") -> None:
    """Mark what has no place on a logarithmic axis, as `log_line` does."""
    for word, found, bottom in ((zero, y == 0, True), ("NaN", np.isnan(y), True), ("Inf", np.isinf(y), False)):
        for first, last in _runs(found):
            _mark_run(axes, x[first], x[last], word, bottom, place, colour)


def _mark_run(axes: Axes, first: float, last: float, word: str, bottom: bool, place: int, colour: str) -> None:
    offset = 0.03 + 0.06 * (place % 8)
    height = offset if bottom else 1 - offset
    marker = {"NaN": "x", "Inf": "^"}.get(word, "v")
    over = axes.get_xaxis_transform()  # x as data, y as a share of the axis
    axes.plot([first, last], [height] * 2, transform=over, color=colour, marker=marker, lw=thick(0.7), label=f"_{word}")
    left = max(first, last) if axes.xaxis.get_inverted() else min(first, last)
    axes.annotate(
        word, (left, height), (-5, 0), over, "offset points", color=colour, ha="right", va="center", fontsize="small",
        bbox={"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
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
            axes.axhline(edge, color=grey(), lw=thick(0.5), ls=":", label="_threshold")
        if edges and low < edges[0]:
            axes.axhspan(low, edges[0], color=shade(0.5 + 1e-9, dark()), alpha=0.6, lw=0, zorder=0)
        if above_one(axes):
            axes.axhspan(1, high, color=shade(-1e-9, dark()), alpha=0.15, lw=0, zorder=0)
        axes.set_ylim(low, high)


def above_one(axes: Axes) -> bool:
    """Return whether something is drawn above 1, and not only the margin of the axis."""
    return any(each.dataLim.y1 > 1 + 1e-9 for each in axes.get_shared_y_axes().get_siblings(axes))


def mark_floors(panels: Iterable[tuple[Axes, Sequence[float]]], all_told: bool = False) -> str:
    """Mark where the numbers of each dtype lose digits (below the smallest normal one), and where they end.

    Args:
        panels: each with the sizes by which its lines were divided, as the marks are; where they differ, a mark is a
            band.
        all_told: also of floors below an axis; one plot that says so is enough on a page.

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
    hidden = f"Not in sight, further below: {'; '.join(below)}." if below and all_told else ""
    return f"{shown} {hidden}".strip()


def _mark_floor(axes: Axes, least: float, most: float, text: str) -> None:
    axes.axhspan(least, most, color=grey(), alpha=0.2, lw=0)
    axes.axhline(most, color=grey(), lw=thick(0.5), ls="-." if "digits" in text else "-", label="_floor")
    axes.annotate(
        text, (0.99, most), (0, 2), axes.get_yaxis_transform(), "offset points",
        ha="right", va="bottom", fontsize="small", color=grey(),
    )  # fmt: skip
