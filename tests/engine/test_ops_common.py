"""What holds for every primitive op, over the table in op_cases.py."""

import gc
import inspect
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.engine.op_cases import BY_NAME, CASES, DIFFERENTIABLE, outputs
from tests.recording import Recording
from tinygrad_rnn import backends
from tinygrad_rnn.backends import scalar
from tinygrad_rnn.engine import ops


class Special(tg.Tensor):
    """Stands for nn.Parameter: a subclass that must not spread to results."""

    __slots__ = ()


def test_the_table_of_cases_has_every_primitive_op():
    primitive = {name for name, value in vars(ops).items() if inspect.isclass(value) and issubclass(value, tg.Op)}
    assert set(BY_NAME) == primitive - {"Op", "Random", "To"}  # To takes two devices: tests/engine/test_device.py


@pytest.mark.parametrize("table", ["UNARY", "BINARY", "COMPARE"])
def test_every_elementwise_kernel_has_an_op_with_a_method_and_a_case(table, monkeypatch):
    backend, run = backends.get("cpu"), "unary" if table == "UNARY" else "binary"
    kernel_of, asked = getattr(backend, run), set()

    def listening(kernel, *arrays):
        asked.add(kernel)
        return kernel_of(kernel, *arrays)

    monkeypatch.setattr(backend, run, listening)
    for case in CASES:
        case.call(*case.tensors())
    assert sorted(set(getattr(scalar, table)) - asked) == []


@pytest.mark.parametrize("name", BY_NAME)
def test_a_case_runs_the_op_it_is_named_after(name):
    case = BY_NAME[name]
    inputs = case.tensors()
    with Recording() as recording:
        case.call(*inputs)
    assert recording.seen[-1] is case.op
    assert case.op.name not in ("", "op")


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_first_derivatives_agree_with_finite_differences(name):
    case = BY_NAME[name]
    coarse = {"eps": 1e-2, "atol": 1e-4} if name == "Cast" else {}  # it goes through float32, and is linear
    assert tg.gradcheck(case.call, case.tensors(), **coarse)


@pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if name != "Cast"])
def test_second_derivatives_agree_with_finite_differences(name):
    case = BY_NAME[name]
    assert tg.gradgradcheck(case.call, case.tensors())


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_each_input_gets_its_gradient_when_the_others_need_none(name):
    case = BY_NAME[name]
    together = case.tensors()
    wanted = tg.grad(outputs(case.call(*together)), together, [y.detach() for y in outputs(case.call(*together))])
    for position in range(len(together)):
        inputs = case.tensors(requires_grad=False)
        inputs[position].requires_grad = True
        made = outputs(case.call(*inputs))
        alone = tg.grad(made, inputs[position], [y.detach() for y in made])
        np.testing.assert_allclose(alone.numpy(), wanted[position].numpy(), rtol=1e-12)


@pytest.mark.parametrize("skipped", [0, 1])
@pytest.mark.parametrize("name", ["Mul", "Div", "Pow", "Maximum", "Minimum", "Where", "MatMul", "Concat", "PutSlices"])
def test_no_work_is_done_for_an_input_that_needs_no_gradient(name, skipped):
    case, ran = BY_NAME[name], []
    for both in (True, False):
        inputs = case.tensors()
        inputs[skipped].requires_grad = both
        y = case.call(*inputs).sum()
        with Recording() as recording:
            y.backward()
        ran.append(len(recording.seen))
    assert ran[1] < ran[0]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_a_float32_op_stays_in_float32_forward_and_backward(name):
    case = BY_NAME[name]
    inputs = case.tensors("float32")
    made = outputs(case.call(*inputs))
    expected = "float64" if name == "Cast" else "float32"
    assert all(y.dtype == expected for y in made)
    gradients = tg.grad(made, inputs, [tg.ones_like(y) for y in made])
    assert all(g.dtype == tg.float32 and g.shape == x.shape for g, x in zip(gradients, inputs, strict=True))
    in_double = case.tensors("float64")
    made = outputs(case.call(*in_double))
    for g, exact in zip(gradients, tg.grad(made, in_double, [tg.ones_like(y) for y in made]), strict=True):
        np.testing.assert_allclose(g.numpy(), exact.numpy(), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", BY_NAME)
def test_results_are_plain_tensors_also_of_a_subclass(name):
    case = BY_NAME[name]
    inputs = [Special._leaf(x._data, x._node.backend, requires_grad=True) for x in case.tensors()]
    assert all(type(y) is tg.Tensor for y in outputs(case.call(*inputs)))


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - set(DIFFERENTIABLE)))
def test_an_op_without_derivative_gives_a_result_that_does_not_require_grad(name):
    case = BY_NAME[name]
    (y,) = outputs(case.call(*case.tensors()))
    assert not y.requires_grad
    assert y.is_leaf


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_without_grad_mode_or_inputs_that_need_it_no_graph_is_kept(name):
    case = BY_NAME[name]
    with tg.no_grad():
        silent = outputs(case.call(*case.tensors()))
    unwanted = outputs(case.call(*case.tensors(requires_grad=False)))
    for y in (*silent, *unwanted):
        assert y.is_leaf
        assert not y.requires_grad
        assert y._node.parents == ()
    wanted = outputs(case.call(*case.tensors()))
    for y, other, recorded in zip(silent, unwanted, wanted, strict=True):
        assert recorded.requires_grad
        assert not recorded.is_leaf
        np.testing.assert_array_equal(y.numpy(), recorded.numpy())
        np.testing.assert_array_equal(other.numpy(), recorded.numpy())


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_a_node_knows_the_scope_it_was_made_in_and_its_vjp_runs_there_too(name):
    case = BY_NAME[name]
    inputs = case.tensors()
    with tg.scope("cell"), tg.scope("t", 3):
        made = outputs(case.call(*inputs))
    assert all(y.scope == (("cell", None), ("t", 3)) for y in made)
    seeds = [tg.ones_like(y) for y in made]
    for seed in seeds:
        seed.requires_grad = True
    gradients = tg.grad(made, inputs, seeds, create_graph=True)
    for g in gradients:
        if not g.is_leaf:
            joined = case.op is ops.GetItem  # slices are put together where their parent was made
            assert g.scope == (("grad", None), *(() if joined else (("cell", None), ("t", 3))))


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", BY_NAME)
def test_no_op_makes_a_reference_cycle(name, create_graph):
    case = BY_NAME[name]
    inputs = case.tensors()
    gc.collect()
    gc.disable()
    try:
        made = outputs(case.call(*inputs))
        gradients = ()
        if case.op.differentiable:
            gradients = tg.grad(made, inputs, [tg.ones_like(y) for y in made], create_graph=create_graph)
        watched = [weakref.ref(t._node) for t in (*made, *gradients)]
        watched += [weakref.ref(array) for t in made for array in t._node.outputs if array.base is None]
        assert watched
        del made, gradients
        assert [ref() for ref in watched] == [None] * len(watched)
    finally:
        gc.enable()


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_gradient_recorded_and_unrecorded_is_the_same(name):
    case = BY_NAME[name]
    inputs = case.tensors()
    made = outputs(case.call(*inputs))
    seeds = [y.detach() for y in made]
    plain = tg.grad(made, inputs, seeds)
    recorded = tg.grad(made, inputs, seeds, create_graph=True)
    for g, h in zip(plain, recorded, strict=True):
        np.testing.assert_allclose(g.numpy(), h.numpy(), rtol=1e-14)
        assert not g.requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BY_NAME)
def test_only_ops_that_are_looked_at_return_memory_of_their_inputs(name, dtype):
    case = BY_NAME[name]
    inputs = case.tensors(dtype)
    for y in outputs(case.call(*inputs)):
        node, shares = y._node, y._node.backend.shares_memory
        read = node.parents or [x.edge for x in inputs]
        owners = [parent for parent, index in read if shares(y._data, parent.outputs[index])]
        assert case.op.may_share or not owners
        assert [owner.storage for owner in owners] == [node.storage] * len(owners)
        assert (node.storage is None) == (not owners)
