"""Layer-wise unsupervised pre-training: every layer first learns to predict what it reads next."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinygrad_rnn import arguments, nn, optim
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import stack
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DivergenceError, InputError
from tinygrad_rnn.tasks import Task
from tinygrad_rnn.train.models import Model, SequenceModel

__all__ = ["PRETRAINING", "pretrain"]

#: The kind of batches of pre-training; see `train.loop`.
PRETRAINING = 2


def pretrain(
    model: Model,
    task: Task,
    updates: int,
    batch: int,
    lr: float = 0.01,
    seed: int = 0,
    clip: float = 1.0,
    on_update: Callable[[float, float], object] | None = None,
) -> list[tuple[float, float]]:
    """Train the recurrent layers of a model one after the other, from the first, without the task's targets.

    Layer l reads what the trained layers below it put out, and learns with a linear layer of its own, which is thrown
    away, to predict the next of these vectors from its state (squared error; the hierarchy of Schmidhuber 1992 does so,
    and Hinton, Osindero & Teh 2006 train layers in this order). What the model's output layer has, stays, and nothing
    is dropped or zoned out. Afterwards train the model as usual: that is the fine-tuning.

    Args:
        model: a `SequenceModel`; trained in place.
        task: whose inputs are read; of at least two steps.
        updates: of each layer, with Adam.
        batch: B, the examples in a batch.
        lr: the learning rate.
        seed: of the batches, of which none is one that `fit` draws.
        clip: the largest norm a gradient may have.
        on_update: called with the squared error and the norm of the gradient of each update.

    Returns:
        For each layer the squared error of its first and of its last update.

    Raises:
        InputError: another kind of model, a task of a single step, or less than one update.
        DivergenceError: an error is no longer finite.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, pretrain
    >>> tg.manual_seed(0)
    >>> errors = pretrain(SequenceModel("rnn", 2, 8, 1, num_layers=2), AddingTask(6), updates=30, batch=16)
    >>> [last < first for first, last in errors]
    [True, True]
    """
    if not isinstance(model, SequenceModel):
        raise InputError(f"pre-training is for models of one sequence; {model.kind} reads one and writes another")
    if task.steps < 2:
        raise InputError(f"the task {task.name} has a single step, after which there is nothing to predict")
    updates = arguments.whole("updates", updates)
    errors = []
    for layer in range(model.rnn.num_layers):
        cell = model.rnn.cell(layer)
        predictor = nn.Linear(cell.output_size, cell.input_size, dtype=model.dtype, device=model.device)
        adam = optim.Adam([*cell.parameters(), *predictor.parameters()], lr=lr)
        found = []
        for update in range(updates):
            drawn = task.batch(batch, (seed, PRETRAINING, layer, update), model.dtype).to(model.device)
            read = _below(model, layer, drawn.inputs)
            adam.zero_grad()
            error = F.mse_loss(predictor(_run(cell, read[:-1])), read[1:])
            error.backward()
            norm = optim.clip_grad_norm_(adam.params, clip)
            found.append(error.item())
            if not math.isfinite(found[-1]):
                raise DivergenceError(
                    f"the error of layer {layer} is {found[-1]} at update {update + 1} of its pre-training, which "
                    "diverged; take a smaller learning rate"
                )
            adam.step()
            if on_update is not None:
                on_update(found[-1], norm.item())
        errors.append((found[0], found[-1]))
    model.zero_grad()
    return errors


def _below(model: SequenceModel, layer: int, inputs: Tensor) -> Tensor:
    """Return what a layer reads, (T, B, N): the outputs of those below it, as numbers."""
    with no_grad():
        for number in range(layer):
            inputs = _run(model.rnn.cell(number), inputs)
    return inputs


def _run(cell: nn.Cell, x: Tensor) -> Tensor:
    outputs, _ = nn.unroll(cell, x)
    return stack(outputs)
