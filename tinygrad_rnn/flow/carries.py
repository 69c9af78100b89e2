"""What the multiplicative path of a cell alone would carry back: k_t = gate_t * k_{t-1} + ..."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tinygrad_rnn.engine import ops
from tinygrad_rnn.engine.graph import Edge, Node
from tinygrad_rnn.flow.lanes import Lane, lanes_behind
from tinygrad_rnn.flow.paths import CarryFlow


def carries_of(root: Node, grads: dict[Edge, np.ndarray], batch: int) -> tuple[CarryFlow, ...]:
    """Carry the gradient of each last state back through its gates alone.

    Args:
        root: the node of the losses.
        grads: the gradients of sum_b L_b by the states, by edge.
        batch: B.
    """
    return tuple(carry for lane in lanes_behind([root]) for carry in _carries(lane, grads, batch))


def _carries(lane: Lane, grads: dict[Edge, np.ndarray], batch: int) -> Iterator[CarryFlow]:
    for kind, states in lane.states.items():
        taken = list(reversed(states))  # the last step first
        grad = grads.get(states[taken[0]])
        gates = [_gate(states[after], states[before]) for after, before in pairwise(taken)]
        if grad is None or not gates or gates[0] is None:
            continue
        norms = {taken[0]: grad}
        for before, gate in zip(taken[1:], gates, strict=True):
            if gate is None:
                break
            grad = norms[before] = grad * gate[0].outputs[gate[1]]
        steps = tuple(sorted(norms))
        sizes = np.array([np.linalg.norm(norms[step]) for step in steps]) / math.sqrt(batch)
        name = gates[0][0].name_of(gates[0][1]) or ""
        yield CarryFlow(kind, name, lane.layer, lane.direction, lane.scope, steps, sizes)


def _gate(after: Edge, before: Edge) -> Edge | None:
    """Return the named gate by which a state is multiplied on its way into a sum that is the next state, or None."""
    waiting = [after[0]]
    while waiting:
        sum_ = waiting.pop()
        for parent, _ in sum_._edges():
            if parent.op is ops.Add:
                waiting.append(parent)
            elif parent.op is ops.Mul and before in parent._edges():
                for edge in parent._edges():
                    if edge != before and edge[0].name_of(edge[1]):
                        return edge
    return None
