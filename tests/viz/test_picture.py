"""What is drawn: which boxes and arrows there are at each level, what is folded away, and that the sizes are right."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.networks import drawn, exploding, hoisted, last_of_reverse, module, report, unrolled
from tinygrad_rnn import viz
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import reasons
from tinygrad_rnn.viz.picture import picture


def boxes(found):
    return {box.name: box for box in found.boxes}


def folds(found):
    return [box.fold for box in found.boxes if box.kind == "fold"]


def shown(found):
    return sorted({box.step for box in found.boxes if box.step is not None})


# ---- levels ---------------------------------------------------------------------------------------------------------


def test_the_level_follows_the_size_unless_given():
    assert drawn("rnn").level == "ops"
    assert drawn("long").level == "cell"
    assert drawn("own cell without names").level == "ops"
    assert drawn("backward of two layers, both directions").level == "ops", "it has no named gates"


def test_an_unknown_level_is_refused():
    with pytest.raises(InputError, match="the level 'op' is unknown; use one of rolled, cell, ops"):
        drawn("rnn", "op")


def test_ops_has_every_node_and_every_edge():
    found, flow = drawn("lstm", "ops"), report("lstm")
    assert {box.node for box in found.boxes} == set(range(len(flow.nodes)))
    ends = [(found_boxes[arrow.head].node, found_boxes[arrow.tail].node, arrow.norm) for found_boxes in [boxes(found)]
            for arrow in found.arrows]  # fmt: skip
    assert sorted(ends, key=str) == sorted(((edge.child, edge.parent, edge.norm) for edge in flow.edges), key=str)


def test_cell_has_the_named_values_and_what_goes_in():
    found = boxes(drawn("lstm", "cell"))
    gates = {"input_gate_i", "forget_gate_f", "candidate_g", "output_gate_o", "c", "h", "data"}
    weights = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
    for t in range(3):
        assert {box.name for box in found.values() if box.step == t} == {f"t{t}_{name}" for name in gates | weights}
    assert {box.name for box in found.values() if box.step is None} == {"t0_h0", "t0_c0", "loss"} | weights
    assert found["t1_forget_gate_f"].caption == "forget gate f"
    kinds = {"t1_c": "state", "t1_forget_gate_f": "gate", "t1_data": "input", "t1_bias_hh_l0": "parameter"}
    kinds |= {"loss": "loss", "bias_hh_l0": "total", "t0_h0": "input"}
    assert {name: found[name].kind for name in kinds} == kinds


@pytest.mark.parametrize("name", ["lstm", "gru", "two layers", "own cell"])
def test_arrows_between_gates_are_the_links_of_the_report(name):
    found, flow = drawn(name, "cell"), report(name)
    node = {box.name: box.node for box in found.boxes}
    ends = {(node[arrow.head], node[arrow.tail]): arrow.norm for arrow in found.arrows}
    assert ends == {(link.child, link.parent): link.norm for link in flow.links if (link.child, link.parent) in ends}
    unseen = {(link.child, link.parent): link.norm for link in flow.links if (link.child, link.parent) not in ends}
    assert set(unseen.values()) <= {0.0}


def test_boxes_have_the_size_of_their_gradient():
    flow = report("gru")
    for box in drawn("gru", "cell").boxes:
        if box.kind in ("state", "gate", "loss", "total"):
            assert box.norm == flow.nodes[box.node].norm
            share = ""
            if box.kind == "state":
                part = 100 * box.norm / flow.state("h").by_lag[0]
                share = f" ({part:.2g}%)" if part < 99.5 else f" ({part:.0f}%)"
            assert box.lines[-1] == f"grad {box.norm:.2g}{share}"


def test_a_state_shows_what_is_left_relative_to_the_last_step():
    flow = viz.gradient_flow(exploding(20))
    state = flow.cell[0]
    found = boxes(picture(flow, "cell", (0, 20)))
    for step, norm in zip(state.steps, state.norms, strict=True):
        share = norm / state.by_lag[0]
        said = found[f"t{step}_{state.kind}"].lines[-1]
        assert said.startswith(f"grad {norm:.2g} (")
        if share > 10:
            assert said.endswith(f"(×{share:.2g})")
    assert found[f"t19_{state.kind}"].lines[-1].endswith("(100%)")
    long = boxes(drawn("long", "cell"))["t0_h"]
    assert long.seen.share < 1e-4
    assert long.lines[-1].endswith("(<0.01%)")


def test_steps_that_are_stacked_and_not_read_have_no_arrow_from_afar():
    tg.manual_seed(0)
    output, _ = tg.nn.RNN(3, 4, dtype="float64").unroll(tg.randn(4, 2, 3, dtype="float64"))
    found = picture(viz.gradient_flow(output.permute(1, 0, 2)[:, -1].sum(axis=1)), "cell")
    assert [arrow.tail for arrow in found.arrows if arrow.head == "loss"] == ["t3_h"]


def test_the_loss_is_not_cut_off_where_there_is_no_gradient():
    (arrow,) = [arrow for arrow in drawn("zero", "cell").arrows if arrow.head == "loss"]
    assert (arrow.tail, arrow.norm) == ("t2_h", 0.0)


def test_layers_are_connected_step_by_step():
    found = drawn("two layers", "cell")
    read = {arrow.tail for arrow in found.arrows if arrow.head == "t2_layer1_candidate_g"}
    assert read == {"t2_layer0_h", "t1_layer1_h"}, "not every step of the layer below"


def test_the_reverse_direction_leads_to_earlier_steps():
    found = drawn("reverse alone", "cell")
    between = {(arrow.tail, arrow.head) for arrow in found.arrows if arrow.tail.endswith("_h")}
    assert between == {("t2_h", "t1_h"), ("t1_h", "t0_h"), ("t0_h", "loss")}


def test_an_input_has_one_arrow_for_every_time_it_is_read():
    x = tg.tensor(3.0, requires_grad=True).named("x")
    arrows = picture(viz.gradient_flow(x * x)).arrows
    assert [(arrow.tail, arrow.head, arrow.norm) for arrow in arrows] == [("x", "loss", 3.0)] * 2


# ---- shares and factors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["cell", "ops"])
@pytest.mark.parametrize("name", ["lstm", "gru", "two layers", "own cell", "hoisted", "long, losses"])
def test_arrows_are_as_wide_as_their_share(name, level):
    found, flow = drawn(name, level), report(name)
    node = {box.name: box.node for box in found.boxes}
    shares = {}
    for edge in flow.links if level == "cell" else flow.edges:
        shares.setdefault((edge.child, edge.parent), []).append(edge.share)
    parts = {box.name for box in found.boxes if box.kind == "parameter" and box.step is not None}
    for arrow in found.arrows:
        ends = node[arrow.head], node[arrow.tail]
        if None not in ends and arrow.tail not in parts and len(shares[ends]) == 1:
            assert [arrow.share] == shares[ends]
        if arrow.share is not None and arrow.seen.kind != "zero":
            assert arrow.width == pytest.approx(min(max(5 * abs(arrow.share), 0.4), 7.5), abs=0.005)
            assert re.search(rf"share of what arrives at .*: {arrow.share:.3g}(\n|$)", arrow.tooltip)
            assert arrow.against == (arrow.share < -0.005)


@pytest.mark.parametrize("name", ["lstm", "gru", "own cell", "two layers"])
def test_what_arrives_at_a_box_between_others_is_all_there(name):
    found, flow = drawn(name, "cell"), report(name)
    leaving = {}
    for arrow in found.arrows:
        leaving.setdefault(arrow.tail, []).append(arrow.share)
    states = [box for box in found.boxes if box.kind in ("state", "gate") and flow.nodes[box.node].norm]
    assert states
    for box in states:
        assert sum(leaving[box.name]) == pytest.approx(1, abs=1e-12)


def test_what_a_step_adds_to_a_parameter_is_brought_by_one_arrow():
    found = drawn("lstm", "ops")
    parts = {box.name for box in found.boxes if box.kind == "parameter" and box.step and box.norm}
    assert parts
    assert {arrow.share for arrow in found.arrows if arrow.tail in parts} == {1.0}


def test_several_messages_from_a_fold_have_no_share_in_common():
    (arrow,) = [a for a in drawn("long, losses", "cell").arrows if (a.tail, a.head) == ("fold0", "loss")]
    assert (arrow.share, arrow.width) == (None, 1.2)
    into = [arrow for arrow in drawn("long", "cell").arrows if arrow.tail == "fold0"]
    assert all(0 < abs(arrow.share) < 1 for arrow in into), "single messages have"


@pytest.mark.parametrize("name", ["lstm", "gru", "two layers", "reverse alone", "long"])
def test_the_factor_stands_on_the_way_from_a_state_to_itself(name):
    found, flow = drawn(name, "cell"), report(name)
    steps = {box.name: box for box in found.boxes}
    norms = {node.name: node.norm for node in flow.nodes}
    kind = flow.states[-1].kind
    texts = {(arrow.tail, arrow.head): arrow.text for arrow in found.arrows if arrow.text}
    for tail, head in texts:
        if steps[tail].fold is None and steps[head].fold is None:
            assert steps[tail].caption == steps[head].caption == kind
            (arrow,) = [arrow for arrow in found.arrows if (arrow.tail, arrow.head) == (tail, head)]
            assert arrow.text == f"×{arrow.norm / norms[head]:.2g}"
            assert f"\n{arrow.norm / norms[head]:.4g} times the gradient it comes from" in arrow.tooltip
    ways = [arrow for arrow in found.arrows if steps[arrow.tail].caption == steps[arrow.head].caption == kind]
    assert {(arrow.tail, arrow.head) for arrow in ways} <= texts.keys()
    assert ways
    assert not any(arrow.text for arrow in drawn(name, "ops").arrows)


def test_what_is_of_the_mean_loss_has_no_factor():
    def unhoisted():
        h = tg.zeros(2, 3, dtype="float64")
        b, d = (tg.ones(3, dtype="float64", requires_grad=True).named(name) for name in "bd")
        for t in range(2):
            with tg.scope("t", t):
                h = (h * 0.5 + (b + d)).tanh().named("h")
        return h.sum(axis=1)

    into = [arrow for arrow in picture(viz.gradient_flow(unhoisted()), "ops").arrows if arrow.tail.startswith("t1_add")]
    factors = {arrow.tail: "times the gradient" in arrow.tooltip for arrow in into}
    assert sorted(factors.values()) == [False, True], "b + d has no batch; what it is added to has"


# ---- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["cell", "ops"])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "two layers", "both directions", "own cell", "nan"])
def test_a_parameter_shows_what_each_step_contributes_and_the_total(name, level):
    found, flow = drawn(name, level), report(name)
    assert flow.weights
    for weight in flow.weights.values():
        ours = [box for box in found.boxes if box.node == weight.node]
        parts = {box.step: box.norm for box in ours if box.kind == "parameter"}
        np.testing.assert_array_equal([parts[t] for t in flow.steps], weight.per_step)
        (total,) = [box for box in ours if box.kind == "total"]
        np.testing.assert_array_equal(total.norm, weight.total)
        assert total.name == flow.nodes[weight.node].name
        assert "the sum over all steps" in total.tooltip
        assert all("contribution of this step" in box.tooltip for box in ours if box.kind == "parameter")


def test_a_parameter_that_one_step_alone_reads_is_not_repeated():
    h = tg.tensor([[1.0, 2.0]], requires_grad=True).named("start")
    w = tg.tensor([[0.5]], requires_grad=True).named("w")
    for t in range(3):
        with tg.scope("t", t):
            h = (h * w).named("h")
    found = picture(viz.gradient_flow(h.sum(axis=1)), "cell")
    parts = {name: [box.step for box in found.boxes if box.caption == name and box.kind == "parameter"]
             for name in ("start", "w")}  # fmt: skip
    assert parts == {"start": [None], "w": [0, 1, 2]}


def test_a_parameter_used_outside_time_is_drawn_once():
    (weight,) = [box for box in drawn("hoisted", "ops").boxes if box.caption == "weight_ih_l0"]
    assert (weight.kind, weight.step) == ("parameter", None)
    assert weight.norm == report("hoisted").weights["weight_ih_l0"].total


def test_what_is_shared_by_all_steps_is_repeated_in_each():
    found = [box for box in drawn("hoisted", "ops").boxes if box.caption == "unbind"]
    assert sorted((box.kind, box.step) for box in found if box.step is not None) == [("copy", t) for t in range(3)]
    assert [box.kind for box in found if box.step is None] == ["op"]


# ---- names ----------------------------------------------------------------------------------------------------------


def test_names_can_be_read():
    assert boxes(drawn("long", "cell", (3, 5))).keys() >= {"t3_forget_gate_f", "t4_c", "t3_weight_hh_l0"}
    assert boxes(drawn("two layers, both directions", "cell")).keys() >= {"t2_layer1_reverse_candidate_g"}


def test_a_repetition_is_not_called_like_something_else():
    w = tg.tensor([2.0], requires_grad=True).named("w")
    h = tg.tensor([1.0], requires_grad=True).named("h0")
    for t in range(2):
        with tg.scope("t", t):
            h = (h * w).named("w")
    found = boxes(picture(viz.gradient_flow(h), "ops"))
    assert (found["t0_w"].kind, found["t0_w_copy"].kind, found["w"].kind) == ("gate", "parameter", "total")


# ---- folds and windows ----------------------------------------------------------------------------------------------


def like_most(flow, first, last, kind="c"):
    """The two neighbouring steps between which as much comes straight as in the mean; the first and last to arrive."""
    at = {node.name: i for i, node in enumerate(flow.nodes)}
    sent = {(link.parent, link.child): link.share for link in flow.links}
    shares = {t: sent[at[f"t{t}_{kind}"], at[f"t{t + 1}_{kind}"]] for t in range(first, len(flow.steps) - 1)}
    mean = sum(shares.values()) / len(shares)
    arrives = min((t for t in shares if t <= last), key=lambda t: abs(shares[t] - mean))
    return arrives, arrives + 1


def test_a_step_like_most_is_drawn_and_said_to_be_where_the_last_mislead(monkeypatch):
    flow = report("long")
    assert set(like_most(flow, 39 - flow.horizon.steps, 36)).isdisjoint(shown(picture(flow, "cell")))
    monkeypatch.setattr(reasons, "LIKE", 0.0)
    assert flow.horizon.state == "c"
    step, sender = like_most(flow, 39 - flow.horizon.steps, 36)
    assert {step, sender} <= set(shown(picture(flow, "cell")))
    said = viz.dot_source(flow, "cell").replace("\\l", " ")
    assert f" at t={step}." in said
    assert f"That is why t={step} is drawn, too." in said
    assert "That is why" not in viz.dot_source(flow, "cell", window=(37, 40)), "here it is not"


@pytest.mark.parametrize(("level", "last"), [("cell", 3), ("ops", 2)])
def test_of_many_steps_both_ends_are_drawn_and_where_the_gradient_has_vanished(level, last, monkeypatch):
    monkeypatch.setattr(reasons, "LIKE", 0.0)
    flow = report("long")
    found = picture(flow, level)
    gone = 39 - flow.horizon.steps
    steps = {0, gone, gone + 1, *like_most(flow, gone, 39 - last), *range(40 - last, 40)}
    hidden = [range(low, high + 1) for low, high in folds(found)]
    assert set(range(40)).difference(*hidden) == set(shown(found))
    assert steps <= set(shown(found)) <= steps | {step + 1 for step in steps}, "no fold of a single step"
    fold = boxes(found)[f"fold{len(hidden) - 1}"]
    first, end = fold.fold
    wanted = [f"… {end + 1 - first} steps …", f"t = {first} to {end}"]
    for kind in "hc":
        norms = flow.state(kind).norms
        wanted += [f"going back, ‖∂L/∂{kind}‖", f"falls from {norms[end]:.1e} to {norms[first]:.1e}"]
    assert [line for line in fold.lines if "in between" not in line] == wanted
    assert fold.norm == flow.hidden_grad[end]


def test_other_verdicts_are_in_sight_too():
    grown = viz.gradient_flow(exploding(20))
    assert grown.verdict == "explodes"
    there = 19 - grown.explodes_at
    assert {0, there, there + 1, 17, 18, 19} == set(shown(picture(grown, "cell")))
    flow = viz.gradient_flow(last_of_reverse(30))
    gone = flow.horizon.steps
    assert flow.verdict == "vanishes"
    assert {gone, gone - 1} <= set(shown(picture(flow, "cell"))), "the loss is at the first step"


def test_where_nothing_vanishes_both_ends_are_drawn():
    flow = viz.gradient_flow(unrolled("RNN", 40), threshold=1e-300)
    assert flow.verdict == "survives"
    assert shown(picture(flow, "cell")) == [0, 37, 38, 39]


def test_short_sequences_are_not_folded():
    assert folds(picture(viz.gradient_flow(unrolled("RNN", 12)), "cell")) == []
    assert folds(picture(viz.gradient_flow(unrolled("RNN", 13)), "cell")) != []
    assert folds(picture(viz.gradient_flow(unrolled("RNN", 12)), "ops")) == []


def test_a_single_step_is_not_folded_unless_asked_for():
    state = viz.gradient_flow(unrolled("RNN", 13)).state("h")
    for lag in range(1, 13):
        flow = viz.gradient_flow(unrolled("RNN", 13), threshold=1.0001 * state.relative(lag))
        assert all(first < last for first, last in folds(picture(flow, "cell"))), flow.horizon
    assert folds(picture(flow, "cell", (0, 12))) == [(12, 12)]


@pytest.mark.parametrize("level", ["cell", "rolled"])
def test_targets_and_constants_of_the_loss_are_no_boxes_among_gates_and_states(level):
    losses = hoisted("LSTM")
    target = tg.tensor(np.ones(2)).named("target")
    found = picture(viz.gradient_flow((losses - 3.5 * tg.tensor(np.ones(2))) * target), level)
    outside = [box.caption for box in found.boxes if box.kind == "input" and box.step is None]
    assert "target" in outside
    assert "data" not in outside


@pytest.mark.parametrize(
    ("window", "hidden"),
    [
        ((10, 13), [(0, 9), (13, 39)]),
        ((0, 5), [(5, 39)]),
        ((38, 40), [(0, 37)]),
        ((30, 1000), [(0, 29)]),
        ((39, 40), [(0, 38)]),
        ((0, 1), [(1, 39)]),
        ((0, 40), []),
        ((-5, 40), []),
    ],
)
@pytest.mark.parametrize("level", ["cell", "ops"])
def test_a_window_shows_its_steps_and_folds_the_others(window, hidden, level):
    found = drawn("long", level, window)
    assert shown(found) == [step for step in range(40) if window[0] <= step < window[1]]
    assert folds(found) == hidden


def test_a_window_of_steps_that_count_from_elsewhere():
    tg.manual_seed(0)
    h = tg.randn(2, 3, dtype="float64")
    w = tg.randn(3, 3, dtype="float64", requires_grad=True).named("w")
    for t in range(60, 100):
        with tg.scope("t", t):
            h = (h @ w).tanh().named("h")
    found = picture(viz.gradient_flow(h.sum(axis=1)), "cell", (90, 100))
    assert shown(found) == list(range(90, 100))
    assert boxes(found)["fold0"].lines[:2] == ("… 30 steps …", "t = 60 to 89")


@pytest.mark.parametrize("window", [(40, 50), (-9, 0), (5, 5), (7, 3)])
def test_a_window_without_steps_is_refused(window):
    with pytest.raises(InputError, match=rf"no step lies in {window[0]}:{window[1]}; the graph has steps 0:40"):
        drawn("long", "cell", window)


def test_a_window_where_there_is_no_time_is_refused():
    with pytest.raises(InputError, match="the graph has no steps of time"):
        drawn("no time", "ops", (0, 1))


def test_a_fold_of_one_step():
    found = picture(viz.gradient_flow(unrolled("RNN", 3)), "cell", (0, 2))
    fold = boxes(found)["fold0"]
    assert fold.lines[:2] == ("… 1 step …", "t = 2")
    assert (fold.fold, shown(found)) == ((2, 2), [0, 1])


def test_arrows_into_a_fold_are_the_links_into_its_steps():
    found, flow = drawn("long", "cell", (38, 40)), report("long")
    sizes = {(arrow.tail_row, arrow.head): arrow.norm for arrow in found.arrows if arrow.tail == "fold0"}
    wanted = {}
    for link in flow.links:
        child, parent = flow.nodes[link.child], flow.nodes[link.parent]
        if child.step == 38 and parent.step == 37:
            wanted[parent.name.removeprefix("t37_"), child.name] = link.norm
    assert sizes == wanted
    assert len(wanted) == 5, "h to four gates, c to c"


def test_several_messages_between_a_fold_and_a_box_become_one_arrow():
    found, flow = drawn("long, losses", "cell"), report("long, losses")
    (arrow,) = [arrow for arrow in found.arrows if (arrow.tail, arrow.head) == ("fold0", "loss")]
    root = len(flow.nodes) - 1
    sent = [link.norm for link in flow.links if link.child == root and 1 <= flow.nodes[link.parent].step <= 36]
    assert len(sent) == 36
    assert arrow.norm == pytest.approx(math.hypot(*sent), rel=1e-12)
    assert arrow.tooltip.startswith("36 messages from loss to steps 1 to 36: ")


# ---- flags ----------------------------------------------------------------------------------------------------------


def test_the_step_where_the_gradient_has_vanished_is_marked():
    flow = report("long")
    (flag,) = drawn("long", "cell").flags
    assert (flow.verdict, flow.horizon.state) == ("vanishes", "c")
    assert flag.step == 39 - flow.horizon.steps
    assert flow.cell_grad[flag.step] < 0.01 * flow.cell_grad[39] <= flow.cell_grad[flag.step + 1]
    assert flag.text == "vanished: ‖∂L/∂c‖ < 0.01 of ‖∂L/∂c_T‖"


def test_the_flag_is_drawn_wherever_its_step_is():
    (here,), (folded,) = drawn("long", "cell", (20, 40)).flags, drawn("long", "cell", (38, 40)).flags
    assert here.step == folded.step
    assert here.step in shown(drawn("long", "cell", (20, 40)))
    assert here.step not in shown(drawn("long", "cell", (38, 40)))


def test_the_flag_tells_the_share_that_was_asked_for():
    flow = viz.gradient_flow(unrolled("RNN", 20), threshold=0.2)
    (flag,) = picture(flow).flags
    assert flag.step == 19 - flow.horizon.steps
    assert "< 0.2 of" in flag.text


def test_the_step_where_the_gradient_has_exploded_is_marked():
    flow = viz.gradient_flow(exploding())
    (flag,) = picture(flow).flags
    assert flow.verdict == "explodes"
    assert flag.step == 7 - flow.explodes_at
    assert flow.hidden_grad[flag.step] > 100 * flow.hidden_grad[7] >= flow.hidden_grad[flag.step + 1]
    assert flag.text == "exploded: ‖∂L/∂h‖ > 100 ‖∂L/∂h_T‖"


def test_in_the_reverse_direction_the_gradient_vanishes_at_late_steps():
    tg.manual_seed(0)
    net = tg.nn.RNN(3, 4, bidirectional=True, dtype="float64")
    x = tg.randn(20, 2, 3, dtype="float64")
    outputs, _ = tg.nn.unroll(net.cell(reverse=True), x, reverse=True)
    flow = viz.gradient_flow(outputs[0].sum(axis=1))
    (flag,) = picture(flow).flags
    assert flag.step == flow.horizon.steps
    assert flow.hidden_grad[flag.step] < 0.01 * flow.hidden_grad[0] <= flow.hidden_grad[flag.step - 1]


def test_the_step_of_the_first_nan_is_marked():
    (flag,) = drawn("nan", "ops").flags
    assert (flag.step, flag.text) == (2, "the first NaN or Inf: t2_tanh")
    tg.manual_seed(0)
    x = np.ones((3, 2, 3))
    x[1, 0, 0] = np.nan
    outputs, _ = tg.nn.unroll(tg.nn.LSTMCell(3, 4, dtype="float64"), tg.tensor(x))
    (flag,) = picture(viz.gradient_flow(outputs[-1].sum(axis=1), statistics=True), "cell").flags
    assert (flag.step, flag.text) == (1, "the first NaN or Inf: t1_data"), "where values are known, the first of them"


@pytest.mark.parametrize("name", ["rnn", "zero", "no time", "own cell without names"])
def test_there_is_no_flag_where_nothing_vanishes_or_explodes(name):
    assert drawn(name, "ops").flags == []


# ---- a graph and nothing else ---------------------------------------------------------------------------------------


def test_names_are_the_same_however_often_it_is_drawn():
    first, second = (picture(viz.gradient_flow(module(num_layers=2, bidirectional=True)), "ops") for _ in range(2))
    assert first.boxes == second.boxes
    assert first.arrows == second.arrows
    assert first.frames == second.frames


def test_an_empty_scale_is_refused():
    with pytest.raises(InputError, match="a scale of 0 decades has no colours"):
        picture(report("rnn"), decades=0)


def test_a_fold_tells_what_its_ends_hide():
    h = tg.tensor([[1.0]], dtype="float64", requires_grad=True)
    for t in range(40):
        with tg.scope("t", t):
            h = (h * (1e4 if t == 20 else 1e-4 if t == 10 else 1.0)).named("h")
    fold = boxes(picture(viz.gradient_flow(h.sum(axis=1)), "cell", (0, 3)))["fold0"]
    assert fold.lines[3:] == ("stays at 1.0e+00", "in between up to 1.0e+04")
