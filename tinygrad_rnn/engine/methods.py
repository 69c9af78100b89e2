"""Tensor methods composed of primitive ops.

They only call methods of the tensors they are given, so this floor needs no Tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.axes import Axes, accepts_dim, accepts_unbiased, all_axes, one_axis
from tinygrad_rnn.engine.recorder import Made
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor


def count(x: Tensor, axis: Axes, what: str) -> int:
    """Return how many elements a reduction over these axes combines."""
    total = 1
    for a in all_axes(axis, x.ndim, what):
        total *= x.shape[a]
    return total


# ---- statistics ---------------------------------------------------------------------------------------------------


@accepts_dim
def mean(x: Tensor, axis: Axes = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the arithmetic mean along the axes (all of them unless given); NaN over no elements.

    The elements are cast to a dtype first if one is given, as in `sum`.

    Raises:
        DTypeError: the dtype is not float32 or float64.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([[1.0, 2.0], [3.0, 6.0]]).mean(axis=0).numpy().tolist()
    [2.0, 4.0]
    """
    if dtype is not None and not dtypes.is_float(dtypes.resolve(dtype)):
        raise DTypeError(f"mean: a mean is a float, not {dtypes.resolve(dtype)}; use float32 or float64")
    return x.sum(axis, keepdims, dtype=dtype) / count(x, axis, "mean")


@accepts_unbiased
@accepts_dim
def var(x: Tensor, axis: Axes = None, correction: int | None = 1, keepdims: bool = False) -> Tensor:
    """Return the variance along the axes, divided by max(0, n - correction) as in torch.

    Also var(unbiased=False) for correction=0, and var(ddof=0); None is 1.
    """
    centred = x - mean(x, axis, keepdims=True)
    return (centred * centred).sum(axis, keepdims) / max(count(x, axis, "var") - _given(correction), 0)


@accepts_unbiased
@accepts_dim
def std(x: Tensor, axis: Axes = None, correction: int | None = 1, keepdims: bool = False) -> Tensor:
    """Return the standard deviation: the square root of `var`. Where it is 0 its gradient is 0, as in torch."""
    degrees = count(x, axis, "std") - _given(correction)
    if degrees <= 0:
        return var(x, axis, correction, keepdims).sqrt()  # NaN or infinite, and so is its gradient
    centred = x - mean(x, axis, keepdims=True)
    return _l2_norm(centred, axis, keepdims) / math.sqrt(degrees)


def _given(correction: int | None) -> int:
    return 1 if correction is None else correction


@accepts_dim
def norm(x: Tensor, p: float | str | None = 2, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Return a norm along the axes: of order 2 ("fro" is the same), 1, or infinity.

    That of order 2 is right also where squares overflow or vanish. At 0 its gradient is 0, as in torch.

    Raises:
        InputError: any other order.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([3e-30, 4e-30]).norm() == tg.tensor(5e-30)
    tensor(True)
    """
    if p is None or p == "fro" or p == 2:
        return _l2_norm(x._as_float(), axis, keepdims)
    if p == 1:
        return x._as_float().abs().sum(axis, keepdims)
    if p == math.inf:
        return x._as_float().abs().max(axis, keepdims)
    raise InputError(f"norm: the order p can be 2, 1 or infinity, not {p!r}; the axes are given as axis=")


def _l2_norm(x: Tensor, axis: Axes, keepdims: bool) -> Tensor:
    scale = finite_max(x.detach().abs(), axis)
    scale = scale.where(scale > 0.0, 1.0)
    scaled = x / scale
    squares = (scaled * scaled).sum(axis, keepdims)
    positive = squares != 0.0  # also where it is NaN
    root = squares.where(positive, 1.0).sqrt().where(positive, 0.0)
    return root * (scale if keepdims else scale.reshape(root.shape))


@accepts_dim
def logsumexp(x: Tensor, axis: Axes = -1, keepdims: bool = False) -> Tensor:
    """Return log(sum(exp(x))) along the axes without overflow: the maximum is subtracted first.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([1000.0, 1000.0]).logsumexp().item() - 1000.0 < 0.7
    True
    """
    x = x._as_float()
    shift = finite_max(x, axis)
    total = log_of_sum(x - shift, axis, keepdims)
    return total + (shift if keepdims else shift.reshape(total.shape))


def log_of_sum(shifted: Tensor, axis: Axes, keepdims: bool = False) -> Tensor:
    """Return log(sum(exp(shifted))) where the largest is 0: as log1p of the sum without one of those that are 0.

    Beside their exp(0) = 1 a sum would lose what is below the rounding error of 1, and the logarithm is all of it.
    """
    largest = (shifted == 0.0).cast(shifted.dtype)
    without_largest = (shifted.exp() - largest).sum(axis, keepdims)
    return (without_largest + (largest.sum(axis, keepdims) - 1.0)).log1p()


@accepts_dim
def softmax(x: Tensor, axis: int = -1, *, dtype: Any = None) -> Tensor:
    """Return exp(x) / sum(exp(x)) along an axis, of x cast to a dtype if one is given.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([0.0, 0.0]).softmax().numpy().tolist()
    [0.5, 0.5]
    """
    x = x._as_float() if dtype is None else x.cast(dtype)
    e = (x - finite_max(x, axis)).exp()
    return e / e.sum(axis, keepdims=True)


@accepts_dim
def log_softmax(x: Tensor, axis: int = -1, *, dtype: Any = None) -> Tensor:
    """Return log(softmax(x)) along an axis, accurate where the softmax underflows or is almost 1."""
    x = x._as_float() if dtype is None else x.cast(dtype)
    shifted = x - finite_max(x, axis)
    return shifted - log_of_sum(shifted, axis, keepdims=True)


def finite_max(x: Tensor, axis: Axes) -> Tensor:
    """Return the maximum with keepdims as a constant, 0 where it is infinite: a shift that never makes inf - inf.

    Over no elements it is 0, too.
    """
    if not count(x, axis, "max"):
        return x.detach().sum(axis, keepdims=True)
    top = x.detach().max(axis, keepdims=True)
    return top.where(top.abs() < float("inf"), 0.0)


# ---- shapes -------------------------------------------------------------------------------------------------------


@accepts_dim
def squeeze(x: Tensor, axis: Axes = None) -> Tensor:
    """Drop axes of size 1: all of them, or those among the given ones; other axes stay, as in torch."""
    given = all_axes(axis, x.ndim, "squeeze")
    return x.reshape(tuple(size for i, size in enumerate(x.shape) if size != 1 or i not in given))


@accepts_dim
def unsqueeze(x: Tensor, axis: int) -> Tensor:
    """Insert an axis of size 1 before position `axis`."""
    axis = one_axis(axis, x.ndim + 1, "unsqueeze")
    return x.reshape((*x.shape[:axis], 1, *x.shape[axis:]))


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the axes from start_dim to end_dim (included) into one.

    Raises:
        ShapeError: there is no such axis, or start_dim comes after end_dim.
    """
    if x.ndim == 0:
        return x.reshape((1,))
    start, end = one_axis(start_dim, x.ndim, "flatten"), one_axis(end_dim, x.ndim, "flatten")
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    joined = 1
    for size in x.shape[start : end + 1]:
        joined *= size
    return x.reshape((*x.shape[:start], joined, *x.shape[end + 1 :]))


@accepts_dim
def flip(x: Tensor, axis: Axes = None, *more: int) -> Tensor:
    """Reverse the order along the axes: flip(0, 1) or flip((0, 1)); along all of them unless given."""
    axes = all_axes((axis, *more) if more else axis, x.ndim, "flip")  # type: ignore[arg-type]  # more: axis is an int
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


@accepts_dim
def split(x: Tensor, sizes: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Cut into pieces along an axis: of one size (the last may be smaller), or of the sizes given (as in torch).

    Raises:
        ShapeError: the one size is not positive, or those given do not add up to the axis or one is negative.
    """
    axis = one_axis(axis, x.ndim, "split")
    total = x.shape[axis]
    if isinstance(sizes, int | np.integer):
        if sizes <= 0:
            raise ShapeError(f"split: the size of a piece must be positive, not {sizes}")
        sizes = [min(sizes, total - start) for start in range(0, total, sizes)] or [0]
    if sum(sizes) != total or any(size < 0 for size in sizes):
        raise ShapeError(f"split: sizes {list(sizes)} add up to {sum(sizes)}, but axis {axis} has {total}")
    return x._split(tuple(sizes), axis)


@accepts_dim
def chunk(x: Tensor, chunks: int, axis: int = 0) -> tuple[Tensor, ...]:
    """Cut into (at most) `chunks` pieces of equal size along an axis, the last one smaller if need be (as in torch).

    Raises:
        ShapeError: chunks is not positive, or there is no such axis.

    >>> import tinygrad_rnn as tg
    >>> [piece.shape for piece in tg.zeros(2, 8).chunk(4, axis=-1)]
    [(2, 2), (2, 2), (2, 2), (2, 2)]
    """
    if chunks <= 0:
        raise ShapeError(f"chunk: the number of pieces must be positive, not {chunks}")
    axis = one_axis(axis, x.ndim, "chunk")
    return x._split(_equal_pieces(x.shape[axis], chunks), axis)


@lru_cache
def _equal_pieces(total: int, chunks: int) -> tuple[int, ...]:
    size = max(1, -(-total // chunks))
    return tuple([min(size, total - start) for start in range(0, total, size)]) or (0,)


def pad(x: Tensor, widths: Sequence[tuple[int, int]]) -> Tensor:
    """Put zeros around x: per axis how many before and after, as in numpy.pad.

    Raises:
        ShapeError: the widths are not one pair for each axis, or one is negative.
    """
    if len(widths) != x.ndim or any(before < 0 or after < 0 for before, after in widths):
        raise ShapeError(f"pad: give one (before, after) pair of non-negative ints per axis of {x.shape}, not {widths}")
    shape = tuple(size + before + after for size, (before, after) in zip(x.shape, widths, strict=True))
    index = tuple(slice(before, before + size) for size, (before, _) in zip(x.shape, widths, strict=True))
    return x._put_slices([], [index], shape)


# ---- elementwise --------------------------------------------------------------------------------------------------


def clip(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limit values to [min, max]; either end may be None, a number or a tensor.

    Exactly at an end the gradient goes to x, as in torch.clamp. Where min > max the result is max. NaN stays NaN.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([-2.0, 0.5, 2.0]).clip(-1, 1)
    tensor([-1. ,  0.5,  1. ])
    """
    if min is not None:
        low = x._operand(min)
        x = low.where(_or_nan(x < low, min, low), x)
    if max is not None:
        high = x._operand(max)
        x = high.where(_or_nan(x > high, max, high), x)
    return x


def _or_nan(beyond: Tensor, end: Any, bound: Tensor) -> Tensor:
    """Return beyond, or True where the end is NaN: then the result of clip is NaN, too."""
    return beyond if isinstance(end, int | float) and end == end else beyond.maximum(bound != bound)


def square(x: Tensor) -> Tensor:
    """Return x * x."""
    return x * x


def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """Return x with zeros above a diagonal of its last two axes (1 is the one above the main diagonal)."""
    return x.where(_lower(x, diagonal, "tril"), 0)


def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """Return x with zeros below a diagonal of its last two axes (1 is the one above the main diagonal)."""
    return x.where(~_lower(x, diagonal - 1, "triu"), 0)


def _lower(x: Tensor, diagonal: int, what: str) -> Tensor:
    if x.ndim < 2:
        raise ShapeError(f"{what}: needs at least two axes, not shape {x.shape}")
    rows, columns = x.shape[-2:]
    made = Made("tri", {"shape": (rows, columns), "diagonal": diagonal})
    return x._beside(np.tri(rows, columns, diagonal, bool), made)
