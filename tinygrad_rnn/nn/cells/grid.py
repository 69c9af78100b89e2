"""The Grid LSTM: memory along the layers as well as along time."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import concat
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.module import Parameter

__all__ = ["PRIORITIES", "GridLSTMCell"]

#: Which dimension is computed last, and sees what the other has made of this step.
PRIORITIES = ("depth", "none")


class GridLSTMCell(Cell):
    """One block of the 2-D Grid LSTM (Kalchbrenner, Danihelka & Graves 2015, sections 2 and 3): time and depth.

    (h_depth, c_depth) = x if I = 2*H, as it is in all layers but the first, else W_in x + b_in
    (h', c') = LSTM([h_depth; h], c; W_time)
    (h_depth', c_depth') = LSTM([h_depth; h'], c_depth; W_depth),    with priority="none" of h instead of h'
    d' = [h_depth'; c_depth']

    where (h', c') = LSTM(v, c; W) is

    i, f, o = sigmoid(W_i v + b_i), sigmoid(W_f v + b_f), sigmoid(W_o v + b_o)
    g = tanh(W_g v + b_g)
    c' = f * c + i * g
    h' = tanh(o * c')

    with the paper's tanh, which is elsewhere o * tanh(c'), and biases. The output is d', both vectors that go to the
    layer above; there c_depth' meets nothing but a forget gate, so that an error reaches the first layer as it reaches
    the first step. d is part of the state as the output must be, but no next step reads it.

    Shapes: x (B, I) or (I,), state (d, h, c) of (B, 2*H), (B, H) and (B, H). weight_ih and weight_hh (8*H, H) are the
    columns of W that meet h_depth and h; their rows are the gates i, f, g, o of time, and then those of depth.
    weight_in (2*H, I) is there unless I = 2*H. With bidirectional=True the layers above the first read the d of both
    directions, 4*H numbers: then weight_in is there in them, too, and stands between c_depth of one layer and of the
    next, so that an error no longer reaches the first layer as it reaches the first step. PyTorch has no such cell. See
    `Cell` for the arguments; the other one is

        priority: "depth" for the depth that sees the new h (section 3.2), or "none" for two that are computed at once.

    Raises:
        InputError: priority is another word.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> output, (d_n, h_n, c_n) = nn.Recurrent("grid", 3, 5, num_layers=2)(tg.zeros(7, 2, 3))
    >>> output.shape, h_n.shape
    ((7, 2, 10), (2, 2, 5))
    """

    state_names = ("d", "h", "c")
    gate_names = ("i", "f", "g", "o", "i_depth", "f_depth", "g_depth", "o_depth")
    keeping = ("f", "forget gate", 1)

    priority: str
    weight_in: Parameter | None = None
    bias_in: Parameter | None = None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = "float32",
        device: str = "cpu",
        *,
        priority: str = "depth",
    ) -> None:
        arguments.one_of("GridLSTMCell: priority", priority, PRIORITIES)
        super().__init__(input_size, hidden_size, bias, dtype, device, priority=priority)

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes of weights and biases, those of the input first."""
        found: dict[str, tuple[int, ...]] = {}
        if input_size != 2 * hidden_size:
            found = {"weight_in": (2 * hidden_size, input_size)} | ({"bias_in": (2 * hidden_size,)} if bias else {})
        return found | super().shapes(hidden_size, hidden_size, bias)

    def state_shapes(self, batch: tuple[int, ...] = ()) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of d, h and c."""
        return (*batch, 2 * self.hidden_size), (*batch, self.hidden_size), (*batch, self.hidden_size)

    def project(self, x: Tensor) -> Tensor:
        """Return what h_depth has to say to all gates, and c_depth beside it: (..., 9*H)."""
        pair = x if self.weight_in is None else F.linear(x, self.weight_in, self.bias_in)
        h_depth, c_depth = pair.chunk(2, axis=-1)
        return concat([super().project(h_depth), c_depth], axis=-1)

    def prepare(self) -> tuple[Tensor, Tensor]:
        """Return W_hh.T of time and of depth, (H, 4*H) each."""
        to_time, to_depth = self.weight_hh.chunk(2)
        return to_time.T, to_depth.T

    def step(
        self, projected: Tensor, state: tuple[Tensor, Tensor, Tensor], prepared: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (d', h', c')."""
        _, h, c = state
        to_time, to_depth = prepared
        net_time, net_depth, c_depth = projected.split([4 * self.hidden_size] * 2 + [self.hidden_size], axis=-1)
        i, f, g, o = _gates(net_time + h @ to_time)
        c = (f * c + i * g).named("c")
        before, h = h, (o * c).tanh().named("h")
        seen = h if self.priority == "depth" else before
        with scope("depth"):
            i, f, g, o = _gates(net_depth + seen @ to_depth, "_depth")
            c_depth = f * c_depth + i * g
            h_depth = (o * c_depth).tanh()
        return concat([h_depth, c_depth], axis=-1).named("d"), h, c


def _gates(net: Tensor, which: str = "") -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return i, f, g and o, named so for time, and with an ending for depth."""
    net_i, net_f, net_g, net_o = net.chunk(4, axis=-1)
    with scope("input_gate"):
        i = net_i.sigmoid().named("i" + which)
    with scope("forget_gate"):
        f = net_f.sigmoid().named("f" + which)
    with scope("candidate"):
        g = net_g.tanh().named("g" + which)
    with scope("output_gate"):
        o = net_o.sigmoid().named("o" + which)
    return i, f, g, o
