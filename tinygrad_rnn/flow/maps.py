"""Which loss reaches back to which state: one row of gradient sizes for the loss of every step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_rnn.engine.autograd import Wanted, norm, ones_like, topological, walk
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import GraphError, InputError, ShapeError
from tinygrad_rnn.flow.lanes import choose_lane, lanes_in


@dataclass(frozen=True)
class FlowMap:
    """How much of the loss l_tau of each step arrives at the state k_t of each step.

    Attributes:
        kind: of the states: "h" if there is one, else what was named first.
        layer, direction: which states these are: those of the last layer.
        steps: T steps, ascending; row i is about the loss of steps[i], column j about the state of steps[j].
        norms: (T, T), sqrt(mean_b ||dl_tau,b/dk_t||^2); nan for the states of steps that are taken after step tau.
    """

    kind: str
    layer: int
    direction: str
    steps: tuple[int, ...]
    norms: np.ndarray


def flow_map(losses: Sequence[Tensor]) -> FlowMap:
    """Measure how far back the loss of every step reaches, in one walk for each over a graph that stays as it was.

    Args:
        losses: the losses l_tau of the B examples at each step tau: T tensors (B,) in the order of the sequence,
            whatever the direction in which it is read. Examples must not mix.

    Raises:
        InputError: no sequence of tensors.
        ShapeError: there are more or fewer losses than steps, or one has several axes or no element.
        GraphError: there are no named states, a loss does not require grad, or backward() has freed the graph.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.flow import flow_map
    >>> h, losses = tg.tensor([[1.0], [2.0]], requires_grad=True), []
    >>> for t in range(3):
    ...     with tg.scope("t", t):
    ...         h = (h * 0.5).named("h")
    ...     losses.append(h.sum(axis=1))
    >>> flow_map(losses).norms.tolist()
    [[1.0, nan, nan], [0.5, 1.0, nan], [0.25, 0.5, 1.0]]
    """
    if isinstance(losses, Tensor) or not losses or not all(isinstance(loss, Tensor) for loss in losses):
        raise InputError("flow_map: pass a list of tensors, the losses (B,) of each step, one after the other")
    for step, loss in enumerate(losses):
        if loss.ndim > 1 or not loss.size:
            raise ShapeError(
                f"flow_map: the losses of a step must be one per example, shape (B,), not {loss.shape} as loss {step}"
            )
        if not loss.requires_grad:
            raise GraphError(
                f"flow_map: loss {step} does not require grad, so no gradient flows; create the parameters with "
                "requires_grad=True, and compute outside no_grad()"
            )
    lanes = lanes_in(topological(loss.edge[0] for loss in losses))
    backward = all(lane.direction == "reverse" for lane in lanes)
    lane = choose_lane(lanes, None, backward, "flow_map")
    kind, states = next(iter(lane.states.items()))
    steps = tuple(sorted(states))
    if len(losses) != len(steps):
        raise ShapeError(
            f"flow_map: {len(losses)} losses for {len(steps)} steps with a named {kind}; pass one for each"
        )
    norms = np.full((len(steps), len(steps)), np.nan)
    for row, loss in enumerate(losses):
        columns = range(row, len(steps)) if lane.direction == "reverse" else range(row + 1)
        reached: dict[int, Any] = {column: states[steps[column]] for column in columns}
        wanted = Wanted(set(reached.values()), topological([loss.edge[0]]))
        walk(wanted.order, [(loss.edge, ones_like(loss))], wanted)
        for column, edge in reached.items():
            grad = wanted.found.get(edge)
            norms[row, column] = 0.0 if grad is None else norm(grad) / math.sqrt(loss.size)
    return FlowMap(kind, lane.layer, lane.direction, steps, norms)
