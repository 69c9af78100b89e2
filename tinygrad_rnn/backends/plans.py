"""How an array is seen by a loop that knows fewer axes than it has, in every backend with loops of its own."""

from __future__ import annotations

import functools
import math

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
