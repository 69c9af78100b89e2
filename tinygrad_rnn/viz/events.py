"""When what happens: pictures filled in box by box, values forward and then gradients backward, on one common clock.

One tick of the clock is one box, of the picture that has the most of them in a step; the others are spread over the
same ticks. So all pictures enter a step together, and turn round together.
"""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tinygrad_rnn.viz.shapes import Box, Picture

#: What orders the stretches of one pass: how often time has turned round before, and how far it got since.
_Mark = tuple[float, float]
#: The first and last step of time that a stretch covers; infinite before and after all steps.
_Time = tuple[float, float]
_BEFORE, _AFTER = (-math.inf, -math.inf), (math.inf, math.inf)


@dataclass(frozen=True)
class Event:
    """A box's turn: in the forward pass its value is computed, in the backward pass its gradient is complete."""

    box: int
    tick: int


@dataclass(frozen=True)
class Stretch:
    """The ticks start + 1 to end, in which the pictures go through one step of time (None: through none)."""

    forward: bool
    step: int | None
    start: int
    end: int


@dataclass(frozen=True)
class Clock:
    """The events of several pictures; those of the backward pass come after the tick `turn`."""

    ticks: int
    turn: int
    stretches: tuple[Stretch, ...]
    forward: tuple[tuple[Event, ...], ...]  # by picture
    backward: tuple[tuple[Event, ...], ...]


def clock(pictures: Sequence[Picture]) -> Clock:
    """Return the events of pictures on one clock.

    What requires no grad has no turn in the backward pass, nor has a copy of a value from outside time: the gradient
    is summed where the value stands.
    """
    orders = [order(picture) for picture in pictures]
    back = [
        [i for i in reversed(boxes) if picture.boxes[i].requires_grad and picture.boxes[i].kind != "copy"]
        for picture, boxes in zip(pictures, orders, strict=True)
    ]
    forward, turn, stretches = _timed(pictures, orders, True, 0)
    backward, ticks, more = _timed(pictures, back, False, turn)
    return Clock(ticks, turn, (*stretches, *more), forward, backward)


def arrivals(picture: Picture, backward: Sequence[Event], node: int) -> list[int]:
    """Return for every step of the report which event of the backward pass brings its contribution to a parameter.

    That is the turn of the parameter's own box in the step, or else of the last box of the step.
    """
    found: dict[int, int] = {}
    own: dict[int, int] = {}
    for i, event in enumerate(backward):
        box = picture.boxes[event.box]
        if box.step is not None:
            found[box.step] = i
            if box.node == node:
                own[box.step] = i
        elif box.fold is not None:
            found |= {step: i for step in picture.report.steps if box.fold[0] <= step <= box.fold[1]}
    found |= own
    return [found.get(step, len(backward) - 1) for step in picture.report.steps]


# ---- the order within one picture -----------------------------------------------------------------------------------


def order(picture: Picture) -> list[int]:
    """Return the boxes so that each comes after those it reads, step by step as far as that goes.

    What reads nothing comes right before its first reader; if it stands outside time, before all steps that read it.
    """
    boxes = picture.boxes
    position = {box.name: i for i, box in enumerate(boxes)}
    tails: dict[int, list[int]] = {i: [] for i in range(len(boxes))}
    heads: dict[int, list[int]] = {i: [] for i in range(len(boxes))}
    for arrow in picture.arrows:
        tails[position[arrow.head]].append(position[arrow.tail])
        heads[position[arrow.tail]].append(position[arrow.head])
    times = _times(boxes)
    keys = [(times[i], box.order, i) for i, box in enumerate(boxes)]
    computed = [i for i in tails if tails[i]]
    first: list[int] = []
    alone: dict[_Time, list[int]] = {}  # boxes with no arrows, such as a parameter's share in each step
    for i in sorted(set(tails) - set(computed), key=keys.__getitem__):
        if times[i] == _BEFORE or (times[i] == _AFTER and any(times[head] != _AFTER for head in heads[i])):
            first.append(i)
        elif not heads[i]:
            alone.setdefault(times[i], []).append(i)
    done: dict[int, None] = dict.fromkeys(first)
    missing = {i: sum(bool(tails[tail]) for tail in tails[i]) for i in computed}
    waiting = [keys[i] for i in computed if not missing[i]]
    late = sorted((keys[i] for i in computed), reverse=True)
    heapq.heapify(waiting)
    while waiting or late:
        # A fold may both send to a box and hear from it; then nothing can be next, and the earliest of all is.
        i = (heapq.heappop(waiting) if waiting else late.pop())[2]
        if i in done:
            continue
        done |= dict.fromkeys(alone.pop(times[i], ()))
        done |= dict.fromkeys(sorted((tail for tail in tails[i] if not tails[tail]), key=keys.__getitem__))
        done[i] = None
        for head in heads[i]:
            missing[head] -= 1
            if missing[head] == 0:
                heapq.heappush(waiting, keys[head])
    return list(done | dict.fromkeys(sorted(tails, key=keys.__getitem__)))


def _times(boxes: Sequence[Box]) -> list[_Time]:
    """Return the steps of each box: outside time, before or after all steps by where it stands."""
    first = min((box.x for box in boxes if box.step is not None or box.fold is not None), default=-math.inf)
    return [
        box.fold if box.fold else (box.step, box.step) if box.step is not None else (_AFTER, _BEFORE)[box.x < first]
        for box in boxes
    ]


# ---- several pictures on one clock ----------------------------------------------------------------------------------


def _timed(
    pictures: Sequence[Picture], orders: Sequence[Sequence[int]], forward: bool, start: int
) -> tuple[tuple[tuple[Event, ...], ...], int, list[Stretch]]:
    """Return the events of one pass by picture, the tick at which it is over, and its stretches."""
    parts = [_stretches(_times(picture.boxes), boxes, forward) for picture, boxes in zip(pictures, orders, strict=True)]
    steps = {mark: step for part in parts for mark, step, _ in part}
    events: list[list[Event]] = [[] for _ in pictures]
    inside = [{mark: boxes for mark, _, boxes in part} for part in parts]
    stretches = []
    for mark in sorted(steps):
        turns = [
            [i for i, j in enumerate(boxes.get(mark, ())) if not (forward and _read_along(picture.boxes[j]))]
            for picture, boxes in zip(pictures, inside, strict=True)
        ]
        length = max(1, *map(len, turns))
        for boxes, counted, done in zip(inside, turns, events, strict=True):
            count = max(len(counted), 1)
            for i, box in enumerate(boxes.get(mark, ())):
                number = min(bisect.bisect_left(counted, i) + 1, count)
                done.append(Event(box, start + number * length // count))
        stretches.append(Stretch(forward, steps[mark], start, start + length))
        start += length
    return tuple(map(tuple, events)), start, stretches


def _read_along(box: Box) -> bool:
    """Whether a box has no turn of its own in the forward pass: a parameter is read along with what reads it."""
    return box.kind in ("parameter", "copy") and box.step is not None


def _stretches(
    times: Sequence[_Time], boxes: Iterable[int], forward: bool
) -> list[tuple[_Mark, int | None, list[int]]]:
    """Cut an order of boxes where the step changes; return each stretch with its mark and its step.

    A fold counts as the step at which it is left. Layers in both directions go through time more than once.
    """

    def time_of(i: int) -> _Time:
        """Return when a box comes; what is read before the first step may stand on either side."""
        return _AFTER if times[i] == _BEFORE else times[i]

    runs = [(time, list(part)) for time, part in groupby(boxes, key=time_of)]
    found: list[tuple[_Mark, int | None, list[int]]] = []
    lap, i = 1, 0
    while i < len(runs):
        if math.isinf(runs[i][0][0]):
            mark = (0.0, 0.0) if i == 0 else (math.inf, 0.0) if i == len(runs) - 1 else (lap, 0.0)
            found.append((mark, None, runs[i][1]))
            i, lap = i + 1, lap + (0 < i < len(runs) - 1)
            continue
        rising = forward
        end = i + 1
        while end < len(runs) and not math.isinf(runs[end][0][0]):
            if end == i + 1:
                rising = runs[end][0] > runs[i][0]
            elif (runs[end][0] > runs[end - 1][0]) != rising:
                break
            end += 1
        for (early, late), part in runs[i:end]:
            step = int(late if rising else early)
            found.append(((lap, step if rising else -step), step, part))
        i, lap = end, lap + 1
    return found
