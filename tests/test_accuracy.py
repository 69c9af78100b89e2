"""Every composed function near 0 and far out: values and derivatives in both dtypes against a wider type."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F

WIDE = {"float32": np.float64, "float64": np.longdouble}

pytestmark = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="no floating-point type here is wider than float64"
)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def bump(x):
    """The derivative of sigmoid."""
    return sigmoid(x) * sigmoid(-x)


def beside_zero(x: tg.Tensor) -> tg.Tensor:
    """Pairs (x, 0): along the last axis a function of them is one of x alone."""
    return tg.stack([x, tg.zeros_like(x)], axis=-1)


def cross_entropy(target: int) -> Callable[[tg.Tensor], tg.Tensor]:
    return lambda x: F.cross_entropy(beside_zero(x), tg.full(x.shape, target), reduction="none")


def bce(target: float) -> Callable[[tg.Tensor], tg.Tensor]:
    return lambda x: F.binary_cross_entropy_with_logits(x, x._like(target), reduction="none")


class Case(NamedTuple):
    function: Callable[[tg.Tensor], tg.Tensor]
    truth: tuple[Callable, ...]  # the function, its first derivative, its second
    #: Up to which order every digit counts. A later derivative may be off by a rounding error of what flows into it:
    #: it is the difference of two gradients, as 1 - p is for a probability p.
    all_digits: int = 2


CASES = {
    "expm1": Case(lambda x: x.expm1(), (np.expm1, np.exp, np.exp)),
    "log1p": Case(lambda x: x.where(x >= 0, -x).log1p(), (
        lambda x: np.log1p(np.abs(x)), lambda x: np.where(x >= 0, 1, -1) / (1 + np.abs(x)),
        lambda x: -(1 / (1 + np.abs(x))) ** 2,
    )),
    "softplus": Case(F.softplus, (softplus, sigmoid, bump)),
    "logsigmoid": Case(lambda x: -F.softplus(-x), (lambda x: -softplus(-x), lambda x: sigmoid(-x), lambda x: -bump(x))),
    "elu": Case(F.elu, tuple(
        lambda x, above=above, below=below: np.where(x > 0, above(x), below(np.minimum(x, 0)))
        for above, below in ((np.array, np.expm1), (np.ones_like, np.exp), (np.zeros_like, np.exp))
    )),
    "leaky_relu": Case(lambda x: F.leaky_relu(x, 0.25), (
        lambda x: np.where(x > 0, x, x / 4), lambda x: np.where(x > 0, 1, 0.25), np.zeros_like,
    )),
    "bce, target 1": Case(bce(1.0), (lambda x: softplus(-x), lambda x: -sigmoid(-x), bump)),
    "bce, target 0": Case(bce(0.0), (softplus, sigmoid, bump)),
    "logsumexp": Case(lambda x: beside_zero(x).logsumexp(-1), (softplus, sigmoid, bump), 1),
    "log_softmax of x": Case(
        lambda x: beside_zero(x).log_softmax(-1)[..., 0],
        (lambda x: -softplus(-x), lambda x: sigmoid(-x), lambda x: -bump(x)), 0,
    ),
    "log_softmax of 0": Case(
        lambda x: beside_zero(x).log_softmax(-1)[..., 1],
        (lambda x: -softplus(x), lambda x: -sigmoid(x), lambda x: -bump(x)), 1,
    ),
    "softmax": Case(lambda x: beside_zero(x).softmax(-1)[..., 0], (sigmoid, bump), 0),
    "cross_entropy, x right": Case(cross_entropy(0), (lambda x: softplus(-x), lambda x: -sigmoid(-x), bump), 0),
    "cross_entropy, x wrong": Case(cross_entropy(1), (softplus, sigmoid, bump), 1),
    "huber": Case(lambda x: F.huber_loss(x, x._like(0), "none"), (
        lambda x: np.where(np.abs(x) <= 1, x * x / 2, np.abs(x) - 0.5), lambda x: np.clip(x, -1, 1),
        lambda x: np.where(np.abs(x) <= 1, 1, 0),
    )),
    "norm": Case(lambda x: beside_zero(x).norm(axis=-1), (np.abs, np.sign)),
    "std": Case(lambda x: beside_zero(x).std(-1), (
        lambda x: np.abs(x) / np.sqrt(x.dtype.type(2)), lambda x: np.sign(x) / np.sqrt(x.dtype.type(2)),
    )),
    "var": Case(lambda x: beside_zero(x).var(-1), (lambda x: x * x / 2, lambda x: x, np.ones_like)),
}  # fmt: skip


def grid(dtype: str) -> np.ndarray:
    tiny = np.finfo(dtype).tiny
    sizes = [tiny, 1e-30, 1e-15, 1e-8, 1e-3, 0.5, 1, 2.5, 9, 15, 16.5, 17, 18, 20, 36, 38, 40, 87, 88, 100, 700, 1000]
    return np.array([0.0, *sizes, *np.negative(sizes)]).astype(dtype)


def within(found: tg.Tensor, truth: np.ndarray, dtype: str, relative: bool) -> None:
    """A few rounding errors apart; where truth is below the smallest normal number, that much."""
    limits = np.finfo(dtype)
    with np.errstate(all="ignore"):
        expected = truth.astype(dtype)
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(found.numpy()[~finite], expected[~finite])
        error = np.abs(found.numpy().astype(truth.dtype) - truth)[finite]
        allowed = 8 * limits.eps * (np.abs(truth[finite]) if relative else np.maximum(1, np.abs(truth[finite])))
    assert (error <= allowed + 4 * limits.tiny).all(), f"at {grid(dtype)[finite][error > allowed + 4 * limits.tiny]}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives_keep_their_digits(name: str, dtype: str) -> None:
    case, array = CASES[name], grid(dtype)
    x = tg.tensor(array, requires_grad=True)
    found = case.function(x)
    assert found.dtype == dtype
    for order, truth in enumerate(case.truth):
        with np.errstate(all="ignore"):
            expected = np.asarray(truth(array.astype(WIDE[dtype])), WIDE[dtype])
        within(found, expected, dtype, relative=order <= case.all_digits)
        if order < len(case.truth) - 1:
            found = tg.grad(found.sum(), x, create_graph=True, allow_unused=True)
            if not found.requires_grad:
                break


@pytest.mark.parametrize("ties", [1, 2, 3, 1000])
def test_logsumexp_counts_every_largest_element_once(ties: int) -> None:
    x = tg.tensor([7.0] * ties + [-13.0], requires_grad=True)
    y = x.logsumexp()
    y.backward()
    sum_of_exps = ties + np.exp(-20.0)
    np.testing.assert_allclose(y.item(), 7 + np.log(sum_of_exps), rtol=1e-7)
    np.testing.assert_allclose(x.grad.numpy(), [1 / sum_of_exps] * ties + [np.exp(-20.0) / sum_of_exps], rtol=1e-6)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "norm"])
@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_long_float32_statistics_are_as_accurate_along_every_axis(name: str, axis) -> None:
    array = np.random.default_rng(0).random((3000, 40) if axis == 0 else (40, 3000), np.float32) + 3
    exact = array.astype(np.float64)
    expected = {
        "sum": exact.sum(axis), "mean": exact.mean(axis), "var": exact.var(axis, ddof=1),
        "std": exact.std(axis, ddof=1), "norm": np.sqrt((exact * exact).sum(axis)),
    }[name]  # fmt: skip
    np.testing.assert_allclose(getattr(tg.tensor(array), name)(axis=axis).numpy(), expected, rtol=1e-6)
