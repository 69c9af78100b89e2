"""Which states the losses reach other than through the states of later steps: those have gradients of their own.

Where the losses of all steps are read, the gradient of a state comes from its own loss first, and says nothing of what
was carried back through time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_rnn.engine.protocol import Grads, Observer, Scope, Value, Vertex
from tinygrad_rnn.flow.records import StateFlow
from tinygrad_rnn.flow.survey import Survey, lane_of


def first_states(losses: Value, survey: Survey, position: Mapping[Vertex, int]) -> set[int]:
    """Return the states to which some gradient of the losses comes without passing any other.

    By what flows and not by what is connected: of a whole output, stacked, a loss may read the last step alone.
    """
    root = losses.edge[0]
    between = {root}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if survey.holds_state(node):
            continue
        for parent, _ in node.parents or ():
            if parent.requires_grad and parent not in between:
                between.add(parent)
                waiting.append(parent)
    walker = _UpToStates(losses.engine, survey, position)
    losses.engine.walk(
        sorted(between, key=position.__getitem__), [(losses.edge, losses.engine.ones_like(losses))], walker
    )
    return walker.reached


class _UpToStates(Observer):
    """Lets the gradient go as far as the first states it meets."""

    def __init__(self, engine: Any, survey: Survey, position: Mapping[Vertex, int]) -> None:
        self.engine, self.survey, self.position = engine, survey, position
        self.reached: set[int] = set()

    def complete(self, node: Vertex, grads: Grads) -> Grads:
        if not self.survey.holds_state(node):
            return grads
        if any(grad is not None and self.engine.norm(grad) != 0 for grad in grads):
            self.reached.add(self.position[node])
        return ()


def early_reads(survey: Survey, states: Sequence[StateFlow], first: set[int]) -> dict[Scope, tuple[str, int]]:
    """Return by lane the kind and step of a state that is reached without passing one of a later step of any lane.

    In the reverse direction: of an earlier step. The last state of a lane, where its gradient begins, does not count.

    Args:
        states: the lanes there are.
        first: what `first_states` returns.
    """
    if not first:
        return {}
    ends = {state.scope: state.steps[0 if state.direction == "reverse" else -1] for state in states}
    backward = {state.scope for state in states if state.direction == "reverse"}
    # Over all paths from the losses to a node: the latest step passed, where that is least; the earliest, where it is
    # greatest. A node that no path reaches has neither.
    latest: dict[int, float] = dict.fromkeys(first, -math.inf)
    earliest: dict[int, float] = dict.fromkeys(first, math.inf)
    found: dict[Scope, tuple[str, int]] = {}
    for i in range(max(first), -1, -1):
        if i not in latest:
            continue
        entry, step = survey.entries[i], survey.step[i]
        late, soon = latest[i], earliest[i]
        kind = next((name for _, name in survey.states_of(i)), None)
        if step is not None and kind is not None:
            lane = lane_of(entry.scope)
            passed_none = soon >= step if lane in backward else late <= step
            if passed_none and step != ends.get(lane, step):
                found.setdefault(lane, (kind, step))
            late, soon = max(late, step), min(soon, step)
        through = survey.stacked_part(i)
        for _, parent, _ in (through,) if through else entry.inputs:
            if survey.entries[parent].requires_grad:
                latest[parent] = min(latest.get(parent, math.inf), late)
                earliest[parent] = max(earliest.get(parent, -math.inf), soon)
    return found
