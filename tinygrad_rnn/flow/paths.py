"""On which ways the gradient goes from step to step: what a report's lists of nodes, edges and links say about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.engine.graph import Scope
from tinygrad_rnn.flow.survey import STATE_KINDS, before_step, lane_of, layer_of

if TYPE_CHECKING:
    from tinygrad_rnn.flow.report import EdgeFlow, FlowReport, NodeFlow


@dataclass(frozen=True)
class GateFlow:
    """The values of one named node of a cell that is no state: their mean and the band that holds 80% of them.

    Over all elements and all examples, per step. `low` and `high` are the 10% and 90% quantiles.
    """

    label: str  # what `named` called it: "f"
    name: str  # the innermost scope it lies in, "forget_gate", or its label
    layer: int
    direction: str  # "forward" or "reverse"
    scope: Scope
    steps: tuple[int, ...]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class PathFlow:
    """What a named node of step t sends back to a state of the step before, per step t: norms[i] is of steps[i].

    The way from c to c is the LSTM's cell path, those from its gates to h the gate paths. The norms of contributions
    do not add up to the norm of their sum: they may point against each other, or at right angles.
    """

    child: str  # in step t
    parent: str  # "h" or "c", in step t-1, or t+1 where the direction is "reverse"
    layer: int
    direction: str
    scope: Scope
    steps: tuple[int, ...]
    norms: np.ndarray


@dataclass(frozen=True)
class FactorFlow:
    """By how much one op of step t changes the size of the gradient on its way from a state to the one before.

    There is one for each op on the way, in the order in which the gradient meets them, and only where there is a
    single way, as in the Elman network: h_t = tanh(W x_t + W_hh h_{t-1}) has tanh, add and matmul. If the loss is read
    at the last step only, the product of the factors of step t is G_{t-1} / G_t. nan where no gradient arrives.
    """

    kind: str  # "h"
    op: str
    layer: int
    direction: str
    scope: Scope
    steps: tuple[int, ...]
    factors: np.ndarray


@dataclass(frozen=True)
class CarryFlow:
    """The gradient a state would have if only the path k_t = gate_t * k_{t-1} + ... carried it.

    norms[t] = sqrt(mean_b ||dL_b/dk_T * product of gate_s over s > t||^2): the forget gates f of the LSTM for its c,
    the update gates z of the GRU for its h. What is missing to the measured gradient comes through the other gates.
    """

    kind: str  # "c"
    gate: str  # "f"; "1 - z" where a gate is used the other way round
    layer: int
    direction: str
    scope: Scope
    steps: tuple[int, ...]
    norms: np.ndarray


def gates_of(report: FlowReport) -> tuple[GateFlow, ...]:
    """Return the statistics of every named node of a step that is no state; () if they were not measured."""
    found: dict[tuple[Scope, str], dict[int, NodeFlow]] = {}
    for node in report.nodes:
        if node.op is not None and node.step is not None and node.label and not _is_state(node) and node.values:
            found.setdefault((lane_of(node.scope), node.label), {})[node.step] = node
    flows = []
    for (scope, label), by_step in found.items():
        steps = tuple(sorted(by_step))
        values = [by_step[step].values for step in steps]
        mean, low, high = (np.array([getattr(v, what) for v in values]) for what in ("mean", "low", "high"))
        name = _innermost(by_step[steps[0]].scope) or label
        layer, direction = layer_of(scope), _direction(report, scope)
        flows.append(GateFlow(label, name, layer, direction, scope, steps, mean, low, high))
    return tuple(flows)


def _innermost(place: Scope) -> str | None:
    """Return the innermost scope inside the step that has a name of its own, such as "forget_gate"."""
    inside = place[len(before_step(place)) + 1 :]
    return next((word for word, index in reversed(inside) if index is None and word != "reverse"), None)


def paths_of(report: FlowReport) -> tuple[PathFlow, ...]:
    """Return what each named node sends to the states of the neighbouring step; () if links were not measured."""
    order: dict[Scope, dict[int, int]] = {}  # steps need not be numbered without gaps
    for state in report.states:
        order.setdefault(state.scope, {}).update((step, i) for i, step in enumerate(state.steps))
    found: dict[tuple[Scope, str, str], dict[int, float]] = {}
    for link in report.links:
        child, parent = report.nodes[link.child], report.nodes[link.parent]
        if link.norm is None or not child.label or not _is_state(parent) or child.step is None or parent.step is None:
            continue
        scope = lane_of(parent.scope)
        behind = 1 if _direction(report, scope) == "reverse" else -1
        places = order.get(scope, {})
        if lane_of(child.scope) != scope or child.step not in places or parent.step not in places:
            continue
        if places[parent.step] == places[child.step] + behind:
            found.setdefault((scope, child.label, str(parent.label)), {})[child.step] = link.norm
    flows = []
    for (scope, label, kind), norms in found.items():
        steps = tuple(sorted(norms))
        sizes = np.array([norms[step] for step in steps])
        flows.append(PathFlow(label, kind, layer_of(scope), _direction(report, scope), scope, steps, sizes))
    return tuple(flows)


def factors_of(report: FlowReport) -> tuple[FactorFlow, ...]:
    """Return the factors of the ops between a state and the one before; () where there is more than one way."""
    read: dict[int, list[EdgeFlow]] = {}
    for edge in report.edges:
        read.setdefault(edge.child, []).append(edge)
    flows: list[FactorFlow] = []
    for state in report.states:
        if sum(other.scope == state.scope for other in report.states) == 1:
            flows += _factors(report, state.scope, state.kind, read)
    return tuple(flows)


def _factors(report: FlowReport, scope: Scope, kind: str, read: dict[int, list[EdgeFlow]]) -> Iterator[FactorFlow]:
    made = [
        i
        for i, node in enumerate(report.nodes)
        if node.op is not None and node.label == kind and node.step is not None and lane_of(node.scope) == scope
    ]
    states = set(made)
    found: dict[tuple[int, str], dict[int, float]] = {}
    for before, after in pairwise(made):
        step = report.nodes[after].step
        way = _only_way(after, before, states, read)
        if not way or way[-1].parent != before or step is None:
            return
        for place, edge in enumerate(way):
            arrived = report.nodes[edge.child].norm
            if edge.norm is None or arrived is None:
                return
            factor = edge.norm / arrived if arrived else np.nan
            found.setdefault((place, report.nodes[edge.child].op or ""), {})[step] = factor
    for (_, op), factors in found.items():
        steps = tuple(sorted(factors))
        numbers = np.array([factors[step] for step in steps])
        yield FactorFlow(kind, op, layer_of(scope), _direction(report, scope), scope, steps, numbers)


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


def _is_state(node: NodeFlow) -> bool:
    return node.op is not None and node.label in STATE_KINDS


def _direction(report: FlowReport, scope: Scope) -> str:
    for state in report.states:
        if state.scope == scope:
            return state.direction
    return "reverse" if ("reverse", None) in scope else "forward"
