"""Gradient clipping, by the norm of all gradients together or by the value of every element."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import minimum, stack, tensor
from tinygrad_rnn.engine.modes import no_grad, scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.optim.parameters import tensors

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@no_grad()
@scope("clipping")
def clip_grad_norm_(params: Tensor | Iterable[Tensor], max_norm: float, *, error_if_nonfinite: bool = False) -> Tensor:
    """Scale all gradients together so that their joint L2 norm is at most max_norm (Pascanu et al. 2013).

    Replaces each `.grad`. As in PyTorch the factor is min(1, max_norm / (norm + 1e-6)). With max_norm=inf it only
    measures. Squares that overflow or underflow do no harm: the norm is infinite or NaN only if a gradient is, or if it
    is itself beyond all float64. Then finite gradients become 0 (NaN if the norm is) and infinite ones NaN, as in
    PyTorch: look at the norm before you step, or ask for an error.

    Args:
        params: one parameter or several; those without a gradient are left out.
        max_norm: the largest norm that is left as it is. A 0-d tensor is not looked at, and may change between the
            replays of a recorded step.
        error_if_nonfinite: look at the norm, which waits for a device, and raise an error before any gradient is
            changed if it is infinite or NaN.

    Returns:
        The norm before clipping, a 0-d float64 tensor; 0 if no parameter has a gradient.

    Raises:
        InputError: max_norm is negative or not a number; or the norm is not finite and that shall be an error.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.clip_grad_norm_([w], 1.0).item(), round(w.grad[0].item(), 4)
    (10.0, 0.6)
    """
    limit = _limit("max_norm", max_norm, "a number >= 0, or inf to clip nothing")
    parameters = _one_or_many(params, "clip_grad_norm_")
    with_grad = [(p, p.grad) for p in parameters if p.grad is not None]
    if not with_grad:
        return tensor(0.0, "float64", device=parameters[0].device if parameters else "cpu")
    norm = stack([g._length() for _, g in with_grad])._length()
    if error_if_nonfinite and not math.isfinite(norm.item()):
        raise InputError(
            f"clip_grad_norm_: the norm of the gradients is {norm.item()}, so they cannot be scaled; "
            "tg.detect_anomaly() finds where that begins"
        )
    if not isinstance(limit, Tensor) and limit == math.inf:
        return norm
    scale = minimum(limit / (norm + 1e-6), 1.0)  # no branch: a recorded step clips when it is replayed, too
    for p, g in with_grad:
        p.grad = g * scale.cast(g.dtype)
    return norm


@no_grad()
@scope("clipping")
def clip_grad_value_(params: Tensor | Iterable[Tensor], clip_value: float | Tensor) -> None:
    """Limit every element of every gradient to [-clip_value, clip_value]; replaces each `.grad`.

    A 0-d tensor is not looked at, as in `clip_grad_norm_`.

    Raises:
        InputError: clip_value is negative or not a number.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([3.0, -0.25], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    limit = _limit("clip_value", clip_value, "a number >= 0")
    for p in _one_or_many(params, "clip_grad_value_"):
        if p.grad is not None:
            high = limit.to(p.device, p.dtype) if isinstance(limit, Tensor) else limit
            p.grad = p.grad.clip(-high, high)


def _limit(name: str, value: Any, what: str) -> float | Tensor:
    """Return a limit of clipping: a 0-d tensor as it is, a number checked."""
    if isinstance(value, Tensor) and value.ndim == 0:
        return value.detach()
    return arguments.number(name, value, f"{what}, or a 0-d tensor of one", lambda n: n >= 0)


def _one_or_many(params: Any, what: str) -> list[Tensor]:
    return [params] if isinstance(params, Tensor) else tensors(params, what)
