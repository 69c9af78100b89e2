"""Recurrent cells: one time step each, written in the order of its equations.

A cell has two halves. `project` is what the input contributes; it knows nothing of the state, so `nn.RNN`, `nn.LSTM`
and `nn.GRU` apply it to a whole sequence at once. `step` is the recurrence. The cell itself is `step` after `project`.

Names of the outputs ("h", "c" and the gates) and the scope around each gate are what drawings and gradient flow go by.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import zeros
from tinygrad_rnn.engine.graph import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DeviceError, DTypeError, InputError, ShapeError
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.layers import check_sizes, check_tensor
from tinygrad_rnn.nn.module import Module, Parameter

__all__ = ["Cell", "GRUCell", "LSTMCell", "RNNCell", "State", "activation", "check_state"]

#: The state of a cell: h, or (h, c) for the LSTM.
State = Tensor | tuple[Tensor, ...]


class Cell(Module):
    """Base of the cells: parameters as in PyTorch, a `project` for the input, and a `step` that subclasses write.

    Args:
        input_size: I, the size of the last axis of x (B, I) or (I,).
        hidden_size: H, the size of the last axis of every state (B, H) or (H,).
        bias: whether to add bias_ih and bias_hh.
        dtype, device: of the parameters: with G gates weight_ih (G*H, I), weight_hh (G*H, H), bias_ih, bias_hh (G*H,).

    All start from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch.
    """

    #: How many blocks of H rows the weights have.
    gates: ClassVar[int] = 1
    #: The names of the states, in the order of the state tuple; a single one is no tuple. The first is the output.
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = "float32", device: str = "cpu"
    ) -> None:
        input_size, hidden_size = check_sizes(
            type(self).__name__, input_size=input_size, hidden_size=hidden_size
        )
        bias = arguments.flag(f"{type(self).__name__}: bias", bias)
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(zeros(rows, input_size, dtype=dtype, device=device))
        self.weight_hh = Parameter(zeros(rows, hidden_size, dtype=dtype, device=device))
        self.bias_ih = Parameter(zeros(rows, dtype=dtype, device=device)) if bias else None
        self.bias_hh = Parameter(zeros(rows, dtype=dtype, device=device)) if bias else None
        bound = 1 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    @classmethod
    def sharing(
        cls, weight_ih: Parameter, weight_hh: Parameter, bias_ih: Parameter | None, bias_hh: Parameter | None
    ) -> Self:
        """Return a cell made of existing parameters, which it shares with whoever owns them."""
        cell = cls.__new__(cls)
        cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh = weight_ih, weight_hh, bias_ih, bias_hh
        return cell

    @property
    def input_size(self) -> int:
        """I, the number of features of an input."""
        return self.weight_ih.shape[1]

    @property
    def hidden_size(self) -> int:
        """H, the number of features of a state."""
        return self.weight_hh.shape[1]

    def project(self, x: Tensor) -> Tensor:
        """Return x @ W_ih.T + b_ih + b_hh, the share of the step in which the state has no part.

        x is (..., I), one step or a whole sequence; the result (..., G*H).
        """
        if self.bias_ih is None or self.bias_hh is None:
            return F.linear(x, self.weight_ih)
        return F.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)

    def step(self, projected: Tensor, state: Any, recurrent: Tensor) -> Any:
        """Return the next state from the projected input (..., G*H), the state and recurrent = W_hh.T, (H, G*H)."""
        raise NotImplementedError(f"{type(self).__name__} has no step method: define one")

    def forward(self, x: Tensor, state: Any = None) -> Any:
        """Return the next state: h for RNN and GRU, (h, c) for the LSTM.

        Args:
            x: (B, I), or (I,) for a single example.
            state: (B, H) or (H,) each, as this method returns it; zeros unless given.

        Raises:
            ShapeError, InputError, DTypeError, DeviceError: x or the state does not fit the cell.
        """
        check_tensor(type(self).__name__, x, self.weight_ih)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{type(self).__name__}: the input of one step must be (B, {self.input_size}) or ({self.input_size},), "
                f"not {x.shape}"
            )
        if state is None:
            state = self.initial_state(x.shape[:-1])
        else:
            shape = (*x.shape[:-1], self.hidden_size)
            check_state(type(self).__name__, self.state_names, state, shape, self.weight_hh)
        return self.step(self.project(x), state, self.weight_hh.T)

    def initial_state(self, batch: tuple[int, ...] = ()) -> Any:
        """Return a state of zeros for a batch shape: (B,), or () for a single example."""
        shape = (*batch, self.hidden_size)
        w = self.weight_hh
        parts = tuple(zeros(shape, dtype=w.dtype, device=w.device).named(f"{name}0") for name in self.state_names)
        return parts if len(parts) > 1 else parts[0]

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias_ih is not None else ", bias=False")


def check_state(what: str, names: tuple[str, ...], state: Any, shape: tuple[int, ...], weight: Tensor) -> None:
    """Raise an error unless the state has a part of this shape, of the weight's dtype and beside it, for every name."""
    parts = state if isinstance(state, tuple | list) else (state,)
    wanted = f"({', '.join(names)})" if len(names) > 1 else names[0]
    if len(parts) != len(names) or not all(isinstance(part, Tensor) for part in parts):
        given = f"{len(parts)} values" if isinstance(state, tuple | list) else type(state).__name__
        raise InputError(f"{what}: the state must be {wanted}, each a tensor of shape {shape}, not {given}")
    for name, part in zip(names, parts, strict=True):
        if part.shape != shape:
            raise ShapeError(f"{what}: the initial {name} must have shape {shape}, not {part.shape}")
        if part.dtype != weight.dtype:
            raise DTypeError(
                f"{what}: the initial {name} is {part.dtype} and the parameters are {weight.dtype}; convert it: "
                f"{name}.cast('{weight.dtype}')"
            )
        if part._node.backend is not weight._node.backend:
            raise DeviceError(
                f"{what}: the initial {name} is on {part.device} and the parameters are on {weight.device}; move it: "
                f"{name}.to('{weight.device}')"
            )


class RNNCell(Cell):
    """One step of the simple recurrent network (Elman 1990).

    h' = phi(W_ih x + b_ih + W_hh h + b_hh), with phi = tanh or relu.

    Shapes: x (B, I) or (I,), h (B, H) or (H,). The same as PyTorch's; see `Cell` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.RNNCell(3, 5)(tg.zeros(2, 3)).shape
    (2, 5)
    """

    phi: Callable[[Tensor], Tensor] = staticmethod(F.tanh)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        self.phi = activation(nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype, device)

    def step(self, projected: Tensor, state: Tensor, recurrent: Tensor) -> Tensor:
        """Return h' (..., H)."""
        h = state
        return self.phi(projected + h @ recurrent).named("h")


def activation(nonlinearity: str) -> Callable[[Tensor], Tensor]:
    """Return the activation of an RNN by name; InputError unless it is tanh or relu."""
    known: dict[str, Callable[[Tensor], Tensor]] = {"tanh": F.tanh, "relu": F.relu}
    if not isinstance(nonlinearity, str) or nonlinearity not in known:
        raise InputError(f"nonlinearity {nonlinearity!r} is unknown; use one of {', '.join(known)}")
    return known[nonlinearity]


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

    gates = 4
    state_names = ("h", "c")

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], recurrent: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        net_i, net_f, net_g, net_o = (projected + h @ recurrent).chunk(4, axis=-1)
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

    gates = 3

    def project(self, x: Tensor) -> Tensor:
        """Return x @ W_ih.T + b_ih; b_hh stays in the step, since r multiplies a part of it."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def step(self, projected: Tensor, state: Tensor, recurrent: Tensor) -> Tensor:
        """Return h' (..., H)."""
        h = state
        from_state = h @ recurrent if self.bias_hh is None else h @ recurrent + self.bias_hh
        x_r, x_z, x_n = projected.chunk(3, axis=-1)
        h_r, h_z, h_n = from_state.chunk(3, axis=-1)
        with scope("reset_gate"):
            r = (x_r + h_r).sigmoid().named("r")
        with scope("update_gate"):
            z = (x_z + h_z).sigmoid().named("z")
        with scope("candidate"):
            n = (x_n + r * h_n).tanh().named("n")
        return ((1 - z) * n + z * h).named("h")
