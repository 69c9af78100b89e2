"""Losses: from one loss per example to a number. Ids of classes are treated as in `layers`."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from tinygrad_rnn import arguments, dtypes
from tinygrad_rnn.engine import indexing, methods
from tinygrad_rnn.engine.creation import arange, zeros_like
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.functional.activations import log_one_plus_exp_of_minus_abs, log_softmax, softplus
from tinygrad_rnn.functional.layers import check_class_ids, check_probability, check_tensors

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str) -> str:
    """Return the reduction; InputError unless it is "mean", "sum" or "none"."""
    if reduction not in REDUCTIONS:
        raise InputError(f"reduction {reduction!r} is unknown; use one of {', '.join(REDUCTIONS)}")
    return reduction


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """Return the mean, the sum, or the losses as they are ("none")."""
    check_reduction(reduction)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return -log softmax(logits)[target], for every example or averaged.

    Args:
        logits: (N, C), or (N, C, d1, ...) with the classes along axis 1 as in PyTorch, or (C,).
        targets: int64 class ids: (N,), (N, d1, ...) or (); or the probabilities of the classes, floats of the shape
            of logits: then the loss is -sum(targets * log softmax(logits)) over the classes.
        weight: (C,), how much each class counts. The mean of losses for ids divides by the weights of the targets.
        ignore_index: an id that marks examples without a target: they cost 0 and do not count in the mean.
        reduction: "mean", "sum" or "none" (then the shape of targets, for probabilities without the class axis).
        label_smoothing: the share of every target that is spread evenly over all classes (Szegedy et al. 2016).

    Raises:
        ShapeError, DTypeError, IndexRangeError: the targets do not fit the logits, or are not class ids. Ids on a
            device are not looked at: one that is no class gives a loss of NaN.
        InputError: unknown reduction, label smoothing outside [0, 1], or an ignore_index that is no whole number or
            comes with probabilities.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.cross_entropy(tg.tensor([[0.0, 1000.0], [0.0, 1000.0]]), tg.tensor([1, 0]), reduction="none").tolist()
    [0.0, 1000.0]
    """
    check_tensors("cross_entropy", logits=logits, targets=targets)
    label_smoothing = check_probability("cross_entropy: label_smoothing", label_smoothing)
    ignore_index = arguments.whole("cross_entropy: ignore_index", ignore_index, -math.inf)
    if targets.shape == logits.shape and logits.ndim:
        if ignore_index >= 0:
            raise InputError("cross_entropy: ignore_index is for class ids; these targets are probabilities")
        return reduced(_cross_entropy_of_probabilities(logits, targets, weight, label_smoothing), reduction)
    rows, ids, kept = _rows_and_ids(logits, targets, ignore_index, "cross_entropy")
    shares = _shares(rows, ids, kept, weight, "cross_entropy")
    shifted = rows - rows.detach().max(1, keepdims=True)  # log-sum-exp with the maximum taken out: no overflow
    log_sum = methods.log_of_sum(shifted, 1)
    losses = log_sum - _picked(shifted, ids, targets)
    if shares is not None:
        losses = losses * shares
    if label_smoothing:
        of_all_classes = log_sum.unsqueeze(1) - shifted
        of_all_classes = (of_all_classes if weight is None else of_all_classes * weight.to(device=rows.device)).sum(1)
        losses = losses * (1 - label_smoothing) + of_all_classes * (label_smoothing / rows.shape[1])
    return _reduced_by_shares(losses, shares, kept, targets, reduction)


def _cross_entropy_of_probabilities(
    logits: Tensor, targets: Tensor, weight: Tensor | None, label_smoothing: float
) -> Tensor:
    if not dtypes.is_float(targets.dtype):
        raise DTypeError(
            f"cross_entropy: targets of the shape of the logits, {logits.shape}, are probabilities, floats, not "
            f"{targets.dtype}; class ids have no class axis"
        )
    axis = min(1, logits.ndim - 1)
    classes = logits.shape[axis]
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + label_smoothing / max(classes, 1)
    terms = log_softmax(logits, axis) * targets
    if weight is not None:
        _check_class_weight(weight, logits, "cross_entropy")
        terms = terms * weight.to(device=logits.device).reshape((classes,) + (1,) * (logits.ndim - 1 - axis))
    return -terms.sum(axis)


def nll_loss(
    log_probs: Tensor,
    targets: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return -log_probs[target]: cross entropy for inputs that went through `log_softmax`; arguments as there.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.nll_loss(tg.tensor([[-1.0, -2.0]]), tg.tensor([1])).item()
    2.0
    """
    check_tensors("nll_loss", log_probs=log_probs, targets=targets)
    ignore_index = arguments.whole("nll_loss: ignore_index", ignore_index, -math.inf)
    rows, ids, kept = _rows_and_ids(log_probs, targets, ignore_index, "nll_loss")
    shares = _shares(rows, ids, kept, weight, "nll_loss")
    losses = -_picked(rows, ids, targets)
    return _reduced_by_shares(losses if shares is None else losses * shares, shares, kept, targets, reduction)


def _rows_and_ids(
    scores: Tensor, targets: Tensor, ignore_index: int, what: str
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Check that targets fit scores; return scores as (examples, classes), flat ids beside them, and which count.

    The ids that do not count are 0. The last is None where all do, as far as that can be seen.
    """
    axis = min(1, scores.ndim - 1)
    if scores.ndim == 0 or scores.shape[:axis] + scores.shape[axis + 1 :] != targets.shape:
        raise ShapeError(
            f"{what}: scores of shape {scores.shape} need targets of that shape without the class axis (axis "
            f"{max(axis, 0)}), not {targets.shape}; for (T, B, C) write scores.reshape(-1, C), targets.reshape(-1)"
        )
    check_class_ids(targets, scores.shape[axis], what, ignore_index)
    if scores.ndim > 2:
        scores = scores.permute(0, *range(2, scores.ndim), 1)
    rows = scores if scores.ndim == 2 else scores.reshape(targets.size, scores.shape[-1])
    ids = targets if targets.ndim == 1 else targets.reshape(targets.size)
    values = indexing.at_hand(targets)
    if values is not None:
        ids = ids.to(device=scores.device)
        if not modes.recorders and not (values == ignore_index).any():  # a recorded step will see other ids
            return rows, ids, None
    kept = ids != ignore_index
    return rows, ids.where(kept, 0), kept


def _picked(rows: Tensor, ids: Tensor, targets: Tensor) -> Tensor:
    """Return rows[i, ids[i]] of (N, C) rows: one `take` from the flattened rows."""
    count, classes = rows.shape
    all_rows = rows.reshape(count * classes)
    starts = arange(0, count * classes, classes, device=rows.device) if classes else zeros_like(ids)
    places = ids + starts
    if indexing.at_hand(targets) is None:  # nobody has checked: an id that is too large would read the next row
        places = places.where(indexing.inside(ids, classes), count * classes)
    return all_rows._take(places, 0)


def _shares(rows: Tensor, ids: Tensor, kept: Tensor | None, weight: Tensor | None, what: str) -> Tensor | None:
    """Return how much every example counts in the mean, or None where all count 1."""
    if weight is None:
        return None if kept is None else kept.cast(rows.dtype)
    _check_class_weight(weight, rows, what)
    shares = weight.to(device=rows.device).take(ids, 0)
    return shares if kept is None else shares.where(kept, 0.0)


def check_weight(weight: Any, name: str, what: str) -> Tensor | None:
    """Return the weight of a loss; DTypeError unless it is a tensor or None."""
    if weight is not None and not isinstance(weight, Tensor):
        given = isinstance(weight, str) and weight in REDUCTIONS
        hint = f"write reduction={weight!r}" if given else f"pass tg.tensor({name})"
        raise DTypeError(f"{what}: {name} must be a tensor, not {type(weight).__name__}; {hint}")
    return weight


def _check_class_weight(weight: Any, scores: Tensor, what: str) -> None:
    """Raise an error unless the weight has one number for each class of scores (N, C) or (C,), in their dtype."""
    check_weight(weight, "weight", what)
    classes = scores.shape[min(1, scores.ndim - 1)]
    if weight.shape != (classes,):
        raise ShapeError(f"{what}: weight must have one number for each of {classes} classes, not shape {weight.shape}")
    if weight.dtype != scores.dtype:
        raise DTypeError(f"{what}: weight is {weight.dtype} and the scores are {scores.dtype}; use .cast() on one")


def _reduced_by_shares(
    losses: Tensor, shares: Tensor | None, kept: Tensor | None, targets: Tensor, reduction: str
) -> Tensor:
    """Return the losses reduced, where the mean divides by the sum of the shares."""
    if kept is not None:
        losses = losses.where(kept, 0.0)
    if shares is not None and reduction == "mean":
        return losses.sum() / shares.sum()
    return reduced(losses if losses.shape == targets.shape else losses.reshape(targets.shape), reduction)


def _check_same_shape(what: str, prediction: Tensor, target: Tensor) -> None:
    """Raise ShapeError unless both have one shape: broadcasting would hide a missing axis."""
    if prediction.shape != target.shape:
        raise ShapeError(
            f"{what}: prediction of shape {prediction.shape} and target of shape {target.shape} must have one shape; "
            "reshape one of them (a (B, 1) prediction against a (B,) target would compare everything with everything)"
        )


def _difference(prediction: Tensor, target: Tensor, what: str) -> Tensor:
    """Return prediction - target of two tensors of one shape."""
    check_tensors(what, prediction=prediction, target=target)
    _check_same_shape(what, prediction, target)
    return prediction - target


def mse_loss(prediction: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return (prediction - target)**2; both of one shape.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.mse_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 0.0])).item()
    2.5
    """
    difference = _difference(prediction, target, "mse_loss")
    return reduced(difference * difference, reduction)


def l1_loss(prediction: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return |prediction - target|; both of one shape.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.l1_loss(tg.tensor([1.0, -2.0]), tg.tensor([0.0, 0.0])).item()
    1.5
    """
    return reduced(_difference(prediction, target, "l1_loss").abs(), reduction)


def check_beta(beta: float) -> float:
    """Return the beta of `smooth_l1_loss`; InputError unless it is a number from 0 on."""
    if not (isinstance(beta, Real) and beta >= 0):
        raise InputError(f"smooth_l1_loss: beta must be a number from 0 on, not {beta!r}")
    return beta


def smooth_l1_loss(prediction: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Return d**2 / (2 * beta) for |d| < beta and |d| - beta / 2 beyond, d = prediction - target (Girshick 2015).

    It is `huber_loss` with delta = beta, divided by beta; with a beta of 0 it is `l1_loss`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.smooth_l1_loss(tg.tensor([1.0, 10.0]), tg.tensor([0.0, 0.0]), reduction="none", beta=2.0).tolist()
    [0.25, 9.0]
    """
    check_tensors("smooth_l1_loss", prediction=prediction, target=target)
    if check_beta(beta) == 0:
        return l1_loss(prediction, target, reduction)
    return huber_loss(prediction, target, reduction, beta) / beta


def check_delta(delta: float) -> float:
    """Return the delta of `huber_loss`; InputError unless it is a positive number."""
    if not (isinstance(delta, Real) and delta > 0):
        raise InputError(f"huber_loss: delta must be a positive number, not {delta!r}")
    return delta


def huber_loss(prediction: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Return d**2 / 2 for |d| <= delta and delta * (|d| - delta / 2) beyond, d = prediction - target (Huber 1964).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.huber_loss(tg.tensor([1.0, 10.0]), tg.tensor([0.0, 0.0]), reduction="none").tolist()
    [0.5, 9.5]
    """
    check_delta(delta)
    difference = _difference(prediction, target, "huber_loss")
    within = difference.clip(-delta, delta)
    return reduced(within * (difference - within * 0.5), reduction)


def binary_cross_entropy_with_logits(
    logits: Tensor,
    targets: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return -(y log p + (1 - y) log(1 - p)) with p = sigmoid(logits).

    Args:
        logits: any shape.
        targets: y in [0, 1], of the same shape.
        weight: how much each loss counts, of a shape that broadcasts to it; the mean still divides by their number.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor of y log p, which broadcasts too: above 1 it makes a missed positive cost more.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> logits, targets = tg.tensor([1000.0, 1000.0]), tg.tensor([1.0, 0.0])
    >>> F.binary_cross_entropy_with_logits(logits, targets, reduction="none").tolist()
    [0.0, 1000.0]
    """
    what = "binary_cross_entropy_with_logits"
    check_tensors(what, logits=logits, targets=targets)
    _check_same_shape(what, logits, targets)
    if pos_weight is None:
        # One factor, which is exactly 0 where the target is right: the gradients of two terms would cancel inexactly.
        losses = logits * ((logits >= 0).cast(logits.dtype) - targets) + log_one_plus_exp_of_minus_abs(logits)
    else:
        _check_elementwise_weight(what, "pos_weight", pos_weight, logits)
        losses = pos_weight * targets * softplus(-logits) + (1.0 - targets) * softplus(logits)
    if weight is not None:
        _check_elementwise_weight(what, "weight", weight, logits)
        losses = losses * weight
    return reduced(losses, reduction)


def _check_elementwise_weight(what: str, name: str, weight: Any, losses: Tensor) -> None:
    """Raise DTypeError or ShapeError unless the weight is a tensor that broadcasts to the losses."""
    check_weight(weight, name, what)
    last_axes = losses.shape[max(0, losses.ndim - weight.ndim) :]
    if len(last_axes) < weight.ndim or any(a not in (1, b) for a, b in zip(weight.shape, last_axes, strict=True)):
        raise ShapeError(f"{what}: {name} of shape {weight.shape} does not broadcast to the losses, {losses.shape}")
