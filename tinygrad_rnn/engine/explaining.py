"""What went wrong when an op was applied, in words that name the op, the scope, what was given and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_rnn.engine.graph import Node, Op
from tinygrad_rnn.engine.modes import modes, scope_suffix
from tinygrad_rnn.errors import DeviceError, DTypeError, IndexRangeError, ShapeError

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor


def misapplied(op: Any, inputs: tuple[Any, ...]) -> DTypeError:
    """Return the error for what is no op, or is not applied to tensors."""
    if not (isinstance(op, Op) or (isinstance(op, type) and issubclass(op, Op))):
        given = op.__name__ if isinstance(op, type) else f"a {type(op).__name__}"
        return DTypeError(f"apply: the first argument is a subclass of tg.Op, not {given}")
    if not inputs:
        return DTypeError(f"{op.name}: apply it to at least one tensor: tg.apply({type(op).__name__}, x)")
    position = next(i for i, x in enumerate(inputs) if not isinstance(x, Node.tensor_type))
    return DTypeError(
        f"{op.name}: input {position} must be a tensor, not {type(inputs[position]).__name__}; pass tg.tensor(...), or "
        "give what is no tensor by keyword"
    )


def mixed_devices(op: type[Op], inputs: tuple[Tensor, ...]) -> DeviceError:
    """Return the error for inputs that are on different devices."""
    return DeviceError(f"{op.name}: the inputs are on {' and '.join(x.device for x in inputs)}; move them with .to()")


def explained(op: type[Op], inputs: tuple[Tensor, ...], attrs: dict[str, Any], error: Exception) -> Exception:
    """Turn what a kernel raised into an error that names the op, the scope, the shapes and what to do."""
    given = ", ".join(f"{name}={value}" for name, value in attrs.items())
    where = (f" with {given}" if given else "") + scope_suffix(modes.scope)
    if isinstance(error, TypeError):
        seen = " and ".join(str(x.dtype) for x in inputs[:4])
        return DTypeError(f"{op.name}: cannot work on {seen}{where}: {error}")
    seen = " and ".join(str(x.shape) for x in inputs[:4]) + (" ..." if len(inputs) > 4 else "")
    text = f"{op.name}: cannot work on shape{'s' if len(inputs) > 1 else ''} {seen}{where}: {op.hint or error}"
    return IndexRangeError(text) if isinstance(error, IndexError) else ShapeError(text)
