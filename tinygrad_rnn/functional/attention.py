"""What attention is made of beside its scores: which positions count, weights that sum to 1, and a penalty on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn.engine import indexing
from tinygrad_rnn.engine.creation import arange, stack, zeros
from tinygrad_rnn.engine.recorder import Range
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, ShapeError
from tinygrad_rnn.functional.layers import check_tensors
from tinygrad_rnn.functional.losses import reduced


def length_mask(lengths: Tensor, steps: int, device: str | None = None) -> Tensor:
    """Return which of the positions of padded sequences are within their lengths.

    Args:
        lengths: int64 (B,), or () for a single sequence, each from 1 to `steps`.
        steps: T, the length they are padded to.
        device: where the result is; that of the lengths unless given.

    Returns:
        bool (B, T), or (T,): True at position t where t < length.

    Raises:
        InputError: steps is no whole number.
        DTypeError: the lengths are no int64 tensor.
        ShapeError: they have more than one axis.
        IndexRangeError: a length is below 1 or above T, where that can be seen without waiting for a device.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.length_mask(tg.tensor([2, 3]), 3).tolist()
    [[True, True, False], [True, True, True]]
    """
    check_tensors("length_mask", lengths=lengths)
    steps = arguments.whole("length_mask: steps", steps, 0)
    if lengths.dtype != "int64":
        raise DTypeError(f"length_mask: lengths must be int64, not {lengths.dtype}; use .cast('int64')")
    if lengths.ndim > 1:
        raise ShapeError(f"length_mask: lengths must be (B,), one for each sequence, not {lengths.shape}")
    message = f"length_mask: the length {{}} is not within 1 and {steps}, the number of positions there are"
    indexing.checked(lengths, Range(1, steps + 1, None, message))
    device = device or lengths.device
    return arange(steps, device=device) < lengths.to(device).unsqueeze(-1)


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the softmax along the last axis over those places alone where the mask is True; elsewhere it is exactly 0.

    Args:
        scores: (..., T); what stands in masked places does not matter, be it NaN, and gets a gradient of 0.
        mask: bool, of a shape that broadcasts to that of scores; where it leaves no place the result is NaN.
            Without it this is softmax.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.masked_softmax(tg.tensor([0.0, 5.0, 0.0]), tg.tensor([True, False, True])).tolist()
    [0.5, 0.0, 0.5]
    """
    check_tensors("masked_softmax", scores=scores, mask=scores if mask is None else mask)
    return (scores if mask is None else scores.where(mask, -float("inf"))).softmax(-1)


def doubly_stochastic_penalty(
    weights: Tensor | Sequence[Tensor], strength: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Return strength * sum_i (1 - sum_t alpha_ti)^2: what attention costs that passes over some of the positions.

    The weights of one step sum to 1 over the positions; this asks that those of one position sum to 1 over the steps,
    too (Xu et al. 2015, section 4.2.1).

    Args:
        weights: (T, B, L), the weights alpha of T steps over L positions, or a sequence of T tensors (B, L).
        strength: lambda.
        reduction: over the examples: "mean", "sum" or "none" (then (B,)).

    Raises:
        ShapeError: there are no steps.
        InputError: the strength is no number >= 0, or the reduction is unknown.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.doubly_stochastic_penalty([tg.tensor([[1.0, 0.0]]), tg.tensor([[1.0, 0.0]])]).item()
    2.0
    """
    strength = arguments.not_negative("doubly_stochastic_penalty: strength", strength)
    what = "doubly_stochastic_penalty"
    steps: Any = weights
    if isinstance(weights, list | tuple):
        for t, step in enumerate(weights):
            check_tensors(what, **{f"weights[{t}]": step})
        steps = stack(weights) if weights else zeros(0, 0, 0)
    check_tensors(what, weights=steps)
    if steps.ndim < 2:
        raise ShapeError(f"{what}: the weights must be (T, B, L), not {steps.shape}")
    if not len(steps):
        raise ShapeError(f"{what}: there are no steps, so no weights to add up")
    missing = 1.0 - steps.sum(0)
    return reduced((missing * missing).sum(-1) * strength, reduction)
