"""`tinygrad-rnn sample`: let a trained model write text."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli.places import load_newest, newest_model
from tinygrad_rnn.cli.problem import check_device, setting
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Vocabulary
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.tasks.vocabulary import REPLACEMENT
from tinygrad_rnn.train import SequenceModel, sample

#: What a text begins with unless told otherwise: the first of these that the model knows, or a character that it does.
STARTS = ("The ", "\n", " ")


def run(options: argparse.Namespace) -> int:
    """Print the prompt and what the model makes of it, as it comes."""
    check_device(options)
    path = newest_model() if options.model is None else Path(options.model)
    checkpoint = load_newest(path, options.device)
    characters = setting(checkpoint, "vocabulary") if "vocabulary" in checkpoint.settings else ""
    model = checkpoint.model
    if not isinstance(model, SequenceModel) or len(characters) != model.output.out_features:
        name = shown(path)
        raise InputError(f"{name} was not trained on text, so it cannot write any; train with --task text")
    vocabulary = Vocabulary(characters)
    start = _start(characters) if options.prompt is None else options.prompt
    prompt = vocabulary.encode(start)
    with threadpool_limits(limits=1, user_api="blas"):
        written = sample(model, prompt, options.length, options.temperature, options.seed)
        sys.stdout.write(start)
        for number in written:
            sys.stdout.write(vocabulary.decode([number]))
            sys.stdout.flush()
    print()
    return 0


def _start(characters: str) -> str:
    known = [start for start in STARTS if set(start) <= set(characters)]
    return known[0] if known else (characters.replace(REPLACEMENT, "") or REPLACEMENT)[0]
