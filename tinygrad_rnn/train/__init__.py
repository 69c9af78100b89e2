"""Training a small sequence model, keeping it in a file, and measuring how its gradient flows."""

from tinygrad_rnn.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tinygrad_rnn.train.loop import Task, evaluate, fit
from tinygrad_rnn.train.measure import Measurement, measure
from tinygrad_rnn.train.model import CELLS, SequenceModel
from tinygrad_rnn.train.sampling import sample

__all__ = [
    "CELLS", "Checkpoint", "Measurement", "SequenceModel", "Task", "evaluate", "fit", "load_checkpoint", "measure",
    "sample", "save_checkpoint",
]  # fmt: skip
