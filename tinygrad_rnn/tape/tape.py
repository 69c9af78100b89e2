"""A recorded step, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_rnn.engine.modes import recording
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError
from tinygrad_rnn.tape.recording import Recording, carried, check_carried
from tinygrad_rnn.tape.records import Contents
from tinygrad_rnn.tape.replaying import Player


class Tape:
    """A recorded step: a list of instructions on numbered values.

    Attributes:
        result: what the step returned when it was recorded.
    """

    def __init__(self, contents: Contents, result: Any = None) -> None:
        self._contents, self.result = contents, result
        self._player: Player | None = None

    def replay(self, *inputs: Any) -> Any:
        if self._player is None:
            self._player = Player(self._contents)
        return self._player.play(inputs)

    @property
    def state(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for number, x in self._contents.state.items():
            name = self._contents.name_of(number)
            found[name if name not in found else f"{name} (%{number})"] = x
        return found

    def __len__(self) -> int:
        return len(self._contents.instructions)


def record(step: Callable[..., Any], *inputs: Any) -> Tape:
    if not callable(step):
        raise DTypeError(f"record: pass the function that is one step, and then its inputs, not {type(step).__name__}")
    recorder = Recording(inputs)
    before = carried(step)
    if hasattr(step, "__self__"):
        recorder.used(step.__self__)
    with recording(recorder):
        result = step(*inputs)
    check_carried(before, carried(step))
    return Tape(recorder.finished(result), result)
