"""Python numbers as tensors: made once for each dtype and device, and no nodes of a drawing."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.graph import Node

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor

_constants: dict[tuple[Any, ...], Tensor] = {}
_MOST_CONSTANTS = 1024


def constant(value: Any, beside: np.dtype, backend: ModuleType) -> Tensor:
    """Return a Python number as a cached 0-d tensor of the dtype in which it combines with another.

    A float beside an integer becomes float32; otherwise the other dtype wins, so a number never widens a tensor.
    """
    # repr: 0.0 equals -0.0, 1 / them does not; type: 1 equals 1.0 and True, their dtypes do not
    key = (value or repr(value), type(value), beside, backend)
    found = _constants.get(key)
    if found is None:
        dtype = beside
        if not dtypes.is_float(beside):
            number = dtypes.float32 if isinstance(value, float | np.floating) else dtypes.int64
            dtype = dtypes.promote(beside, dtypes.bool_ if isinstance(value, bool | np.bool_) else number)
        node = Node((backend.fill((), value, dtype),), backend)
        node.constant = True
        found = Node.tensor_type._from_edge(node, 0)
        if len(_constants) >= _MOST_CONSTANTS:
            _constants.clear()
        _constants[key] = found
    return found
