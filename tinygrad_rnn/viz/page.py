"""The stepper: one HTML file that shows the forward and the backward pass of unrolled graphs, box by box.

The page needs no network and no other file. Its JavaScript, CSS and frame are plain files in `assets/`; what it shows
is in a JSON object that this module makes.
"""

from __future__ import annotations

import html
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tinygrad_rnn.engine.modes import scope_text
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import FlowMap, FlowReport, StateFlow
from tinygrad_rnn.flow.records import EXPLODED, Statistics
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.viz import encoding, words
from tinygrad_rnn.viz.averages import mean_shares
from tinygrad_rnn.viz.encoding import number, numbers, shade, spot
from tinygrad_rnn.viz.equations import equations
from tinygrad_rnn.viz.events import Clock, Event, arrivals, clock
from tinygrad_rnn.viz.folds import Folding
from tinygrad_rnn.viz.hues import hues
from tinygrad_rnn.viz.languages import for_scripts, translated_html
from tinygrad_rnn.viz.picture import picture
from tinygrad_rnn.viz.scale import DECADES, NONFINITE, SIZED
from tinygrad_rnn.viz.shapes import WHOLE, Arrow, Box, Picture
from tinygrad_rnn.viz.siblings import links_to
from tinygrad_rnn.viz.strips import strip
from tinygrad_rnn.viz.styles import Style
from tinygrad_rnn.viz.tour import tour

if TYPE_CHECKING:
    from tinygrad_rnn.train import InputFlow

_Thing = TypeVar("_Thing")

#: Joined in this order into one function, so that nothing leaks; the last one starts the page.
SCRIPTS = (
    "dom", "words", "course", "card", "view", "tiles", "graph", "weights", "strips", "charts", "player",
    "legend", "pointing", "controls", "print", "tour", "main",
)  # fmt: skip
#: The strip is the overview, and the graph is moved: so more steps are drawn than in a picture.
FOLDING = {"cell": Folding(100, 3, 5, 12), "ops": Folding(40, 2, 3, 5)}
#: Of arrows against the sum of all that arrives.
DASHES = "6 4"


def page(
    panels: Mapping[str, FlowReport] | FlowReport,
    title: str | None = None,
    level: str | None = None,
    window: tuple[int, int] | None = None,
    decades: int = DECADES,
    inputs: Mapping[str, InputFlow] | InputFlow | None = None,
    maps: Mapping[str, FlowMap] | FlowMap | None = None,
    style: Style | None = None,
    pages: Mapping[str, str] | None = None,
) -> str:
    """Return a page that steps through the forward and backward passes of one graph, or of several side by side.

    Args:
        panels: reports of `gradient_flow(losses, statistics=True)` by name; or a single one. Without statistics the
            page shows no values.
        title: the heading.
        level: "ops" for every operation, "cell" for named gates and states only; by size unless given.
        window: the steps A:B to draw, B not included; unless given, more than 100 steps are folded except both ends and
            where the verdict falls.
        decades: how far from the reference the scale of colours reaches on both sides, at least to its edges.
        inputs: of `train.input_flow`, by the names of the panels: what each step reads, and how the loss depends on it.
            Without, steps have numbers only.
        maps: of `train.flow_map_of`, by the names of the panels: which later losses reach back to a step.
        style: its theme, "light", "dark" or "print" (greys); unless given, as the reader's browser prefers;
            and its language.
        pages: what else there is to see in the folder, file names by what they are called.

    Returns:
        HTML, complete in itself.

    Raises:
        InputError: nothing to show, an unknown level, a window without steps, or inputs and maps of something else.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> x = tg.tensor(3.0, requires_grad=True).named("x")
    >>> viz.page(viz.gradient_flow(x * x, statistics=True), title="A square").count("<h1>A square</h1>")
    1
    """
    reports = _reports(panels)
    if level == "rolled":
        raise InputError("page: 'rolled' draws one step for all, so there is nothing to step through; use 'cell'")
    pictures = [picture(report, level, window, decades, FOLDING, relative=False) for report in reports.values()]
    read, reached = _named(inputs, reports, "inputs"), _named(maps, reports, "maps")
    title = title or "Gradient flow, step by step"
    language = (style or Style()).language
    scripts = SCRIPTS if language == "en" else ("language", *SCRIPTS)
    content = {
        "TITLE": translated_html(html.escape(title), language),
        "CSS": _asset("page.css"),
        "DATA": _escaped(_content(title, list(reports), pictures, read, reached, style or Style())),
        "PAGES": translated_html(links_to(pages or {}), language),
        "JS": "\n".join(_asset(f"{name}.js") for name in scripts),
    }
    frame = translated_html(_asset("page.html"), language)
    return re.sub(r"\{\{(TITLE|CSS|PAGES|DATA|JS)\}\}", lambda found: content[found[1]], frame)


def write_page(
    path: str | os.PathLike[str],
    panels: Mapping[str, FlowReport] | FlowReport,
    title: str | None = None,
    level: str | None = None,
    window: tuple[int, int] | None = None,
    decades: int = DECADES,
    inputs: Mapping[str, InputFlow] | InputFlow | None = None,
    maps: Mapping[str, FlowMap] | FlowMap | None = None,
    style: Style | None = None,
    pages: Mapping[str, str] | None = None,
) -> Path:
    """Write what `page` returns to a file, whole or not at all, and return its path.

    Raises:
        InputError: as `page`, or the file cannot be written.
    """
    text = page(panels, title, level, window, decades, inputs, maps, style, pages)
    write_whole(path, text.encode(errors="replace"))
    return Path(path)


def _reports(panels: Mapping[str, FlowReport] | FlowReport) -> dict[str, FlowReport]:
    reports = {"": panels} if isinstance(panels, FlowReport) else panels
    if not isinstance(reports, Mapping):
        raise InputError(
            f"page: {type(panels).__name__} is no report; pass viz.gradient_flow(losses, statistics=True), or a dict "
            "of such reports by name"
        )
    if not reports:
        raise InputError("page: there is nothing to show; pass at least one report of viz.gradient_flow")
    for name, report in reports.items():
        if not isinstance(report, FlowReport):
            raise InputError(
                f"page: {name!r} is {type(report).__name__}, not a report; pass viz.gradient_flow(losses, "
                "statistics=True)"
            )
        if not report.nodes:
            raise InputError(f"page: the report {name!r} has no nodes; measure the losses of a model")
    return dict(reports)


def _named(
    given: Mapping[str, _Thing] | _Thing | None, reports: Mapping[str, FlowReport], what: str
) -> dict[str, _Thing]:
    """Return what is given besides the reports by the names of these."""
    if given is None:
        return {}
    found = dict(given) if isinstance(given, Mapping) else {"": given}
    if unknown := sorted(found.keys() - reports.keys()):
        panels = ", ".join(map(repr, reports))
        raise InputError(f"page: {what} of {unknown[0]!r} are given, and the panels are {panels}")
    return found


def _asset(name: str) -> str:
    return resources.files("tinygrad_rnn.viz").joinpath("assets", name).read_text(encoding="utf-8")


# ---- the data -------------------------------------------------------------------------------------------------------


def _escaped(data: Mapping[str, Any]) -> str:
    """Return JSON that no HTML parser takes for a tag, whatever is in its texts."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _content(
    title: str,
    names: Sequence[str],
    pictures: Sequence[Picture],
    inputs: Mapping[str, InputFlow],
    maps: Mapping[str, FlowMap],
    style: Style,
) -> dict[str, Any]:
    """Return all that the page shows: numbers that are not finite are null, and "look" tells."""
    times = clock(pictures)
    colours = hues(names)
    panels = [
        _panel(name, drawn, times, i)
        | {"colour": colours[name], "strip": strip(drawn, times.backward[i], inputs.get(name), maps.get(name))}
        for i, (name, drawn) in enumerate(zip(names, pictures, strict=True))
    ]
    kinds = set().union(*(drawn.kinds for drawn in pictures))
    legend = {text: look for drawn in pictures for text, look in drawn.scale.legend(kinds)}
    return {
        "title": title,
        "theme": style.theme,
        "language": for_scripts(style.language),
        "exploded": EXPLODED,
        "scale": {
            "nonfinite": NONFINITE,
            "colours": encoding.colours(style.theme == "print"),
            "arrows": list(_legend_of_arrows(pictures)),
            "legend": [
                {"text": text, "look": look.kind, "shade": shade(look) if look.kind in SIZED else None}
                for text, look in legend.items()
            ],
        },
        "clock": {
            "ticks": times.ticks,
            "turn": times.turn,
            "stretches": [
                {"forward": part.forward, "step": part.step, "start": part.start, "end": part.end}
                for part in times.stretches
            ],
        },
        "panels": panels,
        "tour": tour({name: drawn.report for name, drawn in zip(names, pictures, strict=True)}),
    }


def _legend_of_arrows(pictures: Sequence[Picture]) -> Iterator[dict[str, Any]]:
    """Yield what the looks of arrows mean, of those that occur."""
    if any(drawn.has_shares for drawn in pictures):
        text = "width of an arrow: its share, at that step alone, of what arrives where it begins: all, half, a tenth"
        yield {"text": text, "widths": [WHOLE, WHOLE / 2, WHOLE / 10]}
    if any(arrow.against for drawn in pictures for arrow in drawn.arrows):
        yield {"text": "dashed: against the sum", "widths": [WHOLE / 2], "dashes": DASHES}


def _panel(name: str, drawn: Picture, times: Clock, i: int) -> dict[str, Any]:
    report = drawn.report
    forward, backward = times.forward[i], times.backward[i]
    position = {box.name: place for place, box in enumerate(drawn.boxes)}
    written = equations(report)
    horizon = None if report.verdict == "withheld" else report.horizon
    arrived = arrivals(drawn, backward, -1) if backward else []
    means = mean_shares(report)
    return {
        "name": name,
        "findings": words.findings(report),
        "why": words.why(report),
        "verdict": report.verdict,
        "status": report.status,
        "measured": all(node.values is not None or node.value is not None for node in report.nodes),
        "reference": report.reference[0],
        "loss": number(report.loss, 9),
        "batch": report.batch,
        "threshold": report.threshold,
        "horizon": horizon and {"state": horizon.state, "steps": horizon.steps},
        "steps": report.steps,
        "level": drawn.level,
        "timed": drawn.timed,
        "width": spot(drawn.width),
        "height": spot(drawn.height),
        "boxes": [_box(box, drawn, written) for box in drawn.boxes],
        "arrows": [_arrow(arrow, drawn, position, means) for arrow in drawn.arrows],
        "frames": [
            {"label": frame.label, "step": frame.step, "inner": frame.inner or None, **_rectangle(frame)}
            for frame in drawn.frames
        ],
        "flags": [
            {"text": flag.text, "event": arrived[report.steps.index(flag.step)], "x": spot(flag.x)}
            | {"y": spot(flag.y), "foot": spot(flag.foot)}
            for flag in drawn.flags
            if arrived
        ],
        "forward": [(event.box, event.tick) for event in forward],
        "backward": [(event.box, event.tick) for event in backward],
        "weights": _weights(drawn, backward),
        "readers": _readers(drawn),
        "states": [_state(state, report) for state in report.cell],
        "gates": _gates(report),
    }


def _box(box: Box, drawn: Picture, written: Sequence[str | None]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": box.name,
        "kind": box.kind,
        "caption": box.caption,
        "step": box.step,
        "fold": box.fold,
        "lines": box.lines if box.kind == "fold" else None,
        "room": len(box.lines),
        **_rectangle(box),
        **encoding.seen(box.seen, box.norm),
    }
    if box.node is not None:
        node = drawn.report.nodes[box.node]
        found |= {
            "node": box.node,
            "op": node.op,
            "shape": node.shape,
            "scope": scope_text(node.scope) if node.scope else None,
            "equation": written[box.node],
            "value": None if words.several(node) else number(node.value, 6),
            "gradient": None if words.several(node) else number(node.gradient, 6),
            "values": _statistics(node.values),
            "gradients": _statistics(node.gradients),
        }
    return {key: value for key, value in found.items() if value is not None}


def _arrow(
    arrow: Arrow, drawn: Picture, position: Mapping[str, int], means: Mapping[tuple[str, str], tuple[float, int]]
) -> dict[str, Any]:
    """Return an arrow with its share at its own step, and beside it the mean that the sentence on why speaks of."""
    points = [spot(number) for number in chain.from_iterable(arrow.points)]
    found: dict[str, Any] = {"tail": position[arrow.tail], "head": position[arrow.head], "points": points}
    dashes = DASHES if arrow.against else None
    found |= encoding.seen(arrow.seen, arrow.norm) | {"width": round(arrow.width, 2), "dashes": dashes}
    found["part"] = number(arrow.share, 3)
    tail, head = (drawn.boxes[found[end]].node for end in ("tail", "head"))
    if arrow.share is not None and tail is not None and head is not None:
        found["mean"] = means.get((_called(drawn.report, tail), _called(drawn.report, head)))
    return {key: value for key, value in found.items() if value is not None}


def _called(report: FlowReport, node: int) -> str:
    """Return the name of a node of the cell that stands in every step; "" if it is none."""
    flow = report.nodes[node]
    scopes = {state.scope for state in report.cell}
    return flow.label or "" if flow.step is not None and lane_of(flow.scope) in scopes else ""


def _weights(drawn: Picture, backward: Sequence[Event]) -> list[dict[str, Any]]:
    """Return the parameters that every step adds to, with the event at which each step's part arrives."""
    report = drawn.report
    return [
        {
            "name": name,
            "node": weight.node,
            "total": number(weight.total, 9),
            "per_step": numbers(weight.per_step, 9),
            "running": numbers(weight.running, 9),
            "shades": [_part_shade(float(norm), weight.total, drawn) for norm in weight.per_step],
            "events": arrivals(drawn, backward, weight.node),
        }
        for name, weight in sorted(report.weights.items(), key=lambda pair: words.parameter_order(pair[0]))
        if weight.per_step is not None and weight.running is not None and backward
    ]


def _readers(drawn: Picture) -> dict[int, list[int]]:
    """Return for every parameter the boxes of the first values with a name that are computed from it."""
    nodes = drawn.report.nodes
    boxes = {box.node: i for i, box in enumerate(drawn.boxes) if box.kind in ("op", "gate", "state", "loss")}
    children: dict[int, list[int]] = {}
    for edge in drawn.report.edges:
        children.setdefault(edge.parent, []).append(edge.child)
    found: dict[int, list[int]] = {}
    for weight in drawn.report.weights.values():
        waiting = list(children.get(weight.node, ()))
        seen = set(waiting)
        while waiting:
            at = waiting.pop()
            if at in boxes:
                found.setdefault(weight.node, []).append(boxes[at])
            if at in boxes or nodes[at].label is not None:
                continue
            fresh = [child for child in children.get(at, ()) if child not in seen]
            seen.update(fresh)
            waiting += fresh
    return found


def _part_shade(norm: float, total: float, drawn: Picture) -> int | None:
    seen = drawn.scale.look(norm, True, total if 0 < total < math.inf else 1.0, EXPLODED)
    return shade(seen) if seen.kind in SIZED else None


def _state(state: StateFlow, report: FlowReport) -> dict[str, Any]:
    """Return the flow of a state from the last step taken back to the first."""
    steps = state.steps if state.direction == "reverse" else state.steps[::-1]
    shares = state.by_lag / state.by_lag[0] if state.measurable else np.full(len(steps), np.nan)
    return {
        "kind": state.kind,
        "horizon": None if report.verdict == "withheld" else state.horizon(report.threshold),
        "steps": steps,
        "norms": numbers(state.by_lag, 9),
        "shares": numbers(shares, 9),
        "before": _before(state, report),
    }


def _before(state: StateFlow, report: FlowReport) -> list[float | None] | None:
    """Return the same shares as they were before a training; None if that is not known."""
    old = report.before.state(state.kind) if report.before is not None else None
    return numbers(old.by_lag / old.by_lag[0], 9) if old is not None and old.measurable else None


def _gates(report: FlowReport) -> list[dict[str, Any]]:
    """Return the values of the gates of the layer and direction that the report calls the cell."""
    scopes = {state.scope for state in report.cell}
    carries = [carry for carry in report.carries if carry.scope in scopes]
    keeps = {
        carry.gate.removeprefix("1 - "): f"{0 if carry.gate.startswith('1 - ') else 1}: keep the old {carry.kind}"
        for carry in carries
    }
    return [
        {
            "label": gate.label,
            "name": gate.name,
            "steps": gate.steps,
            "keeps": keeps.get(gate.label),
            "mean": numbers(gate.mean, 4),
            "low": numbers(gate.low, 4),
            "high": numbers(gate.high, 4),
        }
        for gate in report.gates
        if gate.scope in scopes
    ]


def _statistics(found: Statistics | None) -> list[float | None] | None:
    """Return mean, standard deviation, 10% and 90% quantiles, minimum and maximum."""
    if found is None:
        return None
    return numbers((found.mean, found.std, found.low, found.high, found.minimum, found.maximum), 4)


def _rectangle(thing: Any) -> dict[str, float]:
    return {"x": spot(thing.x), "y": spot(thing.y), "w": spot(thing.width), "h": spot(thing.height)}
