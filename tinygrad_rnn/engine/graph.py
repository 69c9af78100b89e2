"""The computation graph: nodes, the base class of every op, and the modes a thread computes in."""

from __future__ import annotations

import inspect
import itertools
import threading
from collections.abc import Callable, Mapping
from contextlib import ContextDecorator
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tinygrad_rnn.errors import GraphError, MutationError

if TYPE_CHECKING:
    import numpy as np

    from tinygrad_rnn.engine.tensor import Tensor

Scope = tuple[tuple[str, int | None], ...]
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
    #: True where the output shares its input's memory.
    is_view: ClassVar[bool] = False
    #: What to do about shapes that do not fit, appended to the error.
    hint: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__dict__.get("name") or cls.__name__.lower()

    @staticmethod
    def forward(backend: ModuleType, *arrays: Any, **attrs: Any) -> Any:
        """Compute the output array, or a tuple of them, from the input arrays."""
        raise NotImplementedError("an Op needs a static method forward(backend, *arrays, **attrs): define one")

    @staticmethod
    def vjp(node: Node, *grads: Any) -> Any:
        """Return one message per input from the gradient of every output (None where an output was not used).

        A message is a tensor, a `Slice`, a `Product`, or None for "no gradient". With one input it may come without
        the tuple.
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
        self.hooks: list[Callable[[Tensor], Tensor | None]] = []
        self.retain = False


#: Numbers nodes in the order they are made, over all threads: a node is always younger than its parents.
_serial = itertools.count(1)
next_serial: Callable[[], int] = _serial.__next__


_making_storage = threading.Lock()
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
        if self.parents is None:
            raise freed_error(self)
        return self.parents

    # ---- what is attached to its outputs -----------------------------------------------------------------------

    def set_name(self, index: int, name: str, role: str | None = None) -> None:
        """Name an output and say its role; see `Tensor.named`."""
        if self.names is None:
            self.names = {index: name}
        else:
            self.names[index] = name
        role = role or modes.roles.get(name)
        if role is not None:
            self.roles = {**(self.roles or {}), index: role}

    def info(self, index: int) -> OutputInfo:
        """Return what is attached to an output, made on the first call."""
        if self.infos is None:
            self.infos = {}
        if index not in self.infos:
            self.infos[index] = OutputInfo()
        return self.infos[index]

    def name_of(self, index: int) -> str | None:
        """Return the name given to an output with `named`, or None."""
        return self.names.get(index) if self.names else None

    def shared_storage(self) -> Storage:
        """Return the storage record, made on the first call: from then on writes are noticed."""
        if self.storage is None:
            with _making_storage:  # two threads that detach one tensor must get the same record
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


class Slice:
    """A message that reaches only the part of its parent at a basic index; the engine joins them with one op."""

    __slots__ = ("grad", "index")

    def __init__(self, index: tuple[Any, ...], grad: Tensor) -> None:
        self.index = index
        self.grad = grad

    def of_part(self) -> Slice:
        """Return the message to the part of the parent that the first index, a whole number, selects."""
        return Slice(self.index[1:], self.grad)


class Product:
    """A message `left.T @ grad` that is not multiplied out yet.

    A recurrent weight gets one such message per time step. Joined, they are one product of the rows of all steps
    instead of a thin product and a sum over the whole weight for each.
    """

    __slots__ = ("grad", "left")

    def __init__(self, left: Tensor, grad: Tensor) -> None:
        self.left = left
        self.grad = grad

    def dense(self) -> Tensor:
        """Return the message itself."""
        return self.left.T @ self.grad


def freed_error(node: Node) -> GraphError:
    return GraphError(
        f"the graph behind {node.describe()} was freed by an earlier backward() (perhaps one that failed), which drops "
        "what it has used to save memory; call the earlier one as backward(retain_graph=True), or compute the forward "
        "pass again"
    )


# ---- modes: what holds for the thread that computes ---------------------------------------------------------------


class Recorder(Protocol):
    """Receives every op and every assign_ of its thread, in the order they run, whatever the grad mode."""

    def op(self, node: Node, inputs: tuple[Tensor, ...], op: type[Op], attrs: dict[str, Any]) -> None: ...

    def assign(self, target: Tensor, value: Tensor) -> None: ...


class Modes(threading.local):
    """The modes of the current thread."""

    def __init__(self) -> None:  # runs once per thread; class attributes would be twice as slow to read
        self.grad_enabled = True
        self.scope: Scope = ()
        self.recorders: tuple[Recorder, ...] = ()
        self.roles: Mapping[str, str] = {}


modes = Modes()


class grad_mode(ContextDecorator):
    """Record a graph, or not, inside the block or the function; may be entered again inside itself."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._before: list[bool] = []

    def __call__(self, function: Any) -> Any:
        if inspect.isgeneratorfunction(function):
            raise GraphError(
                f"no_grad and enable_grad cannot decorate the generator {function.__name__}, whose body runs later; "
                "write `with tg.no_grad():` inside it"
            )
        return super().__call__(function)

    def _recreate_cm(self) -> grad_mode:
        return grad_mode(self.enabled)  # a decorated function may run in several threads at once

    def __enter__(self) -> None:
        self._before.append(modes.grad_enabled)
        modes.grad_enabled = self.enabled

    def __exit__(self, *error: object) -> None:
        modes.grad_enabled = self._before.pop()


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Compute without recording a graph, in this thread; also a decorator, with or without parentheses.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     (x * x).requires_grad
    False
    """
    return grad_mode(False) if function is None else grad_mode(False)(function)


def enable_grad(function: Callable[..., Any] | None = None) -> Any:
    """Record a graph again inside a `no_grad` block, in this thread; also a decorator, with or without parentheses."""
    return grad_mode(True) if function is None else grad_mode(True)(function)


class scope:
    """Note on every node made inside where it belongs: `with tg.scope("lstm"), tg.scope("t", 3): ...`.

    Time is the innermost scope called "t".
    """

    __slots__ = ("_part",)

    def __init__(self, name: str, index: int | None = None) -> None:
        self._part = (name, index)

    def __enter__(self) -> None:
        modes.scope = (*modes.scope, self._part)

    def __exit__(self, *error: object) -> None:
        modes.scope = modes.scope[:-1]


class naming:
    """Give the tensors named inside a role: `with naming({"h": "state", "f": "gate"}): ...`; what a cell does."""

    __slots__ = ("_before", "_roles")

    def __init__(self, roles: Mapping[str, str]) -> None:
        self._roles = roles

    def __enter__(self) -> None:
        self._before = modes.roles
        modes.roles = self._roles

    def __exit__(self, *error: object) -> None:
        modes.roles = self._before


def scope_text(parts: Scope) -> str:
    """Return a scope as readers see it: `lstm/t=3/forget_gate`."""
    return "/".join(name if index is None else f"{name}={index}" for name, index in parts)


def scope_suffix(parts: Scope) -> str:
    return f" (in {scope_text(parts)})" if parts else ""


def step_of(parts: Scope) -> int | None:
    """Return the time step of a scope: the index of its innermost "t", or None outside any step."""
    for name, index in reversed(parts):
        if name == "t":
            return index
    return None
