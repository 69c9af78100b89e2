"""The cell drawn once: every value once, and what goes round with the factor by which it changes the gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.networks import drawn, report, unrolled
from tinygrad_rnn import viz
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.picture import picture


def loops(found):
    return {(arrow.tail, arrow.head): arrow for arrow in found.arrows if arrow.loop}


def geometric_mean(values):
    return math.exp(np.log(values).mean())


def test_every_value_of_a_step_is_drawn_once():
    found = drawn("lstm", "rolled")
    gates = ["input_gate_i", "forget_gate_f", "candidate_g", "output_gate_o"]
    weights = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    assert sorted(box.name for box in found.boxes) == sorted([*gates, *weights, "data", "c", "h", "loss"])
    assert [frame.label for frame in found.frames] == ["each of 3 steps"]
    assert found.flags == []


def test_what_the_next_step_reads_goes_round():
    assert loops(drawn("lstm", "rolled")).keys() == {
        ("h", "input_gate_i"),
        ("h", "forget_gate_f"),
        ("h", "candidate_g"),
        ("h", "output_gate_o"),
        ("c", "c"),
    }
    assert loops(drawn("rnn", "rolled")).keys() == {("h", "h")}
    assert loops(drawn("gru", "rolled")).keys() == {
        ("h", name) for name in ("reset_gate_r", "update_gate_z", "candidate_n", "h")
    }
    assert loops(drawn("own cell", "rolled")).keys() == {("c", "keep"), ("c", "c"), ("h", "c")}


@pytest.mark.parametrize("name", ["rnn", "reverse alone", "long"])
def test_a_factor_is_the_mean_attenuation_where_there_is_a_single_path(name):
    """Of an Elman cell all that reaches h_{t-1} comes from h_t; of the LSTM that is so for no state."""
    flow = viz.gradient_flow(unrolled("RNN", 40)) if name == "long" else report(name)
    arrow = loops(picture(flow, "rolled"))["h", "h"]
    factor = geometric_mean(flow.attenuation("h"))
    assert arrow.text == f"×{factor:.2g}"
    assert f"per step it is {factor:.4g} times the gradient it comes from (geometric mean)" in arrow.tooltip


@pytest.mark.parametrize("name", ["lstm", "gru", "long", "own cell"])
def test_factors_are_means_over_the_steps_of_message_by_gradient(name):
    flow, found = report(name), loops(drawn(name, "rolled"))
    norms = {node.name: node.norm for node in flow.nodes}
    assert flow.paths
    for path in flow.paths:
        child = next(
            head
            for tail, head in found
            if tail == path.parent and (head == path.child or head.endswith(f"_{path.child}"))
        )
        ratios = [sent / norms[f"t{t}_{child}"] for t, sent in zip(path.steps, path.norms, strict=True)]
        assert found[path.parent, child].text.endswith(f"×{geometric_mean(ratios):.2g}")
    assert len(found) == len(flow.paths)


def test_only_what_goes_round_has_a_factor():
    for name in ("lstm", "two layers", "hoisted"):
        assert {arrow.loop for arrow in drawn(name, "rolled").arrows if arrow.text} == {True}
        assert {arrow.loop for arrow in drawn(name, "rolled").arrows if not arrow.text} == {False}


@pytest.mark.parametrize("name", ["zero", "nan"])
def test_without_a_gradient_there_is_no_factor(name):
    found = loops(drawn(name, "rolled"))
    assert len(found) == 5
    assert {arrow.text for arrow in found.values()} == {""}


def test_boxes_show_the_sizes_at_both_ends_of_time():
    flow = report("long")
    (h,) = [box for box in drawn("long", "rolled").boxes if box.name == "h"]
    assert h.lines == ("h", f"t=39: grad {flow.hidden_grad[-1]:.2g}", f"t=0: grad {flow.hidden_grad[0]:.2g}")
    assert h.norm == flow.hidden_grad[-1]
    assert f"at t=39: {flow.hidden_grad[-1]:.6g}\nat t=0: {flow.hidden_grad[0]:.6g}" in h.tooltip
    (weight,) = [box for box in drawn("long", "rolled").boxes if box.name == "weight_hh_l0"]
    assert weight.norm == flow.weights["weight_hh_l0"].total
    assert weight.lines == ("weight_hh_l0", f"grad {weight.norm:.2g}")


def test_arrows_show_the_message_of_the_step_next_to_the_loss():
    flow = report("long")
    links = {(flow.nodes[link.child].name, flow.nodes[link.parent].name): link.norm for link in flow.links}
    for arrow in drawn("long", "rolled").arrows:
        if arrow.requires_grad and arrow.head != "loss":
            assert arrow.norm == links[f"t39_{arrow.head}", f"t{38 if arrow.loop else 39}_{arrow.tail}"]


@pytest.mark.parametrize("name", ["lstm", "gru", "long", "own cell"])
def test_widths_are_the_mean_shares_over_the_steps(name):
    flow = report(name)
    for arrow in drawn(name, "rolled").arrows:
        shares = [
            link.share
            for link in flow.links
            if words.row(flow.nodes[link.child]) == arrow.head and words.row(flow.nodes[link.parent]) == arrow.tail
            if link.share is not None and arrow.loop == (flow.nodes[link.child].step != flow.nodes[link.parent].step)
        ]
        if arrow.requires_grad and arrow.head != "loss":
            assert arrow.share == pytest.approx(np.mean(shares), rel=1e-12)
            assert arrow.width == pytest.approx(max(5 * abs(arrow.share), 0.4), abs=0.005)


def test_gates_are_filled_to_their_mean_over_the_steps():
    flow = viz.gradient_flow(unrolled("GRU", 5), statistics=True)
    levels = {box.name: box.level for box in picture(flow, "rolled").boxes}
    for gate in flow.gates:
        name = f"{gate.name}_{gate.label}"
        assert levels[name] == (None if gate.label == "n" else pytest.approx(gate.mean.mean(), rel=1e-12))
    assert levels["h"] is None
    assert {box.level for box in drawn("gru", "rolled").boxes} == {None}, "unless values were measured"


def test_layers_and_directions_are_told_apart():
    found = drawn("two layers, both directions", "rolled")
    lanes = {"layer 0", "layer 0, reverse", "layer 1", "layer 1, reverse"}
    assert {frame.label for frame in found.frames if frame.inner} == lanes
    into = {arrow.tail for arrow in found.arrows if arrow.head == "layer1_reverse_candidate_g" and not arrow.loop}
    assert into == {"layer0_h", "layer0_reverse_h"}


def test_what_starts_the_recurrence_is_no_part_of_every_step():
    assert not any(box.caption in ("h0", "c0") for box in drawn("lstm", "rolled").boxes)
    assert {box.caption for box in drawn("one step", "rolled").boxes} >= {"h0", "c0"}, "of a single step it is"
    assert [frame.label for frame in drawn("one step", "rolled").frames] == ["t = 0"]


def test_a_graph_without_time_is_refused():
    with pytest.raises(InputError, match=r"compute step t inside tg.scope\('t', t\) and name its states"):
        drawn("no time", "rolled")


def test_a_measurement_without_links_has_no_factors():
    found = picture(viz.gradient_flow(unrolled(), links=False), "rolled")
    assert len(loops(found)) == 5
    assert all(arrow.norm is None and not arrow.text for arrow in found.arrows)
    assert all(box.norm is not None for box in found.boxes if box.kind == "state")


def test_gradients_at_hand_can_be_rolled():
    losses = unrolled()
    found = viz.dot_source(losses, "rolled")
    assert '"c" -> "c"' in found
    assert "×" not in found.partition("cluster_t2")[2], "nothing is computed, and so no factor"
    losses.sum().backward(retain_graph=True)
    assert isinstance(viz.dot_source(losses, "rolled"), str)


def test_steps_that_skip_are_left_out():
    h = first = tg.tensor([[1.0, 2.0]], requires_grad=True).named("h0")
    for t in range(3):
        with tg.scope("t", t):
            h = (h * 0.5 + (first * 0.1 if t == 2 else 0.0)).named("h")
            first = h if t == 0 else first
    found = picture(viz.gradient_flow(h.sum(axis=1)), "rolled")
    assert [(ends, arrow.text) for ends, arrow in loops(found).items()] == [(("h", "h"), "×0.5")]


def test_a_factor_of_zero_is_not_left_out_of_the_mean():
    h = tg.tensor([[1.0]], dtype="float64", requires_grad=True)
    for t in range(5):
        with tg.scope("t", t):
            h = (h * (0.0 if t == 2 else 2.0)).named("h")
    (arrow,) = [arrow for arrow in picture(viz.gradient_flow(h.sum(axis=1)), "rolled").arrows if arrow.loop]
    assert arrow.text == "×0"


def test_two_factors_on_arrows_into_one_box_are_told_apart_and_apart():
    found = drawn("own cell", "rolled")
    into_c = [arrow for arrow in loops(found).values() if arrow.head == "c"]
    assert sorted(arrow.text.split()[0] for arrow in into_c) == ["c", "h"]
    (x0, y0), (x1, y1) = (arrow.text_at for arrow in into_c)
    assert abs(y0 - y1) >= 12 or abs(x0 - x1) >= 60, "a line of text each"
    assert len({arrow.points[-1] for arrow in into_c}) == 2
    assert {len(arrow.text.split()) for arrow in loops(drawn("lstm", "rolled")).values()} == {1}, "the factor alone"


def test_data_outside_time_is_not_taken_for_the_input_of_the_same_name():
    tg.manual_seed(0)
    target = tg.randn(2, 4, dtype="float64").named("data")
    outputs, _ = tg.nn.unroll(tg.nn.RNNCell(3, 4, dtype="float64"), tg.randn(3, 2, 3, dtype="float64"))
    found = picture(viz.gradient_flow((outputs[-1] - target).square().sum(axis=1)), "rolled")
    assert [arrow.tail for arrow in found.arrows if arrow.head == "loss"] == ["h", "outside_data"]
    assert {box.caption for box in found.boxes if "data" in box.name} == {"input", "data"}


def test_what_factors_and_ends_are_is_said():
    title = viz.dot_source(report("long"), "rolled").splitlines()[1].replace("\\l", " ")
    assert "× on an arrow into the next step: the factor by which this arrow alone" in title
    assert "t=39, t=0: at both ends of time" in title
