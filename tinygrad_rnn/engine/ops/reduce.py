"""Reductions along axes. The methods of Tensor normalise `axes`: a sorted tuple of non-negative ints."""

from __future__ import annotations

import math

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.graph import Op


def _kept_shape(shape, axes):
    """Return the shape of a reduction's result as keepdims would leave it."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


class Sum(Op):
    @staticmethod
    def forward(backend, x, *, axes, keepdims):
        return backend.reduce("sum", x, axes, keepdims)

    @staticmethod
    def vjp(node, g):
        shape = node.input_shape(0)
        return g.reshape(_kept_shape(shape, node.attrs["axes"])).broadcast_to(shape)


class Prod(Op):
    """Each factor's gradient is the product of the others: never a quotient, so zeros need no case of their own."""

    @staticmethod
    def forward(backend, x, *, axes, keepdims):
        return backend.reduce("prod", x, axes, keepdims)

    @staticmethod
    def vjp(node, g):
        x, axes = node.input(0), node.attrs["axes"]
        kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
        moved = x.permute(kept + axes)
        rows = moved.reshape((*(x.shape[axis] for axis in kept), math.prod(x.shape[axis] for axis in axes)))
        others = _product_of_those_before(rows) * _product_of_those_before(rows[..., ::-1])[..., ::-1]
        back = tuple((kept + axes).index(axis) for axis in range(x.ndim))
        return g.reshape(_kept_shape(x.shape, axes)) * others.reshape(moved.shape).permute(back)


def _product_of_those_before(rows):
    """Return for every element of (..., n) the product of those before it, in log2(n) multiplications."""
    n = rows.shape[-1]
    if n == 0:
        return rows
    before = rows[..., :1]._like(1)._concat([rows[..., :-1]], -1)
    step = 1
    while step < n:
        before = before[..., :step]._concat([before[..., step:] * before[..., :-step]], -1)
        step *= 2
    return before


class CumSum(Op):
    """The sums of the first 1, 2, 3, ... elements along an axis."""

    @staticmethod
    def forward(backend, x, *, axis):
        return backend.cumsum(x, axis)

    @staticmethod
    def vjp(node, g):
        axis = node.attrs["axis"]
        return g.flip(axis).cumsum(axis).flip(axis)


class LayerNorm(Op):
    """x with mean 0 and variance 1 along the last axis, y = scale * (x - mean), and scale = 1 / sqrt(var + eps).

    A primitive because it is two passes over a row, and composed 11 ops with 25 more in the backward pass.
    """

    name = "layer_norm"

    @staticmethod
    def forward(backend, x, *, eps):
        return backend.layer_norm(x, eps)

    @staticmethod
    def vjp(node, g, of_scale):
        y, scale = node.output(0), node.output(1)
        found = None if g is None else g._layer_norm_grad(y, scale)
        if of_scale is None:
            return (found,)
        more = of_scale * scale * scale * y * (-1 / y.shape[-1])
        return (more if found is None else found + more,)


class LayerNormGrad(Op):
    """scale * (g - mean(g) - y * mean(g * y)) along the last axis, which takes g to x; linear and symmetric in g."""

    name = "layer_norm_grad"

    @staticmethod
    def forward(backend, g, y, scale):
        return backend.layer_norm_grad(g, y, scale)

    @staticmethod
    def vjp(node, gg):
        g, y, scale = node.input(0), node.input(1), node.input(2)
        n = y.shape[-1]
        along, beside = (g * y).sum(-1, keepdims=True), (gg * y).sum(-1, keepdims=True)
        return (
            gg._layer_norm_grad(y, scale) if node.needs_grad(0) else None,
            (gg * along + g * beside) * scale * (-1 / n) if node.needs_grad(1) else None,
            (gg * node.output()).sum(-1, keepdims=True) / scale if node.needs_grad(2) else None,
        )


class _Extreme(Op):
    """Max or min; elements that tie share the gradient equally."""

    hint = "a maximum or minimum needs at least one element along the reduced axes"
    kernel = ""

    @classmethod
    def forward(cls, backend, x, *, axes, keepdims):
        return backend.reduce(cls.kernel, x, axes, keepdims)

    @staticmethod
    def vjp(node, g):
        x, axes = node.input(0), node.attrs["axes"]
        kept = _kept_shape(x.shape, axes)
        winners = x == node.output().reshape(kept)
        share = g.reshape(kept) / winners.sum(axes, keepdims=True)
        return share.where(winners, 0.0)


class Max(_Extreme):
    kernel = "max"


class Min(_Extreme):
    kernel = "min"


class Length(Op):
    """The L2 norm of all elements, a 0-d float64: squares that overflow or underflow do no harm."""

    differentiable = False

    @staticmethod
    def forward(backend, x):
        return backend.length(x)


class ArgMax(Op):
    """The int64 position of the first largest element."""

    differentiable = False
    hint = "argmax needs at least one element along its axis"

    @staticmethod
    def forward(backend, x, *, axis, keepdims):
        return backend.argmax(x, axis, keepdims)


class ArgMin(Op):
    """The int64 position of the first smallest element."""

    differentiable = False
    hint = "argmin needs at least one element along its axis"

    @staticmethod
    def forward(backend, x, *, axis, keepdims):
        if dtypes.is_float(x.dtype):
            return backend.argmax(backend.unary("neg", x), axis, keepdims)
        minus_one = backend.fill((), -1, dtypes.int64)  # -1 - x has the order of -x, and never overflows
        return backend.argmax(backend.binary("sub", minus_one, x), axis, keepdims)
