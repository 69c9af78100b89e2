"""Where the states of a recurrent network are in a graph: one lane for every layer and direction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tinygrad_rnn.engine.modes import step_of
from tinygrad_rnn.engine.protocol import Edge, Scope, Vertex
from tinygrad_rnn.errors import GraphError, InputError
from tinygrad_rnn.flow.survey import direction_of, in_order, is_state, lane_of, layer_of


@dataclass(frozen=True)
class Lane:
    """The states of one layer and direction, of all its steps.

    Attributes:
        states: for each kind, such as "h" and "c", the output that holds it after each step, in the order of the steps.
    """

    scope: Scope
    states: dict[str, dict[int, Edge]]

    @property
    def layer(self) -> int:
        """The number of the layer."""
        return layer_of(self.scope)

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps in the order they were taken."""
        made = {step: edge[0].serial for states in self.states.values() for step, edge in states.items()}
        return tuple(sorted(made, key=made.__getitem__))

    @property
    def direction(self) -> str:
        """ "forward" or "reverse"."""
        return direction_of(self.scope, self.steps)


def lanes_in(order: Iterable[Vertex]) -> list[Lane]:
    """Return the lanes in a graph: of its nodes that require grad, each after its inputs."""
    named = [node for node in order if node.op_name is not None and node.names]
    has_roles = any(node.roles for node in named)
    found: dict[Scope, dict[str, dict[int, Edge]]] = {}
    for node in named:
        step = step_of(node.scope)
        roles = node.roles or {}
        for index, name in (node.names or {}).items():
            if step is not None and is_state(name, roles.get(index), has_roles):
                found.setdefault(lane_of(node.scope), {}).setdefault(name, {})[step] = (node, index)
    return [Lane(scope, {kind: states[kind] for kind in in_order(states)}) for scope, states in found.items()]


def choose_lane(lanes: list[Lane], layer: int | None, reverse: bool, purpose: str) -> Lane:
    """Return the lane of a layer and direction; the last layer if it is None.

    Raises:
        GraphError: no state has a name.
        InputError: there is no such layer or direction.
    """
    if not lanes:
        raise GraphError(
            f"{purpose}: no states: name what a step hands to the next, h.named('h') and for an LSTM c.named('c'), "
            "inside tg.scope('t', t), where t is the step's number"
        )
    direction = "reverse" if reverse else "forward"
    fitting = [lane for lane in lanes if lane.direction == direction and layer in (None, lane.layer)]
    if not fitting and layer is None and not reverse:
        fitting = lanes  # all go through time in reverse
    if not fitting:
        there = ", ".join(f"layer {lane.layer} {lane.direction}" for lane in lanes)
        wanted = direction if layer is None else f"layer {layer} {direction}"
        raise InputError(f"{purpose}: there are no states of {wanted}; there are those of {there}")
    return max(reversed(fitting), key=lambda lane: lane.layer)  # of equals, what was computed last
