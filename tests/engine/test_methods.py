"""Composed methods against NumPy (and torch's conventions), and their derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.engine.strategies import float_arrays, leaf, shapes
from tinygrad_rnn.errors import DTypeError, ShapeError

STATISTICS = {
    "mean": np.mean,
    "var": lambda x, **k: np.var(x, ddof=1, **k),
    "std": lambda x, **k: np.std(x, ddof=1, **k),
}


def np_logsumexp(x, axis, keepdims=False):
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("name", STATISTICS)
@given(data=st.data(), keepdims=st.booleans())
def test_statistics_agree_with_numpy_and_differences(name, data, keepdims):
    array = data.draw(float_arrays(shapes(min_dims=1, min_side=2)))
    axis = data.draw(st.sampled_from([None, *range(array.ndim), tuple(range(array.ndim)), (0,)]))
    x = leaf(array)
    found = getattr(x, name)(axis, keepdims=keepdims)
    np.testing.assert_allclose(found.numpy(), STATISTICS[name](array, axis=axis, keepdims=keepdims), rtol=1e-11)
    assert getattr(x, name)(axis).shape == STATISTICS[name](array, axis=axis).shape
    assert tg.gradcheck(lambda x: getattr(x, name)(axis), x)
    if array.size <= 8:
        assert tg.gradgradcheck(lambda x: getattr(x, name)(axis), x)


@pytest.mark.parametrize("correction", [0, 1, 2])
def test_the_correction_of_var_and_std_is_torchs(correction):
    array = np.array([[1.0, 4.0, 2.0, 8.0]])
    x = tg.tensor(array)
    expected = array.var(axis=1, ddof=correction)
    np.testing.assert_allclose(x.var(1, correction=correction).numpy(), expected)
    np.testing.assert_allclose(x.std(1, correction=correction, keepdim=True).numpy(), np.sqrt(expected)[:, None])


def test_a_correction_above_the_count_divides_by_zero_as_in_torch():
    assert tg.tensor([1.0, 2.0]).var(correction=3).item() == float("inf")
    assert tg.tensor([1.0, 2.0]).std(correction=3).item() == float("inf")
    assert np.isnan(tg.tensor([1.0]).var(correction=2).item())


def test_the_correction_goes_by_torchs_and_numpys_names():
    x = tg.tensor([[1.0, 4.0, 2.0, 8.0]])
    for name in ("var", "std"):
        plain = getattr(x, name)(1, correction=0).tolist()
        assert getattr(x, name)(1, unbiased=False).tolist() == getattr(x, name)(axis=1, ddof=0).tolist() == plain
        assert getattr(x, name)(1, False).tolist() == [getattr(x, name)(False).item()] == plain
        assert getattr(x, name)(1, unbiased=True).tolist() == getattr(x, name)(1).tolist() != plain
        with pytest.raises(TypeError, match=rf"{name}\(\) got both 'correction' and 'unbiased'"):
            getattr(x, name)(1, correction=1, unbiased=True)


def test_a_standard_deviation_and_a_norm_whose_squares_vanish_or_overflow():
    for scale in (1e-30, 1e30):
        x = tg.tensor([3.0 * scale, -4.0 * scale], requires_grad=True)
        assert x.norm().item() == pytest.approx(5 * scale, rel=1e-6)
        assert x.std(correction=0).item() == pytest.approx(3.5 * scale, rel=1e-6)
        x.norm().backward()
        np.testing.assert_allclose(x.grad.numpy(), [0.6, -0.8], rtol=1e-6)


@given(data=st.data(), keepdims=st.booleans())
def test_norm_agrees_with_numpy_and_differences(data, keepdims):
    array = data.draw(float_arrays(shapes(min_dims=1, min_side=1)))
    axis = data.draw(st.sampled_from([None, *range(array.ndim)]))
    x = leaf(array)
    expected = np.sqrt((array * array).sum(axis=axis, keepdims=keepdims))
    np.testing.assert_allclose(x.norm(axis=axis, keepdims=keepdims).numpy(), expected, rtol=1e-12)
    assert tg.gradcheck(lambda x: x.norm(axis=axis), x)


def test_norm_at_zero_and_beyond_numbers():
    x = tg.zeros(3, requires_grad=True)
    x.norm().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
    assert tg.tensor([3, 4]).norm().item() == 5.0
    assert np.isnan(tg.tensor([1.0, float("nan")]).norm().item())
    assert tg.tensor([1.0, -float("inf")]).norm().item() == float("inf")


def test_statistics_of_too_few_elements_are_nan():
    assert np.isnan(tg.tensor([3.0]).var().item())
    assert tg.tensor([1.0, 3.0]).var(correction=3).item() == np.inf  # divided by 0, not by -1
    assert tg.tensor([3.0]).var(correction=0).item() == 0.0
    assert np.isnan(tg.zeros(0).mean().item())
    assert np.isnan(tg.zeros(2, 0).mean(axis=1).numpy()).all()
    assert tg.zeros(0, 2).mean(axis=1).shape == (0,)


@given(data=st.data())
def test_softmax_and_its_logarithm_agree_with_numpy_and_differences(data):
    array = data.draw(float_arrays(shapes(min_dims=1, min_side=1)))
    axis = data.draw(st.integers(-array.ndim, array.ndim - 1))
    x = leaf(array)
    expected = np.exp(array) / np.exp(array).sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(x.softmax(axis).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(x.log_softmax(dim=axis).numpy(), np.log(expected), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(x.logsumexp(axis).numpy(), np_logsumexp(array, axis), rtol=1e-12)
    for f in (lambda x: x.softmax(axis), lambda x: x.log_softmax(axis), lambda x: x.logsumexp(axis, keepdims=True)):
        assert tg.gradcheck(f, x)
        if array.size <= 6:
            assert tg.gradgradcheck(f, x)


def test_logsumexp_over_several_axes():
    array = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(tg.tensor(array).logsumexp((0, 1)).item(), np_logsumexp(array, (0, 1)))
    np.testing.assert_allclose(tg.tensor(array).logsumexp(None).item(), np_logsumexp(array, None))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_does_not_overflow_and_keeps_masks(dtype):
    x = tg.tensor([[1e30, 0.0, -float("inf")], [-1e30, -1e30, -1e30]], dtype=dtype, requires_grad=True)
    np.testing.assert_allclose(x.softmax().numpy(), [[1.0, 0.0, 0.0], [1 / 3] * 3], rtol=1e-6)
    assert x.log_softmax().numpy()[0, 0] == 0.0
    assert x.logsumexp().tolist() == pytest.approx([1e30, -1e30])
    x.softmax().sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_logsumexp_of_infinities():
    assert tg.tensor([-float("inf")] * 2).logsumexp().item() == -float("inf")
    assert tg.tensor([float("inf"), 0.0]).logsumexp().item() == float("inf")
    assert np.isnan(tg.tensor([float("nan"), 0.0]).logsumexp().item())


def test_log_softmax_is_exact_where_softmax_underflows():
    assert tg.tensor([0.0, -1000.0]).log_softmax().tolist() == [0.0, -1000.0]


@given(data=st.data())
def test_clip_agrees_with_numpy(data):
    array = data.draw(float_arrays(shapes()))
    x = leaf(array)
    np.testing.assert_array_equal(x.clip(-1.0, 0.5).numpy(), np.clip(array, -1.0, 0.5))
    np.testing.assert_array_equal(x.clip(min=0.1).numpy(), np.maximum(array, 0.1))
    np.testing.assert_array_equal(x.clip(max=0.1).numpy(), np.minimum(array, 0.1))
    np.testing.assert_array_equal(x.clip().numpy(), array)
    assert tg.gradcheck(lambda x: x.clip(-1.0, 0.5), x)


@pytest.mark.parametrize(
    ("low", "high", "gradient"),
    [
        (-1.0, 1.0, [0.0, 1.0, 1.0, 1.0, 0.0]),
        (-1.0, None, [0.0, 1.0, 1.0, 1.0, 1.0]),
        (None, 1, [1.0, 1.0, 1.0, 1.0, 0.0]),
        (1.0, -1.0, [0.0, 0.0, 0.0, 0.0, 0.0]),
        (1.0, 1.0, [0.0, 0.0, 0.0, 1.0, 0.0]),
    ],
)
def test_clip_passes_the_whole_gradient_at_its_ends(low, high, gradient):
    x = tg.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], requires_grad=True)
    y = x.clip(low, high)
    (g,) = tg.grad((y * y).sum() / 2, [x], create_graph=True)
    np.testing.assert_array_equal(g.numpy(), np.array(gradient) * y.numpy())
    if g.requires_grad:
        assert tg.grad(g.sum(), x, allow_unused=True).tolist() == gradient


def test_clip_between_tensors_equals_torch_also_at_ties_and_nan():
    torch = pytest.importorskip("torch")
    nan = float("nan")
    values, low = [-2.0, -1.0, 0.0, 1.0, 2.0, nan, 0.0], [-1.0, -1.0, 0.0, 2.0, -3.0, 0.0, nan]
    data = [values, low, [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0]]
    ours = [tg.tensor(row, requires_grad=True) for row in data]
    theirs = [torch.tensor(row, requires_grad=True) for row in data]
    found, expected = ours[0].clip(ours[1], ours[2]), torch.clamp(theirs[0], theirs[1], theirs[2])
    np.testing.assert_array_equal(found.numpy(), expected.detach().numpy())
    found[:5].sum().backward()
    expected[:5].sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())


def test_clip_of_nan_by_nan_and_of_integers():
    assert np.isnan(tg.tensor([float("nan"), 1.0]).clip(0, 2).numpy()).tolist() == [True, False]
    assert np.isnan(tg.tensor([0.0, 1.0]).clip(min=float("nan")).numpy()).all()
    assert tg.tensor([1, 5]).clip(2, 3).tolist() == [2, 3]
    assert tg.tensor([1, 5]).clip(max=2.5).tolist() == [1.0, 2.5]
    assert tg.zeros(2, 1).clip(min=tg.tensor([1.0, -1.0, 2.0])).shape == (2, 3)


def test_square():
    x = tg.tensor([3.0, -2.0], requires_grad=True)
    assert x.square().tolist() == [9.0, 4.0]
    x.square().sum().backward()
    assert x.grad.tolist() == [6.0, -4.0]


def test_the_mean_of_equal_numbers_is_that_number():
    for n in range(1, 200):
        assert tg.ones(n).mean().item() == 1.0
        assert tg.ones(n, dtype="float64").mean().item() == 1.0


def test_the_standard_deviation_of_a_constant_has_gradient_zero():
    x = tg.ones(3, dtype="float64", requires_grad=True)
    x.std().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "cumsum", "softmax", "log_softmax"])
def test_a_dtype_is_that_in_which_is_computed(name: str) -> None:
    x = tg.tensor([0.1, 0.2, 0.3], requires_grad=True)
    axis = () if name in ("sum", "prod", "mean") else (0,)
    found = getattr(x, name)(*axis, dtype="float64")
    np.testing.assert_array_equal(found.numpy(), getattr(x.cast("float64"), name)(*axis).numpy())
    assert found.dtype == "float64"
    found.sum().backward()
    assert x.grad.dtype == "float32"
    if name == "mean":
        with pytest.raises(DTypeError, match="a mean is a float, not int64"):
            x.mean(dtype="int64")


def test_no_correction_is_torchs_default() -> None:
    x = tg.tensor([1.0, 2.0, 4.0])
    assert x.var(correction=None).item() == x.var().item()
    assert x.std(correction=None).item() == x.std().item()


def test_a_number_is_its_own_transpose() -> None:
    x = tg.tensor(2.0, requires_grad=True)
    x.transpose(0, -1).backward()
    assert x.grad.item() == 1.0
    with pytest.raises(ShapeError, match="transpose: axis 1 is out of range"):
        x.transpose(0, 1)


def test_a_correction_by_position_beside_the_one_by_name_is_said_to_be_given_twice():
    with pytest.raises(TypeError, match="both 'correction' and 'unbiased'"):
        tg.ones(3).var(0, 1, unbiased=False)
