"""Functions composed of tensor methods: activations, losses, and what the layers of `nn` compute.

They keep no state, so a layer is a function of this file with its parameters attached. Several look longer than their
textbook formula: the textbook form overflows, or has a wrong derivative at 0 (each says why).

Ids (of classes, of rows) may be on the CPU although the rest is on another device: then they are checked before they
are moved there. Those on another device are not looked at, which would wait for it; what an id out of range gives
instead of an error is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn.engine import indexing, methods
from tinygrad_rnn.engine.creation import arange, rand, zeros_like
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, IndexRangeError, InputError, ShapeError

__all__ = [
    "REDUCTIONS", "binary_cross_entropy_with_logits", "check_probability", "check_reduction", "cross_entropy",
    "dropout", "elu", "embedding", "huber_loss", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax",
    "logsumexp", "mse_loss", "nll_loss", "one_hot", "relu", "sigmoid", "softmax", "softplus", "tanh",
]  # fmt: skip


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__

softmax = methods.softmax
log_softmax = methods.log_softmax
logsumexp = methods.logsumexp

# ---- activations ----------------------------------------------------------------------------------------------


def relu(x: Tensor) -> Tensor:
    """Return max(0, x); its derivative at 0 is 0."""
    return x.relu()


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return x.tanh()


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x))."""
    return x.sigmoid()


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Return x where it is positive and negative_slope * x elsewhere (Maas et al. 2013).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.leaky_relu(tg.tensor([-2.0, 3.0]), 0.5).tolist()
    [-1.0, 3.0]
    """
    return x.where(x > 0, x * negative_slope)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x where it is positive and alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.elu(tg.tensor([-100.0, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 3.0]
    """
    positive = x > 0
    below = x.where(positive.logical_not(), 0.0)  # exp never sees a positive number, which could overflow
    return x.where(positive, alpha * below.expm1())


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)), the smooth approximation of relu, without overflow.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.softplus(tg.tensor([-1000.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """
    return _positive_part(x) + _log_one_plus_exp_of_minus_abs(x)


def _positive_part(x: Tensor) -> Tensor:
    """relu(x), with derivative 1 at 0: so that softplus gets 1/2 there, and 1/4 as its second derivative."""
    return x.where(x >= 0, 0.0)


def _log_one_plus_exp_of_minus_abs(x: Tensor) -> Tensor:
    magnitude = x.where(x >= 0, -x)  # abs(x), with derivative 1 at 0 (see _positive_part)
    return (-magnitude).exp().log1p()


# ---- layers ---------------------------------------------------------------------------------------------------


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias.

    Args:
        x: (..., in_features).
        weight: (out_features, in_features), as in PyTorch.
        bias: (out_features,), or None.

    Returns:
        (..., out_features).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.linear(tg.tensor([1.0, 2.0]), tg.tensor([[3.0, 4.0]]), tg.tensor([0.5])).tolist()
    [11.5]
    """
    product = x @ weight.T
    return product if bias is None else product + bias


def embedding(ids: Any, weight: Tensor) -> Tensor:
    """Return the rows of weight (V, E) at integer ids of any shape S: (*S, E).

    Raises:
        IndexRangeError: an id is not within 0 and V - 1. On a device nobody looks: such an id gives a row of NaN.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.embedding(tg.tensor([1, 0, 1]), tg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
    """
    values = indexing.at_hand(ids if isinstance(ids, Tensor) else np.asarray(ids))
    if values is None:
        ids = ids.where(ids >= 0, weight.shape[0])  # outside; `take` would count from the end
    elif values.size and values.dtype.kind == "i" and values.min() < 0:
        raise IndexRangeError(
            f"embedding: id {values.min()} is not within 0 and {weight.shape[0] - 1}, the rows of a weight of shape "
            f"{weight.shape}"
        )
    return weight.take(ids, axis=0)


def one_hot(ids: Tensor, num_classes: int, dtype: Any = "float32") -> Tensor:
    """Return vectors that are 1 at the id and 0 elsewhere: int64 ids of shape S give (*S, num_classes).

    Unlike torch's, the result is float32 unless asked otherwise, ready to be an input. It is on the device of the ids;
    unless that is the CPU, an id out of range gives zeros.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.one_hot(tg.tensor([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    _check_tensors("one_hot", ids=ids)
    _check_class_ids(ids, num_classes, "one_hot")
    return (ids.unsqueeze(-1) == arange(num_classes, device=ids.device)).cast(dtype)


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Set each element to 0 with probability p and scale the others by 1 / (1 - p) (Srivastava et al. 2014).

    Outside training it returns x itself. The mask comes from the library's generator: `tg.manual_seed` repeats it.

    Raises:
        InputError: p is not within [0, 1].

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> sorted(set(F.dropout(tg.ones(1000), 0.75).tolist()))
    [0.0, 4.0]
    """
    check_probability(p)
    if not training or p == 0:
        return x
    keep = rand(x.shape, dtype=x.dtype, device=x.device) >= p
    return (x * (1 / (1 - p) if p < 1 else 0.0)).where(keep, 0.0)


def check_probability(p: float) -> None:
    """Raise InputError unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise InputError(f"dropout: the probability must be between 0 and 1, not {p}")


def layer_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over the last axis (Ba et al. 2016).

    Args:
        x: (..., N); the variance divides by N.
        weight, bias: (N,), or None.
        eps: keeps a constant row from dividing by 0.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.layer_norm(tg.tensor([[1.0, 3.0]]), eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    normal = centred / (variance + eps).sqrt()
    if weight is not None:
        normal = normal * weight
    return normal if bias is None else normal + bias


# ---- losses: from one loss per example to a number --------------------------------------------------------------


REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str) -> str:
    """Return the reduction; InputError unless it is "mean", "sum" or "none"."""
    if reduction not in REDUCTIONS:
        raise InputError(f"reduction {reduction!r} is unknown; use one of {', '.join(REDUCTIONS)}")
    return reduction


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    """Return the mean, the sum, or the losses as they are ("none")."""
    check_reduction(reduction)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def cross_entropy(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """Return -log softmax(logits)[target], for every example or averaged.

    Args:
        logits: (N, C), or (N, C, d1, ...) with the classes along axis 1 as in PyTorch, or (C,).
        targets: int64 class ids: (N,), (N, d1, ...) or ().
        reduction: "mean", "sum" or "none" (then the shape of targets).

    Raises:
        ShapeError, DTypeError, IndexRangeError: the targets do not fit the logits, or are not class ids. Ids on a
            device are not looked at: one that is no class gives a loss of NaN.
        InputError: unknown reduction.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.cross_entropy(tg.tensor([[0.0, 1000.0], [0.0, 1000.0]]), tg.tensor([1, 0]), reduction="none").tolist()
    [0.0, 1000.0]
    """
    _check_tensors("cross_entropy", logits=logits, targets=targets)
    rows = _class_rows(logits, targets, "cross_entropy")
    shifted = rows - rows.detach().max(1, keepdims=True)  # log-sum-exp with the maximum taken out: no overflow
    losses = methods.log_of_sum(shifted, 1) - _picked(shifted, targets)
    return _reduced(_like_targets(losses, targets), reduction)


def nll_loss(log_probs: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """Return -log_probs[target]: cross entropy for inputs that went through `log_softmax`; shapes as there.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.nll_loss(tg.tensor([[-1.0, -2.0]]), tg.tensor([1])).item()
    2.0
    """
    _check_tensors("nll_loss", log_probs=log_probs, targets=targets)
    rows = _class_rows(log_probs, targets, "nll_loss")
    return _reduced(_like_targets(-_picked(rows, targets), targets), reduction)


def _check_tensors(what: str, **arguments: Any) -> None:
    """Raise DTypeError unless all arguments are tensors."""
    for name, value in arguments.items():
        if not isinstance(value, Tensor):
            raise DTypeError(f"{what}: {name} must be a tensor, not {type(value).__name__}; pass tg.tensor({name})")


def _class_rows(scores: Tensor, targets: Tensor, what: str) -> Tensor:
    """Check that targets fit scores, and return the scores as (examples, classes)."""
    axis = min(1, scores.ndim - 1)
    if scores.ndim == 0 or scores.shape[:axis] + scores.shape[axis + 1 :] != targets.shape:
        raise ShapeError(
            f"{what}: scores of shape {scores.shape} need targets of that shape without the class axis (axis "
            f"{max(axis, 0)}), not {targets.shape}; for (T, B, C) write scores.reshape(-1, C), targets.reshape(-1)"
        )
    _check_class_ids(targets, scores.shape[axis], what)
    if scores.ndim > 2:
        scores = scores.permute(0, *range(2, scores.ndim), 1)
    return scores if scores.ndim == 2 else scores.reshape(targets.size, scores.shape[-1])


def _check_class_ids(ids: Tensor, classes: int, what: str) -> None:
    if ids.dtype != "int64":
        raise DTypeError(f"{what}: class ids must be int64, not {ids.dtype}; use .cast('int64')")
    values = indexing.at_hand(ids)
    if values is not None and values.size and not (values.min() >= 0 and values.max() < classes):
        wrong = values.min() if values.min() < 0 else values.max()
        raise IndexRangeError(f"{what}: class id {wrong} is not within 0 and {classes - 1}, for {classes} classes")


def _picked(rows: Tensor, targets: Tensor) -> Tensor:
    """Return rows[i, targets[i]] of (N, C) rows: one `take` from the flattened rows."""
    count, classes = rows.shape
    all_rows = rows.reshape(count * classes)
    flat = targets if targets.ndim == 1 else targets.reshape(count)
    checked = indexing.at_hand(targets) is not None
    if checked:
        flat = flat.to(device=rows.device)
    starts = arange(0, count * classes, classes, device=rows.device) if classes else zeros_like(flat)
    places = flat + starts
    if not checked:  # an id that is too large would read the next row
        places = places.where(indexing.inside(flat, classes), count * classes)
    return all_rows._take(places, 0)


def _like_targets(losses: Tensor, targets: Tensor) -> Tensor:
    return losses if losses.shape == targets.shape else losses.reshape(targets.shape)


def _difference(prediction: Tensor, target: Tensor, what: str) -> Tensor:
    """Return prediction - target; shapes that would broadcast are an error, since they hide a missing axis."""
    _check_tensors(what, prediction=prediction, target=target)
    if prediction.shape != target.shape:
        raise ShapeError(
            f"{what}: prediction of shape {prediction.shape} and target of shape {target.shape} must have one shape; "
            "reshape one of them (a (B, 1) prediction against a (B,) target would compare everything with everything)"
        )
    return prediction - target


def mse_loss(prediction: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return (prediction - target)**2; both of one shape.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.mse_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 0.0])).item()
    2.5
    """
    difference = _difference(prediction, target, "mse_loss")
    return _reduced(difference * difference, reduction)


def l1_loss(prediction: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return |prediction - target|; both of one shape.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.l1_loss(tg.tensor([1.0, -2.0]), tg.tensor([0.0, 0.0])).item()
    1.5
    """
    return _reduced(_difference(prediction, target, "l1_loss").abs(), reduction)


def huber_loss(prediction: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Return d**2 / 2 for |d| <= delta and delta * (|d| - delta / 2) beyond, d = prediction - target (Huber 1964).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.huber_loss(tg.tensor([1.0, 10.0]), tg.tensor([0.0, 0.0]), reduction="none").tolist()
    [0.5, 9.5]
    """
    if not delta > 0:
        raise InputError(f"huber_loss: delta must be positive, not {delta}")
    difference = _difference(prediction, target, "huber_loss")
    within = difference.clip(-delta, delta)
    return _reduced(within * (difference - within * 0.5), reduction)


def binary_cross_entropy_with_logits(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """Return -(y log p + (1 - y) log(1 - p)) with p = sigmoid(logits); targets y in [0, 1], of the same shape.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.binary_cross_entropy_with_logits(tg.tensor([1000.0, 1000.0]), tg.tensor([1.0, 0.0]), "none").tolist()
    [0.0, 1000.0]
    """
    _check_tensors("binary_cross_entropy_with_logits", logits=logits, targets=targets)
    _difference(logits.detach(), targets, "binary_cross_entropy_with_logits")
    # One factor, which is exactly 0 where the target is right: the gradients of two terms would cancel inexactly.
    losses = logits * ((logits >= 0).cast(logits.dtype) - targets) + _log_one_plus_exp_of_minus_abs(logits)
    return _reduced(losses, reduction)
