"""The computation graph: nodes, what hangs on them, and the base class of every op."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from tinygrad_rnn.backends import locks
from tinygrad_rnn.engine.modes import modes, scope_suffix
from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.errors import GraphError, MutationError

if TYPE_CHECKING:
    import numpy as np

    from tinygrad_rnn.engine.tensor import Tensor

#: One output of one node. A parent is an edge, so `x * x` has the edge of x twice.
Edge = tuple["Node", int]


class Op:
    """A primitive operation: a forward rule on raw arrays and a vjp rule on tensors.

    Subclass it to add your own:

    >>> import tinygrad_rnn as tg
    >>> class Square(tg.Op):
    ...     @staticmethod
    ...     def forward(backend, x):
    ...         return backend.binary("mul", x, x)
    ...     @staticmethod
    ...     def vjp(node, g):
    ...         return g * node.input(0) * 2.0
    >>> x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> tg.apply(Square, x).sum().backward()
    >>> x.grad.numpy().tolist()
    [2.0, 4.0, 6.0]
    """

    #: How the op is called in errors, listings and drawings; the class name in lower case unless set.
    name: ClassVar[str] = ""
    #: False for ops without a gradient (comparisons, argmax): their results never require grad.
    differentiable: ClassVar[bool] = True
    #: Whether it was written outside this package: then what it is given and what it returns is looked at.
    own: ClassVar[bool] = False
    #: Whether an output may lie in the memory of an input. Then `apply` looks whether it does.
    may_share: ClassVar[bool] = False
    #: What to do about shapes that do not fit, appended to the error.
    hint: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__dict__.get("name") or cls.__name__.lower()
        if not cls.__module__.startswith("tinygrad_rnn."):
            cls.own = cls.may_share = True

    @staticmethod
    def forward(backend: ModuleType, *arrays: Any, **attrs: Any) -> Any:
        """Compute the output array, or a tuple of them, from the input arrays."""
        raise NotImplementedError("an Op needs a static method forward(backend, *arrays, **attrs): define one")

    @staticmethod
    def vjp(node: Node, *grads: Any) -> Any:
        """Return one message per input from the gradient of every output (None where an output was not used).

        A message is a tensor, a `Slice`, a `Product`, or None for "no gradient". With one input a tensor may come
        without the tuple.
        """
        raise NotImplementedError(
            f"{node.describe()} has no vjp, so no gradient flows through it: define one, or set differentiable = False"
        )


class Storage:
    """What views of one memory share: the serial number of the newest write into it."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written = 0


class OutputInfo:
    """What is attached to one output of a node for the backward pass: its gradient, hooks and retain flag."""

    __slots__ = ("grad", "hooks", "retain")

    def __init__(self) -> None:
        self.grad: Tensor | None = None
        self.hooks: dict[int, Callable[[Tensor], Tensor | None]] = {}  # by number, in the order of registration
        self.retain = False

    def add_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Register a hook; the handle ends this registration."""
        number = next_serial()
        self.hooks[number] = hook
        return HookHandle(self.hooks, number)


class HookHandle:
    """One registration of a hook: `remove()`, or calling the handle, ends it. Ending it again does nothing."""

    __slots__ = ("_hooks", "_number")

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self._hooks = hooks
        self._number = number

    def remove(self) -> None:
        """Let the hook not be called any more."""
        self._hooks.pop(self._number, None)

    __call__ = remove


#: Numbers nodes in the order they are made, over all threads: a node is always younger than its parents.
_serial = itertools.count(1)
next_serial: Callable[[], int] = _serial.__next__


#: Held while something is hung on a node that another thread may be hanging there too, or added to a gradient.
attaching = locks.lock()
_NO_ATTRS: dict[str, Any] = {}  # shared by all leaves; nobody writes it


class Node:
    """One application of an op: it owns the output arrays and knows the edges it read.

    A leaf is a node without an op. Nodes never point at tensors that point at them, so a graph dies with its last
    tensor, without waiting for the garbage collector.
    """

    tensor_type: ClassVar[type[Tensor]]  # set by tensor.py: a node hands out handles, yet this floor imports none

    __slots__ = (
        "__weakref__", "attrs", "backend", "constant", "infos", "line", "names", "op", "outputs", "parents",
        "requires_grad", "roles", "scope", "serial", "storage",
    )  # fmt: skip

    def __init__(
        self,
        outputs: tuple[Any, ...],
        backend: ModuleType,
        op: type[Op] | None = None,
        attrs: dict[str, Any] = _NO_ATTRS,
        parents: tuple[Edge, ...] = (),
        requires_grad: bool = False,
        scope: Scope = (),
        serial: int = 0,
    ) -> None:
        self.outputs = outputs
        self.backend = backend
        self.op = op
        self.attrs = attrs
        self.parents: tuple[Edge, ...] | None = parents  # None once the graph was freed
        self.requires_grad = requires_grad
        self.scope = scope
        self.serial = serial
        self.storage: Storage | None = None
        self.infos: dict[int, OutputInfo] | None = None
        self.names: dict[int, str] | None = None
        self.roles: dict[int, str] | None = None
        self.constant = False  # a Python scalar: drawn inside the op that uses it
        self.line: str | None = None  # where it was made, known only under detect_anomaly()

    # ---- what a vjp asks for -----------------------------------------------------------------------------------

    def input(self, position: int) -> Tensor:
        """Return the input at a position; MutationError if it was overwritten since this op read it."""
        parent, index = (self.parents or self._edges())[position]
        storage = parent.storage
        if storage is not None and storage.written > self.serial:
            raise MutationError(
                f"{self.describe()} needs its input {position} (shape {self.input_shape(position)}) for the backward "
                "pass, but assign_() overwrote it after it was used; call backward() before assign_(), or compute "
                "from a copy: x.copy()"
            )
        return Node.tensor_type._from_edge(parent, index)

    def output(self, index: int = 0) -> Tensor:
        """Return one of this node's outputs; MutationError if it was overwritten through a view."""
        if self.storage is not None and self.storage.written > self.serial:
            raise MutationError(
                f"the output of {self.describe()} is needed for the backward pass, but assign_() overwrote it through "
                "a tensor that shares its memory (detach() or a view); call assign_() on a copy: x.detach().copy()"
            )
        return Node.tensor_type._from_edge(self, index)

    def needs_grad(self, position: int) -> bool:
        """Return whether the gradient of an input is wanted, so that a vjp can skip work."""
        return (self.parents or self._edges())[position][0].requires_grad

    def input_shape(self, position: int) -> tuple[int, ...]:
        """Return the shape of an input; unlike `input` this does not care whether the value was overwritten."""
        parent, index = self._edges()[position]
        return parent.outputs[index].shape

    def input_device(self, position: int) -> str:
        """Return where an input is; as with `input_shape` it does not matter whether the value was overwritten."""
        return self._edges()[position][0].backend.device

    def values(self, index: int = 0) -> np.ndarray:
        """Return an output as a NumPy array; of another device than the CPU a copy, for which this waits."""
        return self.backend.to_numpy(self.outputs[index])

    def _edges(self) -> tuple[Edge, ...]:
        parents = self.parents  # read once: another thread may free it
        if parents is None:
            raise freed_error(self)
        return parents

    # ---- what is attached to its outputs -----------------------------------------------------------------------

    def set_name(self, index: int, name: str, role: str | None = None) -> None:
        """Name an output and say its role; see `Tensor.named`."""
        if self.names is None:
            with attaching:
                self.names, self.roles = self.names or {}, self.roles or {}
        self.names[index] = name
        role = role or modes.roles.get(name)
        if role is not None:
            self.roles[index] = role  # type: ignore[index]  # made with the names
        elif self.roles:
            self.roles.pop(index, None)  # that of an earlier name
        for recorder in modes.recorders:
            recorder.named(self, index, name, role)

    def ask_grad(self, index: int) -> Tensor | None:
        """Return the gradient at an output, when what happens next depends on it."""
        found = self.grad_of(index)
        for recorder in modes.recorders:
            recorder.grad_asked(Node.tensor_type._from_edge(self, index), found)
        return found

    def set_grad(self, index: int, grad: Tensor) -> None:
        """Put a gradient at an output; `attaching` is held."""
        self.info(index).grad = grad
        for recorder in modes.recorders:
            recorder.grad_set(Node.tensor_type._from_edge(self, index), grad)

    def info(self, index: int) -> OutputInfo:
        """Return what is attached to an output, made on the first call."""
        infos = self.infos
        if infos is None or index not in infos:
            with attaching:
                infos = self.infos = self.infos or {}
                infos.setdefault(index, OutputInfo())
        return infos[index]

    def name_of(self, index: int) -> str | None:
        """Return the name given to an output with `named`, or None."""
        return self.names.get(index) if self.names else None

    def shared_storage(self) -> Storage:
        """Return the storage record, made on the first call: from then on writes are noticed."""
        if self.storage is None:
            with attaching:  # two threads that detach one tensor must get the same record
                if self.storage is None:
                    self.storage = Storage()
        return self.storage

    @property
    def freed(self) -> bool:
        """Whether a backward pass freed the way back to this node's inputs."""
        return self.parents is None

    @property
    def op_name(self) -> str | None:
        """What the op is called; None for a leaf."""
        return None if self.op is None else self.op.name

    def grad_of(self, index: int) -> Tensor | None:
        """Return the gradient that `backward` left at an output, as in `Tensor.grad`."""
        info = self.infos.get(index) if self.infos else None
        return info.grad if info else None

    def describe(self) -> str:
        """Return the op (or leaf) with its scope, for errors."""
        what = self.op.name if self.op else "leaf"
        return what + scope_suffix(self.scope)


class Deferred:
    """A message that the engine puts together later, with its like."""

    __slots__ = ("grad",)

    grad: Tensor


class Slice(Deferred):
    """A message that reaches only the part of its parent at a basic index; the engine joins them with one op."""

    __slots__ = ("index",)

    def __init__(self, index: tuple[Any, ...], grad: Tensor) -> None:
        self.index = index
        self.grad = grad

    def of_part(self) -> Slice:
        """Return the message to the part of the parent that the first index, a whole number, selects."""
        return Slice(self.index[1:], self.grad)


class Product(Deferred):
    """A message `left.T @ grad` that is not multiplied out yet.

    A recurrent weight gets one such message per time step. Joined, they are one product of the rows of all steps
    instead of a thin product and a sum over the whole weight for each.
    """

    __slots__ = ("left",)

    def __init__(self, left: Tensor, grad: Tensor) -> None:
        self.left = left
        self.grad = grad

    def dense(self) -> Tensor:
        """Return the message itself."""
        return self.left.T @ self.grad


def freed_error(node: Node, behind_new: bool = False) -> GraphError:
    """Return the error for a node whose way back is gone; `behind_new` where what was computed later is still whole."""
    advice = "call the earlier one as backward(retain_graph=True), or compute the forward pass again"
    if behind_new:
        advice = (
            "what was computed from it since is whole. If it is the state that earlier time steps left (truncated "
            "backpropagation through time), cut them off before the next ones: h = h.detach(). If two losses share "
            "it, call the earlier one as backward(retain_graph=True), or add up the losses"
        )
    return GraphError(
        f"the graph behind {node.describe()} was freed by an earlier backward() (perhaps one that failed), which drops "
        f"what it has used to save memory; {advice}"
    )
