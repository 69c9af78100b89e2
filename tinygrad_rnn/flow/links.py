"""What flows between named nodes: all ways through unnamed nodes together."""

from __future__ import annotations

import math

from tinygrad_rnn.engine.autograd import Grads, Message, Observer, norm, walk
from tinygrad_rnn.engine.graph import Edge, Node, Slice
from tinygrad_rnn.flow.survey import Survey


def links_of(
    survey: Survey, position: dict[Node, int], grads: dict[int, Grads]
) -> dict[int, dict[int, float]]:
    """Return the norms of what each anchor sends to the next ones: by child and parent.

    Args:
        survey: of the graph.
        position: its nodes, with their positions.
        grads: per anchor the gradients of its outputs.
    """
    nodes = list(position)
    found: dict[int, dict[int, float]] = {}
    for anchor, outputs in grads.items():
        ends = _Ends(survey, nodes, position, anchor)
        order = [nodes[at] for at in survey.reach[anchor] if at in survey.leading]
        walk(order, [((nodes[anchor], index), grad) for index, grad in enumerate(outputs) if grad is not None], ends)
        found[anchor] = ends.sizes
    return found


class _Ends(Observer):
    """Lets what an anchor sends pass as far as the next ones, and notes the norm of what arrives there."""

    def __init__(self, survey: Survey, nodes: list[Node], position: dict[Node, int], start: int) -> None:
        self.survey, self.nodes, self.position, self.start = survey, nodes, position, start
        self.sizes: dict[int, float] = {}

    def complete(self, node: Node, grads: Grads) -> Grads:
        at = self.position[node]
        if at == self.start or at not in self.survey.anchors:
            return grads
        if grads:
            self.sizes[at] = math.hypot(*[norm(grad) for grad in grads if grad is not None])
        return ()

    def receive(self, child: Node, position: int, edge: Edge, message: Message) -> None:
        if self.position[edge[0]] not in self.survey.leading:
            return
        part = self.survey.stacked_part(self.position[child])
        if part is not None and isinstance(message, Slice):
            _, at, output = part
            edge, message = (self.nodes[at], output), Slice(message.index[1:], message.grad)
        if edge[0].requires_grad:
            self.sums.add(edge, message)
