"""From the options of the command line to a task."""

from __future__ import annotations

import argparse
import sys

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask, Corpus, TextTask, Vocabulary, default_corpus, read_corpus

AnyTask = TextTask | AddingTask

#: The share of a text, at its end, that `train` does not learn but evaluates on.
HELD_OUT = 0.1


def corpus_of(options: argparse.Namespace) -> Corpus | None:
    """Return the text the options ask for, or None for a task without one."""
    if options.task != "text":
        if options.text is not None:
            raise InputError(f"--text goes with --task text, not with --task {options.task}")
        return None
    return default_corpus() if options.text is None else read_corpus(options.text)


def make_task(options: argparse.Namespace, corpus: Corpus | None) -> AnyTask:
    """Return the task, and say on stderr what it reads."""
    if corpus is None:
        return AddingTask(options.steps)
    task = TextTask(corpus.text, options.steps)
    _describe(corpus, task.vocabulary)
    return task


def make_tasks(
    options: argparse.Namespace, corpus: Corpus | None, vocabulary: Vocabulary | None
) -> tuple[AnyTask, AnyTask]:
    """Return the task to learn and the one to evaluate on: the end of the text, unless it is too short to be cut.

    Args:
        vocabulary: what the model knows already; the characters of the text if None.
    """
    if corpus is None:
        return AddingTask(options.steps), AddingTask(options.steps)
    vocabulary = vocabulary or Vocabulary.of(corpus.text)
    _describe(corpus, vocabulary)
    cut = int(len(corpus.text) * (1 - HELD_OUT))
    if min(cut, len(corpus.text) - cut) <= options.steps:
        task = TextTask(corpus.text, options.steps, vocabulary)
        say("the text is short: evaluating on what is trained on")
        return task, task
    learned, held_out = corpus.text[:cut], corpus.text[cut:]
    return TextTask(learned, options.steps, vocabulary), TextTask(held_out, options.steps, vocabulary)


def _describe(corpus: Corpus, vocabulary: Vocabulary) -> None:
    different = len(set(corpus.text))
    kept = f", the {len(vocabulary)} most frequent are kept" if different > len(vocabulary) else ""
    say(f"text: {corpus.source}: {len(corpus.text):,} characters, {different} different ones{kept}")


def say(message: str) -> None:
    """Tell people something that is not the result."""
    print(message, file=sys.stderr, flush=True)
