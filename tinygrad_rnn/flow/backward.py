"""The backward pass as a graph of its own: derivatives are made of ops, so they can be drawn like everything else."""

from __future__ import annotations

import math

from tinygrad_rnn.backends.reference import norm
from tinygrad_rnn.engine.autograd import Leaves, ones_like, topological, walk
from tinygrad_rnn.engine.creation import concat
from tinygrad_rnn.engine.graph import Node
from tinygrad_rnn.engine.modes import enable_grad
from tinygrad_rnn.engine.protocol import Vertex
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import GraphError
from tinygrad_rnn.flow.meter import check_losses
from tinygrad_rnn.flow.records import EdgeFlow, NodeFlow
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.survey import Survey, label_of, look_over


class BackwardReport(FlowReport):
    """The ops of a backward pass, each with the size of the gradient it computes, and the forward values they read.

    An edge leads from a gradient to the op that reads it; its size is that of the gradient.
    """


def backward_graph(losses: Tensor) -> BackwardReport:
    """Run the backward pass of the mean loss with its graph, and return that graph.

    Args:
        losses: the losses L_b of the B examples, shape (B,), or a single loss, as for `gradient_flow`.

    Returns:
        A report to draw, at the level "ops": the norms are those of the arrays that the ops of the backward pass
        compute, for L = mean_b L_b. The nodes of the forward pass in it are those whose values are read.

    Raises:
        InputError, GraphError, ShapeError: as for `gradient_flow`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.flow import backward_graph
    >>> x = tg.tensor(3.0, requires_grad=True).named("x")
    >>> [node.label or node.op for node in backward_graph(x.exp()).nodes]
    ['exp', 'seed', '∂L/∂x']
    """
    check_losses(losses)
    seed = (ones_like(losses) / losses.size).detach().named("seed")
    seed.requires_grad = True  # or what does not depend on forward values would not be recorded
    leaves = Leaves()
    walk(topological([losses.edge[0]]), [(losses.edge, seed)], leaves, create_graph=True)
    found = leaves.found.items()
    if not found:
        raise GraphError("backward_graph: no gradient reaches any leaf, so there is no backward pass to show")
    with enable_grad():
        joined, _ = concat([grad.cast(losses.dtype).reshape(-1) for _, grad in found]).edge
    survey, position = look_over(joined)
    results: dict[int, str] = {}
    for (leaf, _), grad in found:  # one gradient may be that of several leaves
        at = position[grad.edge[0]]
        results[at] = f"{results[at]}, ∂L/∂{_name(leaf)}" if at in results else f"∂L/∂{_name(leaf)}"
    nodes = {at: node for node, at in position.items()}
    joining = _joining(joined, {grad.edge[0] for _, grad in found})
    last = losses.edge[0].serial  # the forward pass is no younger
    computed = {at for at, node in nodes.items() if node.op_name and node.serial > last and node not in joining}
    return _report(losses, survey, nodes, computed | {position[seed.edge[0]]}, results)


def _joining(joined: Node, results: set[Node]) -> set[Node]:
    """Return the nodes that only put the results together."""
    found = {joined}
    waiting = [joined]
    while waiting:
        for parent, _ in waiting.pop().parents or ():
            if parent not in results and parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _size(node: Vertex) -> float:
    return math.hypot(*[norm(node.values(index)) for index in range(len(node.outputs))])


def _name(leaf: Node) -> str:
    return (label_of(leaf) or "leaf").rpartition(".")[2]


def _report(
    losses: Tensor, survey: Survey, nodes: dict[int, Vertex], computed: set[int], results: dict[int, str]
) -> BackwardReport:
    read = {parent for at in computed for _, parent, _ in survey.entries[at].inputs}
    last = max(results)  # nothing reads it: the picture ends with it
    order = [*sorted((computed | read | set(results)) - {last}), last]
    place = {at: i for i, at in enumerate(order)}
    sizes = {at: _size(nodes[at]) for at in computed}

    def flow(at: int) -> NodeFlow:
        entry = survey.entries[at]
        is_gradient = at in computed
        return NodeFlow(
            name=survey.names[at],
            label=results.get(at) or entry.label,
            role=None,
            op=entry.op if is_gradient or entry.label is None else None,
            scope=entry.scope,
            step=survey.step[at],
            shape=entry.shape,
            requires_grad=is_gradient,
            parameter=False,
            constants=entry.constants,
            value=entry.value if is_gradient else None,
            norm=sizes.get(at),
            gradient=None,
        )

    return BackwardReport(
        batch=losses.size,
        loss=float(losses.numpy().mean()),
        steps=survey.steps,
        nodes=tuple(flow(at) for at in order),
        edges=tuple(
            EdgeFlow(place[at], position, place[parent], sizes.get(parent), parent in computed)
            for at in order
            if at in computed
            for position, parent, _ in survey.entries[at].inputs
        ),
        links=(),
        crossings={},
        states=(),
        weights={},
        threshold=0.01,
        notes=(),
    )
