"""Experiments of papers again, in sizes for a laptop: what learns, what is learned, and what the paper published."""

from tinygrad_rnn.train.reproduce.experiment import Experiment, Published, Row
from tinygrad_rnn.train.reproduce.table import EXPERIMENTS
from tinygrad_rnn.train.reproduce.trial import ALGORITHMS, Learner, Plan, Trial, trial

__all__ = ["ALGORITHMS", "EXPERIMENTS", "Experiment", "Learner", "Plan", "Published", "Row", "Trial", "trial"]
