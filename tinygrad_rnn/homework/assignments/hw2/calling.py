"""How the checks call compiled kernels: nothing is to be written in this file, and little has to be read.

An array that a kernel has changed is returned to them, and an error is told in a line. Compiled code checks its indices
here, which it does not do otherwise, and says no more than that one was out of bounds; so the kernel is then run once
more as plain Python, which says where.
"""

import math

import numba
import numpy as np

numba.config.BOUNDSCHECK = 1  # before anything is compiled


def called(kernel, *arguments):
    """Call a compiled function, and return what it returns.

    Raises:
        TypeError: Numba cannot compile it; the message is the part of Numba's that says why.
    """
    try:
        return kernel(*arguments)
    except IndexError:
        kernel.py_func(*arguments)
        raise
    except numba.core.errors.NumbaError as error:
        raise TypeError(told(error)) from None
    except ImportError:
        raise TypeError("Numba needs SciPy for @ and np.dot, and it is not here: write the loops") from None


def told(error):
    """Return in one line what Numba says in many."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Failed in nopython mode")] or ["no reason given"]
    types = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    code = [lines[number] for number, marker in enumerate(lines[1:]) if marker == "^"]
    reason = f"it has no {types[0]}" if types else lines[0].split(" Raised from ")[0]
    return f"Numba cannot compile this: {reason}" + (f"; in the line: {code[-1]}" if code else "")


def after(kernel, *arguments):
    """Call a kernel; return what it was given, as it is afterwards."""
    called(kernel, *arguments)
    return list(arguments)


def mapped(kernel, x, layout="plain"):
    """Return what a map makes of x, and x afterwards; both lie in memory as `layout` says: see `laid`."""
    x, out = laid(x, layout), laid(np.full_like(x, 7), layout)
    called(kernel, x, out)
    return [out, x]


def reduced(kernel, x, axis, layout="plain"):
    """Return what a reduction of x along an axis gives, and x afterwards: that axis becomes the middle one of three."""
    shape = x.shape
    three = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    x, out = laid(x.reshape(three), layout), np.full((three[0], three[2]), 7, x.dtype)
    called(kernel, x, out)
    return [out.reshape(shape[:axis] + shape[axis + 1 :]), x.reshape(shape)]


def multiplied(kernel, a, b, layout="plain"):
    """Return what a matrix product gives, and its operands afterwards."""
    a, b, out = laid(a, layout), laid(b, layout), laid(np.full((a.shape[0], b.shape[1]), 7, a.dtype), layout)
    called(kernel, a, b, out)
    return [out, a, b]


def laid(x, layout):
    """Return the same numbers; in memory one after the other (plain), or transposed, reversed, or every other one."""
    if layout == "transposed":
        return x.T.copy().T
    if layout == "reversed":
        return np.flip(np.flip(x).copy())
    if layout == "every other":
        wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), 7, x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    return x.copy()


def computed_in(function, x):
    """Return the name of the type that a compiled function gives for a number."""
    called(function, x)
    return str(function.overloads[(numba.typeof(x),)].signature.return_type)
