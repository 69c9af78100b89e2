"""What one step sends back to a node of another: the sum of its messages, before those of other steps are added."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.engine.protocol import Edge, Engine
from tinygrad_rnn.flow.survey import Survey
from tinygrad_rnn.flow.totals import Total

#: A node, its output, and the other step.
Crossing = tuple[int, int, int]


class CrossingSums:
    """Sums the messages that cross together; a single message needs no sum.

    Attributes:
        wanted: the messages to add, by child and place of the input, and the crossing each belongs to.
        sizes: the norms of the sums.
    """

    def __init__(self, engine: Engine, survey: Survey) -> None:
        self._engine = engine
        crossings = {crossing: sent for crossing, sent in crossing_messages(survey).items() if len(sent) > 1}
        self.wanted = {message: crossing for crossing, sent in crossings.items() for message in sent}
        self.sizes: dict[Crossing, float] = {}
        self._due = {crossing: len(sent) for crossing, sent in crossings.items()}
        self._sums: dict[Crossing, Total] = {}

    def add(self, message_of: tuple[int, int], edge: Edge, message: Any) -> None:
        """Take in one of the wanted messages."""
        crossing = self.wanted[message_of]
        if crossing not in self._sums:
            self._sums[crossing] = Total(self._engine, edge)
        self._sums[crossing].add(message)
        self._due[crossing] -= 1
        if not self._due[crossing]:
            self.sizes[crossing] = self._sums.pop(crossing).norm()

    def finish(self) -> None:
        """Take the norms of sums of which some messages never came, because no gradient flowed."""
        while self._sums:
            crossing, total = self._sums.popitem()
            self.sizes[crossing] = total.norm()


def crossing_messages(survey: Survey) -> dict[Crossing, list[tuple[int, int]]]:
    """Return the messages that cross from one step to another: by parent, its output and the step of the children."""
    found: dict[Crossing, list[tuple[int, int]]] = {}
    steps = survey.step
    for child, entry in enumerate(survey.entries):
        there = steps[child]
        if there is None or not entry.requires_grad:
            continue
        for place, parent, output in entry.inputs:
            here = steps[parent]
            if here is not None and here != there and survey.entries[parent].requires_grad:
                found.setdefault((parent, output, there), []).append((child, place))
    return found
