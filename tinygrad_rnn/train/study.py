"""Measurements of a model that look at more than one loss or one moment: what plots are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from tinygrad_rnn import arguments, optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import BackwardReport, FlowMap, JacobianReport, backward_graph, flow_map, state_jacobians
from tinygrad_rnn.tasks import Task
from tinygrad_rnn.train.loop import Update, fit
from tinygrad_rnn.train.measure import Measurement, measure, measured_batch
from tinygrad_rnn.train.models import Model


def flow_map_of(model: Model, task: Task, batch: int, seed: int = 0) -> FlowMap:
    """Measure how far back the loss of every step reaches, on the batch that `measure` takes.

    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, flow_map_of
    >>> flow_map_of(SequenceModel("gru", 2, 4, 1), AddingTask(steps=6), batch=3).norms.shape
    (6, 6)
    """
    drawn, _ = measured_batch(model, task, batch, seed)
    outputs = model.measured(drawn, model.initial_state(batch))
    return flow_map([task.losses_at(step, output, drawn) for step, output in enumerate(outputs)])


def jacobians_of(model: Model, task: Task, batch: int, seed: int = 0, layer: int | None = None) -> JacobianReport:
    """Measure the Jacobian of the state from step to step, of the last layer unless another is asked for.

    Args:
        batch: B, the examples; a few are enough, and each costs (T-1) * S * S * 8 bytes.

    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, jacobians_of
    >>> jacobians_of(SequenceModel("lstm", 2, 4, 1), AddingTask(steps=6), batch=3).one_step.shape
    (5, 3, 8, 8)
    """
    drawn, _ = measured_batch(model, task, batch, seed)
    return state_jacobians(model.measured(drawn, model.initial_state(batch))[-1], layer)


def backward_graph_of(model: Model, task: Task, batch: int, seed: int = 0) -> BackwardReport:
    """Return the graph of the backward pass of the loss at the last step, on the batch that `measure` takes."""
    drawn, _ = measured_batch(model, task, batch, seed)
    return backward_graph(task.last_losses(model.measured(drawn, model.initial_state(batch))[-1], drawn))


def training_flow(
    model: Model,
    task: Task,
    optimizer: optim.Optimizer,
    updates: int,
    batch: int,
    seed: int = 0,
    at: Collection[int] = (),
    *,
    clip: float = 1.0,
    dtype: Any = "float64",
    threshold: float = 0.01,
    on_update: Callable[[Update], object] | None = None,
) -> Iterator[tuple[int, Measurement]]:
    """Train as `fit` does, and yield (updates made, measurement) whenever so many updates have been made.

    Args:
        at: the numbers of updates after which to measure; 0 is before the first. At the end unless given.
        dtype: to measure in.
        threshold: below it a gradient counts as vanished.
        on_update: called with each update, for a progress bar, or to collect the losses and norms: `list.append`.

    Raises:
        InputError: `at` has a number that is never reached, a number is not whole or too small, or training diverged.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, training_flow
    >>> model, updates = SequenceModel("gru", 2, 4, 1), []
    >>> adam = optim.Adam(model.parameters())
    >>> flow = training_flow(model, AddingTask(6), adam, 4, 3, at=(0, 4), on_update=updates.append)
    >>> [made for made, measurement in flow], len(updates)
    ([0, 4], 4)
    """
    updates, batch = arguments.whole("updates", updates, 0), arguments.whole("batch", batch)
    seed = arguments.whole("seed", seed, 0)
    wanted = set(at or (updates,))
    if not wanted <= set(range(updates + 1)):
        raise InputError(f"training_flow: can measure after 0 to {updates} updates, not after {list(at)}")

    def measured() -> Measurement:
        return measure(model.converted(dtype), task, batch, seed, threshold=threshold)

    if 0 in wanted:
        yield 0, measured()
    for made, update in enumerate(fit(model, task, optimizer, updates, batch, seed, clip), start=1):
        if on_update is not None:
            on_update(update)
        if made in wanted:
            yield made, measured()
