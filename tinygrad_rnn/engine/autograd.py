"""Reverse-mode differentiation: one walk over the graph, from the youngest node to the oldest.

A node is numbered when it is made, after its parents. So among the nodes that led to an output, descending numbers are
an order in which every node comes after all nodes that used it: when its turn comes, its gradient is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tinygrad_rnn.engine.graph import Edge, Node, Slice, freed_error, grad_mode, modes
from tinygrad_rnn.errors import AnomalyError, GraphError, ShapeError

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor

#: Called with (child, position, message) for every message, before the parent sums it.
EdgeObserver = Callable[[Node, int, "Tensor | Slice"], None]
#: Called with (node, index, gradient) for every output that has a gradient, once it is complete.
NodeObserver = Callable[[Node, int, "Tensor"], None]

_age = attrgetter("serial")


def topological(roots: Iterable[Node]) -> list[Node]:
    """Return the nodes that require grad and lead to the roots, every node after its parents (oldest first)."""
    seen = {root for root in roots if root.requires_grad}
    waiting = list(seen)
    while waiting:
        node = waiting.pop()
        if node.parents is None:
            raise freed_error(node)
        for parent, _ in node.parents:
            if parent.requires_grad and parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return sorted(seen, key=_age)


class Gradients:
    """The gradients under way during one backward walk: per edge, the sum of the messages that have arrived.

    An array that this walk allocated for a sum is added to in place, unless the walk itself is being recorded.
    """

    def __init__(self, pure: bool) -> None:
        self.pure = pure
        self._sums: dict[Edge, Tensor] = {}
        self._own: set[Edge] = set()  # edges whose sum lives in an array allocated here
        self._slices: dict[Edge, list[Slice]] = {}

    def add(self, edge: Edge, message: Tensor | Slice) -> None:
        """Add a message that fits its parent."""
        if isinstance(message, Slice):
            self._slices.setdefault(edge, []).append(message)
            return
        before = self._sums.get(edge)
        if before is None:
            self._sums[edge] = message
        elif self.pure or edge not in self._own:
            self._sums[edge] = before + message
            self._own.add(edge)
        else:
            before._node.backend.add_into(before._data, message._data)

    def pop(self, edge: Edge) -> Tensor | None:
        """Return the complete gradient of an output and forget it; None if no message arrived."""
        total = self._sums.pop(edge, None)
        parts = self._slices.pop(edge, None) if self._slices else None
        if parts:
            node, index = edge
            joined = parts[0].grad._put_slices(
                [part.grad for part in parts[1:]], [part.index for part in parts], node.outputs[index].shape
            )
            total = joined if total is None else total + joined
        return total


def walk(
    roots: Sequence[Edge],
    seeds: Sequence[Tensor],
    *,
    create_graph: bool = False,
    free: bool = False,
    wanted: set[Edge] | None = None,
    on_edge: EdgeObserver | None = None,
    on_node: NodeObserver | None = None,
) -> list[tuple[Edge, Tensor]]:
    """Run the backward pass and return the gradients of the leaves, or of the wanted edges only.

    With `create_graph` the pass itself is recorded. `free` drops each node's way back once it was used. Hooks and
    retained gradients take effect on every node passed.
    """
    order = topological(node for node, _ in roots)
    if wanted is not None:
        order = _leading_from(wanted, order)
    useful = set(order) if wanted is not None else None
    gradients = Gradients(pure=create_graph or bool(modes.recorders))
    for edge, seed in zip(roots, seeds, strict=True):
        gradients.add(edge, seed)
    results: list[tuple[Edge, Tensor]] = []
    scope_before = modes.scope
    scoped = create_graph or bool(modes.recorders)
    with grad_mode(create_graph):
        try:
            while order:
                node = order.pop()
                grads = []
                for index in range(len(node.outputs)):
                    grad = gradients.pop((node, index))
                    if grad is not None and node.infos is not None:
                        grad = _call_hooks(node, index, grad)
                    if grad is not None and on_node is not None:
                        on_node(node, index, grad)
                    if grad is not None and (node.op is None if wanted is None else (node, index) in wanted):
                        results.append(((node, index), grad))
                    grads.append(grad)
                if node.op is None or (len(grads) == 1 and grads[0] is None) or not any(g is not None for g in grads):
                    continue
                if scoped:
                    modes.scope = (("grad", None), *node.scope)
                try:
                    for position, message in _messages(node, grads):
                        if useful is None or node.parents[position][0] in useful:
                            if on_edge is not None:
                                on_edge(node, position, message)
                            gradients.add(node.parents[position], message)
                except AnomalyError as error:
                    made = f", made at {node.line}" if node.line else ""
                    raise AnomalyError(f"{error}; this is the backward pass of {node.describe()}{made}") from None
                if free:
                    node.parents = None
        finally:
            modes.scope = scope_before
    return results


def _messages(node: Node, grads: Sequence[Tensor | None]) -> Iterator[tuple[int, Tensor | Slice]]:
    """Yield the position of every input that requires grad with its message, brought to the input's shape."""
    messages = node.op.vjp(node, *grads)
    if not isinstance(messages, tuple | list):
        messages = (messages,)
    parents = node.parents
    if len(messages) != len(parents):
        raise GraphError(
            f"the vjp of {node.describe()} returned {len(messages)} messages for {len(parents)} inputs; return one for "
            "each input, None for those without a gradient"
        )
    for position, message in enumerate(messages):
        edge = parents[position]
        if message is not None and edge[0].requires_grad:
            yield position, message if type(message) is Slice else fit(message, edge, node)


def _leading_from(wanted: set[Edge], order: list[Node]) -> list[Node]:
    """Keep the nodes of a topological order through which a wanted edge influences the roots."""
    kept = {node for node, _ in wanted}
    for node in order:
        if any(parent in kept for parent, _ in node._edges()):
            kept.add(node)
    return [node for node in order if node in kept]


def fit(message: Tensor, edge: Edge, child: Node) -> Tensor:
    """Bring a message to the shape and dtype of its parent: undo broadcasting by sums, casting by a cast."""
    target = edge[0].outputs[edge[1]]
    data = message._data
    if data.shape != target.shape:
        extra = data.ndim - target.ndim
        axes = tuple(
            axis
            for axis in range(data.ndim)
            if axis < extra or (target.shape[axis - extra] == 1 and data.shape[axis] != 1)
        )
        try:
            if axes:
                message = message.sum(axes, keepdims=True).reshape(
                    tuple(1 if axis in axes else size for axis, size in enumerate(data.shape))[max(extra, 0) :]
                )
            if message._data.shape != target.shape:
                message = message.broadcast_to(target.shape)
        except ShapeError:
            raise ShapeError(
                f"the vjp of {child.describe()} returned a message of shape {data.shape} for an input of shape "
                f"{target.shape}; it must have that shape, or broadcast with it"
            ) from None
    if data.dtype != target.dtype:
        message = message.cast(target.dtype)
    return message


def _call_hooks(node: Node, index: int, grad: Tensor) -> Tensor:
    info = node.infos.get(index) if node.infos else None
    if info is None:
        return grad
    for hook in tuple(info.hooks):
        replaced = hook(grad)
        if replaced is not None:
            grad = replaced
    if info.retain and node.op is not None:
        info.grad = grad
    return grad


# ---- what users call ----------------------------------------------------------------------------------------------


def seed_for(output: Tensor, gradient: Tensor | None, call: str) -> Tensor:
    """Return the gradient a walk starts from: the one given, or 1 for a single element."""
    if not output.requires_grad:
        raise GraphError(
            f"{call}: the output does not require grad, so there is nothing to differentiate; create its inputs with "
            "requires_grad=True, and compute it outside no_grad()"
        )
    if gradient is None:
        if output.size != 1:
            raise GraphError(
                f"{call}: a tensor of shape {output.shape} has no single derivative; reduce it (.sum(), .mean()) or "
                f"pass the gradient to start from, of shape {output.shape}: {call}(gradient=...)"
            )
        return output._like(1.0)
    if gradient.shape != output.shape:
        raise ShapeError(f"{call}: the gradient has shape {gradient.shape}, the output {output.shape}; make them equal")
    return gradient.cast(output.dtype)


def backward(output: Tensor, gradient: Tensor | None, retain_graph: bool, create_graph: bool) -> None:
    """Accumulate the gradient of `output` into the `.grad` of every leaf; see `Tensor.backward`."""
    seed = seed_for(output, gradient, "backward")
    found = walk([output._edge], [seed], create_graph=create_graph, free=not (retain_graph or create_graph))
    with grad_mode(create_graph):
        for (node, index), grad in found:
            info = node.info(index)
            info.grad = grad if info.grad is None else info.grad + grad


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """Return d(sum of outputs)/d(input) for every input, without touching any `.grad` or freeing the graph.

    Args:
        outputs: one tensor or several; each a single element unless `grad_outputs` says what to start from.
        inputs: one tensor or several, leaves or not. A single tensor gives a single gradient, not a tuple.
        grad_outputs: per output a tensor of its shape, or None.
        create_graph: record the backward pass, so that the result can be differentiated again.
        allow_unused: give None for an input that no output depends on, instead of raising.

    Raises:
        GraphError: an output or input does not require grad, an input is unused, or the graph was freed.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> first = tg.grad(x * x * x, x, create_graph=True)
    >>> first.item(), tg.grad(first, x).item()
    (12.0, 12.0)
    """
    tensor_type = Node.tensor_type
    many_outputs = (outputs,) if isinstance(outputs, tensor_type) else tuple(outputs)
    many_inputs = (inputs,) if isinstance(inputs, tensor_type) else tuple(inputs)
    if grad_outputs is None or isinstance(grad_outputs, tensor_type):
        grad_outputs = (grad_outputs,) * len(many_outputs)
    if len(grad_outputs) != len(many_outputs):
        raise GraphError(f"grad: {len(many_outputs)} outputs but {len(grad_outputs)} grad_outputs; give one for each")
    for position, x in enumerate(many_inputs):
        if not x.requires_grad:
            raise GraphError(f"grad: input {position} does not require grad; create it with requires_grad=True")
    seeds = [seed_for(y, g, "grad") for y, g in zip(many_outputs, grad_outputs, strict=True)]
    wanted = {x._edge for x in many_inputs}
    found = dict(walk([y._edge for y in many_outputs], seeds, create_graph=create_graph, wanted=wanted))
    results = [found.get(x._edge) for x in many_inputs]
    if not allow_unused and any(result is None for result in results):
        position = results.index(None)
        raise GraphError(
            f"grad: no output depends on input {position} (shape {many_inputs[position].shape}); pass "
            "allow_unused=True to get None for it"
        )
    return results[0] if isinstance(inputs, tensor_type) else tuple(results)
