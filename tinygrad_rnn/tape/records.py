"""What a tape is made of: numbered values, and the instructions that make them, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.engine.graph import Op
from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError

#: What a step does beside running ops. An instruction has one of these names, or the class of an op.
ASSIGN = "assign_"  # write the second input into the first
SET_GRAD = "set_grad"  # the second input becomes the .grad of the first
FORGET_GRAD = "forget_grad"  # the input has no .grad any more
DETACH = "detach"  # the output lies in the memory of the input
MAKE = "make"  # a leaf made of numbers of the program; see `Made`
CHECK = "check"  # raise an error unless the numbers of the input are in a range; see `Range`
EFFECTS = (ASSIGN, SET_GRAD, FORGET_GRAD, DETACH, MAKE, CHECK)


#: What the array of a value is like: dtype, shape, device.
Kind = tuple[np.dtype, tuple[int, ...], str]

#: One thing that a step does: the class of an op, or one of `EFFECTS`; the numbers of the values that it reads, and of
#: those that it makes; what else it is given; and the scopes that were open, outermost first. A plain tuple, as
#: recording a step makes thousands of them.
Instruction = tuple[type[Op] | str, tuple[int, ...], tuple[int, ...], Mapping[str, Any], Scope]


def name_of(op: type[Op] | str) -> str:
    """Return what an instruction is called in listings and files."""
    return op if isinstance(op, str) else op.name


class Slot(NamedTuple):
    """The place of a tensor in the arguments or in the result: the number of its value."""

    number: int


class Setting(NamedTuple):
    """Something that the recorded step relied on: at a replay it must still be as it was.

    Attributes:
        differs: says in words what is no longer as it was, None if all is.
        text: what it is, for listings, unless they show it otherwise.
    """

    differs: Callable[[], str | None]
    text: str = ""


@dataclass
class Contents:
    """A recorded step.

    Attributes:
        kinds: of every value, by number.
        arguments, result: their structure, with a `Slot` in place of every tensor.
        instructions: in order.
        state: the tensors that were there before, by number; they are read anew at every replay.
        gradients: for every leaf whose `.grad` the step found, the number of that gradient, None if there was none.
        constants: the Python numbers that were combined with tensors, by number.
        names: names and roles of values, by number.
        shared: in whose memory a value lies, by number: a tensor of the result or what is overwritten, in that of what
            was there before or of an earlier tensor of the result.
        learns: the numbers of the arguments that require grad.
        strided: the numbers of the arguments whose elements do not lie one after the other.
        settings: what must be as it was when the step was recorded.
    """

    kinds: list[Kind] = field(default_factory=list)
    arguments: Any = ()
    result: Any = None
    instructions: list[Instruction] = field(default_factory=list)
    state: dict[int, Tensor] = field(default_factory=dict)
    gradients: dict[int, int | None] = field(default_factory=dict)
    constants: dict[int, bool | int | float] = field(default_factory=dict)
    names: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    shared: dict[int, int] = field(default_factory=dict)
    learns: set[int] = field(default_factory=set)
    strided: set[int] = field(default_factory=set)
    settings: list[Setting] = field(default_factory=list)

    def name_of(self, number: int) -> str:
        """Return how a value is called: its name, or its number."""
        return self.names.get(number, (f"%{number}", None))[0]


# ---- arguments and results: tuples, lists and dicts of tensors ------------------------------------------------------

PLAIN = bool | int | float | str | None


def mapped(value: Any, change: Callable[[Tensor], Any], where: str) -> Any:
    """Return a structure of tuples, lists and dicts with its tensors replaced.

    Raises:
        DTypeError: something in it is neither a tensor nor a plain number, text or None.
    """
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: mapped(part, change, f"{where}[{key!r}]") for key, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [mapped(part, change, f"{where}[{i}]") for i, part in enumerate(value)]
        return _like(value, parts)
    if isinstance(value, PLAIN):
        return value
    numpy = type(value).__module__ == "numpy"
    kind = f"a NumPy {type(value).__name__}" if numpy else f"of type {type(value).__name__}"
    advice = "; pass tg.tensor(array)" if numpy else ""
    raise DTypeError(
        f"{where} is {kind}: a recorded step takes and returns tensors, plain numbers, texts and "
        f"None, also in tuples, lists and dicts{advice}"
    )


def tensors_of(value: Any) -> list[Tensor]:
    """Return the tensors in a structure, from left to right."""
    found: list[Tensor] = []
    mapped(value, found.append, "it")
    return found


def filled(structure: Any, tensor_of: Callable[[int], Any]) -> Any:
    """Return a structure with something else, a tensor of that number, in place of every `Slot`."""
    if isinstance(structure, Slot):
        return tensor_of(structure.number)
    if isinstance(structure, dict):
        return {key: filled(part, tensor_of) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return _like(structure, [filled(part, tensor_of) for part in structure])
    return structure


def paths(structure: Any, where: str) -> list[tuple[int, str]]:
    """Return the numbers in the slots of a structure, from left to right, each with where it is: `where[0]['h']`."""
    if isinstance(structure, Slot):
        return [(structure.number, where)]
    if isinstance(structure, dict):
        return [pair for key, part in structure.items() for pair in paths(part, f"{where}[{key!r}]")]
    if isinstance(structure, list | tuple):
        return [pair for i, part in enumerate(structure) for pair in paths(part, f"{where}[{i}]")]
    return []


def slots(structure: Any) -> list[int]:
    """Return the numbers in the slots of a structure, from left to right."""
    return [number for number, _ in paths(structure, "")]


def matched(structure: Any, given: Any, where: str) -> list[tuple[int, Tensor]]:
    """Return the tensors of a value at the slots of a structure.

    Raises:
        InputError: it is built otherwise, or a plain value of it differs.
        DTypeError: there is something else where a tensor should be.
    """
    if isinstance(structure, Slot):
        if not isinstance(given, Tensor):
            advice = "; pass tg.tensor(array)" if type(given).__module__ == "numpy" else ""
            raise DTypeError(
                f"replay: {where} must be a tensor, as when the step was recorded, not {type(given).__name__}{advice}"
            )
        return [(structure.number, given)]
    if isinstance(structure, list | tuple | dict):
        if not isinstance(given, dict if isinstance(structure, dict) else list | tuple) or len(given) != len(structure):
            found = f"{type(given).__name__} of {len(given)}" if isinstance(given, list | tuple | dict) else repr(given)
            raise InputError(
                f"replay: {where} was a {type(structure).__name__} of {len(structure)} when the step was recorded, and "
                f"is now {found:.60}"
            )
        keys = list(structure) if isinstance(structure, dict) else range(len(structure))
        if isinstance(structure, dict) and set(given) != set(structure):
            raise InputError(
                f"replay: {where} must have the keys {', '.join(map(repr, structure))}, not {list(given)!r}"
            )
        return [pair for key in keys for pair in matched(structure[key], given[key], f"{where}[{key!r}]")]
    if not same(given, structure):
        raise InputError(
            f"replay: {where} was {structure!r} when the step was recorded, which every replay repeats; to let it "
            "vary, pass a tensor, and record the step with one"
        )
    return []


def same(a: Any, b: Any) -> bool:
    """Return whether two plain values are the same: 0.0 and -0.0 are not, nor 1 and True; NaN and NaN are."""
    return a is b or (type(a) is type(b) and isinstance(a, PLAIN) and repr(a) == repr(b))


def contiguous(array: Any) -> bool:
    """Return whether the elements of an array lie one after the other."""
    step = array.dtype.itemsize
    for size, stride in zip(reversed(array.shape), reversed(array.strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True


def _like(value: Any, parts: list[Any]) -> Any:
    """Return parts as a list or as a tuple, of the kind of a value."""
    if isinstance(value, list):
        return parts
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
