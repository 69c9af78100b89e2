"""What is done to the states of any cell between two steps: zoneout, and sequences of several lengths."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.engine import indexing
from tinygrad_rnn.engine.creation import arange, rand
from tinygrad_rnn.engine.modes import modes, naming
from tinygrad_rnn.engine.recorder import Range
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.nn.cells import Cell, State
from tinygrad_rnn.nn.sequence import Carry, each_step

__all__ = ["Padding", "Rule", "carried", "counted", "zoneout"]

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
        befores, afters = ((state,) if isinstance(state, Tensor) else tuple(state) for state in (old, new))
        with naming(cell.roles):
            found = tuple(map(settled, (t,) * len(afters), cell.state_names, befores, afters))
        return found[0] if isinstance(new, Tensor) else found

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


def zoneout(cell: Cell, shares: Mapping[str, float], steps: int, batch: tuple[int, ...]) -> Rule:
    """Return the rule that some elements of a state stay as they were (Krueger et al. 2016, equations 4 and 5).

    h' = d * h + (1 - d) * h_new. In training d is 1 with the share of the state's name as probability, drawn for every
    step, example and element; in evaluation d is that share itself, the expectation.
    """
    shapes = dict(zip(cell.state_names, cell.state_shapes(batch), strict=True))
    dtype, device = cell.first_parameter.dtype, cell.first_parameter.device
    stays: dict[str, Sequence[Tensor]] = {}
    if cell.training:  # the numbers of all steps at once
        stays = {
            name: (rand(steps, *shapes[name], dtype=dtype, device=device) < share).unbind()
            for name, share in shares.items()
        }

    def rule(t: int, name: str, before: Tensor, after: Tensor) -> Tensor:
        if name not in shares:
            return after
        if name in stays:
            return before.where(stays[name][t], after)
        return shares[name] * before + (1 - shares[name]) * after

    return rule


def counted(what: str, lengths: Any) -> Tensor | np.ndarray:
    """Return the lengths of examples, a list, an array or a tensor, as an array or a tensor of whole numbers.

    Raises:
        InputError: they form no array of numbers, or are numbers that no tensor can hold.
        DTypeError: they are numbers, but no whole ones.

    >>> from tinygrad_rnn.nn.carrying import counted
    >>> counted("GRU", [3, 2**70])
    Traceback (most recent call last):
    tinygrad_rnn.errors.InputError: GRU: lengths must be whole numbers that int64 can hold, in a list, an array or a \
tensor, not [3, 1180591620717411303424]
    """
    if isinstance(lengths, Tensor):
        found: Tensor | np.ndarray = lengths
    else:
        written = isinstance(lengths, list | tuple | range) and all(type(length) is int for length in lengths)
        for recorder in () if written else modes.recorders:
            recorder.outside("lengths that are no tensor")
        try:
            found = np.asarray(lengths, np.int64 if written else None)
        except (ValueError, OverflowError):
            found = np.asarray(None)
        if found.dtype == object or (found.dtype == np.uint64 and found.size and found.max() >= 2**63):
            raise InputError(
                f"{what}: lengths must be whole numbers that int64 can hold, in a list, an array or a tensor, not "
                f"{reprlib.repr(lengths)}"
            )
    if np.dtype(found.dtype).kind not in "iu" and found.size:
        raise DTypeError(f"{what}: lengths must be whole numbers, not {found.dtype}")
    return found


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
        lengths = counted(what, lengths)
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

    def emptied(self, sequence: Any, by_step: bool) -> Any:
        """Return a sequence (T, B, N), or its steps (B, N), with zeros where there is only padding."""
        if by_step:
            return each_step(sequence, lambda t, step: step.where(self._by_step[t], 0.0))
        return sequence.where(self.there, 0.0)
