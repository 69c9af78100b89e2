"""Reductions along axes. The methods of Tensor normalise `axes`: a sorted tuple of non-negative ints."""

from __future__ import annotations

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


class ArgMax(Op):
    """The int64 position of the first largest element."""

    differentiable = False
    hint = "argmax needs at least one element along its axis"

    @staticmethod
    def forward(backend, x, *, axis, keepdims):
        return backend.argmax(x, axis, keepdims)
