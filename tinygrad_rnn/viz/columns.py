"""Places for the boxes of a picture: x is the time step, y the row of the op in its cell.

All steps share one template, so that the same value stands in the same row everywhere: a state that is carried on is a
straight line. What lies outside time is put in columns before the first step and after the last.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence

from tinygrad_rnn.flow import BackwardReport
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.shapes import Box, Picture

SIDE = 34.0  # points between the boxes of a step and its frame: the way of arrows within the step
GUTTER = 38.0  # between frames: the way of arrows from step to step
HEAD = 22.0  # above the boxes in a frame: its label
LANE = 10.0  # between arrows that pass over everything
_PITCH = 12.0  # between rows
_FOLD = 150.0


class Columns:
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
        self.side = SIDE if picture.level != "rolled" else 2 * SIDE  # with room for factors
        self.head = HEAD + (22.0 if any(box.lane for box in picture.boxes) else 0.0)
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
        keys: dict[str, tuple[float, bool, tuple[bool, bool, str]]] = {}
        before = -0.5  # rows of no lane stay where they are between the lanes
        for row in rows:
            lane = boxes[row].lane
            place = lanes.setdefault(lane, len(lanes)) if lane else before
            before = place + 0.5 if lane else before
            alone = boxes[row].kind == "parameter" and row not in tails
            keys[row] = place, alone, words.parameter_order(boxes[row].caption) if alone else (False, False, "")
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
            x += GUTTER + (LANE * len(loops) if steps or i + 1 == self.before else 0.0)


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
