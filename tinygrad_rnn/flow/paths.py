"""On which ways the gradient goes from step to step: what lists of nodes, edges and links say about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.flow.records import EdgeFlow, FactorFlow, GateFlow, NodeFlow, PathFlow, SquashFlow, StateFlow
from tinygrad_rnn.flow.survey import direction_of, innermost, lane_of, layer_of


def gates_of(nodes: Sequence[NodeFlow], states: Sequence[StateFlow]) -> tuple[GateFlow, ...]:
    """Return the statistics of the gates; () if they were not measured."""
    found: dict[tuple[Scope, str], dict[int, NodeFlow]] = {}
    for node in nodes:
        if node.role == "gate" and node.step is not None and node.label and node.values:
            found.setdefault((lane_of(node.scope), node.label), {})[node.step] = node
    flows = []
    for (scope, label), by_step in found.items():
        steps = tuple(sorted(by_step))
        values = [by_step[step].values for step in steps]
        mean, low, high = (np.array([getattr(v, what) for v in values]) for what in ("mean", "low", "high"))
        name = innermost(by_step[steps[0]].scope) or label
        layer, direction = layer_of(scope), _direction(states, scope)
        each = [by_step[step].units for step in steps]
        units = None if None in each or len({len(row or ()) for row in each}) > 1 else np.array(each)
        flows.append(GateFlow(label, name, layer, direction, scope, steps, mean, low, high, units))
    return tuple(flows)


def squashes_of(nodes: Sequence[NodeFlow], edges: Sequence[EdgeFlow]) -> tuple[SquashFlow, ...]:
    """Return what squashes a state where its own step reads it; () without statistics."""
    found: dict[tuple[Scope, str, str], dict[int, tuple[float, ...]]] = {}
    for edge in edges:
        child, parent = nodes[edge.child], nodes[edge.parent]
        if child.slopes is not None and child.step is not None and parent.role == "state":
            found.setdefault((lane_of(parent.scope), str(parent.label), child.op or ""), {})[child.step] = child.slopes
    flows = []
    for (scope, kind, op), by_step in found.items():
        steps = tuple(sorted(by_step))
        if len({len(by_step[step]) for step in steps}) == 1:
            flows.append(SquashFlow(kind, op, scope, steps, np.array([by_step[step] for step in steps])))
    return tuple(flows)


def paths_of(nodes: Sequence[NodeFlow], links: Sequence[EdgeFlow], states: Sequence[StateFlow]) -> tuple[PathFlow, ...]:
    """Return what each named node sends to the states of the neighbouring step; () if links were not measured."""
    order: dict[Scope, dict[int, int]] = {}  # steps need not be numbered without gaps
    for state in states:
        order.setdefault(state.scope, {}).update((step, i) for i, step in enumerate(state.steps))
    found: dict[tuple[Scope, str, str], dict[int, tuple[float, float]]] = {}
    for link in links:
        child, parent = nodes[link.child], nodes[link.parent]
        if link.norm is None or not child.label or parent.role != "state" or child.step is None or parent.step is None:
            continue
        scope = lane_of(parent.scope)
        behind = 1 if _direction(states, scope) == "reverse" else -1
        places = order.get(scope, {})
        if lane_of(child.scope) != scope or child.step not in places or parent.step not in places:
            continue
        if places[parent.step] == places[child.step] + behind:
            found.setdefault((scope, child.label, str(parent.label)), {})[child.step] = (
                link.norm,
                np.nan if link.share is None else link.share,
            )
    return tuple(_path(*ends, sent, states) for ends, sent in found.items())


def rounds_of(
    nodes: Sequence[NodeFlow], links: Sequence[EdgeFlow], states: Sequence[StateFlow]
) -> tuple[PathFlow, ...]:
    """Return what named nodes of a state's own step and lane send to it; () if links were not measured."""
    found: dict[tuple[Scope, str, str], dict[int, tuple[float, float]]] = {}
    for link in links:
        child, parent = nodes[link.child], nodes[link.parent]
        scope = lane_of(parent.scope)
        if link.norm is None or not child.label or parent.role != "state" or child.step is None:
            continue
        if child.step == parent.step and lane_of(child.scope) == scope:
            share = np.nan if link.share is None else link.share
            found.setdefault((scope, child.label, str(parent.label)), {})[child.step] = link.norm, share
    return tuple(_path(*ends, sent, states) for ends, sent in found.items())


def _path(
    scope: Scope, label: str, kind: str, sent: dict[int, tuple[float, float]], states: Sequence[StateFlow]
) -> PathFlow:
    steps = tuple(sorted(sent))
    sizes, shares = np.array([sent[step] for step in steps]).T
    return PathFlow(label, kind, layer_of(scope), _direction(states, scope), scope, steps, sizes, shares)


def factors_of(
    nodes: Sequence[NodeFlow], edges: Sequence[EdgeFlow], states: Sequence[StateFlow]
) -> tuple[FactorFlow, ...]:
    """Return the factors of the ops between a state and the one before; () where there is more than one way."""
    read: dict[int, list[EdgeFlow]] = {}
    for edge in edges:
        read.setdefault(edge.child, []).append(edge)
    flows: list[FactorFlow] = []
    for state in states:
        if sum(other.scope == state.scope for other in states) == 1:
            flows += _factors(nodes, state, read)
    return tuple(flows)


def _factors(nodes: Sequence[NodeFlow], state: StateFlow, read: dict[int, list[EdgeFlow]]) -> Iterator[FactorFlow]:
    kind, scope = state.kind, state.scope
    made = [
        i
        for i, node in enumerate(nodes)
        if node.role == "state" and node.label == kind and node.step is not None and lane_of(node.scope) == scope
    ]
    states = set(made)
    found: dict[tuple[int, str], dict[int, float]] = {}
    for before, after in pairwise(made):
        step = nodes[after].step
        way = _only_way(after, before, states, read)
        if not way or way[-1].parent != before or step is None:
            return
        for place, edge in enumerate(way):
            arrived = nodes[edge.child].norm
            if edge.norm is None or arrived is None:
                return
            factor = edge.norm / arrived if arrived else np.nan
            found.setdefault((place, _called(nodes, edge, read)), {})[step] = factor
    for (_, op), factors in found.items():
        steps = tuple(sorted(factors))
        numbers = np.array([factors[step] for step in steps])
        yield FactorFlow(kind, op, state.layer, state.direction, scope, steps, numbers)


def _called(nodes: Sequence[NodeFlow], edge: EdgeFlow, read: dict[int, list[EdgeFlow]]) -> str:
    """Return the op of an edge's child; of a product with a gate, the gate says more."""
    op = nodes[edge.child].op or ""
    others = [nodes[other.parent] for other in read[edge.child] if other.parent != edge.parent]
    gates = [node.label for node in others if op == "mul" and node.role == "gate"]
    return f"gate {gates[0]}" if gates else op


def _only_way(start: int, end: int, states: set[int], read: dict[int, list[EdgeFlow]]) -> list[EdgeFlow]:
    """Return the way from a state back to any other if there is just one, else an empty list.

    Nodes older than `end` are not looked at: they cannot lead to it.
    """
    between = {start}
    waiting = [start]
    while waiting:
        for edge in read.get(waiting.pop(), ()):
            if edge.parent > end and edge.parent not in states and edge.parent not in between:
                between.add(edge.parent)
                waiting.append(edge.parent)
    ways = dict.fromkeys(states, 1)  # how many lead on from a node
    for node in sorted(between):
        ways[node] = sum(ways.get(edge.parent, 0) for edge in read.get(node, ()))
    if ways[start] != 1:
        return []
    way = [next(edge for edge in read[start] if ways.get(edge.parent))]
    while way[-1].parent not in states:
        way.append(next(edge for edge in read[way[-1].parent] if ways.get(edge.parent)))
    return way


def _direction(states: Sequence[StateFlow], scope: Scope) -> str:
    for state in states:
        if state.scope == scope:
            return state.direction
    return direction_of(scope)
