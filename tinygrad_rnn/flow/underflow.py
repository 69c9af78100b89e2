"""Which gradients are 0 only because they were too small for their dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.flow.records import EdgeFlow, NodeFlow

#: Sizes up to so many times the smallest normal number are at the lower end of a dtype.
NEAR = 10


@dataclass(frozen=True)
class Underflow:
    """The lower end of the numbers of a report, and the nodes whose gradient fell below it.

    Attributes:
        floor: a size below it, other than 0, has lost digits or is about to.
        zeros: positions of the nodes whose gradient is 0 because what they come from is at the lower end.
    """

    floor: float
    zeros: frozenset[int]

    def tiny(self, norm: float | None) -> bool:
        """Whether a size is at the lower end."""
        return norm is not None and 0 < norm < self.floor


def underflow_of(nodes: Sequence[NodeFlow], edges: Sequence[EdgeFlow]) -> Underflow:
    """Return which zeros among the gradients of some nodes were too small for the dtype.

    The dtype is worked out: nothing below the smallest float32 has a place in it, so the numbers are float64 if there
    is any.

    Args:
        nodes: each after its parents.
        edges: between all of them, or between those with a name.
    """
    norms = [node.norm for node in nodes if node.norm]
    double = any(norm < float(np.finfo(np.float32).smallest_subnormal) for norm in norms)
    found = Underflow(NEAR * float(np.finfo(np.float64 if double else np.float32).smallest_normal), frozenset())
    if not any(norm < found.floor for norm in norms):
        return found
    readers: dict[int, list[int]] = {}
    for edge in edges:
        readers.setdefault(edge.parent, []).append(edge.child)
    zeros: set[int] = set()
    for i in range(len(nodes) - 1, -1, -1):
        if nodes[i].norm == 0 and any(found.tiny(nodes[j].norm) or j in zeros for j in readers.get(i, ())):
            zeros.add(i)
    return Underflow(found.floor, frozenset(zeros))
