"""What flows between named nodes: all ways through unnamed nodes together, and which share of the gradient it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from tinygrad_rnn.engine.protocol import Edge, Engine, Grads, Observer, Vertex
from tinygrad_rnn.flow.survey import Survey


class Links(NamedTuple):
    """What each anchor sends to the next ones: by child and parent."""

    sizes: dict[int, dict[int, float]]  # the norms
    shares: dict[int, dict[int, float]]  # of the gradient of the parent, where three or more send it something


def links_of(
    engine: Engine,
    survey: Survey,
    position: dict[Vertex, int],
    grads: dict[int, Grads],
    sizes: Mapping[tuple[int, int], float],
) -> Links:
    """Return what flows between the anchors of a graph.

    Args:
        engine: what differentiates the graph.
        survey: of the graph.
        position: its nodes, with their positions.
        grads: per anchor the gradients of its outputs.
        sizes: their norms, by anchor and output.
    """
    nodes = list(position)
    senders = Counter(parent for anchor in grads for parent in survey.direct_anchors(anchor))
    crowded = {
        anchor: (outputs, math.hypot(*[sizes.get((anchor, i), 0.0) for i in range(len(outputs))]))
        for anchor, outputs in grads.items()
        if senders[anchor] > 2
    }
    found = Links({}, {})
    for anchor, outputs in grads.items():
        ends = _Ends(engine, survey, nodes, position, anchor, crowded)
        order = [nodes[at] for at in survey.reach[anchor] if at in survey.leading]
        seeds = [((nodes[anchor], index), grad) for index, grad in enumerate(outputs) if grad is not None]
        engine.walk(order, seeds, ends)
        found.sizes[anchor], found.shares[anchor] = ends.sizes, ends.shares
    return found


class _Ends(Observer):
    """Lets what an anchor sends pass as far as the next ones, and notes the norm and share of what arrives there."""

    def __init__(
        self,
        engine: Engine,
        survey: Survey,
        nodes: list[Vertex],
        position: dict[Vertex, int],
        start: int,
        crowded: dict[int, tuple[Grads, float]],
    ) -> None:
        self.engine, self.norm = engine, engine.norm
        self.survey, self.nodes, self.position, self.start = survey, nodes, position, start
        self.crowded = crowded
        self.sizes: dict[int, float] = {}
        self.shares: dict[int, float] = {}

    def complete(self, node: Vertex, grads: Grads) -> Grads:
        at = self.position[node]
        if at == self.start or at not in self.survey.anchors:
            return grads
        if grads:
            self.sizes[at] = math.hypot(*[self.norm(grad) for grad in grads if grad is not None])
            if at in self.crowded:
                self.shares[at] = self._share(grads, *self.crowded[at])
        return ()

    def _share(self, parts: Grads, whole: Grads, size: float) -> float:
        if not 0 < size < math.inf:
            return math.nan
        return sum(
            self.engine.share(part, grad, size)
            for part, grad in zip(parts, whole, strict=True)
            if part is not None and grad is not None
        )

    def receive(self, child: Vertex, position: int, edge: Edge, message: Any) -> None:
        if self.position[edge[0]] not in self.survey.leading:
            return
        part = self.survey.stacked_part(self.position[child])
        if part is not None:  # the message is a slice of the whole stack
            _, at, output = part
            edge, message = (self.nodes[at], output), message.of_part()
        if edge[0].requires_grad:
            self.sums.add(edge, message)
