"""Places: no box lies on another or outside its frame, arrows begin and end at boxes, all steps look alike."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.networks import LOSSES, TIMED, drawn, report
from tinygrad_rnn import viz
from tinygrad_rnn.viz.letters import SMALL, text_width
from tinygrad_rnn.viz.picture import picture

LEVELS = ("rolled", "cell", "ops")
EVERY = [(name, level) for name in TIMED for level in LEVELS]
EVERY += [("no time", "ops"), ("backward of lstm", "ops"), ("backward of two layers", "ops")]
every_picture = pytest.mark.parametrize(("name", "level"), EVERY)
UNROLLED = [(name, level) for name, level in EVERY if level != "rolled" and name != "no time"]
EPSILON = 1e-6


def sides(shapes):
    """Return the left, right, top and bottom of boxes (x, y is the centre) or frames (the upper left corner)."""
    found = []
    for shape in shapes:
        left, top = shape.x, shape.y
        if hasattr(shape, "norm"):
            left, top = shape.x - shape.width / 2, shape.y - shape.height / 2
        found.append((left, left + shape.width, top, top + shape.height))
    return np.array(found).reshape(-1, 4).T


def overlaps(these, others):
    """Return the names of shapes that have more than their border in common."""
    left, right, top, bottom = sides(these)[:, :, None]
    west, east, north, south = sides(others) + np.array([[EPSILON], [-EPSILON], [EPSILON], [-EPSILON]])
    found = (left < east) & (west < right) & (top < south) & (north < bottom)
    return [(these[i].name, others[j].name) for i, j in np.argwhere(found) if these[i] is not others[j]]


def inside(shape, frame):
    left, right, top, bottom = sides([shape])[:, 0]
    return frame.x <= left and right <= frame.x + frame.width and frame.y <= top and bottom <= frame.y + frame.height


def curve(arrow, pieces=16):
    """Return points along an arrow, (N, 2)."""
    t = np.linspace(0, 1, pieces + 1)[:, None]
    points = np.array(arrow.points)
    bends = [points[i : i + 4] for i in range(0, len(points) - 1, 3)]
    return np.concatenate(
        [(1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d for a, b, c, d in bends]
    )


# ---- boxes and frames -----------------------------------------------------------------------------------------------


@every_picture
def test_no_box_lies_on_another_and_all_lie_in_the_picture(name, level):
    found = drawn(name, level)
    assert len({box.name for box in found.boxes}) == len(found.boxes)
    assert overlaps(found.boxes, found.boxes) == []
    left, right, top, bottom = sides(found.boxes)
    assert left.min() >= 0 <= top.min()
    assert right.max() <= found.width
    assert bottom.max() <= found.height


@every_picture
def test_every_box_lies_in_its_frame_and_in_no_other(name, level):
    found = drawn(name, level)
    boxes = {box.name: box for box in found.boxes}
    for frame in found.frames:
        assert all(inside(boxes[member], frame) for member in frame.boxes)
        strangers = [box for box in found.boxes if box.name not in frame.boxes]
        assert overlaps([frame], strangers) == []
        assert text_width(frame.label, 13) < frame.width


@every_picture
def test_frames_do_not_overlap_but_for_those_of_layers_which_lie_in_their_step(name, level):
    found = drawn(name, level)
    outer = [frame for frame in found.frames if not frame.inner]
    inner = [frame for frame in found.frames if frame.inner]
    assert overlaps(outer, outer) == overlaps(inner, inner) == []
    for frame in inner:
        (step,) = [other for other in outer if other.step == frame.step]
        assert step.x < frame.x
        assert frame.x + frame.width < step.x + step.width
        assert step.y < frame.y
        assert frame.y + frame.height < step.y + step.height


def test_every_layer_and_direction_has_a_frame_in_every_step():
    found = drawn("two layers, both directions", "cell")
    labels = {t: [frame.label for frame in found.frames if frame.inner and frame.step == t] for t in range(3)}
    lanes = {"layer 0", "layer 0, reverse", "layer 1", "layer 1, reverse"}
    assert all(set(found) == lanes and len(found) == 4 for found in labels.values())
    assert [frame.label for frame in drawn("two layers", "cell").frames if not frame.inner] == [
        "t = 0",
        "t = 1",
        "t = 2",
        "all steps",
    ]
    assert not any(frame.inner for frame in drawn("lstm", "ops").frames), "a single layer needs no name"


# ---- time goes to the right -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "level"), UNROLLED)
def test_the_same_row_has_the_same_height_in_every_step(name, level):
    rows = {}
    for box in drawn(name, level).boxes:
        if box.step is not None:
            rows.setdefault(box.row, set()).add(box.y)
    assert {row for row, heights in rows.items() if len(heights) > 1} == set()


@pytest.mark.parametrize(("name", "level"), UNROLLED)
def test_a_later_step_stands_further_right(name, level):
    places = {}
    for box in drawn(name, level).boxes:
        for step in box.fold or (box.step,):
            if step is not None:
                places.setdefault(step, set()).add(box.x)
    assert all(len(places[step]) == 1 for step in places), "one column for all boxes of a step"
    columns = [places[step].pop() for step in sorted(places)]
    assert columns == sorted(columns)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "two layers", "both directions", "reverse alone", "long"])
def test_a_state_that_is_carried_on_is_a_straight_line(name):
    found = drawn(name, "cell")
    boxes = {box.name: box for box in found.boxes}
    kind = "c" if any(box.caption == "c" for box in found.boxes) else "h"
    carried = [
        arrow
        for arrow in found.arrows
        if {boxes[arrow.tail].caption, boxes[arrow.head].caption} == {kind}
        and boxes[arrow.tail].step != boxes[arrow.head].step
    ]
    assert len(carried) >= 2
    assert all(len({y for _, y in arrow.points}) == 1 for arrow in carried)


def test_parameters_that_no_arrow_leaves_stand_below_the_gates():
    for box, other in itertools.product(drawn("gru", "cell").boxes, repeat=2):
        if box.kind == "parameter" and other.kind in ("gate", "state", "input") and other.step is not None:
            assert box.y > other.y


def test_what_is_outside_time_stands_where_it_belongs():
    found = drawn("hoisted", "ops")
    first, last = (min(box.x for box in found.boxes if box.step == t) for t in (0, 2))
    places = {box.caption: box.x for box in found.boxes if box.step is None}
    assert all(places[name] < first for name in ("h0", "c0", "x", "weight_ih_l0", "weight_hh_l0", "unbind"))
    assert all(places[name] > last for name in ("weight", "bias", "stack", "loss = sum"))
    assert places["loss = sum"] == max(places.values())


def test_each_direction_begins_on_its_own_side():
    found = drawn("two layers, both directions", "cell")
    starts = {box.name: box.x for box in found.boxes if box.caption in ("h0", "c0")}
    assert len(starts) == 8
    for name, x in starts.items():
        frames = [frame.x for frame in found.frames if frame.step is not None]
        assert x > max(frames) if "reverse" in name else x < min(frames)


def test_the_backward_pass_comes_from_the_right():
    found = drawn("backward of lstm", "ops")
    (seed,) = [box for box in found.boxes if box.caption == "seed"]
    assert seed.x == max(box.x for box in found.boxes)
    boxes = {box.name: box for box in found.boxes}
    gradients = [arrow for arrow in found.arrows if arrow.requires_grad]
    assert all(boxes[arrow.head].x <= boxes[arrow.tail].x for arrow in gradients)


def test_the_totals_stand_in_the_rows_of_their_parameters():
    found = drawn("lstm", "ops")
    rows = {box.row: box.y for box in found.boxes if box.kind == "parameter"}
    totals = [box for box in found.boxes if box.kind == "total"]
    assert {box.row: box.y for box in totals} == rows
    assert len(totals) == 4


# ---- arrows ---------------------------------------------------------------------------------------------------------


@every_picture
def test_arrows_begin_and_end_on_the_border_of_their_boxes(name, level):
    found = drawn(name, level)
    boxes = {box.name: box for box in found.boxes}
    for arrow in found.arrows:
        assert len(arrow.points) >= 4
        assert len(arrow.points) % 3 == 1
        for end, (x, y) in ((arrow.tail, arrow.points[0]), (arrow.head, arrow.points[-1])):
            box = boxes[end]
            beside, above = abs(x - box.x) - box.width / 2, abs(y - box.y) - box.height / 2
            assert max(beside, above) == pytest.approx(0, abs=EPSILON), f"{arrow.tail} -> {arrow.head}"
        points = np.array(arrow.points)
        assert (points >= 0).all()
        assert (points <= (found.width, found.height)).all()


@every_picture
def test_no_arrow_passes_through_a_box(name, level):
    found = drawn(name, level)
    left, right, top, bottom = sides(found.boxes)
    names = [box.name for box in found.boxes]
    crossed = set()
    for arrow in found.arrows:
        x, y = (axis[:, None] for axis in curve(arrow).T)
        hit = ((left + 1 < x) & (x < right - 1) & (top + 1 < y) & (y < bottom - 1)).any(axis=0)
        crossed |= {(arrow.tail, arrow.head, names[i]) for i in np.flatnonzero(hit)}
    assert {hit for hit in crossed if hit[2] not in hit[:2]} == set()


def test_both_arrows_of_a_square_can_be_seen():
    with tg.scope("t", 0):
        x = tg.tensor(3.0, requires_grad=True).named("x") * 1.0
        y = x * x
    first, second = [arrow for arrow in picture(viz.gradient_flow(y), "ops").arrows if arrow.head == "t0_loss"]
    assert first.tail == second.tail
    assert {first.points[0][1], first.points[-1][1]} == {second.points[0][1], second.points[-1][1]}
    assert abs(first.points[0][0] - second.points[0][0]) == 8


@pytest.mark.parametrize("name", TIMED)
def test_a_factor_lies_on_no_box_and_no_arrow(name):
    found = drawn(name, "cell")
    left, right, top, bottom = sides(found.boxes)
    for arrow in found.arrows:
        if not arrow.text:
            continue
        x, y = arrow.text_at
        half = text_width(arrow.text, SMALL) / 2
        assert not ((left < x + half) & (x - half < right) & (top < y + 5) & (y - 5 < bottom)).any()
        for other in found.arrows:
            xs, ys = curve(other, 64).T
            assert not ((abs(xs - x) < half - 4) & (abs(ys - y) < 4)).any(), f"{other.tail} -> {other.head}"


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "two layers", "long", "both directions"])
def test_a_factor_straddles_no_frame(name):
    found = drawn(name, "cell")
    told = [arrow for arrow in found.arrows if arrow.text]
    assert told
    for arrow in told:
        (x, y), wide = arrow.text_at, text_width(arrow.text, SMALL) / 2
        for frame in found.frames:
            sides = [frame.x, frame.x + frame.width] if frame.y <= y <= frame.y + frame.height else []
            assert not any(x - wide < side < x + wide for side in sides), (arrow.tail, arrow.text)


def test_gates_are_filled_from_the_side_so_that_no_rim_strikes_out_a_line():
    assert 'gradientangle="0"' in viz.dot_source(viz.gradient_flow(LOSSES["lstm"](), statistics=True), "cell")


def test_a_factor_stands_below_where_another_arrow_comes_from_above():
    above = [arrow for arrow in drawn("lstm", "cell").arrows if arrow.text]
    below = [arrow for arrow in drawn("own cell", "cell").arrows if arrow.text]
    assert above
    assert below
    assert all(arrow.text_at[1] < arrow.points[0][1] for arrow in above)
    assert all(arrow.text_at[1] > arrow.points[0][1] for arrow in below), "h comes into c from above"


# ---- folds and flags ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["cell", "ops"])
def test_a_fold_is_as_high_as_the_steps_and_arrows_leave_it_in_their_rows(level):
    found = drawn("long", level)
    boxes = {box.name: box for box in found.boxes}
    fold = boxes["fold0"]
    _, _, top, bottom = sides([box for box in found.boxes if box.step is not None])
    assert (fold.y - fold.height / 2, fold.y + fold.height / 2) == pytest.approx((top.min(), bottom.max()))
    rows = {box.row: box.y for box in found.boxes if box.step is not None}
    leaving = [arrow for arrow in found.arrows if arrow.tail == "fold0"]
    assert {arrow.tail_row for arrow in leaving} == {"h", "c"}
    assert all(arrow.points[0][1] == pytest.approx(rows[arrow.tail_row]) for arrow in leaving)
    entering = [arrow for arrow in found.arrows if arrow.head == "fold0"]
    assert entering
    assert all(arrow.points[-1][1] == pytest.approx(rows[arrow.head_row]) for arrow in entering)
    assert all(boxes[arrow.head].x > fold.x for arrow in leaving)


@pytest.mark.parametrize(
    ("name", "window"), [("long", None), ("long", (0, 40)), ("long", (39, 40)), ("exploding", None)]
)
def test_a_flag_stands_above_its_step_and_its_pole_ends_there(name, window):
    found = drawn(name, "cell", window)
    (flag,) = found.flags
    (owner,) = {box.x for box in found.boxes if box.step == flag.step or _folds(box, flag.step)}
    assert flag.x == pytest.approx(owner)
    frames = [frame.y for frame in found.frames if frame.step == flag.step]
    folds = [box.y - box.height / 2 for box in found.boxes if _folds(box, flag.step)]
    assert flag.foot == pytest.approx(*frames, *folds)
    half = text_width(flag.text) / 2
    assert half <= flag.x <= found.width - half
    assert 10 <= flag.y < flag.foot
    assert all(flag.y + 10 < y for arrow in found.arrows for _, y in arrow.points)
    assert all(flag.y + 10 < box.y - box.height / 2 for box in found.boxes)


def _folds(box, step):
    return box.fold is not None and box.fold[0] <= step <= box.fold[1]


# ---- without time, and without much at all --------------------------------------------------------------------------


def test_without_time_every_box_stands_right_of_what_it_reads():
    found = drawn("no time", "ops")
    assert not found.timed
    assert found.frames == found.flags == []
    boxes = {box.name: box for box in found.boxes}
    assert all(boxes[arrow.tail].x < boxes[arrow.head].x for arrow in found.arrows)


def test_a_single_leaf_has_a_place():
    (box,) = picture(viz.gradient_flow(tg.tensor(2.0, requires_grad=True).named("x"))).boxes
    assert (box.caption, box.x - box.width / 2, box.y - box.height / 2) == ("x", 6, 6)


def test_a_long_chain_is_laid_out():
    x = tg.ones(2, requires_grad=True)
    for _ in range(3000):
        x = x * 0.5
    found = picture(viz.gradient_flow(x.sum()))
    assert len({box.x for box in found.boxes}) == 3002


def test_every_network_was_looked_at():
    assert {name for name, _ in EVERY if not name.startswith("backward")} == set(LOSSES)
    assert all(len(report(name).nodes) > 5 for name in LOSSES)
