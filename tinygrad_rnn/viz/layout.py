"""Places for all that a picture shows: boxes in columns, arrows on their ways, frames around steps and flags above."""

from __future__ import annotations

from collections.abc import Iterable

from tinygrad_rnn.viz.columns import HEAD, Columns
from tinygrad_rnn.viz.letters import CHARACTER, FONT, LINE, text_width
from tinygrad_rnn.viz.routes import Routes
from tinygrad_rnn.viz.shapes import Box, Frame, Picture

_FLAG = 30.0


def place(picture: Picture) -> None:
    """Give every box, arrow, frame and flag of a picture its place."""
    for box in picture.boxes:
        box.width, box.height = _size(box)
    columns = Columns(picture)
    columns.place()
    routes = Routes(picture, columns)
    routes.draw()
    _frames(picture, columns)
    _flags(picture, columns, routes.roof)
    _into_view(picture)


def _size(box: Box) -> tuple[float, float]:
    scale = 1.25 if box.kind == "state" else 1.0
    width = max((len(line) for line in box.lines), default=1) * CHARACTER * FONT * scale + 14
    return max(width, 44.0), max(len(box.lines), 1) * LINE * scale + 8


def _frames(picture: Picture, columns: Columns) -> None:
    """Draw a frame around every step, and within it around every layer and direction if there are several."""
    columns_of_steps = columns.columns[columns.before : columns.before + columns.timed]
    rows = [box for column in columns_of_steps for box in column]
    if not rows:
        return
    top, bottom = _extent(rows)
    head = columns.head
    for i, column in enumerate(columns_of_steps, columns.before):
        step = column[0].step
        if step is None:
            continue
        x, width = columns.left[i], columns.right[i] - columns.left[i]
        names = [box.name for box in column]
        count = len(picture.report.steps)
        label = f"each of {count} steps" if picture.level == "rolled" and count > 1 else f"t = {step}"
        frame = Frame(f"t{step}", label, step, names, False, x, top - head, width, bottom - top + head + 8)
        picture.frames.append(frame)
        lanes: dict[str, list[Box]] = {}
        for box in column:
            lanes.setdefault(box.lane, []).append(box)
        for lane, boxes in lanes.items():
            if lane:
                high, low = _extent(boxes)
                name = f"t{step}_{lane.replace(', ', '_').replace(' ', '')}"
                names = [box.name for box in boxes]
                inner = Frame(name, lane, step, names, True, x + 4, high - 20, width - 8, low - high + 24)
                picture.frames.append(inner)
    totals = [box for box in picture.boxes if box.kind == "total"]
    if totals:
        high, low = _extent(totals)
        i = columns.of[totals[0].name]
        label = "all steps"
        width = max(columns.right[i] - columns.left[i] + 16, text_width(label, 13) + 12)
        x = (columns.left[i] + columns.right[i] - width) / 2
        names = [box.name for box in totals]
        picture.frames.append(Frame("totals", label, None, names, False, x, high - HEAD, width, low - high + HEAD + 8))


def _extent(boxes: Iterable[Box]) -> tuple[float, float]:
    boxes = list(boxes)
    return min(box.y - box.height / 2 for box in boxes), max(box.y + box.height / 2 for box in boxes)


def _flags(picture: Picture, columns: Columns, roof: float) -> None:
    rows = [box for column in columns.columns[columns.before : columns.before + columns.timed] for box in column]
    for flag in picture.flags:
        owner = next(box for box in rows if _holds(box, flag.step))
        flag.x, flag.y = owner.x, roof - _FLAG
        flag.foot = min(box.y - box.height / 2 for box in rows) - (columns.head if owner.fold is None else 0)


def _holds(box: Box, step: int) -> bool:
    return box.step == step or (box.fold is not None and box.fold[0] <= step <= box.fold[1])


def _into_view(picture: Picture) -> None:
    """Move everything so that the upper left corner of the picture is (0, 0)."""
    spots = [(box.x - s * box.width / 2, box.y - s * box.height / 2) for box in picture.boxes for s in (-1, 1)]
    spots += [point for arrow in picture.arrows for point in arrow.points]
    for frame in picture.frames:
        spots += [(frame.x, frame.y), (frame.x + frame.width, frame.y + frame.height)]
    for flag in picture.flags:
        half = text_width(flag.text) / 2
        spots += [(flag.x - half, flag.y - 10), (flag.x + half, flag.y + 10)]
    if not spots:
        return
    left, top = min(x for x, _ in spots) - 6, min(y for _, y in spots) - 6
    picture.width = max(x for x, _ in spots) + 6 - left
    picture.height = max(y for _, y in spots) + 6 - top
    for box in picture.boxes:
        box.x, box.y = box.x - left, box.y - top
    for frame in picture.frames:
        frame.x, frame.y = frame.x - left, frame.y - top
    for flag in picture.flags:
        flag.x, flag.y, flag.foot = flag.x - left, flag.y - top, flag.foot - top
    for arrow in picture.arrows:
        arrow.points = tuple((x - left, y - top) for x, y in arrow.points)
        arrow.text_at = arrow.text_at[0] - left, arrow.text_at[1] - top
