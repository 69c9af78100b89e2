"""The computation graph: nodes, the base class of every op, and the modes a thread computes in."""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
import threading
from collections.abc import Callable, Mapping
from types import AsyncGeneratorType, CoroutineType, GeneratorType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tinygrad_rnn.backends import locks
from tinygrad_rnn.errors import DTypeError, GraphError, InputError, MutationError

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


class Mode:
    """Something that holds inside a `with` block, or in each call of a function it decorates."""

    __slots__ = ()

    def _fresh(self) -> Any:
        """Return what to enter for one call: a decorated function may run in several threads at once."""
        return self

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(function) or isinstance(function, type | staticmethod):
            what = f"the class {function.__name__}" if isinstance(function, type) else f"a {type(function).__name__}"
            raise GraphError(
                f"{self._name()} cannot decorate {what}; decorate a function, or a method, below its @staticmethod"
            )
        if any(later(function) or later(type(function).__call__) for later in _RUN_LATER):
            raise self._runs_later(function)

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                result = function(*args, **kwargs)
            started = getattr(result, "gen", result)  # of contextlib.contextmanager
            if isinstance(started, _STARTED_LATER):
                if not isinstance(started, AsyncGeneratorType):
                    started.close()
                raise self._runs_later(function)
            return result

        return inside

    def _runs_later(self, function: Any) -> GraphError:
        return GraphError(
            f"{self._name()} cannot decorate {getattr(function, '__qualname__', repr(function))}: its body, that of a "
            "generator, a coroutine or a context manager, runs later than the call that it decorates. Write "
            f"`with {self._name()}:` inside it, around what computes and with no yield or await in between"
        )

    def _name(self) -> str:
        raise NotImplementedError


class recording(Mode):
    """Let a recorder receive, in this thread, every op and every assign_ that runs inside.

    Args:
        recorder: see `Recorder`.
        name: what the errors call it when it decorates what it cannot.
    """

    __slots__ = ("_before", "_recorder", "_shown")

    def __init__(self, recorder: Recorder, name: str = "recording(...)") -> None:
        self._recorder, self._shown = recorder, name
        self._before: list[tuple[Recorder, ...]] = []

    def _fresh(self) -> recording:
        return recording(self._recorder, self._shown)

    def _name(self) -> str:
        return self._shown

    def __enter__(self) -> None:
        self._before.append(modes.recorders)
        modes.recorders = (*modes.recorders, self._recorder)

    def __exit__(self, *error: object) -> None:
        modes.recorders = self._before.pop()


_RUN_LATER = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
_STARTED_LATER = (GeneratorType, CoroutineType, AsyncGeneratorType)


class grad_mode(Mode):
    """Record a graph, or not, inside the block or the function; may be entered again inside itself."""

    __slots__ = ("_before", "enabled")

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._before: list[bool] = []

    def _fresh(self) -> grad_mode:
        return grad_mode(self.enabled)

    def _name(self) -> str:
        return "tg.enable_grad()" if self.enabled else "tg.no_grad()"

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


class scope(Mode):
    """Note on every node made inside where it belongs: `with tg.scope("lstm"), tg.scope("t", 3): ...`.

    Time is the innermost scope called "t". Also a decorator: `@tg.scope("encoder")`.

    Args:
        name: a text that is not empty.
        index: a whole number, or None.

    Raises:
        DTypeError, InputError: the name is none, or the index is no whole number.

    >>> import tinygrad_rnn as tg
    >>> with tg.scope("lstm"), tg.scope("t", 3):
    ...     (tg.ones(2, requires_grad=True) * 2.0).scope
    (('lstm', None), ('t', 3))
    """

    __slots__ = ("_part",)

    def __init__(self, name: str, index: int | None = None) -> None:
        if type(name) is not str or not name.isascii() or not name:
            check_name(name, "scope")
        if index is not None and type(index) is not int:
            try:
                index = int(operator.index(index)) if not isinstance(index, bool) else None
            except TypeError:
                index = None
            if index is None:
                raise DTypeError(f"scope: the index of {name!r} must be a whole number, such as the time step")
        self._part = (name, index)

    def _name(self) -> str:
        name, index = self._part
        return f"tg.scope({name!r})" if index is None else f"tg.scope({name!r}, {index})"

    def __enter__(self) -> None:
        modes.scope = (*modes.scope, self._part)

    def __exit__(self, *error: object) -> None:
        modes.scope = modes.scope[:-1]


#: What a named output can be in a recurrent network.
ROLES = ("state", "gate")


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


def check_name(name: Any, what: str) -> None:
    """Raise DTypeError unless this is a text, and InputError unless drawings and files can show it."""
    if not isinstance(name, str):
        raise DTypeError(f"{what}: a name must be a str, not {type(name).__name__} ({name!r})")
    if not name:
        raise InputError(f"{what}: a name must not be empty")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{what}: the name {name!r} holds half a character (a surrogate), which no file can; decode its bytes with "
            "errors='replace'"
        ) from None


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
