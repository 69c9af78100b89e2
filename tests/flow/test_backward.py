"""The backward pass as a graph: it computes the gradients, it is drawn, and it leaves everything as it was."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.errors import GraphError, ShapeError
from tinygrad_rnn.flow import backward_graph, gradient_flow


def lstm(steps=4):
    tg.manual_seed(0)
    net = nn.LSTM(3, 4, dtype="float64")
    outputs, _ = net.unroll(tg.randn(steps, 2, 3, dtype="float64"))
    return net, outputs[-1].square().sum(axis=1)


def test_what_it_computes_last_are_the_gradients_of_the_parameters():
    net, losses = lstm()
    report = backward_graph(losses)
    found = {node.label: node.norm for node in report.nodes if node.label and node.label.startswith("∂L/∂")}
    grads = tg.grad(losses.mean(), list(net.parameters()))
    names = [f"∂L/∂{name}" for name, _ in net.named_parameters()]
    wanted = {name: np.linalg.norm(grad.numpy()) for name, grad in zip(names, grads, strict=True)}
    assert found == pytest.approx(wanted, rel=1e-12)


def test_every_edge_leads_from_a_node_before_and_has_the_size_of_its_gradient():
    report = backward_graph(lstm()[1])
    for edge in report.edges:
        assert edge.parent < edge.child
        assert edge.norm == report.nodes[edge.parent].norm
        assert edge.requires_grad == (report.nodes[edge.parent].norm is not None)


def test_the_steps_are_those_of_the_forward_pass():
    _, losses = lstm()
    report = backward_graph(losses)
    assert report.steps == gradient_flow(losses).steps == (0, 1, 2, 3)
    assert {node.step for node in report.nodes if node.op == "sigmoid_grad"} == {0, 1, 2, 3}


def test_the_hidden_gradients_are_among_what_it_computes():
    _, losses = lstm()
    sizes = np.array([node.norm for node in backward_graph(losses).nodes if node.norm is not None])
    for size in gradient_flow(losses).hidden_grad:  # of each example's own loss: B of them in the mean
        assert np.isclose(sizes, size / np.sqrt(losses.size), rtol=1e-12).any()


def test_nothing_is_freed_and_no_gradient_left():
    net, losses = lstm()
    backward_graph(losses)
    assert all(parameter.grad is None for parameter in net.parameters())
    losses.mean().backward()
    with pytest.raises(GraphError, match="freed"):
        backward_graph(losses)


def test_it_is_drawn():
    text = viz.dot_source(backward_graph(lstm()[1]), title="Backward")
    assert "∂L/∂weight_hh_l0 = · + ·" in text
    assert "Arrows lead from a gradient to what is computed from it" in text
    assert "cluster_t3" in text


def test_a_graph_without_parameters_but_one_leaf():
    x = tg.tensor([1.0, 2.0], requires_grad=True).named("x")
    report = backward_graph(x.sum())
    assert report.nodes[-1].label == "∂L/∂x"
    assert "∂L/∂x" in viz.dot_source(report)


def test_losses_of_more_axes_are_refused():
    x = tg.ones(2, 3, requires_grad=True)
    with pytest.raises(ShapeError, match="one per example"):
        backward_graph(x * 2)


def test_one_gradient_of_two_leaves_names_both():
    a, b = (tg.tensor([1.0], requires_grad=True).named(name) for name in "ab")
    labels = {node.label for node in backward_graph((a + b).sum()).nodes}
    assert {"∂L/∂a, ∂L/∂b", "∂L/∂b, ∂L/∂a"} & labels


def test_a_gradient_taken_before_belongs_to_the_forward_pass():
    x = tg.tensor(3.0, dtype="float64", requires_grad=True).named("x")
    first = tg.grad(x * x * x, x, create_graph=True)
    report = backward_graph(first * first)
    found = {node.label: node.norm for node in report.nodes if node.label}
    assert found["∂L/∂x"] == pytest.approx(2 * 27 * 18)
    assert sum(node.norm == 1.0 for node in report.nodes) == 1  # the seed, and not that of the first gradient


def test_it_needs_no_grad_mode_and_says_when_there_is_nothing():
    _, losses = lstm()
    with tg.no_grad():
        assert backward_graph(losses).steps == (0, 1, 2, 3)

    class Wall(tg.Op):
        forward = staticmethod(lambda backend, x: backend.binary("mul", x, x))
        vjp = staticmethod(lambda node, g: (None,))

    x = tg.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match="no gradient reaches any leaf"):
        backward_graph(tg.apply(Wall, x).sum())


def test_a_page_of_it_can_be_made():
    a, w = (tg.ones(size, requires_grad=True).named(name) for name, size in (("a", 3), ("w", 2)))
    assert "<script" in viz.page(backward_graph((a[1:] * w).sum()))
