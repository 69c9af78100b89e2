"""What flows between named nodes: all ways through unnamed nodes together."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_rnn.engine.protocol import Edge, Engine, Grads, Observer, Vertex
from tinygrad_rnn.flow.survey import Survey


def links_of(
    engine: Engine, survey: Survey, position: dict[Vertex, int], grads: dict[int, Grads]
) -> dict[int, dict[int, float]]:
    """Return the norms of what each anchor sends to the next ones: by child and parent.

    Args:
        engine: what differentiates the graph.
        survey: of the graph.
        position: its nodes, with their positions.
        grads: per anchor the gradients of its outputs.
    """
    nodes = list(position)
    found: dict[int, dict[int, float]] = {}
    for anchor, outputs in grads.items():
        ends = _Ends(engine, survey, nodes, position, anchor)
        order = [nodes[at] for at in survey.reach[anchor] if at in survey.leading]
        seeds = [((nodes[anchor], index), grad) for index, grad in enumerate(outputs) if grad is not None]
        engine.walk(order, seeds, ends)
        found[anchor] = ends.sizes
    return found


class _Ends(Observer):
    """Lets what an anchor sends pass as far as the next ones, and notes the norm of what arrives there."""

    def __init__(
        self, engine: Engine, survey: Survey, nodes: list[Vertex], position: dict[Vertex, int], start: int
    ) -> None:
        self.norm = engine.norm
        self.survey, self.nodes, self.position, self.start = survey, nodes, position, start
        self.sizes: dict[int, float] = {}

    def complete(self, node: Vertex, grads: Grads) -> Grads:
        at = self.position[node]
        if at == self.start or at not in self.survey.anchors:
            return grads
        if grads:
            self.sizes[at] = math.hypot(*[self.norm(grad) for grad in grads if grad is not None])
        return ()

    def receive(self, child: Vertex, position: int, edge: Edge, message: Any) -> None:
        if self.position[edge[0]] not in self.survey.leading:
            return
        part = self.survey.stacked_part(self.position[child])
        if part is not None:  # the message is a slice of the whole stack
            _, at, output = part
            edge, message = (self.nodes[at], output), message.of_part()
        if edge[0].requires_grad:
            self.sums.add(edge, message)
