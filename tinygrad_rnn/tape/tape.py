"""A recorded step, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from tinygrad_rnn.engine.graph import Op
from tinygrad_rnn.engine.modes import recording
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, TapeError
from tinygrad_rnn.tape.export import decoded, encoded
from tinygrad_rnn.tape.listing import Line, lines
from tinygrad_rnn.tape.recording import Recording
from tinygrad_rnn.tape.records import Contents
from tinygrad_rnn.tape.replaying import Player


class Tape:
    """A recorded step: a list of instructions on numbered values. `record` and `from_json` make one.

    Attributes:
        result: what the step returned when it was recorded, and always that; None of a tape that was read from JSON.
    """

    def __init__(self, contents: Contents, result: Any = None, verify: bool = False) -> None:
        self._contents, self.result, self._verify = contents, result, verify
        self._player: Player | None = None  # made when it is first needed: a listing needs none

    def replay(self, *inputs: Any) -> Any:
        """Run the step again, on other data, and return what it returns: the numbers of the step itself, bit for bit.

        It reads and changes what the step does: parameters, their `.grad`, the state of optimizers and generators. What
        it returns are tensors without a graph.

        Args:
            inputs: by position, as those of the recording, each tensor of the same shape and dtype, on the same device,
                and requiring grad or not, as it did.

        Raises:
            ShapeError, DTypeError, DeviceError: an input or a tensor of the state is not like the recorded one.
            InputError: the inputs are built otherwise, or a plain number among them differs.
            TapeError: a setting that the step relied on has changed, such as `training` of a module, an option of an
                optimizer, or whether a parameter has a gradient. Nothing was changed then.
            IndexRangeError: class ids or positions are out of range, as in the step itself.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import tape
        >>> t = tape.record(lambda x: x * x, tg.tensor(3.0))
        >>> t.result.item(), t.replay(tg.tensor(5.0)).item()
        (9.0, 25.0)
        """
        if self._player is None:
            self._player = Player(self._contents, self._verify)
        return self._player.play(inputs)

    def listing(self) -> str:
        """Return the instructions as text: number of what is made, scope, op with its operands, shape, name.

        The parts of a training step (zero_grad, forward, backward, clipping, optimizer) have headings. A number of the
        program, which is the same at every replay, is shown as `const 0.5`.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import tape
        >>> print(tape.record(lambda x: (x * 2.0).sum(), tg.ones(3)).listing())
        inputs
          %0  (3,)  x
        numbers of the program, the same at every replay
          2.0
        forward
          %2    mul(%0, const 2.0)                  (3,)
          %3    sum(%2, axes=(0,), keepdims=False)  ()
        result
          %3  ()    result
        """
        return "\n".join(line.text for line in self.lines())

    def lines(self) -> Iterator[Line]:
        """Yield the lines of the listing, each with the part of the step it belongs to."""
        return lines(self._contents)

    def to_json(self) -> str:
        """Return the whole tape as JSON, with the state as it is now; `tape.export` describes the format.

        Raises:
            DTypeError: an op of your own has an attribute that JSON cannot hold.
        """
        return encoded(self._contents)

    @property
    def state(self) -> Mapping[str, Tensor]:
        """The tensors that the step found and did not make, by name: a replay reads them, and may overwrite them."""
        found: dict[str, Tensor] = {}  # a copy: who wants another value calls assign_ on the tensor
        for number, x in self._contents.state.items():
            name = self._contents.name_of(number)
            found[f"{name} (%{number})" if name in found else name] = x
        return MappingProxyType(found)

    def __reduce__(self) -> Any:
        raise TapeError("a tape works on the very tensors of its step; to take it elsewhere write to_json()")

    def __len__(self) -> int:
        return len(self._contents.instructions)

    def __repr__(self) -> str:
        return f"Tape({len(self)} instructions, {len(self._contents.state)} tensors of state)"


def record(step: Callable[..., Any], *inputs: Any) -> Tape:
    """Run a step once, with its effects, and keep all that it does with tensors.

    A step is any function of tensors: also a whole training step with `zero_grad`, `backward`, clipping and an
    optimizer. Tensors that were there before, such as parameters, are read anew at every replay. Everything else that
    the step does must follow from them and from its inputs:

    * A Python number is a constant of the tape, which the listing shows as such. What shall change between replays is a
      tensor, as `optimizer.lr` is. Random numbers of this library are drawn anew, with the step's own generators.
    * Data come in as inputs, and out as results. Reading a value inside, with `item()`, `print` or a boolean mask, is
      an error, and so is making a tensor of a list or an array there.
    * What a loop carries from step to step is an input and a result, or is overwritten with `assign_`. A tensor that
      the step leaves anywhere else is an error.
    * The variables that the step reads from outside, the settings of modules and optimizers, and hooks are compared at
      every replay. What Python alone decides is not noticed, such as `random.random()`, or `next(batches)` inside,
      nor what another thread computes.

    Who wants to be sure compares the results of a few steps with those of as many replays: they are equal to the bit.

    Args:
        step: the function.
        inputs: what it is called with: tensors, also in tuples, lists and dicts; plain numbers and texts are constants.

    Returns:
        The tape; `tape.result` is what the step returned.

    Raises:
        TapeError: the step does something that a replay could not repeat; the message names the line. What the step
            has done up to there, such as an optimizer's step, is done.
        DTypeError: what is given is no function, or an input or the result is neither tensor nor plain value.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim, tape
    >>> w = tg.tensor([2.0], requires_grad=True)
    >>> sgd = optim.SGD([w], lr=0.25)
    >>> def step(x):
    ...     sgd.zero_grad()
    ...     loss = (w * x).sum()
    ...     loss.backward()
    ...     sgd.step()
    ...     return loss
    >>> t = tape.record(step, tg.tensor([1.0]))
    >>> sgd.lr = 0.5
    >>> t.replay(tg.tensor([2.0])).item(), w.item()
    (3.5, 0.75)
    """
    if not callable(step):
        raise DTypeError(f"record: pass the function that is one step, and then its inputs, not {type(step).__name__}")
    recorder = Recording(inputs)
    recorder.watch(step)
    with recording(recorder):
        result = step(*inputs)
    return Tape(recorder.finished(result), result)


def from_json(text: str, *, device: str | None = None, ops: Iterable[type[Op]] = ()) -> Tape:
    """Return the tape in a text that `to_json` wrote. Its state are tensors of its own: see `Tape.state`.

    Args:
        text: JSON.
        device: where to run it, unless where it was recorded.
        ops: the classes of your own ops that it has.

    Raises:
        InputError: the text is no tape, or an op of it is unknown.
        DeviceError: there is no such device here.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import tape
    >>> text = tape.record(lambda x: x + 1.0, tg.zeros(2)).to_json()
    >>> tape.from_json(text).replay(tg.ones(2)).tolist()
    [2.0, 2.0]
    """
    if not isinstance(text, str):
        raise InputError(f"from_json: pass the text that to_json returned, not {type(text).__name__}")
    return Tape(decoded(text, device, ops), verify=True)
