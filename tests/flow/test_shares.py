"""Shares of what arrives at a node: against inner products of messages that are all kept, and of finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.flow.cells import derivative, example, lstm_losses, parameters, plain_lstm, rnn_losses, tensors
from tests.viz.networks import LOSSES, report
from tinygrad_rnn.engine.autograd import Observer, topological, walk
from tinygrad_rnn.flow import gradient_flow

FINITE = sorted(set(LOSSES) - {"nan", "zero"})


class Keep(Observer):
    """Keeps every message as a whole array, and every gradient."""

    dense = True

    def __init__(self):
        self.messages, self.grads = {}, {}

    def receive(self, child, position, edge, message):
        parent, index = edge
        whole = np.zeros(parent.outputs[index].shape)
        if isinstance(message, tg.Tensor):
            whole += message.numpy()
        else:
            whole[message.index] += message.grad.numpy()
        self.messages[child, position] = edge, whole
        super().receive(child, position, edge, message)

    def complete(self, node, grads):
        self.grads[node] = [None if grad is None else grad.numpy() for grad in grads]
        return grads


def kept_shares(losses):
    """Return <m, g> / ||g||^2 of every message, by the serial numbers of its child and the place of the input."""
    keep = Keep()
    walk(topological([losses._node]), [(losses.edge, losses._like(1.0))], keep)
    found = {}
    for (child, position), ((parent, index), message) in keep.messages.items():
        squares = sum(float((grad**2).sum()) for grad in keep.grads[parent] if grad is not None)
        product = float((message * keep.grads[parent][index]).sum())
        found[child.serial, position] = product / squares if squares else None
    return found


def incoming(edges):
    into = {}
    for edge in edges:
        if edge.requires_grad:
            into.setdefault(edge.parent, []).append(edge.share)
    return into


def serials(losses):
    """Return the serial numbers of the ops of a graph in the order of a report's nodes."""
    seen, waiting = {losses._node}, [losses._node]
    while waiting:
        for parent, _ in waiting.pop().parents:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return sorted(node.serial for node in seen if node.op is not None)


@pytest.mark.parametrize("name", ["lstm", "rnn", "many readers", "slices", "many outputs"])
def test_the_shares_on_edges_are_the_inner_products_of_messages_and_gradients(name):
    losses = {
        "lstm": lambda: lstm_losses(tensors(parameters(2, 3, 4)), *example()),
        "rnn": lambda: rnn_losses(tensors(parameters(2, 3, 1)), *example()),
        "many readers": many_readers,
        "slices": lambda: slices(12),
        "many outputs": many_outputs,
    }[name]()
    expected, flow = kept_shares(losses), gradient_flow(losses)
    ops = [i for i, node in enumerate(flow.nodes) if node.op is not None]
    serial = dict(zip(ops, serials(losses), strict=True))
    shares = {(serial[edge.child], edge.position): edge.share for edge in flow.edges if edge.requires_grad}
    assert shares.keys() == expected.keys()
    assert list(shares.values()) == pytest.approx([expected[message] for message in shares], abs=1e-12)
    assert name != "many readers" or min(shares.values()) < 0, "one points against the sum"


def many_readers():
    tg.manual_seed(0)
    x = (tg.randn(4, 3, dtype="float64", requires_grad=True) * 1.0).named("x")
    return (x.tanh() * x + x.exp() * 3.0 - x * 1.5).sum(axis=1)


def slices(steps):
    """Every step reads its slice, the last one of them twice."""
    tg.manual_seed(0)
    x = tg.randn(steps, 4, 3, dtype="float64", requires_grad=True).named("x") * 1.0
    h = tg.zeros(4, 3, dtype="float64")
    for t in range(steps):
        with tg.scope("t", t):
            h = (h * 0.9 + x[t] + x[steps - 1].tanh()).named("h")
    return h.sum(axis=1)


def many_outputs():
    tg.manual_seed(0)
    x = tg.randn(4, 6, dtype="float64", requires_grad=True) * 1.0
    a, b, _ = x.split([2, 2, 2], 1)
    return (a * b - a.exp() + b.tanh() * a).sum(axis=1)


@pytest.mark.parametrize("name", FINITE)
def test_the_shares_into_every_node_sum_to_1(name):
    flow = report(name)
    for kind in ("edges", "links"):
        for parent, shares in incoming(getattr(flow, kind)).items():
            if flow.nodes[parent].norm == 0:
                assert set(shares) == {None}
            elif None in shares:
                assert set(shares) == {None}
                assert (len(shares) > 8, flow.nodes[parent].parameter) == (True, True), "all steps read a weight"
            else:
                assert math.fsum(shares) == pytest.approx(1, abs=1e-12)
    assert all(link.share is not None for link in flow.links if link.requires_grad and flow.nodes[link.parent].norm)


def test_the_share_of_the_forget_gate_is_what_finite_differences_say():
    x, readout = example()
    values = parameters(2, 3, 4)
    flow = gradient_flow(lstm_losses(tensors(values), x, readout))
    seen = {}

    def record(name, t, value):
        seen[name, t] = value
        return value

    def run(nudge):
        return plain_lstm(values, x, readout, nudge)

    run(record)
    names = [node.name for node in flow.nodes]
    shares = {(names[link.child], names[link.parent]): link.share for link in flow.links}
    for t in range(4):
        whole = derivative(run, "c", t)
        carried = seen["f", t + 1] * derivative(run, "c", t + 1)
        expected = (carried * whole).sum() / (whole**2).sum()
        assert shares[f"t{t + 1}_c", f"t{t}_c"] == pytest.approx(expected, rel=1e-6)
        assert shares[f"t{t}_h", f"t{t}_c"] == pytest.approx(1 - expected, rel=1e-6, abs=1e-9)
    (path,) = [path for path in flow.paths if (path.child, path.parent) == ("c", "c")]
    assert path.shares == pytest.approx([shares[f"t{t}_c", f"t{t - 1}_c"] for t in path.steps], rel=1e-12)


@pytest.mark.parametrize("name", ["nan", "zero"])
def test_where_there_is_no_gradient_to_share_there_are_no_shares(name):
    flow = report(name)
    none = {i for i, node in enumerate(flow.nodes) if not (node.norm and math.isfinite(node.norm))}
    assert none
    assert all(edge.share is None for edge in (*flow.edges, *flow.links) if edge.parent in none)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_shares_survive_squares_that_underflow_or_overflow(scale):
    x = tg.tensor([3.0, 4.0], dtype="float64", requires_grad=True)
    y = (x * scale).named("y")
    flow = gradient_flow((y * 1.0 + y * 2.0 + y * 5.0 + x * scale).sum())
    shares = {flow.nodes[edge.child].name: edge.share for edge in flow.edges if edge.parent in (0, 1)}
    assert sorted(shares.values()) == pytest.approx([1 / 9, 1 / 8, 1 / 4, 5 / 8, 8 / 9])


def test_without_messages_there_are_no_shares():
    losses = lstm_losses(tensors(parameters(2, 3, 4)), *example())
    assert {edge.share for edge in gradient_flow(losses, edges=False).edges} == {None}
    assert {link.share for link in gradient_flow(losses, links=False).links} == {None}
    assert {edge.share for edge in tg.viz.gradient_flow(losses, links=False).edges} != {None}
