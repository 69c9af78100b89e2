"""The LSTM with one part missing or changed: the variants of Greff et al. 2015, "LSTM: A Search Space Odyssey".

They start from the LSTM with peepholes (`PeepholeLSTMCell`, their "vanilla" V). The variant without peepholes, NP, is
`LSTMCell`. Their letters z and y are g and h here. Shapes everywhere: x (B, I) or (I,), states (B, H) or (H,).
"""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.engine.creation import concat
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.cells.peephole import PeepholeCell
from tinygrad_rnn.nn.module import Parameter

__all__ = ["CIFGCell", "CoupledLSTMCell", "FGRCell", "NFGCell", "NIAFCell", "NIGCell", "NOAFCell", "NOGCell"]


class NIGCell(PeepholeCell):
    """One step of the LSTM with no input gate (Greff et al. 2015, NIG: i = 1).

    f = sigmoid(W_if x + b_if + W_hf h + b_hf + p_f * c)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + g
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + p_o * c')
    h' = o * tanh(c')

    The rows of the weights are in the order f, g, o. PyTorch has no such cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Recurrent("nig", 3, 5)(tg.zeros(7, 2, 3))[0].shape
    (7, 2, 5)
    """

    gate_names = ("f", "g", "o")
    peepholes = ("f", "o")

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        net_f, net_g, net_o = (projected + h @ prepared).chunk(3, axis=-1)
        with scope("forget_gate"):
            f = (net_f + self.peephole_f * c).sigmoid().named("f")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        c = (f * c + g).named("c")
        with scope("output_gate"):
            o = (net_o + self.peephole_o * c).sigmoid().named("o")
        h = (o * c.tanh()).named("h")
        return h, c


class NFGCell(PeepholeCell):
    """One step of the LSTM with no forget gate (Greff et al. 2015, NFG: f = 1): what is in c stays.

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + p_i * c)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = c + i * g
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + p_o * c')
    h' = o * tanh(c')

    The rows of the weights are in the order i, g, o. PyTorch has no such cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Recurrent("nfg", 3, 5)(tg.zeros(7, 2, 3))[0].shape
    (7, 2, 5)
    """

    gate_names = ("i", "g", "o")
    keeping = None
    peepholes = ("i", "o")

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        net_i, net_g, net_o = (projected + h @ prepared).chunk(3, axis=-1)
        with scope("input_gate"):
            i = (net_i + self.peephole_i * c).sigmoid().named("i")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        c = (c + i * g).named("c")
        with scope("output_gate"):
            o = (net_o + self.peephole_o * c).sigmoid().named("o")
        h = (o * c.tanh()).named("h")
        return h, c


class NOGCell(PeepholeCell):
    """One step of the LSTM with no output gate (Greff et al. 2015, NOG: o = 1).

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + p_i * c)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf + p_f * c)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    h' = tanh(c')

    The rows of the weights are in the order i, f, g. PyTorch has no such cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Recurrent("nog", 3, 5)(tg.zeros(7, 2, 3))[0].shape
    (7, 2, 5)
    """

    gate_names = ("i", "f", "g")
    peepholes = ("i", "f")

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        net_i, net_f, net_g = (projected + h @ prepared).chunk(3, axis=-1)
        with scope("input_gate"):
            i = (net_i + self.peephole_i * c).sigmoid().named("i")
        with scope("forget_gate"):
            f = (net_f + self.peephole_f * c).sigmoid().named("f")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        c = (f * c + i * g).named("c")
        h = c.tanh().named("h")
        return h, c


class NIAFCell(PeepholeCell):
    """One step of the LSTM with no input activation function (Greff et al. 2015, NIAF: g is linear).

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + p_i * c)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf + p_f * c)
    g = W_ig x + b_ig + W_hg h + b_hg
    c' = f * c + i * g
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + p_o * c')
    h' = o * tanh(c')

    The rows of the weights are in the order i, f, g, o. PyTorch has no such cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Recurrent("niaf", 3, 5)(tg.zeros(7, 2, 3))[0].shape
    (7, 2, 5)
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
            g = net_g.named("g")
        c = (f * c + i * g).named("c")
        with scope("output_gate"):
            o = (net_o + self.peephole_o * c).sigmoid().named("o")
        h = (o * c.tanh()).named("h")
        return h, c


class NOAFCell(PeepholeCell):
    """One step of the LSTM with no output activation function (Greff et al. 2015, NOAF): h is not bounded.

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + p_i * c)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf + p_f * c)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + p_o * c')
    h' = o * c'

    The rows of the weights are in the order i, f, g, o. PyTorch has no such cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Recurrent("noaf", 3, 5)(tg.zeros(7, 2, 3))[0].shape
    (7, 2, 5)
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
        h = (o * c).named("h")
        return h, c


class CIFGCell(PeepholeCell):
    """One step of the LSTM with coupled input and forget gate (Greff et al. 2015, CIFG: f = 1 - i).

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + p_i * c)
    f = 1 - i
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + p_o * c')
    h' = o * tanh(c')

    The rows of the weights are in the order i, g, o; f has none. PyTorch has no such cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Recurrent("cifg", 3, 5)(tg.zeros(7, 2, 3))[0].shape
    (7, 2, 5)
    """

    gate_names = ("i", "g", "o", "f")
    gates = 3  # f comes last and has no rows of its own
    keeping = ("i", "input gate", -1)
    peepholes = ("i", "o")

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        net_i, net_g, net_o = (projected + h @ prepared).chunk(3, axis=-1)
        with scope("input_gate"):
            i = (net_i + self.peephole_i * c).sigmoid().named("i")
        with scope("forget_gate"):
            f = (1 - i).named("f")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        c = (f * c + i * g).named("c")
        with scope("output_gate"):
            o = (net_o + self.peephole_o * c).sigmoid().named("o")
        h = (o * c.tanh()).named("h")
        return h, c


class CoupledLSTMCell(Cell):
    """One step of the LSTM with coupled input and forget gate and no peepholes (f = 1 - i).

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)
    f = 1 - i
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)
    c' = f * c + i * g
    h' = o * tanh(c')

    `CIFGCell`, the variant of Greff et al. 2015, has peepholes as well. The rows of the weights are in the order i, g,
    o; f has none. PyTorch has no such cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Recurrent("coupled", 3, 5)(tg.zeros(7, 2, 3))[0].shape
    (7, 2, 5)
    """

    state_names = ("h", "c")
    gate_names = ("i", "g", "o", "f")
    gates = 3  # f comes last and has no rows of its own
    keeping = ("i", "input gate", -1)

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        net_i, net_g, net_o = (projected + h @ prepared).chunk(3, axis=-1)
        with scope("input_gate"):
            i = net_i.sigmoid().named("i")
        with scope("forget_gate"):
            f = (1 - i).named("f")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        with scope("output_gate"):
            o = net_o.sigmoid().named("o")
        c = (f * c + i * g).named("c")
        h = (o * c.tanh()).named("h")
        return h, c


class FGRCell(PeepholeCell):
    """One step of the LSTM with full gate recurrence (Greff et al. 2015, FGR): gates see all gates of the last step.

    r = (i, f, o) of the last step, 0 at first
    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + p_i * c + R_i r)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf + p_f * c + R_f r)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + p_o * c' + R_o r)
    h' = o * tanh(c')
    r' = (i, f, o)

    The state is (h, c, r), r being (B, 3*H). The rows of weight_ih and weight_hh are in the order i, f, g, o; weight_rr
    (3*H, 3*H) is R, the nine matrices of the paper, rows and columns in the order i, f, o. PyTorch has no such cell.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> output, (h_n, c_n, r_n) = nn.Recurrent("fgr", 3, 5)(tg.zeros(7, 2, 3))
    >>> output.shape, r_n.shape
    ((7, 2, 5), (1, 2, 15))
    """

    state_names = ("h", "c", "r")
    gate_names = ("i", "f", "g", "o")

    weight_rr: Parameter

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes of weights, biases and peepholes, and of the weights between the gates."""
        return super().shapes(input_size, hidden_size, bias) | {"weight_rr": (3 * hidden_size, 3 * hidden_size)}

    def state_shapes(self, batch: tuple[int, ...] = ()) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of h, c and the gates."""
        return (*batch, self.hidden_size), (*batch, self.hidden_size), (*batch, 3 * self.hidden_size)

    def prepare(self) -> tuple[Tensor, Tensor]:
        """Return W_hh.T (H, 4*H) and W_rr.T (3*H, 3*H)."""
        return self.weight_hh.T, self.weight_rr.T

    def step(
        self, projected: Tensor, state: tuple[Tensor, Tensor, Tensor], prepared: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (h', c', r')."""
        h, c, r = state
        from_h, from_gates = prepared
        net_i, net_f, net_g, net_o = (projected + h @ from_h).chunk(4, axis=-1)
        seen_i, seen_f, seen_o = (r @ from_gates).chunk(3, axis=-1)
        with scope("input_gate"):
            i = (net_i + self.peephole_i * c + seen_i).sigmoid().named("i")
        with scope("forget_gate"):
            f = (net_f + self.peephole_f * c + seen_f).sigmoid().named("f")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        c = (f * c + i * g).named("c")
        with scope("output_gate"):
            o = (net_o + self.peephole_o * c + seen_o).sigmoid().named("o")
        h = (o * c.tanh()).named("h")
        r = concat([i, f, o], axis=-1).named("r")
        return h, c, r
