"""Experiments of papers again, in sizes for a laptop: what learns, what is learned, and what the paper published."""

from tinygrad_rnn.train.reproduce.experiment import Experiment, Published, Row
from tinygrad_rnn.train.reproduce.lstm1997 import Network1997
from tinygrad_rnn.train.reproduce.setting1997 import SETTINGS, Setting
from tinygrad_rnn.train.reproduce.table import EXPERIMENTS
from tinygrad_rnn.train.reproduce.trial import ALGORITHMS, Learner, Plan, Trial, trial
from tinygrad_rnn.train.reproduce.trial1997 import Outcome, Summary, train1997

__all__ = [
    "ALGORITHMS", "EXPERIMENTS", "SETTINGS", "Experiment", "Learner", "Network1997", "Outcome", "Plan", "Published",
    "Row", "Setting", "Summary", "Trial", "train1997", "trial",
]  # fmt: skip
