"""What each gradient of a report is compared with, so that colours mean the same as the curves and the verdict.

A state is compared with its own kind, layer and direction at the last step, as its horizon is. A parameter is compared
with its whole gradient: what the steps add to it is of the mean loss, and no gradient per example. What lies between
the last state and the loss comes before the way through time begins, and is compared with itself. Everything else is
compared with the reference of the report.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

from tinygrad_rnn.flow import BackwardReport, EdgeFlow, FlowReport, StateFlow
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.scale import Look, Scale


class References:
    """The references of one report, by node."""

    def __init__(self, report: FlowReport, scale: Scale) -> None:
        self.report = report
        self.scale = scale
        self._looked = cache(scale.look)  # most messages are handed on as they are
        self.readers: dict[int, list[int]] = {}
        for edge in report.edges or report.links:
            self.readers.setdefault(edge.parent, []).append(edge.child)
        self.whole = report.reference
        self.seeded: set[int] | None = None  # in a backward pass: what depends on its seed, and so is a gradient
        if isinstance(report, BackwardReport):
            seed = next(i for i, node in enumerate(report.nodes) if node.op is None and node.requires_grad)
            self.seeded = self._after([seed])
            self.whole = "seed", report.nodes[seed].norm or 1.0
        self.states = self._states()
        last = next((state for state in report.cell if state.measurable), None)
        starts = [i for i, (state, step) in self.states.items() if state is last and step == _last_step(state)]
        self.between = self._after(starts) - set(starts)
        if report.states:
            self.between.add(len(report.nodes) - 1)

    def required(self, i: int) -> bool:
        """Whether what a node holds is, or has, a gradient."""
        return self.report.nodes[i].requires_grad if self.seeded is None else i in self.seeded

    def of(self, i: int) -> tuple[str, float]:
        """Return what a node is compared with, as "h_T" or the name of a parameter, and its size; "" for itself."""
        node = self.report.nodes[i]
        if i in self.states and self.states[i][0].measurable:
            state = self.states[i][0]
            elsewhere = any(state.scope != other.scope for other in self.report.cell)
            place = f"{words.lane(node)} " if elsewhere and words.lane(node) else ""
            return f"{place}{state.kind}_T", float(state.by_lag[0])
        if (i in self.between or (node.parameter and self.report.states)) and _usable(node.norm):
            return ("" if i in self.between else node.label or node.name), float(node.norm or 1.0)
        return self.whole

    def look(self, i: int, norm: float | None) -> Look:
        """Return how a gradient at a node is drawn: its own, or a part of it."""
        return self._look(i, norm, self.required(i), i in self.report.underflow.zeros)

    def _look(self, i: int, norm: float | None, required: bool, underflow: bool) -> Look:
        calm = 1.0 if i in self.states else EXPLODED  # a gate may have more than h_T, and nothing explodes
        against, size = self.of(i)
        return self._looked(norm, required, size, calm, underflow, against)

    def message(self, edges: list[EdgeFlow], norm: float | None) -> Look:
        """Return how a message, or several together, is drawn: compared with what its parent is compared with."""
        required = any(edge.requires_grad and self.required(edge.parent) for edge in edges)
        small, nodes = self.report.underflow, self.report.nodes
        underflow = any(edge.child in small.zeros or small.tiny(nodes[edge.child].norm) for edge in edges)
        return self._look(edges[0].parent, norm, required, underflow)

    # ---- on which side of the states ---------------------------------------------------------------------------

    def _states(self) -> dict[int, tuple[StateFlow, int]]:
        """Return the nodes that are states, with their flow and their step."""
        lanes = {(state.scope, state.kind): state for state in self.report.states}
        found = {}
        for i, node in enumerate(self.report.nodes):
            if node.op is not None and node.step is not None and node.label is not None:
                state = lanes.get((lane_of(node.scope), node.label))
                if state is not None:
                    found[i] = state, node.step
        return found

    def _after(self, starts: Iterable[int]) -> set[int]:
        """Return nodes and what is computed from them."""
        found = set(starts)
        waiting = list(found)
        while waiting:
            for reader in self.readers.get(waiting.pop(), ()):
                if reader not in found:
                    found.add(reader)
                    waiting.append(reader)
        return found


def _usable(norm: float | None) -> bool:
    return norm is not None and math.isfinite(norm) and norm > 0


def _last_step(state: StateFlow) -> int:
    return state.steps[0] if state.direction == "reverse" else state.steps[-1]
