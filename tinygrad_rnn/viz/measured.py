"""What a sheet shows of a cell beside its report: the losses of all steps, and the Jacobians of its states."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinygrad_rnn import nn
from tinygrad_rnn.flow import FlowReport, elman_bound
from tinygrad_rnn.tasks import Task
from tinygrad_rnn.train import Model, flow_map_of, jacobians_of
from tinygrad_rnn.viz.plots import Entry

#: Jacobians are of so many examples, as each costs T * S * S numbers.
JACOBIAN_EXAMPLES = 4
#: Jacobians that take more bytes than this are not measured.
JACOBIAN_BYTES = 10**9
#: The losses of more steps than this are not measured: each takes a walk of its own.
MAP_STEPS = 300


def measured_entry(
    name: str,
    model: Model,
    task: Task,
    batch: int,
    seed: int,
    report: FlowReport,
    on_stage: Callable[[str], object] = lambda stage: None,
    **rest: Any,
) -> Entry:
    """Return an entry of a sheet: a report, and beside it the losses of all steps and the Jacobians of the states.

    Args:
        model: in the dtype to measure in, as it was for the report.
        on_stage: called with what is measured next.
        rest: what else `Entry` takes.
    """
    flow_map = jacobians = None
    if not task.replies and task.steps <= MAP_STEPS:
        on_stage(f"{name}: measuring the losses of all steps")
        flow_map = flow_map_of(model, task, batch, seed)
    examples = min(batch, JACOBIAN_EXAMPLES)
    cell = model.last_cell
    state = sum(math.prod(shape) for shape in cell.state_shapes())
    if task.steps * examples * state**2 * 8 <= JACOBIAN_BYTES:
        on_stage(f"{name}: measuring the Jacobians of the states")
        jacobians = jacobians_of(model, task, examples, seed)
    bound = elman_bound(cell.weight_hh, task.steps, cell.max_slope) if isinstance(cell, nn.RNNCell) else None
    return Entry(name, report, cell=model.cell_name, jacobians=jacobians, bound=bound, flow_map=flow_map, **rest)
