"""Recording a step: it runs once, and all that it does with tensors is written down."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tinygrad_rnn.engine.graph import Edge, Node, Op
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.engine.recorder import Made, Range, Recorder, users_line
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import TapeError
from tinygrad_rnn.tape.records import (
    ASSIGN,
    CHECK,
    DETACH,
    FORGET_GRAD,
    MAKE,
    PLAIN,
    SET_GRAD,
    Contents,
    Setting,
    Slot,
    mapped,
    tensors_of,
)


class Recording(Recorder):
    """Writes down what a step does, as `Contents`."""

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.contents = Contents()
        self._instructions, self._kinds = self.contents.instructions, self.contents.kinds
        # The number of the first output of a node by the node's serial number, which keeps no array alive; what was
        # there before may have none, and is alive anyway.
        self._made: dict[int, int] = {}
        self._before: dict[Edge, int] = {}
        self._gradients: set[int] = set()  # the values whose gradient is known, as the step itself has set it
        self._used: dict[int, tuple[Any, dict[str, Any]]] = {}
        self.problem: TapeError | None = None
        self.contents.arguments = mapped(arguments, self._argument, "the arguments")

    # ---- values --------------------------------------------------------------------------------------------------

    def _argument(self, x: Tensor) -> Slot:
        if x.edge in self._before:
            raise TapeError("record: one tensor comes twice among the inputs; pass x.copy() for one of them")
        if not x.is_leaf and x.requires_grad:
            raise TapeError(
                f"record: an input is the result of {x.edge[0].describe()} and requires grad; a replay could not go "
                "back through what made it. Pass x.detach(), or compute it inside the step"
            )
        number = self._before[x.edge] = self._new(x.edge[0], x.edge[1])
        return Slot(number)

    def _new(self, node: Node, index: int) -> int:
        array = node.outputs[index]
        self._kinds.append((array.dtype, array.shape, node.backend.device))
        return len(self._kinds) - 1

    def _outputs(self, node: Node) -> tuple[int, ...]:
        self._made[node.serial] = len(self._kinds)
        return tuple([self._new(node, index) for index in range(len(node.outputs))])

    def number_of(self, x: Tensor, detached: bool = False) -> int:
        """Return the number of a value; of one that nobody has seen yet it is noted where it comes from."""
        node, index = x.edge
        first = self._made.get(node.serial)
        number = self._before.get((node, index)) if first is None else first + index
        if number is None:
            number = self._before[node, index] = self._new(node, index)
            if node.constant:
                self.contents.constants[number] = node.values().item()
            elif node.op is not None and node.requires_grad and not detached:
                self._refuse(
                    f"reads the result of {node.describe()}, which was computed before it from tensors that require "
                    "grad. Compute it inside the step, or pass it as an input, detached"
                )
            else:
                self.contents.state[number] = x
        return number

    def _refuse(self, what: str) -> None:
        self.problem = TapeError(f"{users_line()}: the step {what}")
        raise self.problem

    # ---- what happens --------------------------------------------------------------------------------------------

    def _add(
        self, op: type[Op] | str, inputs: tuple[int, ...], outputs: tuple[int, ...] = (), attrs: Any = None
    ) -> None:
        self._instructions.append((op, inputs, outputs, attrs or {}, modes.scope))

    def op(self, node: Node, inputs: tuple[Tensor, ...], op: type[Op], attrs: dict[str, Any]) -> None:
        made, reads = self._made, []
        for x in inputs:
            parent, index = x.edge
            first = made.get(parent.serial)
            reads.append(self.number_of(x) if first is None else first + index)
        if len(node.outputs) == 1:  # as `_outputs`, in line: this runs for every op
            array, number = node.outputs[0], len(self._kinds)
            self._kinds.append((array.dtype, array.shape, node.backend.device))
            made[node.serial] = number
            makes: tuple[int, ...] = (number,)
        else:
            makes = self._outputs(node)
        self._instructions.append((op, tuple(reads), makes, attrs, modes.scope))

    def leaf(self, node: Node, made: Made | None) -> None:
        if made is None:
            self._refuse(
                "makes a tensor from data; a replay would see these values again. Make it an input: "
                "tape.record(step, tg.tensor(data)), or make it before the step and overwrite it with assign_"
            )
            return
        attrs: dict[str, Any] = {"function": made.function, **made.arguments}
        if made.function != "full":
            attrs = {"function": made.function, "arguments": made.arguments, "array": node.outputs[0]}
        self._add(MAKE, (), self._outputs(node), attrs)

    def detached(self, node: Node, source: Tensor) -> None:
        self._add(DETACH, (self.number_of(source, detached=True),), self._outputs(node))

    def assigned(self, target: Tensor, value: Tensor) -> None:
        self._add(ASSIGN, (self.number_of(target), self.number_of(value)))

    def grad_set(self, x: Tensor, value: Tensor | None) -> None:
        number = self.number_of(x)
        self._gradients.add(number)
        if value is None:
            self._add(FORGET_GRAD, (number,))
        else:
            self._add(SET_GRAD, (number, self.number_of(value)))

    def grad_asked(self, x: Tensor, found: Tensor | None) -> None:
        number = self.number_of(x)
        if number in self._gradients or x.edge not in self._before:
            return
        self._gradients.add(number)
        self.contents.gradients[number] = None
        if found is not None:
            gradient = self._before.get(found.edge)
            if gradient is None:
                gradient = self._before[found.edge] = self._new(*found.edge)
            self.contents.gradients[number] = gradient

    def named(self, node: Node, index: int, name: str, role: str | None) -> None:
        first = self._made.get(node.serial)
        if first is not None:
            self.contents.names[first + index] = (name, role)

    def checked(self, ids: Tensor, within: Range) -> None:
        self._add(CHECK, (self.number_of(ids),), attrs=within._asdict())

    def read(self, x: Tensor) -> None:
        self._refuse(
            f"reads the values of a tensor of shape {x.shape}, as item(), numpy(), float(), bool(), print() and a "
            "boolean mask do; a replay could not follow what Python makes of them. Compute with tensors, as with "
            "tg.where, or return the tensor and read it after the step"
        )

    def outside(self, what: str) -> None:
        self._refuse(f"uses {what}, which a replay would not follow; make it an input, or do it before the step")

    def used(self, owner: Any) -> None:
        if id(owner) not in self._used:
            self._used[id(owner)] = (owner, _settings_of(owner))

    # ---- the end -------------------------------------------------------------------------------------------------

    def finished(self, result: Any) -> Contents:
        """Return what was recorded, once the step has returned.

        Raises:
            TapeError: the step cannot be replayed.
            DTypeError: it returned something that a replay cannot return.
        """
        if self.problem is not None:  # somebody caught it
            raise self.problem
        contents = self.contents
        contents.result = mapped(result, self._returned, "the result")
        by_storage = {}
        for (node, index), number in self._before.items():
            by_storage[node.storage] = number
            if name := node.name_of(index):
                contents.names[number] = (name, (node.roles or {}).get(index))
        by_storage.pop(None, None)
        for x in tensors_of(result):
            owner = by_storage.get(x.edge[0].storage)
            if owner is not None and owner != self.number_of(x):
                contents.shared[self.number_of(x)] = owner
        contents.settings += [_unchanged(owner, before) for owner, before in self._used.values()]
        contents.settings += [_requires(x, contents.name_of(number)) for number, x in contents.state.items()]
        return contents

    def _returned(self, x: Tensor) -> Slot:
        number = self.number_of(x)
        if number in self.contents.state:
            self.contents.state[number] = x  # the very object
        return Slot(number)


def carried(step: Callable[..., Any]) -> dict[str, list[Tensor]]:
    """Return the tensors in the variables that a function has from outside: what it could carry from call to call."""
    try:
        found = inspect.getclosurevars(step)
    except TypeError:  # no function of Python, such as a partial or a module
        return {}
    tensors: dict[str, list[Tensor]] = {}
    for name, value in {**found.globals, **found.nonlocals}.items():
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        tensors[name] = [part for part in parts if isinstance(part, Tensor)]
    return tensors


def check_carried(before: dict[str, list[Tensor]], after: dict[str, list[Tensor]]) -> None:
    """Raise TapeError if the step has put another tensor into a variable from outside."""
    for name, tensors in after.items():
        if len(tensors) != len(before.get(name, tensors)) or any(
            a is not b for a, b in zip(tensors, before.get(name, tensors), strict=True)
        ):
            raise TapeError(_replaced(f"the variable {name}"))


def _replaced(what: str) -> str:
    return (
        f"record: {what} is another tensor after the step than before; a replay would start from the first one again. "
        "Hand it over as an input and a result, or overwrite the one tensor: h.assign_(new)"
    )


def _settings_of(owner: Any) -> dict[str, Any]:
    """Return the settings of a module or an optimizer: its plain values, and which tensors it has."""
    found: dict[str, Any] = {}
    attributes = vars(owner) | ({"training": owner.training} if hasattr(owner, "training") else {})
    for name, value in attributes.items():
        parts = value if isinstance(value, tuple) else (value,)
        if isinstance(value, Tensor) or all(isinstance(part, PLAIN) for part in parts):
            found[name] = value
    return found


def _unchanged(owner: Any, before: dict[str, Any]) -> Setting:
    """Return the setting that a module or an optimizer is as it was; what changed by itself in the step may go on."""
    what, now = type(owner).__name__, _settings_of(owner)
    for name, value in now.items():
        if isinstance(value, Tensor) and value is not before.get(name, value):
            raise TapeError(_replaced(f"{what}.{name}"))

    def differs() -> str | None:
        for name, value in _settings_of(owner).items():
            recorded = now.get(name, value)
            if isinstance(value, Tensor):
                if value is not recorded:
                    return f"{what}.{name} is another tensor"
            elif value is not recorded and value != recorded:
                return f"{what}.{name} was {recorded!r} and is now {value!r}"
        return None

    plain = {name: value for name, value in now.items() if not name.startswith("_") and not isinstance(value, Tensor)}
    return Setting(differs, f"{what}({', '.join(f'{name}={value!r}' for name, value in plain.items())})")


def _requires(x: Tensor, name: str) -> Setting:
    recorded = x.requires_grad

    def differs() -> str | None:
        return None if x.requires_grad is recorded else f"{name}.requires_grad was {recorded} and is now {not recorded}"

    return Setting(differs)
