"""What every step contributes to the gradient of a parameter, gathered while a walk passes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_rnn.engine.autograd import Message, Sums, send
from tinygrad_rnn.engine.graph import Edge, Node, Slice, grad_mode
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.flow.survey import Survey


class StepSums:
    """Sums, per parameter and step, of the messages that reach the parameter from that step.

    A step's sum is dropped as soon as its last message has arrived, so that one array per parameter is alive.
    """

    def __init__(self, survey: Survey, batch: int) -> None:
        self.survey = survey
        self.batch = batch
        self.outside: set[Node] = set()  # parameters used outside any step
        self.due: Counter[tuple[Node, int]] = Counter()  # how many messages are still to come
        for child, parent in _uses(survey):
            for leaf in survey.sources[parent]:
                step = survey.step[child]
                if step is None:
                    self.outside.add(leaf)
                else:
                    self.due[leaf, step] += 1
        self.sums: dict[tuple[Node, int], np.ndarray] = {}
        self.totals: dict[Node, np.ndarray] = {}
        self.per_step: dict[Node, dict[int, float]] = {}
        self.running: dict[Node, dict[int, float]] = {}

    def add(self, child: Node, position: int, message: Message) -> None:
        edge = child._edges()[position]
        step = self.survey.step[child]
        leaves = [leaf for leaf in self.survey.sources[edge[0]] if leaf not in self.outside]
        if step is None or not leaves:
            return
        for leaf, index, grad in _to_leaves(edge, message):
            if leaf not in self.outside:
                if (leaf, step) not in self.sums:
                    self.sums[leaf, step] = np.zeros(leaf.outputs[0].shape)
                self.sums[leaf, step][index] += grad
        for leaf in leaves:
            self.due[leaf, step] -= 1
            if not self.due[leaf, step]:
                self._close(leaf, step)

    def finish(self) -> None:
        """Close the steps of which some messages never came, because no gradient flowed."""
        for leaf, step in sorted(self.sums, key=lambda key: (self.survey.position[key[0]], -key[1])):
            self._close(leaf, step)

    def _close(self, leaf: Node, step: int) -> None:
        part = self.sums.pop((leaf, step), None)
        if part is None:
            return
        self.per_step.setdefault(leaf, {})[step] = norm(part) / self.batch
        total = self.totals[leaf] = self.totals[leaf] + part if leaf in self.totals else part
        self.running.setdefault(leaf, {})[step] = norm(total) / self.batch


def _uses(survey: Survey) -> Iterator[tuple[Node, Node]]:
    """Yield (child, parent) wherever a parameter, or what only moves it, enters a computation."""
    for child in survey.nodes:
        if child.requires_grad and child not in survey.sources:
            for parent, _ in child._edges():
                if parent in survey.sources:
                    yield child, parent


def _to_leaves(edge: Edge, message: Message) -> Iterator[tuple[Node, Any, np.ndarray]]:
    """Follow a message back through movement ops; yield each parameter with the index it reaches there."""
    waiting = [(edge, message)]

    def receive(edge: Edge, message: Message, position: int) -> None:
        waiting.append((edge, message))

    while waiting:
        (node, index), message = waiting.pop()
        if node.op is None:
            yield node, *reached(message)
        else:
            sums = Sums(in_place=True)
            sums.add((node, index), message)
            with grad_mode(False):
                send(node, [sums.pop((node, i)) for i in range(len(node.outputs))], receive, dense=True)


def reached(message: Message) -> tuple[Any, np.ndarray]:
    """Return the part of the parent that a message reaches, as an index, and its values."""
    if isinstance(message, Tensor):
        return (), message.numpy()
    if isinstance(message, Slice):
        return message.index, message.grad.numpy()
    return (), message.dense().numpy()


def norm(values: np.ndarray) -> float:
    """Return the L2 norm in float64, also where squares would overflow or fall below the smallest number."""
    flat = values.astype(np.float64, copy=False).ravel()
    with np.errstate(over="ignore"):
        squares = float(np.dot(flat, flat))
    if 1e-280 < squares < math.inf or not flat.size:
        return math.sqrt(squares)
    largest = float(np.abs(flat).max())
    if largest == 0 or not math.isfinite(largest):
        return largest
    flat = flat / largest
    return largest * math.sqrt(float(np.dot(flat, flat)))
