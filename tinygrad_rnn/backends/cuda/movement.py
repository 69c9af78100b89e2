"""Moving elements: reshaping, joining, and back to NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.backends.cuda import memory
from tinygrad_rnn.backends.cuda.array import Array, Shape, empty, getitem, reshaped_strides, view
from tinygrad_rnn.backends.cuda.compiling import CLASSES, Kernels, Kind
from tinygrad_rnn.backends.cuda.driver import cuda
from tinygrad_rnn.backends.cuda.elementwise import THREADS, add_into, blocks_for, copy, fill, write

#: So many parts are joined by one launch. A recurrent net joins the gradients of its gates, or of all time steps:
#: small arrays, of which each launch of its own would cost more than its copy.
TOGETHER = 8


def _join(_: Any, number: type) -> Callable[..., Any]:
    def kernel(a, b, c, d, e, f, g, h, out, size, inner, pitch, start, n):
        """Copy parts of `size` elements, rows of `inner`: row r of part p goes to r * pitch + start + p * inner."""
        for i in range(cuda.grid(1), n, cuda.gridsize(1)):
            part = i // size
            j = i - part * size
            row = j // inner
            if part < 2:
                value = a[j] if part == 0 else b[j]
            elif part < 4:
                value = c[j] if part == 2 else d[j]
            elif part < 6:
                value = e[j] if part == 4 else f[j]
            else:
                value = g[j] if part == 6 else h[j]
            out[row * pitch + start + part * inner + j - row * inner] = value

    return kernel


KINDS = (Kind("join", _join, "x" * TOGETHER + "oiiiii", {"join": dict.fromkeys(CLASSES)}),)
_joins = Kernels(KINDS[0])


def reshape(x: Array, shape: Shape) -> Array:
    """Return x in another shape, sharing its memory where the strides allow."""
    if math.prod(shape) != x.size:
        raise ValueError(f"cannot reshape array of size {x.size} into shape {shape}")
    if x.contiguous:
        return Array(x.block, x.dtype, shape, None, x.offset)
    strides = reshaped_strides(x.shape, x.strides, shape)
    if strides is None:
        return Array(copy(x).block, x.dtype, shape)
    return view(x, shape, strides)


def to_numpy(x: Array) -> np.ndarray:
    """Copy an array to NumPy: this waits until the device has computed it."""
    if not x.contiguous:
        x = copy(x)
    out = np.empty(x.shape, x.dtype)
    memory.download(x.block, x.offset * x.dtype.itemsize, out)
    return out


def put_slices(shape: Shape, indices: Sequence[tuple[Any, ...]], parts: Sequence[Array]) -> Array:
    """Return zeros of a shape with every part added at its basic index; overlaps add."""
    out = fill(shape, 0, parts[0].dtype)
    for index, part in zip(indices, parts, strict=True):
        add_into(getitem(out, index), part)
    return out


def concat(parts: Sequence[Array], axis: int) -> Array:
    """Join arrays of one dtype along an existing axis."""
    first = parts[0].shape
    equal = all(part.shape == first and part.contiguous for part in parts)
    if not equal:
        for part in parts:
            if part.shape[:axis] != first[:axis] or part.shape[axis + 1 :] != first[axis + 1 :]:
                raise ValueError(f"cannot join arrays of shapes {first} and {part.shape} along axis {axis}")
    total = sum([part.shape[axis] for part in parts])
    out = empty((*first[:axis], total, *first[axis + 1 :]), parts[0].dtype)
    if equal and parts[0].size:
        _join_equal(parts, axis, out)
        return out
    start, before = 0, (slice(None),) * axis
    for part in parts:
        stop = start + part.shape[axis]
        write(getitem(out, (*before, slice(start, stop))), part)
        start = stop
    return out


def _join_equal(parts: Sequence[Array], axis: int, out: Array) -> None:
    kernel: Any = _joins["join", out.dtype]
    size, inner = parts[0].size, math.prod(parts[0].shape[axis:])
    for done in range(0, len(parts), TOGETHER):
        group = parts[done : done + TOGETHER]
        addresses = [part.address for part in group]
        addresses += addresses[:1] * (TOGETHER - len(group))  # never read
        n = size * len(group)
        kernel.launch(blocks_for(n), THREADS, *addresses, out.address, size, inner, inner * len(parts), inner * done, n)
