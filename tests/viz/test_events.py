"""The order in which pictures fill in, and the clock they share."""

from __future__ import annotations

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.viz.events import arrivals, clock
from tinygrad_rnn.viz.picture import picture

KINDS = [
    ("RNN", 1, False, 5), ("LSTM", 1, False, 5), ("LSTM", 1, False, 40), ("LSTM", 2, False, 4), ("GRU", 2, True, 4),
]  # fmt: skip


def measured(kind="LSTM", layers=1, both=False, steps=5):
    tg.manual_seed(0)
    net = getattr(nn, kind)(3, 4, layers, bidirectional=both, dtype="float64")
    output, _ = net.unroll(tg.randn(steps, 2, 3, dtype="float64"))
    return viz.gradient_flow((output[-1] * output[-1]).sum(axis=1))


@pytest.mark.parametrize("level", ["cell", "ops"])
@pytest.mark.parametrize(("kind", "layers", "both", "steps"), KINDS)
def test_each_box_comes_once_forward_after_what_it_reads_and_once_backward_after_what_reads_it(
    kind, layers, both, steps, level
):
    drawn = picture(measured(kind, layers, both, steps), level)
    times = clock([drawn])
    forward = {event.box: i for i, event in enumerate(times.forward[0])}
    backward = {event.box: i for i, event in enumerate(times.backward[0])}
    assert sorted(forward) == list(range(len(drawn.boxes))) == sorted({event.box for event in times.forward[0]})
    assert set(backward) == {i for i, box in enumerate(drawn.boxes) if box.requires_grad and box.kind != "copy"}
    place = {box.name: i for i, box in enumerate(drawn.boxes)}
    folds = {box.name for box in drawn.boxes if box.fold}
    for arrow in drawn.arrows:
        tail, head = place[arrow.tail], place[arrow.head]
        if both and {arrow.tail, arrow.head} & folds:
            continue  # a fold hears from the steps after it, and sends to them
        assert forward[tail] < forward[head], f"{arrow.tail} -> {arrow.head}"
        if tail in backward and head in backward:
            assert backward[head] < backward[tail], f"{arrow.head} sends to {arrow.tail}"


def test_time_steps_follow_each_other_layers_side_by_side():
    times = clock([picture(measured("LSTM", 2, False, 4), "cell")])
    assert [part.step for part in times.stretches if part.forward] == [None, 0, 1, 2, 3, None]
    assert [part.step for part in times.stretches if not part.forward] == [None, 3, 2, 1, 0, None]
    starts = [part.start for part in times.stretches]
    assert starts == [0, *[part.end for part in times.stretches][:-1]]


def test_a_reverse_layer_goes_through_time_the_other_way():
    tg.manual_seed(0)
    net = nn.RNN(3, 4, bidirectional=True, dtype="float64")
    steps, _ = nn.unroll(net.cell(reverse=True), tg.randn(3, 2, 3, dtype="float64"), reverse=True)
    times = clock([picture(viz.gradient_flow(steps[0].sum(axis=1)), "cell")])
    assert [part.step for part in times.stretches] == [None, 2, 1, 0, None, None, 0, 1, 2, None]


def test_pictures_turn_together_and_are_through_each_step_at_the_same_tick():
    pictures = [picture(measured(kind, steps=6), "cell") for kind in ("RNN", "LSTM", "GRU")]
    pictures.append(picture(measured("LSTM", steps=40), "cell"))
    times = clock(pictures)
    assert {events[-1].tick for events in times.forward} == {times.turn}
    assert {events[-1].tick for events in times.backward} == {times.ticks}
    assert {events[0].tick > times.turn for events in times.backward} == {True}
    for part in times.stretches:
        for drawn, events in zip(pictures, times.forward if part.forward else times.backward, strict=True):
            inside = [e for e in events if part.step is not None and drawn.boxes[e.box].step == part.step]
            assert all(part.start < event.tick <= part.end for event in inside)
            assert not inside or inside[-1].tick == part.end
    longest = max(times.backward, key=len)
    ticks = [event.tick for event in longest]
    assert ticks == sorted(set(ticks)), "the picture with the most boxes moves with every tick"


def test_parameters_are_read_along_with_what_reads_them():
    drawn = picture(measured("RNN"), "cell")
    times = clock([drawn])
    tick = {drawn.boxes[event.box].name: event.tick for event in times.forward[0]}
    assert tick["t3_weight_hh_l0"] == tick["t3_weight_ih_l0"] == tick["t3_data"] == tick["t3_h"] - 1


def test_the_part_of_a_step_arrives_with_the_parameters_box_or_the_last_of_the_step():
    report = measured("RNN", steps=40)
    drawn = picture(report, "cell")
    events = clock([drawn]).backward[0]
    found = arrivals(drawn, events, report.weights["weight_hh_l0"].node)
    names = [drawn.boxes[events[i].box].name for i in found]
    assert names[39] == "t39_weight_hh_l0"
    for fold in (box for box in drawn.boxes if box.fold):
        assert set(names[fold.fold[0] : fold.fold[1] + 1]) == {fold.name}
    assert found == sorted(found, reverse=True)
    other = [drawn.boxes[events[i].box] for i in arrivals(drawn, events, -1)]
    assert other[39].step == 39
    assert [box.step for box in other[:2]] == [0, None]


def test_without_time_there_is_one_stretch_each_way():
    a = tg.tensor(2.0, requires_grad=True).named("a")
    b = tg.tensor(3.0).named("b")
    drawn = picture(viz.gradient_flow((a * b + a).named("L")))
    times = clock([drawn])
    names = [[drawn.boxes[event.box].name for event in events] for events in (*times.forward, *times.backward)]
    assert names == [["a", "b", "mul", "L"], ["L", "mul", "a"]]
    assert [(part.step, part.start, part.end) for part in times.stretches] == [(None, 0, 4), (None, 4, 7)]
