"""Cures for gradients that vanish or explode, and for what else goes wrong in training.

They change how a training goes. What changes to a cell and its weights would do at once are `train.remedies`.
"""

from tinygrad_rnn.train.cures.chosen import Cures
from tinygrad_rnn.train.cures.omega import omega
from tinygrad_rnn.train.cures.pieces import recomputed, truncated
from tinygrad_rnn.train.cures.pretraining import pretrain
from tinygrad_rnn.train.cures.teaching import TEACHERS, parse_teacher, taught

__all__ = ["TEACHERS", "Cures", "omega", "parse_teacher", "pretrain", "recomputed", "taught", "truncated"]
