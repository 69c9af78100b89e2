"""What is said of causes, against the same cells in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.flow.cells import example, parameters, rnn_losses, tensors
from tinygrad_rnn import nn
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.flow.measured import MeasuredFlow
from tinygrad_rnn.flow.units import units_of

T, B, H = 5, 4, 3


def test_the_factors_of_an_elman_network_multiply_to_its_factor_per_step():
    x, readout = example(hidden=H, batch=B, steps=T)
    p = parameters(2, H, 1)
    report = gradient_flow(rnn_losses(tensors(p), x, readout), threshold=0.0)
    states, h = [], np.zeros((B, H))
    for t in range(T):
        h = np.tanh(x[t] @ p["W"].T + h @ p["U"].T + p["b"])
        states.append(h)
    grad, tanh, matmul = np.tile(readout, (B, 1)), [], []
    for t in range(T - 1, 0, -1):
        before, slope = np.linalg.norm(grad), grad * (1 - states[t] ** 2)
        grad = slope @ p["U"]
        tanh.append(np.linalg.norm(slope) / before)
        matmul.append(np.linalg.norm(grad) / np.linalg.norm(slope))
    (cause,) = report.causes(report.lanes[0])
    found = dict(cause.factors)
    assert found["tanh"] == pytest.approx(np.exp(np.mean(np.log(tanh))), rel=1e-12)
    assert found["matmul"] == pytest.approx(np.exp(np.mean(np.log(matmul))), rel=1e-12)
    assert np.prod(list(found.values())) == pytest.approx(report.decay.per_step, rel=1e-12)
    assert (cause.lag, cause.gate, cause.carriers) == (T - 1, None, None)
    assert dict(cause.shares) == pytest.approx({"h": 1.0})
    assert cause.straight == pytest.approx(report.decay.per_step, rel=1e-12)


def gru_by_hand(net, x):
    """The update gates and states of a GRU, and the gradient of sum_b ||h_T||^2 / 2 by backpropagation."""
    w, u, b, d = (net.state_dict()[f"{name}_l0"].numpy() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h, passed = np.zeros((B, H)), []
    for step in x:
        (a_r, a_z, a_n), (s_r, s_z, s_n) = np.split(step @ w.T + b, 3, axis=1), np.split(h @ u.T + d, 3, axis=1)
        r, z = 1 / (1 + np.exp(-a_r - s_r)), 1 / (1 + np.exp(-a_z - s_z))
        n = np.tanh(a_n + r * s_n)
        passed.append((h, r, z, n, s_n))
        h = (1 - z) * n + z * h
    u_r, u_z, u_n = np.split(u, 3, axis=0)
    grads = [h]
    for before, r, z, n, s_n in passed[:0:-1]:
        g = grads[-1]
        pre_n = g * (1 - z) * (1 - n**2)
        pre_z, pre_r = g * (before - n) * z * (1 - z), pre_n * s_n * r * (1 - r)
        grads.append(g * z + pre_z @ u_z + pre_r @ u_r + (pre_n * r) @ u_n)
    return np.array([z for _, _, z, _, _ in passed]), np.array(grads[::-1])


@pytest.fixture
def gru():
    tg.manual_seed(0)
    net = nn.GRU(2, H, dtype="float64")
    x = tg.randn(T, B, 2, dtype="float64")
    last = net.unroll(x)[0][-1]
    report = gradient_flow((last * last).sum(axis=1) * 0.5, threshold=0.0, statistics=True)
    return report, *gru_by_hand(net, x.numpy())


def test_the_gates_and_gradients_of_single_units_are_those_of_the_equations(gru):
    report, z, grads = gru
    gate = next(gate for gate in report.gates if gate.label == "z")
    np.testing.assert_allclose(gate.units, z.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(gate.units.mean(axis=1), gate.mean, rtol=1e-12)
    (state,) = report.cell
    np.testing.assert_allclose(state.units, np.sqrt((grads**2).mean(axis=1)), rtol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(state.units, axis=1), state.norms, rtol=1e-12)


def test_the_gate_that_carries_and_the_few_units_that_do(gru):
    report, z, grads = gru
    (cause,) = report.causes(report.lanes[0])
    alone = grads[-1] * z[1:].prod(axis=0)
    assert cause.gate == "z"
    np.testing.assert_allclose(cause.gate_units, np.exp(np.log(z[1:]).mean(axis=(0, 1))), rtol=1e-12)
    assert cause.gate_alone == pytest.approx(np.linalg.norm(alone) / np.linalg.norm(grads[-1]), rel=1e-12)
    assert cause.measured == pytest.approx(np.linalg.norm(grads[0]) / np.linalg.norm(grads[-1]), rel=1e-10)
    squares = (grads[1:] ** 2).sum(axis=1)  # by the steps over which all means are
    held = (squares / squares.sum(axis=1, keepdims=True)).mean(axis=0)
    order = np.argsort(-held)
    few = next(n for n in range(1, H + 1) if held[order[:n]].sum() >= 0.8)
    assert cause.carriers == tuple(order[:few])
    assert cause.gate_mean == pytest.approx(z[1:].mean(), rel=1e-12), "that of step 0 is on no way from state to state"
    assert cause.carriers_mean == pytest.approx(z[1:].mean(axis=(0, 1))[order[:few]].mean(), rel=1e-12)
    assert cause.rule == "(1 − z) · n + z · h"
    carried = grads[1:] * z[1:]
    shares = [(m * g).sum() / (g**2).sum() for m, g in zip(carried, grads[:-1], strict=True)]
    ratios = [np.linalg.norm(m) / np.linalg.norm(g) for m, g in zip(carried, grads[1:], strict=True)]
    assert dict(cause.shares)["h"] == pytest.approx(np.mean(shares), rel=1e-10)
    assert sum(dict(cause.shares).values()) == pytest.approx(1, abs=1e-12)
    assert cause.straight == pytest.approx(np.exp(np.mean(np.log(ratios))), rel=1e-10)
    why = report.to_dict()["layers"][0]["why"]
    assert why["states"]["h"]["carriers"] == list(cause.carriers)
    assert why["states"]["h"]["gate_units"] == cause.gate_units.tolist()
    assert why["gates"]["z"]["units"] == pytest.approx(z.mean(axis=(0, 1)))


def test_all_means_are_over_the_same_lags(gru):
    report, z, grads = gru
    lag, (state,) = 2, report.cell
    threshold = float(np.mean(state.by_lag[1:3]) / state.by_lag[0])  # between lags 1 and 2
    shorter = MeasuredFlow(report._survey, report._noted, report.loss, threshold, report.carries)
    (cause,) = shorter.causes()
    assert cause.lag == lag
    assert cause.gate_mean == pytest.approx(z[-lag:].mean(), rel=1e-12)
    np.testing.assert_allclose(cause.gate_units, np.exp(np.log(z[-lag:]).mean(axis=(0, 1))), rtol=1e-12)
    weighted = [np.sqrt((z[t] ** 2 * grads[t] ** 2).sum() / (grads[t] ** 2).sum()) for t in (T - 1, T - 2)]
    assert cause.straight == pytest.approx(np.exp(np.mean(np.log(weighted))), rel=1e-10)
    assert cause.per_step == pytest.approx((state.by_lag[lag] / state.by_lag[0]) ** (1 / lag), rel=1e-12)


def test_the_way_round_leads_through_the_other_state_and_what_reads_it():
    tg.manual_seed(0)
    report = gradient_flow(nn.LSTM(2, H, dtype="float64").unroll(tg.randn(T, B, 2, dtype="float64"))[0][-1].sum(axis=1))
    causes = {cause.kind: cause for cause in report.causes()}
    assert causes["c"].around == {"h": ("i", "f", "g", "o")}
    assert causes["h"].around == {}
    assert gradient_flow(
        nn.GRU(2, H, dtype="float64").unroll(tg.randn(T, B, 2, dtype="float64"))[0][-1].sum(axis=1)
    ).causes()[0].around == {}  # fmt: skip


def test_without_statistics_nothing_is_known_of_units():
    tg.manual_seed(0)
    report = gradient_flow(nn.LSTM(2, H, dtype="float64").unroll(tg.randn(T, B, 2, dtype="float64"))[0][-1].sum(axis=1))
    why = report.to_dict()["layers"][0]["why"]
    assert why["gates"] == {}
    assert why["states"]["c"]["carriers"] is None


def test_of_a_single_unbatched_example_the_units_are_known_too():
    net = nn.GRU(2, H, dtype="float64")
    report = gradient_flow((net.unroll(tg.randn(T, 2, dtype="float64"))[0][-1]).sum(), statistics=True)
    assert next(gate for gate in report.gates if gate.label == "z").units.shape == (T, H)
    assert report.cell[0].units.shape == (T, H)


def test_a_gate_that_is_used_the_other_way_round_lets_through_what_it_closes():
    tg.manual_seed(0)
    w = tg.randn(H, H, dtype="float64", requires_grad=True).named("w")
    h = tg.randn(B, H, dtype="float64")
    for t in range(T):
        with tg.scope("t", t):
            z = (h @ w).sigmoid().named("z", role="gate")
            h = ((1 - z) * h + z * 0.5).named("h", role="state")
    report = gradient_flow(h.sum(axis=1), threshold=0.0, statistics=True)
    (cause,) = report.causes()
    closed = 1 - report.gates[0].units[1:].mean(axis=0)
    assert cause.rule == "(1 − z) · h + z · …", "0.5 has no name"
    assert cause.gate == "1 - z"
    assert cause.gate_mean == pytest.approx(closed.mean(), rel=1e-12)
    assert cause.carriers_mean == pytest.approx(closed[list(cause.carriers)].mean(), rel=1e-12)


def test_the_units_that_hold_the_gradient_stand_beside_what_their_gate_lets_through(gru):
    report, z, grads = gru
    found = units_of(report)
    squares = (grads[1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(found.shares, (squares / squares.sum(axis=1, keepdims=True)).mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(found.through, z[1:].mean(axis=(0, 1)), rtol=1e-12)
    assert (found.factor, found.carriers) == ("z", report.causes()[0].carriers)
    assert found.over_all == pytest.approx(z[1:].mean(), rel=1e-12)
    left = (grads[-1] ** 2).mean(axis=0) * np.exp(2 * np.log(z[1:]).sum(axis=0).mean(axis=0))
    assert found.alone == pytest.approx((left * found.through).sum() / left.sum(), rel=1e-10)
    weighted = np.sqrt((z[1:] ** 2 * grads[1:] ** 2).sum(axis=(1, 2)) / (grads[1:] ** 2).sum(axis=(1, 2)))
    assert found.there == pytest.approx(np.exp(np.log(weighted).mean()), rel=1e-10)


def test_without_a_gate_it_is_the_slope_of_tanh():
    x, readout = example(hidden=H, batch=B, steps=T)
    p = parameters(2, H, 1)
    report = gradient_flow(rnn_losses(tensors(p), x, readout), threshold=0.0, statistics=True)
    slopes, h = [], np.zeros((B, H))
    for t in range(T):
        h = np.tanh(x[t] @ p["W"].T + h @ p["U"].T + p["b"])
        slopes.append(1 - h**2)
    found = units_of(report)
    assert found.factor == "tanh′"
    np.testing.assert_allclose(found.through, np.mean(slopes[1:], axis=(0, 1)), rtol=1e-10)
    grad, weighted = np.tile(readout, (B, 1)), []
    for slope in slopes[:0:-1]:
        weighted.append(np.sqrt(((grad * slope) ** 2).sum() / (grad**2).sum()))
        grad = grad * slope @ p["U"]
    assert found.there == pytest.approx(np.exp(np.log(weighted).mean()), rel=1e-10)


@pytest.mark.parametrize("cell", ["irnn", "lstm"])
def test_where_no_factor_is_known_unit_by_unit_there_are_none(cell):
    tg.manual_seed(0)
    outputs, _ = nn.Recurrent(cell, 2, H, dtype="float64").unroll(tg.randn(T, B, 2, dtype="float64"))
    assert units_of(gradient_flow(outputs[-1].sum(axis=1), statistics=cell == "irnn")) is None
