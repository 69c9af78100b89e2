"""The CPU backend: the functions of `scalar.py` in Numba loops over contiguous memory.

What costs time on the small arrays of a recurrent net is not arithmetic but the way to it, so every kernel is reached
through one dictionary lookup, works on 1-D contiguous views (`ravel` copies whatever is not contiguous), and is compiled
for exactly one dtype, on its first use; Numba keeps the machine code on disk for the next process. Integers and bools,
movement and matrix products go to NumPy, whose own code is the right kernel there.

Numba is imported by the first kernel, not by this module.
"""

from __future__ import annotations

import functools
import math
import pickle
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import reference, scalar

# NumPy is the right kernel: views cost nothing, copies run at memory speed, and none of these can raise a floating-point
# warning (a kernel that can needs np.errstate, 2 us; that is why the rest of this file exists).
from tinygrad_rnn.backends.reference import (
    argmax,
    broadcast_to,
    copy,
    from_numpy,
    gather,
    getitem,
    permute,
    reshape,
    to_numpy,
    write,
)
from tinygrad_rnn.errors import DeviceError

__all__ = [
    "add_into", "all_finite", "argmax", "binary", "broadcast_to", "cast", "concat", "copy", "fill", "from_numpy", "gather",
    "getitem", "matmul", "name", "permute", "put_slices", "random", "reduce", "reshape", "scatter_add", "to_numpy", "unary",
    "where", "write",
]  # fmt: skip

name = "cpu"

Array = np.ndarray
Shape = tuple[int, ...]
Loop = Callable[..., Any]

_ascontiguous = functools.partial(np.asarray, order="C")  # np.ascontiguousarray would make a 0-d array 1-d


# ---- the loops: Python functions over 1-D arrays, closed over the scalar function they apply ---------------------------


def _unary_loop(f: Loop) -> Loop:
    def loop(x, out):
        for i in range(out.size):
            out[i] = f(x[i])

    return loop


def _binary_loop(f: Loop) -> Loop:
    def loop(a, b, out):
        for i in range(out.size):
            out[i] = f(a[i], b[i])

    return loop


def _binary_rows_loop(f: Loop) -> Loop:
    def loop(a, a_row, a_column, b, b_row, b_column, out, columns):
        """Each operand advances by its row step from row to row, and by its column step (0 or 1) within a row."""
        for r in range(out.size // columns):
            row = out[r * columns : (r + 1) * columns]  # slices: an index computed from r and c does not vectorise
            if a_column == 0:
                one, many = a[r * a_row], b[r * b_row : r * b_row + columns]
                for c in range(columns):
                    row[c] = f(one, many[c])
            elif b_column == 0:
                many, one = a[r * a_row : r * a_row + columns], b[r * b_row]
                for c in range(columns):
                    row[c] = f(many[c], one)
            else:
                left, right = a[r * a_row : r * a_row + columns], b[r * b_row : r * b_row + columns]
                for c in range(columns):
                    row[c] = f(left[c], right[c])

    return loop


def _where_loop(f: Loop) -> Loop:
    def loop(condition, a, b, out):
        for i in range(out.size):
            out[i] = f(condition[i], a[i], b[i])

    return loop


_LANES = 32  # partial results a row keeps, so that the additions of a vector do not wait for each other
_BLOCK = 1024  # elements after which they are folded into one: the rounding error of a sum grows with n / 1024


def _reduce_rows_loop(f: Loop) -> Loop:
    def loop(x, out, n, identity):
        """Reduce rows of n neighbours to one element each."""
        lanes = np.empty(_LANES, x.dtype)
        for r in range(out.size):
            row = x[r * n : (r + 1) * n]
            total = np.float64(identity)
            whole = n - n % _LANES
            for block in range(0, whole, _BLOCK):
                lanes[:] = identity
                for start in range(block, min(block + _BLOCK, whole), _LANES):
                    piece = row[start : start + _LANES]
                    for lane in range(_LANES):
                        lanes[lane] = f(lanes[lane], piece[lane])
                width = _LANES // 2
                while width > 0:
                    for lane in range(width):
                        lanes[lane] = f(lanes[lane], lanes[lane + width])
                    width //= 2
                total = f(total, np.float64(lanes[0]))
            for i in range(whole, n):
                total = f(total, np.float64(row[i]))
            out[r] = total

    return loop


_TALL = 32  # rows added up before they join the result: again for the rounding error


def _reduce_columns_loop(f: Loop) -> Loop:
    def loop(x, out, n, columns, identity):
        """Reduce (n, columns) matrices to one row each."""
        partial = np.empty(columns, x.dtype)
        for m in range(out.size // columns):
            result = out[m * columns : (m + 1) * columns]
            result[:] = identity
            for block in range(m * n, (m + 1) * n, _TALL):
                partial[:] = identity
                for r in range(block, min(block + _TALL, (m + 1) * n)):
                    row = x[r * columns : (r + 1) * columns]
                    for c in range(columns):
                        partial[c] = f(partial[c], row[c])
                for c in range(columns):
                    result[c] = f(result[c], partial[c])

    return loop


def _scatter_add_loop(f: Loop) -> Loop:
    def loop(source, index, out, size, inner):
        """Add (outer, index.size, inner) source into (outer, size, inner) out; False if an index is out of range."""
        for i in range(index.size):
            if index[i] < -size or index[i] >= size:
                return False
        for m in range(out.size // (size * inner)):
            for i in range(index.size):
                target = m * size + (index[i] if index[i] >= 0 else index[i] + size)
                start = m * index.size + i
                row, part = out[target * inner : (target + 1) * inner], source[start * inner : (start + 1) * inner]
                for c in range(inner):
                    row[c] = f(row[c], part[c])
        return True

    return loop


def _all_finite_loop(f: Loop) -> Loop:
    def loop(x):
        bad = 0
        for i in range(x.size):
            bad |= f(x[i], x[i]) != 0  # x - x is NaN for NaN and infinities
        return bad == 0

    return loop


def _random_loop(f: Loop) -> Loop:
    philox = scalar.philox

    def loop(seed, counter, out):
        for block in range((out.size + 1) // 2):
            w0, w1, w2, w3 = philox(np.uint64(seed), np.uint64(counter) + np.uint64(block))
            out[2 * block] = f(w0, w1)
            if 2 * block + 1 < out.size:
                out[2 * block + 1] = f(w2, w3)

    return loop


# ---- compiling ----------------------------------------------------------------------------------------------------------

#: Per kind of loop: how it is built, its scalar functions, and its arguments: x and out arrays of the kernel's dtype (out
#: of bool in comparisons), i an int64, f a float64, k an int64 array, c a bool array.
_KINDS: dict[str, tuple[Callable[[Loop], Loop], dict[str, dict[str, Loop]], str]] = {
    "unary": (_unary_loop, scalar.UNARY, "xo"),
    "binary": (_binary_loop, {**scalar.BINARY, **scalar.COMPARE}, "xxo"),
    "rows": (_binary_rows_loop, {**scalar.BINARY, **scalar.COMPARE}, "xiixiioi"),
    "where": (_where_loop, {"where": scalar.WHERE}, "cxxo"),
    "reduce_rows": (_reduce_rows_loop, scalar.REDUCE, "xoif"),
    "reduce_columns": (_reduce_columns_loop, scalar.REDUCE, "xoiif"),
    "scatter_add": (_scatter_add_loop, scalar.BINARY, "xkoii"),
    "all_finite": (_all_finite_loop, scalar.BINARY, "x"),
    "random": (_random_loop, scalar.RANDOM, "iio"),
}

_compile_lock = threading.Lock()
_dispatchers: dict[tuple[str, str, np.dtype], Any] = {}  # keeps the machine code alive; tests read the statistics


class _Loops(dict[tuple[str, np.dtype], Loop | None]):
    """The compiled loops of one kind by (kernel, dtype), each compiled when it is first looked up; None if not a float."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def __missing__(self, key: tuple[str, np.dtype]) -> Loop | None:
        kernel, dtype = key
        with _compile_lock:
            if key not in self:
                self[key] = _compile(self.kind, kernel, dtype) if dtypes.is_float(dtype) else None
        return self[key]


_unary, _binary, _rows, _where = _Loops("unary"), _Loops("binary"), _Loops("rows"), _Loops("where")
_reduce_rows, _reduce_columns = _Loops("reduce_rows"), _Loops("reduce_columns")
_scatter_add, _all_finite, _random = _Loops("scatter_add"), _Loops("all_finite"), _Loops("random")


@functools.cache
def _numba() -> Any:
    """Import Numba and tell it about the scalar functions, once."""
    try:
        import numba  # noqa: PLC0415  (half a second, and optional)
        from numba.extending import register_jitable  # noqa: PLC0415
    except ImportError as error:
        raise DeviceError(
            f"the CPU kernels need Numba, which cannot be imported ({error}): pip install numba, or set "
            "TINYGRAD_RNN_BACKEND=reference to compute with plain NumPy"
        ) from error
    for function in vars(scalar).values():
        if isinstance(function, FunctionType) and function.__module__ == scalar.__name__:
            register_jitable(function)
    return numba


@functools.cache
def _stamp() -> str:
    """Fingerprint of scalar.py: Numba's disk cache looks at changes of this file only."""
    return f"{zlib.crc32(Path(scalar.__file__).read_bytes()):08x}"


def _compile(kind: str, kernel: str, dtype: np.dtype) -> Loop:
    """Compile one loop for one dtype, or fetch it from Numba's cache on disk."""
    numba = _numba()
    build, functions, arguments = _KINDS[kind]
    loop = build(functions[kernel][dtype.name])
    # A name of its own gives each loop its own cache file: two processes never write one file with different contents.
    loop.__qualname__ = f"{kind}_{kernel}_{dtype.name}_{_stamp()}"
    number = numba.from_dtype(dtype)
    result = numba.boolean if kernel in scalar.COMPARE else number
    parameter = {
        "x": number[::1], "o": result[::1], "k": numba.int64[::1], "c": numba.boolean[::1], "i": numba.int64, "f": number,
    }  # fmt: skip
    signature = tuple(parameter[letter] for letter in arguments)
    options = {"nopython": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        dispatcher = numba.jit([signature], cache=True, **options)(loop)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError):  # no writable or no sound place for the cache
        dispatcher = numba.jit([signature], **options)(loop)
    _dispatchers[kind, kernel, dtype] = dispatcher
    if not hasattr(dispatcher, "overloads"):  # NUMBA_DISABLE_JIT=1: the Python function itself, slow but correct
        return np.errstate(all="ignore")(dispatcher)
    # The compiled function itself: the dispatcher in front of it would look up the argument types again (0.17 us), and
    # would take a read-only array for another type.
    return dispatcher.overloads[signature].entry_point


# ---- elementwise --------------------------------------------------------------------------------------------------------


def unary(kernel: str, x: Array) -> Array:
    """Apply a function of one argument to every element; the dtype stays."""
    loop = _unary[kernel, x.dtype]
    if loop is None:
        return _ascontiguous(reference.unary(kernel, x))
    out = np.empty(x.shape, x.dtype)
    loop(x.ravel(), out.ravel())
    return out


def binary(kernel: str, a: Array, b: Array) -> Array:
    """Apply a function of two arguments with broadcasting, in the promoted dtype; comparisons give bool."""
    dtype = a.dtype
    if dtype != b.dtype:
        dtype = dtypes.promote(dtype, b.dtype)
        a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    loop = _binary[kernel, dtype]
    if loop is None:
        return _ascontiguous(reference.binary(kernel, a, b))
    if a.shape != b.shape:
        return _binary_broadcast(kernel, dtype, a, b)
    out = np.empty(a.shape, dtypes.bool_ if kernel in scalar.COMPARE else dtype)
    loop(a.ravel(), b.ravel(), out.ravel())
    return out


def _binary_broadcast(kernel: str, dtype: np.dtype, a: Array, b: Array) -> Array:
    if kernel == "pow" and b.size == 1 and b.ndim <= a.ndim and b.item() == 2:
        return binary("mul", a, a)  # the C library's pow takes 20 times longer
    shape, steps = _rows_plan(a.shape, b.shape)
    out = np.empty(shape, dtypes.bool_ if kernel in scalar.COMPARE else dtype)
    if steps is None:
        a, b = np.broadcast_to(a, shape), np.broadcast_to(b, shape)
        _binary[kernel, dtype](a.ravel(), b.ravel(), out.ravel())
    elif out.size:
        a_row, a_column, b_row, b_column, columns = steps
        _rows[kernel, dtype](a.ravel(), a_row, a_column, b.ravel(), b_row, b_column, out.ravel(), columns)
    return out


@functools.lru_cache(maxsize=4096)
def _rows_plan(a: Shape, b: Shape) -> tuple[Shape, tuple[int, int, int, int, int] | None]:
    """Return the broadcast shape and, where it can be seen as rows and columns, the steps of both operands in it."""
    shape = np.broadcast_shapes(a, b)
    groups: list[tuple[bool, bool, int]] = []  # neighbouring axes on which a (first) and b (second) both do the same
    padded_a, padded_b = (1,) * (len(shape) - len(a)) + a, (1,) * (len(shape) - len(b)) + b
    for size, size_a, size_b in zip(shape, padded_a, padded_b, strict=True):
        if size == 1:
            continue
        moves_a, moves_b = size_a != 1, size_b != 1
        if groups and groups[-1][:2] == (moves_a, moves_b):
            groups[-1] = (moves_a, moves_b, groups[-1][2] * size)
        else:
            groups.append((moves_a, moves_b, size))
    if len(groups) > 2:
        return shape, None
    (row_a, row_b, _), (column_a, column_b, columns) = [(False, False, 1)] * (2 - len(groups)) + groups
    a_row = (columns if column_a else 1) if row_a else 0
    b_row = (columns if column_b else 1) if row_b else 0
    return shape, (a_row, int(column_a), b_row, int(column_b), columns)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Choose from a where condition (bool) holds and from b elsewhere, with broadcasting."""
    if not condition.shape == a.shape == b.shape or a.dtype != b.dtype:
        return _ascontiguous(reference.where(condition, a, b))
    loop = _where["where", a.dtype]
    if loop is None:
        return _ascontiguous(reference.where(condition, a, b))
    out = np.empty(a.shape, a.dtype)
    loop(condition.ravel(), a.ravel(), b.ravel(), out.ravel())
    return out


def cast(x: Array, dtype: np.dtype) -> Array:
    """Convert to another dtype; floats are truncated towards zero on the way to int64."""
    with np.errstate(all="ignore"):
        return x.astype(dtype, order="C")


# ---- reductions and products --------------------------------------------------------------------------------------------


def reduce(kernel: str, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """Reduce over the given axes (non-negative, sorted). A sum of bools is an int64; max and min need an element."""
    dtype = x.dtype
    if not x.size or not dtypes.is_float(dtype):
        return _ascontiguous(reference.reduce(kernel, x, axes, keepdims))
    shape, order, n, columns = _reduce_plan(x.shape, axes, keepdims)
    if order is not None:
        x = x.transpose(order)
    out = np.empty(shape, dtype)
    if columns == 1:
        _reduce_rows[kernel, dtype](x.ravel(), out.ravel(), n, _IDENTITY[kernel])
    else:
        _reduce_columns[kernel, dtype](x.ravel(), out.ravel(), n, columns, _IDENTITY[kernel])
    return out


_IDENTITY = {"sum": 0.0, "max": -math.inf, "min": math.inf}


@functools.lru_cache(maxsize=4096)
def _reduce_plan(
    shape: Shape, axes: tuple[int, ...], keepdims: bool
) -> tuple[Shape, tuple[int, ...] | None, int, int]:
    """Return the result's shape, the transposition needed first (or None), and n and columns of the (m, n, columns) view."""
    kept = tuple(axis for axis in range(len(shape)) if axis not in axes)
    n = math.prod(shape[axis] for axis in axes)
    result = tuple(1 if axis in axes else size for axis, size in enumerate(shape)) if keepdims else None
    if result is None:
        result = tuple(shape[axis] for axis in kept)
    long = [axis for axis in axes if shape[axis] > 1]
    if all(shape[axis] == 1 for axis in kept if long and long[0] < axis < long[-1]):  # neighbours
        columns = math.prod(shape[axis] for axis in kept if long and axis > long[-1])
        return result, None, n, columns
    return result, kept + axes, n, 1


def matmul(a: Array, b: Array) -> Array:
    """Multiply matrices, both at least 2-D and of one dtype, broadcasting the leading axes."""
    if a.ndim == 2 and b.ndim == 2:
        return np.dot(a, b)  # the same BLAS call, and no look at the floating-point flags: no warning to switch off
    with np.errstate(all="ignore"):
        return _ascontiguous(np.matmul(a, b))


# ---- movement and indexing ----------------------------------------------------------------------------------------------


def put_slices(shape: Shape, indices: Sequence[tuple[Any, ...]], parts: Sequence[Array]) -> Array:
    """Return zeros of a shape with every part added at its basic index; overlaps add."""
    out = np.zeros(shape, parts[0].dtype)
    for index, part in zip(indices, parts, strict=True):
        view = out[index]
        if isinstance(view, np.ndarray):
            add_into(view, part)
        else:  # an index of one element gives a number, not a view
            out[index] += part
    return out


def concat(parts: Sequence[Array], axis: int) -> Array:
    """Join arrays of one dtype along an existing axis."""
    return _ascontiguous(np.concatenate(parts, axis=axis))


def fill(shape: Shape, value: float | int | bool, dtype: np.dtype) -> Array:
    """Return a new array with every element set to value."""
    out = np.empty(shape, dtype)
    out.fill(value)
    return out


def scatter_add(source: Array, index: Array, axis: int, size: int) -> Array:
    """Transpose of `gather`: zeros with `size` entries along axis, to which the slices of source are added."""
    loop = _scatter_add["add", source.dtype]
    if loop is None:
        return reference.scatter_add(source, index, axis, size)
    inner = source.shape[axis + index.ndim :]
    out = np.zeros(source.shape[:axis] + (size,) + inner, source.dtype)
    if out.size and not loop(source.ravel(), index.ravel(), out.ravel(), size, math.prod(inner)):
        raise IndexError(f"scatter_add: an index is out of range for an axis of size {size}")
    return out


# ---- writing, looking ---------------------------------------------------------------------------------------------------


def add_into(target: Array, value: Array) -> None:
    """Add value to target in place; same shape and dtype."""
    loop = _binary["add", target.dtype]
    if loop is None or not target.flags.c_contiguous:
        reference.add_into(target, value)
    else:
        flat = target.ravel()
        loop(flat, value.ravel(), flat)


def all_finite(x: Array) -> bool:
    """Return whether no element is NaN or infinite."""
    loop = _all_finite["sub", x.dtype]
    return True if loop is None else loop(x.ravel())


# ---- random numbers -----------------------------------------------------------------------------------------------------


def random(kind: str, seed: Array, counter: Array, shape: Shape, dtype: np.dtype) -> Array:
    """Return uniform numbers in [0, 1) or normal ones, the same numbers as `reference.random`."""
    out = np.empty(shape, dtype)
    _random[kind, out.dtype](int(seed), int(counter), out.ravel())
    return out
