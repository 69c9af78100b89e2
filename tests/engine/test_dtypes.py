"""How dtypes combine: torch's rules for numbers and integers, NumPy's for arrays."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import dtypes

NAMES = ["bool", "int64", "float32", "float64"]  # narrow to wide


def ones(dtype, *shape):
    return tg.ones(*shape, dtype=dtype)


@pytest.mark.parametrize("a", NAMES)
@pytest.mark.parametrize("b", NAMES)
def test_the_wider_of_two_tensors_wins_and_integers_never_widen_a_float(a, b):
    wider = NAMES[max(NAMES.index(a), NAMES.index(b))]
    for left, right in ((ones(a, 2), ones(b, 2)), (ones(a), ones(b, 2)), (ones(a, 2, 1), ones(b))):
        assert (left * right).dtype == wider
        assert left.maximum(right).dtype == wider
        assert left.where(tg.tensor(True), right).dtype == wider
        assert (left == right).dtype == tg.bool_


@pytest.mark.parametrize("first", [1, 1.0, True])
@pytest.mark.parametrize(
    ("number", "found"),
    [
        (1, {"bool": "int64", "int64": "int64", "float32": "float32", "float64": "float64"}),
        (1.0, {"bool": "float32", "int64": "float32", "float32": "float32", "float64": "float64"}),
        (True, {"bool": "bool", "int64": "int64", "float32": "float32", "float64": "float64"}),
        (np.float64(1.0), {"bool": "float32", "int64": "float32", "float32": "float32", "float64": "float64"}),
        (np.int32(1), {"bool": "int64", "int64": "int64", "float32": "float32", "float64": "float64"}),
        (np.True_, {"bool": "bool", "int64": "int64", "float32": "float32", "float64": "float64"}),
    ],
)
def test_a_number_does_not_widen_a_tensor_whatever_equal_number_came_before_it(first, number, found):
    for dtype, expected in found.items():
        x = ones(dtype, 2)
        assert (x * first).shape == (2,)  # 1, 1.0 and True are equal, and one of them was here first
        assert (x * number).dtype == expected, dtype
        assert (number * x).dtype == expected, dtype
        assert x.maximum(number).dtype == expected, dtype


def test_numpy_arrays_keep_their_dtype():
    x = tg.ones(2)
    assert (x * np.ones(2)).dtype == tg.float64
    assert (np.ones(2) * x).dtype == tg.float64
    assert (x * np.array(2.0)).dtype == tg.float64
    assert (x * np.ones(2, "int8")).dtype == tg.float32


@pytest.mark.parametrize("a", ["bool", "int64"])
@pytest.mark.parametrize("b", ["bool", "int64"])
def test_integers_divide_to_float32(a, b):
    quotient = ones(a, 2) / ones(b, 2)
    assert quotient.dtype == tg.float32
    assert (tg.tensor([7]) / 2).tolist() == [3.5]
    assert (7 / tg.tensor([2])).tolist() == [3.5]
    assert (tg.tensor([7]) / tg.tensor([2.0], dtype="float64")).dtype == tg.float64


@pytest.mark.parametrize(
    "name", ["exp", "log", "sqrt", "reciprocal", "tanh", "sigmoid", "sin", "cos", "floor", "mean", "std"]
)
def test_functions_of_integers_are_float32(name):
    assert getattr(tg.tensor([1, 2]), name)().dtype == tg.float32


@pytest.mark.parametrize("name", ["abs", "sign", "relu"])
def test_functions_that_exist_for_integers_keep_them(name):
    found = getattr(tg.tensor([-2, 0, 3]), name)()
    assert found.dtype == tg.int64
    assert found.tolist() == {"abs": [2, 0, 3], "sign": [-1, 0, 1], "relu": [0, 0, 3]}[name]


def test_a_gradient_has_the_dtype_of_its_leaf_whatever_it_was_combined_with():
    single = tg.ones(2, requires_grad=True)
    double = tg.ones(2, dtype="float64", requires_grad=True)
    ((single * double + single * 2 + np.ones(2)) * tg.tensor([1, 2])).sum().backward()
    assert single.grad.dtype == tg.float32
    assert double.grad.dtype == tg.float64
    assert single.grad.tolist() == [3.0, 6.0]


def test_cast_is_the_same_tensor_when_there_is_nothing_to_do():
    x = tg.tensor([1.5, -1.5], requires_grad=True)
    assert x.cast("float32") is x
    assert x.to(dtype=tg.float64).dtype == x.to("float64").dtype == tg.float64


def test_a_cast_to_integers_truncates_and_cuts_the_gradient():
    x = tg.tensor([1.7, -1.7], requires_grad=True)
    assert x.cast("int64").tolist() == [1, -1]
    assert x.cast("bool").tolist() == [True, True]
    assert not x.cast("int64").requires_grad
    assert x.cast("int64").cast("float32").is_leaf


def test_a_cast_passes_the_gradient_back_in_the_dtype_it_came_from():
    x = tg.tensor([1.5], requires_grad=True)
    (x.cast("float64") * 3.0).sum().backward()
    assert x.grad.dtype == tg.float32
    assert x.grad.tolist() == [3.0]


@pytest.mark.parametrize("given", ["float32", np.float32, np.dtype("float32"), tg.float32, "f4"])
def test_a_dtype_has_many_names(given):
    assert dtypes.resolve(given) == tg.float32


@pytest.mark.parametrize("wrong", ["float16", "int32", np.complex64, None, "gpu", 3.5, object, ">f4"])
def test_an_unsupported_dtype_is_refused_with_the_four_that_are(wrong):
    with pytest.raises(TypeError, match="is not supported; use one of float32, float64, int64, bool") as caught:
        dtypes.resolve(wrong)
    assert isinstance(caught.value, tg.errors.DTypeError)


def test_numbers_that_are_not_real_are_refused():
    for wrong in (1j, np.complex64(1), "1", [1.0], {}):
        with pytest.raises(tg.errors.DTypeError, match=f"cannot be combined with {type(wrong).__name__}"):
            tg.ones(2) + wrong
