"""The two conflicts of a unit that stores: what each step wants of the weight into it, and of the weight out of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.engine.autograd import grad
from tinygrad_rnn.engine.creation import stack, tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.conflict import BIT, ConflictTask
from tinygrad_rnn.tasks.task import Task
from tinygrad_rnn.train.loop import MEASURED, TRAINING, training_tape
from tinygrad_rnn.train.models import SequenceModel

#: Examples that contributions are measured on: single bits should not tip the scales.
MEASURED_EXAMPLES = 4096


@dataclass(frozen=True)
class Pulls:
    """What each step contributes to the gradients of two weights, with its sign.

    Attributes:
        updates: made before.
        incoming: (T,) (dL/du)_t of the weight u from the bit to the unit.
        outgoing: (T,) (dL/dv)_t of the weight v from the unit to the answer.
    """

    updates: int
    incoming: np.ndarray
    outgoing: np.ndarray


@dataclass(frozen=True)
class ConflictRun:
    """One training of a single unit.

    Attributes:
        cell: its specification.
        task: that was learned.
        seed: of the weights and batches.
        pulls: at some moments, the first before training.
        losses: (N,) before each update, on its batch.
        loss: at the end, on the batch that the pulls are measured on.
        product: u v at the end.
    """

    cell: str
    task: ConflictTask
    seed: int
    pulls: tuple[Pulls, ...]
    losses: np.ndarray
    loss: float
    product: float


def cancelled(contributions: np.ndarray) -> float:
    """Return 1 - |sum_t g_t| / sum_t |g_t|: 0 where all steps agree, 1 where they cancel; 0 where none wants anything.

    >>> import numpy as np
    >>> cancelled(np.array([-3.0, 1.0, 1.0])), cancelled(np.array([-3.0, 0.0, 0.0]))
    (0.8, 0.0)
    """
    size = float(np.abs(contributions).sum())
    return 1 - abs(float(contributions.sum())) / size if size else 0.0


def step_gradients(model: SequenceModel, task: Task, batch: int, seed: int = 0) -> tuple[float, dict[str, np.ndarray]]:
    """Return the training loss, and for each parameter what every step contributes to its gradient, with the sign.

    Each step computes with parameters of its own, equal to those of the model, and so has a gradient of its own.

    Args:
        batch: B, the examples; it is the batch that `measure` takes.

    Returns:
        The loss; and (dL/dW)_t, (T, *shape), by the parameter's name in the cell, and "output.weight", "output.bias".

    Raises:
        InputError: the model has several layers.

    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel
    >>> from tinygrad_rnn.train.conflict import step_gradients
    >>> _, found = step_gradients(SequenceModel("gru", 2, 4, 1), AddingTask(steps=6), batch=3)
    >>> found["weight_hh"].shape, found["output.weight"].any(axis=(1, 2)).tolist()
    ((6, 12, 4), [False, False, False, False, False, True])
    """
    if model.rnn.num_layers != 1:
        raise InputError(f"step_gradients: the model has {model.rnn.num_layers} layers; take one with a single layer")
    drawn = task.batch(batch, (seed, MEASURED), model.dtype)
    cell = model.rnn.cell()
    steps: list[dict[str, nn.Parameter]] = []
    outputs: list[Tensor] = []
    state = None
    for x in drawn.inputs:
        copies = {name: nn.Parameter(value) for name, value in cell.named_parameters()}
        weight, bias = nn.Parameter(model.output.weight), nn.Parameter(model.output.bias)
        state = cell.sharing(copies)(tensor(x, device=model.device), state)
        outputs.append(F.linear(state[0] if isinstance(state, tuple) else state, weight, bias))
        steps.append(copies | {"output.weight": weight, "output.bias": bias})
    loss = task.loss(stack(outputs), drawn)
    wanted = [copy for copies in steps for copy in copies.values()]
    found = iter(grad(loss, wanted, allow_unused=True))  # a step whose answer is not asked has no part in the loss
    sizes = [
        {name: np.zeros(copy.shape) if (g := next(found)) is None else g.numpy() for name, copy in copies.items()}
        for copies in steps
    ]
    return loss.item(), {name: np.stack([step[name] for step in sizes]) for name in sizes[0]}


def bit_row(cell: str) -> int:
    """Return the row of weight_ih by which a single unit takes in what it stores: that of g, or n in a GRU.

    Raises:
        InputError: the cell has no weight from the input alone, or cannot be a single unit.
    """
    spec = nn.parse_cell(cell)
    found = spec.cell_class
    shape = found.shapes(ConflictTask.input_size, 1, **spec.cell_options).get("weight_ih", ())
    if shape[-1:] != (ConflictTask.input_size,):  # of a grid it is what was made of the input that it sees
        raise InputError(
            f"{cell} has no weight of its own from the input, so none to look at; take rnn or lstm instead"
        )
    candidates = [name for name in found.gate_names if name in ("g", "n")]
    return found.gate_names.index(candidates[0]) if candidates else 0


def conflict_of(
    model: SequenceModel,
    task: ConflictTask,
    updates: int,
    batch: int,
    seed: int = 0,
    at: Collection[int] = (),
    *,
    learning_rate: float = 0.05,
    clip: float = 1.0,
    on_update: Callable[[float], object] = lambda loss: None,
) -> ConflictRun:
    """Train a model of a single unit by Adam, with a learning rate that falls to 0, and measure what its steps want.

    Args:
        at: the numbers of updates after which to measure, 0 being before the first; only at the start and the end
            unless given.
        on_update: called with the loss of each update.

    Raises:
        InputError: the model has more than one unit, its cell has no weight to look at, or training diverged.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.train import SequenceModel
    >>> tg.manual_seed(0)
    >>> unit = SequenceModel("carousel", 3, 1, 1, dtype="float64")
    >>> run = conflict_of(unit, ConflictTask(5, "store"), updates=200, batch=16)
    >>> [round(cancelled(pulls.incoming), 1) for pulls in run.pulls], round(run.product, 1)
    ([0.0, 1.0], 0.2)
    """
    if model.rnn.hidden_size != 1 or model.rnn.num_layers != 1:
        raise InputError("conflict_of: the weights of one unit are looked at; take a model with hidden_size=1, 1 layer")
    row = bit_row(model.cell_name)
    adam = optim.Adam(model.parameters(), lr=learning_rate)
    moments = {0, updates, *at}
    measured, losses = [_pulls(model, task, row, 0, seed)], list[float]()
    recorded = None
    for made in range(updates):
        adam.lr = learning_rate * (1 - made / updates)
        if recorded is None:
            recorded = training_tape(model, task, adam, batch, seed, clip)
            loss, _ = recorded.result
        else:  # half the time of the first
            inputs, targets = task.batch(batch, (seed, TRAINING, made), model.dtype)
            loss, _ = recorded.replay(*(tensor(each, device=model.device) for each in (inputs, targets)))
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise InputError(f"{model.cell_name}: the loss is {losses[-1]} at update {made + 1}: training diverged")
        on_update(losses[-1])
        if made + 1 in moments:
            measured.append(_pulls(model, task, row, made + 1, seed))
    incoming, outgoing = model.rnn.cell().weight_ih.numpy()[row, BIT], model.output.weight.numpy()[0, 0]
    return ConflictRun(
        cell=model.cell_name,
        task=task,
        seed=seed,
        pulls=tuple(pulls for _, pulls in measured),
        losses=np.array(losses),
        loss=measured[-1][0],
        product=float(incoming * outgoing),
    )


def _pulls(model: SequenceModel, task: ConflictTask, row: int, updates: int, seed: int) -> tuple[float, Pulls]:
    loss, found = step_gradients(model, task, MEASURED_EXAMPLES, seed)
    return loss, Pulls(updates, found["weight_ih"][:, row, BIT], found["output.weight"][:, 0, 0])
