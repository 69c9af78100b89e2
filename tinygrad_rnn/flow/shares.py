"""How much each message brings of what arrives at a node: <message, g> / ||g||^2, where g is the node's gradient.

The shares of all messages into a node sum to 1; that of a message which points against the sum of all is negative.
With g = m + n, 2 <m, g> = ||g||^2 + ||m||^2 - ||n||^2, so for one or two messages the norms are enough. Only where more
arrive, inner products are taken, and for these the messages are kept until the last of them is there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

from tinygrad_rnn.engine.protocol import Edge, Engine
from tinygrad_rnn.flow.survey import Survey

#: Of more messages to one output none is kept, unless they are slices, which the walk itself keeps: a weight that every
#: step reads would take as much memory as all its contributions.
MOST = 8
#: One output of a node, by position.
Output = tuple[int, int]


class InnerProducts:
    """Takes the shares of messages that arrive with two or more others.

    Attributes:
        wanted: these messages, by child and place of the input.
        waiting: those that have arrived at a gradient that is not complete.
        found: their shares of the gradient of the output.
    """

    def __init__(self, engine: Engine, survey: Survey) -> None:
        self._engine = engine
        self.waiting: dict[Edge, list[tuple[tuple[int, int], Any]]] = {}
        self.wanted = _crowded(survey)
        self.found: dict[tuple[int, int], float] = {}

    def add(self, message_of: tuple[int, int], edge: Edge, message: Any) -> None:
        """Keep one of the wanted messages."""
        self.waiting.setdefault(edge, []).append((message_of, message))

    def take(self, edge: Edge, grad: Any, size: float) -> None:
        """Take the shares in a gradient that is complete, and drop the messages."""
        for message_of, message in self.waiting.pop(edge, ()):
            self.found[message_of] = self._engine.share(message, grad, size) if 0 < size < math.inf else math.nan


def _crowded(survey: Survey) -> set[tuple[int, int]]:
    """Return the messages of which more than two arrive at an output, and that can be kept."""
    counts = Counter(edge[1:] for entry in survey.entries for edge in entry.inputs)
    whole = {edge[1:] for entry in survey.entries if entry.op != "getitem" for edge in entry.inputs}
    crowded = {output for output, count in counts.items() if count > 2 and (count <= MOST or output not in whole)}
    return {
        (child, edge[0])
        for child, entry in enumerate(survey.entries if crowded else ())
        for edge in entry.inputs
        if edge[1:] in crowded
    }


def arriving(survey: Survey) -> dict[Output, list[tuple[int, int]]]:
    """Return the messages that arrive at each output, by child and place of the input."""
    found: dict[Output, list[tuple[int, int]]] = {}
    for child, entry in enumerate(survey.entries):
        for place, parent, output in entry.inputs:
            if survey.entries[parent].requires_grad:
                found.setdefault((parent, output), []).append((child, place))
    return found


_Message = TypeVar("_Message", bound=Hashable)


def shares_of(
    messages: Sequence[_Message], sizes: Mapping[_Message, float], size: float, taken: Mapping[_Message, float]
) -> dict[_Message, float]:
    """Return the shares of all messages in a gradient of some size; {} where they are not known.

    Args:
        sizes: the norms of the messages; one that is not there never came.
        taken: the shares that were taken as inner products.
    """
    if not 0 < size < math.inf or not all(math.isfinite(sizes.get(message, 0.0)) for message in messages):
        return {}
    came = [message for message in messages if sizes.get(message)]
    found = dict.fromkeys(messages, 0.0)
    if len(came) == 1:
        found[came[0]] = 1.0
    elif len(came) == 2:
        a, b = (sizes[message] / size for message in came)
        more = 0.5 * (a - b) * (a + b)
        found[came[0]], found[came[1]] = 0.5 + more, 0.5 - more
    elif all(message in taken for message in came):
        found.update((message, taken[message]) for message in came)
    else:
        return {}
    return found if all(map(math.isfinite, found.values())) else {}
