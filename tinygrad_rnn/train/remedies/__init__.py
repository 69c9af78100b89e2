"""Remedies for gradients that vanish or explode, and for what else goes wrong in training."""

from tinygrad_rnn.train.remedies.chosen import Remedies
from tinygrad_rnn.train.remedies.omega import omega
from tinygrad_rnn.train.remedies.pieces import recomputed, truncated
from tinygrad_rnn.train.remedies.pretraining import pretrain
from tinygrad_rnn.train.remedies.teaching import TEACHERS, parse_teacher, taught

__all__ = ["TEACHERS", "Remedies", "omega", "parse_teacher", "pretrain", "recomputed", "taught", "truncated"]
