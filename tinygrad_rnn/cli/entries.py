"""What `graph` and `flow` share: a fresh model, the files with its numbers, and what a sheet shows of it."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from tinygrad_rnn import nn, serialization
from tinygrad_rnn.cli.claims import Entry
from tinygrad_rnn.cli.problem import AnyTask, say
from tinygrad_rnn.engine.creation import manual_seed
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.flow import FlowReport, elman_bound
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import Measurement, SequenceModel, flow_map_of, jacobians_of
from tinygrad_rnn.viz import plots

#: Training needs no more precision than this; what is measured has the dtype asked for.
TRAINING_DTYPE = "float32"
#: The largest norm of a gradient in training.
CLIP = 1.0
#: How the files with the numbers of a measurement end.
NUMBERS = ("flow.json", "run.safetensors")
#: Jacobians are of so many examples, as each costs T * S * S numbers.
JACOBIAN_EXAMPLES = 4
#: Jacobians that take more bytes than this are not measured.
JACOBIAN_BYTES = 10**9
#: The losses of more steps than this are not measured: each takes a walk of its own.
MAP_STEPS = 300


def can_plot(page: Path) -> bool:
    """Return whether there is what plots take; say at once what to install if not."""
    try:
        plots.require_matplotlib()
    except MissingToolError as error:
        say(f"{shown(page)} and its plots will not be written, the numbers will: {error}")
        return False
    return True


def fresh_model(cell: str, task: AnyTask, options: argparse.Namespace) -> SequenceModel:
    """Return an untrained model, the same for the same seed."""
    manual_seed(options.seed)
    sizes = task.input_size, options.hidden, task.output_size, options.layers
    return SequenceModel(cell, *sizes, dtype=TRAINING_DTYPE, device=options.device)


def write_numbers(stem: Path, measurement: Measurement) -> None:
    """Write what was measured, and all that it takes to measure it again."""
    text = json.dumps(measurement.flow_json(), indent=1, allow_nan=False) + "\n"
    serialization.write_whole(f"{stem}.flow.json", text.encode())
    serialization.save(f"{stem}.run.safetensors", measurement.run, {"settings": json.dumps(measurement.settings)})


def entry_of(
    name: str, model: SequenceModel, task: AnyTask, batch: int, seed: int, report: FlowReport, **rest: Any
) -> Entry:
    """Return an entry of a sheet: a report, and beside it the losses of all steps and the Jacobians of the states.

    Args:
        model: in the dtype to measure in, as it was for the report.
        rest: what else `Entry` takes.
    """
    flow_map = jacobians = None
    if task.steps <= MAP_STEPS:
        say(f"{name}: measuring the losses of all steps")
        flow_map = flow_map_of(model, task, batch, seed)
    examples = min(batch, JACOBIAN_EXAMPLES)
    cell = model.rnn.cell(model.rnn.num_layers - 1)
    state = sum(math.prod(shape) for shape in cell.state_shapes())
    if task.steps * examples * state**2 * 8 <= JACOBIAN_BYTES:
        say(f"{name}: measuring the Jacobians of the states")
        jacobians = jacobians_of(model, task, examples, seed)
    bound = elman_bound(cell.weight_hh, task.steps) if isinstance(cell, nn.RNNCell) else None
    return Entry(name, report, cell=model.cell_name, jacobians=jacobians, bound=bound, flow_map=flow_map, **rest)
