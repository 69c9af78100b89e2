"""How backends go about an array: the few axes that a loop sees of it, the dtype in which numbers are added up."""

from __future__ import annotations

import functools
import math

import numpy as np

from tinygrad_rnn import dtypes

Shape = tuple[int, ...]


@functools.lru_cache(maxsize=4096)
def reduce_plan(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> tuple[Shape, tuple[int, ...] | None, int, int]:
    """Return the result's shape, the transposition needed first or None, and n, columns of an (m, n, columns) view."""
    kept = tuple(axis for axis in range(len(shape)) if axis not in axes)
    n = math.prod(shape[axis] for axis in axes)
    if keepdims:
        result = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    else:
        result = tuple(shape[axis] for axis in kept)
    long = [axis for axis in axes if shape[axis] > 1]
    if all(shape[axis] == 1 for axis in kept if long and long[0] < axis < long[-1]):  # neighbours
        columns = math.prod(shape[axis] for axis in kept if long and axis > long[-1])
        return result, None, n, columns
    return result, kept + axes, n, 1


@functools.lru_cache(maxsize=4096)
def broadcast_strides(old: Shape, strides: Shape, shape: Shape) -> Shape:
    """Return the strides that repeat an array; ValueError if the shapes do not fit."""
    extra = len(shape) - len(old)
    if extra < 0 or any(size not in (1, wanted) for size, wanted in zip(old, shape[extra:], strict=True)):
        raise ValueError(f"cannot broadcast shape {old} to {shape}")
    return (0,) * extra + tuple(0 if size == 1 else stride for size, stride in zip(old, strides, strict=True))


_MANY = 2048  # float32 numbers added up one by one: more lose digits


def scatter_in_float64(source: np.ndarray, index: np.ndarray, size: int) -> bool:
    """Return whether `scatter_add` should add up in float64, because very many float32 meet at one position."""
    if index.size <= _MANY or source.dtype != dtypes.float32 or not size:
        return False
    return int(np.bincount(index.ravel() % size).max()) > _MANY
