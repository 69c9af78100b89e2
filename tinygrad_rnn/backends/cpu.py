"""The CPU backend: the functions of `scalar.py` in Numba loops over contiguous memory.

What costs time on the small arrays of a recurrent net is not arithmetic but the way to it. So every kernel is
reached through one dictionary lookup and works on 1-D views (`ravel` copies whatever is not contiguous). Integers
and bools, movement and matrix products go to NumPy, whose own code is the right kernel there.

Numba is imported by the first kernel, not by this module.
"""

from __future__ import annotations

import contextvars
import functools
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import reference, scalar
from tinygrad_rnn.backends.cpu_loops import BLOCK, Loops
from tinygrad_rnn.backends.plans import broadcast_strides, reduce_plan, scatter_in_float64

# NumPy is the right kernel: views cost nothing, copies run at memory speed, and none of these can raise a
# floating-point warning (for one that can, np.errstate takes 2 us: more than the whole of a small kernel).
from tinygrad_rnn.backends.reference import (
    argmax,
    copy,
    from_numpy,
    getitem,
    permute,
    reshape,
    shares_memory,
    to_numpy,
    write,
)

__all__ = [
    "add_into",
    "all_finite",
    "argmax",
    "binary",
    "broadcast_to",
    "cast",
    "concat",
    "copy",
    "cumsum",
    "device",
    "fill",
    "from_numpy",
    "gather",
    "getitem",
    "layer_norm",
    "layer_norm_grad",
    "length",
    "matmul",
    "name",
    "norm",
    "permute",
    "put_slices",
    "random",
    "reduce",
    "reshape",
    "scatter_add",
    "shares_memory",
    "to_numpy",
    "unary",
    "where",
    "write",
]

name = "cpu"
device = "cpu"

Array = np.ndarray
Shape = tuple[int, ...]

_BOOL, _COMPARE = dtypes.bool_, scalar.COMPARE
_ascontiguous = functools.partial(np.asarray, order="C")  # np.ascontiguousarray would make a 0-d array 1-d


class _Quiet(threading.local):
    """Runs a NumPy function without floating-point warnings: what np.errstate does, in 0.1 us instead of 2."""

    def __init__(self) -> None:  # once in each thread
        context = contextvars.Context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


_quiet = _Quiet()

_unary, _binary, _rows, _where = Loops("unary"), Loops("binary"), Loops("rows"), Loops("where")
_reduce_rows, _reduce_columns, _reduce_tall = Loops("reduce_rows"), Loops("reduce_columns"), Loops("reduce_tall")
_add_into = Loops("add_into")
_scatter_add, _scatter_add_long = Loops("scatter_add"), Loops("scatter_add_long")
_all_finite, _norm, _random, _cumsum = Loops("all_finite"), Loops("norm"), Loops("random"), Loops("cumsum")
_layer_norm, _layer_norm_grad = Loops("layer_norm"), Loops("layer_norm_grad")


# ---- elementwise -------------------------------------------------------------------------------------------


def unary(kernel: str, x: Array) -> Array:
    """Apply a function of one argument to every element; the dtype stays."""
    loop = _unary[kernel, x.dtype]
    if loop is None:
        return _ascontiguous(reference.unary(kernel, x))
    out = np.empty(x.shape, x.dtype)
    loop(x.ravel(), out.ravel())
    return out


def binary(kernel: str, a: Array, b: Array) -> Array:
    """Apply a function of two arguments with broadcasting, in the promoted dtype; comparisons give bool."""
    dtype = a.dtype
    if dtype is not b.dtype:
        dtype = dtypes.promote(dtype, b.dtype)
        a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    result = _BOOL if kernel in _COMPARE else dtype
    shape = a.shape
    if shape == b.shape:
        loop = _binary[kernel, dtype]
        if loop is None:
            return _ascontiguous(reference.binary(kernel, a, b))
        out = np.empty(shape, result)
        loop(a.ravel(), b.ravel(), out.ravel())
        return out
    if not dtypes.is_float(dtype):
        return _ascontiguous(reference.binary(kernel, a, b))
    if kernel == "pow" and b.size == 1 and b.ndim <= a.ndim and b.item() in (1.0, 2.0, 3.0):
        return _small_power(a, b.item())
    shape, steps = _rows_plan(shape, b.shape)
    if steps is None:
        return binary(kernel, np.broadcast_to(a, shape), np.broadcast_to(b, shape))
    out = np.empty(shape, result)
    if out.size:
        a_row, a_column, b_row, b_column, columns = steps
        _rows[kernel, dtype](a.ravel(), a_row, a_column, b.ravel(), b_row, b_column, out.ravel(), columns)
    return out


def _small_power(x: Array, exponent: float) -> Array:
    """x ** 1, 2 or 3 as products: the C library's pow takes 20 times longer."""
    if exponent == 1.0:
        return x.copy()
    square = binary("mul", x, x)
    return square if exponent == 2.0 else binary("mul", square, x)


@functools.lru_cache(maxsize=4096)
def _rows_plan(a: Shape, b: Shape) -> tuple[Shape, tuple[int, int, int, int, int] | None]:
    """Return the broadcast shape and, where it can be seen as rows and columns, the steps of both operands."""
    shape = np.broadcast_shapes(a, b)
    groups: list[tuple[bool, bool, int]] = []  # does a advance, does b, and over how many elements
    padded_a, padded_b = (1,) * (len(shape) - len(a)) + a, (1,) * (len(shape) - len(b)) + b
    for size, size_a, size_b in zip(shape, padded_a, padded_b, strict=True):
        if size == 1:
            continue
        moves_a, moves_b = size_a != 1, size_b != 1
        if groups and groups[-1][:2] == (moves_a, moves_b):
            groups[-1] = (moves_a, moves_b, groups[-1][2] * size)
        else:
            groups.append((moves_a, moves_b, size))
    if len(groups) > 2:
        return shape, None
    (row_a, row_b, _), (column_a, column_b, columns) = [(False, False, 1)] * (2 - len(groups)) + groups
    a_row = (columns if column_a else 1) if row_a else 0
    b_row = (columns if column_b else 1) if row_b else 0
    return shape, (a_row, int(column_a), b_row, int(column_b), columns)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Choose from a where condition (bool) holds and from b elsewhere, with broadcasting."""
    dtype, shape = a.dtype, condition.shape
    loop = _where["where", dtype]
    if loop is not None and dtype is b.dtype and condition.dtype is _BOOL:
        if not a.shape and shape:  # to repeat a number is faster than NumPy's broadcasting
            a = np.full(shape, a, dtype)
        elif not b.shape and shape:
            b = np.full(shape, b, dtype)
        if shape == a.shape == b.shape:
            out = np.empty(shape, dtype)
            loop(condition.ravel(), a.ravel(), b.ravel(), out.ravel())
            return out
    return _ascontiguous(reference.where(condition, a, b))


def cast(x: Array, dtype: np.dtype) -> Array:
    """Convert to another dtype; floats are truncated towards zero on the way to int64."""
    if dtypes.promote(x.dtype, dtype) == dtype:
        return x.astype(dtype, order="C")  # widening never overflows: no warning to switch off
    return _quiet.run(x.astype, dtype, "C")


# ---- reductions and products -------------------------------------------------------------------------------


def reduce(kernel: str, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """Reduce over the given axes (non-negative, sorted); max and min need an element.

    A sum or a product of bools is an int64.
    """
    dtype = x.dtype
    shape, order, n, columns = reduce_plan(x.shape, axes, keepdims)
    if columns == 1:
        loop = _reduce_rows[kernel, dtype]
    else:  # a product needs the range of the tall loop's float64
        loop = (_reduce_columns if n <= BLOCK and kernel != "prod" else _reduce_tall)[kernel, dtype]
    if loop is None or not x.size:
        return _ascontiguous(reference.reduce(kernel, x, axes, keepdims))
    out = np.empty(shape, dtype)
    flat = x.ravel() if order is None else x.transpose(order).ravel()
    if columns == 1:
        loop(flat, out.ravel(), n, _IDENTITY[kernel])
    else:
        loop(flat, out.ravel(), n, columns, _IDENTITY[kernel])
    return out


_IDENTITY = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}


def cumsum(x: Array, axis: int) -> Array:
    """Return the sums of the first 1, 2, 3, ... elements along one axis; of bools an int64."""
    loop = _cumsum["cumsum", x.dtype]
    if loop is None or not x.size:
        return _ascontiguous(reference.cumsum(x, axis))
    out = np.empty(x.shape, x.dtype)
    loop(x.ravel(), out.ravel(), x.shape[axis], math.prod(x.shape[axis + 1 :]))
    return out


def layer_norm(x: Array, eps: float) -> tuple[Array, Array]:
    """Return floats with mean 0 and variance 1 along the last axis, and what they were multiplied by for it."""
    y, scale = np.empty(x.shape, x.dtype), np.empty((*x.shape[:-1], 1), x.dtype)
    _layer_norm["layer_norm", x.dtype](x.ravel(), y.ravel(), scale.ravel(), x.shape[-1], eps)
    return y, scale


def layer_norm_grad(g: Array, y: Array, scale: Array) -> Array:
    """Return the gradient of what `layer_norm` was given, from that of y and from both its results."""
    out = np.empty(g.shape, g.dtype)
    _layer_norm_grad["layer_norm_grad", g.dtype](g.ravel(), y.ravel(), scale.ravel(), out.ravel(), g.shape[-1])
    return out


def matmul(a: Array, b: Array) -> Array:
    """Multiply matrices, both at least 2-D and of one dtype, broadcasting the leading axes."""
    if a.shape[-1] == 1 == b.shape[-2]:  # columns times rows, of which BLAS makes hard work: four times slower
        return binary("mul", a, b) if a.ndim == b.ndim == 2 else _quiet.run(np.multiply, a, b, order="C")
    return _quiet.run(np.matmul, a, b, order="C")


# ---- movement and indexing ---------------------------------------------------------------------------------


def broadcast_to(x: Array, shape: Shape) -> Array:
    """Return a read-only view of x repeated along new and size-1 axes."""
    if not x.size or not x.flags.c_contiguous:
        return reference.broadcast_to(x, shape)
    view = np.ndarray(shape, x.dtype, x, 0, broadcast_strides(x.shape, x.strides, shape))
    view.flags.writeable = False
    return view  # all that np.broadcast_to does, in a third of the time


def put_slices(shape: Shape, indices: Sequence[tuple[Any, ...]], parts: Sequence[Array]) -> Array:
    """Return zeros of a shape with every part added at its basic index; overlaps add."""
    out = np.zeros(shape, parts[0].dtype)
    for index, part in zip(indices, parts, strict=True):
        view = out[index]
        if isinstance(view, np.ndarray):
            add_into(view, part)
        else:  # an index of one element gives a number, not a view
            out[index] += part
    return out


def concat(parts: Sequence[Array], axis: int) -> Array:
    """Join arrays of one dtype along an existing axis."""
    return _ascontiguous(np.concatenate(parts, axis=axis))


def fill(shape: Shape, value: float | int | bool, dtype: np.dtype) -> Array:
    """Return a new array with every element set to value."""
    out = np.empty(shape, dtype)
    out.fill(value)
    return out


def gather(x: Array, index: Array, axis: int) -> Array:
    """Take slices of x along axis at the positions in index (int64, any shape, checked by the caller)."""
    return np.asarray(np.take(x, index, axis=axis))


def scatter_add(source: Array, index: Array, axis: int, size: int) -> Array:
    """Transpose of `gather`: zeros with `size` entries along axis, to which the slices of source are added.

    Raises:
        IndexError: a position is not within the axis.
    """
    long = scatter_in_float64(source, index, size)
    loop = (_scatter_add_long if long else _scatter_add)["add", source.dtype]
    if loop is None or source.shape[axis : axis + index.ndim] != index.shape:  # where NumPy raises
        return reference.scatter_add(source, index, axis, size)
    inner = source.shape[axis + index.ndim :]
    out = np.zeros((*source.shape[:axis], size, *inner), dtypes.float64 if long else source.dtype)
    flat_index = index.astype(dtypes.int64, copy=False).ravel()
    if out.size and not loop(source.ravel(), flat_index, out.ravel(), size, math.prod(inner)):
        raise IndexError(f"scatter_add: an index is out of range for an axis of size {size}")
    return _quiet.run(out.astype, source.dtype) if long else out


# ---- writing, looking --------------------------------------------------------------------------------------


def add_into(target: Array, value: Array) -> None:
    """Add value to target in place; same shape and dtype."""
    loop = _add_into["add", target.dtype]
    if loop is None or target.shape != value.shape or target.dtype is not value.dtype or not target.flags.c_contiguous:
        reference.add_into(target, value)
    else:
        loop(target.ravel(), value.ravel())


def all_finite(x: Array) -> bool:
    """Return whether no element is NaN or infinite."""
    loop = _all_finite["sub", x.dtype]
    return True if loop is None else loop(x.ravel())


def norm(x: Array) -> float:
    """Return the L2 norm, added up in float64; squares that overflow or underflow do no harm."""
    loop = _norm["mul", x.dtype]
    return reference.norm(x) if loop is None else loop(x.ravel("K"))


def length(x: Array) -> Array:
    """Return the `norm` of floats as a 0-d float64 array."""
    return np.array(norm(x))


# ---- random numbers ----------------------------------------------------------------------------------------


_64_BITS = 2**64 - 1


def random(kind: str, seed: Array, counter: Array, shape: Shape, dtype: np.dtype) -> Array:
    """Return uniform numbers in [0, 1) or normal ones, the same numbers as `reference.random`."""
    out = np.empty(shape, dtype)
    _random[kind, out.dtype](int(seed) & _64_BITS, int(counter) & _64_BITS, out.ravel())
    return out
