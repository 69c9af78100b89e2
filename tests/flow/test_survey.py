"""What nodes are called, which step they belong to, and in which order they come."""

from __future__ import annotations

import re

import tinygrad_rnn as tg
from tests.flow.cells import example, lstm_losses, parameters, tensors
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.flow.survey import look_over


def names(losses):
    return [node.name for node in gradient_flow(losses).nodes]


def test_names_are_readable_unique_and_the_same_each_time():
    x, readout = example(steps=3)
    found = names(lstm_losses(tensors(parameters(2, 3, 4)), x, readout))
    assert found == names(lstm_losses(tensors(parameters(2, 3, 4)), x, readout))
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"\w+", name, re.ASCII) for name in found)
    assert {"U", "t0_h", "t2_c", "t1_f", "t2_matmul", "loss"} <= set(found)


def test_scopes_that_all_steps_share_are_left_out_and_those_inside_a_step_are_not():
    x = tg.ones(2, requires_grad=True).named("x")
    with tg.scope("net"), tg.scope("layer", 3):
        for t in range(2):
            with tg.scope("t", t), tg.scope("forget_gate"):
                x = x.sigmoid()
    with tg.scope("head"):
        x = x * 2.0
    assert names(x.sum()) == ["x", "t0_forget_gate_sigmoid", "t1_forget_gate_sigmoid", "head_mul", "loss"]


def test_time_is_the_innermost_t():
    x = tg.ones(2, requires_grad=True)
    with tg.scope("t", 7), tg.scope("t", 1):
        x = x.tanh()
    assert gradient_flow(x).steps == (1,)


def test_equal_names_are_numbered_without_clashing_with_given_ones():
    x = tg.ones(2, requires_grad=True).named("a")
    y = x.tanh().named("a_2").tanh().named("a").tanh().named("a")
    assert names(y) == ["a", "a_2", "a_3", "a_4"]


def test_data_belongs_to_the_step_that_reads_it_and_numbers_are_no_nodes():
    w = tg.ones(2, requires_grad=True).named("w")
    shared = tg.ones(2).named("mask")
    h = w
    for t in range(2):
        with tg.scope("t", t):
            h = h * tg.ones(2) * shared * 0.5
    report = gradient_flow(h)
    steps = {n.name: n.step for n in report.nodes if n.op is None}
    assert steps == {"w": None, "t0_data": 0, "mask": None, "t1_data": 1}
    assert report.node("t0_mul_3").constants == ((1, 0.5),)


def test_every_node_comes_after_its_parents_and_both_inputs_of_a_square_are_edges():
    x, readout = example(steps=2)
    losses = lstm_losses(tensors(parameters(2, 3, 4)), x, readout)
    report = gradient_flow(losses * losses)
    assert all(edge.parent < edge.child for edge in report.edges)
    root = len(report.nodes) - 1
    assert [(e.position, e.parent) for e in report.edges if e.child == root] == [(0, root - 1), (1, root - 1)]


def test_a_long_chain_does_not_recurse():
    x = tg.ones(1, requires_grad=True)
    for _ in range(20_000):
        x = x + 1.0
    survey, nodes = look_over(x._node)
    assert len(survey.entries) == len(nodes) == 20_001


def test_an_op_with_several_outputs_is_one_node_with_the_size_of_all():
    x = tg.ones(4, dtype="float64", requires_grad=True)
    a, b = x.split(2)
    report = gradient_flow((a * 3.0 + b * 4.0).sum())
    assert report.node("split").norm == (2 * 9 + 2 * 16) ** 0.5


def test_a_node_outside_time_is_no_anchor_if_only_one_step_leads_to_it():
    x = tg.ones(2, requires_grad=True)
    with tg.scope("t", 0):
        h = x.tanh().named("h")
    between = h * 2.0
    after = []
    for t in (1, 2):
        with tg.scope("t", t):
            after.append((between * float(t)).named("h"))
    survey, position = look_over((after[0] + after[1]).sum().edge[0])
    assert position[between.edge[0]] not in survey.anchors


def test_a_link_from_an_op_with_several_outputs_has_the_norm_of_all_their_gradients():
    x = tg.ones(2, requires_grad=True)
    a, b = (x * 2.0).chunk(2)
    a.named("a"), b.named("b")
    report = gradient_flow((a * 3.0 + b * 4.0).sum())
    assert [link.norm for link in report.links if report.nodes[link.parent].label == "a, b"] == [5.0]


def test_without_data_results_count_as_examples_and_parameters_as_shared_by_all():
    x = tg.ones(2, requires_grad=True)
    assert gradient_flow(x * x).nodes[-1].norm == 1.0
