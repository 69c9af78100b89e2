"""NumPy's functions called on tensors: `np.exp(x)` is `x.exp()`, a tensor in the graph.

NumPy hands such calls to the two methods here (NEP 13 and NEP 18). What has no counterpart raises an error that says
what to write; a function that is no ufunc gets the values of tensors that do not require grad.
"""

from __future__ import annotations

import inspect
import operator
from typing import Any

import numpy as np

from tinygrad_rnn.engine.graph import Node
from tinygrad_rnn.errors import DTypeError

_OPERATORS: dict[Any, Any] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.true_divide: operator.truediv,
    np.power: operator.pow, np.matmul: operator.matmul, np.negative: operator.neg, np.positive: operator.pos,
    np.absolute: operator.abs, np.equal: operator.eq, np.not_equal: operator.ne, np.less: operator.lt,
    np.less_equal: operator.le, np.greater: operator.gt, np.greater_equal: operator.ge,
    np.bitwise_and: operator.and_, np.bitwise_or: operator.or_, np.bitwise_xor: operator.xor,
}  # fmt: skip
#: Functions whose name and meaning are those of a method.
_METHODS: set[Any] = {
    np.exp, np.expm1, np.log, np.log1p, np.sqrt, np.square, np.reciprocal, np.sign, np.floor, np.tanh, np.sin, np.cos,
    np.maximum, np.minimum, np.logical_not,
    np.sum, np.mean, np.max, np.min, np.prod, np.cumsum, np.argmax, np.argmin,
}  # fmt: skip
_ATTRIBUTES: set[Any] = {np.shape, np.ndim, np.size}


def ufunc_call(self: Any, ufunc: Any, how: str, *inputs: Any, **options: Any) -> Any:
    """Run NumPy's elementwise function as the tensor's own (`__array_ufunc__`); DTypeError if it has none such."""
    tensors = [x if isinstance(x, Node.tensor_type) else self._operand(x) for x in inputs]
    call = _OPERATORS.get(ufunc) or (ufunc in _METHODS and getattr(type(self), ufunc.__name__, None))
    if not call or how != "__call__" or options:
        name = ufunc.__name__ if how == "__call__" else f"{ufunc.__name__}.{how}"
        given = "".join(f", {option}=..." for option in options)
        raise DTypeError(
            f"np.{name}(tensor{given}) has no counterpart among tensors; use their own methods and operators, or "
            f"leave the graph with np.{name}(x.numpy(){given})"
        )
    return call(*tensors)


def function_call(self: Any, function: Any, types: Any, args: Any, options: Any) -> Any:
    """Run NumPy's reductions as the tensor's own, and any other function on values (`__array_function__`)."""
    call = function in _METHODS and getattr(type(self), function.__name__, None)
    if function in _ATTRIBUTES and len(args) == 1 and not options:
        return getattr(args[0], function.__name__)
    if call and args and isinstance(args[0], Node.tensor_type):
        x, *_ = args
        given = dict(inspect.signature(function).bind(*args, **options).arguments)
        given.pop(next(iter(given)))
        kept = {name: value for name, value in given.items() if value is not None or name == "axis"}
        if kept.keys() <= {"axis", "keepdims", "dtype"}:
            if "dtype" in kept and function not in (np.sum, np.prod, np.mean, np.cumsum):
                kept["dtype"] = None
            if function is np.cumsum and kept.get("axis") is None:
                x, kept = x.reshape(-1), kept | {"axis": 0}  # NumPy adds up the flattened array
            return call(x, **kept)
    return function(*_values(args), **_values(options))


def _values(given: Any) -> Any:
    """Return arguments with arrays in place of tensors; GraphError for one that requires grad."""
    if isinstance(given, dict):
        return {key: _values(value) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [_values(value) for value in given]
    return np.asarray(given) if isinstance(given, Node.tensor_type) else given
