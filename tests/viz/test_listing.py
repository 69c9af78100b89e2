"""The Wengert list as text."""

from __future__ import annotations

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.errors import GraphError


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_every_value_has_a_line_with_its_equation_forward_and_then_backward():
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True).named("net.W")
    h = tg.zeros(1, 2)
    with tg.scope("t", 0):
        h = (h @ w.T[:, :2] + 0.5).tanh().named("h")
    loss = (1 - h).sum(axis=1)
    assert lines(viz.listing(loss)) == [
        "forward",
        "W leaf, requires grad (3, 2) 1 to 6",
        "v1 = transpose(W, axes=(1, 0)) (2, 3) 1 to 6",
        "v2 = v1[:, :2] (2, 2) 1, 3, 2, 4",
        "t0/data data (1, 2) 0, 0",
        "v3 = t0/data @ v2 (1, 2) 0, 0",
        "v4 = v3 + 0.5 (1, 2) 0.5, 0.5",
        "t0/h = tanh(v4) (1, 2) 0.462117, 0.462117",
        "v5 = 1 - t0/h (1, 2) 0.537883, 0.537883",
        "v6 = sum(v5, axes=(1,)) (1,) 1.07577",
        "backward (to see more: retain_grad() on a tensor, then backward(retain_graph=True))",
        "v6_bar the start (1,) not computed",
        "v5_bar from v6 (1, 2) not computed",
        "t0/h_bar from v5 (1, 2) not computed",
        "v4_bar from t0/h (1, 2) not computed",
        "v3_bar from v4 (1, 2) not computed",
        "v2_bar from v3 (2, 2) not computed",
        "v1_bar from v2 (2, 3) not computed",
        "W_bar from v1 (3, 2) not computed",
    ]


def test_gradients_that_are_there_are_shown_and_others_are_not_computed():
    x = tg.tensor(3.0, requires_grad=True).named("x")
    y = (x * x).retain_grad()
    z = y.exp()
    assert viz.listing(z).count("not computed") == 3
    z.backward(retain_graph=True)
    *_, start, square, leaf = lines(viz.listing(z))
    assert [start, square, leaf] == [
        "v2_bar the start () not computed",
        "v1_bar from v2 () 8103.08",
        "x_bar from v1, v1 () 48618.5",
    ]


def test_outputs_of_one_op_have_lines_of_their_own():
    a, b = tg.tensor([1.0, 2.0, 3.0], requires_grad=True).named("x").split([1, 2])
    text = lines(viz.listing((a * b).sum()))
    assert "v1.0 = split(x, sizes=[1, 2], axis=0) (1,) 1" in [line.replace("(1, 2)", "[1, 2]") for line in text]
    assert "v1.1 output 1 of the same (2,) 2, 3" in text
    assert "v2 = v1.0 * v1.1 (2,) 2, 3" in text


def test_a_leaf_an_empty_tensor_and_a_name_of_two_lines():
    empty = tg.zeros(0, 2).named("two\nlines")
    assert lines(viz.listing(empty)) == ["forward", "two lines data (0, 2) empty", "backward"]


def test_a_freed_graph_is_refused():
    x = tg.tensor(3.0, requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(GraphError, match=r"list before backward\(\), or call backward\(retain_graph=True\)"):
        viz.listing(y)


def test_each_output_of_a_node_names_its_own_readers():
    a = tg.tensor([2.0, 3.0], requires_grad=True).named("a")
    p, q = a.unbind()
    text = viz.listing(((p * 2.0).named("double") * q).named("loss"))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert any(line.startswith("v1.0_bar from double ()") for line in lines)
    assert any(line.startswith("v1.1_bar from loss ()") for line in lines)
