"""Measuring gradient flow: one backward walk over a graph, noting the size of everything that passes."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from tinygrad_rnn.engine import ops
from tinygrad_rnn.engine.autograd import Message, Sums, send, walk
from tinygrad_rnn.engine.graph import Edge, Node, Scope, Slice, grad_mode
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import GraphError, InputError, ShapeError
from tinygrad_rnn.flow.paths import CarryFlow
from tinygrad_rnn.flow.report import EdgeFlow, FlowReport, NodeFlow, StateFlow, Statistics, WeightFlow
from tinygrad_rnn.flow.survey import STATE_KINDS, Survey, edges_of, label_of, lane_of, layer_of, stacked_part
from tinygrad_rnn.flow.weights import StepSums, norm, reached


def gradient_flow(
    losses: Tensor, threshold: float = 0.01, *, edges: bool = True, links: bool = True, statistics: bool = False
) -> FlowReport:
    """Measure how the gradient of a loss flows back through its graph, which it leaves as it was.

    Args:
        losses: the losses L_b of the B examples, shape (B,), or a single loss. Examples must not mix: with the mean
            over a batch instead, B counts as 1 and the sizes are those of the mean.
        threshold: the share of the gradient at the last step below which it counts as vanished.
        edges: also measure what flows along every edge, and what each step contributes to the parameters.
        links: also measure what flows between named nodes, all paths through unnamed ones together (only with edges).
        statistics: also describe the values and the gradients of every node, and what the gates let through.

    Returns:
        The report; `report.notes` says what to name if states or steps are missing.

    Raises:
        InputError: the losses are no tensor.
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
    if not isinstance(losses, Tensor):
        raise InputError(
            "gradient_flow: pass a tensor, the losses of the examples (B,) or a single one, not "
            f"{_what(losses)}; the losses of several steps: tg.stack(losses).sum(axis=0)"
        )
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
    meter = _Meter(survey, losses.size, edges, edges and links, statistics)
    on_edge = meter.edge if edges else None
    walk([losses._edge], [losses._like(1.0)], hooks=False, on_node=meter.node, on_edge=on_edge)
    between = _links(survey, meter.of_anchors, losses.size)
    meter.weights.finish()
    states = _states(survey, meter)
    return FlowReport(
        batch=losses.size,
        loss=float(losses.numpy().mean()),
        steps=survey.steps,
        nodes=_nodes(
            survey,
            {node: meter.size(node) for node in survey.nodes if node.requires_grad},
            meter.single,
            {node: describe(node.outputs[0]) for node in survey.nodes} if statistics else {},
            meter.gradients,
        ),
        edges=_edges(survey, {**dict.fromkeys(_wanted(survey), 0.0), **meter.messages} if edges else {}),
        links=between,
        crossings={
            (survey.position[parent], step): norm(total) / meter.scale(parent)
            for (parent, step), total in meter.into_steps.items()
        },
        states=states,
        weights=_weights(survey, meter),
        threshold=threshold,
        notes=_notes(survey, states),
        carries=_carries(survey, states, meter) if statistics else (),
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
        nodes=_nodes(survey, found, single, {}, {}),
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

    def __init__(self, survey: Survey, batch: int, edges: bool, links: bool, statistics: bool) -> None:
        self.survey = survey
        self.batch = batch
        self.edges, self.links, self.statistics = edges, links, statistics
        self.gradients: dict[Node, Statistics] = {}
        self.of_states: dict[Edge, np.ndarray] = {}
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
        if self.statistics and len(node.outputs) == 1:
            self.gradients[node] = describe(grad.numpy() / (self.batch if node in self.survey.batch_free else 1))
        if self.statistics and node.name_of(index) in STATE_KINDS:
            self.of_states[node, index] = grad.numpy()
        if self.links and node in self.survey.anchors:
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


def _nodes(
    survey: Survey,
    sizes: dict[Node, float],
    single: dict[Node, float],
    values: dict[Node, Statistics],
    gradients: dict[Node, Statistics],
) -> tuple[NodeFlow, ...]:
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
            values=values.get(node),
            gradients=gradients.get(node),
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
                sizes = found.setdefault(lane_of(node.scope), {}).setdefault(kind, {})
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
                        layer=layer_of(scope),
                        direction="reverse" if backward else "forward",
                        scope=scope,
                        steps=steps,
                        norms=np.array([kinds[kind].get(step, 0.0) for step in steps]),
                    )
                )
    return tuple(flows)


def _weights(survey: Survey, meter: _Meter) -> dict[str, WeightFlow]:
    flows = {}
    for leaf, sources in survey.sources.items():
        if sources != (leaf,) or leaf.op is not None:
            continue
        name = survey.leaf_names.get(leaf, survey.names[leaf])
        if name in flows:  # another leaf has been given the same
            name = survey.names[leaf]
        outside = not meter.edges or leaf in meter.weights.outside or not survey.steps
        flows[name] = WeightFlow(
            node=survey.position[leaf],
            per_step=None if outside else _over(survey.steps, meter.weights.per_step.get(leaf, {})),
            running=None if outside else _running_over(survey.steps, meter.weights.running.get(leaf, {})),
            total=meter.size(leaf),
        )
    return flows


def _carries(survey: Survey, states: tuple[StateFlow, ...], meter: _Meter) -> tuple[CarryFlow, ...]:
    """Carry the gradient of each last state back along k_t = gate_t * k_{t-1} + ... alone."""
    flows = []
    made: dict[tuple[Scope, str], dict[int, Edge]] = {}
    for node in survey.nodes:
        step = survey.step[node]
        if node.op is not None and step is not None:
            for index in range(len(node.outputs)):
                made.setdefault((lane_of(node.scope), node.name_of(index) or ""), {})[step] = (node, index)
    for state in states:
        nodes = made[state.scope, state.kind]
        order = state.steps if state.direction == "reverse" else state.steps[::-1]
        grad = meter.of_states.get(nodes.get(order[0]))  # type: ignore[arg-type]
        if grad is None:
            continue
        carried, gate = {order[0]: norm(grad) / math.sqrt(meter.batch)}, None
        for step, before in pairwise(order):
            found = _gate_between(nodes.get(step), nodes.get(before))
            if found is None:
                break
            gate = found[0].name_of(found[1])
            grad = grad * found[0].outputs[found[1]]
            carried[before] = norm(grad) / math.sqrt(meter.batch)
        if gate is not None:
            steps = tuple(sorted(carried))
            flows.append(
                CarryFlow(
                    state.kind, gate, state.layer, state.direction, state.scope, steps,
                    np.array([carried[step] for step in steps]),
                )  # fmt: skip
            )
    return tuple(flows)


def _gate_between(after: Edge | None, before: Edge | None) -> Edge | None:
    """Return the named gate by which a state is multiplied on its way into a sum that is the next state, or None."""
    if after is None or before is None:
        return None
    waiting = [after[0]]
    while waiting:
        node = waiting.pop()
        for parent, _ in edges_of(node):
            if parent.op is ops.Add:
                waiting.append(parent)
            elif parent.op is ops.Mul and before in parent._edges():
                for edge in parent._edges():
                    if edge != before and edge[0].name_of(edge[1]):
                        return edge
    return None


def describe(values: np.ndarray) -> Statistics:
    """Return the statistics of an array in float64."""
    flat = values.astype(np.float64).ravel()
    if not flat.size:
        return Statistics(*[math.nan] * 6)
    with np.errstate(all="ignore"):
        low, high = np.quantile(flat, (0.1, 0.9))
        numbers = (flat.mean(), flat.std(), low, high, flat.min(), flat.max())
    return Statistics(*[float(number) for number in numbers])


def _what(given: object) -> str:
    if isinstance(given, list | tuple):
        return f"a {type(given).__name__} of {len(given)}"
    return type(given).__name__


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
        (lane_of(node.scope), survey.step[node], kind)
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
