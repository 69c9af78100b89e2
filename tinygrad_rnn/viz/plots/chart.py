"""What the plots have in common: a figure with words around its panels, or panels of somebody's figure; files.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.viz import styles
from tinygrad_rnn.viz.languages import broken, letter_width, translated
from tinygrad_rnn.viz.plots import fonts, look
from tinygrad_rnn.viz.scale import colour
from tinygrad_rnn.viz.styles import ON_A_PAGE, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

#: Formats of files.
FORMATS = ("svg", "png", "pdf")
_INCHES_WIDE = 9.0
_LEFT = 0.01
# Inches and letters on a page as wide as this, with letters of 9 points; on others they are worked out from these.
_TITLES_HIGH = 0.75
_INCHES_PER_LINE = 0.15  # of the notes
_LETTERS_IN_TITLES = 100  # of all panels in a row together
_LETTERS_IN_NOTES = 165
_LETTERS_IN_NAMES = 32
#: The proportions that panels have, if possible, on a slide.
_PANEL = 1.4
#: What is left of the height of a slide for them, about.
_FOR_PANELS = 0.75


def plain(name: str) -> str:
    """Return a name so that Matplotlib shows it as it is: no formula between dollars, one line, not too long."""
    text = " ".join(name.split())
    text = text if len(text) <= _LETTERS_IN_NAMES else f"{text[: _LETTERS_IN_NAMES - 1]}…"
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text  # a legend leaves out what begins with "_"


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
def _settings(style: Style) -> Iterator[None]:
    """Make and save figures inside: Matplotlib's settings are as they were again afterwards."""
    require_matplotlib()
    import matplotlib  # noqa: PLC0415  (optional, and slow to load)

    default: Any = matplotlib.rcParamsDefault
    asked: Any = styles.settings(style, look.settings(), default)
    if style.language != "en" and (font := fonts.found(style.language)):
        asked["font.family"] = [*look.settings()["font.family"], font]  # the first that has a letter shows it
    with matplotlib.rc_context(asked):
        yield


@contextmanager
def paper(axes: Axes | Sequence[Axes] | None, style: Style | None) -> Iterator[Paper]:
    """Draw inside; see `Paper`."""
    style = style or Style()
    with _settings(style):
        yield Paper(axes, style)


class Paper:
    """What a plot is drawn on: a figure of its own, with words around its panels; or panels of somebody's figure.

    Args:
        axes: those panels, as many as the plot needs.
    """

    figure: Figure

    def __init__(self, axes: Axes | Sequence[Axes] | None, style: Style) -> None:
        self.style = style
        self._axes = axes
        self._fixed: tuple[float, float] | None = None  # width and height, where they are given
        self._panels: list[Axes] = []

    def grid(
        self, title: str, formula: str, panels: int, columns: int = 3, height: float = 2.6, sharey: bool = False,
        together: int = 1,
    ) -> list[Axes]:  # fmt: skip
        """Return so many panels, below a title in words and as a formula; `finish` them when they are drawn.

        Args:
            height: of a row of panels on a page, in inches.
            sharey: all panels have the same vertical axis.
            together: so many panels belong into one row.
        """
        if self._axes is not None:
            return self._given(panels)
        import matplotlib  # noqa: PLC0415  (optional, and slow to load)
        from matplotlib.figure import Figure  # noqa: PLC0415

        given = look.settings()["figure.figsize"]
        self._fixed = tuple(given) if given != matplotlib.rcParamsDefault["figure.figsize"] else None
        columns = max(1, min(columns, panels))
        if (panels, columns) == (4, 3):
            columns = 2  # a row of three and a single one would be as high
        if self._fixed:
            columns = _columns(self._fixed, panels, together)
        elif together == 1 and panels:
            columns = max(1, min(round(columns / _points(1)), panels))  # large letters need wide panels
        rows = max(1, math.ceil(panels / columns))
        size = self._fixed or (_INCHES_WIDE, height * rows * _points(1))
        self.figure = Figure(figsize=size, layout="constrained")
        if self.style.caption:
            self.figure.text(_LEFT, 1.0, title, va="top", fontsize=_points(12), weight="bold")
            self.figure.text(_LEFT, 1.0, formula, va="top", fontsize=_points(10.5))
        axes = self.figure.subplots(rows, columns, squeeze=False, sharey=sharey)
        for unused in axes.flat[panels:]:
            unused.remove()
        self._panels = list(axes.flat[:panels])
        return self._panels

    def _given(self, panels: int) -> list[Axes]:
        axes: list[Any] = list(self._axes) if isinstance(self._axes, Iterable) else [self._axes]
        if len(axes) < panels or not axes:
            raise InputError(f"this plot has {panels} panels, so it needs as many axes and not {len(axes)}")
        self.figure = _figure_of(axes[0])
        self._panels = axes[:panels]
        return self._panels

    def lines(self, names: Iterable[str]) -> dict[str, look.Line]:
        """Return how the line of each name looks."""
        return look.lines(names, self.style.theme == "print")

    def part_lines(self, names: Iterable[str]) -> dict[str, look.Line]:
        """Return how the line of each gate, path or op looks."""
        return look.part_lines(names, self.style.theme == "print")

    def shade(self, place: float) -> str:
        """Return the colour of a place of the scale."""
        shade = colour(place, look.dark())
        return styles.recoloured(shade, "print") if self.style.theme == "print" else shade

    def finish(self, legend_of: Sequence[Axes] = (), notes: Iterable[str] = (), columns: int = 4) -> Figure:
        """Make room for the titles, and below the panels for a legend and for how to read them.

        Args:
            legend_of: the panels whose lines it lists; what has the same name in several appears once.
            columns: of the legend, or fewer if its entries are long.
        """
        self._translate()
        if self._axes is not None:
            for axes in legend_of if self.style.legend else ():
                if axes.get_legend_handles_labels()[0]:
                    axes.legend()
            return self.figure
        figure, large = self.figure, _points(1)
        wide = figure.get_figwidth()
        entries: dict[str, Any] = {}
        for axes in legend_of if self.style.legend else ():
            for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
                entries.setdefault(translated(name, self.style.language), handle)
        letters = int(_LETTERS_IN_NOTES * wide / _INCHES_WIDE / large)
        lines = [line for note in notes for line in self._wrapped(note, letters)] if self.style.caption else []
        listed = _legend_points() / 8
        inches = (0.75 + 0.056 * max(map(letter_width, entries), default=0)) * listed  # of the widest entry, about
        columns = max(1, min(columns if self._fixed is None else len(entries), int(wide / inches)))
        notes_high = _INCHES_PER_LINE * len(lines) * large
        legend_high = (0.19 * math.ceil(len(entries) / columns) + 0.1 * bool(entries)) * listed
        titles_high = (_TITLES_HIGH if self.style.caption else 0.08) * large
        around = titles_high + legend_high + notes_high + 0.08
        total = self._fixed[1] if self._fixed else figure.get_figheight() + around
        figure.set_figheight(total)
        for text, inches in zip(figure.texts, (0.08, 0.33), strict=False):  # the title and the formula
            text.set_y(1 - inches * large / total)
            _fit(text, figure)
        low = (legend_high + notes_high + 0.08) / total
        figure.set_layout_engine("constrained", rect=(0, low, 1, 1 - around / total))
        if lines:
            notes_ink: dict[str, Any] = {"va": "bottom", "fontsize": _points(7.5), "alpha": 0.85}
            _fit(figure.text(_LEFT, 0.05 / total, "\n".join(lines), **notes_ink), figure)
        if entries:
            legend = figure.legend(
                entries.values(), entries.keys(), loc="lower center", ncols=min(len(entries), columns),
                bbox_to_anchor=(0.5, (notes_high + 0.05) / total), borderaxespad=0,
            )  # fmt: skip
            for text in legend.get_texts():
                self._with_letters(text)
        return figure

    def _wrapped(self, note: str, letters: int) -> list[str]:
        """Return a note in lines, in the language of the plot."""
        said = translated(note, self.style.language)
        return textwrap.wrap(note, letters) if said == note else broken(said, letters)

    def _translate(self) -> None:
        """Put what is written so far, on the figure and its panels, into the language of the plot."""
        if self.style.language == "en":
            return
        for within in [self.figure] if self._axes is None else self._panels:
            texts: list[Any] = within.findobj(_is_text)
            for text in texts:
                lines = text.get_text().split("\n")
                said = translated(" ".join(lines), self.style.language)
                if said != " ".join(lines):
                    wide = max(map(len, lines)) if len(lines) > 1 else letter_width(said)
                    text.set_text("\n".join(broken(said, wide)))
                    self._with_letters(text)

    def _with_letters(self, text: Text) -> None:
        """Give what stands around a formula a font with its letters: Matplotlib looks into one font only for it."""
        font = fonts.found(self.style.language)
        if font and "$" in text.get_text():
            text.set_fontfamily(font)

    def empty(self, title: str, formula: str, reason: str) -> Figure:
        """Return a figure that says why there is nothing to show."""
        if self._axes is None:
            self.grid(title, formula, 0, height=1.0)
            self.figure.text(0.5, 0.4, reason, ha="center", va="center", color=look.grey(), wrap=True)
        else:
            (axes,) = self._given(1)
            axes.text(0.5, 0.5, reason, ha="center", color=look.grey(), wrap=True, transform=axes.transAxes)
        return self.finish()


def _is_text(artist: object) -> bool:
    from matplotlib.text import Text  # noqa: PLC0415  (optional, and slow to load)

    return isinstance(artist, Text)


def _points(on_a_page: float) -> float:
    """Return how large is what is so large where letters have 9 points."""
    return on_a_page * float(look.settings()["font.size"]) / ON_A_PAGE


def _legend_points() -> float:
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415  (optional, and slow to load)

    return float(FontProperties(size=look.settings()["legend.fontsize"]).get_size_in_points())


def _fit(text: Text, figure: Figure) -> None:
    """Make letters smaller if they would not lie on the paper; on a page they do."""
    if figure.get_figwidth() >= _INCHES_WIDE * _points(1):
        return  # to measure them takes time
    share = text.get_window_extent().width / figure.bbox.width
    text.set_fontsize(float(text.get_fontsize()) * min(1.0, (1 - 2 * _LEFT) / share))


def _figure_of(axes: Any) -> Figure:
    figure: Figure = axes.figure.figure  # the whole one, where axes lie in a part of it
    return figure


def _columns(size: Sequence[float], panels: int, together: int) -> int:
    """Return the number of columns that gives panels their proportions on a slide, and leaves little of it empty."""

    def off(columns: int) -> float:
        rows = math.ceil(panels / columns)
        empty = (rows * columns - panels) / panels
        return abs(math.log(size[0] / columns / (_FOR_PANELS * size[1] / rows) / _PANEL)) + 2 * empty

    return min(range(together, panels + 1, together), key=off, default=1)


def label(axes: Axes, title: str, xlabel: str, ylabel: str, finding: str = "") -> None:
    """Write what a panel shows, and what it says; an axis that all panels of a row share is named at the left only."""
    place = axes.get_subplotspec()
    columns = place.get_gridspec().ncols if place else 1
    wide = _figure_of(axes).get_figwidth() / _INCHES_WIDE * ON_A_PAGE / float(axes.title.get_fontsize())
    letters = max(int((_LETTERS_IN_TITLES * wide - 3 * (columns > 1)) / columns), 8)
    shared = len(axes.get_shared_y_axes().get_siblings(axes)) > 1
    inner = shared and place is not None and not place.is_first_col()
    fewer = max(letters - 3, 8)  # a finding has no formulas, whose letters are narrow
    lines = textwrap.wrap(title, letters, break_on_hyphens=False) + textwrap.wrap(finding, fewer)
    axes.set_title("\n".join(lines))
    below = textwrap.wrap(xlabel, int(1.2 * letters), break_on_hyphens=False)  # its letters are narrower than a title's
    axes.set(xlabel="\n".join(below), ylabel="" if inner else ylabel)


def paper_of(figure: Figure) -> str:
    """Return the colour of a figure's paper as "#rrggbb"."""
    from matplotlib.colors import to_hex  # noqa: PLC0415  (optional, and slow to load)

    return str(to_hex(figure.get_facecolor()))


# ---- files ---------------------------------------------------------------------------------------------------------


def rendered(figure: Figure, formats: Iterable[str] = ("svg", "png")) -> dict[str, bytes]:
    """Return a figure in each of these formats, "svg", "png" or "pdf"; the same figure gives the same bytes.

    Raises:
        InputError: another format.
    """
    formats = tuple(dict.fromkeys(formats))
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"the format {name!r} of a plot is unknown; use one of {', '.join(FORMATS)}")
    with _settings(Style()):
        # Not by figure.savefig, which draws everything twice.
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (optional, and slow to load)
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415

        files = {name: io.BytesIO() for name in FORMATS}
        if "png" in formats:
            FigureCanvasAgg(figure).print_png(files["png"], metadata={"Software": None})
        else:
            figure.draw_without_rendering()
        laid_out = figure.get_layout_engine()
        figure.set_layout_engine("none")  # what has been laid out stays
        if "svg" in formats:
            FigureCanvasSVG(figure).print_svg(files["svg"], metadata={"Date": None})
        if "pdf" in formats:
            from matplotlib.backends.backend_pdf import FigureCanvasPdf  # noqa: PLC0415

            FigureCanvasPdf(figure).print_pdf(files["pdf"], metadata={"CreationDate": None})
        figure.set_layout_engine(laid_out)
    return {name: files[name].getvalue() for name in formats}


def save(figure: Figure, stem: str | os.PathLike[str], formats: Iterable[str] = ("svg", "png")) -> list[Path]:
    """Write a figure as STEM.svg and STEM.png, or in other formats, each file whole or not at all.

    Returns:
        The paths.

    Raises:
        InputError: they cannot be written there, or a format is unknown.
    """
    paths = []
    for name, content in rendered(figure, formats).items():
        paths.append(Path(f"{os.fspath(stem)}.{name}"))
        write_whole(paths[-1], content)
    return paths
