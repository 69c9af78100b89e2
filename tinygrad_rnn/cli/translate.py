"""`tinygrad-rnn translate`: let a trained model write dates, and see which letters it looks at."""

from __future__ import annotations

import argparse
from typing import Any, cast

from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli.attention import AttentionFiles
from tinygrad_rnn.cli.learned import learned
from tinygrad_rnn.cli.problem import check_device
from tinygrad_rnn.cli.writings import Written, print_or_json
from tinygrad_rnn.tasks.dates import DatesTask, read_date
from tinygrad_rnn.train import Alignment, EncoderDecoder, beam_search
from tinygrad_rnn.train.loop import SHOWN
from tinygrad_rnn.viz.plots.alignment import alignment, alt, sentences

SCHEMA = "tinygrad_rnn.translate/1"


def run(options: argparse.Namespace) -> int:
    """Print what a model makes of texts; see `tinygrad-rnn translate --help`."""
    check_device(options)
    found = learned(options.model, options.device, DatesTask, "translate dates")
    task, model = found.task, cast(EncoderDecoder, found.checkpoint.model)
    texts = options.texts or fresh(task, options.examples, options.seed)
    task.encode(texts)
    files = AttentionFiles(options, model.kind_of_attention)
    written: list[Written] = []
    looked: list[Alignment] = []
    with threadpool_limits(limits=1, user_api="blas"):
        for text in texts:
            beam = beam_search(model, task.encode([text], str(model.dtype)), options.beam)
            written.append(Written.of(text, read_date(text), beam, task.said))
            if files and beam[0].weights is not None:
                looked.append(Alignment(text, written[-1].answers[0][0], beam[0].weights))
    about: dict[str, Any] = {}
    if looked:
        about = {"claims": sentences(looked), "alt": alt(looked)}
    made = files.write(looked, alignment, {"model": options.model, **about})
    print_or_json(SCHEMA, "read", written, about, made, options)
    return 0


def fresh(task: DatesTask, count: int, seed: int) -> list[str]:
    """Return texts as the task draws them, none of those that models learn from."""
    batch = task.batch(count, (seed, SHOWN))
    return [task.read(batch.inputs[:, example]) for example in range(count)]
