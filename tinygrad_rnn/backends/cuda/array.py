"""Arrays on the device: a block of memory, seen through a shape and strides. Moving axes about costs no kernel."""

from __future__ import annotations

import functools
import operator
from types import EllipsisType
from typing import Any

import numpy as np

from tinygrad_rnn.backends.cuda import driver, memory
from tinygrad_rnn.backends.plans import broadcast_strides

Shape = tuple[int, ...]


class Array:
    """Elements of a block. Strides and offset count elements, not bytes; strides may be 0 or negative."""

    __slots__ = ("block", "contiguous", "dtype", "ndim", "offset", "shape", "size", "strides")

    def __init__(
        self, block: memory.Block, dtype: np.dtype, shape: Shape, strides: Shape | None = None, offset: int = 0
    ) -> None:
        self.block = block
        self.dtype = dtype
        self.shape = shape
        self.ndim = len(shape)
        if strides is None:
            self.size, self.strides = _size_and_strides(shape)
            self.contiguous = True
        else:
            self.size, packed = _size_and_strides(shape)
            self.strides = strides
            self.contiguous = strides == packed or self.size < 2 or _packed(shape, strides)
        self.offset = offset

    if driver.simulated:

        @property
        def address(self) -> Any:
            """The kernel argument that points at the first element."""
            return self.block.memory.view(stored(self.dtype))[self.offset :]

        @property
        def base(self) -> Any:
            """The kernel argument that points at the start of the block, where `offset` counts from."""
            return self.block.memory.view(stored(self.dtype))

    else:

        @property
        def address(self) -> Any:
            return self.block.memory + self.offset * self.dtype.itemsize

        @property
        def base(self) -> Any:
            return self.block.memory


def empty(shape: Shape, dtype: np.dtype) -> Array:
    """Return an array whose elements are undefined: a kernel has to write every one."""
    size, _ = _size_and_strides(shape)
    return Array(memory.pool.take(size * dtype.itemsize), dtype, shape)


def view(x: Array, shape: Shape, strides: Shape, offset: int | None = None) -> Array:
    """Return other elements of the same block."""
    return Array(x.block, x.dtype, shape, strides, x.offset if offset is None else offset)


def shares_memory(a: Array, b: Array) -> bool:
    """Return whether writing into one may change the other."""
    return a.block is b.block


_UINT8, _BOOL = np.dtype("uint8"), np.dtype("bool")


def stored(dtype: np.dtype) -> np.dtype:
    """Return how kernels see a dtype: a bool is a byte, 0 or 1."""
    return _UINT8 if dtype is _BOOL else dtype


@functools.lru_cache(maxsize=4096)
def _size_and_strides(shape: Shape) -> tuple[int, Shape]:
    """Return how many elements a shape has, and its strides when rows follow each other without gaps."""
    size, strides = 1, []
    for length in reversed(shape):
        strides.append(size)
        size *= length
    return size, tuple(reversed(strides))


def _packed(shape: Shape, strides: Shape) -> bool:
    """Return whether there are no gaps; the stride of an axis with a single element does not matter."""
    expected = 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1:
            if stride != expected:
                return False
            expected *= length
    return True


# ---- from NumPy -------------------------------------------------------------------------------------------------


def from_numpy(array: np.ndarray) -> Array:
    """Copy a NumPy array to the device, without waiting for it."""
    packed = np.asarray(array, order="C")
    return Array(memory.upload(packed), packed.dtype, packed.shape)


# ---- views -----------------------------------------------------------------------------------------------------


def permute(x: Array, axes: tuple[int, ...]) -> Array:
    """Return a view of x with its axes in another order."""
    shape, strides = x.shape, x.strides
    return view(x, tuple([shape[axis] for axis in axes]), tuple([strides[axis] for axis in axes]))


def broadcast_to(x: Array, shape: Shape) -> Array:
    """Return a view of x repeated along new and size-1 axes."""
    return view(x, shape, broadcast_strides(x.shape, x.strides, shape))


def getitem(x: Array, index: tuple[Any, ...]) -> Array:
    """Return the view that a basic index (ints, slices, None, Ellipsis) selects."""
    used = sum(part is not None and part is not Ellipsis for part in index)
    if used > x.ndim:
        raise IndexError(f"too many indices: {used} for {x.ndim} axes")
    shape: list[int] = []
    strides: list[int] = []
    offset, axis = x.offset, 0
    for part in index if Ellipsis in index else (*index, Ellipsis):
        if part is None:
            shape.append(1)
            strides.append(0)
        elif isinstance(part, EllipsisType):
            rest = axis + x.ndim - used
            shape.extend(x.shape[axis:rest])
            strides.extend(x.strides[axis:rest])
            axis = rest
        else:
            length, stride = x.shape[axis], x.strides[axis]
            if isinstance(part, slice):
                start, stop, step = part.indices(length)
                chosen = len(range(start, stop, step))
                offset += start * stride if chosen else 0
                shape.append(chosen)
                strides.append(step * stride)
            else:
                position = operator.index(part)  # a NumPy integer would make the offset one, of whatever width
                if not -length <= position < length:
                    raise IndexError(f"index {part} is out of bounds for axis {axis} with size {length}")
                offset += position % length * stride
            axis += 1
    return view(x, tuple(shape), tuple(strides), offset)


@functools.lru_cache(maxsize=4096)
def reshaped_strides(old: Shape, strides: Shape, new: Shape) -> Shape | None:
    """Return the strides under which the same memory has another shape, or None if only a copy has it.

    Old and new axes are cut into the shortest groups with equally many elements. A group is one run through memory,
    evenly spaced, or it cannot be seen in another way.
    """
    kept = [(length, stride) for length, stride in zip(old, strides, strict=True) if length != 1]
    result: list[int] = []
    wanted = [length for length in new if length != 1]
    i = 0
    while kept:
        length, stride = kept.pop(0)
        total = wanted[i]
        j = i + 1
        while total != length:
            if total < length:
                total *= wanted[j]
                j += 1
            else:
                inner_length, inner_stride = kept.pop(0)
                if stride != inner_length * inner_stride:
                    return None
                length, stride = length * inner_length, inner_stride
        group: list[int] = []
        for size in reversed(wanted[i:j]):
            group.append(stride)
            stride *= size
        result += reversed(group)
        i = j
    step = iter(result)
    return tuple(0 if length == 1 else next(step) for length in new)
