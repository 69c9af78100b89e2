"""What lies around a step: the settings it relies on, and the tensors that it leaves where no replay would."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import CellType, FunctionType
from typing import Any

import numpy as np

from tinygrad_rnn.engine.graph import Node
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import TapeError
from tinygrad_rnn.tape.records import PLAIN, Setting, same

_MOST_PARTS = 64  # a longer list is data


class Watched:
    """Named values that a step may go by: those of a module or an optimizer, or variables from outside a function.

    Args:
        what: who has them, in front of a name: "Dropout." or "the variable ".
        read: returns them as they are now.
    """

    def __init__(self, what: str, read: Callable[[], dict[str, Any]]) -> None:
        self._what, self._read = what, read
        self._before = read()

    def settled(self) -> Setting:
        """Return the setting that all stays as it is now, after the step.

        Raises:
            TapeError: the step itself has changed one.
        """
        now, earlier = self._read(), self._before
        self._before = {}  # it may hold what would die with the step
        for name, value in now.items():
            before = earlier.get(name, value)
            if not name.startswith("_") and not _same(before, value):
                raise TapeError(
                    f"record: {self._what}{name} was {_shown(before)} before the step and is {_other(before, value)} "
                    "after it; a replay would not change it. Hand it over: as an input of the step and a result, or as "
                    "a tensor that is made before the step and overwritten in it, after backward(): h.assign_(new)"
                )

        def differs() -> str | None:
            later = self._read()
            if not later:  # it is gone, and can no longer be changed
                return None
            for name, value in now.items():
                if name not in later or not _same(value, later[name]):
                    new = _other(value, later[name]) if name in later else "something else"
                    return f"{self._what}{name} was {_shown(value)} and is now {new}"
            return None

        plain = {name: value for name, value in now.items() if not name.startswith("_") and isinstance(value, PLAIN)}
        shown = ", ".join(f"{name}={value!r}" for name, value in plain.items())
        return Setting(differs, f"{self._what.rstrip('. ')}: {shown}" if shown else "")

    def tensors(self) -> Iterable[tuple[str, Tensor]]:
        """Yield the tensors among the values before the step, with what they are called."""
        for name, value in self._before.items():
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Tensor):
                    yield self._what + name, part


def settings_of(owner: Any, used: Iterable[int]) -> Watched:
    """Return what is set at a module or an optimizer, which tensors it has, and what of it is in use, by id."""
    alive = weakref.ref(owner)

    def read() -> dict[str, Any]:
        owner = alive()
        if owner is None:  # the step made it
            return {}
        names = _defaults(type(owner))  # type: ignore[arg-type]  # a class is hashable
        attributes = {name: getattr(owner, name) for name in names} | vars(owner)
        if hasattr(owner, "children"):
            attributes["names of modules"] = tuple(name for name, _ in owner.children())
        return _values(attributes, used)

    return Watched(f"{type(owner).__name__}.", read)


@functools.cache
def _defaults(kind: type) -> tuple[str, ...]:
    """Return what is an attribute of a class until somebody sets it at an object, such as `training`."""
    found = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    return tuple(name for name, value in found.items() if isinstance(value, PLAIN) and not name.startswith("__"))


def variables_of(step: Callable[..., Any], used: Iterable[int]) -> Watched:
    """Return the variables that a function reads from outside: those with plain values, tensors, and what is in use."""
    return Watched("the variable ", lambda: _values(variables(step), used))


def variables(step: Callable[..., Any]) -> dict[str, Any]:
    """Return all variables that a function reads from outside, as they are now."""
    function: Any = step
    while isinstance(function, functools.partial) or hasattr(function, "__func__"):
        function = function.func if isinstance(function, functools.partial) else function.__func__
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:  # a module, say, or something that is not written in Python
        return {}
    found = {name: function.__globals__[name] for name in code.co_names if name in function.__globals__}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # it has no value yet
            found[name] = cell.cell_contents
    return found


def _values(found: Mapping[str, Any], used: Iterable[int]) -> dict[str, Any]:
    """Return those of some values that are tensors, plain, or in use; tuples of the parts of containers of such."""
    values: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, Tensor | PLAIN | FunctionType) or id(value) in used:
            values[name] = value
        elif isinstance(value, np.generic):
            values[name] = value.item()
        elif isinstance(value, tuple | list | dict) and len(value) <= _MOST_PARTS:
            parts = tuple(value.values()) if isinstance(value, dict) else tuple(value)
            if all(isinstance(part, Tensor | PLAIN) for part in parts):
                values[name] = parts
    return values


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return same(a, b)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {value.shape}"
    if isinstance(value, tuple) and any(isinstance(part, Tensor) for part in value):
        return f"{len(value)} tensor{'s' * (len(value) != 1)}"
    return f"{value!r:.60}" if isinstance(value, PLAIN | tuple) else f"a {type(value).__name__}"


def _other(before: Any, value: Any) -> str:
    kinds = Tensor | FunctionType
    return "another" if isinstance(before, kinds) and isinstance(value, kinds) else _shown(value)


# ---- what the step leaves behind ------------------------------------------------------------------------------------


def left_behind(made: list[weakref.ref[Node]], known: Iterable[Node]) -> tuple[Node, str] | None:
    """Return a tensor's node that the step made and somebody keeps, and who, None if there is none.

    Args:
        made: the nodes that the step made.
        known: those of results, and what was there before: they may stay, with their gradients and the graphs behind.
    """
    known = list(known)
    alive = _alive(made)
    if not alive - _behind(known, alive):
        return None
    del alive
    gc.collect()  # they may only be part of a circle that nobody holds
    alive = _alive(made)
    left = alive - _behind(known, alive)
    if not left:
        return None
    newest = max(left, key=lambda node: node.serial)
    return newest, _holder(newest)


def _alive(made: list[weakref.ref[Node]]) -> set[Node]:
    return {node for node in (each() for each in made) if node is not None}


def _behind(known: Iterable[Node], made: set[Node]) -> set[Node]:
    """Return some nodes, their gradients, and of those that the step made the graphs behind them."""
    waiting = list(known)
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        held = [info.grad.edge[0] for info in (node.infos or {}).values() if info.grad is not None]
        if node in made:
            held += [parent for parent, _ in node.parents or ()]
        for each in held:
            if each not in seen:
                seen.add(each)
                waiting.append(each)
    return seen


def _holder(node: Node) -> str:
    """Return who holds a tensor of a node, as far as that can be found out."""
    handles = [each for each in gc.get_referrers(node) if isinstance(each, Tensor)]
    return next(filter(None, (holder_of(x, handles) for x in handles)), "")


def holder_of(x: Tensor, *others: Any) -> str:
    """Return who holds a tensor beside others and the graph, as far as that can be found out; "" for nobody."""
    expected = _containers(others)
    for container in gc.get_referrers(x):
        if id(container) in expected:
            continue
        if isinstance(container, list):
            return ", in a list"
        if isinstance(container, CellType):
            return ", in a variable of a function"
        attributes = container if isinstance(container, dict) else getattr(container, "__dict__", {})
        for name, value in attributes.items():
            if value is x:
                return f", under {name!r}" if attributes is container else f", by {type(container).__name__}.{name}"
    return ""


def _containers(value: Any) -> set[int]:
    """Return the ids of the tuples, lists and dicts that a result is made of."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return {id(value)}.union(*map(_containers, parts))
