"""Tensor as a Python object: NumPy's protocols, conversions, copies, what it refuses."""

import copy
import math
import operator
import pickle
import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.errors import DTypeError, ShapeError


@pytest.fixture
def x():
    return tg.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_the_type_itself_is_not_called():
    with pytest.raises(TypeError, match=r"make tensors with tinygrad_rnn.tensor\(data\)"):
        tg.Tensor([1.0])


# ---- NumPy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "combine",
    [
        lambda a, t: a + t,
        lambda a, t: a - t,
        lambda a, t: a * t,
        lambda a, t: a / t,
        lambda a, t: a**t,
        lambda a, t: a @ t,
        lambda a, t: a < t,
        lambda a, t: a == t,
        lambda a, t: a != t,
    ],
)
def test_an_array_on_the_left_does_not_take_the_tensor_out_of_the_graph(combine, x):
    for array in (np.array([2.0, 3.0, 4.0]), np.array([2, 3, 4])):
        found = combine(array, x)
        assert type(found) is tg.Tensor
        np.testing.assert_allclose(found.numpy(), combine(array, x.detach().numpy()), rtol=1e-6)
        assert found.requires_grad == (found.dtype != tg.bool_)
    for number in (np.float64(2.0), np.int64(3)):
        assert type(number * x) is tg.Tensor
        assert (number * x).requires_grad


def test_conversion_to_an_array_is_refused_while_grad_is_required(x):
    for convert in (np.asarray, np.array, lambda t: np.concatenate([t, t])):
        with pytest.raises(tg.errors.GraphError, match=r"call .numpy\(\) or .detach\(\)"):
            convert(x)
        with pytest.raises(RuntimeError):
            convert(x * 2.0)


@pytest.mark.host
def test_conversion_to_an_array_otherwise_works():
    x = tg.tensor([1.0, 2.0])
    assert np.asarray(x).dtype == np.float32
    assert np.shares_memory(np.asarray(x), x.numpy())
    assert np.asarray(x, dtype="float64").tolist() == [1.0, 2.0]
    copied = np.array(x)
    copied[0] = 9.0
    assert x.tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(np.stack([x, x.detach()]), [[1.0, 2.0]] * 2)
    assert np.asarray(tg.tensor([1.0], requires_grad=True).detach()).tolist() == [1.0]


@pytest.mark.host
@pytest.mark.parametrize("requires_grad", [False, True])
def test_numpy_is_a_read_only_view(requires_grad):
    x = tg.tensor([1.0, 2.0], requires_grad=requires_grad)
    view = x.numpy()
    assert np.shares_memory(view, x.numpy())
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5.0
    assert x.tolist() == [1.0, 2.0]
    shared = np.ones(2)
    with pytest.raises(ValueError, match="read-only"):
        tg.from_numpy(shared).numpy()[0] = 5.0
    shared[0] = 2.0  # the user's own array stays writeable


@pytest.mark.host
def test_numpy_shows_what_assign_wrote():
    x = tg.tensor([1.0, 2.0])
    view = x.numpy()
    x.assign_(tg.tensor([3.0, 4.0]))
    assert view.tolist() == [3.0, 4.0]


# ---- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [2.5, [2.5], [[2.5]]])
def test_one_element_converts_to_a_number(data):
    x = tg.tensor(data, requires_grad=True)
    assert x.item() == float(x) == 2.5
    assert int(x) == 2
    assert math.sqrt(x) == math.sqrt(2.5)
    assert type(x.item()) is float
    assert type(tg.tensor(3).item()) is int
    assert type(tg.tensor(True).item()) is bool


@pytest.mark.parametrize("shape", [(2,), (0,), (1, 3)])
def test_several_elements_or_none_have_no_value_as_a_number(shape):
    x = tg.ones(shape)
    for convert in (float, int, tg.Tensor.item):
        with pytest.raises(tg.errors.ShapeError, match=r"item\(\) needs a single element, not a tensor of shape"):
            convert(x)
    with pytest.raises(ValueError, match=f"the truth of a tensor with {x.size} elements is ambiguous"):
        bool(x)


def test_truth_of_one_element():
    assert tg.tensor([[2.0]])
    assert not tg.tensor(0)
    assert not tg.tensor(False)


def test_integers_work_as_indices_and_floats_do_not():
    assert [10, 20, 30][tg.tensor(1)] == 20
    assert list(range(5))[tg.tensor([1]) : tg.tensor(3)] == [1, 2]
    with pytest.raises(TypeError, match="a float32 tensor cannot be an index; use an int64 tensor"):
        [10, 20][tg.tensor(1.0)]


def test_length_and_iteration():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert len(x) == 2
    rows = list(x)
    assert [row.tolist() for row in rows] == [[1.0, 2.0], [3.0, 4.0]]
    (rows[0] * rows[1]).sum().backward()
    assert x.grad.tolist() == [[3.0, 4.0], [1.0, 2.0]]
    _, second = x
    assert second.tolist() == [3.0, 4.0]
    assert list(tg.zeros(0, 2)) == []
    assert 3.0 in tg.tensor([1.0, 3.0])
    assert 5.0 not in tg.tensor([1.0, 3.0])


def test_a_0d_tensor_has_no_length_and_does_not_iterate():
    with pytest.raises(TypeError, match=r"a 0-d tensor has no length; use .item"):
        len(tg.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        list(tg.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        next(iter(tg.tensor(1.0)))


@pytest.mark.host
def test_shape_attributes():
    x = tg.zeros(2, 3, dtype="float64")
    assert (x.shape, x.ndim, x.size, x.dtype, x.device) == ((2, 3), 2, 6, "float64", "cpu")
    assert type(x.shape) is tuple
    assert tg.tensor(1.0).shape == ()
    assert tg.tensor(1.0).size == 1


# ---- identity -----------------------------------------------------------------------------------------------------


def test_hash_is_identity_although_equality_is_elementwise():
    a, b = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.0])
    assert hash(a) != hash(b)
    assert {a: "a", b: "b"}[b] == "b"
    assert len({a, b, a}) == 2
    assert (a == b).tolist() == [True, True]
    assert (a != b).tolist() == [False, False]


@pytest.mark.parametrize("other", [None, "text", Ellipsis, object(), [1.0]])
def test_equality_with_what_is_no_number_is_identity(other):
    x = tg.tensor([1.0])
    assert (x == other) is False
    assert (x != other) is True
    assert other not in [x]


@pytest.mark.parametrize("compare", [lambda x: x < None, lambda x: x >= "a", lambda x: x + None, lambda x: "a" * x])
def test_other_operators_refuse_what_is_no_number(compare):
    with pytest.raises(TypeError, match="a tensor cannot be combined with"):
        compare(tg.tensor([1.0]))


# ---- text ---------------------------------------------------------------------------------------------------------


@pytest.mark.host
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: tg.tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (lambda: tg.tensor(3), "tensor(3)"),
        (lambda: tg.tensor([True]), "tensor([ True])"),
        (lambda: tg.tensor([1.0], dtype="float64"), "tensor([1.], dtype=float64)"),
        (lambda: tg.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: tg.tensor([1.0], requires_grad=True).exp() * 0.0, "tensor([0.], op=mul)"),
        (lambda: tg.zeros(2, 0), "tensor([], shape=(2, 0))"),
    ],
)
def test_repr_shows_values_and_what_is_not_usual(make, text):
    assert repr(make()) == text


# ---- in-place -----------------------------------------------------------------------------------------------------


IN_PLACE = {"+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv,
            "**=": operator.ipow, "@=": operator.imatmul}  # fmt: skip


@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_in_place_operators_are_refused_on_leaves_that_require_grad(change, x):
    with pytest.raises(tg.errors.GraphError, match=r"write w.assign_\(w - lr \* w.grad\) instead of w -= lr \* w.grad"):
        change(x, x)
    with tg.no_grad(), pytest.raises(tg.errors.GraphError, match=r"write w.assign_\(w - lr"):
        change(x, x)
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_a_total_of_losses_is_a_sum(x):
    total = 0.0
    first = None
    for factor in (1.0, 2.0, 3.0):
        total += (x * factor).sum()
        first = first if first is not None else total
    total *= 2.0
    total.backward()
    assert total.item() == 72.0
    assert first.item() == 6.0
    assert x.grad.tolist() == [12.0, 12.0, 12.0]


def test_in_place_operators_make_a_new_tensor_where_no_grad_is_required():
    x = old = tg.tensor([1.0, 2.0])
    x += 1.0
    x *= 2
    x -= tg.tensor([1.0, 1.0])
    x /= 2
    x **= 2
    assert x.tolist() == [2.25, 6.25]
    assert old.tolist() == [1.0, 2.0]
    weight = tg.tensor([3.0, 4.0], requires_grad=True)
    total = tg.zeros(2)
    total += weight
    assert total.requires_grad


def test_item_assignment_is_refused_and_names_the_ways_out(x):
    for tensor in (x, x.detach()):
        with pytest.raises(tg.errors.GraphError, match=r"no item assignment.* tg.where, .*assign_"):
            tensor[0] = 1.0


# ---- copies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clone", [copy.deepcopy, copy.copy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_leaf_can_be_copied_and_pickled(clone):
    for x in (
        tg.tensor([1.0, 2.0], dtype="float64", requires_grad=True).named("w"),
        tg.tensor([[1, 2]]),
        tg.tensor(True),
        tg.from_numpy(np.arange(6.0).reshape(2, 3).T[::-1]),
    ):
        other = clone(x)
        assert type(other) is type(x)
        assert other.tolist() == x.tolist()
        assert (other.dtype, other.requires_grad, other.name) == (x.dtype, x.requires_grad, x.name)
        assert other.is_leaf
        assert not np.shares_memory(other.numpy(), x.numpy())


def test_deepcopy_copies_the_gradient_too():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    other = copy.deepcopy(x)
    assert other.grad.tolist() == [2.0, 4.0]
    other.grad.assign_(np.zeros(2, "float32"))
    assert x.grad.tolist() == [2.0, 4.0]


def test_deepcopy_keeps_shared_leaves_shared():
    w = tg.tensor([1.0], requires_grad=True)
    model = {"a": w, "b": [w]}
    other = copy.deepcopy(model)
    assert other["a"] is other["b"][0]
    assert other["a"] is not w


def test_a_copy_can_be_assigned_without_the_original():
    x = tg.tensor([1.0])
    other = copy.deepcopy(x)
    other.assign_(tg.tensor([5.0]))
    assert x.tolist() == [1.0]


@pytest.mark.parametrize(("what", "clone"), [("deepcopy", copy.deepcopy), ("pickle", pickle.dumps)])
def test_a_result_cannot_be_copied_or_pickled_off_its_graph(what, clone, x):
    with tg.scope("t", 4):
        y = x * 2.0
    with pytest.raises(tg.errors.GraphError, match=rf"{what} .*the result of mul \(in t=4\) .*detach\(\)"):
        clone(y)
    clone(y.detach())


# ---- device -------------------------------------------------------------------------------------------------------


def test_to_the_device_it_is_on_and_to_a_dtype(x):
    assert x.to("cpu") is x
    assert x.to(device="cpu", dtype="float64").dtype == tg.float64
    assert x.to("cpu", "float64").dtype == x.to(tg.float64).dtype == tg.float64


@pytest.mark.host
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_to_a_device_that_is_missing_says_so(device, x):
    with pytest.raises(tg.errors.DeviceError, match="cuda"):
        x.to(device)
    with pytest.raises(tg.errors.DeviceError, match="cuda"):
        x.to(device=device)


@pytest.mark.host
def test_tensors_of_two_backends_do_not_mix():
    """Both serve "cpu" here; what matters is that the engine looks."""
    from types import ModuleType

    from tinygrad_rnn.backends import reference

    other = ModuleType("elsewhere")
    other.__dict__.update(reference.__dict__, device="elsewhere")
    a, b = tg.ones(2), tg.Tensor._leaf(np.ones(2, "float32"), other)
    for call in (
        lambda: a + b,
        lambda: tg.concat([a, a, b]),
        lambda: a._put_slices([a, b], [(slice(0, 2),)] * 3, (2,)),
    ):
        with pytest.raises(tg.errors.DeviceError, match=r"on cpu and .*elsewhere; move them with .to\(\)"):
            call()
    with pytest.raises(tg.errors.DeviceError, match=r"assign_: the value is on elsewhere, this tensor on cpu"):
        a.assign_(b)
    assert b.to("cpu").device == "cpu"


# ---- what is typed without thinking ---------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [2.345, [[2.345]], 7, True])
def test_a_single_element_is_formatted_and_rounded_as_its_number(data):
    t = tg.tensor(data, dtype="float64" if data != 7 and data is not True else None)
    value = t.item()
    assert f"{t:.2f}" == f"{value:.2f}"
    assert f"{t:>9}" == f"{value:>9}"
    assert f"{t}" == str(t)
    assert round(t, 2) == round(value, 2)
    assert (round(t), type(round(t))) == (round(value), int)
    assert (math.floor(t), math.ceil(t), complex(t)) == (math.floor(value), math.ceil(value), complex(value))


def test_several_elements_have_no_format_and_are_not_rounded():
    for t in (tg.ones(3), tg.ones(0)):
        with pytest.raises(ShapeError, match=r"shape \([03],\) is no single number that '.2f' could format; reduce"):
            f"{t:.2f}"
        with pytest.raises(ShapeError):
            round(t, 2)
        assert f"{t}" == str(t)
    with pytest.raises(ValueError, match="format"):
        f"{tg.ones(1):.2q}"


@pytest.mark.parametrize("use", [lambda x: x // 2, lambda x: 2.0 // x, lambda x: x % 2, lambda x: 2 % x,
                                 lambda x: divmod(x, 2), lambda x: divmod(2, x)])  # fmt: skip
def test_whole_division_says_what_to_write(use, x):
    with pytest.raises(DTypeError, match=r"write \(x / y\).floor\(\) for x // y"):
        use(x)


def test_python_functions_of_sequences(x):
    assert sum([x, x]).tolist() == [2.0, 4.0, 6.0]
    assert max(x).item() == 3.0
    assert min(x).item() == 1.0
    assert [part.item() for part in reversed(x)] == [3.0, 2.0, 1.0]
    assert (+x).tolist() == x.tolist()
    with pytest.raises(ShapeError, match="ambiguous"):
        max([x, x * 2.0])


def test_in_asks_for_an_element():
    table = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert 3.0 in table
    assert 5.0 not in table
    assert tg.tensor(4.0) in table
    assert 1.0 in tg.tensor(1.0)
    assert "a" not in table
    assert 1.0 not in tg.zeros(0)


def test_bools_combine_and_others_do_not(x):
    a, b = tg.tensor([True, True, False, False]), tg.tensor([True, False, True, False])
    assert (a & b).tolist() == [True, False, False, False]
    assert (a | b).tolist() == [True, True, True, False]
    assert (a ^ b).tolist() == [False, True, True, False]
    assert (np.array([True, False, True, False]) & a).tolist() == [True, False, False, False]
    assert (True & a).tolist() == a.tolist()
    assert (a ^ b).dtype == tg.bool_
    for wrong in (lambda: x & x, lambda: a | 1, lambda: a ^ 1.0):
        with pytest.raises(DTypeError, match=r"is for bool tensors, not .*: \(x > 0\)"):
            wrong()


def test_reading_the_gradient_of_a_result_warns_at_each_place_once(x):
    w = x
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for _ in range(3):
            w = w - 0.1 * w.detach()
            assert w.grad is None
    (warning,) = seen
    assert warning.category is UserWarning
    assert warning.filename == __file__
    assert "write w.assign_(w - lr * w.grad)" in str(warning.message)
    assert "retain_grad()" in str(warning.message)


@pytest.mark.filterwarnings("error")
def test_other_gradients_are_read_in_silence(x):
    y = (x * 2.0).retain_grad()
    assert y.grad is None
    (y * y).sum().backward(retain_graph=True)
    assert y.grad is not None
    assert x.grad is not None
    assert x.detach().grad is None
    with tg.no_grad():
        assert (x * 2.0).grad is None
    z = x * 3.0
    z.grad = tg.ones(3)
    assert z.grad is not None
    assert repr(y * 2.0)
    copy.deepcopy(x)
    viz.listing((y * y).sum())


@pytest.mark.parametrize("sizes", [(2.5,), ("ab",), (None,), (np.float64(3.0),), ([1, 2.0],)])
def test_sizes_are_whole_numbers(sizes, x):
    for use in (tg.zeros, tg.rand, x.reshape):
        with pytest.raises(DTypeError, match="sizes and axes must be whole numbers, not"):
            use(*sizes)
    assert tg.zeros(np.int64(2), np.uint8(3)).shape == (2, 3)


def test_minus_zero_in_an_expression_is_not_the_zero_written_before():
    x = tg.ones(1)
    assert np.copysign(1.0, (x * 0.0).item()) == 1.0
    assert np.copysign(1.0, (x * -0.0).item()) == -1.0
