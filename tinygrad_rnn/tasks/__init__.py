"""Sequence tasks: where inputs and targets come from, what counts as a loss, and when a task is solved."""

from tinygrad_rnn.tasks.adding import AddingTask, MultiplicationTask, OriginalAddingTask
from tinygrad_rnn.tasks.agreement import AgreementTask
from tinygrad_rnn.tasks.answers import EveryClassTask, LastClassTask, LastNumberTask
from tinygrad_rnn.tasks.bits import AskedBitTask, FirstBitTask, MarkedBitTask, ParityTask
from tinygrad_rnn.tasks.code import CodeTask, TokensTask
from tinygrad_rnn.tasks.conflict import ConflictTask
from tinygrad_rnn.tasks.copying import CopyTask
from tinygrad_rnn.tasks.corpus import Corpus, default_corpus, read_corpus
from tinygrad_rnn.tasks.counting import CountingTask
from tinygrad_rnn.tasks.dates import DatesTask
from tinygrad_rnn.tasks.digits import DigitsTask
from tinygrad_rnn.tasks.doubling import DoublingTask
from tinygrad_rnn.tasks.hello import HelloTask
from tinygrad_rnn.tasks.ngrams import NGrams
from tinygrad_rnn.tasks.noise_free import NoiseFreeTask, TriggeredTask
from tinygrad_rnn.tasks.reber import ContinualReberTask, EmbeddedReberTask
from tinygrad_rnn.tasks.sentiment import SentimentTask
from tinygrad_rnn.tasks.series import SeriesTask
from tinygrad_rnn.tasks.strips import StripsTask
from tinygrad_rnn.tasks.table import TASKS, TaskEntry, TaskSpec, parse_task
from tinygrad_rnn.tasks.task import Batch, Criterion, Task
from tinygrad_rnn.tasks.temporal_order import TemporalOrderTask
from tinygrad_rnn.tasks.text import TextTask
from tinygrad_rnn.tasks.two_sequences import TwoSequencesTask
from tinygrad_rnn.tasks.vocabulary import Vocabulary

__all__ = [
    "TASKS", "AddingTask", "AgreementTask", "AskedBitTask", "Batch", "CodeTask", "ConflictTask", "ContinualReberTask",
    "CopyTask", "Corpus", "CountingTask", "Criterion", "DatesTask", "DigitsTask", "DoublingTask", "EmbeddedReberTask",
    "EveryClassTask", "FirstBitTask", "HelloTask", "LastClassTask", "LastNumberTask", "MarkedBitTask",
    "MultiplicationTask", "NGrams", "NoiseFreeTask", "OriginalAddingTask", "ParityTask", "SentimentTask", "SeriesTask",
    "StripsTask", "Task", "TaskEntry", "TaskSpec", "TemporalOrderTask", "TextTask", "TokensTask", "TriggeredTask",
    "TwoSequencesTask", "Vocabulary", "default_corpus", "parse_task", "read_corpus",
]  # fmt: skip


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
