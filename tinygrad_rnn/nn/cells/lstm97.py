"""Long short-term memory as it was first published: blocks of cells, no forget gate, a gradient cut short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import concat
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.cells.base import Cell

__all__ = ["GRADIENTS", "LSTM97Cell", "LSTM97NOGCell"]

#: Whether errors go back through the recurrent weights, or through the carousels alone.
GRADIENTS = ("full", "truncated")


class _Blocks(Cell):
    """What both forms have in common: J blocks of S cells with common gates, and weights from all cells and gates."""

    backward_only = ("gradient",)
    #: How many of the gates a block has once, rather than once for each of its cells.
    shared_gates: ClassVar[int]

    block_size: int
    gradient: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = "float32",
        device: str = "cpu",
        *,
        block_size: int = 1,
        gradient: str = "full",
    ) -> None:
        what = type(self).__name__
        block_size = arguments.whole(f"{what}: block_size", block_size)  # as the attribute has to be
        arguments.one_of(f"{what}: gradient", gradient, GRADIENTS)
        super().__init__(input_size, hidden_size, bias, dtype, device, block_size=block_size, gradient=gradient)

    @classmethod
    def shapes(
        cls, input_size: int, hidden_size: int, bias: bool = True, *, block_size: int = 1, **options: Any
    ) -> dict[str, tuple[int, ...]]:
        """Return the shapes of weights and biases.

        Raises:
            InputError: block_size is no positive whole number, or the cells do not make whole blocks.
        """
        block_size = arguments.whole(f"{cls.__name__}: block_size", block_size)
        if hidden_size % block_size:
            fitting = ", ".join(str(form["block_size"]) for form in cls.forms(hidden_size))
            raise InputError(
                f"{cls.__name__}: {hidden_size} cells (hidden_size) do not make whole blocks of {block_size}; "
                f"block_size can be {fitting}"
            )
        rows = hidden_size + cls.shared_gates * (hidden_size // block_size)
        found: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size), "weight_hh": (rows, rows)}
        return found | {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else found

    @classmethod
    def forms(cls, hidden_size: int) -> Iterable[Mapping[str, Any]]:
        """Yield every size that blocks can have."""
        return ({"block_size": size} for size in range(1, hidden_size + 1) if hidden_size % size == 0)

    @property
    def blocks(self) -> int:
        """J, the number of blocks."""
        return self.hidden_size // self.block_size

    def recurrent(self, *sources: Tensor) -> Tensor:
        """Return u, what was seen of cells and gates after the last step; no error goes back there when truncated."""
        u = concat(sources, axis=-1)
        return u.detach() if self.gradient == "truncated" else u

    def gated(self, gate: Tensor, cells: Tensor) -> Tensor:
        """Return every cell (..., J*S) times the gate of its block (..., J)."""
        if self.block_size == 1:
            return gate * cells
        return (gate.unsqueeze(-1) * cells.reshape(*gate.shape, self.block_size)).reshape(cells.shape)


class LSTM97Cell(_Blocks):
    """One step of the original LSTM (Hochreiter & Schmidhuber 1997, appendix A.1).

    u = [h; r], where r = (i, o) are the gates of the last step
    i = sigmoid(W_ii x + b_ii + W_hi u + b_hi)
    g = 4 sigmoid(W_ig x + b_ig + W_hg u + b_hg) - 2
    o = sigmoid(W_io x + b_io + W_ho u + b_ho)
    c' = c + i * g
    h' = o * (2 sigmoid(c') - 1)

    H = J*S cells in J blocks of S cells (`block_size`, 1 unless set); a block has one i and one o. Shapes: x (B, I) or
    (I,), state (h, c, r) of (B, H), (B, H) and (B, 2*J). The rows of the weights are i (J), g (H), o (J), the columns
    of weight_hh those of u. The paper writes y^in, y^out, s and y^c for i, o, c and h.

    With gradient="truncated" no error goes back through u, as in the paper: what is left are the carousels, in which
    dc'/dc = 1; with "full" the derivatives are exact. PyTorch has no such cell, and its LSTM has a forget gate, no
    blocks, no weights between gates, and tanh for both squashing functions. See `Cell` for the other arguments.

    Raises:
        InputError: the cells do not make whole blocks, or gradient is another word.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> h, c, r = nn.LSTM97Cell(3, 6, block_size=2)(tg.zeros(4, 3))
    >>> h.shape, c.shape, r.shape
    ((4, 6), (4, 6), (4, 6))
    """

    state_names = ("h", "c", "r")
    gate_names = ("i", "g", "o")
    shared_gates = 2

    def state_shapes(self, batch: tuple[int, ...] = ()) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of h, c and the gates."""
        return (*batch, self.hidden_size), (*batch, self.hidden_size), (*batch, 2 * self.blocks)

    def step(
        self, projected: Tensor, state: tuple[Tensor, Tensor, Tensor], prepared: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (h', c', r')."""
        h, c, r = state
        net = projected + self.recurrent(h, r) @ prepared
        net_i, net_g, net_o = net.split([self.blocks, self.hidden_size, self.blocks], axis=-1)
        with scope("input_gate"):
            i = net_i.sigmoid().named("i")
        with scope("candidate"):
            g = (4 * net_g.sigmoid() - 2).named("g")
        with scope("output_gate"):
            o = net_o.sigmoid().named("o")
        c = (c + self.gated(i, g)).named("c")
        h = self.gated(o, 2 * c.sigmoid() - 1).named("h")
        return h, c, concat([i, o], axis=-1).named("r")


class LSTM97NOGCell(_Blocks):
    """One step of the original LSTM without output gate (Hochreiter & Schmidhuber 1997, experiment 2a).

    u = [c; r], where r = i is the gate of the last step
    i = sigmoid(W_ii x + b_ii + W_hi u + b_hi)
    g = sigmoid(W_ig x + b_ig + W_hg u + b_hg)
    c' = c + i * g

    The output is c' itself. H = J*S cells in J blocks of S cells (`block_size`, 1 unless set). Shapes: x (B, I) or
    (I,), state (c, r) of (B, H) and (B, J). The rows of the weights are i (J), g (H). The arguments are those of
    `LSTM97Cell`.

    Raises:
        InputError: the cells do not make whole blocks, or gradient is another word.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> c, r = nn.LSTM97NOGCell(3, 6, block_size=2)(tg.zeros(4, 3))
    >>> c.shape, r.shape
    ((4, 6), (4, 3))
    """

    state_names = ("c", "r")
    gate_names = ("i", "g")
    shared_gates = 1

    def state_shapes(self, batch: tuple[int, ...] = ()) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of c and the gates."""
        return (*batch, self.hidden_size), (*batch, self.blocks)

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (c', r')."""
        c, r = state
        net_i, net_g = (projected + self.recurrent(c, r) @ prepared).split([self.blocks, self.hidden_size], axis=-1)
        with scope("input_gate"):
            i = net_i.sigmoid().named("i")
        with scope("candidate"):
            g = net_g.sigmoid().named("g")
        c = (c + self.gated(i, g)).named("c")
        return c, i.copy().named("r")  # a gate and a state: each needs a node of its own
