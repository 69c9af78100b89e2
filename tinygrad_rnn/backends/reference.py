"""The reference backend: every kernel in plain NumPy, the readable oracle the other backends are checked against.

Elementwise it computes with the NumPy functions that the tables of `scalar.py` name, and with nothing else of them.

A backend is a module with these functions. Arrays are `numpy.ndarray` here; an op hands them over and never looks
inside. Every kernel returns a new array, except `reshape`, `permute`, `broadcast_to` and `getitem`, which may return
views, and `write` and `add_into`, which say by their name that they write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import kernels, scalar
from tinygrad_rnn.backends.plans import scatter_in_float64 as _scatter_in_float64

name = "reference"
device = "cpu"

Array = np.ndarray
Shape = tuple[int, ...]


# ---- elementwise -----------------------------------------------------------------------------------------------


def unary(kernel: str, x: Array) -> Array:
    """Apply a function of one argument to every element; the dtype stays."""
    with np.errstate(all="ignore"):
        return np.asarray(kernels.called(kernel, scalar.UNARY, "unary").numpy(x), dtype=x.dtype)


def binary(kernel: str, a: Array, b: Array) -> Array:
    """Apply a function of two arguments with broadcasting, in the promoted dtype; comparisons give bool."""
    dtype = dtypes.promote(a.dtype, b.dtype)
    a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    with np.errstate(all="ignore"):
        if kernel in scalar.COMPARE:
            return np.asarray(scalar.COMPARE[kernel].numpy(a, b))
        line = kernels.called(kernel, scalar.BINARY | scalar.COMPARE, "binary")
        return np.asarray(line.numpy(a, b), dtype=dtype)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Choose from a where condition (bool) holds and from b elsewhere, with broadcasting."""
    dtype = dtypes.promote(a.dtype, b.dtype)
    return scalar.TERNARY["where"].numpy(condition, a.astype(dtype, copy=False), b.astype(dtype, copy=False))


def cast(x: Array, dtype: np.dtype) -> Array:
    """Convert to another dtype; floats are truncated towards zero on the way to int64."""
    return x.astype(dtype)


# ---- reductions and products -----------------------------------------------------------------------------------


def reduce(kernel: str, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """Reduce over the given axes (non-negative, sorted); max and min need an element.

    A sum or a product of bools is an int64; of float32 it is computed in float64.
    """
    combine: Any = kernels.called(kernel, scalar.REDUCE, "reduce").numpy
    dtype = dtypes.int64 if kernel in _GROWING and x.dtype == dtypes.bool_ else x.dtype
    inside = dtypes.float64 if kernel in _GROWING and x.dtype == dtypes.float32 else dtype
    with np.errstate(all="ignore"):
        return np.asarray(combine.reduce(x, axis=axes, dtype=inside, keepdims=keepdims)).astype(dtype, copy=False)


_GROWING = ("sum", "prod")


def cumsum(x: Array, axis: int) -> Array:
    """Return the sums of the first 1, 2, 3, ... elements along one axis; of bools an int64."""
    dtype = dtypes.int64 if x.dtype == dtypes.bool_ else x.dtype
    inside = dtypes.float64 if x.dtype == dtypes.float32 else dtype
    with np.errstate(all="ignore"):
        return np.cumsum(x, axis, inside).astype(dtype, copy=False)


def argmax(x: Array, axis: int, keepdims: bool) -> Array:
    """Return the int64 position of the first largest element along one axis."""
    return np.asarray(np.argmax(x, axis=axis, keepdims=keepdims), dtype=dtypes.int64)


def layer_norm(x: Array, eps: float) -> tuple[Array, Array]:
    """Return floats with mean 0 and variance 1 along the last axis, and what they were multiplied by for it.

    The variance is the mean of squares, to which eps is added. Sums are taken in float64.
    """
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64, copy=False)
        centred = wide - _row_means(wide)
        scale = 1 / np.sqrt(_row_means(centred * centred) + eps)
        return (centred * scale).astype(x.dtype, copy=False), scale.astype(x.dtype, copy=False)


def layer_norm_grad(g: Array, y: Array, scale: Array) -> Array:
    """Return the gradient of what `layer_norm` was given, from that of y and from both its results."""
    with np.errstate(all="ignore"):
        wide = g.astype(np.float64, copy=False)
        along = _row_means(wide * y)
        return (scale * (wide - _row_means(wide) - along * y)).astype(g.dtype, copy=False)


def _row_means(x: Array) -> Array:
    return x.sum(axis=-1, keepdims=True) / x.shape[-1]


def matmul(a: Array, b: Array) -> Array:
    """Multiply matrices, both at least 2-D and of one dtype, broadcasting the leading axes."""
    with np.errstate(all="ignore"):
        return np.matmul(a, b)


# ---- movement --------------------------------------------------------------------------------------------------


def reshape(x: Array, shape: Shape) -> Array:
    """Return x in another shape, sharing its memory where the strides allow."""
    return x.reshape(shape)


def permute(x: Array, axes: tuple[int, ...]) -> Array:
    """Return a view of x with its axes in another order."""
    return x.transpose(axes)


def broadcast_to(x: Array, shape: Shape) -> Array:
    """Return a view of x repeated along new and size-1 axes."""
    return np.broadcast_to(x, shape)


def getitem(x: Array, index: tuple[Any, ...]) -> Array:
    """Return the view that a basic index (ints, slices, None, Ellipsis) selects."""
    return np.asarray(x[index]) if index else x


def put_slices(shape: Shape, indices: Sequence[tuple[Any, ...]], parts: Sequence[Array]) -> Array:
    """Return zeros of a shape with every part added at its basic index; overlaps add."""
    out = np.zeros(shape, parts[0].dtype)
    for index, part in zip(indices, parts, strict=True):
        out[index] += part
    return out


def concat(parts: Sequence[Array], axis: int) -> Array:
    """Join arrays of one dtype along an existing axis."""
    return np.concatenate(parts, axis=axis)


def copy(x: Array) -> Array:
    """Return a C-contiguous copy."""
    return np.array(x, order="C", copy=True)


def fill(shape: Shape, value: float | int | bool, dtype: np.dtype) -> Array:
    """Return a new array with every element set to value."""
    return np.full(shape, value, dtype)


# ---- indexing --------------------------------------------------------------------------------------------------


def gather(x: Array, index: Array, axis: int) -> Array:
    """Take slices of x along axis at the positions in index (int64, any shape, checked by the caller).

    Negative positions count from the end. A device that cannot raise an error from a kernel gives NaN (0 in integers
    and bools) for one that is out of range; `scatter_add` leaves it out there.
    """
    return np.asarray(np.take(x, index, axis=axis))


def scatter_add(source: Array, index: Array, axis: int, size: int) -> Array:
    """Transpose of `gather`: zeros with `size` entries along axis, to which the slices of source are added."""
    shape = (*source.shape[:axis], size, *source.shape[axis + index.ndim :])
    out = np.zeros(shape, dtypes.float64 if _scatter_in_float64(source, index, size) else source.dtype)
    where: Any = (*(slice(None),) * axis, index)
    with np.errstate(all="ignore"):
        np.add.at(out, where, source)
        return out.astype(source.dtype, copy=False)


# ---- writing, moving between devices, looking ------------------------------------------------------------------


def write(target: Array, value: Array) -> None:
    """Overwrite target in place."""
    target[...] = value


def add_into(target: Array, value: Array) -> None:
    """Add value to target in place; same shape and dtype."""
    with np.errstate(all="ignore"):
        np.add(target, value, out=target)


def from_numpy(array: Array) -> Array:
    """Bring a NumPy array to this device (here: as it is, shared)."""
    return array


def to_numpy(array: Array) -> Array:
    """Bring an array of this device to NumPy (here: as it is, shared)."""
    return array


def shares_memory(a: Array, b: Array) -> bool:
    """Return whether writing into one may change the other."""
    base = a.base  # the usual view says it itself, ten times faster
    if base is b or (base is not None and base is b.base):
        return True
    return np.may_share_memory(a, b)


def all_finite(x: Array) -> bool:
    """Return whether no element is NaN or infinite."""
    return bool(np.isfinite(x).all())


def norm(x: Array) -> float:
    """Return the L2 norm, added up in float64; squares that overflow or underflow do no harm."""
    largest = float(np.abs(x).max(initial=0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    scaled = x.ravel().astype(np.float64) / largest
    return largest * float(np.sqrt(np.dot(scaled, scaled)))


def length(x: Array) -> Array:
    """Return the `norm` of floats as a 0-d float64 array."""
    return np.array(norm(x))


# ---- random numbers --------------------------------------------------------------------------------------------

_PHILOX_M0, _PHILOX_M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_PHILOX_W0, _PHILOX_W1 = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox(seed: int, counter: int, blocks: int) -> Array:
    """Return (blocks, 4) uint32 words of Philox4x32-10 (Salmon et al. 2011) at counter, counter + 1, ...

    The 64-bit seed is the key, the 64-bit counter the low half of the 128-bit counter.
    """
    position = (np.uint64(counter & (2**64 - 1)) + np.arange(blocks, dtype=np.uint64)).astype(np.uint64)
    c0, c1 = position & _LOW, position >> _SHIFT
    c2 = np.zeros_like(c0)
    c3 = np.zeros_like(c0)
    k0, k1 = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = c0 * _PHILOX_M0, c2 * _PHILOX_M1
        c0, c1, c2, c3 = (
            (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0, k1 = (k0 + _PHILOX_W0) & 0xFFFFFFFF, (k1 + _PHILOX_W1) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def random(kind: str, seed: Array, counter: Array, shape: Shape, dtype: np.dtype) -> Array:
    """Return uniform numbers in [0, 1) or normal ones, a pure function of seed and counter (0-d int64 arrays).

    Every element uses half a Philox block (two 32-bit words a, b), so n elements advance the counter by (n + 1) // 2.
    uniform: the top 24 bits of a (float32) or the top 53 bits of a:b (float64). normal: Box-Muller in float64, from
    u1 = (a + 1) / 2^32 and u2 = b / 2^32: sqrt(-2 log u1) cos(2 pi u2).
    """
    count = int(np.prod(shape, dtype=np.int64))
    words = philox(int(seed), int(counter), (count + 1) // 2).reshape(-1, 2)[:count]
    if kind == "normal":
        u1, u2 = (words[:, 0] + 1.0) * 2.0**-32, words[:, 1] * 2.0**-32
        values = np.sqrt(-2 * np.log(u1)) * np.cos(2 * np.pi * u2)
    elif dtype == dtypes.float32:
        values = (words[:, 0] >> np.uint32(8)) * np.float32(2.0**-24)
    else:
        wide = (words[:, 0].astype(np.uint64) << _SHIFT) | words[:, 1]
        values = (wide >> np.uint64(11)) * 2.0**-53
    return values.astype(dtype).reshape(shape)
