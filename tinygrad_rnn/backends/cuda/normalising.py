"""Layer normalisation, from the kernels there are."""

from __future__ import annotations

from tinygrad_rnn.backends.cuda.array import Array
from tinygrad_rnn.backends.cuda.elementwise import binary, fill, unary
from tinygrad_rnn.backends.cuda.reductions import reduce


def layer_norm(x: Array, eps: float) -> tuple[Array, Array]:
    """Return floats with mean 0 and variance 1 along the last axis, and what they were multiplied by for it."""
    centred = binary("sub", x, _row_means(x))
    variance = _row_means(binary("mul", centred, centred))
    scale = unary("reciprocal", unary("sqrt", binary("add", variance, fill((), eps, x.dtype))))
    return binary("mul", centred, scale), scale


def layer_norm_grad(g: Array, y: Array, scale: Array) -> Array:
    """Return the gradient of what `layer_norm` was given, from that of y and from both its results."""
    along = binary("mul", y, _row_means(binary("mul", g, y)))
    return binary("mul", scale, binary("sub", binary("sub", g, _row_means(g)), along))


def _row_means(x: Array) -> Array:
    """Return the mean along the last axis, which stays with size 1."""
    total = reduce("sum", x, (x.ndim - 1,), True)
    return binary("div", total, fill((), x.shape[-1], x.dtype))
