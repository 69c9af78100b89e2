"""Training a small sequence model, keeping it in a file, and measuring how its gradient flows."""

from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tinygrad_rnn.train.conflict import ConflictRun, Pulls, cancelled, conflict_of, step_gradients
from tinygrad_rnn.train.cures import (
    TEACHERS,
    Cures,
    omega,
    parse_teacher,
    pretrain,
    recomputed,
    taught,
    truncated,
)
from tinygrad_rnn.train.descent import Descent, descend, errors_at
from tinygrad_rnn.train.forecasts import Forecasts, autoregression, forecast, forecasts_of
from tinygrad_rnn.train.generate import Alignment, Gaze, Hypothesis, beam_search
from tinygrad_rnn.train.likelihoods import Likelihood, likelihood
from tinygrad_rnn.train.loop import Update, assess, diverged, evaluate, fit, training_tape
from tinygrad_rnn.train.measure import InputFlow, Measurement, input_flow, measure
from tinygrad_rnn.train.metrics import History
from tinygrad_rnn.train.models import MODELS, Captioner, EncoderDecoder, Model, SequenceModel
from tinygrad_rnn.train.remedies import remedies_of
from tinygrad_rnn.train.runs import FileKeeper, Run, RunKeeper, newest_run, runs_in
from tinygrad_rnn.train.sampling import sample
from tinygrad_rnn.train.study import backward_graph_of, flow_map_of, jacobians_of, training_flow
from tinygrad_rnn.train.trainer import Trainer, updates_per_epoch

__all__ = [
    "MODELS", "TEACHERS", "Alignment", "Batch", "Captioner", "Checkpoint", "ConflictRun", "Cures", "Descent",
    "EncoderDecoder", "FileKeeper", "Forecasts", "Gaze", "History", "Hypothesis", "InputFlow", "Likelihood",
    "Measurement", "Model", "Pulls", "Run", "RunKeeper", "SequenceModel", "Task", "Trainer", "Update", "assess",
    "autoregression", "backward_graph_of", "beam_search", "cancelled", "conflict_of", "descend", "diverged",
    "errors_at", "evaluate", "fit", "flow_map_of", "forecast", "forecasts_of", "input_flow", "jacobians_of",
    "likelihood", "load_checkpoint", "measure", "newest_run", "omega", "parse_teacher", "pretrain", "recomputed",
    "remedies_of", "runs_in", "sample", "save_checkpoint", "step_gradients", "taught", "training_flow", "training_tape",
    "truncated", "updates_per_epoch",
]  # fmt: skip


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
