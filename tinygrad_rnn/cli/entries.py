"""From a model to what a sheet shows of it."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn import nn
from tinygrad_rnn.cli.claims import Entry
from tinygrad_rnn.cli.problem import AnyTask, say
from tinygrad_rnn.flow import FlowReport, elman_bound
from tinygrad_rnn.train import SequenceModel, flow_map_of, jacobians_of

#: Jacobians are medians over so many examples: each costs T * S * S numbers.
JACOBIAN_EXAMPLES = 4
#: Jacobians that take more bytes than this are not measured.
JACOBIAN_BYTES = 10**9
#: The losses of more steps than this are not measured: each takes a walk of its own.
MAP_STEPS = 300


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
    state = model.rnn.hidden_size * len(model.rnn.cell_type.state_names)
    if task.steps * examples * state**2 * 8 <= JACOBIAN_BYTES:
        say(f"{name}: measuring the Jacobians of the states")
        jacobians = jacobians_of(model, task, examples, seed)
    cell = model.rnn.cell(model.rnn.num_layers - 1)
    bound = elman_bound(cell.weight_hh, task.steps) if isinstance(cell, nn.RNNCell) else None
    return Entry(name, report, cell=model.cell_name, jacobians=jacobians, bound=bound, flow_map=flow_map, **rest)
