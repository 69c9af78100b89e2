"""Replaying a step: its instructions run in order on other data, in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from tinygrad_rnn import backends
from tinygrad_rnn.engine.applying import own_result
from tinygrad_rnn.engine.creation import drawing, of_backend
from tinygrad_rnn.engine.graph import Op, attaching, next_serial
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.engine.recorder import Range
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import (
    DeviceError,
    DTypeError,
    GraphError,
    InputError,
    ShapeError,
    TapeError,
    TinygradError,
)
from tinygrad_rnn.tape.records import (
    ASSIGN,
    CHECK,
    DETACH,
    FORGET_GRAD,
    MAKE,
    SET_GRAD,
    Contents,
    Instruction,
    contiguous,
    filled,
    matched,
    name_of,
    paths,
    slots,
)


class Player:
    """Runs what was recorded, as often as asked."""

    def __init__(self, contents: Contents, verify: bool = False) -> None:
        self.contents, self._verify = contents, verify
        self._paths = dict(paths(contents.arguments, "inputs"))
        self._backends = {device: backends.get(device) for device in {device for _, _, device in contents.kinds}}
        self._constants: list[Any] = [None] * len(contents.kinds)
        for number, value in contents.constants.items():
            dtype, _, _ = contents.kinds[number]
            self._constants[number] = self._backend(number).fill((), value, dtype)
        #: Results, and gradients that are left: tensors of them there will be.
        self._left = {*slots(contents.result), *(reads[1] for op, reads, *_ in contents.instructions if op == SET_GRAD)}
        self._overwritten = {
            contents.shared.get(reads[0], reads[0]) for op, reads, *_ in contents.instructions if op == ASSIGN
        }
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
        with drawing, attaching:  # no other thread draws random numbers or adds to gradients meanwhile
            tensors = contents.state | given
            tensors |= self._gradients(tensors)
            self._check(tensors, given)
            values = self._constants.copy()
            for number, x in tensors.items():
                node, index = x.edge
                values[number] = node.outputs[index]
            for number in given:
                if number not in contents.strided and not contiguous(values[number]):
                    if number in self._overwritten:
                        raise TapeError(
                            "replay: an input that the step overwrites lies in another order in memory than when it "
                            "was recorded; pass x.copy()"
                        )
                    values[number] = self._backend(number).copy(values[number])
            return self._run(_Run(values, tensors, contents.shared, self._backend))

    def _run(self, run: _Run) -> Any:
        values, position = run.values, 0
        try:
            for position, (function, reads, makes, over) in enumerate(self._program):  # noqa: B007  (for the error)
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
        except TinygradError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            op, reads, _, _, _ = self.contents.instructions[position]
            what = f"{name_of(op)} of {', '.join(f'%{n}' for n in reads)}"
            raise TapeError(f"replay: {what} failed ({type(error).__name__}: {error}); is the tape damaged?") from error
        for number, owner in self.contents.shared.items():
            if number in self._left:
                run.tensor(number).edge[0].storage = run.tensor(owner).edge[0].shared_storage()
        return filled(self.contents.result, run.tensor)

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
        overwritten = {tensors[number].edge[0].storage for number in self._overwritten & tensors.keys()} - {None}
        for number, x in given.items():
            if number not in self._overwritten and x.edge[0].storage in overwritten:
                raise TapeError(f"replay: {self._paths[number]} lies in memory that the step overwrites; pass x.copy()")
        if len({x.edge for x in given.values()}) < len(given):
            raise TapeError("replay: one tensor comes twice among the inputs; pass x.copy() for one of them")
        for number, x in tensors.items():
            node, index = x.edge
            array, (dtype, shape, device) = node.outputs[index], kinds[number]
            if array.shape != shape or array.dtype != dtype or node.backend.device != device:
                what = self.contents.name_of(number)
                if number in given:
                    what = self._paths[number] + (f" ({what})" if number in self.contents.names else "")
                error: type[Exception] = ShapeError if array.shape != shape else DTypeError
                raise (error if node.backend.device == device else DeviceError)(
                    f"replay: {what} is {array.dtype} of shape {tuple(array.shape)} on {node.backend.device}, but was "
                    f"{dtype} of shape {shape} on {device} when the step was recorded; a tape is for one shape, dtype "
                    "and device: record the step once more, on this"
                )
            if number in given:
                self._check_input(number, x)
        for setting in self.contents.settings:
            different = setting.differs()
            if different:
                raise TapeError(f"replay: {different}; record the step once more")

    def _check_input(self, number: int, x: Tensor) -> None:
        """Raise TapeError unless an input can stand in the place of the recorded one."""
        path = self._paths[number]
        if x.requires_grad is not (number in self.contents.learns):
            was, now = ("did", "does not") if number in self.contents.learns else ("did not", "does")
            raise TapeError(
                f"replay: {path} {was} require grad when the step was recorded, and {now} now; record it so"
            )
        if not x.is_leaf and x.requires_grad:
            raise TapeError(
                f"replay: {path} is the result of {x.edge[0].describe()} and requires grad; a replay could not go back "
                "through what made it. Pass x.detach()"
            )
        if number in self.contents.strided and contiguous(x.edge[0].outputs[x.edge[1]]):
            raise TapeError(
                f"replay: the elements of {path} lie in another order in memory than when the step was recorded; "
                "record it with x.copy()"
            )

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
        if op.own or self._verify:
            wanted = [self.contents.kinds[number][:2] for number in makes]
            return partial(_verified, op, backend, dict(attrs), wanted)
        return partial(op.forward, backend, **attrs)

    def _last_uses(self) -> list[tuple[int, ...]]:
        """Return for every instruction the values that it made or reads and that nobody reads after it."""
        contents = self.contents
        made = {number for _, _, makes, _, _ in contents.instructions for number in makes}
        waiting = made - {*slots(contents.result), *contents.shared, *contents.shared.values()}
        found = []
        for _, reads, makes, _, _ in reversed(contents.instructions):
            last = waiting.intersection((*reads, *makes))
            waiting -= last
            found.append(tuple(last))
        return found[::-1]


class _Run:
    """One replay: the arrays of its values, and the tensors that hold some of them."""

    def __init__(
        self,
        values: list[Any],
        given: dict[int, Tensor],
        shared: dict[int, int],
        backend: Callable[[int], ModuleType],
    ) -> None:
        self.values, self.given, self.shared, self.backend = values, given, shared, backend
        self._tensors = dict(given)

    def tensor(self, number: int) -> Tensor:
        """Return the tensor that holds a value, one for each."""
        found = self._tensors.get(number)
        if found is None:
            found = self._tensors[number] = of_backend(self.values[number], self.backend(number))
        return found


def _assign(run: _Run, target: int, source: int) -> None:
    try:
        run.backend(target).write(run.values[target], run.values[source])
    except ValueError as error:
        raise GraphError(
            f"replay: the step overwrites a tensor whose memory cannot be written, because broadcast_to repeats it or "
            f"it belongs to a read-only array ({error}); hand over a copy: x.copy()"
        ) from error
    owner = run.given.get(run.shared.get(target, target))
    if owner is not None:  # others may have read it, and their backward pass must notice
        owner.edge[0].shared_storage().written = next_serial()


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
        return partial(backend.fill, *(attrs["arguments"][name] for name in ("shape", "value", "dtype")))
    return partial(backend.copy, attrs["array"])  # which the step may overwrite


def _verified(op: type[Op], backend: ModuleType, attrs: dict[str, Any], wanted: list[Any], *arrays: Any) -> Any:
    """Run an op; TapeError unless what it returns is like what it returned when it was recorded."""
    result = op.forward(backend, *arrays, **attrs)
    if op.own:
        result, _ = own_result(op, result, arrays, backend)
    found = [(array.dtype, tuple(array.shape)) for array in (result if type(result) is tuple else (result,))]
    if found != wanted:
        raise TapeError(
            f"replay: {op.name} returned {_kinds(found)} and not {_kinds(wanted)} as when the step was recorded; the "
            "shapes of a recorded step must not depend on its data"
        )
    return result


def _kinds(found: list[Any]) -> str:
    return ", ".join(f"{dtype} {shape}" for dtype, shape in found)
