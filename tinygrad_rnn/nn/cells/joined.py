"""Cells with one weight for state and input, on [h; x], as lectures write them (Karpathy, Johnson & Li, CS231n)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.cells.elman import RNNCell
from tinygrad_rnn.nn.cells.lstm import LSTMCell
from tinygrad_rnn.nn.cells.remedies import Remedy
from tinygrad_rnn.nn.module import Parameter

__all__ = ["JoinedLSTMCell", "JoinedRNNCell"]


class _Joined(Cell):
    """One weight and one bias. W [h; x] = W_h h + W_x x, so the columns of x still serve a whole sequence at once."""

    weight: Parameter

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the one weight and the one bias."""
        rows = cls.gates * hidden_size
        found: dict[str, tuple[int, ...]] = {"weight": (rows, hidden_size + input_size)}
        return found | {"bias_ih": (rows,)} if bias else found

    @property
    def weight_hh(self) -> Tensor:  # type: ignore[override]  # a part of a parameter
        """The columns that meet h."""
        return self.weight[:, : self.hidden_size]

    @property
    def weight_ih(self) -> Tensor:  # type: ignore[override]  # a part of a parameter
        """The columns that meet x."""
        return self.weight[:, self.hidden_size :]

    def remedies(self) -> Iterable[Remedy]:
        """Return the changes to try, those of W_hh in the columns of the one weight that meet h."""
        for remedy in super().remedies():
            values = dict(remedy.values)
            if (recurrent := values.pop("weight_hh", None)) is not None:
                whole = np.array(self.weight.detach().to("cpu").numpy())
                whole[:, : self.hidden_size] = recurrent
                values["weight"] = whole
            yield replace(remedy, values=values)


class JoinedRNNCell(_Joined, RNNCell):
    """One step of the simple recurrent network with one weight for state and input.

    h' = phi(W [h; x] + b), with phi = tanh, relu, sigmoid or identity (`nonlinearity`).

    Shapes: x (B, I) or (I,), h (B, H) or (H,), weight (H, H + I), the columns of h first, bias_ih (H,). The numbers are
    those of `RNNCell`; PyTorch keeps W_hh and W_ih apart.

    >>> from tinygrad_rnn import nn
    >>> nn.JoinedRNNCell(3, 5).weight.shape
    (5, 8)
    """


class JoinedLSTMCell(_Joined, LSTMCell):
    """One step of the LSTM with one weight for state and input.

    (net_i, net_f, net_g, net_o) = W [h; x] + b, and all else as in `LSTMCell`.

    Shapes: x (B, I) or (I,), state (h, c), each (B, H) or (H,), weight (4*H, H + I), the columns of h first, its rows
    in the order i, f, g, o, bias_ih (4*H,). The numbers are those of `LSTMCell`; PyTorch keeps W_hh and W_ih apart.

    >>> from tinygrad_rnn import nn
    >>> nn.JoinedLSTMCell(3, 5).weight.shape
    (20, 8)
    """
