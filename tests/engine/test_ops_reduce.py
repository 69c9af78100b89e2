"""Reductions: values against NumPy over every choice of axes, ties, empty axes, derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.engine.strategies import DTYPES, float_arrays, leaf, shapes

REDUCTIONS = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}


@st.composite
def array_and_axes(draw, dtype="float64", min_side=0, max_dims=3):
    array = draw(float_arrays(shapes(min_side=min_side, max_dims=max_dims), dtype=dtype))
    choices = [None]
    if array.ndim:
        choices += [int(draw(st.integers(-array.ndim, array.ndim - 1)))]
        choices += [tuple(draw(st.permutations(range(array.ndim)))[: draw(st.integers(0, array.ndim))])]
    return array, draw(st.sampled_from(choices))


@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data(), dtype=DTYPES, keepdims=st.booleans())
def test_values_agree_with_numpy(name, data, dtype, keepdims):
    array, axis = data.draw(array_and_axes(dtype, min_side=0 if name in ("sum", "prod") else 1))
    found = getattr(leaf(array), name)(axis=axis, keepdims=keepdims)
    expected = REDUCTIONS[name](array.astype("float64"), axis=axis, keepdims=keepdims)
    assert found.dtype == dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-6)


@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data(), keepdims=st.booleans())
def test_derivatives_agree_with_differences(name, data, keepdims):
    array, axis = data.draw(array_and_axes(min_side=0 if name in ("sum", "prod") else 1, max_dims=3))
    x = leaf(array)
    assert tg.gradcheck(lambda x: getattr(x, name)(axis, keepdims), x)
    assert tg.gradgradcheck(lambda x: getattr(x * x, name)(axis, keepdims), x)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_integers_and_bools_reduce_exactly(name, dtype):
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype) * np.array(2**60 if dtype == "int64" else 1, dtype)
    found = getattr(tg.tensor(array), name)(axis=1)
    assert found.dtype == (tg.int64 if name in ("sum", "prod") else dtype)
    np.testing.assert_array_equal(found.numpy(), REDUCTIONS[name](array, axis=1))


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_share_the_gradient_equally(name):
    x = tg.tensor([[2.0, 2.0, 2.0], [2.0, 7.0, 7.0], [-1.0, -1.0, 7.0]], requires_grad=True)
    getattr(x, name)(axis=1).backward(tg.tensor([6.0, 12.0, 24.0]))
    assert (
        x.grad.tolist()
        == {
            "max": [[2.0, 2.0, 2.0], [0.0, 6.0, 6.0], [0.0, 0.0, 24.0]],
            "min": [[2.0, 2.0, 2.0], [12.0, 0.0, 0.0], [12.0, 12.0, 0.0]],
        }[name]
    )


@pytest.mark.parametrize("name", ["max", "min"])
def test_a_tie_over_several_axes_shares_over_all_of_them(name):
    x = tg.ones(2, 3, 2, requires_grad=True)
    getattr(x, name)(axis=(0, 2)).backward(tg.tensor([4.0, 8.0, 12.0]))
    assert x.grad.numpy()[1, :, 0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@given(data=st.data(), keepdims=st.booleans(), dtype=st.sampled_from(["float32", "float64", "int64", "bool"]))
def test_argmax_and_argmin_agree_with_numpy_also_at_ties(name, data, keepdims, dtype):
    shape = data.draw(shapes(min_side=1))
    array = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 3, shape)
    array = np.asarray(array == 1) if dtype == "bool" else np.asarray(array, dtype)
    axis = data.draw(st.sampled_from([None, *range(-array.ndim, array.ndim)]))
    found = getattr(tg.from_numpy(array), name)(axis, keepdims=keepdims)
    assert found.dtype == tg.int64
    expected = getattr(np, name)(array, axis=axis, keepdims=keepdims)
    np.testing.assert_array_equal(found.numpy(), expected)
    assert found.shape == np.shape(expected)


def test_argmin_of_the_least_integer_and_of_nan():
    assert tg.tensor([5, -(2**63), 2**63 - 1]).argmin().item() == 1
    assert tg.tensor([5.0, -1.0, float("nan"), float("-inf"), float("nan")]).argmin().item() == 2


@pytest.mark.parametrize("axis", [0, -1, (0,), (), None])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "mean", "logsumexp", "norm", "all", "any"])
def test_a_number_is_reduced_along_axis_0_as_torch_and_numpy_do(name, axis):
    x = tg.tensor(3.0, requires_grad=True)
    found = getattr(x, name)(axis=axis, keepdims=True)
    assert found.shape == ()
    assert found.item() == (True if name in ("all", "any") else 3.0)


def test_a_number_along_axis_0_in_everything_else():
    x = tg.tensor(3.0)
    assert x.softmax(0).item() == x.softmax(-1).item() == 1.0
    assert x.log_softmax(0).item() == 0.0
    assert x.var(0, correction=0).item() == x.std(-1, correction=0).item() == 0.0
    assert x.cumsum(0).item() == x.flip(0).item() == x.squeeze(-1).item() == 3.0
    assert x.cumsum(-1).shape == ()
    for keepdims in (False, True):
        assert x.argmax(0, keepdims).shape == x.argmin(-1, keepdims).shape == x.argmax(None, keepdims).shape == ()
    for call in (lambda: x.sum(1), lambda: x.softmax(-2), lambda: x.cumsum(1), lambda: x.argmax(1)):
        with pytest.raises(tg.errors.ShapeError, match=r"axis -?[12] is out of range"):
            call()


def test_axes_without_elements():
    x = tg.zeros(2, 0, requires_grad=True)
    assert x.softmax(1).shape == x.log_softmax(-1).shape == x.cumsum(1).shape == (2, 0)
    assert x.softmax(0).shape == x.flip(1).shape == (2, 0)
    assert x.logsumexp(1).tolist() == [-np.inf, -np.inf]
    assert x.logsumexp(0).shape == (0,)
    assert x.prod(1).tolist() == [1.0, 1.0]
    assert x.norm(axis=1).tolist() == [0.0, 0.0]
    assert x.all(1).tolist() == [True, True]
    assert x.any(1).tolist() == [False, False]
    assert np.isnan(x.var(1).numpy()).all()
    (x.softmax(1).sum() + x.prod(1).sum() + x.cumsum(1).sum() + x.norm()).backward()
    assert x.grad.shape == (2, 0)


@pytest.mark.parametrize(
    "factors", [[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [5.0], [0.0], [1.5] * 9 + [0.0]]
)
def test_the_gradient_of_a_product_is_the_product_of_the_others_also_at_zeros(factors):
    x = leaf(np.array(factors))
    x.prod().backward(create_graph=True)
    others = [np.prod(factors[:i] + factors[i + 1 :]) for i in range(len(factors))]
    np.testing.assert_allclose(x.grad.numpy(), others)
    assert tg.gradcheck(lambda x: x.prod(), x)
    assert tg.gradgradcheck(lambda x: x.prod(), x)


def test_the_gradient_of_a_product_over_several_axes():
    array = np.random.default_rng(0).normal(size=(2, 3, 2))
    array[0, 1, 0] = array[1, 2, 1] = 0.0
    for axes in [(0, 2), (1,), (0, 1, 2)]:
        assert tg.gradcheck(lambda x, axes=axes: x.prod(axes), leaf(array))
        assert tg.gradgradcheck(lambda x, axes=axes: x.prod(axes, keepdims=True), leaf(array))


@given(data=st.data(), dtype=st.sampled_from(["float32", "float64", "int64", "bool"]))
def test_cumsum_agrees_with_numpy_and_differences(data, dtype):
    array = data.draw(float_arrays(shapes(min_dims=1))).astype(dtype)
    axis = data.draw(st.integers(-array.ndim, array.ndim - 1))
    found = tg.tensor(array).cumsum(axis)
    np.testing.assert_allclose(found.numpy(), np.cumsum(array, axis), rtol=1e-5 if dtype == "float32" else 1e-13)
    assert found.dtype == ("int64" if dtype == "bool" else dtype)
    if dtype == "float64":
        assert tg.gradcheck(lambda x: x.cumsum(axis), leaf(array))


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_an_extreme_of_nothing_is_an_error_that_says_so(name):
    with pytest.raises(ValueError, match=rf"^{name}: .*\(2, 0\).* needs at least one element along"):
        getattr(tg.zeros(2, 0), name)(axis=1)
    assert getattr(tg.zeros(2, 0), name)(axis=0).shape == (0,)


@pytest.mark.parametrize("name", ["max", "min"])
def test_nan_wins_every_extreme(name):
    x = tg.tensor([[1.0, float("nan")], [2.0, 3.0]])
    assert np.isnan(getattr(x, name)(axis=1).numpy()).tolist() == [True, False]


OTHERS = ["mean", "var", "std", "norm", "logsumexp", "all", "any", "argmax", "argmin"]


@pytest.mark.parametrize("name", [*REDUCTIONS, *OTHERS])
def test_both_vocabularies_name_the_axis(name):
    x = tg.tensor([[1.0, 2.0], [5.0, 4.0]])
    numpys = getattr(x, name)(axis=1, keepdims=True)
    torchs = getattr(x, name)(dim=1, keepdim=True)
    assert numpys.shape == torchs.shape == (2, 1)
    np.testing.assert_array_equal(numpys.numpy(), torchs.numpy())
    with pytest.raises(TypeError, match=rf"{name}\(\) got both 'axis' and 'dim'"):
        getattr(x, name)(axis=1, dim=1)


@pytest.mark.parametrize("axis", [2, -3, (0, 5)])
def test_an_axis_out_of_range_is_named(axis):
    wrong = 5 if axis == (0, 5) else axis
    with pytest.raises(tg.errors.ShapeError, match=f"sum: axis {wrong} is out of range for a tensor with 2 axes"):
        tg.zeros(2, 2).sum(axis)


def test_an_axis_named_twice_is_refused():
    with pytest.raises(tg.errors.ShapeError, match=r"sum: axis \(1, -1\) names one axis twice"):
        tg.zeros(2, 2).sum((1, -1))


def test_an_axis_may_be_a_numpy_integer_and_nothing_but_an_integer():
    x = tg.tensor([[1.0, 2.0]])
    assert x.sum(np.int64(0)).tolist() == [1.0, 2.0]
    assert x.sum((np.int64(0), 1)).item() == 3.0
    with pytest.raises(TypeError):
        x.sum(0.5)


def test_the_gradient_of_a_sum_over_an_empty_axis_has_no_elements():
    x = tg.zeros(0, 3, requires_grad=True)
    x.sum().backward()
    assert x.grad.shape == (0, 3)
