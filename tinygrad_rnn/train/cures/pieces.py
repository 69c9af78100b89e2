"""Back-propagation through time in pieces: cut off after some steps, or complete in less memory.

Both go twice over a sequence. The first time only numbers are kept: the outputs, of which the loss and its gradient
with respect to them are made, and the states between the pieces. The second time one piece after the other has a graph,
which is gone when it has been walked back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import concat, default_generator, tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.models import Model, SequenceModel

__all__ = ["recomputed", "truncated"]


class _Overview(NamedTuple):
    """What the first time over a sequence brings."""

    loss: Tensor
    #: dL/d(output), (T, B, O).
    gradient: Tensor
    #: The state before every piece.
    states: list[Any]
    #: Where the random generator stood before every piece.
    stood: list[dict[str, Tensor]]


def truncated(model: Model, task: Task, batch: Batch, k1: int, k2: int) -> Tensor:
    """Leave the gradients of truncated back-propagation through time, BPTT(k2; k1) of Williams & Peng (1990).

    The losses of every k1 steps go back together, k2 steps from the last of them: to whatever came before, the state
    is a constant. Blocks of k1 steps are counted from the end, so the last steps reach k2 steps back whatever T is.

    Args:
        model: a `SequenceModel`.
        task: whose loss it is.
        batch: as tensors.
        k1: after how many steps there is a backward pass.
        k2: how far it goes, at least k1. Each step is computed about 1 + k2 / k1 times.

    Returns:
        The loss, of the same value as without truncation.

    Raises:
        InputError: k2 below k1, another kind of model, or something random in the model that a second time would be
            drawn anew.

    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, truncated
    >>> task, model = AddingTask(6), SequenceModel("gru", 2, 4, 1)
    >>> loss = truncated(model, task, task.batch(3, seed=0).to("cpu"), k1=2, k2=4)
    >>> loss.ndim, model.rnn.weight_hh_l0.grad.shape
    (0, (12, 4))
    """
    k1, k2 = arguments.whole("k1", k1), arguments.whole("k2", k2)
    if k2 < k1:
        raise InputError(f"k2 = {k2} is below k1 = {k1}: the losses of {k1} steps go back, at least so far")
    rnn = _sequence_model(model, "truncated back-propagation").rnn
    if model.training and (rnn.dropout or rnn.zoneout):
        raise InputError(
            "truncated back-propagation computes steps twice, and dropout or zoneout would be another the second time; "
            "train without"
        )
    steps = len(batch.inputs)
    ends = list(range(steps, 0, -k1))[::-1]
    starts = [max(0, end - k2) for end in ends]
    found = _looked_over(model, task, batch, starts)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        first = ends[number - 1] if number else 0  # of those whose losses go back now
        outputs, _ = model(batch.inputs[start:end], found.states[number])
        (outputs[first - start :] * found.gradient[first:end]).sum().backward()
    return found.loss


def recomputed(model: Model, task: Task, batch: Batch, piece: int | None = None) -> Tensor:
    """Leave the gradients of the whole sequence, with the graph of one piece of it in memory at a time.

    Chen, Xu, Zhang & Guestrin (2016): of T steps in pieces of sqrt(T), the states between the pieces and the graph of
    one piece are kept, which is of the order of sqrt(T); the price is a second forward pass. Inputs, outputs and the
    gradient of the outputs, (T, B, ...) each, are there beside. Sums have another order than without.

    Args:
        model: a `SequenceModel`; dropout and zoneout are the same the second time, as the random generator goes back.
        task: whose loss it is.
        batch: as tensors.
        piece: the steps of a piece; the root of T, rounded up, unless given.

    Returns:
        The loss.

    Raises:
        InputError: another kind of model, or one with variational dropout, which is one draw for all steps.

    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, recomputed
    >>> task, model = AddingTask(9), SequenceModel("lstm", 2, 4, 1)
    >>> loss = recomputed(model, task, task.batch(3, seed=0).to("cpu"))
    >>> loss.ndim, model.rnn.weight_hh_l0.grad.shape
    (0, (16, 4))
    """
    _sequence_model(model, "recomputing")
    steps = len(batch.inputs)
    piece = math.isqrt(steps - 1) + 1 if piece is None else arguments.whole("piece", piece)
    starts = list(range(0, steps, piece))
    found = _looked_over(model, task, batch, starts)
    ended = default_generator.state_dict()
    later: Any = None  # dL/d(state) at the end of a piece
    for number in reversed(range(len(starts))):
        stretch = slice(starts[number], starts[number] + piece)
        default_generator.load_state_dict(found.stood[number])
        before = found.states[number]
        if before is not None:
            before = _mapped(lambda part: tensor(part, requires_grad=True), before)
        outputs, after = model(batch.inputs[stretch], before)
        arriving = (outputs * found.gradient[stretch]).sum()
        if later is not None:
            for part, gradient in zip(_parts(after), later, strict=True):
                if gradient is not None:  # a part of the state that nothing later depends on
                    arriving = arriving + (part * gradient).sum()
        arriving.backward()
        later = None if before is None else [part.grad for part in _parts(before)]
    default_generator.load_state_dict(ended)
    return found.loss


def _looked_over(model: Model, task: Task, batch: Batch, starts: Sequence[int]) -> _Overview:
    """Go over a sequence without a graph, and see what stands at some steps, of which the first is 0."""
    states: list[Any] = []
    stood: list[dict[str, Tensor]] = []
    pieces: list[Tensor] = []
    state: Any = None
    with no_grad():
        for start, end in zip(starts, [*starts[1:], len(batch.inputs)], strict=True):
            states.append(state)
            stood.append(default_generator.state_dict())
            if end > start:
                outputs, state = model(batch.inputs[start:end], state)
                pieces.append(outputs)
        outputs = concat(pieces)
    outputs = tensor(outputs, requires_grad=True)
    loss = task.loss(outputs, batch)
    loss.backward()
    gradient = outputs.grad
    assert gradient is not None
    return _Overview(loss.detach(), gradient, states, stood)


def _sequence_model(model: Model, what: str) -> SequenceModel:
    if not isinstance(model, SequenceModel):
        raise InputError(f"{what} is for models of one sequence; {model.kind} reads one and writes another")
    if model.training and model.rnn.variational:
        raise InputError(f"{what} takes a sequence in pieces, and variational dropout is one draw for all")
    return model


def _parts(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def _mapped(function: Any, state: Any) -> Any:
    return tuple(map(function, state)) if isinstance(state, tuple) else function(state)
