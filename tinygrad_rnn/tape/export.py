"""A tape as JSON, for a reader in any language, and back.

The text is an object:

    format, version   "tinygrad_rnn tape" and 1
    scopes            scopes, each a list of [name, number or null], outermost first; "grad" is the backward pass
    shapes            shapes, each a list of sizes
    kinds             [dtype, position in shapes, device]; dtypes are float32, float64, int64 and bool
    values            per value its position in kinds; a value is called by its position here
    arguments         what the step is called with: {"$value": n} for a tensor, tuples, plain values
    result            what it returns, likewise
    inputs            [{"value": n, "requires_grad": ..., "strided": ...}]: the tensors among the arguments
    state             [{"value": n, "data": ..., "requires_grad": ...}], which a replay reads and overwrites
    gradients         [{"of": n, "value": m or null, "data": ...}]: the .grad of value n when the step begins, which is
                      value m, or null (and no data) where there must be none
    constants         [{"value": n, "number": x}]: Python numbers
    names             {"n": [name, role or null]}
    shared            {"n": m}: value n lies in the memory of m
    instructions      [name, [inputs], [outputs], {attributes}, position in scopes], in order
    settings          what the step relied on when it was recorded, as texts

An instruction is an op or an effect. What an op does with its inputs and attributes is the `forward` of its class in
`tinygrad_rnn.engine.ops`, and what the kernels that it names compute is in `tinygrad_rnn.backends.reference`. Effects:

    assign_           write the second input into the memory of the first. Views see it: what detach, getitem,
                      transpose, broadcast_to, split and unbind make lies in the memory of their input, and so does what
                      reshape makes of elements that lie one after the other
    set_grad          the second input becomes the .grad of the first; forget_grad takes it away
    detach            the output is the input
    make              the output is `array`; of function "full" it is arguments.shape filled with arguments.value
    check             an error unless all numbers are low <= x < high, or `but`

Data are the elements in C order, little-endian (of bool one byte each), in base64. What JSON does not have:
{"$float": "nan"}, {"$list": [...]} for a list (a plain one is a tuple), {"$dict": {...}}, {"$slice": [start, stop,
step]}, {"$ellipsis": true}, {"$dtype": "float32"}, {"$array": {"dtype", "shape", "data"}}.

The step lambda x: x * 2.0 of a tensor of shape (3,), its text shortened:

    {"format": "tinygrad_rnn tape", "version": 1, "scopes": [[]], "shapes": [[3], []],
     "kinds": [["float32", 0, "cpu"], ["float32", 1, "cpu"]], "values": [0, 1, 0], "arguments": [{"$value": 0}],
     "result": {"$value": 2}, "constants": [{"value": 1, "number": 2.0}], "instructions": [["mul", [0, 1], [2], {}, 0]]}
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_rnn import backends, dtypes
from tinygrad_rnn.engine import ops as library
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.graph import Op
from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.engine.recorder import Range
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, TapeError, TinygradError
from tinygrad_rnn.tape.records import (
    ASSIGN,
    CHECK,
    DETACH,
    EFFECTS,
    FORGET_GRAD,
    MAKE,
    SET_GRAD,
    Contents,
    Instruction,
    Kind,
    Setting,
    Slot,
    name_of,
    slots,
)

FORMAT, VERSION = "tinygrad_rnn tape", 1


# ---- writing ----------------------------------------------------------------------------------------------------


def encoded(contents: Contents) -> str:
    """Return a tape as JSON, with its state as it is now.

    Raises:
        DTypeError: an own op has an attribute that JSON cannot hold, or two have one name.
        TapeError: tensors of the state lie in each other's memory, or a gradient that the step starts from is gone.
    """
    _check_apart(contents)
    own: dict[str, type[Op]] = {}
    scopes: dict[Scope, int] = {}
    shapes: dict[tuple[int, ...], int] = {}
    kinds: dict[Kind, int] = {}
    values = []
    for kind in contents.kinds:
        shapes.setdefault(kind[1], len(shapes))
        values.append(kinds.setdefault(kind, len(kinds)))
    instructions = [
        [
            _exported_name(op, own),
            reads,
            makes,
            {key: _plain(value, f"{name_of(op)}: the attribute {key}") for key, value in attrs.items()},
            scopes.setdefault(scope, len(scopes)),
        ]
        for op, reads, makes, attrs, scope in contents.instructions
    ]
    gradients = []
    for leaf, number in contents.gradients.items():
        node, index = contents.state[leaf].edge if leaf in contents.state else (None, 0)
        found = node.grad_of(index) if node is not None else None
        if number is not None and found is None:
            raise TapeError(
                f"to_json: the step starts from a gradient of {contents.name_of(leaf)}, and there is none now; write "
                "the tape before zero_grad(), or record it as it is now"
            )
        data = {} if number is None or found is None else {"data": _data(found.numpy())}
        gradients.append({"of": leaf, "value": number, **data})
    text = {
        "format": FORMAT,
        "version": VERSION,
        "scopes": list(scopes),
        "shapes": list(shapes),
        "kinds": [[str(dtype), shapes[shape], device] for dtype, shape, device in kinds],
        "values": values,
        "arguments": _plain(contents.arguments, "the arguments"),
        "result": _plain(contents.result, "the result"),
        "inputs": [
            {"value": number, "requires_grad": number in contents.learns, "strided": number in contents.strided}
            for number in slots(contents.arguments)
        ],
        "state": [
            {"value": number, "data": _data(x.numpy()), "requires_grad": x.requires_grad}
            for number, x in contents.state.items()
        ],
        "gradients": gradients,
        "constants": [
            {"value": number, "number": _plain(value, "a number")} for number, value in contents.constants.items()
        ],
        "names": contents.names,
        "shared": contents.shared,
        "instructions": instructions,
        "settings": [setting.text for setting in contents.settings if setting.text],
    }
    return json.dumps(text, separators=(",", ":"), allow_nan=False)


def _exported_name(op: type[Op] | str, own: dict[str, type[Op]]) -> str:
    if isinstance(op, str) or not op.own:
        return name_of(op)
    name = f"{op.__module__}.{op.__qualname__}"
    if own.setdefault(name, op) is not op:
        raise DTypeError(f"to_json: there are two ops called {name}; give each class a __qualname__ of its own")
    return name


def _check_apart(contents: Contents) -> None:
    """Raise TapeError if what the step overwrites lies in the memory of other state: a text would tear them apart."""
    seen: dict[Any, int] = {}
    for number, x in contents.state.items():
        storage = x.edge[0].storage
        if storage is not None and seen.setdefault(storage, number) != number:
            one, other = contents.name_of(number), contents.name_of(seen[storage])
            if any(op == ASSIGN for op, *_ in contents.instructions):
                raise TapeError(
                    f"to_json: {one} lies in the memory of {other}, which a text cannot tell; make one of them a copy "
                    "before the step is recorded"
                )


def _data(array: np.ndarray) -> str:
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def _plain(value: Any, what: str) -> Any:
    """Return a value as what JSON holds; DTypeError if it cannot."""
    if isinstance(value, Slot):
        return {"$value": value.number}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [_plain(part, what) for part in value]
    if isinstance(value, list):
        return {"$list": [_plain(part, what) for part in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"$dict": {key: _plain(part, what) for key, part in value.items()}}
    if isinstance(value, slice):
        return {"$slice": [_plain(end, what) for end in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"$ellipsis": True}
    if isinstance(value, np.dtype):
        return {"$dtype": str(value)}
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        array = np.asarray(value)
        return {"$array": {"dtype": str(array.dtype), "shape": array.shape, "data": _data(array)}}
    raise DTypeError(
        f"to_json: {what} is a {type(value).__name__}, which JSON cannot hold; give plain numbers and texts"
    )


# ---- reading ----------------------------------------------------------------------------------------------------


def decoded(text: str, device: str | None, own: Iterable[type[Op]]) -> Contents:
    """Return the tape in a JSON text, its state as tensors of its own.

    Raises:
        InputError: the text is no tape, or one that makes no sense, or an op of it is unknown.
        DeviceError: there is no such device here.
    """
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"from_json: the text is no JSON ({error}); pass what to_json returned, of a file Path(name).read_text()"
        ) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"from_json: the text is no tape: it has no format {FORMAT!r}; pass what to_json returned")
    if type(data.get("version")) is not int or data["version"] != VERSION:
        raise InputError(
            f"from_json: the tape is of version {data.get('version')}, and this library reads {VERSION}; write it with "
            "the same release"
        )
    try:
        return _Reader(data, device, own).contents
    except TinygradError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, MemoryError, binascii.Error) as error:
        raise InputError(f"from_json: the tape is damaged ({type(error).__name__}: {error}); write it anew") from error


class _Reader:
    """Makes `Contents` of what JSON holds."""

    def __init__(self, data: dict[str, Any], device: str | None, own: Iterable[type[Op]]) -> None:
        self.ops = _ops_by_name(own)
        self.scopes: list[Scope] = [tuple([(str(name), index) for name, index in scope]) for scope in data["scopes"]]
        devices = {kind[2] for kind in data["kinds"]}
        if device is not None and len(devices) > 1:
            raise InputError(f"from_json: the tape is for the devices {', '.join(sorted(devices))}; leave device= out")
        where = {name: backends.get(device or name).device for name in devices}
        kinds: list[Kind] = [
            (dtypes.resolve(dtype), _sizes(data["shapes"][_position(shape)]), where[name])
            for dtype, shape, name in data["kinds"]
        ]
        self.contents = contents = Contents(kinds=[kinds[_position(kind)] for kind in data["values"]])
        contents.arguments = _back(data["arguments"])
        contents.result = _back(data["result"])
        for each in data["inputs"]:
            for names, found in ((contents.learns, each["requires_grad"]), (contents.strided, each["strided"])):
                if found:
                    names.add(self._number(each["value"]))
        for each in data["state"]:
            number = self._number(each["value"])
            if number in contents.state:
                raise InputError(f"from_json: value {number} is given twice")
            contents.state[number] = self._tensor(number, each["data"], bool(each["requires_grad"]))
        for each in data["constants"]:
            contents.constants[self._number(each["value"])] = _plain_number(_back(each["number"]))
        contents.names = {self._number(int(key)): (str(name), role) for key, (name, role) in data["names"].items()}
        for number, x in contents.state.items():
            if number in contents.names:
                x.named(*contents.names[number])
        for each in data["gradients"]:
            leaf, gradient = self._number(each["of"]), each["value"]
            contents.gradients[leaf] = None if gradient is None else self._number(gradient)
            if gradient is not None and leaf in contents.state:
                contents.state[leaf].grad = self._tensor(gradient, each["data"], False)
        contents.shared = {self._number(int(key)): self._number(value) for key, value in data["shared"].items()}
        contents.instructions = [self._instruction(*each) for each in data["instructions"]]
        contents.settings = [Setting(lambda: None, str(text)) for text in data["settings"]]
        self._check()

    def _number(self, number: Any) -> int:
        if type(number) is not int or not 0 <= number < len(self.contents.kinds):
            raise InputError(f"from_json: there is no value {number!r}")
        return number

    def _tensor(self, number: int, data: str, requires_grad: bool) -> Tensor:
        dtype, shape, device = self.contents.kinds[number]
        return tensor(_array(dtype, shape, data), device=device, requires_grad=requires_grad)

    def _instruction(self, name: str, inputs: Any, outputs: Any, attrs: dict[str, Any], scope: int) -> Instruction:
        op: type[Op] | str | None = name if name in EFFECTS else self.ops.get(name)
        if op is None:
            raise InputError(
                f"from_json: the tape has the op {name!r}, which is none of this library; pass the class of your own: "
                "tape.from_json(text, ops=[MyOp])"
            )
        reads, makes = tuple(map(self._number, inputs)), tuple(map(self._number, outputs))
        found = {str(key): _back(value) for key, value in attrs.items()}
        if op == MAKE:
            found = self._made(makes, found)
        elif name in _EFFECTS and (len(reads), len(makes), set(found)) != _EFFECTS[name]:
            raise InputError(f"from_json: {name} has other inputs, outputs or attributes than it should")
        if "device" in found:
            found["device"] = self.contents.kinds[makes[0]][2]
        return op, reads, makes, found, self.scopes[_position(scope)]

    def _made(self, makes: tuple[int, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        """Return what makes a tensor, so that it makes what `kinds` says and nothing else."""
        (number,) = makes
        dtype, shape, device = self.contents.kinds[number]
        if attrs["function"] == "full":
            filled = {"shape": shape, "value": _plain_number(attrs["arguments"]["value"]), "dtype": dtype}
            return {"function": "full", "arguments": filled}
        array = attrs["array"]
        if (array.dtype, array.shape) != (dtype, shape):
            raise InputError(f"from_json: value {number} is made in another shape or dtype than it should have")
        return attrs | {"array": backends.get(device).from_numpy(array)}

    def _check(self) -> None:
        """Raise InputError unless every value is made once, before it is read."""
        contents = self.contents
        arguments = slots(contents.arguments)
        given = [number for number in contents.gradients.values() if number is not None]
        known = set[int]()
        for number in (*contents.state, *contents.constants, *arguments, *given):
            if number in known:
                raise InputError(f"from_json: value {number} is given twice")
            known.add(number)
        for op, reads, makes, _, _ in contents.instructions:
            if not set(reads) <= known:
                raise InputError(f"from_json: {name_of(op)} reads a value before it is made: {reads}")
            if known & set(makes):
                raise InputError(f"from_json: {name_of(op)} makes a value that is there already: {makes}")
            known |= set(makes)
        if not {*slots(contents.result), *contents.shared, *contents.shared.values(), *contents.gradients} <= known:
            raise InputError("from_json: the result has values that nothing makes")


def _ops_by_name(own: Iterable[type[Op]]) -> dict[str, type[Op]]:
    found = {
        op.name: op for op in vars(library).values() if isinstance(op, type) and issubclass(op, Op) and op is not Op
    }
    for op in own:
        if not (isinstance(op, type) and issubclass(op, Op)):
            raise DTypeError(f"from_json: ops are classes of ops, not {type(op).__name__}")
        if found.setdefault(f"{op.__module__}.{op.__qualname__}", op) is not op:
            raise InputError(f"from_json: there are two ops called {op.__module__}.{op.__qualname__}; pass one")
    return found


#: How many inputs and outputs the effects have, and which attributes.
_EFFECTS: dict[str, tuple[int, int, set[str]]] = {
    ASSIGN: (2, 0, set()), SET_GRAD: (2, 0, set()), FORGET_GRAD: (1, 0, set()), DETACH: (1, 1, set()),
    CHECK: (1, 0, set(Range._fields)),
}  # fmt: skip


def _plain_number(value: Any) -> bool | int | float:
    if not isinstance(value, bool | int | float):
        raise InputError(f"from_json: {value!r} is no number")
    return value


def _position(number: Any) -> int:
    """Return a position in a table; InputError for what would count from its end."""
    if type(number) is not int or number < 0:
        raise InputError(f"from_json: {number!r} is no position in a table")
    return number


def _sizes(shape: Any) -> tuple[int, ...]:
    return tuple([_position(size) for size in shape])


def _array(dtype: np.dtype, shape: tuple[int, ...], data: str) -> np.ndarray:
    elements = np.frombuffer(base64.b64decode(data, validate=True), dtype.newbyteorder("<"))
    return elements.astype(dtype).reshape(shape)


def _back(value: Any) -> Any:
    """Return what `_plain` made JSON of."""
    if isinstance(value, list):
        return tuple([_back(part) for part in value])
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "$value":
        return Slot(_position(content))
    if tag == "$list":
        return [_back(part) for part in content]
    if tag == "$dict":
        return {key: _back(part) for key, part in content.items()}
    if tag == "$slice":
        return slice(*[_back(end) for end in content])
    if tag == "$ellipsis":
        return Ellipsis
    if tag == "$dtype":
        return dtypes.resolve(content)
    if tag == "$float":
        return float(content)
    if tag == "$array":
        return _array(dtypes.resolve(content["dtype"]), _sizes(content["shape"]), content["data"])
    raise InputError(f"from_json: {tag!r} is unknown")
