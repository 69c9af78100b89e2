"""RNN, LSTM and GRU: recurrent layers of one kind of cell with PyTorch's arguments, and to its numbers."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.nn.cells import GRUCell, LSTMCell, RNNCell
from tinygrad_rnn.nn.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN"]


class RNN(Recurrent):
    """The simple recurrent network (Elman 1990): h_t = phi(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    phi is tanh, or with nonlinearity="relu", "sigmoid" or "identity" that. Returns (output, h_n). See `Recurrent` for
    arguments and shapes, and `RNNCell` for one step. The same numbers as PyTorch's, which has tanh and relu.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> output, h_n = nn.RNN(3, 5)(tg.zeros(7, 2, 3))
    >>> output.shape, h_n.shape
    ((7, 2, 5), (1, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        nonlinearity: str = "tanh",
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        self.nonlinearity = nonlinearity
        sizes = input_size, hidden_size, num_layers
        super().__init__(
            RNNCell, *sizes, bias, batch_first, dropout, bidirectional, dtype, device, nonlinearity=nonlinearity
        )

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}")


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    Returns (output, (h_n, c_n)). See `LSTMCell` for the equations, `Recurrent` for arguments and shapes. The same
    numbers as PyTorch's, with proj_size=P as well: then h is (..., P), and the outputs (..., D*P).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> output, (h_n, c_n) = nn.LSTM(3, 5, num_layers=2, bidirectional=True)(tg.zeros(7, 2, 3))
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 10), (4, 2, 5), (4, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        sizes = input_size, hidden_size, num_layers
        super().__init__(
            LSTMCell, *sizes, bias, batch_first, dropout, bidirectional, dtype, device, proj_size=proj_size
        )
        self.proj_size = proj_size

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", proj_size={self.proj_size}" if self.proj_size else "")


class GRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014), with the reset gate after the product as in PyTorch.

    Returns (output, h_n). See `GRUCell` for the equations, `Recurrent` for arguments and shapes. The same numbers as
    PyTorch's.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.GRU(3, 5, batch_first=True)(tg.zeros(2, 7, 3))[0].shape
    (2, 7, 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        sizes = input_size, hidden_size, num_layers
        super().__init__(GRUCell, *sizes, bias, batch_first, dropout, bidirectional, dtype, device)
