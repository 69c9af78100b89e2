"""The Numba loops of the CPU backend, and how they are compiled: once per kernel and dtype, on first use.

Every loop works on 1-D contiguous arrays and is closed over the scalar function it applies. Numba keeps the
machine code on disk, so that the next process compiles nothing.
"""

from __future__ import annotations

import functools
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import kernels, locks, scalar
from tinygrad_rnn.errors import DeviceError

Loop = Callable[..., Any]


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
        """Each operand advances by its row step between rows, and by its column step (0 or 1) within one."""
        for r in range(out.size // columns):
            row = out[r * columns : (r + 1) * columns]  # a slice: an index computed here does not vectorise
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


BLOCK = 1024  # elements added up before they join the total, in float64: keeps the rounding error small


def _reduce_rows_loop(f: Loop) -> Loop:
    def loop(x, out, n, identity):
        """Reduce rows of n neighbours to one element each."""
        for r in range(out.size):
            total = np.float64(identity)
            for block in range(r * n, (r + 1) * n, BLOCK):
                end = min(block + BLOCK, (r + 1) * n)
                whole = end - (end - block) % 8
                # Eight partial results do not wait for each other; LLVM keeps them in one vector register.
                t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = identity
                for i in range(block, whole, 8):
                    piece = x[i : i + 8]
                    t0, t1, t2, t3 = f(piece[0], t0), f(piece[1], t1), f(piece[2], t2), f(piece[3], t3)
                    t4, t5, t6, t7 = f(piece[4], t4), f(piece[5], t5), f(piece[6], t6), f(piece[7], t7)
                part = f(f(f(t0, t1), f(t2, t3)), f(f(t4, t5), f(t6, t7)))
                for i in range(whole, end):
                    part = f(x[i], part)
                total = f(np.float64(part), total)
            out[r] = total

    return loop


_TALL = 32  # rows added up before they join the result: again for the rounding error


def _reduce_columns_loop(f: Loop) -> Loop:
    def loop(x, out, n, columns, identity):
        """Reduce (n, columns) matrices of at most BLOCK rows to one row each."""
        partial = np.empty(columns, x.dtype)
        for m in range(out.size // columns):
            result = out[m * columns : (m + 1) * columns]
            result[:] = identity
            for block in range(m * n, (m + 1) * n, _TALL):
                partial[:] = identity
                for r in range(block, min(block + _TALL, (m + 1) * n)):
                    row = x[r * columns : (r + 1) * columns]
                    for c in range(columns):
                        partial[c] = f(row[c], partial[c])
                for c in range(columns):
                    result[c] = f(partial[c], result[c])

    return loop


def _reduce_tall_loop(f: Loop) -> Loop:
    def loop(x, out, n, columns, identity):
        """Reduce (n, columns) matrices of any height: what BLOCK rows give joins the total in float64."""
        few, many, total = np.full(columns, identity), np.full(columns, identity), np.empty(columns, np.float64)
        for m in range(out.size // columns):
            total[:] = identity
            for block in range(m * n, (m + 1) * n, BLOCK):
                block_end = min(block + BLOCK, (m + 1) * n)
                many[:] = identity
                for start in range(block, block_end, _TALL):
                    few[:] = identity
                    for r in range(start, min(start + _TALL, block_end)):
                        row = x[r * columns : (r + 1) * columns]
                        for c in range(columns):
                            few[c] = f(row[c], few[c])
                    for c in range(columns):
                        many[c] = f(few[c], many[c])
                for c in range(columns):
                    total[c] = f(np.float64(many[c]), total[c])
            out[m * columns : (m + 1) * columns] = total

    return loop


def _cumsum_loop(f: Loop) -> Loop:
    def loop(x, out, n, columns):
        """Add up (n, columns) matrices row by row, in float64, and write down every intermediate sum."""
        total = np.empty(columns, np.float64)
        for m in range(out.size // (n * columns)):
            total[:] = 0.0
            for r in range(m * n, (m + 1) * n):
                row, result = x[r * columns : (r + 1) * columns], out[r * columns : (r + 1) * columns]
                for c in range(columns):
                    total[c] = f(np.float64(row[c]), total[c])
                    result[c] = total[c]

    return loop


def _layer_norm_loop(f: Loop) -> Loop:
    def loop(x, y, scale, n, eps):
        """Bring rows of n to mean 0 and variance 1; scale is by what they were multiplied. All sums in float64."""
        for r in range(scale.size):
            row, result = x[r * n : (r + 1) * n], y[r * n : (r + 1) * n]
            total = squares = 0.0
            for c in range(n):
                total += np.float64(row[c])
            mean = total / n
            for c in range(n):
                centred = np.float64(row[c]) - mean
                squares += centred * centred
            factor = 1.0 / f(squares / n + eps)
            scale[r] = factor
            for c in range(n):
                result[c] = (np.float64(row[c]) - mean) * factor

    return loop


def _layer_norm_grad_loop(f: Loop) -> Loop:
    def loop(g, y, scale, out, n):
        """From the gradient of y (and y and scale as above) that of x, row by row."""
        for r in range(scale.size):
            error, normal, result = g[r * n : (r + 1) * n], y[r * n : (r + 1) * n], out[r * n : (r + 1) * n]
            total = along = 0.0
            for c in range(n):
                total += np.float64(error[c])
                along += f(np.float64(error[c]), np.float64(normal[c]))
            total, along, factor = total / n, along / n, np.float64(scale[r])
            for c in range(n):
                result[c] = factor * (error[c] - total - along * normal[c])

    return loop


def _add_into_loop(f: Loop) -> Loop:
    def loop(target, value):  # the binary loop would find its output overlapping an input, and go one by one
        for i in range(target.size):
            target[i] = f(target[i], value[i])

    return loop


def _scatter_add_loop(f: Loop) -> Loop:
    def loop(source, index, out, size, inner):
        """Add source (m, index.size, inner) into out (m, size, inner); False if an index is out of range."""
        for i in range(index.size):
            if index[i] < -size or index[i] >= size:
                return False
        for m in range(out.size // (size * inner)):
            for i in range(index.size):
                target = m * size + (index[i] if index[i] >= 0 else index[i] + size)
                start = m * index.size + i
                row = out[target * inner : (target + 1) * inner]
                part = source[start * inner : (start + 1) * inner]
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


def _norm_loop(f: Loop) -> Loop:
    def loop(x):
        """Return the L2 norm in float64; where squares overflow or vanish, once more with the largest element as 1."""
        total = 0.0
        for i in range(x.size):
            total += f(np.float64(x[i]), np.float64(x[i]))
        if 1e-280 < total < math.inf or math.isnan(total):
            return math.sqrt(total)
        largest = 0.0
        for i in range(x.size):
            size = abs(np.float64(x[i]))
            largest = size if size > largest else largest
        if largest == 0 or largest == math.inf:
            return largest
        total = 0.0
        for i in range(x.size):
            part = np.float64(x[i]) / largest
            total += f(part, part)
        return largest * math.sqrt(total)

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


# ---- compiling ---------------------------------------------------------------------------------------------

_BINARY, _REDUCE = scalar.by_dtype(scalar.BINARY), scalar.by_dtype(scalar.REDUCE)
_TWO = _BINARY | scalar.by_dtype(scalar.COMPARE)

#: Per kind of loop: how it is built, its scalar functions, and its arguments. x: array of the kernel's dtype;
#: o: output array, bool in comparisons; d: float64 array; k: int64 array; c: bool array; f: number, of a product a
#: float64, where large and small factors meet before they are rounded; i: int64; u: uint64.
KINDS: dict[str, tuple[Callable[[Loop], Loop], dict[str, dict[str, Loop]], str]] = {
    "unary": (_unary_loop, scalar.by_dtype(scalar.UNARY), "xo"),
    "binary": (_binary_loop, _TWO, "xxo"),
    "rows": (_binary_rows_loop, _TWO, "xiixiioi"),
    "where": (_where_loop, scalar.by_dtype(scalar.TERNARY), "cxxo"),
    "reduce_rows": (_reduce_rows_loop, _REDUCE, "xoif"),
    "reduce_columns": (_reduce_columns_loop, _REDUCE, "xoiif"),
    "reduce_tall": (_reduce_tall_loop, _REDUCE, "xoiif"),
    "cumsum": (_cumsum_loop, {"cumsum": _BINARY["add"]}, "xoii"),
    "layer_norm": (_layer_norm_loop, {"layer_norm": scalar.by_dtype(scalar.UNARY)["sqrt"]}, "xooif"),
    "layer_norm_grad": (_layer_norm_grad_loop, {"layer_norm_grad": _BINARY["mul"]}, "xxxoi"),
    "scatter_add": (_scatter_add_loop, _BINARY, "xkoii"),
    "scatter_add_long": (_scatter_add_loop, _BINARY, "xkdii"),
    "add_into": (_add_into_loop, _BINARY, "ox"),
    "all_finite": (_all_finite_loop, _BINARY, "x"),
    "norm": (_norm_loop, _BINARY, "x"),
    "random": (_random_loop, scalar.RANDOM, "uuo"),
}

#: Numba's default error model tests every division for zero, and the loop around it no longer vectorises.
OPTIONS: dict[str, Any] = {"nopython": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
#: One sum in float64 may be taken in any order: 4 times faster, and the rounding error only becomes smaller.
_ANY_ORDER = {kind: {"fastmath": {"contract", "reassoc"}} for kind in ("norm", "layer_norm", "layer_norm_grad")}

_compile_lock = locks.lock()
if hasattr(os, "register_at_fork"):  # a fork waits for the compiler: of Numba's own lock a child would never get hold
    os.register_at_fork(before=_compile_lock.acquire, after_in_parent=_compile_lock.release)
#: What Numba made of each loop: keeps the machine code alive; tests read the cache statistics.
dispatchers: dict[tuple[str, str, np.dtype], Any] = {}


class Loops(dict[tuple[str, np.dtype], Any]):
    """The loops of one kind by (kernel, dtype), each compiled when first looked up; None if not a float dtype."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def __missing__(self, key: tuple[str, np.dtype]) -> Loop | None:
        kernel, dtype = key
        with _compile_lock:
            if key not in self:
                self[key] = compile_loop(self.kind, kernel, dtype) if dtypes.is_float(dtype) else None
        return self[key]


@functools.cache
def numba_module() -> Any:
    """Import Numba and tell it about the scalar functions, once.

    Raises:
        DeviceError: Numba cannot be imported.
    """
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
    """Return a fingerprint of scalar.py: of itself Numba's disk cache sees changes of this file only."""
    return f"{zlib.crc32(Path(scalar.__file__).read_bytes()):08x}"


def compile_loop(kind: str, kernel: str, dtype: np.dtype) -> Loop:
    """Compile one loop for one dtype, or fetch it from Numba's cache on disk."""
    build, functions, arguments = KINDS[kind]
    what = "binary" if kind == "rows" else kind.partition("_")[0]
    loop = build(kernels.called(kernel, functions, what)[dtype.name])
    numba = numba_module()
    # Its own name gives each loop its own cache file: no two processes write different code to one file.
    loop.__qualname__ = f"{kind}_{kernel}_{dtype.name}_{_stamp()}"
    number = numba.from_dtype(dtype)
    result = numba.boolean if kernel in scalar.COMPARE else number
    parameter = {
        "x": number[::1],
        "o": result[::1],
        "d": numba.float64[::1],
        "k": numba.int64[::1],
        "c": numba.boolean[::1],
        "f": numba.float64 if kernel == "prod" else number,
        "i": numba.int64,
        "u": numba.uint64,
    }
    signature = tuple(parameter[letter] for letter in arguments)
    options = OPTIONS | _ANY_ORDER.get(kind, {})
    try:
        dispatcher = numba.jit([signature], cache=True, **options)(loop)
    except Exception:  # not writable, or files of it that went bad: unpickling those can raise anything
        dispatcher = numba.jit([signature], **options)(loop)
    dispatchers[kind, kernel, dtype] = dispatcher
    if not hasattr(dispatcher, "overloads"):  # NUMBA_DISABLE_JIT=1: still the Python function, slow but right
        return np.errstate(all="ignore")(dispatcher)
    # The compiled function itself: the dispatcher in front of it would look up the argument types again (0.2 us),
    # and would compile once more for a read-only array.
    return dispatcher.overloads[signature].entry_point
