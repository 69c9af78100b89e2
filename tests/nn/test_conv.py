"""Convolution and pooling: the sums written out, PyTorch's numbers, and derivatives."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.nn.conv import Conv2d, max_pool2d


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("size", "padding"), [(1, 0), (2, 0), (3, 1), (3, 2)])
def test_convolution_is_the_sum_over_neighbours(size, padding, bias):
    tg.manual_seed(0)
    conv = Conv2d(2, 3, size, padding=padding, bias=bias, dtype="float64")
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 5))
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    weight, wanted = conv.weight.numpy(), []
    for image in padded:
        for o in range(3):
            b = conv.bias.numpy()[o] if bias else 0.0
            for i in range(4 + 2 * padding - size + 1):
                for j in range(5 + 2 * padding - size + 1):
                    wanted.append(b + (weight[o] * image[:, i : i + size, j : j + size]).sum())
    np.testing.assert_allclose(conv(tg.tensor(x)).numpy().ravel(), wanted, rtol=1e-12, atol=1e-14)


def test_the_derivatives_of_convolution_and_pooling_agree_with_finite_differences():
    tg.manual_seed(1)
    conv = Conv2d(2, 2, 3, padding=1, dtype="float64")
    x = tg.randn(2, 2, 4, 4, dtype="float64", requires_grad=True)
    assert tg.gradcheck(lambda *_: max_pool2d(conv(x), 2).tanh().sum(), [x, *conv.parameters()])


def test_equal_ones_of_a_pool_share_the_gradient():
    x = tg.zeros(1, 2, 2, requires_grad=True)
    max_pool2d(x, 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full((1, 2, 2), 0.25))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Conv2d(0, 1, 3), InputError, "in_channels must be a positive whole number"),
        (lambda: Conv2d(1, 1, 3, padding=-1), InputError, "padding must be a whole number >= 0"),
        (lambda: Conv2d(1, 1, 3)(tg.zeros(2, 8, 8)), ShapeError, r"must be \(B, 1, Y, X\)"),
        (lambda: Conv2d(1, 1, 5, padding=1)(tg.zeros(2, 1, 2, 8)), ShapeError, "at least 3"),
        (lambda: Conv2d(1, 1, 1)(tg.zeros(2, 1, 2, 8, dtype="float64")), DTypeError, "the input is float64"),
        (lambda: max_pool2d(tg.zeros(3, 4), 2), ShapeError, "multiples of 2"),
        (lambda: max_pool2d(tg.zeros(4, 4), 0), InputError, "size must be a positive whole number"),
    ],
)
def test_what_does_not_fit_is_named(call, error, text):
    with pytest.raises(error, match=text):
        call()
