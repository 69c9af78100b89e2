"""Long short-term memory."""

from __future__ import annotations

from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell

__all__ = ["LSTMCell"]


class LSTMCell(Cell):
    """One step of the LSTM with forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)
    c' = f * c + i * g
    h' = o * tanh(c')

    Shapes: x (B, I) or (I,), state (h, c), each (B, H) or (H,). The rows of the weights are the gates in the order
    i, f, g, o. The same as PyTorch's; see `Cell` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> h, c = nn.LSTMCell(3, 5)(tg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    state_names = ("h", "c")
    gate_names = ("i", "f", "g", "o")
    keeping = ("f", "forget gate", 1)

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
        h = (o * c.tanh()).named("h")
        return h, c
