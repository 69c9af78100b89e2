"""Integer-array and boolean indexing, composed of basic slices, `take` and movement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.engine.graph import Node
from tinygrad_rnn.errors import DTypeError, IndexRangeError

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor


def positions(x: Tensor, index: Any, axis: int) -> Tensor:
    """Return an index along an axis of x as an int64 tensor of non-negative, checked positions."""
    if not isinstance(index, Node.tensor_type):
        given = np.asarray(index)
        index = x._operand(given if given.size else given.astype(np.int64))
    if index.dtype != np.int64:
        raise DTypeError(f"positions must be integers, not {index.dtype}; use .cast('int64')")
    size, values = x.shape[axis], index.numpy()
    if not values.size:
        return index.detach()
    low, high = int(values.min()), int(values.max())
    if low < -size or high >= size:
        wrong = low if low < -size else high
        raise IndexRangeError(f"position {wrong} is out of range for axis {axis} of shape {x.shape}")
    index = index.detach()
    return index if low >= 0 else (index + size).where(index < 0, index)


def advanced(x: Tensor, key: tuple[Any, ...]) -> Tensor:
    """Return x[key] for a key with integer arrays, boolean masks or tensors in it, with NumPy's rules.

    The slices are applied first. Then the indexed axes are brought to the front and joined into one, of which the
    combined positions are taken; last, the new axes go where NumPy puts them: in place of the indexed axes if these
    were side by side, else to the front.
    """
    parts = _expanded(x, key)
    basic = tuple(slice(None) if isinstance(part, Node.tensor_type) else part for part in parts)
    if not any(isinstance(part, Node.tensor_type) for part in parts):
        return x[basic]
    y = x[basic]
    index_parts = [(i, part) for i, part in enumerate(parts) if isinstance(part, Node.tensor_type)]
    axes = [i for i, _ in index_parts]
    indices = [positions(y, part, i) for i, part in index_parts]
    if len(axes) == 1:
        return y.take(indices[0], axes[0])
    rest = [i for i in range(y.ndim) if i not in axes]
    sizes = [y.shape[i] for i in axes]
    joined = y.permute(*axes, *rest).reshape((int(np.prod(sizes)), *(y.shape[i] for i in rest)))
    combined = indices[0]
    for index, size in zip(indices[1:], sizes[1:], strict=True):
        combined = combined * size + index
    taken = joined.take(combined, 0)
    side_by_side = axes == list(range(axes[0], axes[0] + len(axes)))
    if not side_by_side or axes[0] == 0:
        return taken
    new, before = combined.ndim, axes[0]
    order = [*range(new, new + before), *range(new), *range(new + before, taken.ndim)]
    return taken.permute(order)


def _expanded(x: Tensor, key: tuple[Any, ...]) -> list[Any]:
    """Return one part per axis of the result: a slice, None, or an int64 tensor for every kind of integer index."""
    parts: list[Any] = []
    for part in key:
        if part is None or part is Ellipsis or isinstance(part, slice):
            parts.append(part)
            continue
        if isinstance(part, bool | np.bool_):
            raise IndexRangeError("a single bool is no index; use a bool tensor with the shape of the leading axes")
        array = part.numpy() if isinstance(part, Node.tensor_type) else np.asarray(part)
        if array.dtype == np.bool_:
            parts.extend(_nonzero(x, parts, array))
        elif array.size and array.dtype.kind not in "iu":
            raise DTypeError(f"an index must be an int, slice, None, or integers or bools, not {array.dtype}")
        else:
            parts.append(part if isinstance(part, Node.tensor_type) else x._operand(array.astype(np.int64)))
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > x.ndim:
        raise IndexRangeError(f"{used} indices are too many for a tensor with {x.ndim} axes (shape {x.shape})")
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    return parts[:at] + [slice(None)] * (x.ndim - used) + parts[at + 1 :]


def _nonzero(x: Tensor, before: list[Any], mask: np.ndarray) -> list[Tensor]:
    start = sum(part is not None for part in before)
    if Ellipsis not in before and mask.shape != x.shape[start : start + mask.ndim]:
        raise IndexRangeError(f"a mask of shape {mask.shape} does not fit the axes it selects from in {x.shape}")
    return [x._operand(where.astype(np.int64)) for where in np.nonzero(mask)]
