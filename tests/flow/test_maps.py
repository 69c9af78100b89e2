"""The map of every loss against every state: row by row what `gradient_flow` measures."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError, InputError, ShapeError
from tinygrad_rnn.flow import flow_map, gradient_flow

NETS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
T, B, INPUTS, H = 6, 3, 2, 4


def network(kind, **options):
    tg.manual_seed(2)
    net = NETS[kind](INPUTS, H, dtype="float64", **options)
    return net, tg.randn(T, B, INPUTS, dtype="float64")


def squares(outputs):
    return [(h * h).sum(axis=1) for h in outputs]


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("hoisted", [False, True])
def test_each_row_is_the_state_flow_of_that_loss(kind, hoisted):
    net, x = network(kind, num_layers=2)
    outputs, _ = net(x) if hoisted else net.unroll(x)
    losses = squares(outputs)
    found = flow_map(losses)
    assert (found.kind, found.layer, found.direction, found.steps) == ("h", 1, "forward", tuple(range(T)))
    for tau, loss in enumerate(losses):
        np.testing.assert_allclose(found.norms[tau, : tau + 1], gradient_flow(loss).hidden_grad[: tau + 1], rtol=1e-12)
        assert np.isnan(found.norms[tau, tau + 1 :]).all()


def test_read_from_the_end_the_losses_reach_later_positions():
    net, x = network("gru")
    outputs, _ = nn.unroll(net.cell(), x, reverse=True)
    losses = squares(outputs)
    found = flow_map(losses)
    assert (found.direction, found.steps) == ("reverse", tuple(range(T)))
    for tau, loss in enumerate(losses):
        np.testing.assert_allclose(found.norms[tau, tau:], gradient_flow(loss).hidden_grad, rtol=1e-12)
        assert np.isnan(found.norms[tau, :tau]).all()


def test_a_state_without_influence_has_no_gradient_and_a_later_one_no_number():
    w = tg.tensor([[0.5]], requires_grad=True)
    losses = []
    for t in range(3):
        with tg.scope("t", t):
            c = (tg.ones(2, 1) @ w).named("c")  # forgets everything
        losses.append(c.sum(axis=1))
    found = flow_map(losses)
    assert found.kind == "c"
    np.testing.assert_array_equal(found.norms, [[1, np.nan, np.nan], [0, 1, np.nan], [0, 0, 1]])


def test_the_graph_and_the_gradients_stay_as_they_were():
    net, x = network("rnn")
    losses = squares(net.unroll(x)[0])
    flow_map(losses)
    assert all(parameter.grad is None for parameter in net.parameters())
    losses[-1].sum().backward()
    with pytest.raises(GraphError, match="freed"):
        flow_map(losses)


def test_what_cannot_be_measured_is_refused():
    net, x = network("rnn")
    outputs = net.unroll(x)[0]
    losses = squares(outputs)
    for wrong in (losses[0], [], [1.0, 2.0]):
        with pytest.raises(InputError, match="pass a list of tensors"):
            flow_map(wrong)
    with pytest.raises(ShapeError, match=r"5 losses for 6 steps with a named h"):
        flow_map(losses[1:])
    with pytest.raises(ShapeError, match=r"not \(3, 4\) as loss 2"):
        flow_map([*losses[:2], outputs[2]])
    with pytest.raises(GraphError, match="loss 1 does not require grad"):
        flow_map([losses[0], losses[1].detach()])
    with pytest.raises(GraphError, match=r"name what a step hands to the next"):
        flow_map([net.weight_hh_l0.sum()])
