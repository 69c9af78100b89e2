"""Losses as modules; the functions are in `tinygrad_rnn.functional`."""

from __future__ import annotations

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.module import Module

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss"]


class _Loss(Module):
    """A loss knows how to combine the losses of the examples: "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = F.check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """-log softmax(logits)[target]; see `functional.cross_entropy`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> round(nn.CrossEntropyLoss()(tg.zeros(4, 2), tg.tensor([0, 1, 1, 0])).item(), 4)
    0.6931
    """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (N, C) for int64 targets (N,)."""
        return F.cross_entropy(logits, targets, self.reduction)


class NLLLoss(_Loss):
    """-log_probs[target]; see `functional.nll_loss`."""

    def forward(self, log_probs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of log-probabilities (N, C) for int64 targets (N,)."""
        return F.nll_loss(log_probs, targets, self.reduction)


class MSELoss(_Loss):
    """(prediction - target)**2; see `functional.mse_loss`."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of one shape."""
        return F.mse_loss(prediction, target, self.reduction)


class L1Loss(_Loss):
    """|prediction - target|; see `functional.l1_loss`."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of one shape."""
        return F.l1_loss(prediction, target, self.reduction)


class HuberLoss(_Loss):
    """Quadratic up to delta, linear beyond; see `functional.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of one shape."""
        return F.huber_loss(prediction, target, self.reduction, self.delta)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of sigmoid(logits); see `functional.binary_cross_entropy_with_logits`."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits for targets in [0, 1] of the same shape."""
        return F.binary_cross_entropy_with_logits(logits, targets, self.reduction)
