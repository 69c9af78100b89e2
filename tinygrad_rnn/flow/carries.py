"""What the multiplicative path of a cell alone would carry back: k_t = gate_t * k_{t-1} + ..."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from tinygrad_rnn.backends.reference import norm
from tinygrad_rnn.engine.protocol import Edge, Vertex
from tinygrad_rnn.flow.lanes import Lane, lanes_in
from tinygrad_rnn.flow.records import CarryFlow


def carries_of(order: Iterable[Vertex], grads: dict[Edge, np.ndarray], batch: int) -> tuple[CarryFlow, ...]:
    """Carry the gradient of each last state back through its gates alone.

    Args:
        order: the nodes of the graph that require grad, each after its inputs.
        grads: the gradients of sum_b L_b by the states, by edge.
        batch: B.
    """
    return tuple(carry for lane in lanes_in(order) for carry in _carries(lane, grads, batch))


def _carries(lane: Lane, grads: dict[Edge, np.ndarray], batch: int) -> Iterator[CarryFlow]:
    for kind, states in lane.states.items():
        taken = list(reversed(states))  # the last step first
        grad = grads.get(states[taken[0]])
        gates = [_gate(states[after], states[before]) for after, before in pairwise(taken)]
        if grad is None or not gates or gates[0] is None:
            continue
        norms, logs = {taken[0]: grad}, list[np.ndarray]()
        for before, gate in zip(taken[1:], gates, strict=True):
            if gate is None:
                break
            opened = gate[0].values(gate[1])
            grad = norms[before] = grad * opened
            with np.errstate(divide="ignore", invalid="ignore"):
                logs.append(np.log(np.abs(opened, dtype=np.float64)))
        steps = tuple(sorted(norms))
        sizes = np.array([norm(norms[step]) for step in steps]) / math.sqrt(batch)
        units = np.exp(np.mean(logs, axis=1)) if {log.shape for log in logs} == {(batch, grad.shape[-1])} else None
        name, rule = _name(gates[0]) or "", _rule(states[taken[0]])
        yield CarryFlow(kind, name, lane.layer, lane.direction, lane.scope, steps, sizes, units, rule)


def _gate(after: Edge, before: Edge) -> Edge | None:
    """Return the named gate by which a state is multiplied on its way into a sum that is the next state, or None."""
    waiting = [after[0]]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        edges = node.parents or ()
        if node.op_name == "mul" and before in edges:
            for edge in edges:
                if edge != before and _name(edge):
                    return edge
        elif node.op_name == "add":
            for parent, _ in edges:
                if parent not in seen and parent.op_name in ("add", "mul") and not parent.names:
                    seen.add(parent)
                    waiting.append(parent)
    return None


def _rule(after: Edge) -> str:
    """Return how a state is made, as a sum of products of what has names: "f · c + i · g"."""
    found: list[str] = []
    waiting = [after[0]]
    while waiting:
        node = waiting.pop()
        edges = node.parents or ()
        if node.op_name == "add" and (node is after[0] or not node.names):
            waiting += [parent for parent, _ in reversed(edges)]
        elif node.op_name == "mul" and not node.names:
            found.append(" · ".join(map(_factor, edges)))
        else:
            found.append(next(iter((node.names or {}).values()), "…"))
    return " + ".join(found)


def _factor(edge: Edge) -> str:
    name = _name(edge) or "…"
    return f"({name.replace('-', '−')})" if " " in name else name


def _name(gate: Edge) -> str | None:
    """Return what a gate is called: by its name, or "1 - z" if that is what it was computed as."""
    node, index = gate
    if node.op_name == "sub" and not node.names and node.parents:
        (one, _), (closed, output) = node.parents
        name = (closed.names or {}).get(output)
        return f"1 - {name}" if one.constant and one.values().item() == 1 and name else None
    return (node.names or {}).get(index)
