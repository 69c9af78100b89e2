"""Sequence tasks: where inputs and targets come from, what counts as a loss, and when a task is solved."""

from tinygrad_rnn.tasks.adding import AddingTask
from tinygrad_rnn.tasks.conflict import ConflictTask
from tinygrad_rnn.tasks.corpus import Corpus, default_corpus, read_corpus
from tinygrad_rnn.tasks.table import TASKS, TaskEntry, TaskSpec, parse_task
from tinygrad_rnn.tasks.task import Batch, Criterion, Task
from tinygrad_rnn.tasks.text import TextTask
from tinygrad_rnn.tasks.vocabulary import Vocabulary

__all__ = [
    "TASKS", "AddingTask", "Batch", "ConflictTask", "Corpus", "Criterion", "Task", "TaskEntry", "TaskSpec", "TextTask",
    "Vocabulary", "default_corpus", "parse_task", "read_corpus",
]  # fmt: skip


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
