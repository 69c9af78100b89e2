"""What the multiplicative path of a cell alone would carry back: k_t = gate_t * k_{t-1} + ..."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tinygrad_rnn.backends.reference import norm
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
            grad = norms[before] = grad * gate[0].values(gate[1])
        steps = tuple(sorted(norms))
        sizes = np.array([norm(norms[step]) for step in steps]) / math.sqrt(batch)
        yield CarryFlow(kind, _name(gates[0]) or "", lane.layer, lane.direction, lane.scope, steps, sizes)


def _gate(after: Edge, before: Edge) -> Edge | None:
    """Return the named gate by which a state is multiplied on its way into a sum that is the next state, or None."""
    waiting = [after[0]]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if node.op is ops.Mul and before in node._edges():
            for edge in node._edges():
                if edge != before and _name(edge):
                    return edge
        elif node.op is ops.Add:
            for parent, _ in node._edges():
                if parent not in seen and parent.op in (ops.Add, ops.Mul) and not parent.names:
                    seen.add(parent)
                    waiting.append(parent)
    return None


def _name(gate: Edge) -> str | None:
    """Return what a gate is called: by its name, or "1 - z" if that is what it was computed as."""
    node, index = gate
    if node.op is ops.Sub and not node.names:
        (one, _), (closed, output) = node._edges()
        name = closed.name_of(output)
        return f"1 - {name}" if one.constant and one.values().item() == 1 and name else None
    return node.name_of(index)
