"""Long short-term memory with layer normalisation."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import ones, zeros
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.module import Parameter

__all__ = ["LayerNormLSTMCell"]


class LayerNormLSTMCell(Cell):
    """One step of the LSTM with layer normalisation (Ba, Kiros & Hinton 2016, supplementary material).

    (net_i, net_f, net_g, net_o) = LN(W_ih x) + b_ih + LN(W_hh h) + b_hh
    i, f, g, o = sigmoid(net_i), sigmoid(net_f), tanh(net_g), sigmoid(net_o)
    c' = f * c + i * g
    h' = o * tanh(LN(c') + b_c)

    LN(a) = gain * (a - mean(a)) / sqrt(var(a) + 1e-5), over all 4*H elements of a product at once, or the H of c'. The
    gains, gain_ih, gain_hh (4*H,) and gain_c (H,), begin as 1, the biases as 0; the paper's b is part of b_ih.

    Shapes: x (B, I) or (I,), state (h, c), each (B, H) or (H,). The rows of the weights are the gates in the order
    i, f, g, o. PyTorch has no such cell. See `Cell` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> h, c = nn.LayerNormLSTMCell(3, 5)(tg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    state_names = ("h", "c")
    gate_names = ("i", "f", "g", "o")
    keeping = ("f", "forget gate", 1)

    gain_ih: Parameter
    gain_hh: Parameter
    gain_c: Parameter
    bias_c: Parameter | None = None

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the LSTM's parameters, of the gains, and of the bias of c'."""
        found = super().shapes(input_size, hidden_size, bias)
        found |= {"gain_ih": (4 * hidden_size,), "gain_hh": (4 * hidden_size,), "gain_c": (hidden_size,)}
        return found | {"bias_c": (hidden_size,)} if bias else found

    def initial(self, name: str, shape: tuple[int, ...]) -> Any:
        """Return what a parameter starts from: gains 1, biases 0, the others as in the LSTM."""
        if name.startswith("gain"):
            return ones(shape, **self._made)
        return zeros(shape, **self._made) if name.startswith("bias") else super().initial(name, shape)

    def project(self, x: Tensor) -> Tensor:
        """Return LN(x @ W_ih.T) + b_ih + b_hh."""
        bias = None if self.bias_ih is None or self.bias_hh is None else self.bias_ih + self.bias_hh
        return F.layer_norm(F.linear(x, self.weight_ih), weight=self.gain_ih, bias=bias)

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        from_state = F.layer_norm(h @ prepared, weight=self.gain_hh)
        net_i, net_f, net_g, net_o = (projected + from_state).chunk(4, axis=-1)
        with scope("input_gate"):
            i = net_i.sigmoid().named("i")
        with scope("forget_gate"):
            f = net_f.sigmoid().named("f")
        with scope("candidate"):
            g = net_g.tanh().named("g")
        with scope("output_gate"):
            o = net_o.sigmoid().named("o")
        c = (f * c + i * g).named("c")
        h = (o * F.layer_norm(c, weight=self.gain_c, bias=self.bias_c).tanh()).named("h")
        return h, c
