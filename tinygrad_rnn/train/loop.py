"""The training loop: draw a batch, go forward and backward, clip, step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np

from tinygrad_rnn import optim, tape
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train.model import SequenceModel

#: A loss that ends so many times as high as it began has not been learned down: training diverged.
WORSE = 1.5
#: The kinds of batches: the second part of a batch's seed, so that no kind repeats the numbers of another.
TRAINING, MEASURED = 0, 1


class Task(Protocol):
    """What training needs to know about a task; `tinygrad_rnn.tasks` has some."""

    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def input_size(self) -> int: ...
    @property
    def output_size(self) -> int: ...

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (T, B, I) and targets, a function of the seed alone."""

    def loss(self, outputs: Tensor, targets: np.ndarray | Tensor) -> Tensor:
        """Return the scalar to minimise, from the outputs (T, B, O) of all steps."""

    def last_losses(self, output: Tensor, targets: np.ndarray | Tensor) -> Tensor:
        """Return the losses (B,) of the examples, from the output (B, O) of the last step."""

    def losses_at(self, step: int, output: Tensor, targets: np.ndarray | Tensor) -> Tensor:
        """Return the losses (B,) of the examples if the one that counts were at this step, from its output (B, O)."""


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
    model: SequenceModel,
    task: Task,
    optimizer: optim.Optimizer,
    updates: int,
    batch: int,
    seed: int = 0,
    clip: float = 1.0,
    first: int = 0,
) -> Iterator[Update]:
    """Train, one update each time the iterator is advanced; yields what each was about.

    The batch of an update is a function of the seed and the update's number, and dropout draws from the default
    generator. So a run that starts again at `first` continues as if it had never stopped, to the bit, if model,
    optimizer and generator stand where they stood: `save_checkpoint` and `Checkpoint.resume` see to that.

    Args:
        updates: how many there will have been at the end.
        batch: B, the examples in a batch.
        clip: the largest norm a gradient may have.
        first: the number of updates made before.

    Raises:
        InputError: the loss is no longer a finite number.
    """
    parameters = list(model.parameters())
    for update in range(first, updates):
        inputs, targets = task.batch(batch, (seed, TRAINING, update), model.dtype)
        optimizer.zero_grad()
        loss, gradient = _there_and_back(model, task, parameters, tensor(inputs, device=model.device), targets, clip)
        value, norm = loss.item(), gradient.item()  # only here does the update wait for a device
        if not math.isfinite(value):
            raise InputError(
                f"the loss is {value} at update {update + 1}: training diverged; take a smaller learning rate "
                "(train --lr) or fewer updates"
            )
        optimizer.step()
        yield Update(value, norm, norm * min(1.0, clip / (norm + 1e-6)))  # the factor that clipping takes


def _there_and_back(
    model: SequenceModel, task: Task, parameters: Sequence[Tensor], inputs: Tensor, targets: Any, clip: float
) -> tuple[Tensor, Tensor]:
    """Go forward and backward, and clip the gradient; return the loss, and the norm of the gradient before."""
    outputs, _ = model(inputs)
    loss = task.loss(outputs, targets)
    loss.backward()
    return loss, optim.clip_grad_norm_(parameters, clip)


def training_tape(
    model: SequenceModel, task: Task, optimizer: optim.Optimizer, batch: int, seed: int = 0, clip: float = 1.0
) -> tape.Tape:
    """Make the first update of the training that `fit` would make, and return its tape: step(inputs, targets).

    >>> from tinygrad_rnn import optim
    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, training_tape
    >>> model = SequenceModel("gru", 2, 4, 1)
    >>> recorded = training_tape(model, AddingTask(steps=6), optim.Adam(model.parameters()), batch=3)
    >>> [line.text for line in recorded.lines() if not line.text.startswith(" ")][-6:]
    ['zero_grad', 'forward', 'backward', 'clipping', 'optimizer', 'result']
    """
    parameters = list(model.parameters())

    def step(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        optimizer.zero_grad()
        loss, norm = _there_and_back(model, task, parameters, inputs, targets, clip)
        optimizer.step()
        return loss, norm

    inputs, targets = task.batch(batch, (seed, TRAINING, 0), model.dtype)
    return tape.record(step, tensor(inputs, device=model.device), tensor(targets, device=model.device))


def evaluate(model: SequenceModel, task: Task, batch: int, seed: int = 0) -> float:
    """Return the mean training loss over one batch, which is not among those that `fit` draws, without dropout."""
    inputs, targets = task.batch(batch, (seed, MEASURED), model.dtype)
    with no_grad(), in_use(model):
        outputs, _ = model(tensor(inputs, device=model.device))
        return float(task.loss(outputs, targets).item())


def diverged(before: float, after: float) -> str | None:
    """Return a sentence if a loss says that training did harm: if it ends far above where it began, or not finite."""
    if math.isfinite(after) and after <= WORSE * before:
        return None
    return f"training diverged: the loss went from {before:.4g} to {after:.4g}; take a smaller learning rate"


@contextmanager
def in_use(model: SequenceModel) -> Iterator[None]:
    """Switch dropout off inside, and afterwards back to what it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
