"""What the rooms above the engine use of it, said in types: gradient flow, pictures and listings ask for nothing else.

So another engine can stand in its place, such as one of a student's own: its tensors are `Value`s, which point at
`Vertex`es and name their `Engine`. `tinygrad_rnn.Tensor`, `engine.graph.Node` and the module `engine.autograd` are the
ones of this library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

#: Where something was computed: the scopes around it, outermost first, each with its number or None.
Scope = tuple[tuple[str, int | None], ...]
#: One output of one vertex.
Edge = tuple["Vertex", int]
#: The gradients of the outputs of a vertex, None where no message arrived; () where none did at all.
Grads = Sequence[Any]


class Array(Protocol):
    """The elements of one output, wherever they are."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def size(self) -> int: ...
    @property
    def dtype(self) -> Any: ...


class Vertex(Protocol):
    """One application of an op, or a leaf. It is hashable by identity."""

    @property
    def op_name(self) -> str | None:
        """What the op is called, by the names of this library where it has the op; None for a leaf."""

    @property
    def attrs(self) -> Mapping[str, Any]:
        """What else the op was given, such as axes."""

    @property
    def parents(self) -> Sequence[Edge] | None:
        """The outputs that it read, in order: `x * x` has that of x twice. None once the graph was freed."""

    @property
    def outputs(self) -> Sequence[Array]:
        """What it computed, usually one array."""

    @property
    def serial(self) -> int:
        """Greater than those of its parents; of leaves any number."""

    @property
    def scope(self) -> Scope:
        """Where it was computed; time is the number of the innermost scope "t"."""

    @property
    def names(self) -> Mapping[int, str] | None:
        """The names of its outputs, of those that have one."""

    @property
    def roles(self) -> Mapping[int, str] | None:
        """Their roles: "state" or "gate", of those that have one."""

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to it."""

    @property
    def constant(self) -> bool:
        """Whether it is a number of the program, drawn inside the op that reads it."""

    def values(self, index: int = 0) -> np.ndarray:
        """Return an output as a NumPy array."""

    def grad_of(self, index: int) -> Value | None:
        """Return the gradient that an earlier backward pass left at an output."""

    def describe(self) -> str:
        """Return what it is and where, for errors."""


class Value(Protocol):
    """A tensor: a handle on one output of one vertex."""

    @property
    def edge(self) -> Edge:
        """Its vertex, and which output of it this is."""

    @property
    def engine(self) -> Engine:
        """What can differentiate it."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def size(self) -> int: ...
    @property
    def requires_grad(self) -> bool: ...

    def numpy(self) -> np.ndarray:
        """Return the elements as a NumPy array."""

    def item(self) -> Any:
        """Return the only element as a Python number."""


class Sums(Protocol):
    """Gradients under way: per edge the sum of the messages that have arrived."""

    def add(self, edge: Edge, message: Any) -> None:
        """Add a message; it is not changed."""

    def so_far(self, edge: Edge) -> Any:
        """Return the sum of what has arrived at an edge, None if nothing has."""


class Observer:
    """Looks on as a walk passes through a graph, and may steer it; this one lets everything pass."""

    #: Whether it has to see every message as it is: a product of one step, not those of many steps multiplied at once.
    dense: ClassVar[bool] = False
    #: The gradients under way; set by the walk.
    sums: Any

    def complete(self, node: Any, grads: Grads) -> Grads:
        """Take the complete gradients of a vertex's outputs; return what it shall send on, () for nothing."""
        return grads

    def receive(self, child: Any, position: int, edge: Any, message: Any) -> None:
        """Take the message that a child sends to its input at a position, and add it to the gradient of that edge."""
        self.sums.add(edge, message)


class Engine(Protocol):
    """What differentiates: one backward loop, and the sizes of what passes."""

    # Vertices and messages are Any here: an engine takes its own.

    def topological(self, roots: Iterable[Any]) -> list[Any]:
        """Return the vertices that require grad and lead to the roots, each after its parents.

        Raises:
            GraphError: the graph was freed.
        """

    def walk(self, order: list[Any], seeds: Iterable[tuple[Any, Any]], observer: Any) -> None:
        """Run a backward pass: from the last vertex of the order to the first, gradients are completed and sent on.

        `order` is used up; `seeds` are (edge, gradient). Before it starts, `observer.sums` is set; the turn of a vertex
        is `observer.complete(vertex, grads)`, and every message goes through `observer.receive`.
        """

    def ones_like(self, x: Any) -> Any:
        """Return ones in the shape of a value: what a walk from it starts from."""

    def norm(self, message: Any) -> float:
        """Return the L2 norm of a gradient or of a message, added up in float64."""

    def share(self, message: Any, gradient: Any, size: float) -> float:
        """Return <message, gradient> / size^2: how much of a gradient of that norm a message brings."""

    def gather(self) -> Sums:
        """Return empty sums, for messages that are added up beside the walk."""


def is_value(x: Any) -> bool:
    """Return whether something is a tensor of an engine."""
    return hasattr(x, "edge") and hasattr(x, "engine")
