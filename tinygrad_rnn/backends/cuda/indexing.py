"""Reading and adding at integer positions.

Arrays are seen as (batches, size, inner), the middle axis being the one with positions, and the index as a list of
`count` positions. Negative ones count from the end. A kernel cannot raise an error that Python sees before the GPU has
been waited for, so the caller checks positions (the engine does). One out of range does no harm here: no memory
outside the arrays is touched, `gather` gives NaN for it (0 in integers and bools), `scatter_add` leaves it out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import scalar
from tinygrad_rnn.backends.cuda.array import Array, empty
from tinygrad_rnn.backends.cuda.compiling import Kernels, Kind, device_function
from tinygrad_rnn.backends.cuda.driver import cuda, simulated
from tinygrad_rnn.backends.cuda.elementwise import as_contiguous, as_dtype

Function = Callable[..., Any]

#: Threads in a block, and how many positions a block looks at together.
THREADS = 4 if simulated else 256
#: Positions, and elements to add, that one thread has under way.
AT_ONCE = 4
_MOST_BLOCKS = 2 if simulated else 2**31 - 1


# ---- kernels -----------------------------------------------------------------------------------------------


def _gather(missing: float, number: type) -> Function:
    nothing = number(missing)

    def kernel(x, index, out, rows, count, size, inner):
        """Copy one row of x to each row of out: threads along x share a row, those along y have different ones."""
        first_row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
        for row in range(first_row, rows, cuda.gridDim.x * cuda.blockDim.y):
            batch = row // count
            position = index[row - batch * count]
            position = position + size if position < 0 else position
            inside = position >= 0 and position < size
            start = (batch * size + position) * inner
            for column in range(cuda.threadIdx.x, inner, cuda.blockDim.x):
                out[row * inner + column] = x[start + column] if inside else nothing

    return kernel


def _scatter_add(add: Function, number: type) -> Function:
    zero = number(0)
    listed = THREADS + AT_ONCE

    def kernel(source, index, out, count, size, inner, row_blocks, column_blocks):
        """Let each thread add up one element of out: no two write to one place, and the index gives the order.

        The threads along y have different rows of out, those along x different columns. Together the threads of a
        block look for its rows in the index, a stretch at a time. They put what they find into a list in shared memory,
        in the order of the index; then each thread adds what the list has for its row.
        """
        found = cuda.shared.array(THREADS, np.int32)  # how many finds there are up to this thread
        rows = cuda.shared.array(listed, np.int32)  # the list: for which row of the block,
        places = cuda.shared.array(listed, np.int64)  # and where in the index it stands
        me = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
        row_block = cuda.blockIdx.x // column_blocks
        column = (cuda.blockIdx.x - row_block * column_blocks) * cuda.blockDim.x + cuda.threadIdx.x
        batch = row_block // row_blocks
        first = (row_block - batch * row_blocks) * cuda.blockDim.y
        height = min(cuda.blockDim.y, size - first)
        mine = cuda.threadIdx.y if column < inner else -2
        total = zero
        for start in range(0, count, AT_ONCE * THREADS):
            # Most stretches have nothing for this block: one look, with all loads under way together, and on.
            i, last = start + me, count - 1
            a, b = index[min(i, last)], index[min(i + THREADS, last)]
            c, d = index[min(i + 2 * THREADS, last)], index[min(i + 3 * THREADS, last)]
            a, b = _row_of(a, size, first, height), _row_of(b, size, first, height)
            c, d = _row_of(c, size, first, height), _row_of(d, size, first, height)
            if cuda.syncthreads_or(np.int32(max(a, b, c, d) >= 0)):  # the same for all threads
                for part in range(start, min(start + AT_ONCE * THREADS, count), THREADS):
                    i = part + me
                    row = _row_of(index[i], size, first, height) if i < count else -1
                    found[me] = 1 if row >= 0 else 0
                    cuda.syncthreads()
                    step = 1
                    while step < THREADS:  # running sums: over 2 threads, over 4, over 8, ...
                        before = found[me - step] if me >= step else 0
                        cuda.syncthreads()
                        found[me] += before
                        cuda.syncthreads()
                        step *= 2
                    finds = found[THREADS - 1]
                    if row >= 0:
                        rows[found[me] - 1] = row
                        places[found[me] - 1] = i
                    if me < AT_ONCE:  # fill the last four up
                        rows[finds + me] = -1
                        places[finds + me] = 0
                    cuda.syncthreads()
                    source_row = batch * count
                    for h in range(0, finds, AT_ONCE):
                        p0, p1 = (source_row + places[h]) * inner, (source_row + places[h + 1]) * inner
                        p2, p3 = (source_row + places[h + 2]) * inner, (source_row + places[h + 3]) * inner
                        a = source[p0 + column] if rows[h] == mine else zero
                        b = source[p1 + column] if rows[h + 1] == mine else zero
                        c = source[p2 + column] if rows[h + 2] == mine else zero
                        d = source[p3 + column] if rows[h + 3] == mine else zero
                        total = add(add(add(add(total, a), b), c), d)
        if mine >= 0 and mine < height:
            out[(batch * size + first + mine) * inner + column] = total

    return kernel


@device_function
def _row_of(position, size, first, height):
    """Return which of a block's `height` rows from `first` on a position names; below 0 for none of them."""
    row = (position + size if position < 0 else position) - first
    return row if row < height else -1


_GATHER = Kind("gather", _gather, "xkoiiii", {"gather": {"float32": np.nan, "float64": np.nan, "int64": 0, "bool": 0}})
_SCATTER_ADD = Kind("scatter_add", _scatter_add, "xkoiiiii", {"scatter_add": scalar.BINARY["add"].functions})
KINDS = (_GATHER, _SCATTER_ADD)
_gathers, _scatter_adds = Kernels(_GATHER), Kernels(_SCATTER_ADD)


# ---- the backend's functions -------------------------------------------------------------------------------


def _threads(inner: int) -> tuple[int, int]:
    """Return the threads of a block along the elements of a row, and along the rows."""
    width = min(THREADS, 1 << max(0, inner - 1).bit_length())
    return width, THREADS // width


def gather(x: Array, index: Array, axis: int) -> Array:
    """Take slices of x along axis at the positions in index (int64, any shape, checked by the caller)."""
    size, count = x.shape[axis], index.size
    batches, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    out = empty((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]), x.dtype)
    if batches and count and not size:
        raise IndexError(f"gather: axis {axis} of shape {x.shape} has no positions")
    if not out.size:
        return out
    kernel: Any = _gathers["gather", x.dtype]
    x, index = as_contiguous(x), as_contiguous(as_dtype(index, dtypes.int64))
    rows = batches * count
    threads = _threads(inner)
    blocks = -(-rows // threads[1])
    kernel.launch(min(blocks, _MOST_BLOCKS), threads, x.address, index.address, out.address, rows, count, size, inner)
    return out


def scatter_add(source: Array, index: Array, axis: int, size: int) -> Array:
    """Transpose of `gather`: zeros with `size` entries along axis, to which the slices of source are added."""
    if source.shape[axis : axis + index.ndim] != index.shape:
        raise ValueError(f"an index of shape {index.shape} does not fit axis {axis} of shape {source.shape}")
    before, after = source.shape[:axis], source.shape[axis + index.ndim :]
    out = empty((*before, size, *after), source.dtype)
    if not out.size:
        return out
    kernel: Any = _scatter_adds["scatter_add", source.dtype]
    source, index = as_contiguous(source), as_contiguous(as_dtype(index, dtypes.int64))
    inner = math.prod(after)
    width, height = threads = _threads(inner)
    row_blocks, column_blocks = -(-size // height), -(-inner // width)
    blocks = math.prod(before) * row_blocks * column_blocks
    addresses = source.address, index.address, out.address
    kernel.launch(blocks, threads, *addresses, index.size, size, inner, row_blocks, column_blocks)
    return out
