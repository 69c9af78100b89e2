"""The four dtypes of the engine, as NumPy dtypes, and how they combine."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn.errors import DTypeError

__all__ = ["NUMBERS", "bool_", "float32", "float64", "int64", "is_float", "of_array", "promote", "resolve"]

float32 = np.dtype("float32")
float64 = np.dtype("float64")
int64 = np.dtype("int64")
bool_ = np.dtype("bool")

#: The types of Python's and NumPy's numbers.
NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)

#: Narrow to wide; integers and bools never widen a float (torch's rule, not NumPy's).
_RANK = {bool_: 0, int64: 1, float32: 2, float64: 3}


def resolve(dtype: Any) -> np.dtype:
    """Return the engine's dtype for a name, NumPy type or dtype; raise DTypeError for any other."""
    if dtype is not None:  # which NumPy would take for float64
        try:
            found = np.dtype(dtype)
        except TypeError:
            found = None
        if found in _RANK:
            return found
    raise DTypeError(f"dtype {dtype!r} is not supported; use one of float32, float64, int64, bool")


def of_array(array: np.ndarray) -> np.dtype:
    """Return the dtype an array is stored in: narrower integers become int64, everything else stays.

    Raises:
        DTypeError: the array holds texts, objects, complex numbers, or floats that are neither float32 nor float64.
    """
    if array.dtype in _RANK:
        return array.dtype
    if array.dtype.kind in "iu":
        return int64
    raise DTypeError(
        f"an array of dtype {array.dtype} cannot become a tensor; convert it first, for example array.astype('float32')"
    )


def promote(a: np.dtype, b: np.dtype) -> np.dtype:
    """Return the dtype in which operands of dtypes a and b are combined."""
    return a if _RANK[a] >= _RANK[b] else b


def is_float(dtype: np.dtype) -> bool:
    """Return whether gradients exist for this dtype."""
    return dtype.kind == "f"
