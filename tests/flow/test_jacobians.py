"""State Jacobians against central differences; their products against NumPy's; exponents against closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError, InputError, ShapeError
from tinygrad_rnn.flow import JacobianReport, elman_bound, gradient_flow, state_jacobians

NETS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
T, B, INPUTS, H = 5, 3, 2, 4


def step_by_step(cell, inputs, reverse=False):
    """The concatenated states after each step taken, on arrays alone."""
    states, state = [], cell.initial_state((B,))
    for t in range(len(inputs))[:: -1 if reverse else 1]:
        state = cell(tg.tensor(inputs[t]), state)
        states.append(joined(state))
    return states


def joined(state):
    return np.concatenate([part.numpy() for part in (state if isinstance(state, tuple) else (state,))], axis=-1)


def numerical(cell, inputs, reverse=False, eps=1e-6):
    """The one-step Jacobians (T-1, B, S, S) by central differences around the states the network went through."""
    order = range(len(inputs))[:: -1 if reverse else 1]
    found = []
    for state, t in zip(step_by_step(cell, inputs, reverse), order[1:], strict=False):
        columns = []
        for unit in range(state.shape[1]):
            moved = []
            for by in (eps, -eps):
                start = state.copy()
                start[:, unit] += by
                parts = tuple(tg.tensor(part) for part in np.split(start, len(cell.state_names), axis=1))
                moved.append(joined(cell(tg.tensor(inputs[t]), parts if len(parts) > 1 else parts[0])))
            columns.append((moved[0] - moved[1]) / (2 * eps))
        found.append(np.stack(columns, axis=2))
    return np.stack(found)


def network(kind, **options):
    tg.manual_seed(3)
    net = NETS[kind](INPUTS, H, dtype="float64", **options)
    for parameter in net.parameters():  # far from linear
        parameter.assign_(parameter.numpy() * 2)
    return net, tg.randn(T, B, INPUTS, dtype="float64")


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("hoisted", [False, True])
def test_one_step_jacobians_are_the_numerical_ones(kind, hoisted):
    net, x = network(kind)
    output, _ = net(x) if hoisted else net.unroll(x)
    report = state_jacobians(output)
    assert report.kinds == (("h", "c") if kind == "lstm" else ("h",))
    assert (report.steps, report.layer, report.direction, report.notes) == (tuple(range(T)), 0, "forward", ())
    np.testing.assert_allclose(report.one_step, numerical(net.cell(), x.numpy()), rtol=1e-7, atol=1e-9)


def test_states_of_different_sizes_have_a_jacobian() -> None:
    net, x = network("lstm", proj_size=2)
    report = state_jacobians(net.unroll(x)[0])
    sizes = [2, H]
    for t in range(T - 1):
        state = joined(net.unroll(x[: t + 1])[1])[0]
        for example in range(B):
            start = tg.tensor(state[example])

            def step(state, example=example, t=t):
                h, c = net.cell()(x[t + 1, example], tuple(state.split(sizes)))
                return tg.concat([h, c])

            expected = tg.jacobian(step, start).numpy()
            np.testing.assert_allclose(report.one_step[t, example], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("hoisted", [False, True])
def test_every_layer_and_direction_has_its_own(kind, hoisted):
    net, x = network(kind, num_layers=2, bidirectional=True)
    output, _ = net(x) if hoisted else net.unroll(x)
    inputs = x.numpy()
    for layer in range(2):
        for reverse in (False, True):
            report = state_jacobians(output, layer, reverse)
            order = tuple(range(T))[::-1] if reverse else tuple(range(T))
            assert (report.steps, report.layer, report.direction) == (order, layer, ("forward", "reverse")[reverse])
            expected = numerical(net.cell(layer, reverse), inputs, reverse)
            np.testing.assert_allclose(report.one_step, expected, rtol=1e-7, atol=1e-9)
            assert report.notes == ()
        sides = [step_by_step(net.cell(layer, reverse), inputs, reverse) for reverse in (False, True)]
        inputs = np.stack(
            [np.concatenate([a[:, :H], b[:, :H]], axis=1) for a, b in zip(sides[0], sides[1][::-1], strict=True)]
        )
    np.testing.assert_array_equal(state_jacobians(output).one_step, state_jacobians(output, 1).one_step)


@pytest.mark.parametrize("kind", NETS)
def test_singular_values_by_lag_are_those_of_the_product(kind):
    net, x = network(kind)
    report = state_jacobians(net.unroll(x)[0])
    product = np.stack([np.eye(report.one_step.shape[-1])] * B)
    spectra = [np.linalg.svd(product, compute_uv=False)]
    for jacobian in numerical(net.cell(), x.numpy())[::-1]:
        product = product @ jacobian
        spectra.append(np.linalg.svd(product, compute_uv=False))
    for lag, expected in enumerate(spectra):
        np.testing.assert_allclose(report.singular_values(lag), expected, rtol=1e-5)
    for name, pick in (("largest", np.max), ("median", np.median), ("smallest", np.min)):
        expected = [np.exp(np.mean(np.log(pick(values, axis=1)))) for values in spectra]
        np.testing.assert_allclose(getattr(report, name), expected, rtol=1e-5)


def test_the_gradient_of_a_late_loss_is_the_product_of_the_jacobians():
    net, x = network("gru")
    _, last = nn.unroll(net.cell(), x)
    losses = (last * last).sum(axis=1)
    report = state_jacobians(losses)
    gradient = 2 * last.numpy()
    sizes = [np.linalg.norm(gradient)]
    for jacobian in report.one_step[::-1]:
        gradient = np.einsum("bj,bjk->bk", gradient, jacobian)
        sizes.append(np.linalg.norm(gradient))
    np.testing.assert_allclose(gradient_flow(losses).hidden_grad[::-1], np.array(sizes) / np.sqrt(B), rtol=1e-12)


# ---- long products ---------------------------------------------------------------------------------------------------


def linear(weight, steps, dtype="float64"):
    """h_t = W h_{t-1}, written by hand, for two examples."""
    w = tg.tensor(np.asarray(weight, dtype), requires_grad=True)
    h = tg.ones(2, len(weight), dtype=dtype)
    for t in range(steps):
        with tg.scope("t", t):
            h = (h @ w.T).named("h")
    return h


def test_the_exponents_of_a_linear_network_are_the_logarithms_of_its_eigenvalues():
    diagonal = np.array([0.9, -0.5, 1e-7, 1.1])
    report = state_jacobians(linear(np.diag(diagonal), 60))
    np.testing.assert_allclose(report.exponents, np.sort(np.log(np.abs(diagonal)))[::-1], rtol=1e-12)
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(4, 4))
    report = state_jacobians(linear(basis @ np.diag(diagonal) @ np.linalg.inv(basis), 400))
    np.testing.assert_allclose(report.exponents, np.log([1.1, 0.9, 0.5, 1e-7]), atol=0.02)


@pytest.mark.parametrize("kind", NETS)
def test_exponents_are_those_of_the_singular_values_of_the_whole_product(kind):
    net, x = network(kind)
    report = state_jacobians(net.unroll(x)[0])
    logs = []
    for example in range(B):
        product = np.eye(report.one_step.shape[-1])
        for jacobian in numerical(net.cell(), x.numpy())[:, example]:
            product = jacobian @ product
        logs.append(np.log(np.linalg.svd(product, compute_uv=False)))
    np.testing.assert_allclose(report.exponents, np.mean(logs, axis=0) / (T - 1), rtol=1e-5)
    shown = np.log(report.largest[-1]), np.log(report.smallest[-1])
    np.testing.assert_allclose(report.exponents[[0, -1]] * (T - 1), shown, rtol=1e-12)


def test_the_small_exponents_of_a_long_product_are_exact():
    """Against the same product in exact arithmetic, whose determinant and largest value are known."""
    rng = np.random.default_rng(3)
    rotations = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(61)]
    sizes = [np.array([1.0, 0.5, 1e-3, 1e-6]) * rng.uniform(0.9, 1.1) for _ in range(60)]
    # Each Jacobian undoes the rotation of the one before, so that the singular values multiply.
    one_step = [rotations[k + 1] @ np.diag(size) @ rotations[k].T for k, size in enumerate(sizes)]
    expected = np.mean(np.log(sizes), axis=0)
    report = by_hand(np.array(one_step)[:, None])
    np.testing.assert_allclose(report.exponents, expected, rtol=1e-6)
    assert np.isnan(report.smallest[-1])
    np.testing.assert_allclose(np.log(report.largest[-1]) / 60, report.exponents[0], rtol=1e-12)


def by_hand(one_step, precision=2.2e-16):
    steps = tuple(range(len(one_step) + 1))
    return JacobianReport(("h",), 0, "forward", steps, np.asarray(one_step, dtype=float), precision, ())


def test_after_a_singular_jacobian_the_others_stay_what_they_are():
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(20, 1, 5, 5))
    steps[3, 0, 2] = 0.0  # a unit that lets nothing pass, such as a relu below 0
    report = by_hand(steps)
    product = np.linalg.multi_dot(list(steps[::-1, 0]))
    known = np.log(np.linalg.svd(product, compute_uv=False)[:4]) / 20
    np.testing.assert_allclose(report.exponents[:4], known, rtol=1e-7)
    assert report.exponents[4] == -np.inf
    almost = steps.copy()
    almost[3, 0] = steps[4, 0] @ np.diag([1, 1, 1, 1, 0.0]) @ steps[5, 0]  # singular, but for rounding
    found = by_hand(almost).exponents
    product = np.linalg.multi_dot(list(almost[::-1, 0]))
    np.testing.assert_allclose(found[:4], np.log(np.linalg.svd(product, compute_uv=False)[:4]) / 20, rtol=1e-7)
    assert np.isnan(found[4])


def test_what_rounding_has_destroyed_is_left_out_and_the_rest_is_exact():
    diagonal = np.array([1.0, 0.5, 0.1])
    report = state_jacobians(linear(np.diag(diagonal), 40))
    for lag in range(40):
        expected = diagonal**lag
        expected[expected < np.finfo("float64").eps] = np.nan
        np.testing.assert_allclose(report.singular_values(lag), [expected] * 2, rtol=1e-12)
    np.testing.assert_array_equal(np.isnan(report.smallest), np.arange(40) >= 16)
    np.testing.assert_allclose(report.median, 0.5 ** np.arange(40), rtol=1e-12)
    assert np.isnan(state_jacobians(linear(np.diag([1.0, 1e-5]), 3, "float32")).smallest[2])


def test_products_beyond_the_range_of_the_numbers_keep_what_can_be_written():
    small = state_jacobians(linear(np.diag([1e-40, 1e-41]), 12))
    np.testing.assert_allclose(small.largest[:8], 1e-40 ** np.arange(8), rtol=1e-10)
    np.testing.assert_array_equal(small.largest[9:], 0)
    large = state_jacobians(linear(np.diag([1e40, 1e39]), 12))
    np.testing.assert_allclose(large.smallest[:7], 1e39 ** np.arange(7), rtol=1e-10)
    np.testing.assert_array_equal(large.largest[9:], np.inf)


def test_numbers_that_are_not_finite_are_handed_on_as_nan():
    w = tg.tensor([[1.0, 0.0], [0.0, np.nan]], requires_grad=True)
    h = tg.ones(2, 2)
    for t in range(3):
        with tg.scope("t", t):
            h = (h @ w).named("h")
    report = state_jacobians(h)
    assert np.isnan(report.singular_values(1)).all()
    assert np.isnan(report.exponents).all()


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid", "identity"])
def test_no_product_of_an_elman_network_exceeds_its_bound(nonlinearity):
    net, x = network("rnn", nonlinearity=nonlinearity)
    report = state_jacobians(net.unroll(x)[0])
    slope = net.cell().max_slope
    bound = elman_bound(net.weight_hh_l0, T, slope)
    assert bound == pytest.approx((slope * np.linalg.svd(net.weight_hh_l0.numpy())[1][0]) ** np.arange(T))
    largest = [np.nan_to_num(report.singular_values(lag)).max() for lag in range(T)]  # NaN is below rounding
    assert all(largest <= bound * (1 + 1e-12))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid", "identity"])
def test_the_bound_is_reached_where_the_nonlinearity_is_steepest(nonlinearity):
    cell = nn.RNNCell(1, 2, bias=False, nonlinearity=nonlinearity, dtype="float64")
    cell.weight_hh.assign_(np.diag([0.5, 0.25]))
    x, h = tg.zeros(1, dtype="float64"), tg.full((2,), 1e-9, "float64")
    jacobian = tg.jacobian(lambda h: cell(x, h), h).numpy()
    assert np.linalg.norm(jacobian, 2) == pytest.approx(elman_bound(cell.weight_hh, 2, cell.max_slope)[1], rel=1e-6)


def test_only_a_square_weight_has_a_bound():
    with pytest.raises(ShapeError, match=r"W_hh must be square, \(H, H\), not \(16, 4\)"):
        elman_bound(nn.LSTM(INPUTS, H).weight_hh_l0, T)


# ---- one's own cells -------------------------------------------------------------------------------------------------


def test_a_step_that_hands_on_more_than_its_states_is_told_of():
    w = tg.tensor(np.full((2, 2), 0.5), requires_grad=True)
    h = old = memory = tg.ones(1, 2, dtype="float64")
    for t in range(4):
        with tg.scope("t", t):
            old, h = h, (h @ w + old + memory).named("h")
            memory = h * 2
    report = state_jacobians(h)
    assert report.one_step[1, 0].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert report.notes == (
        "some steps read states from further back than the step before: the Jacobians leave out what goes that way",
        "steps also read an unnamed mul of other steps: the Jacobians leave out what goes that way",
    )


def test_what_is_computed_between_two_steps_belongs_to_the_way_from_one_to_the_next():
    w = tg.tensor(np.array([[0.5, 1.0], [0.0, 0.25]]), requires_grad=True)
    h = tg.ones(1, 2, dtype="float64")
    for t in range(3):
        with tg.scope("t", t):
            state = (h @ w).named("h")
        h = state * 2
    np.testing.assert_array_equal(state_jacobians(h).one_step[:, 0], [2 * w.numpy().T] * 2)


def test_a_single_example_needs_no_batch_axis_and_a_single_step_has_no_jacobian():
    net, x = network("lstm")
    outputs, _ = nn.unroll(net.cell(), x[:, 0])
    report = state_jacobians(outputs[-1])
    batched, _ = nn.unroll(net.cell(), x)
    np.testing.assert_allclose(report.one_step, state_jacobians(batched[-1]).one_step[:, :1], rtol=1e-12)
    alone = state_jacobians(outputs[0])
    assert alone.one_step.shape == (0, 1, 2 * H, 2 * H)
    assert alone.largest.tolist() == [1.0]
    assert np.isnan(alone.exponents).all()


def test_two_outputs_of_one_op_can_be_the_states():
    class Rotate(tg.Op):
        @staticmethod
        def forward(backend, h, c):
            return backend.unary("neg", c), backend.copy(h)

        @staticmethod
        def vjp(node, dh, dc):
            zeros = node.input(0) * 0.0
            return zeros if dc is None else dc, zeros if dh is None else -dh

    h, c = (tg.ones(2, 1, dtype="float64", requires_grad=True) for _ in range(2))
    for t in range(3):
        with tg.scope("t", t):
            h, c = tg.apply(Rotate, h, c)
            h.named("h")
            c.named("c")
    report = state_jacobians(h)
    for before, after in pairwise(range(3)):
        np.testing.assert_array_equal(report.one_step[before, after % 2], [[0, -1], [1, 0]])


def test_measuring_leaves_the_graph_and_gradients_as_they_were():
    net, x = network("rnn")
    loss = (net.unroll(x)[0] ** 2).sum()
    state_jacobians(loss)
    assert all(parameter.grad is None for parameter in net.parameters())
    loss.backward()
    with pytest.raises(GraphError, match="was freed by an earlier backward"):
        state_jacobians(loss)


@pytest.mark.parametrize("named", [None, "other"])
def test_without_named_states_the_error_says_what_to_name(named):
    w = tg.tensor([[0.5]], requires_grad=True)
    h = tg.ones(1, 1)
    for t in range(2):
        with tg.scope("t", t):
            h = h @ w
            if named:
                h = h.named(named)
    with pytest.raises(GraphError, match=r"h\.named\('h'\) .* inside tg\.scope\('t', t\)"):
        state_jacobians(h)


def test_a_name_on_a_copy_that_no_step_reads_is_refused():
    w = tg.tensor([[0.5]], requires_grad=True)
    h = tg.ones(1, 1)
    shown = []
    for t in range(2):
        with tg.scope("t", t):
            h = h @ w
            shown.append((h * 1).named("h"))
    with pytest.raises(GraphError, match=r"the very tensor that the next step reads"):
        state_jacobians(shown[0] + shown[1])


def test_what_cannot_be_measured_is_refused():
    net, x = network("gru")
    output, _ = net.unroll(x)
    with pytest.raises(InputError, match="there are no states of layer 1 forward; there are those of layer 0 forward"):
        state_jacobians(output, layer=1)
    with pytest.raises(InputError, match="there are no states of reverse"):
        state_jacobians(output, reverse=True)
    with pytest.raises(InputError, match="not a list"):
        state_jacobians([output])
    with pytest.raises(InputError, match=f"lag must be from 0 to {T - 1}, not {T}"):
        state_jacobians(output).singular_values(T)
    with tg.no_grad(), pytest.raises(GraphError, match="does not require grad"):
        state_jacobians(net.unroll(x)[0])


def test_examples_that_mix_are_refused():
    w = tg.tensor(np.eye(3), requires_grad=True)
    column = tg.ones(3, 1, dtype="float64")  # (H, B), as textbooks write it
    for t in range(2):
        with tg.scope("t", t):
            column = ((w + 1) @ column).named("h")
    with pytest.raises(GraphError, match=r"the examples mix: .* \(B, H\) or \(H,\)"):
        state_jacobians(column)


def test_states_of_different_shapes_or_without_elements_are_refused():
    w = tg.tensor(np.ones((2, 3)), requires_grad=True)
    with tg.scope("t", 0):
        h = (tg.ones(1, 2, dtype="float64") @ w).named("h")
    with tg.scope("t", 1):
        h = h[:, :2].named("h")
    with pytest.raises(GraphError, match="h must have one shape after every step"):
        state_jacobians(h)
    with tg.scope("t", 0):
        empty = (tg.ones(0, 2, dtype="float64") @ w).named("h")
    with pytest.raises(ShapeError, match="the states are empty"):
        state_jacobians(empty)


def test_examples_that_only_hold_each_other_down_mix_too():
    h = tg.ones(2, 1, requires_grad=True)
    for t in range(2):
        with tg.scope("t", t):
            h = (h - 0.5 * h.sum(axis=0)).named("h")
    with pytest.raises(GraphError, match="the examples mix"):
        state_jacobians(h)
