"""Which function of this library answers which entry of PyTorch's list of ops."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F

#: Entries that answer to another name here, or to an operator.
RENAMED: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "true_divide": operator.truediv,
    "neg": operator.neg,
    "positive": operator.pos,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "mm": operator.matmul,
    "mv": operator.matmul,
    "dot": operator.matmul,
    "bmm": operator.matmul,
    "__radd__": lambda x, other: other + x,
    "__rsub__": lambda x, other: other - x,
    "__rmul__": lambda x, other: other * x,
    "__rdiv__": lambda x, other: other / x,
    "__rpow__": lambda x, other: other**x,
    "__rmatmul__": lambda x, other: other @ x,
    "__getitem__": operator.getitem,
    "T": lambda x: x.T,
    "split_with_sizes": tg.split,
    "unsafe_split": tg.split,
    "unsafe_chunk": tg.chunk,
    "amax": tg.max,
    "amin": tg.min,
    "clamp_min": tg.clip,
    "clamp_max": lambda x, high: tg.clip(x, None, high),
    "einsum": lambda tensors, equation: tg.einsum(equation, *tensors),
    "index_select": lambda x, axis, index: tg.take(x, index, axis),
    "where": tg.Tensor.where,  # the samples are those of the method
    "nn.functional.embedding": lambda weight, ids, **options: F.embedding(ids, weight, **options),
}


def ours(name: str) -> Callable[..., Any] | None:
    """Return our function for the name of an entry, or None."""
    if name in RENAMED:
        return RENAMED[name]
    if name.startswith("nn.functional."):
        return getattr(F, name.removeprefix("nn.functional."), None)
    if "." in name or name.startswith("_"):
        return None
    for room in (tg, tg.Tensor, F):
        found = getattr(room, name, None)
        if callable(found):
            return found
    return None
