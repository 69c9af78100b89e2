"""Sequence tasks: where inputs and targets come from, and what counts as a loss."""

from tinygrad_rnn.tasks.adding import AddingTask
from tinygrad_rnn.tasks.conflict import ConflictTask
from tinygrad_rnn.tasks.corpus import Corpus, default_corpus, read_corpus
from tinygrad_rnn.tasks.text import TextTask
from tinygrad_rnn.tasks.vocabulary import Vocabulary

__all__ = ["AddingTask", "ConflictTask", "Corpus", "TextTask", "Vocabulary", "default_corpus", "read_corpus"]


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
