"""Changes to a cell by which its gradient may vanish less: what to try, and measuring tells what helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor
    from tinygrad_rnn.nn.cells.base import Cell

__all__ = ["Remedy", "as_irnn", "gate_shifts", "recurrent_changes", "rows_of"]

#: By how much the bias of a gate is moved: sigmoid(0) is 0.5, sigmoid(5) 0.993.
SHIFTS = (1.0, 2.0, 3.0, 5.0)
#: By what a recurrent weight is multiplied: less where the gradient explodes, more where it vanishes.
GAINS = (0.75, 0.5, 1.25, 1.5, 2.0)
#: The same of the orthogonal matrix in its place.
ORTHOGONAL = (1.0, 1.5)


@dataclass(frozen=True)
class Remedy:
    """One change to a cell that has its weights already.

    Attributes:
        what: what is changed, to stand after "with": "the bias of the forget gate f raised by 2".
        values: the parameters that change, by the names they have in the cell, with what they become.
        options: the options of the cell that change, with what they become.
    """

    what: str
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


def rows_of(cell: Cell, gate: str) -> slice:
    """Return the rows of a cell's weights that belong to a gate."""
    block = cell.gate_names.index(gate)
    return slice(block * cell.hidden_size, (block + 1) * cell.hidden_size)


def gate_shifts(cell: Cell, gate: str, name: str, sign: int) -> Iterator[Remedy]:
    """Yield the biases of a gate moved so that more of the state stays; nothing without biases.

    Args:
        name: what the gate is called, "forget gate".
        sign: 1 if a larger bias keeps more, -1 if a smaller one does.
    """
    for by in SHIFTS if cell.bias_ih is not None else ():
        bias = _array(cell.bias_ih)
        bias[rows_of(cell, gate)] += sign * by
        moved = "raised" if sign > 0 else "lowered"
        yield Remedy(f"the bias of the {name} {gate} {moved} by {by:g}", {"bias_ih": bias})


def recurrent_changes(cell: Cell) -> Iterator[Remedy]:
    """Yield other recurrent weights of a cell that multiplies its state by W_hh: larger or smaller, or orthogonal.

    Of all orthogonal matrices the nearest is taken: U V.T, where W_hh = U S V.T.
    """
    weight = _array(cell.weight_hh)
    for gain in GAINS:
        yield Remedy(f"W_hh times {gain:g}", {"weight_hh": gain * weight})
    if np.isfinite(weight).all():
        left, _, right = np.linalg.svd(weight)
        for gain in ORTHOGONAL:
            times = f", times {gain:g}" if gain != 1 else ""
            yield Remedy(f"W_hh made orthogonal{times}", {"weight_hh": gain * left @ right})


def as_irnn(cell: Cell, nonlinearity: str) -> Iterator[Remedy]:
    """Yield a ReLU network that begins by copying its state (IRNN, Le et al. 2015), unless the cell has ReLUs."""
    if nonlinearity == "relu":
        return
    values: dict[str, np.ndarray] = {"weight_hh": np.eye(cell.hidden_size)}
    values |= {name: np.zeros(cell.hidden_size) for name in ("bias_ih", "bias_hh") if getattr(cell, name) is not None}
    yield Remedy("relu, W_hh the identity and biases 0 (IRNN)", values, {"nonlinearity": "relu"})


def _array(value: Tensor | None) -> np.ndarray:
    """Return a copy of a parameter, wherever it is."""
    return np.array(None if value is None else value.detach().to("cpu").numpy())
