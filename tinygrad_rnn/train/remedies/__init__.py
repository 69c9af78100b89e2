"""Remedies for gradients that vanish or explode, and for what else goes wrong in training."""

from tinygrad_rnn.train.remedies.omega import omega
from tinygrad_rnn.train.remedies.pieces import recomputed, truncated

__all__ = ["omega", "recomputed", "truncated"]
