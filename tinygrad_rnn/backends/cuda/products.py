"""Matrix products, three times: a plain loop, the same through shared memory, and again through registers.

Every element of the result is a sum of k products; each takes two loads and one multiply-add. What differs is where
the loads go. Per multiply-add, and with tiles of 16 x 16 and of 128 x 128:

====================  ======================  =========================
kernel                loads from the memory   loads from shared memory
====================  ======================  =========================
`naive`               2                       0
`tiled`               2/16                    2
`register_blocked_8`  2/128                   2/8, four numbers at once
====================  ======================  =========================

In one cycle a multiprocessor can do 128 multiply-adds (float32, on most GPUs), load 32 numbers from shared memory,
and 4 or so from the GPU's memory. So `naive` waits for memory, `tiled` for shared memory, and only the last one has
something to do all the time. All of them read rows and columns by strides: a transposed matrix is not copied.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.backends.cuda.array import Array, Shape, broadcast_to, empty
from tinygrad_rnn.backends.cuda.compiling import Kernels, Kind, device_function
from tinygrad_rnn.backends.cuda.driver import cuda, multiprocessors, simulated
from tinygrad_rnn.backends.cuda.elementwise import copy, fill
from tinygrad_rnn.backends.cuda.reductions import reduce
from tinygrad_rnn.backends.plans import broadcast_strides

Function = Callable[..., Any]

#: A block is a square of so many by so many threads. The simulator starts a thread of the operating system for each.
SIDE = 2 if simulated else 16
THREADS = SIDE * SIDE
#: Neighbouring threads read so many neighbours of a row or column: a GPU fetches 32 bytes or nothing.
_RUN = 2 if simulated else 8
#: Bytes that one instruction loads from shared memory.
_LOAD = 8 if simulated else 16


# ---- what the kernels call -------------------------------------------------------------------------------------


@device_function
def _multiply_add(total, x, y):
    return total + x * y


@device_function
def _or_and(total, x, y):
    return total | (x & y)


@device_function
def _divided(x, y):
    """Return quotient and rest of numbers from 0 to 2^32 - 1: 64 bits would take a GPU some hundred instructions."""
    quotient, rest = np.uint32(x) // np.uint32(y), np.uint32(x) % np.uint32(y)
    return np.int64(quotient), np.int64(rest)


@device_function
def _add_products(p, left, right, y, x, depth, square, wide, side, from_left, from_right, sums):
    """Add the products of column p of one tile with row p of the other to the sums of a thread's square."""
    p &= depth - 1  # changes nothing but tells the compiler that p is not negative: no counting from the end
    for piece in range(0, square, wide):
        for i in range(wide):
            from_left[piece + i] = left[p, piece * side + y + i]
            from_right[piece + i] = right[p, piece * side + x + i]
    for i in range(square):
        for j in range(square):
            sums[i, j] += from_left[i] * from_right[j]


# ---- kernels ---------------------------------------------------------------------------------------------------

# Their parameters are the same: pointers to a (m, k), b (k, n) and out (m, n); the steps between neighbours of a row
# and of a column in a and b; and, of a stack of matrices, how far matrix z of a and of b is from the first one:
# z // group steps of one size and z % group of another. A block computes one tile of one matrix of the result.


def naive(multiply_add: Function, number: type) -> Function:
    """Give each element to one thread, which walks along a row of a and down a column of b.

    Two loads from memory for one multiply-add. Neighbouring threads have neighbouring columns, so that what they load
    from b lies side by side; what they load from a is the same.
    """

    def kernel(a, b, out, m, n, k, a_row, a_inner, b_inner, b_column, group, a_group, a_matrix, b_group, b_matrix):
        blocks = (m * n + THREADS - 1) // THREADS
        z, block = cuda.blockIdx.x // blocks, cuda.blockIdx.x % blocks
        element = block * THREADS + cuda.threadIdx.x
        row, column = element // n, element % n
        if row < m:
            at_a = z // group * a_group + z % group * a_matrix + row * a_row
            at_b = z // group * b_group + z % group * b_matrix + column * b_column
            total = number(0)
            for p in range(k):
                total = multiply_add(total, a[at_a + p * a_inner], b[at_b + p * b_inner])
            out[(z * m + row) * n + column] = total

    return kernel


def tiled(multiply_add: Function, number: type) -> Function:
    """Let the threads of a block load a tile of a and one of b together, and then all use all of both.

    A number that one thread has loaded serves 16: of 2 loads per multiply-add, 15/16 now go to shared memory, which
    lies inside the multiprocessor. A tile of a moves along its row of tiles, and one of b down its column.
    """
    pitch = SIDE + 1  # shared memory has 32 banks: with the gap, neighbours in a column lie in different ones too

    def kernel(a, b, out, m, n, k, a_row, a_inner, b_inner, b_column, group, a_group, a_matrix, b_group, b_matrix):
        left = cuda.shared.array((SIDE, pitch), number)
        right = cuda.shared.array((SIDE, pitch), number)
        x, y = cuda.threadIdx.x % SIDE, cuda.threadIdx.x // SIDE

        columns = (n + SIDE - 1) // SIDE
        z, tile = _divided(cuda.blockIdx.x, (m + SIDE - 1) // SIDE * columns)
        tile_row, tile_column = _divided(tile, columns)
        first_row, first_column = tile_row * SIDE, tile_column * SIDE
        stack, within = _divided(z, group)
        at_a = stack * a_group + within * a_matrix
        at_b = stack * b_group + within * b_matrix

        # Threads with neighbouring x load what lies side by side in memory: along rows, or down a transposed matrix.
        a_i, a_p = (y, x) if a_inner == 1 else (x, y)
        b_p, b_j = (x, y) if b_inner == 1 else (y, x)
        total = number(0)
        for start in range(0, k, SIDE):
            left[a_i, a_p] = number(0)
            right[b_p, b_j] = number(0)
            if first_row + a_i < m and start + a_p < k:
                left[a_i, a_p] = a[at_a + (first_row + a_i) * a_row + (start + a_p) * a_inner]
            if first_column + b_j < n and start + b_p < k:
                right[b_p, b_j] = b[at_b + (start + b_p) * b_inner + (first_column + b_j) * b_column]
            cuda.syncthreads()  # both tiles are there
            for p in range(SIDE):
                total = multiply_add(total, left[y, p], right[p, x])
            cuda.syncthreads()  # nobody needs them any more
        row, column = first_row + y, first_column + x
        if row < m and column < n:
            out[(z * m + row) * n + column] = total

    return kernel


def register_blocked(sizes: tuple[int, int], number: type) -> Function:
    """Let each thread compute a small square of the result, which it keeps in registers.

    For every p, a thread loads `square` numbers of column p of its tile of a, as many of row p of its tile of b, and
    multiplies each with each: 16 loads for 64 multiply-adds where `tiled` needs 128. Four more things keep it busy:

    - Both tiles lie in shared memory with p as the first axis, so that one instruction loads four neighbours.
    - While it computes with a tile, its share of the next one is already on the way from memory to registers.
    - The odd end of k comes first: its tile is filled up with zeros, and the loop over the others need not ask.
    - A row or column beyond the edge is read as the last one, which exists. What comes of it is never stored.

    Numba and NVVM keep a local array in registers if every index is a constant once the loops are unrolled. They
    unroll `range(square)` but not the loop over p: hence the calls one below the other.
    """
    side, threads, run = SIDE, THREADS, _RUN
    square, depth = min(sizes[0], side), sizes[1]
    tile = side * square
    at_once = _LOAD // np.dtype(number).itemsize
    wide = min(square, at_once)  # the square is put together from pieces as wide as one load
    pitch = tile + at_once  # so threads that write down a column of a tile hit different banks of shared memory
    tall = min(side, 8)
    turns = tile * run // threads  # in which the threads together load `run` columns of a tile, a slab
    loads = turns * depth // run

    def kernel(a, b, out, m, n, k, a_row, a_inner, b_inner, b_column, group, a_group, a_matrix, b_group, b_matrix):
        if simulated:  # knows no alignment, which the loads of 16 bytes need
            left = cuda.shared.array((depth, pitch), number)
            right = cuda.shared.array((depth, pitch), number)
        else:
            left = cuda.shared.array((depth, pitch), number, 16)
            right = cuda.shared.array((depth, pitch), number, 16)
        sums = cuda.local.array((square, square), number)
        from_left = cuda.local.array(square, number)
        from_right = cuda.local.array(square, number)
        next_a = cuda.local.array(loads, number)
        next_b = cuda.local.array(loads, number)
        at_a = cuda.local.array(loads, np.int64)
        at_b = cuda.local.array(loads, np.int64)

        # Where this thread's square is. A warp, 32 threads, has 8 rows and 4 columns of squares: few different numbers
        # to load. Threads 0, 1 are neighbours in a row, 0, 2, 4, ... in a column: two such loads go in one cycle.
        thread = cuda.threadIdx.x & (threads - 1)  # the mask tells the compiler that it is not negative
        x = (thread % 2 + thread // (2 * tall) % (side // 2) * 2) * wide
        y = (thread // 2 % tall + thread // (tall * side) * tall) * wide

        columns = (n + tile - 1) // tile
        z, block = _divided(cuda.blockIdx.x, (m + tile - 1) // tile * columns)
        tile_row, tile_column = _divided(block, columns)
        first_row, first_column = tile_row * tile, tile_column * tile
        stack, within = _divided(z, group)

        # What this thread loads: element (i, p) of a's tile and (p, j) of b's, and those a step further on each turn.
        # Neighbouring threads take neighbours in memory, whichever of the two axes that is.
        if a_inner == 1:
            a_i, a_p, a_step, a_step_p = thread // run, thread % run, threads // run, 0
        else:
            a_i, a_p, a_step, a_step_p = thread % tile, thread // tile, 0, threads // tile
        if b_inner == 1:
            b_j, b_p, b_step, b_step_p = thread // run, thread % run, threads // run, 0
        else:
            b_j, b_p, b_step, b_step_p = thread % tile, thread // tile, 0, threads // tile

        for i in range(square):
            for j in range(square):
                sums[i, j] = number(0)
        rounds = (k + depth - 1) // depth
        for e in range(loads):
            turn, slab = e % turns, e // turns * run
            p = k - rounds * depth + slab + a_p + turn * a_step_p  # negative before the odd end of k
            row = min(first_row + a_i + turn * a_step, m - 1)
            at_a[e] = stack * a_group + within * a_matrix + row * a_row + p * a_inner
            next_a[e] = a[at_a[e]] if p >= 0 else number(0)
            p = k - rounds * depth + slab + b_p + turn * b_step_p
            column = min(first_column + b_j + turn * b_step, n - 1)
            at_b[e] = stack * b_group + within * b_matrix + column * b_column + p * b_inner
            next_b[e] = b[at_b[e]] if p >= 0 else number(0)

        for done in range(1, rounds + 1):
            for e in range(loads):
                turn, slab = e % turns, e // turns * run
                left[slab + a_p + turn * a_step_p, a_i + turn * a_step] = next_a[e]
                right[slab + b_p + turn * b_step_p, b_j + turn * b_step] = next_b[e]
            if done < rounds:  # before the barrier: behind it, the compiler would put off these loads to the end
                for e in range(loads):
                    at_a[e] += depth * a_inner
                    at_b[e] += depth * b_inner
                    next_a[e] = a[at_a[e]]
                    next_b[e] = b[at_b[e]]
            cuda.syncthreads()
            for p in range(0, depth, 8):
                _add_products(p, left, right, y, x, depth, square, wide, side, from_left, from_right, sums)
                _add_products(p + 1, left, right, y, x, depth, square, wide, side, from_left, from_right, sums)
                _add_products(p + 2, left, right, y, x, depth, square, wide, side, from_left, from_right, sums)
                _add_products(p + 3, left, right, y, x, depth, square, wide, side, from_left, from_right, sums)
                _add_products(p + 4, left, right, y, x, depth, square, wide, side, from_left, from_right, sums)
                _add_products(p + 5, left, right, y, x, depth, square, wide, side, from_left, from_right, sums)
                _add_products(p + 6, left, right, y, x, depth, square, wide, side, from_left, from_right, sums)
                _add_products(p + 7, left, right, y, x, depth, square, wide, side, from_left, from_right, sums)
            cuda.syncthreads()

        for piece in range(0, square, wide):
            for i in range(wide):
                row = first_row + piece * side + y + i
                if row < m:
                    start = (z * m + row) * n
                    for other in range(0, square, wide):
                        for j in range(wide):
                            column = first_column + other * side + x + j
                            if column < n:
                                out[start + column] = sums[piece + i, other + j]

    return kernel


# ---- which kernel ----------------------------------------------------------------------------------------------

_FUNCTIONS = {"float32": _multiply_add, "float64": _multiply_add, "int64": _multiply_add, "bool": _or_and}

#: Kernel -> dtype -> what makes it, from what: a function, or the side of a thread's square and the depth of a tile.
#: Small tiles are for small matrices, where there is little to compute at once: deep ones wait for memory less often.
ENTRIES: dict[str, dict[str, tuple[Function, Any]]] = {
    "naive": {dtype: (naive, function) for dtype, function in _FUNCTIONS.items()},
    "tiled": {dtype: (tiled, function) for dtype, function in _FUNCTIONS.items()},
    "register_blocked_8": {"float32": (register_blocked, (8, 8))},
    "register_blocked_4": {"float32": (register_blocked, (4, 16)), "float64": (register_blocked, (4, 8))},
    "register_blocked_2": {"float32": (register_blocked, (2, 32)), "float64": (register_blocked, (2, 16))},
}
_TILE = {f"register_blocked_{square}": min(square, SIDE) * SIDE for square in (8, 4, 2)}

KINDS = (Kind("matmul", lambda entry, number: entry[0](entry[1], number), "xxoiiiiiiiiiiii", ENTRIES),)
_kernels = Kernels(KINDS[0])

#: What is tried in turn: a kernel, and whether the inner axis is cut into pieces of at least `_PIECE` elements.
_CHOICES = [
    ("register_blocked_8", False),
    ("register_blocked_4", False),
    ("register_blocked_8", True),
    ("register_blocked_4", True),
    ("register_blocked_2", False),
    ("register_blocked_2", True),
]
_PIECE = 512


def choose(m: int, n: int, k: int, matrices: int, dtype: str, processors: int) -> tuple[str, int]:
    """Return the kernel for a product, and into how many pieces its inner axis is cut.

    The largest tiles load least, but there must be enough of them to give most multiprocessors something to do. Where
    there are not, as in (64, 6400) @ (6400, 1024), several blocks may share the work on one tile: each adds up a piece
    of the inner axis, and a sum of those partial results follows.
    """
    best, most = ("tiled", 1), 0  # for integers and bools
    for name, cut in _CHOICES:
        tile = _TILE[name]
        wasted = min(m, n) <= tile // 2 and tile != min(_TILE.values())
        if wasted or dtype not in ENTRIES[name] or (cut and matrices > 1):
            continue
        blocks = max(1, -(-m // tile) * -(-n // tile) * matrices)
        at_most = min(2 * processors // blocks, k // _PIECE) if cut else 1
        pieces = max([p for p in range(1, at_most + 1) if k % p == 0], default=1)
        if blocks * pieces > most:
            best, most = (name, pieces), blocks * pieces
        if 4 * most >= 3 * processors:
            break
    return best


# ---- the backend's function ------------------------------------------------------------------------------------


def matmul(a: Array, b: Array, kernel: str | None = None) -> Array:
    """Multiply matrices, both at least 2-D and of one dtype, broadcasting the leading axes.

    `kernel` names one of `ENTRIES` to compare them; None takes what suits the sizes best.
    """
    if a.shape[-1] != b.shape[-2]:
        raise ValueError("inner sizes differ")
    a, b = _readable(a), _readable(b)
    plan = _plan(a.shape, a.strides, b.shape, b.strides, a.dtype, kernel)
    if plan is None:  # leading axes that cannot be walked with two steps
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (copy(broadcast_to(x, (*batch, *x.shape[-2:]))) for x in (a, b))
        return matmul(a, b, kernel)
    if 0 in plan.shape or not a.shape[-1]:
        return fill(plan.shape, 0, a.dtype)
    out = empty(plan.shape if plan.pieces == 1 else (plan.pieces, *plan.shape), a.dtype)
    plan.kernel.launch(plan.blocks, THREADS, a.address, b.address, out.address, *plan.numbers)
    return out if plan.pieces == 1 else reduce("sum", out, (0,), False)


def _readable(x: Array) -> Array:
    """Return x, or a copy of it if its rows and columns both have gaps, or if it runs backwards."""
    return x if _walkable(x.shape, x.strides) else copy(x)


@functools.lru_cache(maxsize=4096)
def _walkable(shape: Shape, strides: Shape) -> bool:
    used = [1 if size == 1 else step for size, step in zip(shape, strides, strict=True)]
    return min(used) >= 0 and min(used[-2:]) <= 1


class _Plan(NamedTuple):
    """How a product is computed: all that does not depend on where the operands lie."""

    kernel: Any
    blocks: int
    pieces: int
    shape: Shape
    numbers: tuple[int, ...]


@functools.lru_cache(maxsize=4096)
def _plan(
    a_shape: Shape, a_strides: Shape, b_shape: Shape, b_strides: Shape, dtype: np.dtype, kernel: str | None
) -> _Plan | None:
    batch = np.broadcast_shapes(a_shape[:-2], b_shape[:-2])
    a_steps = broadcast_strides(a_shape[:-2], a_strides[:-2], batch)
    b_steps = broadcast_strides(b_shape[:-2], b_strides[:-2], batch)
    groups = _joined(batch, a_steps, b_steps)
    if len(groups) > 2:
        return None
    (outer, a_group, b_group), (group, a_matrix, b_matrix) = [(1, 0, 0)] * (2 - len(groups)) + groups
    (m, k), n = a_shape[-2:], b_shape[-1]
    (a_row, a_inner), (b_inner, b_column) = a_strides[-2:], b_strides[-2:]
    matrices, pieces = outer * group, 1
    if kernel is None:
        kernel, pieces = choose(m, n, k, matrices, dtype.name, multiprocessors())
    found = _kernels[kernel, dtype]
    if found is None:
        raise TypeError(f"there is no {kernel} matmul for {dtype}")
    if pieces > 1:  # pieces of an inner axis are a stack of matrices like any other
        k //= pieces
        matrices = group = pieces
        a_matrix, b_matrix = k * a_inner, k * b_inner
    if kernel == "naive":
        blocks = -(-m * n // THREADS)
    else:
        tile = _TILE.get(kernel, SIDE)
        blocks = -(-m // tile) * -(-n // tile)
    numbers = (m, n, k, a_row, a_inner, b_inner, b_column, group, a_group, a_matrix, b_group, b_matrix)
    return _Plan(found, blocks * matrices, pieces, (*batch, m, n), numbers)


def _joined(batch: Shape, a_steps: Shape, b_steps: Shape) -> list[tuple[int, int, int]]:
    """Return sizes and steps of the leading axes, joined where both operands step on from one axis to the next."""
    groups: list[tuple[int, int, int]] = []
    for size, a_step, b_step in zip(batch, a_steps, b_steps, strict=True):
        if size == 1:
            continue
        if groups and groups[-1][1:] == (a_step * size, b_step * size):
            groups[-1] = (groups[-1][0] * size, a_step, b_step)
        else:
            groups.append((size, a_step, b_step))
    return groups
