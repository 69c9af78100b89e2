"""A gated memory whose gates see the input alone."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import concat
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.cells.base import Cell

__all__ = ["SQUASHED", "GatesFromInputCell"]

#: What the new state goes through: nothing, or tanh.
SQUASHED = ("identity", "tanh")


class GatesFromInputCell(Cell):
    """One step of the simplified LSTM of some introductions: gates that see x only, and x itself is stored.

    f = sigmoid(W_f x + b_f)
    i = sigmoid(W_i x + b_i)
    s' = f * s + i * x,            with nonlinearity="tanh"   s' = tanh(f * s + i * x)

    Shapes: x (B, I) or (I,), s (B, H) or (H,), and I = H, since x is added to s. The rows of weight_ih (2*H, I) and
    bias_ih (2*H,) are in the order f, i. Unlike an LSTM it has no recurrent weights, no candidate and no output gate
    (such texts define one and do not use it). ds'/ds is diag(f) exactly, with tanh diag(f * (1 - s'^2)). PyTorch has no
    such cell. See `Cell` for the arguments.

    Raises:
        InputError: input_size is not hidden_size, or nonlinearity is another word.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.GatesFromInputCell(3, 3)(tg.zeros(2, 3)).shape
    (2, 3)
    """

    state_names = ("s",)
    gate_names = ("f", "i")
    keeping = ("f", "forget gate", 1)

    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = "float32",
        device: str = "cpu",
        *,
        nonlinearity: str = "identity",
    ) -> None:
        arguments.one_of("GatesFromInputCell: nonlinearity", nonlinearity, SQUASHED)
        super().__init__(input_size, hidden_size, bias, dtype, device, nonlinearity=nonlinearity)

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what the input meets.

        Raises:
            InputError: input_size is not hidden_size.
        """
        if input_size != hidden_size:
            raise InputError(
                f"{cls.__name__}: input_size must equal hidden_size, because x itself is added to the state, but they "
                f"are {input_size} and {hidden_size}; choose hidden_size={input_size}, or put nn.Linear before it"
            )
        found: dict[str, tuple[int, ...]] = {"weight_ih": (2 * hidden_size, input_size)}
        return found | {"bias_ih": (2 * hidden_size,)} if bias else found

    def project(self, x: Tensor) -> Tensor:
        """Return the gates' share and x itself, (..., 3*H)."""
        return concat([super().project(x), x], axis=-1)

    def prepare(self) -> None:
        """Return nothing: the recurrence has no weight."""

    def step(self, projected: Tensor, state: Tensor, prepared: None) -> Tensor:
        """Return s' (..., H)."""
        s = state
        net_f, net_i, x = projected.chunk(3, axis=-1)
        with scope("forget_gate"):
            f = net_f.sigmoid().named("f")
        with scope("input_gate"):
            i = net_i.sigmoid().named("i")
        s = f * s + i * x
        return (s.tanh() if self.nonlinearity == "tanh" else s).named("s")
