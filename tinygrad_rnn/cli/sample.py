"""`tinygrad-rnn sample`: let a trained model write text."""

from __future__ import annotations

import argparse
import sys

from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli.problem import check_device
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Vocabulary
from tinygrad_rnn.train import load_checkpoint, sample


def run(options: argparse.Namespace) -> int:
    """Print the prompt and what the model makes of it, as it comes."""
    check_device(options)
    checkpoint = load_checkpoint(options.model, options.device)
    characters = checkpoint.settings.get("vocabulary")
    if not isinstance(characters, str) or len(characters) != checkpoint.model.output.out_features:
        raise InputError(f"{options.model} was not trained on text, so it cannot write any; train with --task text")
    vocabulary = Vocabulary(characters)
    prompt = vocabulary.encode(options.prompt)
    with threadpool_limits(limits=1, user_api="blas"):
        written = sample(checkpoint.model, prompt, options.length, options.temperature, options.seed)
        sys.stdout.write(options.prompt)
        for number in written:
            sys.stdout.write(vocabulary.decode([number]))
            sys.stdout.flush()
    print()
    return 0
