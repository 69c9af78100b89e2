"""Reductions: many numbers become one, in an order that depends on nothing but the shape and the device.

An array is seen as (m, n, columns), and its middle axis is reduced. That takes three steps:

1. Each thread reduces elements of its own, eight at a time: all eight loads are under way before the first is used,
   and the eight meet as a tree, ((a + b) + (c + d)) + ((e + f) + (g + h)), before they join the thread's total.
2. The threads of a block reduce their totals in shared memory, as a tree too: half of them take the other half's,
   then a quarter, ... This takes log2(threads) steps instead of `threads`.
3. Where there are fewer results than the GPU has room for blocks, or very many elements in one, several blocks share
   a result: each leaves that of its piece, and a second launch reduces those. (With atomic additions one launch
   would do, but their order, and with it the rounding error, would be another in every run.)

Rounding: on its way through a launch an element takes part in at most 3 + 32 + 8 = 43 additions. So the error of a sum
is below 43 u * sum(|x|) for each launch that it takes (one or two, three for long sums of few columns), with u = 2^-24
in float32 and 2^-53 in float64. As errors are as often up as down it is much smaller: for 64 million float32 about
1e-7 * sum(|x|).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import scalar
from tinygrad_rnn.backends.cuda.array import Array, Shape, empty, permute
from tinygrad_rnn.backends.cuda.compiling import CLASSES, Kernels, Kind, device_function, result_dtype
from tinygrad_rnn.backends.cuda.driver import cuda, multiprocessors, simulated
from tinygrad_rnn.backends.cuda.elementwise import as_contiguous, binary, cast, fill, unary, where
from tinygrad_rnn.backends.cuda.movement import reshape, to_numpy
from tinygrad_rnn.backends.plans import reduce_plan

Function = Callable[..., Any]

#: Threads in a block.
THREADS = 4 if simulated else 256
#: Threads that read neighbouring columns in one transaction.
WARP = 2 if simulated else 32
#: Elements that a thread has under way: as many loads as it takes to keep the memory busy.
AT_ONCE = 8
#: How often a thread takes AT_ONCE elements of one piece: fewer are not worth a second launch, more cost digits.
FEWEST_ROUNDS, MOST_ROUNDS = (1, 2) if simulated else (8, 32)
_MOST_PIECES = 65535  # blocks along y, at most


# ---- kernels -----------------------------------------------------------------------------------------------
#
# Several threads, the lanes of a result, share its n elements: lane l has elements l, l + lanes, ... Neighbouring
# threads should read neighbouring memory. In an (m, n) matrix these are elements of one result, so the lanes lie along
# x; in an (m, n, columns) array they belong to neighbouring results, so the results lie along x and the lanes along y.
# Blocks along x have different results, blocks along y different pieces of them.


def _reduce(entry: tuple[Function, Function, float, type | None], number: type) -> Function:
    look, combine, start, other = entry  # look(x[i]) is what an element adds to the total
    total_class = other or number
    identity = _identity(start, total_class)

    def kernel(x, out, n, columns, results, pieces, length):
        tile = cuda.shared.array(THREADS, total_class)
        me = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
        if columns == 1:
            lane, lanes, apart = cuda.threadIdx.x, cuda.blockDim.x, 1
            result = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
            row, column = result, 0
        else:
            lane, lanes, apart = cuda.threadIdx.y, cuda.blockDim.y, cuda.blockDim.x
            result = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
            row = result // columns
            column = result - row * columns
        piece = cuda.blockIdx.y
        total = identity
        if result < results:
            first = row * n * columns + column
            i = first + (piece * length + lane) * columns
            last = first + (min(n, (piece + 1) * length) - 1) * columns
            s = lanes * columns
            while i + 7 * s <= last:
                a, b, c, d = look(x[i]), look(x[i + s]), look(x[i + 2 * s]), look(x[i + 3 * s])
                e, f, g, h = look(x[i + 4 * s]), look(x[i + 5 * s]), look(x[i + 6 * s]), look(x[i + 7 * s])
                eight = combine(combine(combine(a, b), combine(c, d)), combine(combine(e, f), combine(g, h)))
                total = combine(total, eight)
                i += 8 * s
            while i <= last:  # at most twice; where nothing is left, the last element is read and not used
                i1, i2, i3 = i + s, i + 2 * s, i + 3 * s
                a, b = look(x[i]), look(x[min(i1, last)])
                c, d = look(x[min(i2, last)]), look(x[min(i3, last)])
                b, c, d = b if i1 <= last else identity, c if i2 <= last else identity, d if i3 <= last else identity
                total = combine(total, combine(combine(a, b), combine(c, d)))
                i += 4 * s
        tile[me] = total
        cuda.syncthreads()
        half = lanes // 2
        while half > 0:  # the same for all threads, so that all reach every barrier
            if lane < half:
                tile[me] = combine(tile[me], tile[me + half * apart])
            cuda.syncthreads()
            half //= 2
        if lane == 0 and result < results:
            out[(row * pieces + piece) * columns + column] = tile[me]

    return kernel


def _identity(start: float, total_class: type) -> Any:
    """Return a start value as a number of a class; infinities become the largest and smallest whole number."""
    if issubclass(total_class, np.integer) and math.isinf(start):
        limits = np.iinfo(total_class)
        return total_class(limits.max if start > 0 else limits.min)
    return total_class(start)


def _argmax(_: Any, number: type) -> Function:
    def kernel(x, values, positions, names, named, n, columns, results, pieces, length):
        """Write the largest value of each piece, and its position: k, or what `names` calls element k."""
        tile = cuda.shared.array(THREADS, number)
        places = cuda.shared.array(THREADS, np.int64)
        me = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
        if columns == 1:
            lane, lanes, apart = cuda.threadIdx.x, cuda.blockDim.x, 1
            result = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
        else:
            lane, lanes, apart = cuda.threadIdx.y, cuda.blockDim.y, cuda.blockDim.x
            result = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        result = min(result, results - 1)  # threads without a result of their own repeat the last
        row = result // columns
        column = result - row * columns
        piece = cuda.blockIdx.y
        first = row * n * columns + column
        last = min(n, (piece + 1) * length) - 1
        k = min(piece * length + lane, last)
        best, place = x[first + k * columns], k
        k += lanes
        while k <= last:  # past the end the last element is looked at again, which changes nothing
            k1, k2, k3 = min(k + lanes, last), min(k + 2 * lanes, last), min(k + 3 * lanes, last)
            a, b = x[first + k * columns], x[first + k1 * columns]
            c, d = x[first + k2 * columns], x[first + k3 * columns]
            a, k0 = (b, k1) if _wins(b, k1, a, k) else (a, k)
            c, k2 = (d, k3) if _wins(d, k3, c, k2) else (c, k2)
            a, k0 = (c, k2) if _wins(c, k2, a, k0) else (a, k0)
            best, place = (a, k0) if _wins(a, k0, best, place) else (best, place)
            k += 4 * lanes
        tile[me] = best
        places[me] = place
        cuda.syncthreads()
        half = lanes // 2
        while half > 0:
            if lane < half:
                other = me + half * apart
                if _wins(tile[other], places[other], tile[me], places[me]):
                    tile[me] = tile[other]
                    places[me] = places[other]
            cuda.syncthreads()
            half //= 2
        if lane == 0:
            place = places[me]
            to = (row * pieces + piece) * columns + column
            values[to] = tile[me]
            positions[to] = names[(row * n + place) * columns + column] if named != 0 else place

    return kernel


def _cumsum(add: Function, number: type) -> Function:
    zero = number(0)

    def kernel(x, out, n, columns):
        """Let each block add up one line, a tile of THREADS elements at a time: by log2(THREADS) rounds in the tile.

        What all tiles before have added up to is kept with the part that its rounding took away (Kahan 1965).
        """
        tile = cuda.shared.array(THREADS, number)
        me = cuda.threadIdx.x
        row = cuda.blockIdx.x // columns
        first = row * n * columns + cuda.blockIdx.x - row * columns
        total, lost = zero, zero
        for start in range(0, n, THREADS):
            i = start + me
            tile[me] = x[first + i * columns] if i < n else zero
            cuda.syncthreads()
            step = 1
            while step < THREADS:  # running sums: over 2 elements, over 4, over 8, ...
                before = tile[me - step] if me >= step else zero
                cuda.syncthreads()
                tile[me] = add(before, tile[me])
                cuda.syncthreads()
                step *= 2
            if i < n:
                out[first + i * columns] = add(total, tile[me] - lost)
            part = tile[THREADS - 1] - lost
            larger = add(total, part)
            lost = (larger - total) - part
            lost = lost if lost == lost else zero  # inf - inf, once the total is infinite
            total = larger
            cuda.syncthreads()

    return kernel


@device_function
def _wins(a, i, b, j):
    """Return whether a at i comes before b at j: NaN before numbers, larger before smaller, first before later."""
    if a != a:
        return b == b or i < j
    return a > b or (a == b and i < j)


@device_function
def _count(x):
    return np.int64(x)


@device_function
def _square(x):
    return np.float64(x) * np.float64(x)


@device_function
def _difference(x):
    """Return 0 for a number, and NaN for NaN and infinities."""
    return x - x


# ---- how a launch is laid out ------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def _layout(results: int, n: int, columns: int) -> tuple[tuple[int, int], tuple[int, int], int, int]:
    """Return the blocks and threads of a launch, and how many pieces of which length it makes of n elements."""
    lanes = _power_of_two(-(-n // AT_ONCE))
    if columns == 1:
        lanes = min(lanes, THREADS)
        threads = (lanes, THREADS // lanes)
    else:
        lanes = min(lanes, THREADS // min(WARP, _power_of_two(columns)))
        threads = (THREADS // lanes, lanes)
    groups = -(-results // (THREADS // lanes))
    busy = 2 if simulated else 32 * multiprocessors()  # blocks that keep every multiprocessor at work until the end
    a_round = lanes * AT_ONCE
    rounds = -(-n // (a_round * -(-busy // groups)))
    rounds = max(min(max(rounds, FEWEST_ROUNDS), MOST_ROUNDS), -(-n // (a_round * _MOST_PIECES)))
    length = a_round * rounds
    pieces = max(1, -(-n // length))
    return (groups, pieces), threads, pieces, length


def _power_of_two(n: int) -> int:
    """Return the smallest power of two that is not below n."""
    return 1 << max(0, n - 1).bit_length()


def _reduced(kernel: Any, again: Any, x: Array, shape: Shape, n: int, columns: int) -> Array:
    """Reduce the middle axis of a contiguous (m, n, columns) array: `kernel` on x, `again` on the results of pieces."""
    results = math.prod(shape)
    blocks, threads, pieces, length = _layout(results, n, columns)
    out = empty(shape if pieces == 1 else (results * pieces,), result_dtype(kernel))
    kernel.launch(blocks, threads, x.address, out.address, n, columns, results, pieces, length)
    return out if pieces == 1 else _reduced(again, again, out, shape, pieces, columns)


_FLOATS = ("float32", "float64")
_SHAPE = "iiiii"  # n, columns, results, pieces, length
_GROWING = ("sum", "prod")
_REDUCE = Kind(
    "reduce",
    _reduce,
    f"xo{_SHAPE}",
    {
        "sum": {
            **dict.fromkeys((*_FLOATS, "int64"), (scalar.same, scalar.add, 0.0, None)),
            "bool": (_count, scalar.add, 0.0, np.int64),
        },
        "prod": {
            **dict.fromkeys((*_FLOATS, "int64"), (scalar.same, scalar.mul, 1.0, None)),
            "bool": (_count, scalar.mul, 1.0, np.int64),
        },
        "max": dict.fromkeys(CLASSES, (scalar.same, scalar.maximum, -math.inf, None)),
        "min": dict.fromkeys(CLASSES, (scalar.same, scalar.minimum, math.inf, None)),
    },
    lambda kernel, dtype: "int64" if kernel in _GROWING and dtype == "bool" else dtype,
)
_DIFFERENCES = Kind(
    "differences", _reduce, f"xo{_SHAPE}", {"sum": dict.fromkeys(_FLOATS, (_difference, scalar.add, 0.0, None))}
)
_SQUARES = Kind(
    "squares",
    _reduce,
    f"xo{_SHAPE}",
    {"sum": dict.fromkeys(CLASSES, (_square, scalar.add, 0.0, np.float64))},
    lambda kernel, dtype: "float64",
)
_ARGMAX = Kind("argmax", _argmax, f"xokki{_SHAPE}", {"argmax": dict.fromkeys(CLASSES)})
_CUMSUM = Kind("cumsum", _cumsum, "xoii", {"cumsum": dict.fromkeys((*_FLOATS, "int64"), scalar.add)})
KINDS = (_REDUCE, _DIFFERENCES, _SQUARES, _ARGMAX, _CUMSUM)
_reductions, _differences, _squares, _largest, _running = [Kernels(kind) for kind in KINDS]


# ---- the backend's functions -------------------------------------------------------------------------------


def reduce(kernel: str, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """Reduce over the given axes (non-negative, sorted); max and min need an element.

    A sum or a product of bools is an int64.
    """
    compiled: Any = _reductions[kernel, x.dtype]
    dtype = result_dtype(compiled)
    shape, order, n, columns = reduce_plan(x.shape, axes, keepdims)
    results = math.prod(shape)
    if n == 0 and kernel not in _GROWING:
        raise ValueError(f"zero-size array: there is no {kernel} over axes {axes} of shape {x.shape}")
    if n == 1 or not results:
        return reshape(cast(x, dtype), shape)
    if results == 1:
        x = _in_any_order(x)
    elif order is not None:
        x = permute(x, order)
    return _reduced(compiled, _reductions[kernel, dtype], as_contiguous(x), shape, n, columns)


def argmax(x: Array, axis: int, keepdims: bool) -> Array:
    """Return the int64 position of the first largest element along one axis; NaN is larger than all."""
    shape, _, n, columns = reduce_plan(x.shape, (axis,), keepdims)
    if not n:
        raise ValueError(f"there is no argmax of zero elements: axis {axis} of shape {x.shape}")
    if not math.prod(shape):
        return empty(shape, dtypes.int64)
    kernel: Any = _largest["argmax", x.dtype]
    x, names, results = as_contiguous(x), None, math.prod(shape)
    while True:  # the largest of each piece, the largest of those, ...
        blocks, threads, pieces, length = _layout(results, n, columns)
        values = empty((results * pieces,), x.dtype)
        positions = empty(shape if pieces == 1 else (results * pieces,), dtypes.int64)
        named = (positions.address, 0) if names is None else (names.address, 1)
        kernel.launch(
            blocks, threads, x.address, values.address, positions.address, *named, n, columns, results, pieces, length
        )
        if pieces == 1:
            return positions
        x, names, n = values, positions, pieces


def cumsum(x: Array, axis: int) -> Array:
    """Return the sums of the first 1, 2, 3, ... elements along one axis; of bools an int64."""
    if x.dtype == dtypes.bool_:
        x = cast(x, dtypes.int64)
    out = empty(x.shape, x.dtype)
    if out.size:
        x, n, columns = as_contiguous(x), x.shape[axis], math.prod(x.shape[axis + 1 :])
        kernel: Any = _running["cumsum", x.dtype]
        kernel.launch(x.size // n, THREADS, x.address, out.address, n, columns)
    return out


def all_finite(x: Array) -> bool:
    """Return whether no element is NaN or infinite. Waits for the GPU."""
    if not x.size or not dtypes.is_float(x.dtype):
        return True
    differences = _reduced(_differences["sum", x.dtype], _reductions["sum", x.dtype], _in_any_order(x), (), x.size, 1)
    return to_numpy(differences).item() == 0


def norm(x: Array) -> float:
    """Return the L2 norm, added up in float64; squares that overflow or underflow do no harm. Waits for the GPU."""
    if not x.size:
        return 0.0
    x = _in_any_order(x)
    total = _sum_of_squares(x)
    if x.dtype != dtypes.float64 or math.isnan(total) or 1e-280 < total < math.inf:
        return math.sqrt(total)  # the squares of a float32 always fit into a float64
    largest = reduce("max", unary("abs", x), tuple(range(x.ndim)), False)
    scale = to_numpy(largest).item()
    if scale == 0 or scale == math.inf:
        return scale
    return scale * math.sqrt(_sum_of_squares(binary("div", x, largest)))


def length(x: Array) -> Array:
    """Return the `norm` of floats as a 0-d float64 array, without waiting."""
    if not x.size:
        return fill((), 0, dtypes.float64)
    x = _in_any_order(x)
    if x.dtype != dtypes.float64:
        return unary("sqrt", _squares_added(x))
    largest, one = reduce("max", unary("abs", x), tuple(range(x.ndim)), False), fill((), 1, dtypes.float64)
    known = binary("gt", binary("sub", largest, largest), fill((), -1, dtypes.float64))  # neither NaN nor infinite
    unit = where(known, binary("maximum", largest, fill((), _TINY, dtypes.float64)), one)
    return binary("mul", unit, unary("sqrt", _squares_added(binary("div", x, unit))))


_TINY = 5e-324  # the smallest float64 above 0


def _sum_of_squares(x: Array) -> float:
    return to_numpy(_squares_added(x)).item()


def _squares_added(x: Array) -> Array:
    return _reduced(_squares["sum", x.dtype], _reductions["sum", dtypes.float64], x, (), x.size, 1)


def _in_any_order(x: Array) -> Array:
    """Return the elements of x without gaps, in the order they have in memory: of a transposed matrix itself."""
    if x.contiguous:
        return x
    return as_contiguous(permute(x, tuple(sorted(range(x.ndim), key=lambda axis: -x.strides[axis]))))
