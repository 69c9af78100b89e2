"""Remedies for gradients that vanish or explode, and for what else goes wrong in training."""

from tinygrad_rnn.train.cures.chosen import Remedies
from tinygrad_rnn.train.cures.omega import omega
from tinygrad_rnn.train.cures.pieces import recomputed, truncated
from tinygrad_rnn.train.cures.pretraining import pretrain
from tinygrad_rnn.train.cures.teaching import TEACHERS, parse_teacher, taught

__all__ = ["TEACHERS", "Remedies", "omega", "parse_teacher", "pretrain", "recomputed", "taught", "truncated"]
