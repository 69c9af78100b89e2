"""Where the states of a recurrent network are in a graph: one lane for every layer and direction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tinygrad_rnn.engine.autograd import topological
from tinygrad_rnn.engine.graph import Edge, Node, Scope, step_of
from tinygrad_rnn.errors import GraphError, InputError
from tinygrad_rnn.flow.survey import STATE_KINDS, lane_of, layer_of


@dataclass(frozen=True)
class Lane:
    """The states of one layer and direction, of all its steps.

    Attributes:
        states: for each kind, "h" or "c", the output that holds it after each step, in the order the steps were taken.
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
        backward = ("reverse", None) in self.scope or self.steps[0] > self.steps[-1]
        return "reverse" if backward else "forward"


def lanes_behind(roots: Iterable[Node]) -> list[Lane]:
    """Return the lanes that lead to some nodes; only states that require grad are found.

    Raises:
        GraphError: backward() has freed the graph.
    """
    found: dict[Scope, Lane] = {}
    for node in topological(roots):
        step = step_of(node.scope)
        if node.op is None or node.names is None or step is None:
            continue
        for index, name in node.names.items():
            if name in STATE_KINDS:
                lane = found.setdefault(lane_of(node.scope), Lane(lane_of(node.scope), {}))
                lane.states.setdefault(name, {})[step] = (node, index)
    return list(found.values())


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
