"""Replaying a step: its instructions run in order on other data, in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from tinygrad_rnn import backends
from tinygrad_rnn.engine.applying import own_result
from tinygrad_rnn.engine.creation import of_backend
from tinygrad_rnn.engine.graph import Op, next_serial
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.engine.recorder import Range
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DeviceError, DTypeError, InputError, ShapeError, TapeError
from tinygrad_rnn.tape.records import (
    ASSIGN,
    CHECK,
    DETACH,
    FORGET_GRAD,
    MAKE,
    SET_GRAD,
    Contents,
    Instruction,
    filled,
    matched,
    paths,
    slots,
)


class Player:
    """Runs what was recorded, as often as asked."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self._backends = {device: backends.get(device) for device in {device for _, _, device in contents.kinds}}
        self._constants: list[Any] = [None] * len(contents.kinds)
        for number, value in contents.constants.items():
            dtype, _, _ = contents.kinds[number]
            self._constants[number] = self._backend(number).fill((), value, dtype)
        # For every instruction: what to call, the numbers of what it reads and makes, and of what nobody reads again.
        self._program = [
            (self._function(instruction), instruction[1], instruction[2], over)
            for instruction, over in zip(contents.instructions, self._last_uses(), strict=True)
        ]

    def play(self, inputs: tuple[Any, ...]) -> Any:
        """Run the step on other inputs; return what it returns.

        Raises:
            TapeError, ShapeError, DTypeError, DeviceError, InputError, IndexRangeError: see `Tape.replay`.
        """
        if modes.recorders:
            raise TapeError("replay: it runs kernels and no ops, so nothing can be recorded; call the step itself here")
        contents = self.contents
        if len(inputs) != len(contents.arguments):
            wanted = f"{len(contents.arguments)} input{'s' * (len(contents.arguments) != 1)}"
            raise InputError(f"replay: the step was recorded with {wanted}, and is replayed with {len(inputs)}")
        given = dict(matched(contents.arguments, inputs, "inputs"))
        tensors = contents.state | given
        tensors |= self._gradients(tensors)
        self._check(tensors, given)
        values = self._constants.copy()
        for number, x in tensors.items():
            node, index = x.edge
            values[number] = node.outputs[index]
        run = _Run(values, tensors, self._backend)
        for function, reads, makes, over in self._program:
            if makes:
                made = function(*[values[number] for number in reads])
                if type(made) is tuple:
                    for number, array in zip(makes, made, strict=True):
                        values[number] = array
                else:
                    values[makes[0]] = made
            else:
                function(run, *reads)
            for number in over:
                values[number] = None
        for number, owner in contents.shared.items():
            run.tensor(number).edge[0].storage = run.tensor(owner).edge[0].shared_storage()
        return filled(contents.result, run.tensor)

    # ---- before it runs ------------------------------------------------------------------------------------------

    def _gradients(self, tensors: dict[int, Tensor]) -> dict[int, Tensor]:
        """Return the gradients that the step starts from, by number; TapeError if they are there where none was."""
        found = {}
        for leaf, number in self.contents.gradients.items():
            node, index = tensors[leaf].edge
            gradient = node.grad_of(index)
            if (gradient is None) != (number is None):
                was, now = ("a", "none") if gradient is None else ("no", "one")
                name = self.contents.name_of(leaf)
                raise TapeError(
                    f"replay: {name} had {was} gradient when the step was recorded and has {now} now; call zero_grad() "
                    "at the beginning of the step, or record the step once more"
                )
            if number is not None and gradient is not None:
                found[number] = gradient
        return found

    def _check(self, tensors: dict[int, Tensor], given: dict[int, Tensor]) -> None:
        """Raise an error unless tensors and settings are as they were when the step was recorded."""
        kinds = self.contents.kinds
        for number, x in tensors.items():
            node, index = x.edge
            array, (dtype, shape, device) = node.outputs[index], kinds[number]
            if array.shape != shape or array.dtype != dtype or node.backend.device != device:
                what = self.contents.name_of(number)
                if number in given:
                    path = dict(paths(self.contents.arguments, "inputs"))[number]
                    what = path + (f" ({what})" if number in self.contents.names else "")
                error: type[Exception] = ShapeError if array.shape != shape else DTypeError
                raise (error if node.backend.device == device else DeviceError)(
                    f"replay: {what} is {array.dtype} of shape {tuple(array.shape)} on {node.backend.device}, but was "
                    f"{dtype} of shape {shape} on {device} when the step was recorded; a tape is for one shape, dtype "
                    "and device: record the step once more, on this"
                )
        for setting in self.contents.settings:
            different = setting.differs()
            if different:
                raise TapeError(f"replay: {different}; record the step once more")

    # ---- the program ---------------------------------------------------------------------------------------------

    def _backend(self, number: int) -> ModuleType:
        """Return where a value is."""
        _, _, device = self.contents.kinds[number]
        return self._backends[device]

    def _function(self, instruction: Instruction) -> Callable[..., Any]:
        """Return what an instruction calls: with arrays if it makes some, else with the run and numbers."""
        op, reads, makes, attrs, _ = instruction
        if isinstance(op, str):
            if op == MAKE:
                return _maker(self._backend(makes[0]), attrs)
            if op == CHECK:
                return partial(_check_range, Range(**attrs))
            return _EFFECTS[op]
        backend = self._backend(reads[0])
        if op.own:
            wanted = [self.contents.kinds[number][:2] for number in makes]
            return partial(_own, op, backend, dict(attrs), wanted)
        return partial(op.forward, backend, **attrs)

    def _last_uses(self) -> list[tuple[int, ...]]:
        """Return for every instruction the values that it made or reads and that nobody reads after it."""
        contents = self.contents
        kept = {*slots(contents.result), *contents.shared, *contents.shared.values()}
        seen, found = set(kept), []
        made = {number for _, _, makes, _, _ in contents.instructions for number in makes}
        for _, reads, makes, _, _ in reversed(contents.instructions):
            last = {*reads, *makes} & made - seen
            seen |= last
            found.append(tuple(last))
        return found[::-1]


class _Run:
    """One replay: the arrays of its values, and the tensors that hold some of them."""

    def __init__(self, values: list[Any], given: dict[int, Tensor], backend: Callable[[int], ModuleType]) -> None:
        self.values, self.given, self.backend = values, given, backend
        self._tensors = dict(given)

    def tensor(self, number: int) -> Tensor:
        """Return the tensor that holds a value, one for each."""
        found = self._tensors.get(number)
        if found is None:
            found = self._tensors[number] = of_backend(self.values[number], self.backend(number))
        return found


def _assign(run: _Run, target: int, source: int) -> None:
    run.backend(target).write(run.values[target], run.values[source])
    if target in run.given:  # others may have read it, and their backward pass must notice
        run.given[target].edge[0].shared_storage().written = next_serial()


def _set_grad(run: _Run, leaf: int, gradient: int) -> None:
    run.tensor(leaf).grad = run.tensor(gradient)


def _forget_grad(run: _Run, leaf: int) -> None:
    run.tensor(leaf).grad = None


def _check_range(within: Range, run: _Run, numbers: int) -> None:
    within.check(run.backend(numbers).to_numpy(run.values[numbers]))


def _detach(array: Any) -> Any:
    return array


_EFFECTS: dict[str, Callable[..., Any]] = {
    ASSIGN: _assign, SET_GRAD: _set_grad, FORGET_GRAD: _forget_grad, DETACH: _detach
}  # fmt: skip


def _maker(backend: ModuleType, attrs: Any) -> Callable[[], Any]:
    if attrs["function"] == "full":
        return partial(backend.fill, attrs["shape"], attrs["value"], attrs["dtype"])
    return partial(backend.copy, attrs["array"])  # the step may overwrite what it made


def _own(op: type[Op], backend: ModuleType, attrs: dict[str, Any], wanted: list[Any], *arrays: Any) -> Any:
    """Run somebody's own op; TapeError unless what it returns is like what it returned when it was recorded."""
    result, _ = own_result(op, op.forward(backend, *arrays, **attrs), arrays, backend)
    found = [(array.dtype, tuple(array.shape)) for array in (result if type(result) is tuple else (result,))]
    if found != wanted:
        raise TapeError(
            f"replay: {op.name} returned {found} and not {wanted} as when the step was recorded; the shapes of a "
            "recorded step must not depend on its data"
        )
    return result
