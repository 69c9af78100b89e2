"""The gradient of the loss by the whole state of a step, as the Jacobians between states take it.

There each part of the state is an input of its own: what goes from the c of a step to its h is not counted at c, for it
is in what comes after h. So it is the gradient that a later step sends back, and at the last step that of the loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.survey import lane_of


def held_gradient(report: FlowReport, kinds: Sequence[str]) -> np.ndarray | None:
    """Return (T,): by lag the size of the gradient of the loss by the cell's state s = (h, c), relative to lag 0.

    At most the largest singular value of ds_T/ds_{T-d} is left of it at lag d, for every example.

    Args:
        kinds: the parts of the state, ("h", "c").

    Returns:
        The sizes; None where they cannot be told: without a verdict, without links, or where the loss reads more of
        the last state than one of its parts.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.flow import gradient_flow
    >>> from tinygrad_rnn.flow.held import held_gradient
    >>> outputs, _ = nn.GRU(2, 3).unroll(tg.randn(5, 1, 2))
    >>> report = gradient_flow(outputs[-1].sum(axis=1))
    >>> bool(np.allclose(held_gradient(report, ("h",)), report.cell[0].by_lag / report.cell[0].by_lag[0]))
    True
    """
    states = [state for state in report.cell if state.kind in kinds]
    if report.verdict not in ("vanishes", "explodes", "survives") or len(states) < len(kinds) or not report.crossings:
        return None
    at = {
        (node.label, node.step): i
        for i, node in enumerate(report.nodes)
        if node.role == "state" and lane_of(node.scope) == states[0].scope
    }
    steps = states[0].steps if states[0].direction == "reverse" else states[0].steps[::-1]
    last = {at.get((state.kind, steps[0])): float(state.by_lag[0]) for state in states}
    for link in report.links:
        child, parent = report.nodes[link.child], report.nodes[link.parent]
        if link.parent in last and child.step == parent.step and link.norm:
            if link.share is None or not math.isclose(link.share, 1, abs_tol=1e-9):
                return None  # some of it comes from the loss, and the norms do not tell how much
            last[link.parent] = 0.0  # all of it comes by another part of the state
    sizes = [math.hypot(*last.values())]
    for later, step in pairwise(steps):
        parts = {at.get((state.kind, step)) for state in states} - {None}
        sizes.append(math.hypot(*(report.crossings.get((part, later), 0.0) for part in parts if part is not None)))
    return np.array(sizes) / sizes[0] if sizes[0] > 0 else None
