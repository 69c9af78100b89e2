"""The sheet: all plots of some cells as files, and one HTML page with everything on it that needs no other file."""

from __future__ import annotations

import base64
import html
import importlib.metadata
import math
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_rnn import __version__
from tinygrad_rnn.cli import alt_texts, claims
from tinygrad_rnn.cli.claims import Entry, number
from tinygrad_rnn.cli.summary import lags
from tinygrad_rnn.cli.terms import explained
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.viz import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "flow.html"


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


def rows(entries: Sequence[Entry]) -> list[Row]:
    """Return the lines of the table of horizons, half-lives and verdicts, the last layer of each cell first."""
    shown = lags(max((len(state.norms) for entry in entries for state in entry.report.states), default=1))
    table = []
    for entry in entries:
        report = entry.report
        verdicts = {lane.scope: lane.verdict for lane in report.lanes}
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
                    verdict=verdicts.pop(state.scope, ""),
                )
            )
        if not report.states:
            table.append(Row(entry.name, "-", dict.fromkeys(shown), None, "-", None, None, "no named states"))
    return table


@dataclass(frozen=True)
class Plot:
    """One plot of the sheet."""

    name: str  # of its files
    heading: str
    about: str  # how to read it
    draw: Callable[[Sequence[Entry], float], Figure]
    claims: Callable[[Sequence[Entry]], list[str]]
    alt: Callable[[Sequence[Entry]], str]
    there: Callable[[Entry], object] = bool  # whether an entry has what it takes
    missing: str = ""  # what to say if none has


def _reports(entries: Sequence[Entry]) -> dict[str, Any]:
    return {entry.name: entry.report for entry in entries}


PICTURES = (
    Plot(
        "through_time",
        "How far back does the gradient reach?",
        "The gradient of one loss, at the last step, as it arrives at the states of earlier and earlier steps. A "
        "straight line means: the same factor with every step.",
        lambda entries, _: plots.through_time(_reports(entries)),
        lambda entries: [],  # what it says is said at the top of the page
        alt_texts.through_time,
    ),
    Plot(
        "attenuation",
        "Which path takes it, which brings it?",
        "By which factor one step changes the gradient, and what arrives along each path. Norms of contributions do "
        "not add.",
        lambda entries, _: plots.attenuation(_reports(entries)),
        claims.attenuation,
        alt_texts.attenuation,
    ),
    Plot(
        "contributions",
        "Which steps does the recurrent weight learn from?",
        "All steps share one weight; its gradient is the sum of their contributions.",
        lambda entries, _: plots.contributions(_reports(entries)),
        claims.contributions,
        alt_texts.contributions,
    ),
    Plot(
        "loss_maps",
        "Which losses reach which state?",
        "A row for the loss of each step: how much of its gradient is left at earlier states.",
        lambda entries, _: plots.loss_maps(
            {entry.name: entry.flow_map for entry in entries}, min(entry.report.threshold for entry in entries)
        ),
        claims.loss_maps,
        alt_texts.loss_maps,
        lambda entry: entry.flow_map is not None,
        "The losses of single steps were not measured, which takes long for long sequences.",
    ),
    Plot(
        "singular_values",
        "What can pass from state to state at all?",
        "The Jacobian from an earlier state to the last one bounds what a loss that reads the last state can send "
        "back: at most its largest singular value times as much, at least its smallest. Geometric means over examples.",
        lambda entries, _: plots.singular_values(
            {entry.name: entry.jacobians for entry in entries}, {entry.name: entry.bound for entry in entries}
        ),
        claims.singular_values,
        alt_texts.singular_values,
        lambda entry: entry.jacobians is not None,
        "The Jacobians of the states were not measured, which takes much memory for large states.",
    ),
    Plot(
        "gates",
        "What do the gates let through?",
        "How open the gates are, and how much of the gradient would be left if only the path through one gate carried "
        "it.",
        lambda entries, _: plots.gates(_reports(entries)),
        claims.gates,
        alt_texts.gates,
        lambda entry: entry.report.gates,
        "None of the cells has a gate with a name.",
    ),
    Plot(
        "over_training",
        "What does training change?",
        "The first picture again, after more and more updates.",
        lambda entries, _: plots.over_training({entry.name: entry.history for entry in entries}),
        claims.over_training,
        alt_texts.over_training,
        lambda entry: entry.history,
        "Nothing was trained, so there is no change to show.",
    ),
    Plot(
        "clipping",
        "What did clipping do?",
        "The norm of the gradient of all parameters together, at every update of that training.",
        lambda entries, clip: plots.clipping({entry.name: entry.updates for entry in entries}, clip),
        claims.clipping,
        alt_texts.clipping,
        lambda entry: entry.updates,
        "Nothing was trained, so nothing was clipped.",
    ),
)

#: The files of a sheet.
FILES = (*(f"{picture.name}.{kind}" for picture in PICTURES for kind in ("svg", "png")), PAGE)


def write_sheet(
    folder: Path,
    entries: Sequence[Entry],
    settings: Mapping[str, object],
    command: str,
    clip: float = 1.0,
    on_picture: Callable[[str], object] = lambda name: None,
) -> list[Path]:
    """Write the plots of some cells as SVG and PNG, and the page with all of them, last.

    Without Matplotlib there are no plots, and the page says so.

    Args:
        folder: where to, it must exist.
        settings: what the page says about the run, in this order.
        command: what to type to get the same again.
        clip: the largest norm in the training of the entries.
        on_picture: called with the heading of each picture before it is drawn.

    Returns:
        The files written.

    Raises:
        InputError: a file cannot be written.
    """
    written: list[Path] = []
    sections = []
    lacking = _lacking()
    for picture in PICTURES:
        if not any(picture.there(entry) for entry in entries):
            sections.append(_section(picture, [_paragraph(picture.missing)]))
            continue
        if lacking:
            sections.append(_section(picture, [_paragraph(f"Not drawn: {lacking}"), _list(picture.claims(entries))]))
            continue
        on_picture(picture.heading)
        svg, png = plots.save(picture.draw(entries, clip), folder / picture.name)
        written += [svg, png]
        sections.append(_section(picture, [_figure(picture, svg, entries), _list(picture.claims(entries))]))
    page = folder / PAGE
    write_whole(page, _page(entries, settings, command, sections).encode())
    return [*written, page]


def _lacking() -> str:
    """Return what is missing to draw plots; "" if nothing is."""
    try:
        plots.require_matplotlib()
    except MissingToolError as error:
        return str(error)
    return ""


# ---- the page ------------------------------------------------------------------------------------------------------


def _page(entries: Sequence[Entry], settings: Mapping[str, object], command: str, sections: Iterable[str]) -> str:
    names = "; ".join(entry.name for entry in entries)
    style = resources.files("tinygrad_rnn.viz").joinpath("assets/sheet.css").read_text(encoding="utf-8")
    links = "".join(f'<li><a href="#{picture.name}">{_escaped(picture.heading)}</a></li>' for picture in PICTURES)
    notes = [f"{entry.name}: {note}" for entry in entries for note in entry.report.notes]
    parts = [
        "<h1>Gradient flow through time</h1>",
        _paragraph(
            f"Measured: {names}{'' if any(entry.updates_made for entry in entries) else ': all with initial weights'}. "
            "What this page says about them is worked out from the numbers measured."
        ),
        _list(claims.through_time(entries)),
        f'<nav aria-label="Pictures"><ol>{links}<li><a href="#words">Words on this page</a></li></ol></nav>',
        '<h2 id="table">Horizons, half-lives, verdicts</h2>',
        _table(entries),
        _list(notes),
        *sections,
        '<h2 id="words">Words on this page</h2>',
        _definitions(explained(entries, settings)),
        '<h2 id="settings">Settings</h2>',
        _definitions(settings),
        '<h2 id="versions">Versions</h2>',
        _definitions(_versions()),
        '<h2 id="again">How to reproduce</h2>',
        _paragraph("With the same versions on the same machine, this gives the same numbers:"),
        f'<pre tabindex="0" role="group" aria-label="Command">{_escaped(command)}</pre>',
        _paragraph(
            "It also writes the pictures as SVG and PNG, and for each cell CELL.flow.json, its numbers, and "
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


def _section(picture: Plot, parts: Iterable[str]) -> str:
    heading = f'<h2 id="{picture.name}">{_escaped(picture.heading)}</h2>'
    return "\n".join([f"<section>\n{heading}", _paragraph(picture.about, "soft"), *parts, "</section>"])


def _figure(picture: Plot, svg: Path, entries: Sequence[Entry]) -> str:
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.read_bytes()).decode()}"
    image = f'<img src="{source}" alt="{_escaped(picture.alt(entries))}">'
    # Focusable, so that the keyboard can scroll it.
    return f'<figure><div class="wide" tabindex="0" role="group" aria-label="Plot">{image}</div></figure>'


def _table(entries: Sequence[Entry]) -> str:
    table = rows(entries)
    shown = list(table[0].left) if table else []
    heads = ["cell", "state", *(f"lag {lag}" for lag in shown), "horizon", "× per step", "half-life", "verdict"]
    kinds = ["", "", *[' class="number"'] * (len(heads) - 3), ""]

    def line(tag: str, texts: Sequence[str]) -> str:
        fields = (f"<{tag}{kind}>{_escaped(text)}</{tag}>" for kind, text in zip(kinds, texts, strict=True))
        return f"<tr>{''.join(fields)}</tr>"

    body = "\n".join(line("td", [row.name, row.state, *cells(row), row.verdict]) for row in table)
    thresholds = " or ".join(sorted({f"{entry.report.threshold:.3g}" for entry in entries}))
    caption = (
        "Lag d: how much of the gradient at the state of step T is left at that of step T−d. Horizon: the first lag "
        f"with less than {thresholds} of it. Factor per step: the mean down to the horizon, or to the last lag. "
        "Half-life in steps: where a straight line fits. The verdict goes by the state whose gradient reaches furthest."
    )
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="Table"><table>\n<thead>{line("th", heads)}</thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>\n{_paragraph(caption, 'soft')}"
    )


def cells(row: Row) -> list[str]:
    """Return the numbers of a line as they are shown: what is left by lag, horizon, factor per step and half-life."""
    left = ["-" if share is None else number(share) for share in row.left.values()]
    factor = "-" if row.per_step is None else number(row.per_step)
    half = "-" if row.per_step is None else "none" if row.half_life is None else number(row.half_life)
    return [*left, row.reached, factor, half]


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


def _escaped(text: str) -> str:
    return html.escape(text)
