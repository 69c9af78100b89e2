"""What kernels do with single elements beyond `scalar.py`: casts, and bools, which are bytes of 0 and 1 here."""

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
def same(x):
    """Return x: a cast to its own dtype is a copy."""
    return x


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
def _int_pow(a, b):
    """a ** b by repeated squaring; the caller has checked that b is not negative."""
    result = type(a)(1)
    while b > type(b)(0):
        if b & type(b)(1):
            result = result * a
        a = a * a
        b = b >> type(b)(1)
    return result


@device_function
def _bool_pow(a, b):
    return a if b else np.uint8(1)


def _with_bool(table: dict[str, dict[str, Function]], extra: dict[str, dict[str, Function]]) -> dict[str, Any]:
    return {name: {**entry, **extra.get(name, {})} for name, entry in table.items()}


@device_function
def _sqrt(x):
    return math.sqrt(x)


# numba.cuda knows math.sqrt and no np.sqrt. The simulator computes with NumPy's scalars, for which Python's math
# functions raise where a GPU gives NaN.
_LIBRARY = {"sin": np.sin, "cos": np.cos} if simulated else {"sqrt": _sqrt}
UNARY = {
    **_with_bool(scalar.UNARY, {"abs": {"bool": same}, "relu": {"bool": same}}),
    **{name: {"float32": function, "float64": function} for name, function in _LIBRARY.items()},
}
# On bytes of 0 and 1, + is "or" and * is "and".
BINARY = _with_bool(
    scalar.BINARY,
    {
        "add": {"bool": scalar.maximum},
        "mul": {"bool": scalar.minimum},
        "maximum": {"bool": scalar.maximum},
        "minimum": {"bool": scalar.minimum},
        "pow": {"int64": _int_pow, "bool": _bool_pow},
    },
)
COMPARE = {name: {**entry, "bool": entry["int64"]} for name, entry in scalar.COMPARE.items()}
WHERE = {"where": {**scalar.WHERE, "bool": scalar.where}}
CASTS: dict[str, dict[str, Function]] = {
    "float32": {"float32": same, "float64": _float32, "int64": _float32, "bool": _float32},
    "float64": {"float32": _float64, "float64": same, "int64": _float64, "bool": _float64},
    "int64": {"float32": _int64, "float64": _int64, "int64": same, "bool": _widened},
    "bool": {"float32": _bool, "float64": _bool, "int64": _bool, "bool": same},
}
