"""Measuring gradient flow: one backward walk over a graph, noting the size of everything that passes.

The walk notes raw numbers only; `measured.py` makes a report of them when it is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn.engine.protocol import Edge, Engine, Grads, Observer, Value, Vertex, is_value
from tinygrad_rnn.errors import GraphError, InputError, ShapeError
from tinygrad_rnn.flow.carries import carries_of
from tinygrad_rnn.flow.crossings import CrossingSums
from tinygrad_rnn.flow.early import first_states
from tinygrad_rnn.flow.links import links_of
from tinygrad_rnn.flow.measured import MeasuredFlow, Notes
from tinygrad_rnn.flow.records import Statistics
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.shares import InnerProducts
from tinygrad_rnn.flow.survey import Survey, look_over
from tinygrad_rnn.flow.weights import StepSums

#: The derivative of what squashes, from its value.
_SLOPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": lambda value: 1 - value**2,
    "sigmoid": lambda value: value * (1 - value),
}


def gradient_flow(
    losses: Value, threshold: float = 0.01, *, edges: bool = True, links: bool = True, statistics: bool = False
) -> FlowReport:
    """Measure how the gradient of a loss flows back through its graph, which it leaves as it was.

    The report holds numbers only: it stays as it is when the graph is freed, and keeps none of its arrays alive.

    Args:
        losses: the losses L_b of the B examples, shape (B,), or a single loss. Examples must not mix: with the mean
            over a batch instead, B counts as 1 and the sizes are those of the mean.
        threshold: the share of the gradient at the last step below which it counts as vanished.
        edges: also measure what flows along every edge, and what each step contributes to the parameters.
        links: also measure what flows between named nodes, all paths through unnamed ones together (only with edges).
        statistics: also describe the values and the gradients of every node, and unit by unit what the gates let
            through.

    Returns:
        The report; `report.notes` says what to name if states or steps are missing.

    Raises:
        InputError: the losses are no tensor, or the threshold is no share.
        GraphError: the losses do not require grad, or backward() has freed the graph.
        ShapeError: the losses have more than one axis, or there are none.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.flow import gradient_flow
    >>> h = tg.tensor([[1.0], [2.0]], requires_grad=True)
    >>> for t in range(3):
    ...     with tg.scope("t", t):
    ...         h = (h * 0.5).named("h")
    >>> report = gradient_flow(h.sum(axis=1))
    >>> report.hidden_grad.tolist(), report.verdict
    ([0.25, 0.5, 1.0], 'survives')
    """
    check_losses(losses)
    if not 0 <= threshold <= 1:
        raise InputError(f"gradient_flow: the threshold {threshold} is no share of a gradient; use 0 to 1, like 0.01")
    engine, (node, _) = losses.engine, losses.edge
    survey, position = look_over(node, "measure")
    meter = (
        _EdgeMeter(engine, survey, position, losses.size, statistics, links)
        if edges
        else _Meter(engine, survey, position, losses.size, statistics)
    )
    engine.walk(engine.topological([node]), [(losses.edge, engine.ones_like(losses))], meter)
    carries = carries_of(engine.topological([node]), meter.of_states, losses.size) if statistics else ()
    noted = meter.finish()
    noted.first = first_states(losses, survey, position)
    noted.nonfinite = _first_nonfinite(survey, position, noted)
    return MeasuredFlow(survey, noted, float(losses.numpy().mean()), threshold, carries)


def _first_nonfinite(survey: Survey, position: dict[Vertex, int], noted: Notes) -> str | None:
    """Return in words which node is the first with a value, or else a gradient, that is NaN or infinite."""
    wrong = [at for (at, _), size in noted.sizes.items() if not math.isfinite(size)]
    if not wrong:
        return None
    for node, at in position.items():
        if not all(np.isfinite(node.values(index)).all() for index in range(len(node.outputs))):
            return f"the first value that is NaN or infinite is that of {survey.names[at]}, in the forward pass"
    return (
        f"all values are finite, and the first gradient that is NaN or infinite is that of {survey.names[max(wrong)]}, "
        "in the backward pass"
    )


def grads_at_hand(root: Value) -> FlowReport:
    """Return a report of the graph behind a tensor that computes nothing: it shows the `.grad` that are there.

    Everything else is "not computed". Sizes are relative to the root, whose own gradient is 1.

    Raises:
        GraphError: backward() has freed the graph.
    """
    survey, position = look_over(root.edge[0])
    noted = Notes(batch=1, complete=False)
    for node, at in position.items():
        for index in range(len(node.outputs)):
            grad = node.grad_of(index)
            if grad is not None:
                noted.sizes[at, index] = root.engine.norm(grad)
                if grad.size == 1:
                    noted.single.setdefault(at, grad.item())
    return MeasuredFlow(survey, noted, float(root.numpy().mean()) if root.size else math.nan, threshold=0.01)


def check_losses(losses: Any) -> None:
    """Check that these are losses whose gradient can be measured.

    Raises:
        InputError: they are no tensor.
        ShapeError: they have more than one axis, or there are none.
        GraphError: they do not require grad.
    """
    if not is_value(losses):
        given = type(losses).__name__
        advice = ""
        if isinstance(losses, list | tuple):
            given += f" of {len(losses)}"
            advice = "; losses of several steps, (B,) each: tg.stack(losses).sum(axis=0)"
        raise InputError(
            f"gradient_flow: pass one tensor, the losses of the examples, shape (B,), or a single loss, not a {given}"
            + advice
        )
    if len(losses.shape) > 1 or losses.size == 0:
        raise ShapeError(
            f"gradient_flow: the losses must be one per example, shape (B,), or a single one, not {losses.shape}; "
            "reduce the other axes: losses.sum(axis=1)"
        )
    if not losses.requires_grad:
        raise GraphError(
            "gradient_flow: the losses do not require grad, so no gradient flows; create the parameters with "
            "requires_grad=True, and compute outside no_grad()"
        )


class _Meter(Observer):
    """Notes the size of every gradient as the walk passes."""

    def __init__(
        self, engine: Engine, survey: Survey, position: dict[Vertex, int], batch: int, statistics: bool
    ) -> None:
        self.engine, self.norm = engine, engine.norm
        self.survey = survey
        self.position = position
        self.noted = Notes(batch)
        self.statistics = statistics
        self.of_states: dict[Edge, np.ndarray] = {}
        # What may be the gradient of an edge, and its norm: the message that it got last; and the gradient that was
        # last complete, since add, for one, hands it on as it is.
        self._messages: dict[Edge, tuple[Any, float]] = {}
        self._last: tuple[Any, float] = None, 0.0

    def complete(self, node: Vertex, grads: Grads) -> Grads:
        at = self.position[node]
        for index, grad in enumerate(grads):
            if grad is None:
                continue
            known, size = self._messages.pop((node, index), self._last)
            if known is not grad:
                size = self.norm(grad)
            self._last = grad, size
            self.noted.sizes[at, index] = size
            if grad.size == 1:
                self.noted.single[at] = grad.item()
            if self.statistics:
                self._describe(node, at, index, grad.numpy())
        return grads

    def _describe(self, node: Vertex, at: int, index: int, data: np.ndarray) -> None:
        if index in dict(self.survey.states_of(at)):
            self.of_states[node, index] = data
            if (rows := _by_example(data, self.noted.batch)) is not None:
                largest = np.abs(rows).max(initial=0.0)  # taken out, or small squares would underflow
                scaled = rows / largest if 0 < largest < math.inf else rows
                sizes = np.sqrt(np.mean(np.square(scaled, dtype=np.float64), axis=0))
                self.noted.unit_sizes[at, index] = sizes * largest if scaled is not rows else sizes
        if len(node.outputs) == 1:
            scale = self.noted.batch if at in self.survey.batch_free else 1
            self.noted.gradients[at] = describe(data / scale)

    def finish(self) -> Notes:
        """Return all that was noted, now that the walk is over."""
        if self.statistics:
            self.noted.values = {at: describe(node.values()) for node, at in self.position.items()}
            gates = {at: node for node, at in self.position.items() if self.survey.role(at) == "gate"}
            for at, node in gates.items():
                if (rows := _by_example(node.values(), self.noted.batch)) is not None:
                    self.noted.unit_values[at] = rows.mean(axis=0, dtype=np.float64)
            for node in {node for node, _ in self.of_states} - set(gates.values()):
                if (rows := _by_example(node.values(), self.noted.batch)) is not None:
                    squares = np.square(rows, dtype=np.float64).mean(axis=0)
                    self.noted.unit_values[self.position[node]] = np.sqrt(squares)
            for node, at in self.position.items():
                slope = _SLOPES.get(node.op_name or "")
                rows = _by_example(node.values(), self.noted.batch) if slope and self.survey.squashed_by(at) else None
                if slope is not None and rows is not None:
                    self.noted.unit_slopes[at] = slope(np.asarray(rows, dtype=np.float64)).mean(axis=0)
        return self.noted


class _EdgeMeter(_Meter):
    """Notes the size of every message, too, and what each step contributes to the parameters."""

    dense = True

    def __init__(
        self,
        engine: Engine,
        survey: Survey,
        position: dict[Vertex, int],
        batch: int,
        statistics: bool,
        links: bool,
    ) -> None:
        super().__init__(engine, survey, position, batch, statistics)
        self.of_anchors: dict[int, Grads] = {}
        self.anchors = survey.anchors if links else frozenset()
        self.messages: dict[tuple[int, int], float] = {}
        self.weights = StepSums(engine, survey, position)
        self.crossings = CrossingSums(engine, survey)
        self.shares = InnerProducts(engine, survey)

    def complete(self, node: Vertex, grads: Grads) -> Grads:
        if self.position[node] in self.anchors:
            self.of_anchors[self.position[node]] = grads
        super().complete(node, grads)
        if self.shares.waiting:
            for index, grad in enumerate(grads):
                self.shares.take((node, index), grad, self.noted.sizes.get((self.position[node], index), 0.0))
        return grads

    def receive(self, child: Vertex, position: int, edge: Edge, message: Any) -> None:
        known, size = self._last
        if message is not known:
            size = self.norm(message)
        self._messages[edge] = message, size
        key = self.position[child], position
        self.messages[key] = size
        if key in self.weights.uses:
            self.weights.add(key, edge, message, size)
        if key in self.crossings.wanted:
            self.crossings.add(key, edge, message)
        if key in self.shares.wanted:
            self.shares.add(key, edge, message)
        self.sums.add(edge, message)

    def finish(self) -> Notes:
        noted = super().finish()
        self.weights.finish()
        self.crossings.finish()
        noted.messages, noted.crossings, noted.shares = self.messages, self.crossings.sizes, self.shares.found
        noted.outside, noted.per_step, noted.running = self.weights.outside, self.weights.per_step, self.weights.running
        noted.directions = self.weights.directions
        if self.anchors:
            noted.links = links_of(self.engine, self.survey, self.position, self.of_anchors, noted.sizes)
        return noted


def _by_example(values: np.ndarray, batch: int) -> np.ndarray | None:
    """Return (B, units); None if the first axis is not that of the examples."""
    if values.ndim == 1 and batch == 1:
        return values[None]
    return values.reshape(batch, -1) if values.ndim > 1 and values.shape[0] == batch else None


def describe(values: np.ndarray) -> Statistics:
    """Return the statistics of an array, in float64; all are nan where one element is, or where there is none."""
    ordered = np.sort(values, axis=None)  # puts nan last
    n = ordered.size
    if not n or math.isnan(ordered[-1]):
        return Statistics(*[math.nan] * 6)
    with np.errstate(all="ignore"):
        mean = float(ordered.sum(dtype=np.float64)) / n
        apart = ordered - np.float64(mean)
        std = math.sqrt(float(np.dot(apart, apart)) / n)
    low, high = _quantile(ordered, 0.1), _quantile(ordered, 0.9)
    return Statistics(mean, std, low, high, float(ordered[0]), float(ordered[-1]))


def _quantile(ordered: np.ndarray, share: float) -> float:
    """Return what np.quantile does, in a tenth of the time."""
    place = share * (len(ordered) - 1)
    below = int(place)
    lower, upper = float(ordered[below]), float(ordered[math.ceil(place)])
    return lower if lower == upper else lower + (place - below) * (upper - lower)
