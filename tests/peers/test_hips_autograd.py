"""HIPS autograd beside this library: first and second derivatives of every op that both have, on drawn shapes.

Autograd's wheel does not bring its tests, which are finite differences over a list of shapes. This compares with
autograd itself: for each op, over shapes drawn by hypothesis (0-d, empty, size 1, broadcast), the value, the product of
the Jacobian with a random cotangent (`vjp`), and the derivative of that product again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_rnn as tg
from tests.peers.comparing import apart
from tests.peers.differences import Sample
from tests.peers.results import Tally

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore:Output seems independent of input")]

Shapes = st.SearchStrategy[list[tuple[int, ...]]]
ANY: Shapes = st.lists(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), min_size=1, max_size=1)
FULL: Shapes = st.lists(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), min_size=1, max_size=1)
PLANE: Shapes = st.lists(hnp.array_shapes(min_dims=2, max_dims=3, max_side=4), min_size=1, max_size=1)
PAIR: Shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4).map(
    lambda drawn: list(drawn.input_shapes)
)
#: Autograd's `where` and `concatenate` do not broadcast.
ALIKE: Shapes = hnp.array_shapes(max_dims=3, max_side=4).map(lambda shape: [shape, shape])


@st.composite
def products(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Shapes that `@` combines, one of which may be a vector."""
    left, inner, right = (draw(st.integers(1, 4)) for _ in range(3))
    batch = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)).input_shapes
    first, second = (*batch[0], left, inner), (*batch[1], inner, right)
    return draw(st.sampled_from([[first, second], [(inner,), second], [first, (inner,)], [(inner,), (inner,)]]))


@dataclass(frozen=True)
class Op:
    """One function in both libraries, the shapes of its arguments, and whether they have to be positive."""

    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    shapes: Shapes
    positive: bool = False


OPS = {
    "neg": Op(lambda x: -x, anp.negative, ANY),
    "exp": Op(tg.Tensor.exp, anp.exp, ANY),
    "expm1": Op(lambda x: x.expm1(), anp.expm1, ANY),
    "log": Op(tg.Tensor.log, anp.log, ANY, positive=True),
    "log1p": Op(lambda x: x.log1p(), anp.log1p, ANY, positive=True),
    "sqrt": Op(tg.Tensor.sqrt, anp.sqrt, ANY, positive=True),
    "reciprocal": Op(tg.Tensor.reciprocal, anp.reciprocal, ANY, positive=True),
    "square": Op(tg.Tensor.square, anp.square, ANY),
    "abs": Op(tg.Tensor.abs, anp.abs, ANY),
    "sign": Op(tg.Tensor.sign, anp.sign, ANY),
    "floor": Op(tg.Tensor.floor, anp.floor, ANY),
    "tanh": Op(tg.Tensor.tanh, anp.tanh, ANY),
    "sin": Op(tg.Tensor.sin, anp.sin, ANY),
    "cos": Op(tg.Tensor.cos, anp.cos, ANY),
    "add": Op(lambda x, y: x + y, anp.add, PAIR),
    "sub": Op(lambda x, y: x - y, anp.subtract, PAIR),
    "mul": Op(lambda x, y: x * y, anp.multiply, PAIR),
    "div": Op(lambda x, y: x / y, anp.true_divide, PAIR, positive=True),
    "pow": Op(lambda x, y: x**y, anp.power, PAIR, positive=True),
    "maximum": Op(tg.Tensor.maximum, anp.maximum, PAIR),
    "minimum": Op(tg.Tensor.minimum, anp.minimum, PAIR),
    "where": Op(lambda x, y: x.where(x.detach() > 0, y), lambda x, y: anp.where(x > 0, x, y), ALIKE),
    "clip": Op(lambda x: x.clip(-0.5, 0.5), lambda x: anp.clip(x, -0.5, 0.5), ANY),
    "matmul": Op(lambda x, y: x @ y, anp.matmul, products()),
    "sum": Op(lambda x: x.sum(-1), lambda x: anp.sum(x, -1), FULL),
    "sum, all": Op(tg.Tensor.sum, anp.sum, ANY),
    "sum, keepdims": Op(lambda x: x.sum((0, -1), keepdims=True), lambda x: anp.sum(x, (0, -1), keepdims=True), PLANE),
    "mean": Op(lambda x: x.mean(0), lambda x: anp.mean(x, 0), FULL),
    "var": Op(lambda x: x.var(0, correction=0), lambda x: anp.var(x, 0), FULL),
    "max": Op(lambda x: x.max(-1), lambda x: anp.max(x, -1), FULL),
    "max, all": Op(tg.Tensor.max, anp.max, FULL),
    "min": Op(lambda x: x.min(0, keepdims=True), lambda x: anp.min(x, 0, keepdims=True), FULL),
    "prod": Op(lambda x: x.prod(-1), lambda x: anp.prod(x, -1), FULL, positive=True),
    "cumsum": Op(lambda x: x.cumsum(-1), lambda x: anp.cumsum(x, -1), FULL),
    "reshape": Op(lambda x: x.reshape(-1), lambda x: anp.reshape(x, (-1,)), FULL),
    "transpose": Op(lambda x: x.transpose(0, -1), lambda x: anp.swapaxes(x, 0, -1), FULL),
    "T": Op(lambda x: x.T, anp.transpose, ANY),
    "flip": Op(lambda x: x.flip(0), anp.flipud, FULL),
    "squeeze": Op(tg.Tensor.squeeze, anp.squeeze, ANY),
    "unsqueeze": Op(lambda x: x.unsqueeze(-1), lambda x: anp.expand_dims(x, -1), ANY),
    "pad": Op(lambda x: x.pad([(1, 2)] * x.ndim), lambda x: anp.pad(x, [(1, 2)] * x.ndim, "constant"), FULL),
    "concat": Op(lambda x, y: tg.concat([x, y], -1), lambda x, y: anp.concatenate([x, y], -1), ALIKE),
    "stack": Op(lambda x, y: tg.stack([x, y], 1), lambda x, y: anp.stack([x, y], 1), ALIKE),
    "slice": Op(lambda x: x[..., ::-2], lambda x: x[..., ::-2], FULL),
    "index": Op(lambda x: x[[0, -1, 0]], lambda x: x[[0, -1, 0]], FULL),
    "mask": Op(lambda x: x[x.detach() > 0], lambda x: x[x > 0], FULL),
    "einsum": Op(
        lambda x, y: tg.einsum("...ij,...kj->...ik", x, y),
        lambda x, y: anp.einsum("...ij,...kj->...ik", x, y),
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=4).map(lambda shape: [shape, shape]),
    ),
}


@pytest.mark.parametrize("name", OPS)
def test_first_and_second_derivatives_are_those_of_autograd(name: str, tally: Tally) -> None:
    op, entry = OPS[name], f"autograd: {name}"

    @settings(max_examples=25)
    @given(shapes=op.shapes, seed=st.integers(0, 2**32 - 1))
    def compare(shapes: list[tuple[int, ...]], seed: int) -> None:
        rng = np.random.default_rng(seed)
        low = 0.1 if op.positive else -2
        arrays = [rng.uniform(low, 2, shape) for shape in shapes]
        tally.sample(entry, Sample(tuple(arrays), {}, {}), different(op, arrays, rng))

    compare()
    tally.finish(entry)


def different(op: Op, arrays: list[np.ndarray], rng: np.random.Generator) -> str:
    """Return where the value, a vjp or the derivative of the vjp differs, or ""."""
    try:
        xs = [tg.tensor(array, requires_grad=True) for array in arrays]
        value = op.ours(*xs)
        pullback, expected = autograd.make_vjp(lambda arguments: op.theirs(*arguments))(tuple(arrays))
        if value.shape != np.shape(expected):
            return f"shape {value.shape} instead of {np.shape(expected)}"
        if text := apart(value.numpy(), np.asarray(expected)):
            return f"value: {text}"
        if not value.requires_grad:
            return ""
        cotangent = rng.uniform(-1, 1, value.shape)
        directions = [rng.uniform(-1, 1, x.shape) for x in xs]
        products = tg.grad(value, xs, tg.tensor(cotangent), create_graph=True)
        for product, wanted in zip(products, pullback(cotangent), strict=True):
            if text := apart(product.numpy(), wanted):
                return f"vjp: {text}"
        slope = sum(((product * direction).sum() for product, direction in zip(products, directions, strict=True)))
        seconds = autograd.grad(lambda arguments: _slope(op, arguments, cotangent, directions))(tuple(arrays))
        slope.backward() if slope.requires_grad else None
        for x, wanted in zip(xs, seconds, strict=True):
            if text := apart(np.zeros(x.shape) if x.grad is None else x.grad.numpy(), wanted):
                return f"vjp of the vjp: {text}"
    except Exception as error:  # whatever happens is a difference
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def _slope(op: Op, arguments: tuple[Any, ...], cotangent: np.ndarray, directions: list[np.ndarray]) -> Any:
    pullback, _ = autograd.make_vjp(lambda inner: op.theirs(*inner))(arguments)
    return sum(anp.sum(product * direction) for product, direction in zip(pullback(cotangent), directions, strict=True))
