"""The simple recurrent network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.cells.base import Cell

__all__ = ["RNNCell", "activation"]


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": F.tanh, "relu": F.relu}


class RNNCell(Cell):
    """One step of the simple recurrent network (Elman 1990).

    h' = phi(W_ih x + b_ih + W_hh h + b_hh), with phi = tanh or relu.

    Shapes: x (B, I) or (I,), h (B, H) or (H,). The same as PyTorch's; see `Cell` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.RNNCell(3, 5)(tg.zeros(2, 3)).shape
    (2, 5)
    """

    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        activation(nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype, device, nonlinearity=nonlinearity)

    def step(self, projected: Tensor, state: Tensor, prepared: Tensor) -> Tensor:
        """Return h' (..., H)."""
        h, phi = state, ACTIVATIONS[self.nonlinearity]
        return phi(projected + h @ prepared).named("h")


def activation(nonlinearity: str) -> Callable[[Tensor], Tensor]:
    """Return the activation of an RNN by name; InputError unless it is tanh or relu."""
    if not isinstance(nonlinearity, str) or nonlinearity not in ACTIVATIONS:
        raise InputError(f"nonlinearity {nonlinearity!r} is unknown; use one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[nonlinearity]
