"""Measuring gradient flow: one backward walk over a graph, noting the size of everything that passes."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable

import numpy as np

from tinygrad_rnn.engine.autograd import Message, Sums, send, walk
from tinygrad_rnn.engine.graph import Edge, Node, Scope, Slice, grad_mode
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import GraphError, ShapeError
from tinygrad_rnn.flow.report import EdgeFlow, FlowReport, NodeFlow, StateFlow, WeightFlow
from tinygrad_rnn.flow.survey import Survey, before_step, label_of, stacked_part
from tinygrad_rnn.flow.weights import StepSums, norm, reached

STATE_KINDS = ("h", "c")


def gradient_flow(losses: Tensor, threshold: float = 0.01, links: bool = True) -> FlowReport:
    """Measure how the gradient of a loss flows back through its graph, which it leaves as it was.

    Args:
        losses: the losses L_b of the B examples, shape (B,), or a single loss. Examples must not mix: with the mean
            over a batch instead, B counts as 1 and the sizes are those of the mean.
        threshold: the share of the gradient at the last step below which it counts as vanished.
        links: also measure what flows between named nodes, all paths through unnamed ones together.

    Returns:
        The report; `report.notes` says what to name if states or steps are missing.

    Raises:
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
    if losses.ndim > 1 or losses.size == 0:
        raise ShapeError(
            f"gradient_flow: the losses must be one per example, shape (B,), or a single one, not {losses.shape}; "
            "reduce the other axes: losses.sum(axis=1)"
        )
    if not losses.requires_grad:
        raise GraphError(
            "gradient_flow: the losses do not require grad, so no gradient flows; create the parameters with "
            "requires_grad=True, and compute outside no_grad()"
        )
    survey = Survey(losses._node, "measure")
    meter = _Meter(survey, losses.size)
    walk([losses._edge], [losses._like(1.0)], hooks=False, on_node=meter.node, on_edge=meter.edge)
    between = _links(survey, meter.of_anchors if links else {}, losses.size)
    meter.weights.finish()
    states = _states(survey, meter)
    return FlowReport(
        batch=losses.size,
        loss=float(losses.numpy().mean()),
        steps=survey.steps,
        nodes=_nodes(survey, {node: meter.size(node) for node in survey.nodes if node.requires_grad}, meter.single),
        edges=_edges(survey, {**dict.fromkeys(_wanted(survey), 0.0), **meter.messages}),
        links=between,
        crossings={
            (survey.position[parent], step): norm(total) / meter.scale(parent)
            for (parent, step), total in meter.into_steps.items()
        },
        states=states,
        weights=_weights(survey, meter),
        threshold=threshold,
        notes=_notes(survey, states),
    )


def grads_at_hand(root: Tensor) -> FlowReport:
    """Return a report of the graph behind a tensor that computes nothing: it shows the `.grad` that are there.

    Everything else is "not computed". Sizes are relative to the root, whose own gradient is 1.

    Raises:
        GraphError: backward() has freed the graph.
    """
    survey = Survey(root._node)
    found, single = {}, {}
    for node in survey.nodes:
        grads = [info.grad for info in (node.infos or {}).values() if info.grad is not None]
        if grads:
            found[node] = math.hypot(*[norm(grad.numpy()) for grad in grads])
            if grads[0].size == 1:
                single[node] = grads[0].item()
    return FlowReport(
        batch=1,
        loss=float(root.numpy().mean()) if root.size else math.nan,
        steps=survey.steps,
        nodes=_nodes(survey, found, single),
        edges=_edges(survey, {}),
        links=_links(survey, {}),
        crossings={},
        states=(),
        weights={},
        threshold=0.01,
        notes=(),
    )


# ---- what is noted during the walk ----------------------------------------------------------------------------------


class _Meter:
    """Notes the size of every gradient and every message as the walk passes."""

    def __init__(self, survey: Survey, batch: int) -> None:
        self.survey = survey
        self.batch = batch
        self.sizes: dict[Edge, float] = {}
        self.single: dict[Node, float] = {}  # the gradients of single numbers, with their sign
        self.messages: dict[tuple[Node, int], float] = {}
        self.into_steps: dict[tuple[Node, int], np.ndarray] = {}  # sums of messages, by parent and step of the child
        self.of_anchors: dict[Node, dict[int, Tensor]] = {}
        self.weights = StepSums(survey, batch)

    def node(self, node: Node, index: int, grad: Tensor) -> None:
        self.sizes[node, index] = norm(grad.numpy()) / self.scale(node)
        if grad.size == 1:
            self.single[node] = grad.item() / self.scale(node)
        if node in self.survey.anchors:
            self.of_anchors.setdefault(node, {})[index] = grad

    def edge(self, child: Node, position: int, message: Message) -> None:
        parent, output = child._edges()[position]
        index, values = reached(message)
        self.messages[child, position] = norm(values) / self.scale(parent)
        here, there = self.survey.step[parent], self.survey.step[child]
        if here is not None and there is not None and here != there:
            key = parent, there
            if key not in self.into_steps:
                self.into_steps[key] = np.zeros(parent.outputs[output].shape)
            self.into_steps[key][index] += values
        if parent in self.survey.sources and child not in self.survey.sources:
            self.weights.add(child, position, message)

    def scale(self, node: Node) -> float:
        """What turns the norm of d(sum_b L_b)/dn into the size of a gradient."""
        return self.batch if node in self.survey.batch_free else math.sqrt(self.batch)

    def size(self, node: Node) -> float:
        return math.hypot(*[self.sizes.get((node, index), 0.0) for index in range(len(node.outputs))])


# ---- what the report says of it -------------------------------------------------------------------------------------


def _nodes(survey: Survey, sizes: dict[Node, float], single: dict[Node, float]) -> tuple[NodeFlow, ...]:
    return tuple(
        NodeFlow(
            name=survey.names[node],
            label=survey.leaf_names.get(node) or label_of(node),
            op=node.op.name if node.op else None,
            scope=node.scope,
            step=survey.step[node],
            shape=node.outputs[0].shape,
            requires_grad=node.requires_grad,
            parameter=node in survey.sources,
            constants=tuple(
                (position, parent.outputs[0].item())
                for position, (parent, _) in enumerate(node._edges())
                if parent.constant
            ),
            value=node.outputs[0].item() if node.outputs[0].size == 1 else None,
            norm=sizes.get(node),
            gradient=single.get(node),
        )
        for node in survey.nodes
    )


def _edges(survey: Survey, messages: dict[tuple[Node, int], float]) -> tuple[EdgeFlow, ...]:
    return tuple(
        EdgeFlow(
            child=survey.position[child],
            position=position,
            parent=survey.position[parent],
            norm=messages.get((child, position)),
            requires_grad=parent.requires_grad,
        )
        for child in survey.nodes
        for position, (parent, _) in enumerate(child._edges())
        if not parent.constant
    )


def _wanted(survey: Survey) -> Iterable[tuple[Node, int]]:
    """The edges along which a gradient may flow; where no message comes, it is zero."""
    for child in survey.nodes:
        for position, (parent, _) in enumerate(child._edges()):
            if parent.requires_grad:
                yield child, position


def _links(survey: Survey, grads: dict[Node, dict[int, Tensor]], batch: int = 1) -> tuple[EdgeFlow, ...]:
    links = []
    for child in survey.nodes:
        if child not in survey.anchors:
            continue
        sent = _past_unnamed(survey, child, grads[child], batch) if child in grads else {}
        measured = 0.0 if grads else None
        links += [
            EdgeFlow(
                child=survey.position[child],
                position=None,
                parent=survey.position[parent],
                norm=sent.get(parent, measured) if parent.requires_grad else None,
                requires_grad=parent.requires_grad,
            )
            for parent in survey.direct_anchors(child)
        ]
    return tuple(links)


def _past_unnamed(survey: Survey, start: Node, grads: dict[int, Tensor], batch: int) -> dict[Node, float]:
    """Return the sizes of what one named node sends to the next ones, along all paths through unnamed nodes."""
    sums = Sums(in_place=True)
    for index, grad in grads.items():
        sums.add((start, index), grad)
    ends: dict[Edge, None] = {}
    nodes = {start.serial: start}
    waiting = [-start.serial]  # the youngest first

    def receive(edge: Edge, message: Message, position: int) -> None:
        if edge[0] in survey.sources:
            return
        part = stacked_part(node)
        if part is not None and isinstance(message, Slice):
            edge, message = part, Slice(message.index[1:], message.grad)
        parent = edge[0]
        sums.add(edge, message)
        if parent in survey.anchors:
            ends[edge] = None
        elif parent.serial not in nodes:
            nodes[parent.serial] = parent
            heapq.heappush(waiting, -parent.serial)

    while waiting:
        node = nodes[-heapq.heappop(waiting)]
        if node.op is not None:
            with grad_mode(False):
                send(node, [sums.pop((node, index)) for index in range(len(node.outputs))], receive, dense=False)
    sizes: dict[Node, float] = {}
    for edge in ends:
        total = sums.pop(edge)
        if total is not None:
            sizes[edge[0]] = math.hypot(sizes.get(edge[0], 0.0), norm(total.numpy()) / math.sqrt(batch))
    return sizes


def _states(survey: Survey, meter: _Meter) -> tuple[StateFlow, ...]:
    """Gather G_t of the outputs called "h" and "c", by where they lie; a step without one has no gradient there."""
    found: dict[Scope, dict[str, dict[int, float]]] = {}
    for node in survey.nodes:
        step = survey.step[node]
        if step is None or node.op is None:
            continue
        for index in range(len(node.outputs)):
            kind = node.name_of(index)
            if kind in STATE_KINDS:
                sizes = found.setdefault(_lane(node.scope), {}).setdefault(kind, {})
                sizes[step] = meter.sizes.get((node, index), 0.0)
    flows = []
    for scope, kinds in found.items():
        steps = tuple(sorted({step for sizes in kinds.values() for step in sizes}))
        made = list(next(iter(kinds.values())))
        backward = ("reverse", None) in scope or made[0] > made[-1]
        for kind in STATE_KINDS:
            if kind in kinds:
                flows.append(
                    StateFlow(
                        kind=kind,
                        layer=next((index or 0 for name, index in reversed(scope) if name == "layer"), 0),
                        direction="reverse" if backward else "forward",
                        scope=scope,
                        steps=steps,
                        norms=np.array([kinds[kind].get(step, 0.0) for step in steps]),
                    )
                )
    return tuple(flows)


def _lane(scope: Scope) -> Scope:
    """What the steps of one layer and direction have in common."""
    before = before_step(scope)
    return (*before, *[part for part in scope[len(before) + 1 :] if part[0] in ("layer", "reverse")])


def _weights(survey: Survey, meter: _Meter) -> dict[str, WeightFlow]:
    flows = {}
    for leaf, sources in survey.sources.items():
        if sources != (leaf,) or leaf.op is not None:
            continue
        name = survey.leaf_names.get(leaf, survey.names[leaf])
        if name in flows:  # another leaf has been given the same
            name = survey.names[leaf]
        outside = leaf in meter.weights.outside or not survey.steps
        flows[name] = WeightFlow(
            node=survey.position[leaf],
            per_step=None if outside else _over(survey.steps, meter.weights.per_step.get(leaf, {})),
            running=None if outside else _running_over(survey.steps, meter.weights.running.get(leaf, {})),
            total=meter.size(leaf),
        )
    return flows


def _over(steps: tuple[int, ...], values: dict[int, float]) -> np.ndarray:
    return np.array([values.get(step, 0.0) for step in steps])


def _running_over(steps: tuple[int, ...], values: dict[int, float]) -> np.ndarray:
    """As `_over`, but a step that contributes nothing leaves the sum as it was."""
    met = list(values)
    backward = steps if met and met[0] < met[-1] else steps[::-1]
    filled: dict[int, float] = {}
    sofar = 0.0
    for step in backward:
        sofar = filled[step] = values.get(step, sofar)
    return _over(steps, filled)


def _notes(survey: Survey, states: tuple[StateFlow, ...]) -> tuple[str, ...]:
    if not survey.steps:
        return ("no time steps: compute step t inside `with tg.scope('t', t):` to see the flow through time",)
    if not states:
        return (
            "no states: name what a step hands to the next, h.named('h') and for an LSTM c.named('c'), inside "
            "tg.scope('t', t)",
        )
    made = Counter(
        (_lane(node.scope), survey.step[node], kind)
        for node in survey.nodes
        if node.op is not None and survey.step[node] is not None
        for kind in (node.name_of(index) for index in range(len(node.outputs)))
        if kind in STATE_KINDS
    )
    twice = sorted({kind for (_, _, kind), count in made.items() if count > 1 and kind})
    if twice:
        return (
            f"several outputs are named {' and '.join(twice)!r} in one step, and only the last of them is followed: "
            "put each cell in a scope of its own, with tg.scope('layer', l), outside tg.scope('t', t)",
        )
    return ()
