"""What optimizers and clipping take: tensors, and of those leaves that are floats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_rnn.dtypes import is_float
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError

__all__ = ["leaves", "tensors"]


def tensors(params: Any, what: str) -> list[Tensor]:
    """Return parameters as a list; InputError unless they are an iterable of tensors."""
    if hasattr(params, "parameters") or not isinstance(params, Iterable):
        raise InputError(f"{what}: parameters must be tensors, not {type(params).__name__}; pass module.parameters()")
    found = list(params)
    for p in found:
        if not isinstance(p, Tensor):
            raise InputError(
                f"{what}: parameters must be tensors, not {type(p).__name__}; pass module.parameters(), or a dict "
                "with params for each group of parameters that learns in its own way, and nothing else beside"
            )
    return found


def leaves(params: Any, what: str) -> list[Tensor]:
    if isinstance(params, Tensor):
        raise InputError(f"{what}: parameters must come in a list, as [w] for a single one")
    found = tensors(params, what)
    if not found:
        raise InputError(
            f"{what}: there are no parameters to optimize; pass module.parameters(). A module finds those of modules "
            "in its attributes, but not in a plain list or dict: for that there are nn.ModuleList and nn.ModuleDict"
        )
    for p in found:
        if not p.is_leaf:
            raise InputError(f"{what}: only leaves can be optimized, not the result of an op (shape {p.shape})")
        if not is_float(p.dtype):
            raise InputError(f"{what}: only floats can be optimized, not a tensor of {p.dtype} (shape {p.shape})")
    if len({id(p) for p in found}) != len(found):
        raise InputError(f"{what}: a parameter comes twice and would be updated twice; pass each once")
    return found
