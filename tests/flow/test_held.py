"""The gradient by the whole state of a step: against the product of the Jacobians, vector by vector."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.flow.cells import example, lstm_losses, parameters, rnn_losses, tensors
from tinygrad_rnn import nn
from tinygrad_rnn.flow import gradient_flow, state_jacobians
from tinygrad_rnn.flow.held import held_gradient


@pytest.mark.parametrize(("losses_of", "blocks"), [(rnn_losses, 1), (lstm_losses, 4)])
def test_it_is_the_losss_gradient_taken_through_the_jacobians(losses_of, blocks):
    x, readout = example(steps=6)
    losses = losses_of(tensors(parameters(2, 3, blocks)), x, readout)
    jacobians, report = state_jacobians(losses), gradient_flow(losses)
    rows = np.zeros((x.shape[1], jacobians.one_step.shape[-1]))
    rows[:, :3] = readout  # the loss reads h of the last step alone
    sizes = [np.linalg.norm(rows)]
    for jacobian in jacobians.one_step[::-1]:
        rows = np.einsum("bj,bjk->bk", rows, jacobian)
        sizes.append(np.linalg.norm(rows))
    found = held_gradient(report, jacobians.kinds)
    np.testing.assert_allclose(found, np.array(sizes) / sizes[0], rtol=1e-9)
    for lag, size in enumerate(found):
        assert size <= jacobians.singular_values(lag)[:, 0].max() * (1 + 1e-9)


def test_in_the_reverse_direction_it_begins_at_the_first_step():
    tg.manual_seed(0)
    net = nn.GRU(2, 3, bidirectional=True, dtype="float64")
    outputs, _ = nn.unroll(net.cell(reverse=True), tg.randn(5, 2, 2, dtype="float64"), reverse=True)
    report = gradient_flow(outputs[0].sum(axis=1))
    (state,) = report.cell
    np.testing.assert_allclose(held_gradient(report, ("h",)), state.norms / state.norms[0], rtol=1e-12)


def test_nothing_is_said_where_it_cannot_be_told():
    tg.manual_seed(0)
    net = nn.LSTM(2, 3, dtype="float64")
    outputs, (_, cells) = net.unroll(tg.randn(4, 2, 2, dtype="float64"))
    both = gradient_flow((outputs[-1] + cells[-1]).sum(axis=1))
    assert held_gradient(both, ("h", "c")) is None, "the loss reads c_T besides h_T"
    assert held_gradient(gradient_flow(outputs[-1].sum(axis=1)), ("s",)) is None
    assert held_gradient(gradient_flow(tg.stack(outputs).sum(axis=(0, 2))), ("h", "c")) is None, "losses at every step"
    assert held_gradient(gradient_flow(outputs[-1].sum(axis=1), edges=False, links=False), ("h", "c")) is None
