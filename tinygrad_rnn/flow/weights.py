"""What every step contributes to the gradient of a parameter, gathered while a walk passes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from tinygrad_rnn.engine.protocol import Edge, Engine, Observer, Vertex
from tinygrad_rnn.flow.survey import Survey, direction_of
from tinygrad_rnn.flow.totals import Total

#: Movement ops that keep every element, just once: the norm of a gradient is the same on both sides.
_ONE_TO_ONE = frozenset(("cast", "copy", "reshape", "to", "transpose"))


class StepSums:
    """Sums, per parameter and step, of the messages that reach the parameter from that step.

    A step's sum is dropped as soon as its last message has arrived, so that one array per parameter is alive. Where
    every use of a parameter moves its elements in the same way (W.T in each step), sums are kept in that layout and
    nothing is moved back.

    Attributes:
        uses: where parameters enter the computation of a step: (child, place of the input).
        outside: parameters used outside any step, which have no contributions per step.
        per_step: per parameter and step, the norm of the step's contribution to d(sum_b L_b)/dW.
        running: the norm of the sum of all that had arrived by then.
        directions: per parameter "forward" or "reverse", as its steps were taken.
    """

    def __init__(self, engine: Engine, survey: Survey, nodes: dict[Vertex, int]) -> None:
        self.engine = engine
        self.survey = survey
        self.position = nodes
        self.uses: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}  # the step, and the parameters behind
        self.outside: set[int] = set()
        self.per_step: dict[int, dict[int, float]] = {}
        self.running: dict[int, dict[int, float]] = {}
        self._due: dict[tuple[int, int], int] = {}  # how many messages are still to come, per parameter and step
        self._oldest: dict[tuple[int, int], int] = {}  # the node from which the last of them comes
        self._parts: dict[tuple[int, int], Total] = {}
        self._totals: dict[int, Total] = {}
        uses = [
            (i, place, parent, survey.step[i])
            for i, entry in enumerate(survey.entries) if entry.requires_grad and i not in survey.sources
            for place, parent, _ in entry.inputs if parent in survey.sources
        ]  # fmt: skip
        for _, _, parent, step in uses:
            if step is None:
                self.outside.update(survey.sources[parent])
        for i, place, parent, step in uses:
            leaves = tuple([leaf for leaf in survey.sources[parent] if leaf not in self.outside])
            if step is not None and leaves:
                self.uses[i, place] = step, leaves
                for leaf in leaves:
                    self._due[leaf, step] = self._due.get((leaf, step), 0) + 1
                    self._oldest.setdefault((leaf, step), i)
        self.directions = {leaf: self._direction(leaf) for leaf in {leaf for leaf, _ in self._due}}
        layouts: dict[int, set[Hashable]] = {}
        for parent in {parent for _, _, parent, _ in uses}:
            layout = self._layout(parent)
            for leaf in survey.sources[parent]:
                layouts.setdefault(leaf, set()).add(layout)
        self._as_used = {leaf for leaf, found in layouts.items() if len(found) == 1 and None not in found}

    def _direction(self, leaf: int) -> str:
        """Return in which direction the steps that use a parameter were taken."""
        readers = [(i, step) for (i, _), (step, leaves) in self.uses.items() if leaf in leaves]
        return direction_of(self.survey.entries[readers[0][0]].scope, list(dict.fromkeys(step for _, step in readers)))

    def _layout(self, source: int) -> Hashable:
        """Return how a parameter's elements were moved on the way to a node; None unless each is there just once."""
        moves = []
        entry = self.survey.entries[source]
        while entry.op is not None:
            if entry.op not in _ONE_TO_ONE:
                return None
            moves.append((entry.op, str(entry.attrs)))
            entry = self.survey.entries[entry.inputs[0][1]]
        return tuple(moves)

    def add(self, use: tuple[int, int], edge: Edge, message: Any, size: float) -> None:
        """Take in the message of one of the uses, along an edge, and its norm."""
        step, leaves = self.uses[use]
        self._close_passed(use[0], leaves, step)
        if leaves[0] in self._as_used:
            self._part(leaves[0], step, edge).add(message, size)
        else:
            for leaf, part in self._to_leaves(edge, message):
                at = self.position[leaf]
                if at in leaves:
                    self._part(at, step, (leaf, 0)).add(part)
        for at in leaves:
            self._due[at, step] -= 1
            if not self._due[at, step]:
                self._close(at, step)

    def _close_passed(self, child: int, leaves: tuple[int, ...], step: int) -> None:
        """Close the steps that the walk has left behind, though messages of theirs never came."""
        for leaf, other in [key for key in self._parts if key[0] in leaves and key[1] != step]:
            if self._oldest[leaf, other] > child:
                self._close(leaf, other)

    def _part(self, leaf: int, step: int, edge: Edge) -> Total:
        if (leaf, step) not in self._parts:
            self._parts[leaf, step] = Total(self.engine, edge)
            self._totals.setdefault(leaf, Total(self.engine, edge))
        return self._parts[leaf, step]

    def finish(self) -> None:
        """Close the steps of which some messages never came, because no gradient flowed."""
        for leaf, step in sorted(self._parts, key=self._oldest.__getitem__, reverse=True):
            self._close(leaf, step)

    def _close(self, leaf: int, step: int) -> None:
        part = self._parts.pop((leaf, step), None)
        if part is None:
            return
        self.per_step.setdefault(leaf, {})[step] = part.norm()
        total = self._totals[leaf]
        total.add(part.value, part.norm())
        self.running.setdefault(leaf, {})[step] = total.norm()

    def _to_leaves(self, edge: Edge, message: Any) -> list[tuple[Vertex, Any]]:
        """Follow a message back through movement ops; return what reaches each parameter."""
        if edge[0].op_name is None:
            return [(edge[0], message)]
        arrived = _Arrived()
        self.engine.walk(self.engine.topological([edge[0]]), [(edge, message)], arrived)
        return arrived.messages


class _Arrived(Observer):
    """Keeps the messages to leaves as they come: a slice stays one."""

    dense = True

    def __init__(self) -> None:
        self.messages: list[tuple[Vertex, Any]] = []

    def receive(self, child: Vertex, position: int, edge: Edge, message: Any) -> None:
        if edge[0].op_name is None:
            self.messages.append((edge[0], message))
        else:
            self.sums.add(edge, message)
