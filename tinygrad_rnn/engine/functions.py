"""The methods of `Tensor` as functions: `tg.exp(x)` is `x.exp()`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tinygrad_rnn.engine.creation import maximum, minimum
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError

__all__ = [
    "abs", "all", "any", "argmax", "argmin", "broadcast_to", "chunk", "clamp", "clip", "cos", "cumsum", "exp", "expm1",
    "flatten", "flip", "floor", "isfinite", "isnan", "log", "log1p", "log_softmax", "logsumexp", "masked_fill",
    "matmul", "max", "mean", "min", "norm", "permute", "pow", "prod", "reciprocal", "relu", "reshape", "sigmoid",
    "sign", "sin", "softmax", "split", "sqrt", "square", "squeeze", "std", "sum", "take", "tanh", "transpose", "tril",
    "triu", "unbind", "unsqueeze", "var",
]  # fmt: skip


def _function(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(x, Tensor):
            name = method.__name__
            raise DTypeError(f"{name}: expected a tensor, not {type(x).__name__}; write tg.{name}(tg.tensor(...))")
        return method(x, *args, **kwargs)

    return call


abs = _function(Tensor.abs)
all = _function(Tensor.all)
any = _function(Tensor.any)
argmax = _function(Tensor.argmax)
argmin = _function(Tensor.argmin)
broadcast_to = _function(Tensor.broadcast_to)
chunk = _function(Tensor.chunk)
clamp = _function(Tensor.clamp)
clip = _function(Tensor.clip)
cos = _function(Tensor.cos)
cumsum = _function(Tensor.cumsum)
exp = _function(Tensor.exp)
expm1 = _function(Tensor.expm1)
flatten = _function(Tensor.flatten)
flip = _function(Tensor.flip)
floor = _function(Tensor.floor)
isfinite = _function(Tensor.isfinite)
isnan = _function(Tensor.isnan)
log = _function(Tensor.log)
log1p = _function(Tensor.log1p)
log_softmax = _function(Tensor.log_softmax)
logsumexp = _function(Tensor.logsumexp)
masked_fill = _function(Tensor.masked_fill)
matmul = _function(Tensor.matmul)
mean = _function(Tensor.mean)
norm = _function(Tensor.norm)
permute = _function(Tensor.permute)
pow = _function(Tensor.pow)
prod = _function(Tensor.prod)
reciprocal = _function(Tensor.reciprocal)
relu = _function(Tensor.relu)
reshape = _function(Tensor.reshape)
sigmoid = _function(Tensor.sigmoid)
sign = _function(Tensor.sign)
sin = _function(Tensor.sin)
softmax = _function(Tensor.softmax)
split = _function(Tensor.split)
sqrt = _function(Tensor.sqrt)
square = _function(Tensor.square)
squeeze = _function(Tensor.squeeze)
std = _function(Tensor.std)
sum = _function(Tensor.sum)
take = _function(Tensor.take)
tanh = _function(Tensor.tanh)
transpose = _function(Tensor.transpose)
tril = _function(Tensor.tril)
triu = _function(Tensor.triu)
unbind = _function(Tensor.unbind)
unsqueeze = _function(Tensor.unsqueeze)
var = _function(Tensor.var)

_max, _min = _function(Tensor.max), _function(Tensor.min)


def max(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return x.max(axis, keepdims); of two tensors the larger elements, as in torch: `maximum`."""
    two = len(args) == 1 and isinstance(args[0], Tensor)
    return maximum(x, args[0]) if two else _max(x, *args, **kwargs)


def min(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return x.min(axis, keepdims); of two tensors the smaller elements, as in torch: `minimum`."""
    two = len(args) == 1 and isinstance(args[0], Tensor)
    return minimum(x, args[0]) if two else _min(x, *args, **kwargs)
