"""What flows between named nodes: all ways through unnamed nodes together."""

from __future__ import annotations

import heapq
import math

from tinygrad_rnn.engine.autograd import Message, Sums, send
from tinygrad_rnn.engine.graph import Edge, Node, Slice, grad_mode
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.flow.survey import Survey


def links_of(
    survey: Survey, position: dict[Node, int], grads: dict[int, dict[int, Tensor]]
) -> dict[int, dict[int, float]]:
    """Return the norms of what each anchor sends to the next ones: by child and parent.

    Args:
        survey: of the graph.
        position: its nodes, with their positions.
        grads: per anchor the gradients of its outputs.
    """
    nodes = list(position)
    return {anchor: _sent(survey, nodes, position, anchor, found) for anchor, found in grads.items()}


def _sent(
    survey: Survey, nodes: list[Node], position: dict[Node, int], start: int, grads: dict[int, Tensor]
) -> dict[int, float]:
    """Return per anchor that is reached the norm of the sum over all ways that pass no other."""
    sums = Sums(in_place=True)
    for index, grad in grads.items():
        sums.add((nodes[start], index), grad)
    ends: dict[Edge, None] = {}
    here = start
    seen = {here}
    waiting = [-here]  # the youngest first

    def receive(edge: Edge, message: Message, place: int) -> None:
        parent = position[edge[0]]
        if parent not in survey.leading:
            return
        part = survey.stacked_part(here)
        if part is not None and isinstance(message, Slice):
            _, parent, output = part
            edge, message = (nodes[parent], output), Slice(message.index[1:], message.grad)
            if not edge[0].requires_grad:
                return
        sums.add(edge, message)
        if parent in survey.anchors:
            ends[edge] = None
        elif parent not in seen:
            seen.add(parent)
            heapq.heappush(waiting, -parent)

    while waiting:
        here = -heapq.heappop(waiting)
        node = nodes[here]
        if node.op is not None:
            with grad_mode(False):
                send(node, [sums.pop((node, index)) for index in range(len(node.outputs))], receive, dense=False)
    sizes: dict[int, float] = {}
    for edge in ends:
        total = sums.pop(edge)
        if total is not None:
            at = position[edge[0]]
            sizes[at] = math.hypot(sizes.get(at, 0.0), total._node.backend.norm(total._data))
    return sizes
