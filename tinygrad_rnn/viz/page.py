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
from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn.engine.modes import scope_text
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import FlowReport, StateFlow
from tinygrad_rnn.flow.records import EXPLODED, Statistics
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.equations import equations
from tinygrad_rnn.viz.events import Clock, Event, arrivals, clock
from tinygrad_rnn.viz.hues import hues
from tinygrad_rnn.viz.picture import picture
from tinygrad_rnn.viz.scale import DECADES, NONFINITE, SIZED, Look, colour, ink
from tinygrad_rnn.viz.shapes import Arrow, Box, Picture

#: Joined in this order into one function, so that nothing leaks; the last one starts the page.
SCRIPTS = (
    "dom", "words", "course", "card", "view", "tiles", "graph", "weights", "charts", "player", "legend", "pointing",
    "controls", "main",
)  # fmt: skip
#: How many colours each side of the scale is divided into; even, so that its edges fall between two.
_SHADES = 120


def page(
    panels: Mapping[str, FlowReport] | FlowReport,
    title: str | None = None,
    level: str | None = None,
    window: tuple[int, int] | None = None,
    decades: int = DECADES,
) -> str:
    """Return a page that steps through the forward and backward passes of one graph, or of several side by side.

    Args:
        panels: reports of `gradient_flow(losses, statistics=True)` by name; or a single one. Without statistics the
            page shows no values.
        title: the heading.
        level: "ops" for every operation, "cell" for named gates and states only; by size unless given.
        window: the steps A:B to draw, B not included; a long middle is folded unless given.
        decades: how far from the reference the scale of colours reaches on both sides, at least to its edges.

    Returns:
        HTML, complete in itself.

    Raises:
        InputError: nothing to show, an unknown level, or a window without steps.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> x = tg.tensor(3.0, requires_grad=True).named("x")
    >>> viz.page(viz.gradient_flow(x * x, statistics=True), title="A square").count("<h1>A square</h1>")
    1
    """
    reports = _reports(panels)
    if level == "rolled":
        raise InputError("page: 'rolled' draws one step for all, so there is nothing to step through; use 'cell'")
    pictures = [picture(report, level, window, decades) for report in reports.values()]
    title = title or "Gradient flow, step by step"
    content = {
        "TITLE": html.escape(title),
        "CSS": _asset("page.css"),
        "DATA": _escaped(_content(title, list(reports), pictures)),
        "JS": "\n".join(_asset(f"{name}.js") for name in SCRIPTS),
    }
    return re.sub(r"\{\{(TITLE|CSS|DATA|JS)\}\}", lambda found: content[found[1]], _asset("page.html"))


def write_page(
    path: str | os.PathLike[str],
    panels: Mapping[str, FlowReport] | FlowReport,
    title: str | None = None,
    level: str | None = None,
    window: tuple[int, int] | None = None,
    decades: int = DECADES,
) -> Path:
    """Write what `page` returns to a file, whole or not at all, and return its path.

    Raises:
        InputError: as `page`, or the file cannot be written.
    """
    write_whole(path, page(panels, title, level, window, decades).encode(errors="replace"))
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


def _asset(name: str) -> str:
    return resources.files("tinygrad_rnn.viz").joinpath("assets", name).read_text(encoding="utf-8")


# ---- the data -------------------------------------------------------------------------------------------------------


def _escaped(data: Mapping[str, Any]) -> str:
    """Return JSON that no HTML parser takes for a tag, whatever is in its texts."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _content(title: str, names: Sequence[str], pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return all that the page shows: numbers that are not finite are null, and "look" tells."""
    times = clock(pictures)
    colours = hues(names)
    panels = [
        {**_panel(name, drawn, times, i), "colour": colours[name]}
        for i, (name, drawn) in enumerate(zip(names, pictures, strict=True))
    ]
    shades = [place / _SHADES for place in range(-_SHADES, _SHADES + 1)]
    kinds = set().union(*(drawn.kinds for drawn in pictures)) | {"not computed"}  # as everything is, before its turn
    legend = {text: look for drawn in pictures for text, look in drawn.scale.legend(kinds)}
    return {
        "title": title,
        "scale": {
            "nonfinite": NONFINITE,
            "colours": [
                [shade for dark in (False, True) for shade in (colour(at, dark), ink(colour(at, dark)))]
                for at in shades
            ],
            "legend": [
                {"text": text, "look": look.kind, "shade": _shade(look) if look.kind in SIZED else None}
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
    }


def _panel(name: str, drawn: Picture, times: Clock, i: int) -> dict[str, Any]:
    report = drawn.report
    forward, backward = times.forward[i], times.backward[i]
    position = {box.name: place for place, box in enumerate(drawn.boxes)}
    written = equations(report)
    horizon = report.horizon
    arrived = arrivals(drawn, backward, -1) if backward else []
    return {
        "name": name,
        "findings": words.findings(report),
        "verdict": report.verdict,
        "status": report.status,
        "measured": all(node.values is not None or node.value is not None for node in report.nodes),
        "reference": report.reference[0],
        "loss": _number(report.loss, 9),
        "batch": report.batch,
        "threshold": report.threshold,
        "horizon": horizon and {"state": horizon.state, "steps": horizon.steps},
        "steps": report.steps,
        "level": drawn.level,
        "timed": drawn.timed,
        "width": _place(drawn.width),
        "height": _place(drawn.height),
        "boxes": [_box(box, drawn, written) for box in drawn.boxes],
        "arrows": [_arrow(arrow, drawn, position) for arrow in drawn.arrows],
        "frames": [
            {"label": frame.label, "step": frame.step, "inner": frame.inner or None, **_rectangle(frame)}
            for frame in drawn.frames
        ],
        "flags": [
            {"text": flag.text, "event": arrived[report.steps.index(flag.step)], "x": _place(flag.x)}
            | {"y": _place(flag.y), "foot": _place(flag.foot)}
            for flag in drawn.flags
            if arrived
        ],
        "forward": [(event.box, event.tick) for event in forward],
        "backward": [(event.box, event.tick) for event in backward],
        "weights": _weights(drawn, backward),
        "readers": _readers(drawn),
        "states": [_state(state) for state in report.cell],
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
        **_look(box, drawn),
    }
    if box.fold is not None:
        found["shades"] = _fold_shades(box.fold, drawn)
    if box.node is not None:
        node = drawn.report.nodes[box.node]
        found |= {
            "node": box.node,
            "op": node.op,
            "shape": node.shape,
            "scope": scope_text(node.scope) if node.scope else None,
            "equation": written[box.node],
            "value": None if words.several(node) else _number(node.value, 6),
            "gradient": None if words.several(node) else _number(node.gradient, 6),
            "values": _statistics(node.values),
            "gradients": _statistics(node.gradients),
        }
    return {key: value for key, value in found.items() if value is not None}


def _fold_shades(fold: tuple[int, int], drawn: Picture) -> list[int] | None:
    """Return the colours of the cell's state over the steps of a fold; None if some have none."""
    state = next((state for state in drawn.report.cell if state.measurable), None)
    if state is None:
        return None
    size = float(state.by_lag[0])
    inside = [
        drawn.scale.look(float(norm), True, size)
        for step, norm in zip(state.steps, state.norms, strict=True)
        if fold[0] <= step <= fold[1]
    ]
    if not inside or any(look.kind not in SIZED for look in inside):
        return None
    found = [_shade(look) for look in inside]
    return [*found[:: max(1, len(found) // 12)], found[-1]]


def _arrow(arrow: Arrow, drawn: Picture, position: Mapping[str, int]) -> dict[str, Any]:
    points = [_place(number) for number in chain.from_iterable(arrow.points)]
    found = {"tail": position[arrow.tail], "head": position[arrow.head], "points": points, **_look(arrow, drawn)}
    return {key: value for key, value in found.items() if value is not None}


def _look(thing: Box | Arrow, drawn: Picture) -> dict[str, Any]:
    """Return how a gradient is drawn; "shade" is its place among the colours, "share" its size as they show it."""
    seen = thing.seen
    found: dict[str, Any] = {"look": seen.kind, "width": seen.width if isinstance(thing, Arrow) else None}
    if seen.kind in SIZED:
        found |= {"norm": _number(thing.norm, 9), "shade": _shade(seen)}
        if seen.against not in ("", "L"):
            found |= {"share": _number(seen.share, 9), "against": seen.against}
    elif seen.kind in ("zero", "underflow"):
        found["norm"] = 0
    elif seen.kind == "nonfinite":
        found["text"] = seen.text
    return found


def _shade(look: Look) -> int:
    """Return the number of the colour of something that has a place on the scale, on its side of the edges."""
    number = round(_SHADES * look.place)
    if look.kind in ("grown", "exploded"):
        return _SHADES + min(number, -_SHADES // 2 - 1 if look.kind == "exploded" else -1)
    return _SHADES + (max(number, _SHADES // 2 + 1) if look.kind == "vanished" else number)


def _weights(drawn: Picture, backward: Sequence[Event]) -> list[dict[str, Any]]:
    """Return the parameters that every step adds to, with the event at which each step's part arrives."""
    report = drawn.report
    return [
        {
            "name": name,
            "node": weight.node,
            "total": _number(weight.total, 9),
            "per_step": _numbers(weight.per_step, 9),
            "running": _numbers(weight.running, 9),
            "shades": [_part_shade(float(norm), weight.total, drawn) for norm in weight.per_step],
            "events": arrivals(drawn, backward, weight.node),
        }
        for name, weight in report.weights.items()
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
    return _shade(seen) if seen.kind in SIZED else None


def _state(state: StateFlow) -> dict[str, Any]:
    """Return the flow of a state from the last step taken back to the first."""
    steps = state.steps if state.direction == "reverse" else state.steps[::-1]
    shares = state.by_lag / state.by_lag[0] if state.measurable else np.full(len(steps), np.nan)
    return {
        "kind": state.kind,
        "steps": steps,
        "norms": _numbers(state.by_lag, 9),
        "shares": _numbers(shares, 9),
    }


def _gates(report: FlowReport) -> list[dict[str, Any]]:
    """Return the values of the gates of the layer and direction that the report calls the cell."""
    scopes = {state.scope for state in report.cell}
    return [
        {
            "label": gate.label,
            "name": gate.name,
            "steps": gate.steps,
            "mean": _numbers(gate.mean, 4),
            "low": _numbers(gate.low, 4),
            "high": _numbers(gate.high, 4),
        }
        for gate in report.gates
        if gate.scope in scopes
    ]


def _statistics(found: Statistics | None) -> list[float | None] | None:
    """Return mean, standard deviation, 10% and 90% quantiles, minimum and maximum."""
    if found is None:
        return None
    numbers = (found.mean, found.std, found.low, found.high, found.minimum, found.maximum)
    return [_number(number, 4) for number in numbers]


def _rectangle(thing: Any) -> dict[str, float]:
    return {"x": _place(thing.x), "y": _place(thing.y), "w": _place(thing.width), "h": _place(thing.height)}


def _place(number: float) -> float:
    return round(float(number), 1)


def _numbers(values: np.ndarray, digits: int) -> list[float | None]:
    return [_number(float(value), digits) for value in values]


def _number(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}")
