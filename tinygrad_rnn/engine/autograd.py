"""Reverse-mode differentiation: one walk over the graph, from the youngest node to the oldest.

A node is numbered when it is made, after its parents. So among the nodes that led to an output, descending numbers are
an order in which every node comes after all nodes that used it: when its turn comes, its gradient is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from tinygrad_rnn.engine.graph import Deferred, Edge, Node, Product, Slice, attaching, freed_error
from tinygrad_rnn.engine.modes import grad_mode, modes, scope
from tinygrad_rnn.engine.protocol import Grads, Observer
from tinygrad_rnn.errors import AnomalyError, DeviceError, DTypeError, GraphError, ShapeError

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor

Message = Union["Tensor", Slice, Product]
#: The outermost scope of what a backward pass computes.
_BACKWARD = ("grad", None)
_age = attrgetter("serial")


def topological(roots: Iterable[Node]) -> list[Node]:
    """Return the nodes that require grad and lead to the roots, every node after its parents (oldest first).

    Raises:
        GraphError: an earlier backward() has freed the graph.
    """
    given = dict.fromkeys(root for root in roots if root.requires_grad)
    seen, waiting = dict(given), list(given)  # dicts, as sets: the order of leaves, all of one age, is always the same
    while waiting:
        node = waiting.pop()
        parents = node.parents  # read once: another thread may free it
        if parents is None:
            raise freed_error(node, behind_new=node not in given)
        for parent, _ in parents:
            if parent.requires_grad and parent not in seen:
                seen[parent] = None
                waiting.append(parent)
    return sorted(seen, key=_age)


def walk(
    order: list[Node],
    seeds: Iterable[tuple[Edge, Message]],
    observer: Observer,
    create_graph: bool = False,
    free: bool = False,
) -> None:
    """Run a backward pass: node by node, the youngest first, gradients are completed and sent on to the inputs.

    Args:
        order: the nodes to visit, each after its inputs, as `topological` returns them; the list is used up.
        seeds: the gradients to start from, by edge.
        observer: sees every gradient and every message, and decides what becomes of them.
        create_graph: record the pass itself.
        free: drop each node's way back once it was used.

    Raises:
        AnomalyError: a gradient is NaN or infinite while `detect_anomaly()` watches; the message names the op whose
            backward pass made it.
    """
    recorded = create_graph or bool(modes.recorders)
    dense = create_graph or observer.dense
    sums = observer.sums = Sums(in_place=not recorded)
    for edge, seed in seeds:
        sums.add(edge, seed)
    complete, receive = observer.complete, observer.receive
    scope_before = modes.scope
    with grad_mode(create_graph):
        try:
            while order:
                node = order.pop()
                if recorded:
                    modes.scope = (_BACKWARD, *node.scope)
                grads = complete(node, sums.take(node))
                if node.op is None or not grads:
                    continue
                send(node, grads, receive, dense)
                if free:
                    node.parents = None
        except AnomalyError as error:
            made = f", made at {node.line}" if node.line else ""
            raise AnomalyError(f"{error}; this is the backward pass of {node.describe()}{made}") from None
        finally:
            modes.scope = scope_before


def send(node: Node, grads: Grads, receive: Callable[[Node, int, Edge, Message], None], dense: bool) -> None:
    """Compute what a node sends to its inputs, and hand on each message.

    Only inputs that require grad get one, and it fits their shape and dtype. With `dense`, products are multiplied out;
    a `Slice` stays what it is.

    Raises:
        GraphError: the op's vjp returned None, or not one message for each input.
    """
    sent = node.op.vjp(node, *grads)  # type: ignore[union-attr]  # callers pass no leaf
    if type(sent) is not tuple:
        if sent is None:
            raise GraphError(
                f"the vjp of {node.describe()} returned None (is its `return` missing?); return one message for each "
                "input, such as (None,) for no gradient, or set differentiable = False"
            )
        sent = tuple(sent) if isinstance(sent, list) else (sent,)
    parents = node._edges()
    if len(sent) != len(parents):
        raise GraphError(
            f"the vjp of {node.describe()} returned {len(sent)} messages for {len(parents)} inputs; return one for "
            "each input, None for those without a gradient"
        )
    for position, edge in enumerate(parents):
        message = sent[position]
        parent, index = edge
        if node.op.own and parent.requires_grad:  # type: ignore[union-attr]
            message = _of_own_op(message, node, grads, position, parent.outputs[index])
        if message is not None and parent.requires_grad:
            if isinstance(message, Deferred):
                message = message.dense() if dense and isinstance(message, Product) else message
            else:
                data, target = message._data, parent.outputs[index]
                if data.shape != target.shape or data.dtype is not target.dtype:
                    message = fitted(message, target, node)
            receive(node, position, edge, message)


def ones_like(x: Tensor) -> Tensor:
    """Return ones with the shape, dtype and device of x: what a walk from it starts from."""
    return x._like(1.0)


def norm(message: Message) -> float:
    """Return the L2 norm of a gradient or of a message, added up in float64."""
    if isinstance(message, Product):
        message = message.dense()
    x = message.grad if isinstance(message, Slice) else message
    for recorder in modes.recorders:
        recorder.read(x)
    return x._node.backend.norm(x._data)


def share(message: Message, gradient: Tensor, size: float) -> float:
    """Return <message, gradient> / size^2: how much of a gradient of that norm a message brings."""
    if isinstance(message, Product):
        message = message.dense()
    part, whole = (message.grad if isinstance(message, Slice) else message).numpy(), gradient.numpy()
    if isinstance(message, Slice):
        whole = whole[message.index]
    if not 1e-15 < size < 1e15:  # their products might underflow or overflow
        part, whole, size = np.divide(part, size, dtype=np.float64), np.divide(whole, size, dtype=np.float64), 1.0
    return float(np.vdot(part, whole)) / size**2


def _of_own_op(message: Any, node: Node, grads: Sequence[Tensor | None], position: int, target: Any) -> Any:
    """Return a message from somebody's own op so that the engine can rely on it.

    Its memory may be anybody's, a constant's or an input's: unless it is a gradient handed on, it becomes a copy.
    """
    if isinstance(message, Slice):
        part = node.backend.getitem(target, message.index)
        return Slice(message.index, fitted(_of_own_op(message.grad, node, grads, position, part), part, node))
    message = message.dense() if isinstance(message, Product) else message
    if message is None:
        return None
    if not isinstance(message, Node.tensor_type):
        raise GraphError(
            f"the vjp of {node.describe()} returned a {type(message).__name__} for input {position}; return a tensor, "
            "computed with tensor methods, so that it can be differentiated again"
        )
    if message._node.backend is not node.backend:
        raise DeviceError(
            f"the vjp of {node.describe()} returned a message on {message.device} for input {position}, which is on "
            f"{node.backend.device}; move it with .to()"
        )
    handed_on = any(grad is not None and _memory(message) is _memory(grad) for grad in grads)
    return message if handed_on else message.copy()


class Sums:
    """The gradients under way during one backward walk: per edge, the sum of the messages that have arrived.

    With `in_place`, an array that was allocated here for a sum is added to in place; a message never is, because
    others may hold it.
    """

    def __init__(self, in_place: bool) -> None:
        self.in_place = in_place
        self._totals: dict[Edge, Tensor] = {}
        self._own: set[Edge] = set()  # edges whose total lives in an array allocated here
        self._slices: dict[Edge, list[Slice]] = {}
        self._products: dict[Edge, list[Product]] = {}

    def add(self, edge: Edge, message: Message) -> None:
        """Add a message that fits its parent."""
        if isinstance(message, Deferred):
            if isinstance(message, Slice):
                self._slices.setdefault(edge, []).append(message)
                return
            waiting = self._products.setdefault(edge, [])
            waiting.append(message)
            if len(waiting) * message.grad.shape[0] < _MOST_ROWS:
                return
            message = _multiplied(self._products.pop(edge))
        before = self._totals.get(edge)
        if before is None:
            self._totals[edge] = message
        elif edge in self._own:
            before._node.backend.add_into(before._data, message._data)
        else:
            self._totals[edge] = before + message
            if self.in_place:
                self._own.add(edge)

    def take(self, node: Node) -> Grads:
        """Return the complete gradients of a node's outputs, and forget them; () if no message arrived at any."""
        if len(node.outputs) == 1:
            grad = self.pop((node, 0))
            return () if grad is None else (grad,)
        grads = tuple([self.pop((node, index)) for index in range(len(node.outputs))])
        return () if all(grad is None for grad in grads) else grads

    def pop(self, edge: Edge) -> Tensor | None:
        """Return the complete gradient of an output and forget it; None if no message arrived."""
        if edge in self._products or edge in self._slices:
            self._join(edge)
        return self._totals.pop(edge, None)

    def so_far(self, edge: Edge) -> Tensor | None:
        """Return the sum of what has arrived at an output by now; what arrives later may be added in place."""
        self._join(edge)
        return self._totals.get(edge)

    def _join(self, edge: Edge) -> None:
        """Add the slices and products that wait for each other."""
        if edge in self._products:
            self.add(edge, _multiplied(self._products.pop(edge)))
        if edge in self._slices:
            self.add(edge, _put_together(self._slices.pop(edge), edge))


def gather() -> Sums:
    """Return sums for messages that are added up beside a walk."""
    return Sums(in_place=not modes.recorders)


_MOST_ROWS = 1024  # of products that wait for each other: more would cost memory and no longer gain speed


def _multiplied(products: list[Product]) -> Tensor:
    first, *others = products
    if not others:
        return first.dense()
    left = first.left._concat([product.left for product in others], 0)
    return left.T @ first.grad._concat([product.grad for product in others], 0)


def _put_together(slices: list[Slice], edge: Edge) -> Tensor:
    first, *others = slices
    shape = edge[0].outputs[edge[1]].shape
    return first.grad._put_slices([part.grad for part in others], [part.index for part in slices], shape)


def fitted(message: Tensor, target: Any, child: Node) -> Tensor:
    """Bring a message to the shape and dtype of its parent's array: undo broadcasting by sums, casting by a cast.

    Raises:
        ShapeError: the vjp of an op returned a message that neither has its input's shape nor broadcasts with it.
    """
    shape, wanted = message.shape, target.shape
    try:
        extra = len(shape) - len(wanted)
        if extra > 0:
            if shape[:extra] == (1,) * extra:
                message = message.reshape(shape[extra:])
            else:
                message = message.sum(tuple(range(extra)))
        if message.shape != wanted:
            aligned = wanted[len(wanted) - message.ndim :]
            axes = tuple([i for i, size in enumerate(aligned) if size == 1 != message.shape[i]])
            if axes:
                message = message.sum(axes, keepdims=True)
            if message.shape != wanted:
                message = message.broadcast_to(wanted)
    except ShapeError:
        raise ShapeError(
            f"the vjp of {child.describe()} returned a message of shape {shape} for an input of shape {wanted}; it "
            "must have that shape, or broadcast with it"
        ) from None
    return message if message._data.dtype is target.dtype else message.cast(target.dtype)


class Leaves(Observer):
    """Gathers the gradients of the leaves.

    Attributes:
        found: what they are, by edge, in the order in which they were complete.
    """

    def __init__(self, hooks: bool = False, retain: bool = False) -> None:
        self.found: dict[Edge, Tensor] = {}
        self.hooks, self.retain = hooks, retain

    def complete(self, node: Node, grads: Grads) -> Grads:
        if self.hooks and node.infos is not None:
            grads = _call_hooks(node, grads, self.retain)
        if grads and node.op is None:
            self.found[node, 0] = grads[0]
        return grads


class Wanted(Observer):
    """Gathers the gradients of some edges, and lets nothing pass that does not lead there.

    Attributes:
        order: of a topological order, the nodes through which a wanted edge influences the roots.
        found: the gradients, by edge.
    """

    def __init__(self, wanted: Set[Edge], order: Iterable[Node], hooks: bool = False) -> None:
        self.wanted, self.hooks = wanted, hooks
        self.found: dict[Edge, Tensor] = {}
        self._sending: set[Node] = set()  # the nodes with an input that is of use
        self._useful = {node for node, _ in wanted}
        self.order = [node for node in order if self._leads(node)]

    def _leads(self, node: Node) -> bool:
        if any(parent in self._useful for parent, _ in node._edges()):
            self._sending.add(node)
            self._useful.add(node)
        return node in self._useful

    def complete(self, node: Node, grads: Grads) -> Grads:
        if self.hooks and node.infos is not None:
            grads = _call_hooks(node, grads, retain=False)
        for index, grad in enumerate(grads):
            if grad is not None and (node, index) in self.wanted:
                self.found[node, index] = grad
        return grads if node in self._sending else ()

    def receive(self, child: Node, position: int, edge: Edge, message: Message) -> None:
        if edge[0] in self._useful:
            self.sums.add(edge, message)


def _call_hooks(node: Node, grads: Grads, retain: bool) -> Grads:
    """Let hooks see and replace complete gradients, and keep those asked for with `retain_grad`."""
    result = list(grads)
    for index, info in list((node.infos or {}).items()):
        grad = result[index] if grads else None
        if grad is None:
            continue
        for hook in list(info.hooks.values()):
            try:
                replaced = hook(grad.copy())  # it may keep what it gets, and return what others hold, too
            except Exception as error:
                error.add_note(f"raised by a hook on {node.describe()}, during the backward pass")
                raise
            if replaced is not None:
                grad = _fitting(replaced, grad, node).copy()
        if retain and info.retain and node.op is not None:
            with attaching:
                before = node.ask_grad(index)
                node.set_grad(index, grad.copy() if before is None else before + grad)
        result[index] = grad
    return tuple(result)


def _fitting(replaced: Any, grad: Tensor, node: Node) -> Tensor:
    """Return what a hook gave in place of a gradient; an error if it is no tensor like it."""
    where, advice = f"a hook on {node.describe()}", "or None to leave the gradient as it is"
    if not isinstance(replaced, Node.tensor_type):
        raise DTypeError(f"{where} returned a {_kind(replaced)}; return a tensor, {advice}")
    if replaced._node.backend is not grad._node.backend:
        raise DeviceError(f"{where} returned a tensor on {replaced.device} for a gradient on {grad.device}; use .to()")
    if replaced.shape != grad.shape or replaced.dtype != grad.dtype:
        raise ShapeError(
            f"{where} returned shape {replaced.shape} and dtype {replaced.dtype} for a gradient of shape {grad.shape} "
            f"and dtype {grad.dtype}; return a tensor that fits, {advice}"
        )
    return replaced


def _kind(value: Any) -> str:
    """Return what a value is, for errors; of NumPy's array it says so, since a tensor prints much like it."""
    return f"NumPy {type(value).__name__}" if type(value).__module__ == "numpy" else type(value).__name__


# ---- what users call ----------------------------------------------------------------------------------------------


def seed_for(output: Tensor, gradient: Any, create_graph: bool, call: str) -> Tensor:
    """Return the gradient a walk starts from: the one given, or 1 for a single element.

    Raises:
        GraphError: the output does not require grad, or has several elements and no gradient is given.
        ShapeError: the gradient has another shape than the output.
        DeviceError: the gradient is on another device than the output.
    """
    argument = "gradient" if call == "backward" else "grad_outputs"
    if not output.requires_grad:
        raise GraphError(
            f"{call}: the output does not require grad, so there is nothing to differentiate; create its inputs with "
            "requires_grad=True, and compute it outside no_grad()"
        )
    if gradient is None:
        if output.size != 1:
            raise GraphError(
                f"{call}: a tensor of shape {output.shape} has no single derivative; reduce it (.sum(), .mean()) or "
                f"pass the gradient to start from, of shape {output.shape}: {call}({argument}=...)"
            )
        return output._like(1.0)
    seed = output._operand(gradient)
    if seed._node.constant:
        seed = seed.copy()  # the result may be this very array, and all who write this number share the constant
    if seed.shape != output.shape:
        raise ShapeError(f"{call}: {argument} has shape {seed.shape}, the output {output.shape}; make them equal")
    if seed._node.backend is not output._node.backend:
        raise DeviceError(f"{call}: {argument} is on {seed.device}, the output on {output.device}; move it with .to()")
    return (seed if create_graph else seed.detach()).cast(output.dtype)


def backward(output: Tensor, gradient: Tensor | None, retain_graph: bool, create_graph: bool) -> None:
    """Accumulate the gradient of `output` into the `.grad` of every leaf; see `Tensor.backward`."""
    free = not (retain_graph or create_graph)
    leaves = Leaves(hooks=True, retain=True)
    with scope("grad"):
        seed = seed_for(output, gradient, create_graph, "backward")
        walk(topological([output._node]), [(output.edge, seed)], leaves, create_graph, free)
    taken = {_memory(seed)} if gradient is not None else set()
    with scope("grad"), grad_mode(create_graph):
        for (node, index), found_grad in leaves.found.items():
            grad = found_grad
            if grad._node.backend is not node.backend:  # the leaf was moved since it was used
                grad = grad.to(node.backend.device)
            with attaching:  # another thread may be adding to the same leaf
                before = node.ask_grad(index)
                node.set_grad(index, _of_its_own(grad, taken) if before is None else before + grad)


def _memory(x: Tensor) -> Any:
    """Return what stands for the memory of a tensor: equal for tensors that may share it."""
    return x._node.storage or x._node


def _of_its_own(gradient: Tensor, taken: set[Any]) -> Tensor:
    """Return a gradient that shares no memory with those taken before, so that it may be changed alone.

    add hands one array to both its inputs, and sum repeats one number without storing it again.
    """
    shared = _memory(gradient) in taken or 0 in gradient._data.strides
    taken.add(_memory(gradient))
    return gradient.copy() if shared else gradient


def tensors_in(given: Any, what: str, verb: str = "take") -> tuple[Tensor, ...]:
    """Return one tensor or a sequence of them as a tuple; DTypeError for anything else, such as what f returned."""
    many = (given,) if isinstance(given, Node.tensor_type) or not isinstance(given, Iterable) else tuple(given)
    for x in many:
        if not isinstance(x, Node.tensor_type):
            raise DTypeError(f"{what} must {verb} a tensor or a sequence of tensors; here is {_kind(x)} {x!r:.60}")
    return many


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
    many_outputs, many_inputs = tensors_in(outputs, "grad"), tensors_in(inputs, "grad")
    if not isinstance(grad_outputs, tuple | list):
        grad_outputs = (grad_outputs,) * len(many_outputs)
    if len(grad_outputs) != len(many_outputs):
        raise GraphError(f"grad: {len(many_outputs)} outputs but {len(grad_outputs)} grad_outputs; give one for each")
    for position, x in enumerate(many_inputs):
        if not x.requires_grad:
            raise GraphError(f"grad: input {position} does not require grad; create it with requires_grad=True")
    seeds = [seed_for(y, g, create_graph, "grad") for y, g in zip(many_outputs, grad_outputs, strict=True)]
    found = Wanted({x.edge for x in many_inputs}, topological(y._node for y in many_outputs), hooks=True)
    walk(found.order, zip([y.edge for y in many_outputs], seeds, strict=True), found, create_graph)
    results = [found.found.get(x.edge) for x in many_inputs]
    if not allow_unused and any(result is None for result in results):
        position = results.index(None)
        raise GraphError(
            f"grad: no output depends on input {position} (shape {many_inputs[position].shape}); pass "
            "allow_unused=True to get None for it"
        )
    taken = {_memory(seed) for seed in seeds}  # results of ops that require grad cannot be written
    results = [g if g is None or g.requires_grad else _of_its_own(g, taken) for g in results]
    return results[0] if isinstance(inputs, tensor_type) else tuple(results)
