"""backward and grad: accumulation, freeing, hooks, modes, errors, aliasing; random graphs against differences."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.engine.strategies import leaf
from tests.recording import Recording
from tinygrad_rnn.engine import autograd
from tinygrad_rnn.engine.graph import Slice
from tinygrad_rnn.errors import DTypeError, GraphError, ShapeError


@pytest.fixture
def x():
    return tg.tensor([1.0, 2.0, 3.0], dtype="float64", requires_grad=True)


# ---- backward -----------------------------------------------------------------------------------------------------


def test_gradients_accumulate_until_they_are_cleared(x):
    (x * x).sum().backward()
    first = x.grad
    assert first.tolist() == [2.0, 4.0, 6.0]
    (x * 10.0).sum().backward()
    assert x.grad.tolist() == [12.0, 14.0, 16.0]
    assert first.tolist() == [2.0, 4.0, 6.0]  # .grad was replaced, not written
    x.grad = None
    (x * 10.0).sum().backward()
    assert x.grad.tolist() == [10.0, 10.0, 10.0]


def test_a_gradient_may_be_given_as_tensor_array_or_number(x):
    for gradient in (tg.tensor([1.0, 10.0, 100.0]), np.array([1.0, 10.0, 100.0]), np.array([1, 10, 100])):
        x.grad = None
        (x * 2.0).backward(gradient)
        assert x.grad.tolist() == [2.0, 20.0, 200.0]
        assert x.grad.dtype == tg.float64
    x.grad = None
    x.sum().backward(3.0)
    assert x.grad.tolist() == [3.0, 3.0, 3.0]


def test_a_number_given_as_gradient_is_not_the_one_that_all_expressions_share():
    x = tg.tensor(2.0, requires_grad=True)
    for g in (tg.grad(x, x, 5.0), tg.grad(x + 1.0, x, 5.0), tg.grad(x + 1.0, x, 5.0, create_graph=True).detach()):
        g.assign_(0.0)
    x.backward(5.0)
    x.grad.assign_(0.0)
    assert (x * 5.0).item() == 10.0


def test_a_leaf_that_is_the_output_gets_the_seed():
    x = tg.tensor(2.0, requires_grad=True)
    x.backward()
    x.backward(tg.tensor(5.0))
    assert x.grad.item() == 6.0


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_single_element_needs_no_gradient_whatever_its_shape(shape):
    x = tg.full(shape, 3.0, requires_grad=True)
    (x * x).backward()
    assert x.grad.shape == shape
    assert x.grad.item() == 6.0


def test_several_elements_need_a_gradient_to_start_from(x):
    with pytest.raises(GraphError, match=r"backward: a tensor of shape \(3,\) .*reduce it .*backward\(gradient=...\)"):
        (x * 2.0).backward()
    with pytest.raises(GraphError, match=r"grad: a tensor of shape \(3,\) .*of shape \(3,\): grad\(grad_outputs=...\)"):
        tg.grad(x * 2.0, x)
    with pytest.raises(GraphError, match="no single derivative"):
        (x[:0] * 2.0).backward()


def test_a_gradient_of_another_shape_is_refused(x):
    with pytest.raises(ShapeError, match=r"backward: gradient has shape \(2,\), the output \(3,\); make them equal"):
        (x * 2.0).backward(tg.ones(2))
    with pytest.raises(ShapeError, match=r"grad: grad_outputs has shape \(\), the output \(3,\)"):
        tg.grad(x * 2.0, x, 1.0)


def test_an_output_that_requires_no_grad_is_refused(x):
    for output in (tg.ones(1), x.detach().sum(), (x > 0).sum(), tg.no_grad()(x.sum)()):
        with pytest.raises(GraphError, match=r"backward: .* not require grad.*requires_grad=True.*outside no_grad"):
            output.backward()
        with pytest.raises(GraphError, match=r"grad: the output does not require grad"):
            tg.grad(output, x)


def test_a_second_backward_says_what_happened_and_what_to_do(x):
    with tg.scope("t", 3):
        y = (x * x).sum()
    y.backward()
    with pytest.raises(GraphError, match=r"behind sum \(in t=3\) was freed by an earlier backward.*retain_graph=True"):
        y.backward()
    with pytest.raises(GraphError, match="freed"):
        tg.grad(y, x)
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_a_result_behind_a_freed_graph_cannot_be_used_in_a_new_one(x):
    h = x * x
    h.sum().backward()
    with pytest.raises(GraphError, match="the graph behind mul was freed"):
        (h * 2.0).sum().backward()
    assert h._node.freed
    assert not x._node.freed


@pytest.mark.parametrize("keep", ["retain_graph", "create_graph"])
def test_a_kept_graph_gives_the_same_gradient_again(keep, x):
    y = (x * x).sum()
    for _ in range(3):
        y.backward(**{keep: True})
    y.backward()
    assert x.grad.tolist() == [8.0, 16.0, 24.0]


def test_backward_with_create_graph_leaves_gradients_that_can_be_differentiated(x):
    (x * x * x).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = tg.grad(x.grad.sum(), [x])
    assert second.tolist() == [6.0, 12.0, 18.0]
    x.grad = None  # the gradient's graph leads back to x: a cycle until it is dropped


def test_what_backward_leaves_does_not_require_grad_although_the_seed_does(x):
    seed = tg.ones(3, dtype="float64", requires_grad=True)
    y = tg.zeros(3, dtype="float64", requires_grad=True)
    (x + y).backward(seed)
    assert not x.grad.requires_grad
    assert x.grad.is_leaf
    assert not tg.grad(x + y, x, seed).requires_grad
    assert tg.grad(x + y, x, seed, create_graph=True).requires_grad


@pytest.mark.parametrize(
    "value",
    [np.zeros(3), 0.0, tg.zeros(2, dtype="float64"), tg.zeros(3, dtype="float32")],
    ids=lambda v: type(v).__name__,
)
def test_only_a_fitting_tensor_can_be_set_as_gradient(value, x):
    with pytest.raises((tg.errors.DTypeError, ShapeError)):
        x.grad = value
    assert x.grad is None
    x.grad = tg.ones(3, dtype="float64")
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_only_leaves_that_require_grad_get_one(x):
    constant, h = tg.ones(3, dtype="float64"), x * 2.0
    (h * constant).sum().backward()
    assert constant.grad is None
    with pytest.warns(UserWarning, match="result of mul"):
        assert h.grad is None
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_requires_grad_can_be_changed_on_leaves_only(x):
    x.requires_grad = False
    assert not (x * x).requires_grad
    x.requires_grad = True
    with pytest.raises(GraphError, match=r"requires_grad can be set on leaves only; use .detach\(\)"):
        (x * x).requires_grad = False
    h = x.detach()
    h.requires_grad = True
    assert not x.is_leaf or h.is_leaf


def test_detach_stops_the_gradient(x):
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0]
    assert not x.detach().requires_grad


# ---- one gradient, many holders -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "join", [lambda a, b: a + b, lambda a, b: a.T + b, lambda a, b: a.reshape(2, 2) + b, lambda a, b: a.copy() + b[:]]
)
def test_leaves_never_share_the_array_of_their_gradients(join):
    a, b = tg.ones(2, 2, requires_grad=True), tg.zeros(2, 2, requires_grad=True)
    seed = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    join(a, b).backward(seed)
    for one, other in ((a.grad, b.grad), (a.grad, seed), (b.grad, seed)):
        assert not np.shares_memory(one.numpy(), other.numpy())
    a.grad.assign_(a.grad * 10.0)  # what clipping in place would do
    assert b.grad.numpy().sum() == 10.0
    assert seed.numpy().sum() == 10.0
    a.grad = b.grad = None
    (join(a, b) * seed).sum().backward()
    assert not np.shares_memory(a.grad.numpy(), b.grad.numpy())


def test_a_gradient_kept_by_a_hook_is_not_changed_by_what_follows(x):
    kept = []
    y = x * 1.0
    y.register_hook(kept.append)
    y.retain_grad()
    (y + y + y * y + y.exp()).sum().backward()
    expected = 2.0 + 2 * x.numpy() + np.exp(x.numpy())
    np.testing.assert_allclose(kept[0].numpy(), expected)
    np.testing.assert_allclose(y.grad.numpy(), expected)
    (y.detach() * x).sum().backward()
    np.testing.assert_allclose(kept[0].numpy(), expected)


@pytest.mark.host
def test_the_sum_of_many_messages_is_made_in_one_buffer(x, monkeypatch):
    written = []
    backend = x._node.backend
    add_into = backend.add_into
    monkeypatch.setattr(backend, "add_into", lambda a, b: (written.append(a.copy()), add_into(a, b)))
    y = x * 1.0
    (y.exp() + y.tanh() + y.sin() + y.cos() + y).sum().backward()
    assert len(written) == 3  # of five messages the first two make the buffer
    at = x.numpy()
    expected = np.exp(at) + 1 - np.tanh(at) ** 2 + np.cos(at) - np.sin(at) + 1
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_the_seed_is_never_written(x):
    seed = tg.ones(3, dtype="float64")
    (x + x + x + x).backward(seed)
    assert x.grad.tolist() == [4.0, 4.0, 4.0]
    assert seed.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("uses", [1, 2, 3, 4, 100])
def test_every_use_counts(uses, x):
    y = x * 1.0
    total = y
    for _ in range(uses - 1):
        total = total + y
    total.sum().backward()
    assert x.grad.tolist() == [uses] * 3


def test_a_diamond_is_walked_once(x):
    calls = []
    y = x * 2.0
    y.register_hook(calls.append)
    left, right = y.exp(), y * 3.0
    (left * right).sum().backward()
    assert len(calls) == 1
    at = 2.0 * x.numpy()
    np.testing.assert_allclose(x.grad.numpy(), 2.0 * (np.exp(at) * 3.0 * at + np.exp(at) * 3.0))


# ---- hooks and retained gradients ---------------------------------------------------------------------------------


def test_retain_grad_keeps_the_gradient_of_a_result(x):
    y = (x * 2.0).retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [4.0, 8.0, 12.0]
    with pytest.warns(UserWarning, match="retain_grad"):
        assert (x * 2.0).grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_retained_gradients_accumulate(create_graph, x):
    y = (x * 2.0).retain_grad()
    z = (y * y).sum()
    z.retain_grad()
    z.backward(retain_graph=True, create_graph=create_graph)
    first = y.grad
    z.backward(create_graph=create_graph)
    assert y.grad.tolist() == [8.0, 16.0, 24.0]
    assert z.grad.item() == 2.0
    assert first.tolist() == [4.0, 8.0, 12.0]
    assert y.grad.requires_grad == create_graph


def test_a_retained_gradient_shares_no_memory_with_what_was_sent_on(x):
    y = (x + 1.0).retain_grad()
    z = (y + 1.0).retain_grad()
    z.backward(tg.tensor([1.0, 2.0, 3.0], dtype="float64"))
    y.grad.assign_(tg.zeros(3, dtype="float64"))
    assert z.grad.tolist() == [1.0, 2.0, 3.0]
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


def test_what_a_hook_keeps_or_returns_shares_no_memory_with_gradients(x):
    kept, constant = [], tg.tensor([5.0, 6.0, 7.0], dtype="float64")
    other = tg.zeros(3, dtype="float64", requires_grad=True)
    y = x + 1.0
    y.register_hook(kept.append)
    x.register_hook(kept.append)
    other.register_hook(lambda g: constant)
    ((y + other) * tg.tensor([1.0, 2.0, 3.0], dtype="float64")).sum().backward()
    x.grad.assign_(tg.zeros(3, dtype="float64"))
    other.grad.assign_(tg.zeros(3, dtype="float64"))
    assert [g.tolist() for g in kept] == [[1.0, 2.0, 3.0]] * 2
    assert constant.tolist() == [5.0, 6.0, 7.0]
    kept[0].assign_(constant)
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_what_a_hook_returns_can_be_differentiated_again(x):
    y = x * x
    handle = y.register_hook(lambda g: g * g)
    (first,) = tg.grad((y * y).sum(), [x], create_graph=True)
    np.testing.assert_allclose(first.numpy(), 8.0 * x.numpy() ** 5)
    handle.remove()  # which would square the gradient that reaches y on the second way back
    (second,) = tg.grad(first.sum(), [x])
    np.testing.assert_allclose(second.numpy(), 40.0 * x.numpy() ** 4)


def test_a_hook_registered_twice_is_called_twice_and_each_handle_ends_its_own(x):
    seen = []

    def hook(g):
        seen.append(g.tolist())

    first, second = x.register_hook(hook), x.register_hook(hook)
    x.sum().backward()
    assert len(seen) == 2
    first.remove()
    first()
    first.remove()
    x.sum().backward()
    assert len(seen) == 3
    second()
    x.sum().backward()
    assert len(seen) == 3


def test_an_error_in_a_hook_says_where_it_came_from(x):
    with tg.scope("gate"):
        y = x * 2.0
    y.register_hook(lambda g: {}["missing"])
    with pytest.raises(KeyError, match="missing") as caught:
        y.sum().backward()
    assert caught.value.__notes__ == ["raised by a hook on mul (in gate), during the backward pass"]
    with pytest.raises(DTypeError, match="register_hook: a hook is a function of the gradient, not float"):
        x.register_hook(3.0)


@pytest.mark.parametrize("create_graph", [False, True])
def test_results_of_grad_share_no_memory_with_seeds_or_each_other(create_graph, x):
    seed = tg.tensor([1.0, 2.0, 3.0], dtype="float64")
    (itself,) = tg.grad(x, [x], seed, create_graph=create_graph)
    itself.assign_(seed * 0.0)
    other = tg.zeros(3, dtype="float64", requires_grad=True)
    a, b = tg.grad(x + other, [x, other], seed, create_graph=create_graph)
    a.assign_(seed * 5.0)
    assert b.tolist() == [1.0, 2.0, 3.0]
    assert seed.tolist() == [1.0, 2.0, 3.0]


# ---- a graph of which a part was freed -----------------------------------------------------------------------------


def test_steps_of_an_earlier_backward_ask_for_detach(x):
    def three_steps(h):
        for t in range(3):
            with tg.scope("t", t):
                h = (h * x + 1.0).tanh()
        return h

    h = three_steps(tg.zeros(3, dtype="float64"))
    h.sum().backward()
    loss = three_steps(h).sum()
    with pytest.raises(GraphError, match=r"behind tanh \(in t=2\) was freed.*earlier time steps.*h = h.detach\(\)"):
        loss.backward()
    three_steps(h.detach()).sum().backward()


def test_a_second_backward_from_the_same_result_asks_for_retain_graph(x):
    with tg.scope("t", 1):
        loss = (x * x).sum()
    loss.backward()
    with pytest.raises(GraphError, match=r"retain_graph=True") as caught:
        loss.backward()
    assert "detach" not in str(caught.value)


def test_a_retained_gradient_shares_no_memory_with_the_gradients_of_others(x):
    y, z = (x * 2.0).retain_grad(), (x * 3.0).retain_grad()
    given = np.ones(3, x.numpy().dtype)
    (y + z).backward(tg.from_numpy(given))  # an addition hands on the gradient it was given, twice
    assert not np.shares_memory(y.grad.numpy(), z.grad.numpy())
    given[:] = 7.0
    assert y.grad.tolist() == z.grad.tolist() == [1.0] * 3


def test_a_hook_sees_the_complete_gradient_and_may_replace_it(x):
    seen = []
    y = x * 2.0
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10.0)
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.retain_grad()
    (y + y).sum().backward()
    assert seen == [[2.0] * 3, [20.0] * 3]
    assert y.grad.tolist() == [20.0] * 3
    assert x.grad.tolist() == [40.0] * 3


def test_a_hook_on_a_leaf_changes_what_is_accumulated(x):
    remove = x.register_hook(lambda g: g * 0.0 + 7.0)
    x.sum().backward()
    x.sum().backward()
    assert x.grad.tolist() == [14.0] * 3
    remove()
    x.sum().backward()
    assert x.grad.tolist() == [15.0] * 3


def test_a_hook_is_removed_once_and_alone(x):
    seen = []
    remove_first = x.register_hook(lambda g: seen.append("first"))
    x.register_hook(lambda g: seen.append("second"))
    remove_first()
    remove_first()
    x.sum().backward()
    assert seen == ["second"]


def test_a_hook_may_remove_itself_while_it_runs(x):
    seen = []

    def once(g):
        seen.append("once")
        remove()

    remove = x.register_hook(once)
    x.register_hook(lambda g: seen.append("always"))
    for _ in range(2):
        x.sum().backward()
    assert seen == ["once", "always", "always"]


@pytest.mark.parametrize(
    ("wrong", "error", "given"),
    [
        (lambda g: g.sum(), ShapeError, r"shape \(\) .* for a gradient of shape \(3,\)"),
        (lambda g: g.cast("float32"), ShapeError, r"shape \(3,\) and dtype float32 for .* float64"),
        (lambda g: 3.0, DTypeError, "a float; return a tensor"),
        (lambda g: g.numpy(), DTypeError, "a NumPy ndarray; return a tensor"),
        (lambda g: g.numpy()[0], DTypeError, "a NumPy float64; return a tensor"),
        (lambda g: [g], DTypeError, "a list; return a tensor"),
    ],
    ids=range(6),
)
def test_a_hook_that_returns_what_does_not_fit_is_named(wrong, error, given, x):
    with tg.scope("gate"):
        y = x * 2.0
    y.register_hook(wrong)
    with pytest.raises(error, match=r"a hook on mul \(in gate\) returned " + given):
        (y * y).sum().backward()


def test_hooks_and_retain_grad_need_a_gradient_to_come():
    constant = tg.ones(2)
    with pytest.raises(GraphError, match="retain_grad: this tensor does not require grad"):
        constant.retain_grad()
    with pytest.raises(GraphError, match="register_hook: this tensor does not require grad"):
        constant.register_hook(print)


def test_hooks_of_a_result_that_is_not_on_the_way_do_not_run(x):
    aside = x * 5.0
    aside.register_hook(lambda g: pytest.fail("no gradient comes here"))
    x.sum().backward()


def test_a_hook_with_create_graph_is_differentiated_too(x):
    y = x * 1.0
    remove = y.register_hook(lambda g: g * g)
    (g,) = tg.grad((y * y).sum(), [x], create_graph=True)
    assert g.tolist() == [4.0, 16.0, 36.0]
    remove()
    assert tg.grad(g.sum(), x).tolist() == [8.0, 16.0, 24.0]


# ---- grad ---------------------------------------------------------------------------------------------------------


def test_grad_returns_one_or_many_and_leaves_everything_as_it_was(x):
    w = tg.tensor(2.0, dtype="float64", requires_grad=True)
    h = x * w
    y = (h * h).sum()
    for _ in range(2):
        assert tg.grad(y, h).tolist() == [4.0, 8.0, 12.0]
        single, by_w, by_h = tg.grad(y, [x, w, h])
        assert single.tolist() == [8.0, 16.0, 24.0]
        assert by_w.item() == 56.0
        assert by_h.tolist() == [4.0, 8.0, 12.0]
    assert x.grad is None
    assert w.grad is None
    assert type(tg.grad(y, (x,))) is tuple
    y.backward()  # the graph is still there
    assert x.grad.tolist() == [8.0, 16.0, 24.0]
    x.grad = None


def test_grad_leaves_a_retained_gradient_alone(x):
    h = (x * 2.0).retain_grad()
    tg.grad(h.sum(), x)
    assert h.grad is None


def test_grad_of_an_output_by_itself_is_the_seed(x):
    y = x * 2.0
    assert tg.grad(y, y, tg.tensor([1.0, 2.0, 3.0])).tolist() == [1.0, 2.0, 3.0]
    assert tg.grad(x, x, tg.ones(3)).tolist() == [1.0, 1.0, 1.0]


def test_grad_of_several_outputs_is_the_sum(x):
    a, b = x * 2.0, (x * x).sum()
    (g,) = tg.grad([a, b], [x], [tg.tensor([1.0, 0.0, 1.0]), None])
    assert g.tolist() == [4.0, 4.0, 8.0]
    (twice,) = tg.grad([b, b], [x])
    assert twice.tolist() == [4.0, 8.0, 12.0]
    (shared,) = tg.grad([x * 1.0, x * 3.0], [x], tg.ones(3))
    assert shared.tolist() == [4.0, 4.0, 4.0]


def test_grad_gives_the_same_input_twice_when_asked_twice(x):
    first, second = tg.grad((x * x).sum(), [x, x])
    assert first.tolist() == second.tolist() == [2.0, 4.0, 6.0]


def test_an_unused_input_is_named_or_none(x):
    other = tg.ones(2, requires_grad=True)
    y = x.sum()
    with pytest.raises(
        GraphError, match=r"grad: no output depends on input 1 \(shape \(2,\)\); pass allow_unused=True"
    ):
        tg.grad(y, [x, other])
    used, unused = tg.grad(y, [x, other], allow_unused=True)
    assert unused is None
    assert used.tolist() == [1.0, 1.0, 1.0]
    assert tg.grad(y, other, allow_unused=True) is None
    downstream = y * 2.0
    assert tg.grad(y, downstream, allow_unused=True) is None


def test_an_input_that_requires_no_grad_is_refused(x):
    with pytest.raises(GraphError, match="grad: input 1 does not require grad; create it with requires_grad=True"):
        tg.grad(x.sum(), [x, tg.ones(3)])


def test_the_number_of_grad_outputs_must_fit(x):
    with pytest.raises(GraphError, match="grad: 2 outputs but 1 grad_outputs; give one for each"):
        tg.grad([x.sum(), x.sum()], x, [None])


def test_grad_runs_only_what_leads_from_the_inputs_to_the_outputs(x):
    w = tg.ones(3, dtype="float64", requires_grad=True)
    aside = w.exp().tanh().exp()
    h = x * 2.0
    y = (h * h + aside).sum()
    with Recording() as recording:
        tg.grad(y, h)
    names = [op.name for op in recording.seen]
    assert "exp" not in names
    assert "tanh_grad" not in names


def test_grad_by_a_result_does_not_ask_for_what_lies_behind_it(x):
    h = x * x
    y = (h * 3.0).sum()
    x.assign_(np.zeros(3))  # d y / d h does not need x
    assert tg.grad(y, h).tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_of_any_order(order):
    x = tg.tensor(0.7, dtype="float64", requires_grad=True)
    y = (x * x).exp().tanh() * x**3
    for _ in range(order):
        y = tg.grad(y, x, create_graph=True)
    # Computed once with mpmath 1.3 in 40 digits: diff(lambda x: tanh(exp(x * x)) * x**3, 0.7, order).
    expected = {1: 1.47294280556, 2: 4.68732460075, 3: 6.35209661491, 4: -23.436110154}
    assert y.item() == pytest.approx(expected[order], rel=1e-10)


# ---- modes --------------------------------------------------------------------------------------------------------


def test_no_grad_and_enable_grad_nest_and_are_restored_also_after_an_error(x):
    with tg.no_grad():
        assert not (x * x).requires_grad
        with tg.enable_grad():
            assert (x * x).requires_grad
            with tg.no_grad():
                assert not (x * x).requires_grad
        assert not (x * x).requires_grad
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert (x * x).requires_grad


def test_modes_as_decorators(x):
    @tg.no_grad()
    def silent():
        @tg.enable_grad()
        def loud():
            return x * x

        return x * x, loud()

    for _ in range(2):
        plain, recorded = silent()
        assert not plain.requires_grad
        assert recorded.requires_grad
    assert silent.__name__ == "silent"


def test_modes_as_decorators_without_parentheses_and_entered_twice(x):
    @tg.no_grad
    def silent():
        return x * x

    assert not silent().requires_grad
    assert tg.enable_grad(lambda: x * x)().requires_grad
    again = tg.no_grad()
    with again:
        with again:
            pass
        assert not (x * x).requires_grad
    assert (x * x).requires_grad


def test_the_gradient_of_a_sum_is_stored_once_per_element_so_that_it_can_be_assigned(x):
    x.sum().backward()
    x.grad.assign_(x.grad * 2.0)
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_backward_pass_inside_no_grad_works_and_leaves_the_mode(x):
    y = (x * x).sum()
    with tg.no_grad():
        y.backward()
        assert not (x * x).requires_grad
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
    z = (x * x).sum()
    with tg.no_grad():
        assert tg.grad(z, x, create_graph=True).requires_grad


def test_modes_are_as_before_after_a_vjp_raised():
    class Broken(tg.Op):
        @staticmethod
        def forward(backend, x):
            return backend.copy(x)

        @staticmethod
        def vjp(node, g):
            raise ZeroDivisionError

    x = tg.ones(2, requires_grad=True)
    with tg.scope("outer"):
        y = tg.apply(Broken, x).sum()
        with pytest.raises(ZeroDivisionError):
            y.backward(create_graph=True)
        assert (x * x).requires_grad
        assert (x * x).scope == (("outer", None),)


# ---- observers ----------------------------------------------------------------------------------------------------


def test_messages_into_a_node_sum_to_its_gradient():
    rng = np.random.default_rng(0)
    w = leaf(rng.normal(size=(3, 3)))
    xs = leaf(rng.normal(size=(4, 2, 3)))
    bias = leaf(rng.normal(size=3))
    h = tg.zeros(2, 3, dtype="float64")
    for t in range(4):
        with tg.scope("t", t):
            h = (xs[t] + h @ w + bias).tanh()
    loss = (h * h).sum()
    arrived, complete = {}, {}

    class Watch(autograd.Observer):
        dense = True

        def receive(self, child, position, edge, message):
            node, index = child.parents[position]
            assert edge == (node, index)
            array = np.zeros(node.outputs[index].shape)
            if isinstance(message, Slice):
                array[message.index] = message.grad.numpy()
            else:
                assert message.shape == array.shape
                array += message.numpy()
            arrived.setdefault((node, index), []).append((array, message))
            super().receive(child, position, edge, message)

        def complete(self, node, grads):
            for index, gradient in enumerate(grads):
                assert (node, index) not in complete
                complete[node, index] = (gradient, gradient.numpy().copy())
            return grads

    autograd.walk(autograd.topological([loss._node]), [(loss.edge, tg.tensor(1.0, dtype="float64"))], Watch())
    assert len(arrived[w.edge]) == len(arrived[bias.edge]) == len(arrived[xs.edge]) == 4
    for edge, messages in arrived.items():
        np.testing.assert_allclose(sum(array for array, _ in messages), complete[edge][1], atol=1e-14)
    for gradient, copied in complete.values():
        np.testing.assert_array_equal(gradient.numpy(), copied)  # nothing seen was written to later
    for array, message in (pair for messages in arrived.values() for pair in messages):
        kept = message.grad.numpy() if isinstance(message, Slice) else message.numpy()
        np.testing.assert_array_equal(kept, array[message.index] if isinstance(message, Slice) else array)
    assert w.grad is None
    loss.backward()
    np.testing.assert_allclose(w.grad.numpy(), complete[w.edge][1], atol=1e-14)


# ---- any graph ----------------------------------------------------------------------------------------------------

UNARY = [
    lambda a: a.tanh(),
    lambda a: a.sigmoid(),
    lambda a: -a,
    lambda a: a * 0.5,
    lambda a: a.T,
    lambda a: a[::-1],
    lambda a: a[0],
    lambda a: a[:, 1:2],
    lambda a: a.sum(axis=0),
    lambda a: a.sum(axis=1, keepdims=True),
    lambda a: a[[1, 1, 0]][:2],
    lambda a: a.reshape(4).reshape(2, 2),
    lambda a: a.split(1)[1] + a,
    lambda a: a.unbind(1)[0],
    lambda a: a.detach() * a,
    lambda a: a.softmax(),
]
BINARY = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a @ b, lambda a, b: a + a]


def square(y):
    """Every value of a random graph is brought to shape (2, 2), so that any op fits any other."""
    return y.broadcast_to(2, 2) if y.shape != (2, 2) else y


@st.composite
def programs(draw):
    """Steps of a random graph: (function, positions of what it reads among the values so far)."""
    steps = []
    for made in range(2, draw(st.integers(3, 12))):
        binary = draw(st.booleans())
        function = draw(st.sampled_from(BINARY if binary else UNARY))
        steps.append((function, [draw(st.integers(0, made - 1)) for _ in range(2 if binary else 1)]))
    return steps


def run(steps, leaves):
    values = [square(x) for x in leaves]
    for function, positions in steps:
        values.append(square(function(*(values[p] for p in positions))))
    return values


@settings(max_examples=80)
@given(steps=programs(), seed=st.integers(0, 99))
def test_any_graph_in_place_recorded_by_hooks_and_by_differences(steps, seed):
    rng = np.random.default_rng(seed)
    leaves = [leaf(rng.uniform(-1, 1, (2, 2))), leaf(rng.uniform(-1, 1, (1, 2)))]
    values = run(steps, leaves)
    loss = sum((v.sum() * (0.1 * i + 1.0) for i, v in enumerate(values)), tg.tensor(0.0, dtype="float64"))

    recorded = tg.grad(loss, leaves, create_graph=True)
    in_hooks = []
    for v in values:
        v.register_hook(lambda g: in_hooks.append((g, g.numpy().copy())))
        v.retain_grad()
    loss.backward()
    for x, pure in zip(leaves, recorded, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), pure.numpy(), rtol=1e-11, atol=1e-12)
    for kept, copied in in_hooks:
        np.testing.assert_array_equal(kept.numpy(), copied)
    for x in leaves:
        x.grad = None
    if all("detach" not in function.__code__.co_names for function, _ in steps):
        assert tg.gradcheck(lambda *xs: sum(v.sum() for v in run(steps, xs)), leaves, atol=1e-4)


@settings(max_examples=10)
@given(steps=programs(), seed=st.integers(0, 99))
def test_second_derivatives_of_any_graph(steps, seed):
    if any("detach" in function.__code__.co_names for function, _ in steps):
        return
    rng = np.random.default_rng(seed)
    leaves = [leaf(rng.uniform(-1, 1, (2, 2))), leaf(rng.uniform(-1, 1, (1, 2)))]
    assert tg.gradgradcheck(lambda *xs: (run(steps, xs)[-1] * run(steps, xs)[-1]).sum(), leaves, atol=1e-3)


# ---- depth --------------------------------------------------------------------------------------------------------


def test_a_deep_graph_needs_no_recursion(x):
    limit = sys.getrecursionlimit()
    y = x
    for t in range(5_000):
        with tg.scope("t", t):
            y = y * 0.999 + 0.001
    sys.setrecursionlimit(150)
    try:
        (g,) = tg.grad(y.sum(), [x], create_graph=True)
        y.sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), g.numpy())
        del y, g
    finally:
        sys.setrecursionlimit(limit)


def test_products_waiting_for_each_other_are_joined_in_batches_without_losing_any():
    steps, rows = 150, 8  # more rows than wait at once, and not a multiple of that
    w = tg.randn(5, 5, dtype="float64", requires_grad=True)
    xs = tg.randn(steps, rows, 5, dtype="float64")
    loss = tg.stack([(xs[t] @ w).tanh().sum() for t in range(steps)]).sum()
    joined = tg.grad(loss, w)
    one_by_one = tg.grad(loss, w, create_graph=True)  # a recorded pass multiplies every message out
    np.testing.assert_allclose(joined.numpy(), one_by_one.numpy(), rtol=1e-12)


def test_gradients_share_no_memory_with_each_other_or_with_what_was_passed():
    a, b, c = (tg.ones(2, dtype="float64", requires_grad=True) for _ in range(3))
    by_a, by_b = tg.grad(((a + b) * c).sum(), [a, b])
    by_a.assign_(np.zeros(2))
    assert by_b.tolist() == [1.0, 1.0]
    seed = tg.ones(2, dtype="float64")
    (a + b).retain_grad().backward(seed)
    a.grad.assign_(np.zeros(2))
    assert (seed.tolist(), b.grad.tolist()) == ([1.0, 1.0], [1.0, 1.0])
    c.sum().backward()  # sum hands back one number, repeated without storing it again
    c.grad.assign_(np.array([5.0, 6.0]))
    assert c.grad.tolist() == [5.0, 6.0]


def test_a_message_without_axes_fits_an_input_with_one_element():
    class Total(tg.Op):
        @staticmethod
        def forward(backend, x):
            return backend.reduce("sum", x, (0,), False)

        @staticmethod
        def vjp(node, g):
            return g

    x = tg.ones(1, dtype="float64", requires_grad=True)
    tg.apply(Total, x).backward()
    assert x.grad.tolist() == [1.0]


def test_the_mistake_in_an_op_of_ones_own_is_told_in_its_own_words():
    class Bad(tg.Op):
        @staticmethod
        def forward(backend, x, *, alpha):
            return x

    with pytest.raises(TypeError, match="unexpected keyword argument 'alhpa'") as caught:
        tg.apply(Bad, tg.ones(2), alhpa=1.0)
    assert not isinstance(caught.value, tg.errors.TinygradError)
