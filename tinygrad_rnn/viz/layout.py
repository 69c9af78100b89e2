"""Places for the boxes and ways for the arrows of a picture: x is the time step, y the row of the op in its cell.

All steps share one template, so that the same value stands in the same row everywhere: a state that is carried on is a
straight line. What lies outside time is put in columns before the first step and after the last.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain

from tinygrad_rnn.flow import BackwardReport
from tinygrad_rnn.viz.shapes import Arrow, Box, Frame, Picture, Point

#: Sizes in points. A character of Helvetica is about 0.56 of its size wide.
FONT = 11.0
SMALL = 10.0  # of what is written on arrows
_CHARACTER = 0.56 * FONT
_LINE = 13.0
_PITCH = 12.0  # between rows
_SIDE = 34.0  # between the boxes of a step and its frame: the way of arrows within the step
_GUTTER = 40.0  # between frames: the way of arrows from step to step
_HEAD = 22.0  # above the boxes in a frame: its label
_LANE = 10.0  # between arrows that pass over everything
_FOLD = 150.0
_FLAG = 30.0


def place(picture: Picture) -> None:
    """Give every box, arrow, frame and flag of a picture its place."""
    for box in picture.boxes:
        box.width, box.height = _size(box)
    columns = _Columns(picture)
    columns.place()
    routes = _Routes(picture, columns)
    routes.draw()
    _frames(picture, columns)
    _flags(picture, columns, routes.roof)
    _into_view(picture)


def text_width(text: str, size: float = FONT) -> float:
    """Return about how wide a line of text is, in points."""
    return len(text) * 0.56 * size


def _size(box: Box) -> tuple[float, float]:
    scale = 1.25 if box.kind == "state" else 1.0
    width = max((len(line) for line in box.lines), default=1) * _CHARACTER * scale + 14
    return max(width, 44.0), max(len(box.lines), 1) * _LINE * scale + 8


class _Columns:
    """Which column each box stands in, and where the columns are."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.boxes = {box.name: box for box in picture.boxes}
        #: Neighbours; of a fold also which row, and whether a gradient comes back.
        self.around: dict[str, list[tuple[str, str | None, bool]]] = {}
        for arrow in picture.arrows:
            self.around.setdefault(arrow.tail, []).append((arrow.head, arrow.head_row, arrow.requires_grad))
            self.around.setdefault(arrow.head, []).append((arrow.tail, arrow.tail_row, arrow.requires_grad))
        self.tops: dict[str, float] = {}  # of the rows
        self.of: dict[str, int] = {}
        self.columns: list[list[Box]] = []
        self.before = 0  # how many columns come before the first step
        self.timed = 0  # and how many steps and folds there are
        self.side = _SIDE if picture.level != "rolled" else 2 * _SIDE  # with room for factors
        self.head = _HEAD + (22.0 if any(box.lane for box in picture.boxes) else 0.0)
        self.left: list[float] = []  # of the columns with their margins
        self.right: list[float] = []

    def place(self) -> None:
        inside: dict[tuple[int, ...], list[Box]] = {}
        for box in self.picture.boxes:
            if box.fold is not None:
                inside.setdefault((box.fold[0],), []).append(box)
            elif box.step is not None:
                inside.setdefault((box.step,), []).append(box)
        times = [inside[key] for key in sorted(inside)]
        totals = [box for box in self.picture.boxes if box.kind == "total"]
        outside = [b for b in self.picture.boxes if b.fold is None and b.step is None and b.kind != "total"]
        later = self._after(outside, times)
        earlier = [box for box in outside if box.name not in later]
        right = [box for box in outside if box.name in later]
        if isinstance(self.picture.report, BackwardReport):  # it comes from the right and goes on to the left
            before, after = self._layers(earlier, False)[::-1], self._layers(right, True)[::-1]
        else:
            before = self._layers(earlier, backward=True) + ([totals] if totals else [])
            after = self._layers(right, False)
        self.before, self.timed = len(before), len(times)
        self.columns = [*before, *times, *after]
        self.of = {box.name: i for i, column in enumerate(self.columns) for box in column}
        self._rows(times)
        placed = {box.name for column in times for box in column}
        for column in (*after, *reversed(before)):
            self._by_neighbours(column, placed)
            placed |= {box.name for box in column}
        self._across()

    def _after(self, outside: Iterable[Box], times: Sequence[list[Box]]) -> set[str]:
        """Return what is computed from steps of time, or stands there; everything, where there is no time."""
        timed = {box.name: i for i, column in enumerate(times) for box in column}
        if not timed:
            return {box.name for box in outside}
        readers: dict[str, list[str]] = {}
        for arrow in self.picture.arrows:
            readers.setdefault(arrow.tail, []).append(arrow.head)
        if isinstance(self.picture.report, BackwardReport):
            return self._with_what_it_reads(self._before_time_in_reverse(outside, timed), outside, readers)
        found = {box.name for box in outside if box.kind == "loss"}
        for box in outside:  # what begins in the last step, such as the states of the reverse direction
            places = [timed.get(head, 0) for head in readers.get(box.name, ())]
            if places and min(places) == len(times) - 1 > 0:
                found.add(box.name)
        waiting = list(timed)
        while waiting:
            for head in readers.get(waiting.pop(), ()):
                if head not in timed and head not in found:
                    found.add(head)
                    waiting.append(head)
        return self._with_what_it_reads(found, outside, readers)

    def _before_time_in_reverse(self, outside: Iterable[Box], timed: Container[str]) -> set[str]:
        """Return the gradients that a backward pass computes before it comes to the last step, from its seed on."""
        readers: dict[str, list[str]] = {}
        for arrow in self.picture.arrows:
            if arrow.requires_grad:
                readers.setdefault(arrow.tail, []).append(arrow.head)
        waiting = [box.name for box in self.picture.boxes if box.name in timed and box.requires_grad]
        reached = set(waiting)
        while waiting:
            fresh = [head for head in readers.get(waiting.pop(), ()) if head not in reached]
            reached.update(fresh)
            waiting += fresh
        return {box.name for box in outside if box.requires_grad and box.name not in reached}

    def _with_what_it_reads(
        self, found: set[str], outside: Iterable[Box], readers: Mapping[str, list[str]]
    ) -> set[str]:
        """Add what only such boxes read, such as the output layer's weights: it stands beside them."""
        grown = True
        while grown:
            grown = False
            for box in outside:
                heads = readers.get(box.name)
                if box.name not in found and heads and all(head in found for head in heads):
                    found.add(box.name)
                    grown = True
        return found

    def _layers(self, boxes: list[Box], backward: bool) -> list[list[Box]]:
        """Return boxes outside time by depth: as many arrows from where they come, or to where they lead."""
        names = {box.name for box in boxes}
        depth = dict.fromkeys((box.name for box in boxes), 0)
        arrows = [arrow for arrow in self.picture.arrows if arrow.tail in names and arrow.head in names]
        order = {box.name: i for i, box in enumerate(self.picture.boxes)}
        arrows.sort(key=lambda arrow: order[arrow.head if not backward else arrow.tail], reverse=backward)
        for arrow in arrows:
            near, far = (arrow.head, arrow.tail) if backward else (arrow.tail, arrow.head)
            depth[far] = max(depth[far], depth[near] + 1)
        if not backward:  # a leaf stands right before its first reader
            readers: dict[str, list[int]] = {}
            for arrow in arrows:
                readers.setdefault(arrow.tail, []).append(depth[arrow.head])
            for name in readers.keys() - {arrow.head for arrow in self.picture.arrows}:
                depth[name] = max(min(readers[name]) - 1, 0)
        columns: list[list[Box]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
        for box in boxes:
            columns[depth[box.name]].append(box)
        columns = [column for column in columns if column]  # leaves may all have moved on
        return columns[::-1] if backward else columns

    def _rows(self, times: Sequence[list[Box]]) -> None:
        heights: dict[str, float] = {}
        for column in times:
            for box in column:
                if box.row is not None:
                    heights[box.row] = max(heights.get(box.row, 0.0), box.height)
        lanes = {box.row: box.lane for column in times for box in column}
        y, lane = 0.0, None
        for row in self._in_lanes(_merged([column for column in times if column[0].fold is None]), times):
            if lanes[row] != lane:
                y += 26.0 if lanes[row] and y else 0.0
                lane = lanes[row]
            self.tops[row] = y + heights[row] / 2
            y += heights[row] + _PITCH
        bottom = max(y - _PITCH, 0.0)
        for column in times:
            for box in column:
                if box.fold is not None:
                    box.y, box.height = bottom / 2, max(bottom, box.height)
                    box.width = max(box.width, _FOLD)
                elif box.row is not None:
                    box.y = self.tops[box.row]

    def _in_lanes(self, rows: list[str], times: Sequence[list[Box]]) -> list[str]:
        """Return the rows of each layer and direction together; parameters that no arrow leaves below the others."""
        boxes = {box.row: box for column in times for box in column}
        tails = {self.boxes[arrow.tail].row for arrow in self.picture.arrows}
        lanes: dict[str, int] = {}
        keys: dict[str, tuple[float, bool]] = {}
        before = -0.5  # rows of no lane stay where they are between the lanes
        for row in rows:
            lane = boxes[row].lane
            place = lanes.setdefault(lane, len(lanes)) if lane else before
            before = place + 0.5 if lane else before
            keys[row] = place, boxes[row].kind == "parameter" and row not in tails
        return sorted(rows, key=keys.__getitem__)

    def _by_neighbours(self, column: list[Box], placed: Container[str]) -> None:
        """Put boxes outside time at the height of their neighbours that have a place, one below the other."""
        wanted: dict[str, list[float]] = {}
        for box in column:
            near = [end for end in self.around.get(box.name, ()) if end[0] in placed]
            for other, row, requires_grad in near:
                if requires_grad or not any(end[2] for end in near):
                    y = self.tops[row] if row in self.tops else self.boxes[other].y
                    wanted.setdefault(box.name, []).append(y)
        if wanted:
            free = sum(map(sum, wanted.values())) / sum(map(len, wanted.values()))
        else:  # out of the way of what leads from time to the loss
            arrows = [a for a in self.picture.arrows if a.tail in placed and a.head not in placed]
            leaving = [self.boxes[arrow.tail].y for arrow in arrows]
            free = max(leaving, default=0.0) + 50
        want = {box.name: sum(ys) / len(ys) if (ys := wanted.get(box.name)) else free for box in column}
        want |= {box.name: self.tops[box.row] for box in column if box.row in self.tops}
        column.sort(key=lambda box: want[box.name])
        floor = -math.inf
        for box in column:
            box.y = max(want[box.name], floor + box.height / 2)
            floor = box.y + box.height / 2 + _PITCH
        if wanted and not any(box.row in self.tops for box in column):
            shift = sum(want[box.name] - box.y for box in column) / len(column)
            for box in column:
                box.y += shift

    def _across(self) -> None:
        x = 0.0
        loops = {arrow.tail for arrow in self.picture.arrows if arrow.loop}
        for i, column in enumerate(self.columns):
            width = max(box.width for box in column)
            steps = self.before <= i < self.before + self.timed and column[0].fold is None
            side = self.side if steps else 0.0
            self.left.append(x)
            for box in column:
                box.x = x + side + width / 2
                if box.kind != "loss" and (steps or self.timed):
                    box.width = width
            x += width + 2 * side
            self.right.append(x)
            x += _GUTTER + (_LANE * len(loops) if steps or i + 1 == self.before else 0.0)


def _merged(columns: Sequence[list[Box]]) -> list[str]:
    """Return the rows of all steps, the last computed first: one order for all."""
    merged: list[str] = []
    for column in sorted(columns, key=len, reverse=True):
        after = len(merged)
        for box in sorted(column, key=lambda box: -box.order):
            row = box.row or box.name
            if row in merged:
                after = merged.index(row) + 1
            else:
                merged.insert(after if merged else 0, row)
                after += 1
    return merged


class _Routes:
    """The ways of the arrows."""

    def __init__(self, picture: Picture, columns: _Columns) -> None:
        self.picture = picture
        self.columns = columns
        self.boxes = columns.boxes
        top = min((box.y - box.height / 2 for box in picture.boxes), default=0.0)
        self.overhead = top - columns.head - 10
        self.roof = top - columns.head  # below it lie all boxes, frames and arrows
        self.lanes: dict[str, int] = {}  # of what goes round, by where it starts
        self.entered: dict[str, int] = {}  # how much goes round into a box
        self.busy = 0  # arrows that pass over everything

    def draw(self) -> None:
        within: dict[tuple[int, int], list[Arrow]] = {}
        for arrow in self.picture.arrows:
            tail, head = self.boxes[arrow.tail], self.boxes[arrow.head]
            here, there = self.columns.of[arrow.tail], self.columns.of[arrow.head]
            if arrow.loop:
                arrow.points = self._round(arrow, tail, head, here)
            elif here == there:
                side = -1 if tail.kind in ("parameter", "input", "copy", "total") else 1
                within.setdefault((here, side), []).append(arrow)
            else:
                arrow.points = self._beside(arrow, tail, head, 1 if there > here else -1)
                if not self._clear(arrow.points, here, there):
                    arrow.points = self._over(arrow, tail, head, here, there)
        for (column, side), arrows in within.items():
            self._inside(arrows, column, side)
        self._part_twins()
        self._factors()

    def _factors(self) -> None:
        """Write factors above straight arrows, right before the box they lead to, or below; not where others pass."""
        near: dict[int, list[Arrow]] = {}  # by column
        for arrow in self.picture.arrows:
            for column in {self.columns.of[arrow.tail], self.columns.of[arrow.head]}:
                near.setdefault(column, []).append(arrow)
        for arrow in self.picture.arrows:
            if not arrow.text or arrow.loop:
                continue
            (x, y), (end, _) = arrow.points[0], arrow.points[-1]
            wide = text_width(arrow.text, SMALL) / 2
            at = end - math.copysign(wide + 8, end - x)
            others = [near[self.columns.of[end]] for end in (arrow.tail, arrow.head)]
            spots = [(at, y - 8), (at, y + 9)]
            if {y} != {height for _, height in arrow.points} or abs(end - x) < 2 * wide + 8:
                spots = []  # there is no room beside it
            free = [spot for spot in spots if not any(_passes(other.points, spot, wide) for other in chain(*others))]
            arrow.text, arrow.text_at = (arrow.text, free[0]) if free else ("", (0.0, 0.0))

    def _part_twins(self) -> None:
        """Move arrows that have both ends in common side by side."""
        twins: dict[tuple[str | None, ...], list[Arrow]] = {}
        for arrow in self.picture.arrows:
            twins.setdefault((arrow.tail, arrow.head, arrow.tail_row, arrow.head_row), []).append(arrow)
        for arrows in twins.values():
            for i, arrow in enumerate(arrows if len(arrows) > 1 else ()):
                by = 8 * i / (len(arrows) - 1) - 4
                upright = arrow.points[0][0] == self.boxes[arrow.tail].x
                arrow.points = tuple((x + by * upright, y + by * (not upright)) for x, y in arrow.points)

    def _clear(self, curve: tuple[Point, ...], here: int, there: int) -> bool:
        """Whether a curve that only rises or only falls passes no box between two columns."""
        for i in range(min(here, there) + 1, max(here, there)):
            column = self.columns.columns[i]
            heights = [_height(curve, self.columns.left[i]), _height(curve, self.columns.right[i])]
            low, high = min(heights) - 4, max(heights) + 4
            if any(low < box.y + box.height / 2 and box.y - box.height / 2 < high for box in column):
                return False
        return True

    def _beside(self, arrow: Arrow, tail: Box, head: Box, side: int) -> tuple[Point, ...]:
        a = tail.x + side * tail.width / 2, self._y(tail, arrow.tail_row)
        b = head.x - side * head.width / 2, self._y(head, arrow.head_row)
        bend = max(min(abs(b[0] - a[0]) * 0.5, 60.0), 8.0)
        return a, (a[0] + side * bend, a[1]), (b[0] - side * bend, b[1]), b

    def _y(self, box: Box, row: str | None) -> float:
        return self.columns.tops.get(row, box.y) if box.fold is not None and row is not None else box.y

    def _inside(self, arrows: list[Arrow], column: int, side: int) -> None:
        """Straight to the next box above; past others, along the side, the longer the further out."""
        ranks = {box.name: rank for rank, box in enumerate(sorted(self.columns.columns[column], key=lambda b: b.y))}
        spans = [abs(ranks[arrow.tail] - ranks[arrow.head]) for arrow in arrows]
        longest = max(spans)
        timed = self.columns.before <= column < self.columns.before + self.columns.timed
        room = (_SIDE if timed and side < 0 else self.columns.side if timed else _GUTTER * 0.8) - 6
        for arrow, span in zip(arrows, spans, strict=True):
            tail, head = self.boxes[arrow.tail], self.boxes[arrow.head]
            up = 1 if head.y < tail.y else -1
            if span == 1:
                a = tail.x, tail.y - up * tail.height / 2
                b = head.x, head.y + up * head.height / 2
                arrow.points = a, _between(a, b, 1 / 3), _between(a, b, 2 / 3), b
                continue
            out = room * (0.35 + 0.65 * (span - 1) / max(longest - 1, 1)) * 4 / 3
            a = tail.x + side * tail.width / 2, tail.y
            b = head.x + side * head.width / 2, head.y + up * head.height * 0.3  # apart from what leaves it there
            arrow.points = a, (a[0] + side * out, a[1]), (b[0] + side * out, b[1]), b

    def _round(self, arrow: Arrow, tail: Box, head: Box, column: int) -> tuple[Point, ...]:
        """Out of the cell's right side, back over it, and in on the left: into the next step."""
        lane = self.lanes.setdefault(arrow.tail, len(self.lanes))
        y = self.overhead - lane * _LANE
        self.roof = min(self.roof, y)
        out, back = self.columns.right[column] + 10 + lane * _LANE, self.columns.left[column] - 10 - lane * _LANE
        place = self.entered[arrow.head] = self.entered.get(arrow.head, -1) + 1
        down = min(9.0 * place, head.height / 2 - 2)  # the first with its text above it, the others below
        a, b = (tail.x + tail.width / 2, tail.y), (head.x - head.width / 2, head.y + down)
        text_y = head.y - 8 if place == 0 else head.y + down + 9 + 12 * (place - 1)
        arrow.text_at = self.columns.left[column] + text_width(arrow.text) / 2 + 2, text_y
        return _rounded([a, (out, a[1]), (out, y), (back, y), (back, b[1]), b])

    def _over(self, arrow: Arrow, tail: Box, head: Box, here: int, there: int) -> tuple[Point, ...]:
        """Out into the gutter, up, over everything, down and in."""
        side = 1 if there > here else -1
        self.busy += 1
        y = self.overhead - (self.busy % 5) * _LANE
        self.roof = min(self.roof, y)
        a = tail.x + side * tail.width / 2, self._y(tail, arrow.tail_row)
        b = head.x - side * head.width / 2, self._y(head, arrow.head_row)
        out = (self.columns.right[here] + 12) if side > 0 else (self.columns.left[here] - 12)
        back = (self.columns.left[there] - 14) if side > 0 else (self.columns.right[there] + 14)
        return _rounded([a, (out, a[1]), (out, y), (back, y), (back, b[1]), b])


def _passes(curve: tuple[Point, ...], spot: Point, wide: float) -> bool:
    """Whether a curve passes through a line of text around a spot, of twice this width."""
    x, y = spot
    for i in range(0, len(curve) - 1, 3):
        piece = curve[i : i + 4]
        xs, ys = zip(*piece, strict=True)
        if min(xs) < x + wide and max(xs) > x - wide and min(ys) < y + 5 and max(ys) > y - 5:
            points = (_bezier(piece, step / 32) for step in range(33))
            if any(abs(a - x) < wide and abs(b - y) < 5 for a, b in points):
                return True
    return False


def _height(curve: tuple[Point, ...], x: float) -> float:
    """Return y at a place x of a single Bezier curve along which x only grows or only shrinks."""
    low, high = (0.0, 1.0) if curve[0][0] < curve[-1][0] else (1.0, 0.0)
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if _bezier(curve, middle)[0] < x else (low, middle)
    return _bezier(curve, low)[1]


def _bezier(curve: tuple[Point, ...], t: float) -> Point:
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = curve
    return a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _rounded(corners: list[Point]) -> tuple[Point, ...]:
    """Return a polyline with round corners as a Bezier curve."""
    points = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        enter, leave = _towards(corner, before), _towards(corner, after)
        points += [_between(points[-1], enter, 1 / 3), _between(points[-1], enter, 2 / 3), enter]
        points += [_between(enter, corner, 0.6), _between(leave, corner, 0.6), leave]
    last = corners[-1]
    return (*points, _between(points[-1], last, 1 / 3), _between(points[-1], last, 2 / 3), last)


def _towards(corner: Point, other: Point) -> Point:
    distance = math.dist(corner, other)
    return _between(corner, other, min(8.0, distance / 2) / distance if distance else 0.0)


def _frames(picture: Picture, columns: _Columns) -> None:
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
        picture.frames.append(
            Frame("totals", label, None, names, False, x, high - _HEAD, width, low - high + _HEAD + 8)
        )


def _extent(boxes: Iterable[Box]) -> tuple[float, float]:
    boxes = list(boxes)
    return min(box.y - box.height / 2 for box in boxes), max(box.y + box.height / 2 for box in boxes)


def _flags(picture: Picture, columns: _Columns, roof: float) -> None:
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
