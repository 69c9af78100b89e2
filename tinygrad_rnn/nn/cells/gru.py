"""The gated recurrent unit."""

from __future__ import annotations

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell

__all__ = ["GRUCell"]


class GRUCell(Cell):
    """One step of the gated recurrent unit (Cho et al. 2014).

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    h' = (1 - z) * n + z * h

    Shapes: x (B, I) or (I,), h (B, H) or (H,). The rows of the weights are in the order r, z, n. As in PyTorch, and
    unlike the paper, the reset gate r acts after the product with W_hn. See `Cell` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.GRUCell(3, 5)(tg.zeros(2, 3)).shape
    (2, 5)
    """

    gate_names = ("r", "z", "n")

    def project(self, x: Tensor) -> Tensor:
        """Return x @ W_ih.T + b_ih; b_hh stays in the step, since r multiplies a part of it."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def step(self, projected: Tensor, state: Tensor, prepared: Tensor) -> Tensor:
        """Return h' (..., H)."""
        h = state
        from_state = h @ prepared if self.bias_hh is None else h @ prepared + self.bias_hh
        x_r, x_z, x_n = projected.chunk(3, axis=-1)
        h_r, h_z, h_n = from_state.chunk(3, axis=-1)
        with scope("reset_gate"):
            r = (x_r + h_r).sigmoid().named("r")
        with scope("update_gate"):
            z = (x_z + h_z).sigmoid().named("z")
        with scope("candidate"):
            n = (x_n + r * h_n).tanh().named("n")
        return ((1 - z) * n + z * h).named("h")
