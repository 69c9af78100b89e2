"""Losses as modules; the functions are in `tinygrad_rnn.functional`."""

from __future__ import annotations

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.functional.losses import check_beta, check_delta, check_reduction, check_weight
from tinygrad_rnn.nn.module import Module

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss", "SmoothL1Loss"]


class _Loss(Module):
    """A loss knows how to combine the losses of the examples: "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """-log softmax(logits)[target]; see `functional.cross_entropy` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> round(nn.CrossEntropyLoss()(tg.zeros(4, 2), tg.tensor([0, 1, 1, 0])).item(), 4)
    0.6931
    """

    buffer_names = ("weight",)

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.weight = check_weight(weight, "weight", "CrossEntropyLoss")
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits (N, C) for int64 targets (N,), or for probabilities (N, C)."""
        return F.cross_entropy(
            logits,
            targets,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """-log_probs[target]; see `functional.nll_loss`."""

    buffer_names = ("weight",)

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.weight = check_weight(weight, "weight", "NLLLoss")
        self.ignore_index = ignore_index

    def forward(self, log_probs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of log-probabilities (N, C) for int64 targets (N,)."""
        return F.nll_loss(log_probs, targets, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


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
        self.delta = check_delta(delta)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of one shape."""
        return F.huber_loss(prediction, target, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """Quadratic up to beta, linear beyond; see `functional.smooth_l1_loss`."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = check_beta(beta)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of one shape."""
        return F.smooth_l1_loss(prediction, target, self.reduction, self.beta)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of sigmoid(logits); see `functional.binary_cross_entropy_with_logits`."""

    buffer_names = ("weight", "pos_weight")

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.weight = check_weight(weight, "weight", "BCEWithLogitsLoss")
        self.pos_weight = check_weight(pos_weight, "pos_weight", "BCEWithLogitsLoss")

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits for targets in [0, 1] of the same shape."""
        return F.binary_cross_entropy_with_logits(
            logits, targets, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )
