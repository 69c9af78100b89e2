"""The sheet: all plots of some cells as files, and one HTML page with everything on it that needs no other file."""

from __future__ import annotations

import base64
import html
import importlib.metadata
import math
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_rnn import __version__
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.flow.sentences import number
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.change_tables import REMEDIED, REMEDIED_ABOUT, remedied, trained
from tinygrad_rnn.viz.languages import translated_html
from tinygrad_rnn.viz.plots import PLOTS, Entry, Plot, Style
from tinygrad_rnn.viz.plots.through_time import side_by_side
from tinygrad_rnn.viz.scale import ink
from tinygrad_rnn.viz.siblings import links_to
from tinygrad_rnn.viz.terms import glossary, verdict_words
from tinygrad_rnn.viz.weights_told import concluded, initial, opening, survivors, told, trained_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "flow.html"
#: The first of these that shows something stands at the top of the page, before all that is said in words.
LEADING = ("over_training", "through_time")
#: Of the plots beside the page.
DEFAULT_FORMATS = ("svg", "png")


def lags(steps: int) -> list[int]:
    """Return the lags worth a column: 1, 10 and the first step of the sequence."""
    return sorted({lag for lag in (1, 10, steps - 1) if 0 < lag < steps})


@dataclass(frozen=True)
class Row:
    """One line of the table: a state of a cell. Numbers that do not exist are None."""

    name: str
    state: str  # "h", or "encoder layer 1 h" where there are several
    left: dict[int, float | None]  # by lag
    horizon: int | None
    reached: str  # the horizon in words: "7", or ">99" where there is none, or "-" where nothing was measured
    per_step: float | None
    half_life: float | None
    verdict: str  # of the layer and direction, in its first line
    underflows: frozenset[int] = frozenset()  # the lags at which a 0 is only what was too small for the dtype

    def share(self, lag: int) -> str:
        """Return what is left at a lag, as it is shown."""
        share = self.left[lag]
        if lag in self.underflows:
            return "underflow"
        return "-" if share is None else number(share)


def rows(entries: Sequence[Entry]) -> list[Row]:
    """Return the lines of the table of horizons, half-lives and verdicts, the last layer of each cell first."""
    shown = lags(max((len(state.norms) for entry in entries for state in entry.report.states), default=1))
    table = []
    for entry in entries:
        report = entry.report
        judged = {(lane.scope, lane.horizon.state if lane.horizon else None): lane.verdict for lane in report.lanes}
        for state in sorted(report.states, key=lambda state: -state.layer):
            horizon = state.horizon(report.threshold)
            decay = state.decay(report.threshold)
            place = report.place(state)
            beyond = f">{len(state.norms) - 1}" if horizon is None else str(horizon)
            table.append(
                Row(
                    name=entry.name,
                    state=f"{place} {state.kind}".strip(),
                    left={lag: state.relative(lag) for lag in shown},
                    horizon=horizon,
                    reached=beyond if state.measurable else "-",
                    per_step=decay.per_step if decay else None,
                    half_life=decay.half_life if decay else None,
                    verdict=judged.get((state.scope, state.kind), ""),
                    underflows=frozenset(lag for lag in shown if lag < len(state.norms) and state.underflows(lag)),
                )
            )
        if not report.states:
            table.append(Row(entry.name, "-", dict.fromkeys(shown), None, "-", None, None, "no named states"))
    return table


def files(formats: Iterable[str] = DEFAULT_FORMATS) -> list[str]:
    """Return the names of the files of a sheet."""
    return [*(f"{name}.{kind}" for name in PLOTS for kind in formats), PAGE]


def write_sheet(
    folder: Path,
    entries: Sequence[Entry],
    settings: Mapping[str, object],
    command: str,
    formats: Sequence[str] = DEFAULT_FORMATS,
    style: Style | None = None,
    on_plot: Callable[[str], object] = lambda heading: None,
    pages: Mapping[str, str] | None = None,
    graphs: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write the plots of some cells, and the page with all of them, last.

    Without Matplotlib there are no plots, and the page says so.

    Args:
        folder: where to, it must exist.
        settings: what the page says about the run, in this order.
        command: what to type to get the same again.
        formats: of the plots as files: "svg", "png", "pdf".
        style: of the plots.
        on_plot: called with the heading of each before it is drawn.
        pages: what else there is to see in the folder, file names by what they are called.
        graphs: the pictures of graphs among it.

    Returns:
        The files written.

    Raises:
        InputError: a file cannot be written.
    """
    written: list[Path] = []
    sections = {}
    lacking = _lacking()
    for plot in PLOTS.values():
        # What the first says is said at the top of the page.
        said = _list(plot.sentences(entries)) if plot is not PLOTS["through_time"] else ""
        first = _list(concluded(entries)) if plot is PLOTS["over_training"] else ""
        if not any(plot.there(entry) for entry in entries):
            sections[plot.name] = _section(plot, [_paragraph(plot.missing)])
        elif lacking:
            sections[plot.name] = _section(plot, [first, _paragraph(f"Not drawn: {lacking}"), said])
        else:
            on_plot(plot.heading)
            figure = plot.draw(entries, style)
            pictures = plots.rendered(figure, (*formats, "svg"))
            for kind in formats:
                written.append(folder / f"{plot.name}.{kind}")
                write_whole(written[-1], pictures[kind])
            sections[plot.name] = _section(plot, [first, _figure(figure, pictures["svg"], plot.alt(entries)), said])
    page = folder / PAGE
    text = _page(entries, settings, command, sections, pages or {}, graphs or {})
    write_whole(page, translated_html(text, (style or Style()).language).encode())
    return [*written, page]


def _lacking() -> str:
    """Return what is missing to draw plots; "" if nothing is."""
    try:
        plots.require_matplotlib()
    except MissingToolError as error:
        return str(error)
    return ""


# ---- the page ------------------------------------------------------------------------------------------------------


def _page(
    entries: Sequence[Entry],
    settings: Mapping[str, object],
    command: str,
    sections: Mapping[str, str],
    pages: Mapping[str, str],
    graphs: Mapping[str, str],
) -> str:
    names = "; ".join(entry.name for entry in entries)
    style = resources.files("tinygrad_rnn.viz").joinpath("assets/sheet.css").read_text(encoding="utf-8")
    changes = list(_changes(entries))
    named = [(name, heading) for name, heading, _ in changes] + [(plot.name, plot.heading) for plot in PLOTS.values()]
    links = "".join(f'<li><a href="#{name}">{_escaped(heading)}</a></li>' for name, heading in named)
    notes = [f"{entry.name}: {note}" for entry in entries for note in entry.report.notes]
    leading = next((name for name in LEADING if any(map(PLOTS[name].there, entries))), None)
    parts = [
        "<h1>Gradient flow through time</h1>",
        *map(_paragraph, opening(entries, settings)),
        _paragraph(
            f"Measured: {names}{'' if any(entry.updates_made for entry in entries) else ': all with initial weights'}. "
            + ("Each plot is of the trained weights unless it says otherwise. " if any(map(initial, entries)) else "")
            + "What this page says about them is worked out from the numbers measured."
        ),
        links_to(pages),
        links_to(graphs, "Graphs"),
        f'<nav aria-label="On this page"><ul>{links}<li><a href="#words">Words on this page</a></li></ul></nav>',
        *([sections[leading]] if leading else []),
        *told(entries),
        _list(side_by_side(entries)),
        '<h2 id="table">Horizons, half-lives, verdicts</h2>',
        _table([each for entry in entries for each in (initial(entry), entry) if each]),
        _list(notes),
        *[f'<h2 id="{name}">{_escaped(heading)}</h2>\n{table}' for name, heading, table in changes],
        *[section for name, section in sections.items() if name != leading],
        '<h2 id="words">Words on this page</h2>',
        _definitions(glossary(entries, settings)),
        '<h2 id="settings">Settings</h2>',
        _definitions(settings),
        '<h2 id="versions">Versions</h2>',
        _definitions(_versions()),
        '<h2 id="again">How to reproduce</h2>',
        _paragraph("With the same versions on the same machine, this gives the same numbers:"),
        f"<pre>{_options_whole(_escaped(command))}</pre>",
        _paragraph(
            "It also writes the pictures as files, and for each cell CELL.flow.json, its numbers, and "
            "CELL.run.safetensors, the weights and data to compute them again by other means."
        ),
    ]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Gradient flow: {_escaped(names)}</title>",
            f"<style>\n{style}</style>\n</head>\n<body>\n<main>",
            *[part for part in parts if part],
            "</main>\n</body>\n</html>\n",
        ]
    )


def _changes(entries: Sequence[Entry]) -> Iterator[tuple[str, str, str]]:
    """Yield name, heading and table of what would have to be changed, and of what training changed."""
    before = [start for entry in entries if (start := initial(entry))]
    for name, those in (("change-initial", before), ("change", entries)):
        if lines := remedied(those):
            weights = "; ".join(dict.fromkeys(map(trained_for, those)))
            table = _table_of(REMEDIED, lines, 2, 1, REMEDIED_ABOUT)
            meant = "; ".join(f"{word}: {said.rstrip('.')}" for word, said in verdict_words(line[-1] for line in lines))
            found = "\n".join([_list(survivors(those)), table, _paragraph(f"{meant}.", "soft") if meant else ""])
            yield name, f"What would have to be changed? ({weights})", found
    heads, lines = trained(entries)
    if lines:
        about = "Factors (×) are means down to the horizon, or to the first step if there is none."
        yield (
            "training",
            "What decides how much is left, before training and after",
            _table_of(heads, lines, 2, 0, about),
        )


def _section(plot: Plot, parts: Iterable[str]) -> str:
    heading = f'<h2 id="{plot.name}">{_escaped(plot.heading)}</h2>'
    return "\n".join([f"<section>\n{heading}", _paragraph(plot.about, "soft"), *parts, "</section>"])


def _figure(figure: Figure, svg: bytes, alt: str) -> str:
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    image = f'<img src="{source}" alt="{_escaped(alt)}">'
    # What was drawn for the dark is not turned round on a dark page.
    paper = plots.paper_of(figure)
    kept = f' style="filter: none; background: {paper}"' if ink(paper) == "#ffffff" else ""
    # Focusable, so that the keyboard can scroll it.
    return f'<figure><div class="wide" tabindex="0" role="group" aria-label="Plot"{kept}>{image}</div></figure>'


def _table(entries: Sequence[Entry]) -> str:
    table = rows(entries)
    shown = list(table[0].left) if table else []
    heads = ["cell", "state", *(f"lag {lag}" for lag in shown), "horizon", "× per step", "half-life", "verdict"]
    thresholds = " or ".join(sorted({f"{entry.report.threshold:.3g}" for entry in entries}))
    caption = (
        "Lag d: how much of the gradient at the state of step T is left at that of step T−d. Horizon: the first lag "
        f"with less than {thresholds} of it. Factor per step: the mean down to the horizon, or to the last lag. "
        "Half-life: the lag at which half is left, read off the curve; where a straight line fits. The verdict goes by "
        f"the state whose gradient reaches furthest: it explodes above {EXPLODED:g} times that of step T, else "
        "vanishes at the horizon, else survives. Then the gradient reaches the first step, which does not say that "
        "anything is learned from there."
    )
    return _table_of(heads, [[row.name, row.state, *cells(row), row.verdict] for row in table], 2, 1, caption)


def _table_of(heads: Sequence[str], lines: Iterable[Sequence[str]], before: int, behind: int, caption: str) -> str:
    """Return a table whose columns are numbers, but for some before these and behind."""
    kinds = [*[""] * before, *[' class="number"'] * (len(heads) - before - behind), *[""] * behind]

    def line(tag: str, texts: Sequence[str], named: Sequence[str] = ()) -> str:
        # A phone has no room for columns: there each number has the head of its column beside it.
        names = [f' data-head="{_escaped(name)}"' for name in named] or [""] * len(heads)
        fields = (
            f"<{tag}{kind}{name}>{_escaped(text)}</{tag}>" for kind, name, text in zip(kinds, names, texts, strict=True)
        )
        return f"<tr>{''.join(fields)}</tr>"

    body = "\n".join(line("td", texts, heads) for texts in lines)
    return (
        '<div class="wide table" tabindex="0" role="group" aria-label="Table">'
        f"<table>\n<thead>{line('th', heads)}</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table></div>\n{_paragraph(caption, 'soft')}"
    )


def cells(row: Row) -> list[str]:
    """Return the numbers of a line as they are shown: what is left by lag, horizon, factor per step and half-life."""
    factor = "-" if row.per_step is None else number(row.per_step)
    half = "-" if row.per_step is None else "none" if row.half_life is None else number(row.half_life)
    return [*map(row.share, row.left), row.reached, factor, half]


def _versions() -> Iterator[tuple[str, str]]:
    yield "tinygrad_rnn", __version__
    yield "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for package in ("numpy", "numba", "matplotlib"):
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield package, "not installed"


def _definitions(pairs: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    lines = "\n".join(f"<dt>{_escaped(str(name))}</dt><dd>{_escaped(_shown(value))}</dd>" for name, value in items)
    return f"<dl>\n{lines}\n</dl>"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and math.isfinite(value) else str(value)


def _list(sentences: Sequence[str]) -> str:
    items = "\n".join(f"<li>{_escaped(sentence)}</li>" for sentence in sentences)
    return f"<ul>\n{items}\n</ul>" if sentences else ""


def _paragraph(text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{_escaped(text)}</p>"


def _options_whole(command: str) -> str:
    """Return a command in which no line ends within the name of an option."""
    return re.sub(r"(?<=\s)--[\w-]+", r"<span>\g<0></span>", command)


def _escaped(text: str) -> str:
    return html.escape(text)
