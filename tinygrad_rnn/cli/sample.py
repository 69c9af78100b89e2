"""`tinygrad-rnn sample`: let a trained model write text, or see how well it knows one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli.places import load_newest, newest_model
from tinygrad_rnn.cli.problem import check_device, corpus_of, make_task, say, setting
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow.sentences import number, plural
from tinygrad_rnn.tasks import TextTask, Vocabulary, parse_task, read_corpus
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.tasks.vocabulary import REPLACEMENT
from tinygrad_rnn.train import Checkpoint, SequenceModel, likelihood, sample


def run(options: argparse.Namespace) -> int:
    """Print the prompt and what the model makes of it, as it comes; or how well it knows a text."""
    if options.evaluate is not None:
        for name in ("prompt", "length", "top_k"):
            if getattr(options, name) is not None:
                raise InputError(f"--evaluate writes nothing, so --{name.replace('_', '-')} does nothing; leave it out")
    check_device(options)
    path = newest_model() if options.model is None else Path(options.model)
    checkpoint = load_newest(path, options.device)
    model = checkpoint.model
    characters = setting(checkpoint, "vocabulary") if "vocabulary" in checkpoint.settings else ""
    kind = _kind(setting(checkpoint, "task"))
    if not isinstance(model, SequenceModel) or len(characters) != model.output.out_features or kind is None:
        name = shown(path)
        raise InputError(f"{name} was not trained on text, so it cannot write any; train with --task text")
    vocabulary = Vocabulary(characters)
    with threadpool_limits(limits=1, user_api="blas"):
        if options.evaluate is not None:
            _evaluate(model, vocabulary, checkpoint, options)
        else:
            _write(model, vocabulary, kind, options)
    return 0


def _kind(task: str) -> type[TextTask] | None:
    """Return the class of a task that is about the next character; None for any other."""
    kind = parse_task(task).entry.task
    return kind if isinstance(kind, type) and issubclass(kind, TextTask) else None


def _write(model: SequenceModel, vocabulary: Vocabulary, kind: type[TextTask], options: argparse.Namespace) -> None:
    start = _start(vocabulary.characters, kind) if options.prompt is None else options.prompt
    length = kind.goes_on if options.length is None else options.length
    prompt = vocabulary.encode(start)
    written = sample(model, prompt, length, options.temperature, options.seed, options.top_k)
    sys.stdout.write(start)
    for each in written:
        sys.stdout.write(vocabulary.decode([each]))
        sys.stdout.flush()
    print()


def _start(characters: str, kind: type[TextTask]) -> str:
    """Return what a text begins with unless told otherwise: the first that the model knows, or a character of its."""
    known = [start for start in kind.begins if set(start) <= set(characters)]
    return known[0] if known else (characters.replace(REPLACEMENT, "") or REPLACEMENT)[0]


def _evaluate(
    model: SequenceModel, vocabulary: Vocabulary, checkpoint: Checkpoint, options: argparse.Namespace
) -> None:
    """Print what the model gives a text, beside what one would who knows only how often each character comes in it."""
    if options.evaluate:
        name, text = shown(options.evaluate), read_corpus(options.evaluate).text
    else:
        name, text = _held_out(vocabulary, checkpoint, options)
    numbers = vocabulary.encode(text)
    known = set(vocabulary.characters)
    if unknown := sum(character not in known for character in text):
        say(
            f"{name}: {plural(unknown, 'character')} of {len(text):,} the model has never read; each counts as "
            f"{REPLACEMENT!r}, which is easier to guess"
        )
    found = likelihood(model, numbers)
    shares = np.bincount(numbers) / len(numbers)
    alone = -float(sum(share * np.log2(share) for share in shares if share))
    print(f"{name}: {number(found.bits)} bits/char over {found.characters:,} characters")
    print(f"that is {number(found.nats)} nats/char, a perplexity of {number(found.perplexity)}")
    print(f"whoever knows only how often each character comes in it: {number(alone)} bits/char")


def _held_out(vocabulary: Vocabulary, checkpoint: Checkpoint, options: argparse.Namespace) -> tuple[str, str]:
    """Return the part of its text that a model has not learned, and what to call it."""
    of = {name: setting(checkpoint, name) for name in ("task", "text", "steps")}
    made = argparse.Namespace(**of)
    corpus = corpus_of(made)
    learned, held_out = make_task(made, corpus, None if corpus is None else vocabulary).held_out()
    assert isinstance(held_out, TextTask)
    if corpus is None:
        return f"the word of {made.task}, which it has learned", held_out.text
    if corpus.sha256 != checkpoint.settings.get("text_sha256", corpus.sha256):
        say(f"{shown(corpus.source)} has changed since the training: the model may have learned some of its end")
    if held_out is learned:
        return f"{shown(corpus.source)}, too short to hold some out", held_out.text
    return f"the end of {shown(corpus.source)}, which it has not learned", held_out.text
