"""On which ways the gradient goes: gates, contributions, factors and carries against NumPy, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.flow.cells import (
    GATES,
    derivative,
    example,
    lstm_losses,
    parameters,
    plain_lstm,
    plain_rnn,
    rnn_losses,
    size,
    tensors,
)
from tinygrad_rnn import nn
from tinygrad_rnn.flow import gradient_flow

close = pytest.approx
T = 5


@pytest.fixture
def rnn():
    x, readout = example()
    values = parameters(2, 3, 1)
    report = gradient_flow(rnn_losses(tensors(values), x, readout), statistics=True)
    return report, lambda nudge: plain_rnn(values, x, readout, nudge)


@pytest.fixture
def lstm():
    x, readout = example()
    values = parameters(2, 3, 4)
    report = gradient_flow(lstm_losses(tensors(values), x, readout), statistics=True)
    return report, lambda nudge: plain_lstm(values, x, readout, nudge)


def values_of(run):
    """Return the values of a plain run by name and step."""
    values = {}

    def record(name, t, value):
        values[name, t] = value
        return value

    run(record)
    return values


def gru(steps=T, reverse=False, seed=0):
    tg.manual_seed(seed)
    cell = nn.GRU(2, 3, bidirectional=reverse, dtype="float64").cell(reverse=reverse)
    outputs, last = nn.unroll(cell, tg.randn(steps, 4, 2, dtype="float64"), reverse=reverse)
    return outputs, (last * last).sum(axis=1)


# ---- gates ----------------------------------------------------------------------------------------------------------


def test_gates_are_described_per_step(lstm):
    report, run = lstm
    values = values_of(run)
    assert [gate.label for gate in report.gates] == list(GATES)
    for gate in report.gates:
        assert (gate.name, gate.layer, gate.direction, gate.scope) == (gate.label, 0, "forward", ())
        assert gate.steps == tuple(range(T))
        for row, t in enumerate(gate.steps):
            expected = values[gate.label, t]
            low, high = np.quantile(expected, (0.1, 0.9))
            assert (gate.mean[row], gate.low[row], gate.high[row]) == close((expected.mean(), low, high), rel=1e-12)


def test_a_gate_is_called_by_its_scope():
    _, losses = gru()
    report = gradient_flow(losses, statistics=True)
    assert [(gate.label, gate.name) for gate in report.gates] == [
        ("r", "reset_gate"), ("z", "update_gate"), ("n", "candidate"),
    ]  # fmt: skip
    update = np.stack([node.outputs[0].mean() for node in _named(losses, "z")])
    assert report.gates[1].mean == close(update, rel=1e-12)


def _named(losses, name):
    found, waiting = {losses._node}, [losses._node]
    while waiting:
        for parent, _ in waiting.pop().parents:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return sorted((node for node in found if node.name_of(0) == name), key=lambda node: node.serial)


def test_the_way_round_brings_what_the_state_of_the_own_step_sends(lstm):
    report, run = lstm
    values = values_of(run)
    (way,) = report.rounds
    assert (way.child, way.parent, way.steps, way.scope) == ("h", "c", tuple(range(T)), ())
    for row, t in enumerate(way.steps):
        arrives = derivative(run, "c", t)
        sent = derivative(run, "h", t) * values["o", t] * (1 - np.tanh(values["c", t]) ** 2)
        assert way.norms[row] == close(size(sent), rel=1e-6)
        assert way.shares[row] == close((sent * arrives).sum() / (arrives**2).sum(), rel=1e-6)
        if t < T - 1:  # with what comes straight it is all that arrives
            assert sent + values["f", t + 1] * derivative(run, "c", t + 1) == close(arrives, rel=1e-5, abs=1e-9)


def test_without_statistics_there_are_no_gates_and_no_carries():
    x, readout = example()
    report = gradient_flow(lstm_losses(tensors(parameters(2, 3, 4)), x, readout))
    assert report.gates == report.carries == ()
    assert len(report.paths) == 5


# ---- contributions --------------------------------------------------------------------------------------------------


def test_the_cell_path_carries_the_forget_gate_times_the_gradient_and_the_gate_paths_what_gates_send(lstm):
    report, run = lstm
    values, u = values_of(run), parameters(2, 3, 4)["U"]
    found = {(path.child, path.parent): path for path in report.paths}
    assert set(found) == {("c", "c"), *((gate, "h") for gate in GATES)}
    expected = [size(values["f", t] * derivative(run, "c", t)) for t in range(1, T)]
    assert found["c", "c"].steps == (1, 2, 3, 4)
    assert found["c", "c"].norms == close(expected, rel=1e-6)
    for k, name in enumerate(GATES):
        for row, t in enumerate(found[name, "h"].steps):
            gate = values[name, t]
            slope = 1 - gate**2 if name == "g" else gate * (1 - gate)
            message = (derivative(run, name, t) * slope[None]).sum(axis=1) @ u[k * 3 : (k + 1) * 3]
            assert found[name, "h"].norms[row] == close(size(message), rel=1e-6, abs=1e-9)


def test_the_way_past_the_update_gate_of_a_gru_carries_z_times_the_gradient():
    outputs, losses = gru()
    report = gradient_flow(losses)
    (path,) = [path for path in report.paths if path.child == "h"]
    grads = tg.grad(losses.sum(), outputs)
    carried = [z.outputs[0] * g.numpy() for z, g in zip(_named(losses, "z"), grads, strict=True)]
    assert path.norms == close([size(part) for part in carried[1:]], rel=1e-12)
    assert {(path.child, path.parent) for path in report.paths} == {("h", "h"), ("r", "h"), ("z", "h"), ("n", "h")}


def test_in_the_reverse_direction_paths_lead_to_the_step_after():
    _, losses = gru(reverse=True)
    report = gradient_flow(losses, statistics=True)
    assert {path.direction for path in report.paths} == {"reverse"}
    assert all(path.steps == (0, 1, 2, 3) for path in report.paths)
    (carry,) = report.carries
    assert (carry.direction, carry.steps) == ("reverse", tuple(range(T)))
    assert carry.norms[0] == close(report.hidden_grad[0], rel=1e-12)
    assert carry.norms[-1] < carry.norms[0]


def test_layers_have_paths_of_their_own():
    tg.manual_seed(0)
    net = nn.LSTM(2, 3, num_layers=2, dtype="float64")
    for run in (net.unroll, net):
        output, _ = run(tg.randn(T, 4, 2, dtype="float64"))
        report = gradient_flow(output[-1].sum(axis=1), statistics=True)
        assert [(p.layer, p.child, p.parent) for p in report.paths] == [
            (layer, child, parent) for layer in (0, 1) for child, parent in zip("ifgoc", "hhhhc", strict=True)
        ]
        assert [(g.layer, g.label) for g in report.gates] == [(layer, gate) for layer in (0, 1) for gate in GATES]
        assert [(c.layer, c.kind, c.gate) for c in report.carries] == [(0, "c", "f"), (1, "c", "f")]


# ---- factors --------------------------------------------------------------------------------------------------------


def test_the_factors_of_an_elman_cell_are_those_of_its_ops_and_multiply_to_the_attenuation(rnn):
    report, run = rnn
    tanh = report.factors[0]
    assert [factor.op for factor in report.factors] == ["tanh", "add", "add", "matmul"]
    assert all(factor.steps == (1, 2, 3, 4) for factor in report.factors)
    attenuation = report.attenuation("h")
    assert np.prod([factor.factors for factor in report.factors], axis=0) == close(attenuation, rel=1e-12)
    values, grads = values_of(run), [derivative(run, "h", t) for t in range(T)]
    slopes = [size(grads[t] * (1 - values["h", t] ** 2)) / size(grads[t]) for t in range(1, T)]
    assert tanh.factors == close(slopes, rel=1e-6)
    assert attenuation == close([size(grads[t - 1]) / size(grads[t]) for t in range(1, T)], rel=1e-6)


def test_the_hoisted_network_has_the_same_factors():
    tg.manual_seed(0)
    net, x = nn.RNN(2, 3, dtype="float64"), tg.randn(T, 4, 2, dtype="float64")
    flows = [gradient_flow((run(x)[0][-1] * 2.0).sum(axis=1)) for run in (net.unroll, net)]
    unrolled, hoisted = (np.prod([factor.factors for factor in flow.factors], axis=0) for flow in flows)
    assert hoisted == close(unrolled, rel=1e-12)
    assert unrolled == close(flows[0].attenuation("h"), rel=1e-12)


def test_where_several_ways_lead_back_there_are_no_factors(lstm):
    report, _ = lstm
    assert report.factors == ()
    assert gradient_flow(gru()[1]).factors == ()


def test_a_connection_that_skips_a_step_is_a_second_way():
    w = tg.tensor(np.eye(3) * 0.5, requires_grad=True)
    h = [tg.ones(2, 3, dtype="float64") * w.sum()]
    for t in range(4):
        with tg.scope("t", t):
            earlier = h[-2] if t else h[-1]
            h.append((h[-1] @ w + earlier * 0.1).tanh().named("h"))
    assert gradient_flow(h[-1].sum(axis=1)).factors == ()


def test_ways_are_counted_not_walked_one_by_one():
    def losses(way_back):
        w = tg.tensor(np.eye(3) * 0.5, requires_grad=True)
        h = tg.ones(2, 3, dtype="float64")
        for t in range(3):
            with tg.scope("t", t):
                side = (tg.ones(2, 3, dtype="float64") + (h if way_back else 0.0)) * w.sum()
                for _ in range(60):
                    side = side * 0.5 + side * 0.5  # 2^60 ways
                h = (h @ w + side).tanh().named("h")
        return h.sum(axis=1)

    assert [factor.op for factor in gradient_flow(losses(False), links=False).factors] == ["tanh", "add", "matmul"]
    assert gradient_flow(losses(True), links=False).factors == ()


def test_factors_are_nan_where_no_gradient_arrives():
    w = tg.tensor(np.eye(3), requires_grad=True)
    h = tg.ones(2, 3, dtype="float64")
    for t in range(4):
        with tg.scope("t", t):
            h = ((h @ w) * (0.0 if t == 2 else 1.0)).named("h")
    report = gradient_flow(h.sum(axis=1))
    mul, matmul = report.factors
    assert mul.factors.tolist() == close([np.nan, 0.0, 1.0], nan_ok=True)
    assert matmul.factors.tolist() == close([np.nan, np.nan, 1.0], nan_ok=True)
    assert report.attenuation("h").tolist() == close([np.nan, 0.0, 1.0], nan_ok=True)


def test_attenuation_counts_from_the_first_step_in_reverse_and_is_none_without_the_state():
    _, losses = gru(reverse=True)
    report = gradient_flow(losses)
    assert report.attenuation("h") == close(report.hidden_grad[1:] / report.hidden_grad[:-1], rel=1e-12)
    assert report.attenuation("c") is None


# ---- carries --------------------------------------------------------------------------------------------------------


def test_the_product_of_forget_gates_carries_the_last_gradient_of_c(lstm):
    report, run = lstm
    values, carried = values_of(run), derivative(run, "c", T - 1)
    expected = [size(carried)]
    for t in range(T - 1, 0, -1):
        carried = carried * values["f", t]
        expected.append(size(carried))
    (carry,) = report.carries
    assert (carry.kind, carry.gate, carry.steps) == ("c", "f", tuple(range(T)))
    assert carry.norms == close(expected[::-1], rel=1e-6)


def test_the_product_of_update_gates_carries_the_last_gradient_of_h():
    outputs, losses = gru()
    (carry,) = gradient_flow(losses, statistics=True).carries
    carried = tg.grad(losses.sum(), outputs[-1]).numpy()
    expected = [size(carried)]
    for z in _named(losses, "z")[:0:-1]:
        carried = carried * z.outputs[0]
        expected.append(size(carried))
    assert (carry.kind, carry.gate) == ("h", "z")
    assert carry.norms == close(expected[::-1], rel=1e-12)


@pytest.mark.parametrize("coupled", [False, True])
def test_a_carry_is_found_wherever_it_stands_in_the_sum_and_through_a_coupled_gate(coupled):
    w = tg.tensor(np.diag([0.9, 0.5, 0.2]), requires_grad=True)
    h, kept = tg.tensor([[0.1, 0.2, 0.3], [0.5, -0.2, 0.1]], dtype="float64"), []
    for t in range(4):
        with tg.scope("t", t):
            z = (h @ w).sigmoid().named("z")
            kept.append((1.0 - z) if coupled else z)
            h = (z.tanh() + (h * kept[-1] + z * z) + 0.1).named("h")
    losses = h.square().sum(axis=1)
    (carry,) = gradient_flow(losses, statistics=True).carries
    carried = tg.grad(losses.sum(), h).numpy()
    expected = [size(carried)]
    for gate in kept[:0:-1]:
        carried = carried * gate.numpy()
        expected.append(size(carried))
    assert (carry.kind, carry.gate) == ("h", "1 - z" if coupled else "z")
    assert carry.norms == close(expected[::-1], rel=1e-12)


def test_a_carry_is_followed_below_the_square_root_of_the_smallest_number():
    w = tg.tensor(np.eye(2), requires_grad=True)
    h = tg.ones(1, 2, dtype="float64")
    for t in range(5):
        with tg.scope("t", t):
            f = (w.sum() * 1e-60).broadcast_to((1, 2)).named("f")
            h = (f * h + (h @ w) * 0.0).named("h")
    (carry,) = gradient_flow(h.sum(axis=1), statistics=True).carries
    assert carry.norms == close([2**0.5 * 2e-60**lag for lag in range(4, -1, -1)], rel=1e-12, abs=0)


def test_a_cell_without_a_multiplicative_path_has_no_carry(rnn):
    report, _ = rnn
    assert report.carries == ()


# ---- a student's own cell -------------------------------------------------------------------------------------------


def own_cell(name):
    """A leaky cell: h' = (1 - a) h + a tanh(W h), as somebody writes it who knows nothing of this library's cells."""
    w = tg.tensor(np.diag([0.9, 0.5, 0.2]), requires_grad=True)
    h = tg.tensor([[0.1, 0.2, 0.3], [0.5, -0.2, 0.1]])
    h = h.cast("float64")
    for t in range(4):
        with tg.scope("t", t):
            h = name(h * 0.7 + (h @ w).tanh() * 0.3)
    return h


def test_a_cell_of_ones_own_needs_scopes_and_a_named_state_only():
    report = gradient_flow(own_cell(lambda h: h.named("h")).sum(axis=1), statistics=True)
    assert report.notes == report.gates == report.factors == ()
    (path,) = report.paths
    assert (path.child, path.parent, path.steps) == ("h", "h", (1, 2, 3))
    assert path.norms == close(report.hidden_grad[:-1], rel=1e-12), "all there is goes from h to h"


def test_an_unnamed_cell_is_measured_all_the_same_and_the_report_says_what_to_name():
    report = gradient_flow(own_cell(lambda h: h).sum(axis=1), statistics=True)
    assert "name what a step hands to the next, h.named('h')" in report.notes[0]
    assert report.states == report.paths == report.factors == report.carries == ()
    assert report.attenuation("h") is None
    assert (report.horizon, report.verdict) == (None, None)
    assert all(node.norm > 0 for node in report.nodes if node.requires_grad)
