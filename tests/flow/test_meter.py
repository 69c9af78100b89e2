"""The numbers of a gradient flow against independent ones: finite differences, formulas, PyTorch."""

from __future__ import annotations

import json

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
from tinygrad_rnn.engine.autograd import Observer, topological, walk
from tinygrad_rnn.errors import GraphError, ShapeError
from tinygrad_rnn.flow import FlowReport, gradient_flow

close = pytest.approx


@pytest.fixture
def rnn():
    x, readout = example()
    values = parameters(2, 3, 1)
    losses = rnn_losses(tensors(values), x, readout)
    return gradient_flow(losses), lambda nudge: plain_rnn(values, x, readout, nudge)


@pytest.fixture
def lstm():
    x, readout = example()
    values = parameters(2, 3, 4)
    losses = lstm_losses(tensors(values), x, readout)
    return gradient_flow(losses), lambda nudge: plain_lstm(values, x, readout, nudge)


def link(report: FlowReport, child: str, parent: str) -> float:
    names = [node.name for node in report.nodes]
    (found,) = [e for e in report.links if (names[e.child], names[e.parent]) == (child, parent)]
    return found.norm


# ---- states and nodes -----------------------------------------------------------------------------------------------


def test_hidden_flow_of_an_rnn_is_what_finite_differences_say(rnn):
    report, run = rnn
    assert report.hidden_grad == close([size(derivative(run, "h", t)) for t in range(5)], rel=1e-6)
    assert report.cell_grad is None


@pytest.mark.parametrize("name", [*GATES, "c", "h"])
def test_flow_at_every_gate_and_state_of_an_lstm_is_what_finite_differences_say(lstm, name):
    report, run = lstm
    expected = [size(derivative(run, name, t)) for t in range(5)]
    assert [report.node(f"t{t}_{name}").norm for t in range(5)] == close(expected, rel=1e-6, abs=1e-9)
    if name in "ch":
        assert report.state(name).norms == close(expected, rel=1e-6)


def test_a_single_loss_counts_as_one_example():
    w = tg.tensor([[1.0, 2.0]], dtype="float64", requires_grad=True)
    with tg.scope("t", 0):
        h = (w * 3.0).named("h")
    report = gradient_flow((h * tg.tensor([[3.0, 4.0]], dtype="float64")).sum())
    assert (report.batch, report.hidden_grad.tolist()) == (1, [5.0])


def test_repeating_the_examples_changes_no_size():
    x, readout = example()
    values = parameters(2, 3, 4)
    once = gradient_flow(lstm_losses(tensors(values), x, readout))
    twice = gradient_flow(lstm_losses(tensors(values), np.concatenate([x, x], axis=1), readout))
    for few, many in ((once.nodes, twice.nodes), (once.edges, twice.edges), (once.links, twice.links)):
        assert [x.norm for x in many if x.requires_grad] == close([x.norm for x in few if x.requires_grad], rel=1e-12)
    for name in "WUb":
        assert twice.weights[name].per_step == close(once.weights[name].per_step, rel=1e-12)


def test_sizes_survive_squares_that_underflow_or_overflow():
    for scale in (1e-200, 1e200):
        x = tg.tensor([3.0, 4.0], dtype="float64", requires_grad=True)
        assert gradient_flow((x * scale).sum()).nodes[0].norm == close(np.sqrt(2) * scale, rel=1e-12, abs=0)


# ---- edges ----------------------------------------------------------------------------------------------------------


def test_the_sizes_on_edges_are_those_of_the_messages_that_sum_to_the_gradients():
    x, readout = example()
    losses = lstm_losses(tensors(parameters(2, 3, 4)), x, readout)
    report = gradient_flow(losses)
    sums: dict = {}
    norms: dict = {}
    grads: dict = {}

    class Watch(Observer):
        dense = True

        def receive(self, child, position, edge, message):
            parent, index = edge
            whole = np.zeros(parent.outputs[index].shape)
            if isinstance(message, tg.Tensor):
                whole += message.numpy()
            else:
                whole[message.index] += message.grad.numpy()
            sums[parent] = sums.get(parent, 0) + whole
            norms[child.serial, position] = np.linalg.norm(whole)
            super().receive(child, position, edge, message)

        def complete(self, node, given):
            for grad in given:
                grads[node] = grad.numpy()
            return given

    walk(topological([losses._node]), [(losses.edge, tg.ones(4, dtype="float64"))], Watch())
    for node, total in sums.items():
        np.testing.assert_allclose(total, grads[node], rtol=1e-12, atol=1e-15)
    measured = [e for e in report.edges if e.requires_grad]
    scales = [4 if report.nodes[e.parent].parameter else 2 for e in measured]
    assert sorted(e.norm * s for e, s in zip(measured, scales, strict=True)) == close(sorted(norms.values()), rel=1e-12)


def test_what_c_hands_to_the_c_before_is_the_forget_gate_times_its_gradient(lstm):
    report, run = lstm
    names = {node.name: i for i, node in enumerate(report.nodes)}
    values: dict = {}

    def record(name, t, value):
        values[name, t] = value
        return value

    run(record)
    for t in range(1, 5):
        expected = size(values["f", t] * derivative(run, "c", t))
        direct = [e for e in report.edges if e.parent == names[f"t{t - 1}_c"] and report.nodes[e.child].op == "mul"]
        assert [e.norm for e in direct] == close([expected], rel=1e-6)
        assert link(report, f"t{t}_c", f"t{t - 1}_c") == close(expected, rel=1e-6)
        assert report.node(f"t{t - 1}_c").norm != close(expected, rel=1e-3), "the gates add to it"


def test_what_a_gate_hands_to_the_h_before_leaves_out_the_other_gates(lstm):
    report, run = lstm
    u = parameters(2, 3, 4)["U"]
    values: dict = {}

    def record(name, t, value):
        values[name, t] = value
        return value

    run(record)
    for k, name in enumerate(GATES):
        gate = values[name, 3]
        slope = 1 - gate**2 if name == "g" else gate * (1 - gate)
        message = (derivative(run, name, 3) * slope[None]).sum(axis=1) @ u[k * 3 : (k + 1) * 3]
        assert link(report, f"t3_{name}", "t2_h") == close(size(message), rel=1e-6)


def test_what_a_step_sends_back_to_a_state_is_the_sum_over_all_ways_from_there(lstm):
    report, run = lstm
    names = [node.name for node in report.nodes]
    for kind in "hc":
        expected = [size(derivative(run, kind, t)) for t in range(4)]
        found = [report.crossings[names.index(f"t{t}_{kind}"), t + 1] for t in range(4)]
        assert (found == close(expected, rel=1e-6)) is (kind == "h"), "c is read in its own step, too"
    links = {(names[e.child], names[e.parent]): e.norm for e in report.links}
    assert report.crossings[names.index("t1_c"), 2] == close(links["t2_c", "t1_c"], rel=1e-12)


def test_stacked_steps_are_read_one_by_one():
    def two_layers(between):
        w = tensors(parameters(3, 3, 1, seed=2))
        x, readout = example(inputs=3)
        steps = [tg.tensor(part) for part in x]
        for layer in range(2):
            h, made = tg.zeros(4, 3, dtype="float64"), []
            with tg.scope("layer", layer):
                for t in range(5):
                    with tg.scope("t", t):
                        h = (steps[t] @ w["W"].T + h @ w["U"].T).tanh().named("h")
                        made.append(h)
            steps = between(made)
        report = gradient_flow((steps[4] * readout).sum(axis=1))
        names = [node.name for node in report.nodes]
        return {(names[e.child], names[e.parent]): e.norm for e in report.links if e.requires_grad}

    apart, stacked = two_layers(list), two_layers(tg.stack)
    assert stacked == close(apart, rel=1e-12)
    assert ("t3_layer1_h", "t3_layer0_h") in stacked
    assert ("t3_layer1_h", "t2_layer0_h") not in stacked


def test_where_no_message_comes_the_gradient_is_zero():
    class Cut(tg.Op):
        @staticmethod
        def forward(backend, x):
            return backend.copy(x)

        @staticmethod
        def vjp(node, g):
            return (None,)

    x = tg.ones(2, requires_grad=True).named("x")
    report = gradient_flow(tg.apply(Cut, x * 2.0) + tg.ones(2, requires_grad=True))
    assert [report.node(name).norm for name in ("x", "mul")] == [0.0, 0.0]
    assert [e.norm for e in report.edges if report.nodes[e.child].name in ("mul", "cut")] == [0.0, 0.0]
    assert report.weights["x"].total == 0.0


def test_links_can_be_left_out():
    x, readout = example()
    report = gradient_flow(rnn_losses(tensors(parameters(2, 3, 1)), x, readout), links=False)
    assert {e.norm for e in report.links} == {None}


# ---- weights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("name", ["W", "U", "b"])
def test_what_each_step_contributes_to_a_weight_is_what_finite_differences_say(cell, name, request):
    report, run = request.getfixturevalue(cell)
    parts = [derivative(run, name, t).mean(axis=0) for t in range(5)]
    weight = report.weights[name]
    assert weight.per_step == close([np.linalg.norm(part) for part in parts], rel=1e-5, abs=1e-9)
    running = [np.linalg.norm(sum(parts[t:])) for t in range(5)]
    assert weight.running == close(running, rel=1e-5)
    assert weight.total == close(weight.running[0], rel=1e-12)
    assert weight.total == close(np.linalg.norm(derivative(run, name, None).mean(axis=0)), rel=1e-5)


def steps_of(use, weight, steps=3):
    """Run h = tanh(use(w)(h)) with w as it is before the loop; return the report."""
    w = tg.tensor(weight, requires_grad=True).named("w")
    ready = use(w)
    h = tg.tensor([[0.3, -0.2], [0.5, 0.1]], dtype="float64")
    for t in range(steps):
        with tg.scope("t", t):
            h = ready(h).tanh().named("h")
    return gradient_flow(h.sum(axis=1))


WEIGHT = np.array([[0.5, -0.7], [0.9, 0.2]])


def transposed_inside(w):
    return lambda h: h @ w.T


def transposed_once(w):
    shared = w.T
    return lambda h: h @ shared


def copied(w):
    shared = w.T.copy()
    return lambda h: h @ shared


def reshaped(w):
    shared = w.reshape(4).reshape(2, 2).transpose(0, 1)
    return lambda h: h @ shared


def rows_inside(w):
    return lambda h: tg.concat([h @ w[:1].T, h @ w[1].unsqueeze(1)], axis=1)


def rows_once(w):
    first, second = w[:1], w[1:]
    return lambda h: tg.concat([h @ first.T, h @ second.T], axis=1)


def split_once(w):
    rows = w.split(1)
    return lambda h: tg.concat([h @ row.T for row in rows], axis=1)


def unbound(w):
    rows = w.unbind()
    return lambda h: tg.stack([h @ row for row in rows], axis=1)


def stacked(w):
    both = tg.stack([w.T, w.T])
    return lambda h: h @ both[1]


@pytest.mark.parametrize(
    "use",
    [transposed_inside, transposed_once, copied, reshaped, rows_inside, rows_once, split_once, unbound, stacked],
)
def test_moving_a_weight_about_does_not_hide_which_step_used_it(use):
    plain = steps_of(transposed_inside, WEIGHT)
    report = steps_of(use, WEIGHT)
    assert report.weights["w"].per_step == close(plain.weights["w"].per_step, rel=1e-12)
    assert report.weights["w"].running == close(plain.weights["w"].running, rel=1e-12)
    assert report.weights["w"].total == close(plain.weights["w"].total, rel=1e-12)


def scaled_once(w):
    scaled = w.T * 1.0
    return lambda h: h @ scaled


def added_once(w):
    halved = (w + w) * 0.5
    return lambda h: h @ halved.T


@pytest.mark.parametrize("use", [scaled_once, added_once])
def test_a_weight_used_outside_any_step_has_a_total_but_no_contributions_per_step(use):
    weight = steps_of(use, WEIGHT).weights["w"]
    assert (weight.per_step, weight.running) == (None, None)
    assert weight.total == close(steps_of(transposed_inside, WEIGHT).weights["w"].total, rel=1e-12)


def test_a_weight_used_both_in_steps_and_outside_has_no_contributions_per_step():
    w = tg.tensor(WEIGHT, requires_grad=True).named("w")
    with tg.scope("t", 0):
        h = (tg.ones(2, 2, dtype="float64") @ w).named("h")
    assert gradient_flow((h @ w).sum(axis=1)).weights["w"].per_step is None


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0)], ids=["forward", "reverse"])
def test_a_step_that_does_not_use_a_weight_contributes_zero_and_leaves_the_running_sum(order):
    w = tg.tensor(WEIGHT, requires_grad=True).named("w")
    h = tg.ones(2, 2, dtype="float64", requires_grad=True)
    for n, t in enumerate(order):
        with tg.scope("t", t):
            h = (h @ w if n in (0, 2) else h * 0.5).named("h")
    weight = gradient_flow(h.sum(axis=1)).weights["w"]
    per_step, running = weight.per_step[list(order)], weight.running[list(order)]
    assert (per_step > 0).tolist() == [True, False, True, False]
    assert running[1] == running[2] == per_step[2]
    assert (running[3], running[0]) == (0.0, weight.total)


# ---- what it leaves alone -------------------------------------------------------------------------------------------


def test_measuring_touches_no_grad_runs_no_hook_and_keeps_the_graph():
    x, readout = example()
    p = tensors(parameters(2, 3, 4))
    losses = lstm_losses(p, x, readout)
    kept = (losses * 1.0).retain_grad()
    kept.register_hook(lambda grad: pytest.fail("a measurement must not run hooks"))
    first = gradient_flow(kept)
    assert kept.grad is None
    assert all(tensor.grad is None for tensor in p.values())
    assert gradient_flow(kept).hidden_grad.tolist() == first.hidden_grad.tolist()
    losses.sum().backward()
    assert p["U"].grad is not None


def test_hooks_and_retained_gradients_work_again_afterwards():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2.0).retain_grad()
    seen = []
    y.register_hook(lambda grad: seen.append(grad.tolist()))
    gradient_flow(y)
    y.sum().backward()
    assert seen == [y.grad.tolist()] == [[1.0, 1.0]]


# ---- bad input ------------------------------------------------------------------------------------------------------


def test_losses_that_are_not_one_per_example_are_refused():
    for shape in ((2, 3), (0,)):
        with pytest.raises(ShapeError, match=r"one per example, shape \(B,\)"):
            gradient_flow(tg.ones(*shape, requires_grad=True))


def test_losses_without_a_gradient_are_refused():
    with pytest.raises(GraphError, match="requires_grad=True"):
        gradient_flow(tg.ones(3))


def test_a_graph_freed_by_backward_is_refused():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    losses = x * x
    losses.sum().backward()
    with pytest.raises(GraphError, match=r"measure before backward\(\), or call backward\(retain_graph=True\)"):
        gradient_flow(losses)


def test_what_is_missing_is_said_in_the_notes():
    x = tg.tensor([1.0], requires_grad=True)
    timeless = gradient_flow(x * x)
    assert "tg.scope('t', t)" in timeless.notes[0]
    with tg.scope("t", 0):
        unnamed = gradient_flow(x * x)
    assert ".named('h')" in unnamed.notes[0]
    for report in (timeless, unnamed):
        assert (report.hidden_grad, report.horizon, report.verdict) == (None, None, None)
        json.dumps(report.to_dict(), allow_nan=False)
    assert timeless.weights["leaf"].per_step is None
    assert unnamed.weights["leaf"].per_step.tolist() == [2.0]


def test_a_loss_that_is_a_leaf_is_a_graph_of_one_node():
    report = gradient_flow(tg.ones(3, requires_grad=True))
    assert [(n.op, n.norm) for n in report.nodes] == [(None, close(1 / np.sqrt(3)))]
    assert report.edges == report.links == ()


def test_nan_in_the_graph_is_reported_not_raised():
    h = tg.tensor([[1.0, 0.0]], dtype="float64", requires_grad=True)
    for t in range(2):
        with tg.scope("t", t):
            h = (h.log() * 0.0).named("h")
    report = gradient_flow(((h - h) / (h - h)).sum(axis=1))
    assert (report.verdict, report.status) == ("nonfinite", "nonfinite")
    assert report.verdict_reason == "the first value that is NaN or infinite is that of t0_log, in the forward pass"
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["hidden_grad"] == [None, None]


def test_where_only_gradients_overflow_the_first_of_them_is_named():
    h = tg.tensor([[1e-300]], dtype="float64", requires_grad=True)
    for t, factor in enumerate((1e-150, 1e200, 1e200)):
        with tg.scope("t", t):
            h = (h * factor).named("h")
    report = gradient_flow(h.sum(axis=1))
    assert report.explodes_at == 1
    assert report.verdict == "nonfinite"
    assert report.verdict_reason == (
        "all values are finite, and the first gradient that is NaN or infinite is that of t0_h, in the backward pass"
    )


def test_what_is_computed_from_parameters_alone_is_measured_like_them():
    x, _ = example()
    values = parameters(2, 3, 1)

    def flow(times):
        w, u, b = (tg.tensor(values[name], requires_grad=True) for name in "WUb")
        data = tg.tensor(np.concatenate([x] * times, axis=1))
        h = tg.zeros(data.shape[1], u.shape[0], dtype="float64")
        for t in range(len(x)):
            with tg.scope("t", t):
                h = (data[t] @ w.T + h @ u.T + (b + b)).tanh().named("h")
        return gradient_flow(h.square().sum(axis=1))

    once, four_times = flow(1), flow(4)
    assert [n.norm for n in four_times.nodes if n.requires_grad] == close(
        [n.norm for n in once.nodes if n.requires_grad], rel=1e-12
    )


def test_two_states_of_one_name_in_one_step_are_noted():
    x = tg.ones(2, 3, dtype="float64")
    w = tg.ones(3, 3, dtype="float64", requires_grad=True)
    with tg.scope("t", 0):
        h = ((x @ w).tanh().named("h") @ w).tanh().named("h")
    assert "only the last of them is followed" in gradient_flow(h.sum(axis=1)).notes[0]
