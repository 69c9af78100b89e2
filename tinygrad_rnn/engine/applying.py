"""`apply`, the only way an op runs, and what it checks of an op that is somebody's own."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn import backends, dtypes
from tinygrad_rnn.engine import ops
from tinygrad_rnn.engine.explaining import explained, misapplied, mixed_devices
from tinygrad_rnn.engine.graph import Edge, Node, Op, next_serial
from tinygrad_rnn.engine.modes import modes, scope_suffix
from tinygrad_rnn.errors import DTypeError

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor

_new = object.__new__
_To = ops.To


def apply(op: type[Op], *inputs: Tensor, **attrs: Any) -> Any:
    """Run an op on tensors and, if a gradient may be wanted, remember how: the only way an op runs.

    Args:
        op: the op's class (see `Op` for how to write one).
        inputs: tensors, all on one device.
        attrs: what else the op's forward takes; its vjp finds it in `node.attrs`.

    Returns:
        A Tensor, or a tuple of them if the op has several outputs.

    Raises:
        ShapeError, IndexRangeError, DTypeError: the op's kernel rejected the shapes, an index or the dtypes.
        DTypeError: what is given is no op or no tensor, or an op of your own returned something else than arrays.
        DeviceError: the inputs are on different devices.
    """
    needs_grad = False
    try:
        may_share = op.may_share
        if len(inputs) == 2:  # the two usual cases, unrolled: this function runs hundreds of times per training step
            first, second = inputs
            node, other = first._node, second._node
            backend = node.backend
            if other.backend is not backend:
                raise mixed_devices(op, inputs)
            arrays: Any = (first._data, second._data)
            needs_grad = node.requires_grad or other.requires_grad
        elif len(inputs) == 1:
            first = inputs[0]
            backend = first._node.backend
            arrays = (first._data,)
            needs_grad = first._node.requires_grad
        else:
            backend = inputs[0]._node.backend
            arrays = [x._data for x in inputs]
            for x in inputs:
                needs_grad = needs_grad or x._node.requires_grad
                if x._node.backend is not backend:
                    raise mixed_devices(op, inputs)
    except (AttributeError, IndexError):
        raise misapplied(op, inputs) from None
    try:
        result = op.forward(backend, *arrays, **attrs)
    except (ValueError, IndexError, TypeError) as error:
        if isinstance(error, TypeError) and op.own:
            raise  # its own mistake, told best by its own words
        raise explained(op, inputs, attrs, error) from error
    storage = None
    if may_share and op.own:
        result, owner = own_result(op, result, arrays, backend)
        storage = None if owner is None else inputs[owner]._node.shared_storage()
        needs_grad = needs_grad and _has_float(result)
    outputs = result if type(result) is tuple else (result,)
    if may_share and not op.own and outputs and backend.shares_memory(outputs[0], arrays[0]):
        storage = inputs[0]._node.shared_storage()  # these have one input, and all their outputs lie in it or none
    if op is _To:
        backend = backends.get(attrs["device"])
    if needs_grad and op.differentiable and modes.grad_enabled:
        if len(inputs) == 2:
            parents: tuple[Edge, ...] = ((node, first._index), (other, second._index))
        else:
            parents = tuple([(x._node, x._index) for x in inputs])
        node = Node(outputs, backend, op, attrs, parents, True, modes.scope, next_serial())
    else:
        node = Node(outputs, backend)
    if storage is not None:
        node.storage = storage
    if modes.recorders:
        node.serial = node.serial or next_serial()
        for recorder in modes.recorders:
            recorder.op(node, inputs, op, attrs)
    if outputs is result:
        return tuple([Node.tensor_type._from_edge(node, i) for i in range(len(outputs))])
    handle = _new(Node.tensor_type)
    handle._node = node
    handle._index = 0
    handle._data = result
    return handle


def own_result(op: type[Op], result: Any, arrays: Sequence[Any], backend: ModuleType) -> tuple[Any, int | None]:
    """Return what somebody's own op computed, and the position of the input in whose memory it lies, or None.

    A node has one such input: an output that lies in the memory of another one than those before it becomes a copy.

    Raises:
        DTypeError: the op returned something else than arrays.
    """
    result = _checked(op, result, backend)
    found, outputs = None, []
    for output in result if type(result) is tuple else (result,):
        owner = next((i for i, array in enumerate(arrays) if backend.shares_memory(output, array)), None)
        found = owner if found is None else found
        stays = owner is None or found is None or backend.shares_memory(arrays[owner], arrays[found])
        outputs.append(output if stays else backend.copy(output))
    return tuple(outputs) if type(result) is tuple else outputs[0], found


def _checked(op: type[Op], result: Any, backend: ModuleType) -> Any:
    """Return what the forward of somebody's own op returned; DTypeError unless it is an array, or a tuple of them."""
    if type(result) is tuple and result:
        return tuple([_checked(op, output, backend) for output in result])
    if isinstance(result, np.generic) and backend.Array is np.ndarray:
        result = np.asarray(result)  # what NumPy makes of an array without axes
    where = f"{op.name}: forward{scope_suffix(modes.scope)} returned "
    if type(result) is not backend.Array:
        what = "None (is its `return` missing?)" if result is None else f"a {type(result).__name__}"
        advice = "make it with the backend's kernels"
        if backend.Array is np.ndarray:
            advice = "make it with NumPy or the backend's kernels"
        elif isinstance(result, np.ndarray):
            advice = "make it with the backend's kernels, or move it there with backend.from_numpy"
        raise DTypeError(f"{where}{what}; return an array of device {backend.device!r} ({advice}), or a tuple of them")
    if result.dtype not in (dtypes.float32, dtypes.float64, dtypes.int64, dtypes.bool_):
        raise DTypeError(
            f"{where}an array of dtype {result.dtype}; return float32, float64, int64 or bool, for example "
            "array.astype(x.dtype)"
        )
    return result


def _has_float(result: Any) -> bool:
    """Return whether an op's result can have a gradient."""
    return any(dtypes.is_float(output.dtype) for output in (result if type(result) is tuple else (result,)))
