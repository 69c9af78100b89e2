"""Integer-array and boolean indexing, composed of basic slices, `take` and movement.

Positions in lists, NumPy arrays and CPU tensors are checked, and then brought to the device of what they select from.
Positions in a tensor on another device are not: looking at them would wait for the device. Kernels never touch memory
outside an array, so what is read at a position outside is NaN (0 of an integer or bool tensor), and it gets no
gradient. A boolean mask is always looked at, since the shape of the result depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.graph import Node
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.engine.recorder import Made, Range
from tinygrad_rnn.errors import DTypeError, IndexRangeError

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor


def positions(x: Tensor, index: Any, axis: int, within: Range | None = None) -> Tensor:
    """Return an index along an axis of x as an int64 tensor beside x; negative positions count from the end.

    Args:
        within: which positions are fine, unless all that are inside x.

    Raises:
        DTypeError: the index is not of integers.
        IndexRangeError: a position is outside, where that can be seen without waiting for a device.
    """
    return _positions(x, _of_program(index), axis, within)


def _of_program(index: Any) -> Any:
    """Return an index; recorders take a list for written in the program, and what else is no tensor for data."""
    if not isinstance(index, Node.tensor_type | list | tuple | range | int):
        for recorder in modes.recorders:
            recorder.outside(f"an index that is of type {type(index).__name__}")
    return index


def _positions(x: Tensor, index: Any, axis: int, within: Range | None = None, from_start: bool = False) -> Tensor:
    """Do what `positions` does; with `from_start` negative positions become others that count from the start."""
    if not isinstance(index, Node.tensor_type):
        given = np.asarray(index)
        index = np.asarray(given, dtypes.of_array(given) if given.size else dtypes.int64)
    if index.dtype != dtypes.int64:
        raise DTypeError(f"positions must be integers, not {index.dtype}; use .cast('int64')")
    size = x.shape[axis]
    if within is None:
        within = Range(-size, size, None, f"position {{}} is out of range for axis {axis} of shape {x.shape}")
    known = checked(index, within)
    if isinstance(index, np.ndarray):
        index = np.where(index < 0, index + size, index) if from_start else index
        return x._beside(index, Made("tensor", {"data": index.tolist()}) if modes.recorders else None)
    index = index.detach()
    if from_start:
        index = (index + size).where(index < 0, index)
    return index.to(x.device) if known else index


def at_hand(index: Any) -> np.ndarray | None:
    """Return the values of an array or a tensor, or None where looking at them would wait for a device."""
    if isinstance(index, np.ndarray):
        return index
    return index._node.values(index._index) if index.device == "cpu" else None


def checked(numbers: Tensor | np.ndarray, within: Range) -> bool:
    """Return whether whole numbers can be looked at without waiting for a device; then they are checked.

    Raises:
        IndexRangeError: one is not in the range.
    """
    values = at_hand(numbers)
    if values is None:
        return False
    within.check(values)
    if isinstance(numbers, Node.tensor_type):
        for recorder in modes.recorders:
            recorder.checked(numbers, within)
    return True


def inside(index: Tensor, size: int) -> Tensor:
    """Return a bool tensor that tells which positions, counted from the start, lie within 0 and size - 1."""
    return (index >= 0).minimum(index < size)


_BASIC = (int, slice, type(None), type(Ellipsis))


def advanced(x: Tensor, key: tuple[Any, ...]) -> Tensor:
    """Return x[key] for a key with integer arrays, boolean masks or tensors in it, with NumPy's rules.

    The slices are applied first. Then the indexed axes are brought to the front and joined into one, of which the
    combined positions are taken; last, the new axes go where NumPy puts them: in place of the indexed axes if these
    were side by side, else to the front.

    Raises:
        IndexRangeError: the index arrays do not broadcast to one shape, or a position is outside its axis.
    """
    key = tuple(int(part) if isinstance(part, np.integer) else part for part in key)
    if all(type(part) in _BASIC for part in key):
        return x[key]
    parts = _expanded(x, key)
    index_parts = [(i, part) for i, part in enumerate(parts) if part is not None and not isinstance(part, slice)]
    axes = [i for i, _ in index_parts]
    y = x[tuple(slice(None) if i in axes else part for i, part in enumerate(parts))]
    indices = [_positions(y, part, i, from_start=len(axes) > 1) for i, part in index_parts]
    try:
        np.broadcast_shapes(*(index.shape for index in indices))
    except ValueError:
        shapes = " and ".join(str(index.shape) for index in indices)
        raise IndexRangeError(f"index arrays of shapes {shapes} do not broadcast to one shape") from None
    if len(axes) == 1:
        return y._take(indices[0], axes[0])
    rest = [i for i in range(y.ndim) if i not in axes]
    sizes = [y.shape[i] for i in axes]
    joined = y.permute(*axes, *rest).reshape((int(np.prod(sizes)), *(y.shape[i] for i in rest)))
    combined = indices[0]
    for index, size in zip(indices[1:], sizes[1:], strict=True):
        combined = combined * size + index
    if any(at_hand(part) is None for _, part in index_parts):  # a position outside its axis may look like one inside
        for index, size in zip(indices, sizes, strict=True):
            combined = combined.where(inside(index, size), joined.shape[0])
    taken = joined._take(combined, 0)
    indexed = [i for i, part in enumerate(key) if not (part is None or part is Ellipsis or isinstance(part, slice))]
    side_by_side = indexed[-1] - indexed[0] == len(indexed) - 1
    if not side_by_side or axes[0] == 0:
        return taken
    new, before = combined.ndim, axes[0]
    order = [*range(new, new + before), *range(new), *range(new + before, taken.ndim)]
    return taken.permute(order)


def _expanded(x: Tensor, key: tuple[Any, ...]) -> list[Any]:
    """Return one part per axis of the result: a slice, None, or int64 positions for every kind of integer index."""
    parts = [part if part is None or isinstance(part, slice) or part is Ellipsis else _array(part) for part in key]
    ellipses = sum(part is Ellipsis for part in parts)
    if ellipses > 1:
        raise IndexRangeError("an index can have a single ellipsis (...)")
    used = sum(_axes_used(part) for part in parts)
    if used > x.ndim:
        raise IndexRangeError(f"{used} indices are too many for a tensor with {x.ndim} axes (shape {x.shape})")
    expanded: list[Any] = []
    axis = 0
    for part in parts if ellipses else [*parts, Ellipsis]:
        if part is Ellipsis:
            expanded.extend([slice(None)] * (x.ndim - used))
            axis += x.ndim - used
        elif isinstance(part, np.ndarray) and part.dtype == np.bool_:
            if part.shape != x.shape[axis : axis + part.ndim]:
                raise IndexRangeError(
                    f"a mask of shape {part.shape} does not fit the axes it selects from, "
                    f"{x.shape[axis : axis + part.ndim]} in a tensor of shape {x.shape}"
                )
            expanded.extend(where.astype(np.int64) for where in np.nonzero(part))
        else:
            expanded.append(part)
        axis += 0 if part is Ellipsis else _axes_used(part)
    return expanded


def _array(part: Any) -> Any:
    """Return an integer or boolean index as an array, or as the int64 tensor that it is; DTypeError for any other."""
    if isinstance(part, Node.tensor_type) and part.dtype == np.int64:
        return part
    array = part.numpy() if isinstance(part, Node.tensor_type) else np.asarray(_of_program(part))
    if array.dtype == np.bool_:
        if not array.ndim:
            raise IndexRangeError("a single bool is no index; use a bool tensor with the shape of the leading axes")
        return array
    if array.size and array.dtype.kind not in "iu":
        raise DTypeError(f"an index must be an int, slice, None, or integers or bools, not {array.dtype}")
    return array.astype(np.int64)


def _axes_used(part: Any) -> int:
    """Return how many axes of the indexed tensor a part of an index stands for."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == np.bool_ else 1
