"""A cell run along a sequence: every step on its own, or faster to the same result.

Every node made in step t lies in the scope ("t", t). What has to be done to the state between two steps is a `Carry`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_rnn.engine.modes import naming, scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, ShapeError
from tinygrad_rnn.nn.cells import Cell, State
from tinygrad_rnn.nn.layers import check_tensor

__all__ = ["Carry", "each_step", "output_of", "scan", "unroll"]

#: From the step's number, the state before the step and the one that the cell makes of it: the state that counts.
Carry = Callable[[int, State, State], State]


def unroll(
    cell: Cell,
    x: Tensor | Sequence[Tensor],
    state: State | None = None,
    reverse: bool = False,
    carry: Carry | None = None,
) -> tuple[list[Tensor], State]:
    """Run a cell along a sequence, every step on its own: the graph that drawings and gradient flow look at.

    Args:
        cell: any cell.
        x: (T, B, I) or (T, I), or a sequence of T steps, such as the outputs of the layer below.
        state: what the cell starts from; zeros unless given.
        reverse: start at the last position. The scope t stays the position in the sequence.
        carry: what becomes of the state between two steps; `carried` makes one.

    Returns:
        The outputs h_t by position, a list of T tensors, and the state after the last step taken.

    Raises:
        InputError: the cell is none, or x is no tensor and no sequence.
        ShapeError: there are no steps, or one does not fit the cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> outputs, (h, c) = nn.unroll(nn.LSTMCell(3, 5), tg.zeros(7, 2, 3))
    >>> len(outputs), h.shape, bool((outputs[-1] == h).sum() == h.size)
    (7, (2, 5), True)
    """
    if not isinstance(cell, Cell):
        what = f"a {type(cell).__name__}" if not isinstance(cell, type) else f"the class {cell.__name__}"
        raise InputError(f"unroll: a cell is due, such as nn.GRUCell(...), not {what}; layers have their own unroll(x)")
    if not isinstance(x, Tensor | Sequence) or isinstance(x, str):
        raise InputError(f"unroll: x must be a tensor or a sequence of them, not a {type(x).__name__}")
    if (isinstance(x, Tensor) and not x.ndim) or not len(x):
        given = f"x of shape {x.shape}" if isinstance(x, Tensor) else x
        raise ShapeError(f"unroll: the sequence has no steps ({given})")
    for t, step in enumerate(() if isinstance(x, Tensor) else x):
        check_tensor(f"unroll: step {t}", step)
    if state is None:
        state = cell.initial_state(x[0].shape[:-1])
    return _along(x, state, reverse, carry, cell)


def scan(
    cell: Cell, x: Tensor, state: State, reverse: bool = False, carry: Carry | None = None
) -> tuple[list[Tensor], State]:
    """Run a cell along a sequence, faster than `unroll` and to the same result.

    What does not depend on the state is computed before the loop: the projection of all inputs in one product, and what
    the cell prepares, contiguous: W_hh.T then multiplies faster than the transposed view.
    """
    prepared = _contiguous(cell.prepare())
    with naming(cell.roles):
        return _along(cell.project(x).unbind(), state, reverse, carry, cell.advance, prepared)


def _along(
    x: Tensor | Sequence[Tensor],
    state: State,
    reverse: bool,
    carry: Carry | None,
    step: Callable[..., State],
    *prepared: Any,
) -> tuple[list[Tensor], State]:
    """Take a step at every position of a sequence; return the outputs by position, and the last state."""
    outputs: dict[int, Tensor] = {}
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        with scope("t", t):
            new = step(x[t], state, *prepared)
            state = new if carry is None else carry(t, state, new)
            outputs[t] = output_of(state)
    return [outputs[t] for t in range(len(x))], state


def each_step(steps: Sequence[Tensor] | Tensor, function: Callable[[int, Tensor], Tensor]) -> list[Tensor]:
    """Return what a function makes of the number and the value of every step, each in its own scope."""
    found = []
    for t in range(len(steps)):
        with scope("t", t):
            found.append(function(t, steps[t]))
    return found


def _contiguous(prepared: Any) -> Any:
    if isinstance(prepared, tuple):
        return tuple(map(_contiguous, prepared))
    return prepared.copy() if hasattr(prepared, "copy") else prepared


def output_of(state: State) -> Tensor:
    """Return what a cell shows of its state: h."""
    return state if isinstance(state, Tensor) else state[0]
