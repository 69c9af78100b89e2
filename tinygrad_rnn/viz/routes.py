"""Ways for the arrows of a picture whose boxes have their places."""

from __future__ import annotations

import math
from itertools import chain

from tinygrad_rnn.viz.columns import GUTTER, LANE, SIDE, Columns
from tinygrad_rnn.viz.letters import SMALL, text_width
from tinygrad_rnn.viz.shapes import Arrow, Box, Picture, Point


class Routes:
    """The ways of the arrows."""

    def __init__(self, picture: Picture, columns: Columns) -> None:
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
            # Between the box and its frame, or before the frame: not across it.
            apart = wide + 1.5 if 2 * wide + 5.5 <= SIDE else SIDE + wide + 3
            at = end - math.copysign(apart, end - x)
            others = [near[self.columns.of[end]] for end in (arrow.tail, arrow.head)]
            spots = [(at, y - 8), (at, y + 9)]
            if {y} != {height for _, height in arrow.points} or abs(end - x) < apart + wide:
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
        room = (SIDE if timed and side < 0 else self.columns.side if timed else GUTTER * 0.8) - 6
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
        y = self.overhead - lane * LANE
        self.roof = min(self.roof, y)
        out, back = self.columns.right[column] + 10 + lane * LANE, self.columns.left[column] - 10 - lane * LANE
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
        y = self.overhead - (self.busy % 5) * LANE
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
