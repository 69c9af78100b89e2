"""A second device: moving there and back, computing there, and never looking at a value on the way."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.engine.op_cases import BY_NAME, DIFFERENTIABLE, outputs
from tests.recording import Recording
from tinygrad_rnn import backends, nn
from tinygrad_rnn.engine import ops
from tinygrad_rnn.errors import DeviceError, DTypeError, IndexRangeError

pytestmark = pytest.mark.host  # with --device cuda there is no CPU to move from


@pytest.fixture
def x(fake_cuda):
    return tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], device="cuda", requires_grad=True)


# ---- moving -------------------------------------------------------------------------------------------------------


def test_values_and_dtype_survive_the_way_there_and_back(fake_cuda):
    for values in (np.arange(6.0).reshape(2, 3), np.array([True, False]), np.array(7), np.zeros((0, 2), "float32")):
        there = tg.tensor(values).to("cuda")
        assert (there.device, there.dtype, there.shape) == ("cuda", tg.tensor(values).dtype, values.shape)
        back = there.to("cpu")
        assert back.device == "cpu"
        np.testing.assert_array_equal(back.numpy(), values)


def test_a_view_is_moved_as_it_looks(fake_cuda):
    a = tg.tensor(np.arange(6.0).reshape(2, 3))
    for view in (a.T, a[:, ::-1], a[0].broadcast_to(4, 3), a[1:, 1]):
        np.testing.assert_array_equal(view.to("cuda").numpy(), view.numpy())
        np.testing.assert_array_equal(view.to("cuda").T.to("cpu").numpy(), view.numpy().T)


def test_to_where_it_is_gives_itself(x):
    assert x.to("cuda") is x
    assert x.to("cuda:0") is x
    assert x.to(device="cuda", dtype="float32") is x
    assert x.detach().to("cuda", "float64").dtype == tg.float64
    moved = x.to("float64", "cpu")
    assert (moved.device, moved.dtype) == ("cpu", tg.float64)


def test_a_move_copies_also_between_equal_memories(fake_cuda):
    a = tg.ones(2)
    b = a.to("cuda")
    c = b.to("cpu")
    a.assign_(np.zeros(2, "float32"))
    b.assign_(np.full(2, 5.0, "float32"))
    assert (a.tolist(), b.tolist(), c.tolist()) == ([0.0, 0.0], [5.0, 5.0], [1.0, 1.0])


@pytest.mark.parametrize("name", ["cuda:1", "tpu"])
def test_an_unknown_device_is_named(fake_cuda, name):
    for call in (lambda: tg.zeros(1, device=name), lambda: tg.zeros(1).to(device=name)):
        with pytest.raises(DeviceError, match=name):
            call()


def test_the_gradient_comes_back_to_where_the_input_is(fake_cuda):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x.to("cuda")
    assert (y.device, y.requires_grad, y.is_leaf) == ("cuda", True, False)
    (y * y).sum().backward()
    assert x.grad.device == "cpu"
    assert x.grad.tolist() == [2.0, 4.0]
    there = tg.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    (there.to("cpu") * x.detach()).sum().backward()
    assert there.grad.device == "cuda"
    assert there.grad.tolist() == [1.0, 2.0]


def test_moving_has_derivatives_of_any_order(fake_cuda):
    def there_and_back(x):
        return ((x * x).to("cuda").tanh() * x.to("cuda")).to("cpu")

    x = tg.tensor([0.3, -0.8], dtype="float64", requires_grad=True)
    assert tg.gradcheck(there_and_back, x)
    assert tg.gradgradcheck(there_and_back, x)


def test_moving_is_an_op_in_the_graph_and_on_the_record(fake_cuda):
    x = tg.ones(2, requires_grad=True)
    with Recording() as recording, tg.scope("t", 3):
        y = x.to("cuda:0")
    assert recording.seen == [ops.To]
    assert (y._node.op, y._node.attrs, y.scope) == (ops.To, {"device": "cuda"}, (("t", 3),))
    with Recording() as recording:
        y.sum().backward()
    assert recording.seen[-1] is ops.To
    with tg.no_grad():
        assert x.to("cuda").is_leaf


def test_moving_back_needs_no_old_value(fake_cuda):
    x = tg.ones(2, requires_grad=True)
    y = x.to("cuda") * 3.0
    x.assign_(np.zeros(2, "float32"))
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


# ---- computing there ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_NAME)
def test_every_op_gives_the_same_there_without_looking(name, fake_cuda):
    case = BY_NAME[name]
    here, there = case.tensors(), case.tensors(device="cuda")
    fake_cuda.reads = 0
    found = outputs(case.call(*there))
    gradients = []
    if name in DIFFERENTIABLE:
        gradients = tg.grad(found, there, [y.detach() for y in found], create_graph=True)
    assert fake_cuda.reads == 0
    wanted = outputs(case.call(*here))
    for a, b in zip(found, wanted, strict=True):
        assert (a.device, a.dtype) == ("cuda", b.dtype)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    if gradients:
        for a, b in zip(gradients, tg.grad(wanted, here, [y.detach() for y in wanted]), strict=True):
            assert a.device == "cuda"
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-15)


def test_numbers_and_numpy_arrays_join_where_the_tensor_is(x):
    for y in (x + 1, 2.0 * x, x - np.ones(3, "float32"), np.ones((2, 1), "float32") / x, x.maximum(2), x == 1.0):
        assert y.device == "cuda"
    assert (np.float32(2.0) * x).tolist() == (x * 2.0).tolist() == [[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]]
    assert x.where(np.array([True, False, True]), 0.0)[0].tolist() == [1.0, 0.0, 3.0]
    assert tg.where(x > 2, 1.0, x).device == "cuda"
    assert tg.where(x > 2, 1.0, 0.0).device == "cuda"


def test_composed_functions_stay_there_without_looking(x, fake_cuda):
    fake_cuda.reads = 0
    for y in (x.softmax(), x.log_softmax(0), x.logsumexp(), x.std(), x.var(axis=0), x.clip(2, 5), x.flip(1),
              x.pad([(1, 0), (0, 2)]), x.chunk(2, 1)[0], x.flatten(), x.squeeze(), tg.concat([x, x]), tg.stack([x, x]),
              tg.zeros_like(x), tg.ones_like(x)):  # fmt: skip
        assert y.device == "cuda"
    assert fake_cuda.reads == 0


def test_transforms_work_there(x):
    def f(x):
        return (x * x * x).sum(axis=1)

    here = x.detach().to("cpu")
    np.testing.assert_array_equal(tg.jacobian(f, x).numpy(), tg.jacobian(f, here).numpy())
    np.testing.assert_array_equal(
        tg.hessian(lambda x: f(x).sum(), x).numpy(), tg.hessian(lambda x: f(x).sum(), here).numpy()
    )
    _, pullback = tg.vjp(f, x)
    assert pullback(tg.ones(2, device="cuda"))[0].device == "cuda"
    _, tangent = tg.jvp(f, x, tg.ones_like(x))
    assert tangent.device == "cuda"


def test_derivatives_can_be_checked_there(fake_cuda):
    x = tg.tensor([[0.3, -0.8], [1.2, 0.1]], "float64", "cuda", requires_grad=True)
    assert tg.gradcheck(lambda x: (x @ x.T).tanh(), x)
    assert tg.gradgradcheck(lambda x: (x @ x.T).tanh(), x)
    assert tg.gradgradcheck(lambda x: (x @ x.T).tanh().to("cpu"), x)


def test_an_anomaly_is_found_there(x):
    with tg.detect_anomaly(), pytest.raises(tg.errors.AnomalyError, match="log gave an infinity from finite inputs"):
        (x - 1.0).log()
    with tg.detect_anomaly(), pytest.raises(tg.errors.AnomalyError, match="sqrt gave NaN"):
        (-x).sqrt()


def test_integer_powers_are_computed_without_looking(fake_cuda):
    x = tg.tensor([1, 2, 3], device="cuda")
    fake_cuda.reads = 0
    y = x**2
    assert fake_cuda.reads == 0
    assert y.tolist() == [1, 4, 9]


# ---- seeing values ------------------------------------------------------------------------------------------------


def test_values_can_be_seen(x):
    assert x.numpy().tolist() == x.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert not x.numpy().flags.writeable
    first = x[0, 0]
    assert (first.item(), float(first), int(first), bool(first)) == (1.0, 1.0, 1, True)
    assert [row.tolist() for row in x] == x.tolist()
    assert len(x) == 2
    assert np.asarray(x.detach()).tolist() == x.tolist()
    assert [10, 20, 30][tg.tensor(1, device="cuda")] == 20
    assert x._node.values().tolist() == x.tolist()


def test_printing_shows_the_device(x):
    assert repr(x.detach()[0]) == "tensor([1., 2., 3.], device='cuda')"
    assert repr(x[0]) == "tensor([1., 2., 3.], device='cuda', op=getitem)"
    assert repr(tg.zeros(1, dtype="float64", device="cuda", requires_grad=True)) == (
        "tensor([0.], device='cuda', dtype=float64, requires_grad=True)"
    )
    assert repr(nn.Parameter(x.detach()[0])) == "Parameter([1., 2., 3.], device='cuda', requires_grad=True)"
    assert repr(tg.zeros(1)) == "tensor([0.])"


# ---- making -------------------------------------------------------------------------------------------------------


def test_tensors_are_made_there(fake_cuda):
    made = [
        tg.tensor([1.0, 2.0], device="cuda"),
        tg.tensor(tg.tensor([1.0]), device="cuda"),
        tg.full((2,), 3, device="cuda"),
        tg.zeros(2, device="cuda"),
        tg.ones(2, device="cuda:0"),
        tg.eye(2, device="cuda"),
        tg.arange(3, device="cuda"),
        tg.rand(2, device="cuda"),
        tg.randn(2, device="cuda", requires_grad=True),
    ]
    assert {x.device for x in made} == {"cuda"}
    assert made[-1].requires_grad
    assert made[5].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert fake_cuda.reads == 1  # by tolist


def test_a_tensor_is_copied_on_its_device_without_looking(x, fake_cuda):
    fake_cuda.reads = 0
    same = tg.tensor(x, device="cuda")
    double = tg.tensor(x, "float64", "cuda", requires_grad=True)
    assert fake_cuda.reads == 0
    assert (same.is_leaf, same.requires_grad, double.dtype, double.requires_grad) == (True, False, tg.float64, True)
    x.detach().assign_(np.zeros((2, 3), "float32"))
    assert same.tolist() == double.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert tg.tensor(x).device == "cpu"
    with pytest.raises(DTypeError, match="do not fit into int64"):
        tg.tensor(tg.tensor([np.inf], device="cuda"), "int64", "cuda")


def test_random_numbers_are_drawn_there_and_the_same(fake_cuda, monkeypatch):
    for draw in (tg.rand, tg.randn):
        tg.manual_seed(3)
        here = [draw(5, dtype=dtype) for dtype in ("float32", "float64")]
        after = draw(2)
        tg.manual_seed(3)
        fake_cuda.reads = 0
        with monkeypatch.context() as patch:
            patch.setattr(backends.get("cpu"), "random", None)
            there = [draw(5, dtype=dtype, device="cuda") for dtype in ("float32", "float64")]
        assert fake_cuda.reads == 0
        np.testing.assert_array_equal(draw(2).numpy(), after.numpy())  # the stream went on as far
        for a, b in zip(here, there, strict=True):
            assert b.device == "cuda"
            np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-6)


def test_a_generator_may_live_there(fake_cuda):
    generator = tg.Generator(5, device="cuda")
    fake_cuda.reads = 0
    first, second = tg.rand(3, device="cuda", generator=generator), tg.rand(3, device="cuda", generator=generator)
    assert fake_cuda.reads == 0
    assert generator.counter.device == "cuda"
    assert tg.rand(3, generator=generator).device == "cpu"
    assert generator.draw("uniform", (1,), "float32").device == "cuda"
    generator.manual_seed(5)
    again = tg.rand(3, generator=tg.Generator(5))
    assert first.tolist() == tg.rand(3, generator=generator).tolist() == again.tolist() != second.tolist()


# ---- copying, writing ---------------------------------------------------------------------------------------------


def test_copies_and_pickles_come_back_to_their_device(x):
    x.named("weight")
    (x * x).sum().backward()
    for clone in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert (clone.device, clone.requires_grad, clone.name) == ("cuda", True, "weight")
        assert clone.tolist() == x.tolist()
        clone.assign_(np.zeros((2, 3), "float32"))
        assert x.sum().item() == 21.0
    assert copy.deepcopy(x).grad.device == "cuda"


def test_assign_takes_numbers_and_arrays_and_no_tensor_from_elsewhere(x, fake_cuda):
    fake_cuda.reads = 0
    x.assign_(np.full((2, 3), 4.0, "float32"))
    x.assign_(x * 2.0)
    scalar = tg.zeros((), device="cuda").assign_(3.0)
    assert fake_cuda.reads == 0
    assert x.tolist() == [[8.0] * 3] * 2
    assert scalar.item() == 3.0
    with pytest.raises(DeviceError, match=r"assign_: the value is on cpu, this tensor on cuda; use .to\(\)"):
        x.assign_(tg.zeros(2, 3))
    with pytest.raises(tg.errors.GraphError, match="cannot be written, because broadcast_to repeats it"):
        tg.zeros(1, device="cuda").broadcast_to(3).detach().assign_(np.ones(3, "float32"))


def test_a_write_through_a_view_is_noticed_there(x):
    y = x * x
    x.detach().assign_(np.zeros((2, 3), "float32"))
    with pytest.raises(tg.errors.MutationError):
        y.sum().backward()


# ---- two devices that meet ----------------------------------------------------------------------------------------


def test_devices_do_not_mix(x):
    here = tg.ones(3)
    for call in (lambda: x + here, lambda: here @ x.T, lambda: tg.concat([x, here.reshape(1, 3)]),
                 lambda: x.where(here > 0, 0.0)):  # fmt: skip
        with pytest.raises(DeviceError, match=r"cpu and cuda|cuda and cpu"):
            call()
    with pytest.raises(DeviceError, match=r"add: the inputs are on cuda and cpu; move them with \.to\(\)"):
        x + here


def test_gradients_are_where_their_tensor_is(x):
    with pytest.raises(DeviceError, match="a gradient on cpu does not fit a tensor on cuda"):
        x.grad = tg.ones(2, 3)
    y = x * 2.0
    with pytest.raises(DeviceError, match="backward: gradient is on cpu, the output on cuda"):
        y.backward(tg.ones(2, 3))
    with pytest.raises(DeviceError, match="grad: grad_outputs is on cpu, the output on cuda"):
        tg.grad(y, x, tg.ones(2, 3))
    y.backward(np.ones((2, 3), "float32"))
    assert x.grad.device == "cuda"


def test_a_parameter_that_moved_after_it_was_used_gets_its_gradient_where_it_is_now(fake_cuda):
    layer = nn.Linear(3, 1)
    loss = layer(tg.ones(2, 3)).sum()
    layer.to("cuda")
    loss.backward()
    assert layer.weight.grad.device == "cuda"
    assert layer.weight.grad.tolist() == [[2.0, 2.0, 2.0]]


# ---- positions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, np.array, tg.tensor])
def test_positions_from_the_host_are_checked_and_moved(x, fake_cuda, kind):
    fake_cuda.reads = 0
    taken = x.take(kind([2, 0, -1]), axis=1)
    with pytest.raises(IndexRangeError, match=r"position 3 is out of range for axis 1 of shape \(2, 3\)"):
        x.take(kind([0, 3]), axis=1)
    with pytest.raises(IndexRangeError, match="position -3 is out of range for axis 0"):
        x[kind([-3])]
    picked = x[kind([1, -1]), kind([2, -2])]
    assert fake_cuda.reads == 0
    assert taken.tolist() == [[3.0, 1.0, 3.0], [6.0, 4.0, 6.0]]
    assert picked.tolist() == [6.0, 5.0]


def test_positions_on_the_device_are_not_looked_at(x, fake_cuda):
    index = tg.tensor([2, 0, -1, 3, -4], device="cuda")
    fake_cuda.reads = 0
    taken = x.take(index, axis=1)
    taken.where(taken == taken, 0.0).sum().backward()
    assert fake_cuda.reads == 0
    np.testing.assert_array_equal(taken.numpy(), [[3, 1, 3, np.nan, np.nan], [6, 4, 6, np.nan, np.nan]])
    assert x.grad.tolist() == [[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]]
    whole = tg.tensor([5, 6], device="cuda")
    assert whole[tg.tensor([1, 2], device="cuda")].tolist() == [6, 0]
    with pytest.raises(DTypeError, match="an index must be an int, slice, None, or integers or bools"):
        x[tg.tensor([0.5], device="cuda")]
    with pytest.raises(DTypeError, match="positions must be integers, not float32"):
        x.take(tg.tensor([0.5], device="cuda"))


def test_a_position_outside_its_axis_reads_no_other_row(x, fake_cuda):
    rows, columns = tg.tensor([0, 0, 1, 2, -1], device="cuda"), tg.tensor([2, 3, -4, 0, -3], device="cuda")
    fake_cuda.reads = 0
    picked = x[rows, columns]
    mixed = x[[0, 1], tg.tensor([3, 0], device="cuda")]
    assert fake_cuda.reads == 0
    np.testing.assert_array_equal(picked.numpy(), [3, np.nan, np.nan, np.nan, 4])
    np.testing.assert_array_equal(mixed.numpy(), [np.nan, 4])


def test_positions_on_the_device_do_not_come_to_a_tensor_on_the_cpu(fake_cuda):
    with pytest.raises(DeviceError, match="take: the inputs are on cpu and cuda"):
        tg.zeros(3).take(tg.tensor([0], device="cuda"))


def test_a_mask_selects_there(x):
    assert x[x > 2.5].tolist() == [3.0, 4.0, 5.0, 6.0]
    assert x[np.array([False, True])].tolist() == [[4.0, 5.0, 6.0]]
    x[x > 2.5].sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
