"""Elementwise kernels: one text for every function of `scalar.py`, and the copies and casts that work the same way.

A GPU hides the wait for memory by having many loads under way. So a thread of a `flat` kernel, for arrays without
gaps, asks for four elements before it uses the first; neighbouring threads read neighbouring elements, which the
hardware joins into wide transactions. A `strided` kernel finds its elements by row and column instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import scalar
from tinygrad_rnn.backends.cuda import functions
from tinygrad_rnn.backends.cuda.array import Array, Shape, empty, getitem, view
from tinygrad_rnn.backends.cuda.compiling import Kernels, Kind
from tinygrad_rnn.backends.cuda.driver import cuda, multiprocessors, simulated
from tinygrad_rnn.backends.plans import broadcast_strides

Function = Callable[..., Any]

#: Threads in a block. The simulator starts a thread of the operating system for each.
THREADS = 2 if simulated else 256
#: Elements that one thread has under way in a flat kernel.
_AT_ONCE = 4


# ---- kernels -----------------------------------------------------------------------------------------------


def _unary_flat(f: Function, number: type) -> Function:
    def kernel(x, out, n):
        i, step = cuda.grid(1), cuda.gridsize(1)
        while i + 3 * step < n:  # four loads, then four results: the waits overlap
            a, b, c, d = x[i], x[i + step], x[i + 2 * step], x[i + 3 * step]
            out[i] = f(a)
            out[i + step] = f(b)
            out[i + 2 * step] = f(c)
            out[i + 3 * step] = f(d)
            i += 4 * step
        while i < n:
            out[i] = f(x[i])
            i += step

    return kernel


def _binary_flat(f: Function, number: type) -> Function:
    def kernel(a, b, out, n):
        i, step = cuda.grid(1), cuda.gridsize(1)
        while i + 3 * step < n:
            a0, a1, a2, a3 = a[i], a[i + step], a[i + 2 * step], a[i + 3 * step]
            b0, b1, b2, b3 = b[i], b[i + step], b[i + 2 * step], b[i + 3 * step]
            out[i] = f(a0, b0)
            out[i + step] = f(a1, b1)
            out[i + 2 * step] = f(a2, b2)
            out[i + 3 * step] = f(a3, b3)
            i += 4 * step
        while i < n:
            out[i] = f(a[i], b[i])
            i += step

    return kernel


def _ternary_flat(f: Function, number: type) -> Function:
    def kernel(condition, a, b, out, n):
        for i in range(cuda.grid(1), n, cuda.gridsize(1)):
            out[i] = f(condition[i], a[i], b[i])

    return kernel


# A strided kernel sees its operands as (planes, rows, columns). Operand x has element (p, r, c) at x[x0 + p * xp +
# r * xr + c * xc]: strides of 0 repeat it (broadcasting), negative ones reverse it. Most operands have one plane
# only; then rows is 0, and the second division is left out.


def _unary_strided(f: Function, number: type) -> Function:
    def kernel(x, x0, xp, xr, xc, out, o0, op, orow, oc, rows, columns, n):
        for i in range(cuda.grid(1), n, cuda.gridsize(1)):
            r = i // columns
            c = i - r * columns
            p = r // rows if rows > 0 else 0
            r -= p * rows
            out[o0 + p * op + r * orow + c * oc] = f(x[x0 + p * xp + r * xr + c * xc])

    return kernel


def _binary_strided(f: Function, number: type) -> Function:
    def kernel(a, a0, ap, ar, ac, b, b0, bp, br, bc, out, o0, op, orow, oc, rows, columns, n):
        for i in range(cuda.grid(1), n, cuda.gridsize(1)):
            r = i // columns
            c = i - r * columns
            p = r // rows if rows > 0 else 0
            r -= p * rows
            out[o0 + p * op + r * orow + c * oc] = f(a[a0 + p * ap + r * ar + c * ac], b[b0 + p * bp + r * br + c * bc])

    return kernel


def _ternary_strided(f: Function, number: type) -> Function:
    def kernel(
        condition, n0, np_, nr, nc, a, a0, ap, ar, ac, b, b0, bp, br, bc, out, o0, op, orow, oc, rows, columns, n
    ):
        for i in range(cuda.grid(1), n, cuda.gridsize(1)):
            r = i // columns
            c = i - r * columns
            p = r // rows if rows > 0 else 0
            r -= p * rows
            chosen = condition[n0 + p * np_ + r * nr + c * nc]
            yes, no = a[a0 + p * ap + r * ar + c * ac], b[b0 + p * bp + r * br + c * bc]
            out[o0 + p * op + r * orow + c * oc] = f(chosen, yes, no)

    return kernel


def _fill(_: Any, number: type) -> Function:
    def kernel(out, value, n):
        for i in range(cuda.grid(1), n, cuda.gridsize(1)):
            out[i] = number(value)

    return kernel


# ---- the kernels by name ------------------------------------------------------------------------------------


def _result(kernel: str, dtype: str) -> str:
    return "bool" if kernel in scalar.COMPARE else dtype


def _cast_result(kernel: str, dtype: str) -> str:
    return kernel


_POINT = "iiii"  # an operand of a strided kernel: where it begins, and its strides along planes, rows and columns
_UNARY_KINDS = (
    Kind("unary", _unary_flat, "xoi", functions.UNARY),
    Kind("unary_strided", _unary_strided, f"x{_POINT}o{_POINT}iii", functions.UNARY),
)
_TWO = functions.BINARY | functions.COMPARE
_BINARY_KINDS = (
    Kind("binary", _binary_flat, "xxoi", _TWO, _result),
    Kind("binary_strided", _binary_strided, f"x{_POINT}x{_POINT}o{_POINT}iii", _TWO, _result),
)
_WHERE_KINDS = (
    Kind("where", _ternary_flat, "cxxoi", functions.TERNARY),
    Kind("where_strided", _ternary_strided, f"c{_POINT}x{_POINT}x{_POINT}o{_POINT}iii", functions.TERNARY),
)
_CAST_KINDS = (
    Kind("cast", _unary_flat, "xoi", functions.CASTS, _cast_result),
    Kind("cast_strided", _unary_strided, f"x{_POINT}o{_POINT}iii", functions.CASTS, _cast_result),
)
_FILL_KINDS = (
    Kind("fill", _fill, "xdi", {"float": {"float32": None, "float64": None}}),
    Kind("fill_whole", _fill, "xii", {"whole": {"int64": None, "bool": None}}),
)
KINDS = (*_UNARY_KINDS, *_BINARY_KINDS, *_WHERE_KINDS, *_CAST_KINDS, *_FILL_KINDS)

_Pair = tuple[Kernels, Kernels]
#: A cast to its own dtype is a copy. (dtype.name would take longer than a launch.)
_NAME = {dtype: dtype.name for dtype in (dtypes.float32, dtypes.float64, dtypes.int64, dtypes.bool_)}


def _pair(kinds: tuple[Kind, Kind]) -> _Pair:
    return Kernels(kinds[0]), Kernels(kinds[1])


_unary, _binary, _where, _cast = _pair(_UNARY_KINDS), _pair(_BINARY_KINDS), _pair(_WHERE_KINDS), _pair(_CAST_KINDS)
_fill_float, _fill_whole = Kernels(_FILL_KINDS[0]), Kernels(_FILL_KINDS[1])


# ---- launching ---------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def blocks_for(n: int, at_once: int = 1) -> int:
    """Return how many blocks share n elements: enough to fill the GPU, and then each thread takes several."""
    return min(max(1, -(-n // (THREADS * at_once))), 2 if simulated else 16 * multiprocessors())


def run(pair: _Pair, name: str, operands: tuple[Array, ...], out: Array) -> Array:
    """Write out[...] = f(operands[...]), the operands broadcast to the shape of out; returns out."""
    dtype = operands[-1].dtype
    if not out.size:
        return out
    flat, strided = pair
    shape = out.shape
    if out.contiguous and all(x.contiguous and x.shape == shape for x in operands):
        kernel = flat[name, dtype] or _missing(name, dtype)
        addresses = [x.address for x in operands]
        kernel.launch(blocks_for(out.size, _AT_ONCE), THREADS, *addresses, out.address, out.size)
        return out
    kernel = strided[name, dtype] or _missing(name, dtype)
    plan = _plan(shape, out.strides, *[broadcast_strides(x.shape, x.strides, shape) for x in operands])
    if plan is None:  # more than three axes that cannot be joined: one launch for each index of the shortest
        axis = min((i for i, size in enumerate(shape) if size > 1), key=shape.__getitem__)
        wide = [view(x, shape, broadcast_strides(x.shape, x.strides, shape)) for x in operands]
        for i in range(shape[axis]):
            index = (*(slice(None),) * axis, i)
            run(pair, name, tuple([getitem(x, index) for x in wide]), getitem(out, index))
        return out
    (out_steps, *steps), rows, columns = plan
    arguments: list[Any] = []
    for x, step in zip(operands, steps, strict=True):
        arguments += (x.base, x.offset, *step)
    arguments += (out.base, out.offset, *out_steps, rows, columns, out.size)
    kernel.launch(blocks_for(out.size), THREADS, *arguments)
    return out


def _missing(name: str, dtype: np.dtype) -> NoReturn:
    raise TypeError(f"{name} is not defined for {dtype}")


@functools.lru_cache(maxsize=4096)
def _plan(shape: Shape, *strides: Shape) -> tuple[list[tuple[int, int, int]], int, int] | None:
    """See arrays of one shape as (planes, rows, columns): return their strides, rows (0 for one plane) and columns.

    Axes are joined where in every array the outer one goes on where the inner one ends. None if more than three remain.
    """
    groups: list[tuple[int, tuple[int, ...]]] = []  # size, and the step of each array
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        steps = tuple(array[axis] for array in strides)
        if groups and groups[-1][1] == tuple(step * size for step in steps):
            groups[-1] = (groups[-1][0] * size, steps)
        else:
            groups.append((size, steps))
    if len(groups) > 3:
        return None
    padded = [(1, (0,) * len(strides))] * (3 - len(groups)) + groups
    rows = padded[1][0] if len(groups) == 3 else 0
    return list(zip(*(steps for _, steps in padded), strict=True)), rows, padded[2][0]


# ---- the backend's functions -------------------------------------------------------------------------------


def unary(kernel: str, x: Array) -> Array:
    """Apply a function of one argument to every element; the dtype stays."""
    return run(_unary, kernel, (x,), empty(x.shape, x.dtype))


def binary(kernel: str, a: Array, b: Array) -> Array:
    """Apply a function of two arguments with broadcasting, in the promoted dtype; comparisons give bool."""
    if a.dtype is not b.dtype:
        dtype = dtypes.promote(a.dtype, b.dtype)
        a, b = as_dtype(a, dtype), as_dtype(b, dtype)
    shape = a.shape if a.shape == b.shape else _broadcast(a.shape, b.shape)
    return run(_binary, kernel, (a, b), empty(shape, dtypes.bool_ if kernel in scalar.COMPARE else a.dtype))


def where(condition: Array, a: Array, b: Array) -> Array:
    """Choose from a where condition (bool) holds and from b elsewhere, with broadcasting."""
    if a.dtype is not b.dtype:
        dtype = dtypes.promote(a.dtype, b.dtype)
        a, b = as_dtype(a, dtype), as_dtype(b, dtype)
    condition = as_dtype(condition, dtypes.bool_)
    return run(_where, "where", (condition, a, b), empty(_broadcast(condition.shape, a.shape, b.shape), a.dtype))


@functools.lru_cache(maxsize=4096)
def _broadcast(*shapes: Shape) -> Shape:
    return np.broadcast_shapes(*shapes)


def cast(x: Array, dtype: np.dtype) -> Array:
    """Convert to another dtype; floats are truncated towards zero on the way to int64."""
    return run(_cast, _NAME[dtype], (x,), empty(x.shape, dtype))


def as_dtype(x: Array, dtype: np.dtype) -> Array:
    """Return an array in a dtype: itself if it has it."""
    return x if x.dtype == dtype else cast(x, dtype)


def copy(x: Array) -> Array:
    """Return a C-contiguous copy."""
    return run(_cast, _NAME[x.dtype], (x,), empty(x.shape, x.dtype))


def as_contiguous(x: Array) -> Array:
    """Return an array without gaps, in the order of its axes: itself if it is one."""
    return x if x.contiguous else copy(x)


def fill(shape: Shape, value: float | int | bool, dtype: np.dtype) -> Array:
    """Return a new array with every element set to value."""
    out = empty(shape, dtype)
    if out.size:
        whole = not dtypes.is_float(dtype)
        kernel = _fill_whole["whole", dtype] if whole else _fill_float["float", dtype]
        number = (int(bool(value)) if dtype == dtypes.bool_ else int(value)) if whole else float(value)
        (kernel or _missing("fill", dtype)).launch(blocks_for(out.size), THREADS, out.address, number, out.size)
    return out


def write(target: Array, value: Array) -> None:
    """Overwrite target in place."""
    if target.size and any(step == 0 and size > 1 for step, size in zip(target.strides, target.shape, strict=True)):
        raise ValueError("assignment destination is read-only")
    run(_cast, _NAME[target.dtype], (_apart(value, target),), target)


def add_into(target: Array, value: Array) -> None:
    """Add value to target in place; same shape and dtype."""
    run(_binary, "add", (target, _apart(value, target)), target)


def _apart(value: Array, target: Array) -> Array:
    """Return a value that may be read while target is written: no thread waits for another to have read its element."""
    same = (value.offset, value.strides, value.shape) == (target.offset, target.strides, target.shape)
    if same or value.block is not target.block:
        return value
    return copy(value)
