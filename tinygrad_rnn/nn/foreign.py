"""Weights that come from other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError

__all__ = ["weights_of"]


def weights_of(name: str, value: Any) -> np.ndarray:
    """Return an array or a tensor, wherever it is, as an array of float32 or float64.

    Args:
        name: what it is called in the error, with whose argument it is.
        value: what was given.

    Raises:
        InputError: it is no array, such as lists of several lengths.
        DTypeError: it holds something else.

    >>> import numpy as np
    >>> from tinygrad_rnn.nn.foreign import weights_of
    >>> weights_of("from_keras: bias", np.arange(3))
    Traceback (most recent call last):
    tinygrad_rnn.errors.DTypeError: from_keras: bias must be float32 or float64, not int64; convert it with .astype
    """
    try:
        array = value.detach().to("cpu").numpy() if isinstance(value, Tensor) else np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is no array ({error}); give one of float32 or float64") from None
    if array.dtype not in (dtypes.float32, dtypes.float64):
        raise DTypeError(f"{name} must be float32 or float64, not {array.dtype}; convert it with .astype")
    return array
