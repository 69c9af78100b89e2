"""What `graph` and `flow` share: a fresh model, and the files with its numbers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tinygrad_rnn import serialization
from tinygrad_rnn.cli.files import write_json
from tinygrad_rnn.cli.problem import dropout_of, say
from tinygrad_rnn.engine.creation import manual_seed
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.tasks import Task
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import MODELS, Measurement, Model
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots import fonts
from tinygrad_rnn.viz.styles import Style

#: Training needs no more precision than this; what is measured has the dtype asked for.
TRAINING_DTYPE = "float32"
#: The largest norm of a gradient in training.
CLIP = 1.0
#: How the files with the numbers of a measurement end.
NUMBERS = ("flow.json", "run.safetensors")


def can_plot(page: Path, language: str = "en") -> bool:
    """Return whether there is what plots take; say at once what to install if not, or for letters that are missing."""
    try:
        plots.require_matplotlib()
    except MissingToolError as error:
        say(f"{shown(page)} and its plots will not be written, the numbers will: {error}")
        return False
    if lacking := fonts.missing(language):
        say(lacking)
    return True


def fresh_model(cell: str, task: Task, options: argparse.Namespace, seed: int) -> Model:
    """Return an untrained model, the same for the same seed."""
    manual_seed(seed)
    kind = MODELS[task.model]
    made = {"dtype": TRAINING_DTYPE, "device": options.device, **dropout_of(options, kind)}
    return kind.for_task(task, cell, options.hidden, options.layers, **made)


def style_of(options: argparse.Namespace) -> Style:
    """Return how pictures and plots are to look."""
    return Style(options.theme, options.size, options.font, options.legend, options.caption, options.lang)


def style_words(options: argparse.Namespace) -> list[str]:
    """Return the options that ask for these looks and formats."""
    given = [(name, getattr(options, name)) for name in ("theme", "size", "font")]
    words = [word for name, value in given if value is not None for word in (f"--{name}", f"{value}")]
    words += ["--lang", options.lang] if options.lang != "en" else []
    words += [f"--no-{name}" for name in ("legend", "caption") if not getattr(options, name)]
    return [*words, "--format", ",".join(options.format)] if options.format else words


def write_numbers(stem: Path, measurement: Measurement) -> None:
    """Write what was measured, and all that it takes to measure it again."""
    write_json(f"{stem}.flow.json", measurement.flow_json())
    serialization.save(f"{stem}.run.safetensors", measurement.run, {"settings": json.dumps(measurement.settings)})
