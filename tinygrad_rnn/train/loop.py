"""The training loop: draw a batch, go forward and backward, clip, step."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_rnn import optim, tape
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DivergenceError, InputError
from tinygrad_rnn.flow.sentences import number
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.cures import Cures
from tinygrad_rnn.train.models import Model
from tinygrad_rnn.train.models.base import in_use

#: A loss that ends so many times as high as it began, and so much higher, has not been learned down: training diverged.
WORSE, BY = 1.5, 1e-3
#: The kinds of batches: the second part of a batch's seed, so that no kind repeats the numbers of another.
TRAINING, MEASURED, SHOWN = 0, 1, 2
#: So many norms of the gradient are told when training diverged.
TOLD = 3


class Update(NamedTuple):
    """One update of the training.

    Attributes:
        loss: before the update.
        norm: the L2 norm of the gradient of all parameters together.
        clipped: the same after clipping; what the optimizer got.
    """

    loss: float
    norm: float
    clipped: float


def fit(
    model: Model,
    task: Task,
    optimizer: optim.Optimizer,
    updates: int,
    batch: int,
    seed: int = 0,
    clip: float = 1.0,
    first: int = 0,
    cures: Cures | None = None,
) -> Iterator[Update]:
    """Train, one update each time the iterator is advanced; yields what each was about.

    The batch of an update is a function of the seed and the update's number, and dropout draws from the default
    generator. So a run that starts again at `first` continues as if it had never stopped, to the bit, if model,
    optimizer and generator stand where they stood: `save_checkpoint` and `Checkpoint.resume` see to that. Of a stateful
    task the seed does not matter, and the model carries its state from batch to batch, also through a checkpoint.

    Args:
        updates: how many there will have been at the end.
        batch: B, the examples in a batch.
        clip: the largest norm a gradient may have.
        first: the number of updates made before.
        cures: how an update finds its gradients; plain back-propagation unless given.

    Raises:
        InputError: the cures are not for that model or task, or the optimizer is for another model.
        DivergenceError: the loss or the gradient is no longer finite. The weights are those before that update.
    """
    check_optimizer(model, optimizer)
    parameters = list(model.parameters())
    norms: deque[float] = deque(maxlen=TOLD)
    cures = cures or Cures()
    for update in range(first, updates):
        drawn = (
            task.continued(batch, update, model.dtype)
            if task.stateful
            else task.batch(batch, (seed, TRAINING, update), model.dtype)
        )
        model.zero_grad()  # also of parameters that the optimizer leaves alone
        loss = cures.backward(model, task, drawn.to(model.device), update)
        gradient = optim.clip_grad_norm_(parameters, clip)
        value, norm = loss.item(), gradient.item()  # only here does the update wait for a device
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise DivergenceError(_no_longer_finite(value, norm, update, norms))
        norms.append(norm)
        optimizer.step()
        yield Update(value, norm, norm * min(1.0, clip / (norm + 1e-6)))  # the factor that clipping takes


def check_optimizer(model: Model, optimizer: optim.Optimizer) -> None:
    """Refuse an optimizer of parameters that are none of a model's: the model would learn nothing, without a word.

    Raises:
        InputError: it is such an optimizer.
    """
    own = {id(parameter) for parameter in model.parameters()}
    if not all(id(parameter) in own for parameter in optimizer.params):
        raise InputError(
            f"this {type(optimizer).__name__} has parameters that are none of the model's, which would not learn: make "
            "it over model.parameters(), after model.to(...)"
        )


def _no_longer_finite(loss: float, norm: float, update: int, before: Sequence[float]) -> str:
    """Return what is to be said about an update that is not made; the norms before are those of the last ones made."""
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the norm of the gradient is {norm}"
    told = f" after norms of the gradient of {', '.join(map(number, before))}" if before else ""
    return (
        f"{what} at update {update + 1}{told}: training diverged; take a smaller learning rate, a smaller norm to clip "
        "at, or fewer updates"
    )


def training_tape(
    model: Model, task: Task, optimizer: optim.Optimizer, batch: int, seed: int = 0, clip: float = 1.0
) -> tape.Tape:
    """Make the first update of the training that `fit` would make, and return its tape.

    What it takes are the parts of a batch that the task has: step(inputs, targets) for most.

    >>> from tinygrad_rnn import optim
    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, training_tape
    >>> model = SequenceModel("gru", 2, 4, 1)
    >>> recorded = training_tape(model, AddingTask(steps=6), optim.Adam(model.parameters()), batch=3)
    >>> [line.text for line in recorded.lines() if not line.text.startswith(" ")][-6:]
    ['zero_grad', 'forward', 'backward', 'clipping', 'optimizer', 'result']
    """
    parameters = list(model.parameters())

    parts = task.batch(batch, (seed, TRAINING, 0), model.dtype).parts()

    def step(*given: Tensor) -> tuple[Tensor, Tensor]:
        found = iter(given)
        optimizer.zero_grad()
        drawn = Batch(*[None if part is None else next(found) for part in parts])
        loss = Cures().backward(model, task, drawn, 0)
        norm = optim.clip_grad_norm_(parameters, clip)
        optimizer.step()
        return loss, norm

    return tape.record(step, *[tensor(part, device=model.device) for part in parts if part is not None])


def evaluate(model: Model, task: Task, batch: int, seed: int = 0) -> float:
    """Return the mean training loss over one batch, which is not among those that `fit` draws, without dropout."""
    return assess(model, task, batch, seed)["loss"]


def assess(model: Model, task: Task, batch: int, seed: int = 0) -> dict[str, float]:
    """Return the loss and the task's scores, each the mean over the batch that `evaluate` takes.

    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, assess
    >>> sorted(assess(SequenceModel("gru", 2, 4, 1), AddingTask(steps=6), batch=64))
    ['loss', 'wrong']
    """
    drawn = task.batch(batch, (seed, MEASURED), model.dtype).to(model.device)
    with no_grad(), in_use(model):
        loss = float(task.loss(model.outputs(drawn), drawn).item())
        scores = task.scores(model.answers(drawn), drawn)
        return {"loss": loss} | {name: float(np.mean(values)) for name, values in scores.items()}


def diverged(before: float, after: float) -> str | None:
    """Return a sentence if a loss says that training did harm: if it ends far above where it began, or not finite."""
    if math.isfinite(after) and after <= WORSE * before + BY:
        return None
    return f"training diverged: the loss went from {before:.4g} to {after:.4g}; take a smaller learning rate"
