"""The regulariser of Pascanu, Mikolov & Bengio (2013) against gradients that vanish."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn import arguments, nn
from tinygrad_rnn.engine.creation import stack
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.models import Model, SequenceModel

__all__ = ["SLOPES", "omega"]

#: phi'(a) of each activation, from h = phi(a).
SLOPES = {
    "tanh": lambda h: 1 - h * h,
    "sigmoid": lambda h: h * (1 - h),
    "relu": lambda h: (h > 0).cast(h.dtype),
    "identity": lambda h: h * 0 + 1,
}


def omega(model: Model, task: Task, batch: Batch, weight: float = 1.0) -> tuple[Tensor, Tensor]:
    """Leave the gradients of the loss, and those of weight * Omega in the recurrent weights of simple networks.

    Omega = sum_k (||dE/dx_{k+1} dx_{k+1}/dx_k|| / ||dE/dx_{k+1}|| - 1)**2      (equation 9)

    Here x_k is what phi is applied to at step k, as in the paper, so dx_{k+1}/dx_k = W_hh diag(phi'(x_k)); of every
    example there is a sum over its steps, Omega is their mean, and several layers have one each. As in the paper only
    the immediate derivative with respect to W_hh counts: x_k and dE/dx_{k+1} are constants. (Its equation 10 writes the
    squares of the norms instead; this is the derivative of equation 9.) Steps to which no gradient comes do not count.

    Args:
        model: a `SequenceModel` of the cell "rnn" or "irnn".
        task: whose loss it is.
        batch: as tensors.
        weight: of Omega beside the loss.

    Returns:
        The loss, and Omega, without their graphs.

    Raises:
        InputError: a cell with gates, for which the paper says nothing; dropout; or a weight below 0.

    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, omega
    >>> task, model = AddingTask(6), SequenceModel("rnn", 2, 4, 1)
    >>> loss, regulariser = omega(model, task, task.batch(3, seed=0).to("cpu"), weight=4.0)
    >>> bool(0 < regulariser <= 5), model.rnn.weight_hh_l0.grad.shape      # a term for each pair of six steps
    (True, (4, 4))
    """
    weight = arguments.not_negative("weight", weight)
    if not isinstance(model, SequenceModel):
        raise InputError(f"Omega is for models of one sequence, not for {model.kind}: train without it")
    if not isinstance(model.last_cell, nn.RNNCell):
        raise InputError(
            f"Omega is for simple recurrent networks, cells rnn and irnn, not for {model.cell_name}: it is made of "
            "dx_{k+1}/dx_k = W_hh diag(phi'(x_k)), and with gates a step has another derivative"
        )
    rnn = model.rnn
    if rnn.zoneout or (model.training and (rnn.dropout or rnn.variational)):
        raise InputError("Omega is for networks without dropout and zoneout, which change dx_{k+1}/dx_k; train without")
    below: Any = batch.inputs
    layers: list[list[Tensor]] = []
    for layer in range(rnn.num_layers):
        with scope("layer", layer):
            below, _ = nn.unroll(rnn.cell(layer), below)
        for h in below:
            h.retain_grad()
        layers.append(below)
    loss = task.loss(model.output(stack(below)), batch)
    loss.backward()
    found = sum((_of_layer(rnn.cell(layer), steps) for layer, steps in enumerate(layers)), start=loss.detach() * 0)
    if found.requires_grad:
        (found * weight).backward()
    return loss.detach(), found.detach()


def _of_layer(cell: Any, steps: list[Tensor]) -> Tensor:
    """Return Omega of a layer, with a graph to its W_hh alone, from its states, which have their gradients."""
    slope = SLOPES[cell.nonlinearity]
    later = [h for h in steps[1:] if h.grad is not None]
    if not later:
        return steps[0].detach().sum() * 0
    before = stack([h.detach() for h in steps[: len(later)]])
    arriving = stack([h.grad * slope(h.detach()) for h in later])  # dE/dx_{k+1}
    passed_on = (arriving @ cell.weight_hh) * slope(before)
    size = (arriving * arriving).sum(axis=-1).sqrt()
    there = size > 0
    square = (passed_on * passed_on).sum(axis=-1)
    # The root has no derivative at 0, and a relu that is shut passes on just that.
    ratio = (square.where(square > 0, 1.0)).sqrt().where(square > 0, 0.0) / size.where(there, 1.0)
    terms = ((ratio - 1) * (ratio - 1)).where(there, 0.0)
    return terms.sum(axis=0).mean()
