"""LSTMs whose gates see the cell state: through a weight for each cell, or through whole matrices."""

from __future__ import annotations

from typing import Any, ClassVar

from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.module import Parameter

__all__ = ["FullPeepholeLSTMCell", "PeepholeCell", "PeepholeLSTMCell"]


class PeepholeCell(Cell):
    """What LSTMs with peepholes have in common: two states, and a peephole (H,) for each of some gates."""

    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    keeping: tuple[str, str, int] | None = ("f", "forget gate", 1)
    #: The gates that see the cell state.
    peepholes: ClassVar[tuple[str, ...]] = ("i", "f", "o")

    peephole_i: Parameter
    peephole_f: Parameter
    peephole_o: Parameter

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes of weights, biases and peepholes."""
        peepholes = [f"peephole_{gate}" for gate in cls.peepholes]
        return super().shapes(input_size, hidden_size, bias) | dict.fromkeys(peepholes, (hidden_size,))


class PeepholeLSTMCell(PeepholeCell):
    """One step of the LSTM with peepholes (Gers & Schmidhuber 2000; Graves 2013, equations 7 to 11).

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + p_i * c)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf + p_f * c)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + p_o * c')
    h' = o * tanh(c')

    Shapes: x (B, I) or (I,), state (h, c), each (B, H) or (H,). The rows of the weights are the gates in the order
    i, f, g, o; peephole_i, peephole_f and peephole_o are (H,), a weight from each cell to its own gates. PyTorch has no
    such cell; with peepholes of 0 it is its LSTM. Greff et al. 2015 call it the vanilla LSTM, V. See `Cell` for the
    arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> h, c = nn.PeepholeLSTMCell(3, 5)(tg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    gate_names = ("i", "f", "g", "o")

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        net_i, net_f, net_g, net_o = (projected + h @ prepared).chunk(4, axis=-1)
        with scope("input_gate"):
            i = (net_i + self.peephole_i * c).sigmoid().named("i")
        with scope("forget_gate"):
            f = (net_f + self.peephole_f * c).sigmoid().named("f")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        c = (f * c + i * g).named("c")
        with scope("output_gate"):
            o = (net_o + self.peephole_o * c).sigmoid().named("o")
        h = (o * c.tanh()).named("h")
        return h, c


class FullPeepholeLSTMCell(Cell):
    """One step of the LSTM whose gates see all cells, as many introductions write it down.

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + U_i c)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf + U_f c)
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + U_o c)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    h' = o * tanh(c')

    Shapes: x (B, I) or (I,), state (h, c), each (B, H) or (H,). The rows of weight_ih and weight_hh are in the order
    i, f, g, o; those of weight_ch (3*H, H) in the order i, f, o. It differs from the papers (see `PeepholeLSTMCell`) in
    that U is a whole matrix instead of a diagonal, and that the output gate sees c, not c'. PyTorch has no such cell;
    with U = 0 it is its LSTM. See `Cell` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.FullPeepholeLSTMCell(3, 5).weight_ch.shape
    (15, 5)
    """

    state_names = ("h", "c")
    gate_names = ("i", "f", "g", "o")
    keeping = ("f", "forget gate", 1)

    weight_ch: Parameter

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the LSTM's parameters, and of the weights from the cells to the gates."""
        return super().shapes(input_size, hidden_size, bias) | {"weight_ch": (3 * hidden_size, hidden_size)}

    def prepare(self) -> tuple[Tensor, Tensor]:
        """Return W_hh.T (H, 4*H) and W_ch.T (H, 3*H)."""
        return self.weight_hh.T, self.weight_ch.T

    def step(
        self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        from_h, from_c = prepared
        net_i, net_f, net_g, net_o = (projected + h @ from_h).chunk(4, axis=-1)
        seen_i, seen_f, seen_o = (c @ from_c).chunk(3, axis=-1)
        with scope("input_gate"):
            i = (net_i + seen_i).sigmoid().named("i")
        with scope("forget_gate"):
            f = (net_f + seen_f).sigmoid().named("f")
        with scope("output_gate"):
            o = (net_o + seen_o).sigmoid().named("o")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        c = (f * c + i * g).named("c")
        h = (o * c.tanh()).named("h")
        return h, c
