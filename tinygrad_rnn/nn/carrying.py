"""What is done to the states of a cell between two steps, whatever cell it is: sequences of several lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.engine import indexing
from tinygrad_rnn.engine.creation import arange
from tinygrad_rnn.engine.modes import modes, naming, scope
from tinygrad_rnn.engine.recorder import Range
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.nn.cells import Cell, State
from tinygrad_rnn.nn.sequence import Carry

__all__ = ["Padding", "Rule", "carried"]

#: From the step's number, the name of a state, and what it was before and after the step: what it is to be.
Rule = Callable[[int, str, Tensor, Tensor], Tensor]


def carried(cell: Cell, rules: Sequence[Rule]) -> Carry | None:
    """Return what applies some rules, one after the other, to every state of a cell; None if there are none.

    The states keep their names and roles: "h" is what the rules let through, and the next step gets. What the cell made
    is called "h_new"; an LSTM's h_new still comes of its c_new, so that c itself serves the next step alone.
    """
    if not rules:
        return None

    def carry(t: int, old: State, new: State) -> State:
        befores, afters = (state if isinstance(state, tuple) else (state,) for state in (old, new))
        with naming(cell.roles):
            found = tuple(map(settled, (t,) * len(afters), cell.state_names, befores, afters))
        return found if isinstance(new, tuple) else found[0]

    def settled(t: int, name: str, before: Tensor, after: Tensor) -> Tensor:
        value = after
        for rule in rules:
            value = rule(t, name, before, value)
        if value is after:
            return after
        if after is not before:
            after.named(f"{name}_new")
        return value.named(name)

    return carry


class Padding:
    """Which steps of a batch belong to its sequences, and which only fill them up to the longest one.

    Args:
        lengths: (B,) whole numbers from 0 to T: a list, an array, or an int64 tensor.
        x: the input, (T, B, ...).
        what: who asks, for the errors.

    Raises:
        InputError, DTypeError: the lengths are no whole numbers.
        ShapeError: there is not one for every example.
        IndexRangeError: one is not within 0 and T. On a device nobody looks: there more than T count as T, and less
            than 0 as 0.
    """

    def __init__(self, lengths: Any, x: Tensor, what: str) -> None:
        steps, batch = x.shape[:2]
        if not isinstance(lengths, Tensor):
            if isinstance(lengths, np.ndarray):
                for recorder in modes.recorders:
                    recorder.outside("lengths that are no tensor")
            try:
                lengths = np.asarray(lengths)
            except ValueError:
                raise InputError(f"{what}: lengths must be {batch} whole numbers, not {lengths!r}") from None
        if np.dtype(lengths.dtype).kind not in "iu" and lengths.size:
            raise DTypeError(f"{what}: lengths must be whole numbers, not {lengths.dtype}")
        if lengths.shape != (batch,):
            raise ShapeError(
                f"{what}: lengths must be one number for each of the {batch} examples, shape ({batch},), not "
                f"{lengths.shape}"
            )
        message = f"{what}: length {{}} is not within 0 and {steps}, the steps of the input"
        given = lengths if isinstance(lengths, Tensor) else lengths.tolist()
        counts = indexing.positions(x, given, 0, Range(0, steps + 1, None, message))
        #: Whether a step is there, (T, B, 1) bool.
        self.there = arange(steps, device=x.device).reshape(steps, 1, 1) < counts.reshape(1, batch, 1)
        self._by_step = self.there.unbind()

    def rule(self, t: int, name: str, before: Tensor, after: Tensor) -> Tensor:
        """Return the state as it was where the step is only padding."""
        there = self._by_step[t]
        if after.ndim != there.ndim:
            there = there.reshape(-1, *(1,) * (after.ndim - 1))
        return after.where(there, before)

    def emptied(self, sequence: Tensor) -> Tensor:
        """Return a sequence (T, B, N) with zeros where there is only padding."""
        return sequence.where(self.there, 0.0)

    def emptied_by_step(self, steps: Sequence[Tensor] | Tensor) -> list[Tensor]:
        """Return the T steps of a sequence, (B, N) each, with zeros where there is only padding."""
        found = []
        for t, there in enumerate(self._by_step):
            with scope("t", t):
                found.append(steps[t].where(there, 0.0))
        return found
