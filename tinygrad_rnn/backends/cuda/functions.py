"""What kernels do with single elements beyond `scalar.py`: casts, and what only a GPU calls by another name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn.backends import scalar
from tinygrad_rnn.backends.cuda.compiling import device_function
from tinygrad_rnn.backends.cuda.driver import simulated

Function = Callable[..., Any]


@device_function
def _float32(x):
    return np.float32(x)


@device_function
def _float64(x):
    return np.float64(x)


@device_function
def _int64(x):
    """Cut off what follows the point; what int64 cannot hold becomes its smallest number, as on most CPUs."""
    return np.int64(x) if abs(x) < type(x)(9223372036854775808.0) else np.int64(-9223372036854775808)


@device_function
def _widened(x):
    return np.int64(x)


@device_function
def _bool(x):
    return x != type(x)(0)


@device_function
def _sqrt(x):
    return math.sqrt(x)


# numba.cuda knows math.sqrt and no np.sqrt. The simulator computes with NumPy's scalars, for which Python's math
# functions raise where a GPU gives NaN.
_LIBRARY = {"sin": np.sin, "cos": np.cos} if simulated else {"sqrt": _sqrt}
UNARY = scalar.by_dtype(scalar.UNARY) | {
    name: {"float32": function, "float64": function} for name, function in _LIBRARY.items()
}
BINARY = scalar.by_dtype(scalar.BINARY)
COMPARE = scalar.by_dtype(scalar.COMPARE)
TERNARY = scalar.by_dtype(scalar.TERNARY)
CASTS: dict[str, dict[str, Function]] = {
    "float32": {"float32": scalar.same, "float64": _float32, "int64": _float32, "bool": _float32},
    "float64": {"float32": _float64, "float64": scalar.same, "int64": _float64, "bool": _float64},
    "int64": {"float32": _int64, "float64": _int64, "int64": scalar.same, "bool": _widened},
    "bool": {"float32": _bool, "float64": _bool, "int64": _bool, "bool": scalar.same},
}
