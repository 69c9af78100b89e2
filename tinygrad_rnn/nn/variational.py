"""Variational dropout: what is dropped stays dropped for a whole sequence, from the input and from the state."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import ones
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.cells import Cell

__all__ = ["DroppedWeights", "dropout_factors", "dropping_state"]


def dropout_factors(x: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """Return what drops elements when multiplied with: 0 with probability p, 1 / (1 - p) otherwise."""
    return F.dropout(ones(shape, dtype=x.dtype, device=x.device), p)


class DroppedWeights:
    """Recurrent weights (N, M) that meet a state (B, N) with some of its elements dropped.

    `state @ dropped` is (state * factors) @ weights. What a cell does with the state elsewhere, such as the z * h of a
    GRU, meets all of it: dropped there at every step, an element would be forgotten, and another grow without end.
    """

    def __init__(self, weights: Tensor, factors: Tensor) -> None:
        self._weights, self._factors = weights, factors

    def __rmatmul__(self, state: Tensor) -> Tensor:
        return (state * self._factors) @ self._weights

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"with variational dropout a step can do nothing with its prepared weights but `state @ weights`, and asks "
            f"for their {name!r}; let `prepare` return them as the step uses them"
        )

    def copy(self) -> DroppedWeights:
        """Return the same with contiguous weights."""
        return DroppedWeights(self._weights.copy(), self._factors)


def dropping_state(cell: Cell, p: float, batch: tuple[int, ...]) -> Cell:
    """Return a cell whose recurrent weights meet the state with some of its elements dropped, the same at every step.

    Every matrix that the cell prepares has elements of its own dropped of what it meets (Gal & Ghahramani 2016: "untied
    weights", where there are several).

    Raises:
        InputError: the cell prepares something else than matrices.
    """
    prepare = cell.prepare
    factors = _mapped(lambda weights: dropout_factors(weights, (*batch, weights.shape[0]), p), cell, prepare())

    def dropped() -> Any:
        return _mapped(DroppedWeights, cell, prepare(), factors)

    found = cell.sharing({})
    vars(found)["prepare"] = dropped
    return found


def _mapped(function: Any, cell: Cell, prepared: Any, *others: Any) -> Any:
    """Apply a function to every matrix that a cell prepares."""
    if prepared is None:
        return None
    if isinstance(prepared, tuple):
        return tuple(_mapped(function, cell, *parts) for parts in zip(prepared, *others, strict=True))
    if not isinstance(prepared, Tensor) or prepared.ndim != 2:
        raise InputError(
            f"{type(cell).__name__}: variational dropout needs a cell whose `prepare` returns matrices, or a tuple of "
            "them, that the step multiplies with: state @ weights"
        )
    return function(prepared, *others)
