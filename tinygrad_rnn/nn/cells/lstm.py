"""Long short-term memory."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.module import Parameter

__all__ = ["LSTMCell"]


class LSTMCell(Cell):
    """One step of the LSTM with forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)
    c' = f * c + i * g
    h' = o * tanh(c'),    with proj_size=P    h' = W_hr (o * tanh(c'))

    Shapes: x (B, I) or (I,), state (h, c), each (B, H) or (H,). The rows of the weights are the gates in the order
    i, f, g, o. The same as PyTorch's; see `Cell` for the arguments. The other one is

        proj_size: P, what h is projected to (Sak et al. 2014), below H; 0 for none. h is (B, P), weight_hh (4*H, P),
            and weight_hr (P, H) comes last. PyTorch has it in `nn.LSTM` only.

    Raises:
        InputError: proj_size is no whole number from 0 to H - 1.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> h, c = nn.LSTMCell(3, 5)(tg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    >>> h, c = nn.LSTMCell(3, 5, proj_size=2)(tg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 2), (2, 5))
    """

    state_names = ("h", "c")
    gate_names = ("i", "f", "g", "o")
    keeping = ("f", "forget gate", 1)

    proj_size: int = 0
    weight_hr: Parameter

    @classmethod
    def shapes(
        cls, input_size: int, hidden_size: int, bias: bool = True, *, proj_size: int = 0, **options: Any
    ) -> dict[str, tuple[int, ...]]:
        """Return the shapes of weights and biases, and of the projection.

        Raises:
            InputError: proj_size is no whole number from 0 to hidden_size - 1.
        """
        found = super().shapes(input_size, hidden_size, bias)
        if not arguments.whole(f"{cls.__name__}: proj_size", proj_size, least=0):
            return found
        if proj_size >= hidden_size:
            raise InputError(
                f"{cls.__name__}: proj_size must be smaller than hidden_size = {hidden_size}, or 0 for no projection, "
                f"not {proj_size}"
            )
        return found | {"weight_hh": (cls.gates * hidden_size, proj_size), "weight_hr": (proj_size, hidden_size)}

    def state_shapes(self, batch: tuple[int, ...] = ()) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of h and c."""
        return (*batch, self.proj_size or self.hidden_size), (*batch, self.hidden_size)

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        net_i, net_f, net_g, net_o = (projected + h @ prepared).chunk(4, axis=-1)
        with scope("input_gate"):
            i = net_i.sigmoid().named("i")
        with scope("forget_gate"):
            f = net_f.sigmoid().named("f")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        with scope("output_gate"):
            o = net_o.sigmoid().named("o")
        c = (f * c + i * g).named("c")
        h = o * c.tanh()
        if self.proj_size:
            with scope("projection"):
                h = h @ self.weight_hr.T
        return h.named("h"), c
