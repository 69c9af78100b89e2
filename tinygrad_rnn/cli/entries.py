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


def entry_of(
    name: str, model: SequenceModel, task: AnyTask, batch: int, seed: int, report: FlowReport, **rest: Any
) -> Entry:
    """Return an entry of a sheet: a report, and beside it the losses of all steps and the Jacobians of the states.

    Args:
        model: in the dtype to measure in, as it was for the report.
        rest: what else `Entry` takes.
    """
    say(f"{name}: measuring the losses of all steps")
    flow_map = flow_map_of(model, task, batch, seed)
    say(f"{name}: measuring the Jacobians of the states")
    jacobians = jacobians_of(model, task, min(batch, JACOBIAN_EXAMPLES), seed)
    cell = model.rnn.cell(model.rnn.num_layers - 1)
    bound = elman_bound(cell.weight_hh, task.steps) if isinstance(cell, nn.RNNCell) else None
    return Entry(
        name, report, cell=model.cell_name, jacobians=jacobians, bound=bound, flow_map=flow_map, **rest
    )
