"""Recording a step: it runs once, and all that it does with tensors is written down."""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tinygrad_rnn.engine.graph import Edge, Node, Op, Storage
from tinygrad_rnn.engine.modes import modes, scope_suffix
from tinygrad_rnn.engine.recorder import Made, Range, Recorder, users_call, users_line
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import TapeError
from tinygrad_rnn.tape.records import (
    ASSIGN,
    CHECK,
    DETACH,
    FORGET_GRAD,
    MAKE,
    SET_GRAD,
    Contents,
    Setting,
    Slot,
    contiguous,
    mapped,
    name_of,
    paths,
    tensors_of,
)
from tinygrad_rnn.tape.surroundings import Watched, holder_of, left_behind, settings_of, variables, variables_of


class Recording(Recorder):
    """Writes down what a step does, as `Contents`."""

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.contents = Contents()
        self._instructions, self._kinds = self.contents.instructions, self.contents.kinds
        # The number of the first output of a node by the node's serial number, which keeps no array alive; what was
        # there before may have none, and is alive anyway.
        self._made: dict[int, int] = {}
        self._before: dict[Edge, int] = {}
        self._inputs: set[Edge] = set()
        self._gradients: set[int] = set()  # the values whose gradient is known, as the step itself has set it
        self._nodes: list[weakref.ref[Node]] = []  # what the step makes, as long as it lives
        self._targets: dict[int, Storage] = {}  # the memory that assign_ has overwritten
        # Modules and optimizers in use, by id; those that the step makes may die with it.
        self._owners: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._watched: list[Watched] = []
        self.problem: TapeError | None = None
        self.contents.arguments = mapped(arguments, self._argument, "record: inputs")

    # ---- values --------------------------------------------------------------------------------------------------

    def _argument(self, x: Tensor) -> Slot:
        if x.edge in self._before:
            raise TapeError("record: one tensor comes twice among the inputs; pass x.copy() for one of them")
        if not x.is_leaf and x.requires_grad:
            raise TapeError(
                f"record: an input is the result of {x.edge[0].describe()} and requires grad; a replay could not go "
                "back through what made it. Pass x.detach(), or compute it inside the step"
            )
        number = self._before[x.edge] = self._new(*x.edge)
        self._inputs.add(x.edge)
        if x.requires_grad:
            self.contents.learns.add(number)
        if not contiguous(x.edge[0].outputs[x.edge[1]]):
            self.contents.strided.add(number)
        return Slot(number)

    def _new(self, node: Node, index: int) -> int:
        array = node.outputs[index]
        self._kinds.append((array.dtype, array.shape, node.backend.device))
        return len(self._kinds) - 1

    def _outputs(self, node: Node) -> tuple[int, ...]:
        self._made[node.serial] = len(self._kinds)
        self._nodes.append(weakref.ref(node))
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
        if op.own:
            for name, value in attrs.items():
                if hasattr(value, "__array__") or hasattr(value, "shape"):
                    self._refuse(
                        f"hands data to {op.name} as {name}=, which a replay would see again; hand it over as a tensor"
                    )
        made, reads = self._made, []
        for x in inputs:
            parent, index = x.edge
            first = made.get(parent.serial)
            reads.append(self.number_of(x) if first is None else first + index)
        if len(node.outputs) == 1:  # as `_outputs`, in line: this runs for every op
            array, number = node.outputs[0], len(self._kinds)
            self._kinds.append((array.dtype, array.shape, node.backend.device))
            made[node.serial] = number
            self._nodes.append(weakref.ref(node))
            makes: tuple[int, ...] = (number,)
        else:
            makes = self._outputs(node)
        self._instructions.append((op, tuple(reads), makes, attrs, modes.scope))

    def leaf(self, node: Node, made: Made | None) -> None:
        if made is None:
            self._refuse(
                "makes a tensor from data; a replay would see these values again. Make it an input: "
                "tape.record(step, tg.tensor(data)), or make it before the step and overwrite it with assign_. Random "
                "numbers of tg.rand, tg.randn and nn.Dropout are fine: their generator is replayed, too"
            )
            return
        attrs: dict[str, Any] = {"function": made.function, "arguments": made.arguments}
        if made.function != "full":
            attrs["array"] = node.backend.copy(node.outputs[0])  # which the step may overwrite
        self._add(MAKE, (), self._outputs(node), attrs)

    def detached(self, node: Node, source: Tensor) -> None:
        self._add(DETACH, (self.number_of(source, detached=True),), self._outputs(node))

    def assigned(self, target: Tensor, value: Tensor) -> None:
        number = self.number_of(target)
        self._targets[number] = target.edge[0].shared_storage()
        self._add(ASSIGN, (number, self.number_of(value)))

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
            if found.edge in self._before:
                self._refuse(
                    f"uses the gradient of {self._shown(x)} also as another tensor, as an input, a variable or the "
                    "gradient of something else; the tape could not tell them apart. Make it a copy: w.grad.copy()"
                )
            if found.requires_grad:
                self._refuse(
                    f"starts from a gradient of {self._shown(x)} with a graph behind it, of create_graph=True; forget "
                    "it first, w.grad = None, or detach it"
                )
            self.contents.gradients[number] = self._before[found.edge] = self._new(*found.edge)

    def named(self, node: Node, index: int, name: str, role: str | None) -> None:
        first = self._made.get(node.serial)
        if first is not None:
            self.contents.names[first + index] = (name, role)

    def checked(self, ids: Tensor, within: Range) -> None:
        self._add(CHECK, (self.number_of(ids),), attrs=within._asdict())

    def read(self, x: Tensor) -> None:
        called = users_call()
        self._refuse(
            f"reads a tensor of shape {x.shape} with {_READS.get(called, called + '()')}; a replay could not follow "
            "what Python makes of its values. Return the tensor, and read it and decide after the step; to choose "
            "between values inside, write tg.where"
        )

    def changed(self, x: Tensor, what: str) -> None:
        if self._made.get(x.edge[0].serial) is None:
            self._refuse(
                f"{what} {self._shown(x)}, which was there before; a replay would not do it again. Do it before or "
                "after the step, or to a tensor that the step makes"
            )

    def _shown(self, x: Tensor) -> str:
        return x.name or f"a tensor of shape {x.shape}"

    def outside(self, what: str) -> None:
        self._refuse(f"uses {what}, which a replay would not follow; make it an input, or do it before the step")

    def used(self, owner: Any) -> None:
        if id(owner) not in self._owners:
            self._owners[id(owner)] = owner
            self._watched.append(settings_of(owner, self._owners))

    # ---- the end -------------------------------------------------------------------------------------------------

    def watch(self, step: Callable[..., Any]) -> None:
        """Before a step runs: watch the variables that it has from outside, and note what it calls its inputs."""
        owner = getattr(step, "__self__", None)
        if hasattr(owner, "__dict__") and type(owner).__weakrefoffset__ and not isinstance(owner, ModuleType):
            self.used(owner)
        for value in variables(step).values():
            if hasattr(value, "named_modules") and not isinstance(value, type):
                for module in value.modules():
                    self.used(module)
        self._watched.append(variables_of(step, self._owners))
        try:
            parameters = [p.name for p in inspect.signature(step).parameters.values() if p.kind in _POSITIONAL]
        except (TypeError, ValueError):  # a function that is not written in Python
            parameters = []
        for name, argument in zip(parameters, self.contents.arguments, strict=False):
            self.contents.names |= {number: (path, None) for number, path in paths(argument, name)}

    def finished(self, result: Any) -> Contents:
        """Return what was recorded, once the step has returned.

        Raises:
            TapeError: the step cannot be replayed.
            DTypeError: it returned something that a replay cannot return.
        """
        if self.problem is not None:  # somebody caught it
            raise self.problem
        contents = self.contents
        contents.result = mapped(result, self._returned, "record: the result")
        for (node, index), number in self._before.items():
            if name := node.name_of(index):
                contents.names[number] = (name, (node.roles or {}).get(index))
        returned = tensors_of(result)
        self._note_shared(returned)
        self._check_roles()
        contents.settings += [watched.settled() for watched in self._watched]
        contents.settings += [_attached(x, contents.name_of(number)) for number, x in contents.state.items()]
        for x in returned:
            self._check_kept(x, result, returned)
        left = left_behind(self._nodes, [*(x.edge[0] for x in returned), *(node for node, _ in self._before)])
        if left:
            node, holder = left
            raise TapeError(_kept(self._described(node), holder))
        return contents

    def _check_kept(self, x: Tensor, result: Any, returned: list[Tensor]) -> None:
        """Raise TapeError if a tensor of the result is also kept elsewhere, where a replay would not put a new one."""
        # Who knows it here: the result, or what is called so, the list of its tensors, and the names in this call.
        if x.edge[0].serial not in self._made or sys.getrefcount(x) <= (7 if x is result else 5):
            return
        holder = holder_of(x, result, returned)  # looks at everything there is, so only where there is a sign
        if holder:
            raise TapeError(_kept(self._described(x.edge[0]), holder))

    def _check_roles(self) -> None:
        """Raise TapeError if a variable or a setting is also an input, or a gradient that the step starts from."""
        gradients = set(self.contents.gradients.values())
        for name, x in (pair for watched in self._watched for pair in watched.tensors()):
            if x.edge in self._inputs or self._before.get(x.edge) in gradients - {None}:
                what = "one of the inputs is" if x.edge in self._inputs else "a gradient that the step starts from is"
                raise TapeError(
                    f"record: {what} {name}, too: the tape could not tell the one from the other; make one of them a "
                    "copy: x.copy()"
                )

    def _note_shared(self, returned: list[Tensor]) -> None:
        """Note which results, and which tensors that were overwritten, lie in the memory of others."""
        overwritten = set(self._targets.values())
        for edge in self._inputs:
            if edge[0].storage in overwritten and self._before[edge] not in self._targets:
                raise TapeError("record: an input lies in memory that the step overwrites; pass x.copy() as the input")
        owners: dict[Storage, int] = {}
        for (node, _), number in self._before.items():
            if node.storage is not None:
                owners.setdefault(node.storage, number)
        gradients = [x.edge[0].grad_of(x.edge[1]) for x in self.contents.state.values()]
        left = [x for x in gradients if x is not None and x.edge[0].serial in self._made]
        others = [(self.number_of(x), x.edge[0].storage) for x in (*left, *returned)]
        for number, storage in (*self._targets.items(), *others):
            if storage is not None and owners.setdefault(storage, number) != number:
                self.contents.shared[number] = owners[storage]

    def _described(self, node: Node) -> str:
        """Return what a node was made by, which one without a graph does not know."""
        number = self._made[node.serial]
        for op, _, makes, attrs, scope in self._instructions:
            if number in makes:
                return f"{attrs.get('function', name_of(op))} of shape {node.outputs[0].shape}{scope_suffix(scope)}"
        return node.describe()

    def _returned(self, x: Tensor) -> Slot:
        number = self.number_of(x)
        if number in self.contents.state:
            self.contents.state[number] = x  # the very object
        return Slot(number)


#: How people write what calls these methods.
_READS = {
    "__bool__": "if, and, or, not or bool()", "__float__": "float()", "__int__": "int()", "__index__": "an index",
    "__repr__": "print() or repr()", "__format__": "a format", "__array__": "NumPy", "__round__": "round()",
    "__getitem__": "a boolean mask", "__contains__": "in", "__reduce__": "copy or pickle",
}  # fmt: skip


def _kept(what: str, holder: str) -> str:
    return (
        f"record: a tensor that the step made, {what}, is still held after the step{holder}; a replay would not put a "
        "new one there. Hand it over as an input and a result, or make a tensor before the step and overwrite it in "
        "the step, after backward(): h.assign_(new)"
    )


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _attached(x: Tensor, name: str) -> Setting:
    """Return the setting that a tensor requires grad as before, and has the same hooks."""
    node, index = x.edge
    learns, hooks = x.requires_grad, _hooks(node, index)

    def differs() -> str | None:
        if x.requires_grad is not learns:
            return f"{name}.requires_grad was {learns} and is now {not learns}"
        return None if _hooks(node, index) == hooks else f"{name} has other hooks than before"

    return Setting(differs)


def _hooks(node: Node, index: int) -> tuple[int, ...]:
    return tuple(node.infos[index].hooks) if node.infos and index in node.infos else ()
