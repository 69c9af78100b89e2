"""The gated recurrent unit, and the minimal gated unit."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell

__all__ = ["RESETS", "UPDATES", "GRUCell", "MGUCell"]

#: Where the reset gate acts: after the product with W_hn, or before it.
RESETS = ("after", "before")
#: What an update gate of 1 does with the state: keep it, or renew it.
UPDATES = ("keep", "renew")


class GRUCell(Cell):
    """One step of the gated recurrent unit (Cho et al. 2014, equations 5 to 8).

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn)),   with reset="before"   n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)
    h' = (1 - z) * n + z * h,                        with update="renew"   h' = (1 - z) * h + z * n

    Shapes: x (B, I) or (I,), h (B, H) or (H,). The rows of the weights are in the order r, z, n. See `Cell` for the
    arguments; the other ones are

        reset: "after" the product with W_hn, as in PyTorch, cuDNN and Keras, or "before" it, as in the paper. Neither
            can be had from the other by a change of weights.
        update: whether z = 1 means to "keep" the state, as in the paper and PyTorch, or to "renew" it, as in Chung et
            al. 2014. Each is the other with the rows of z negated in weights and biases.

    Raises:
        InputError: reset or update is another word.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.GRUCell(3, 5)(tg.zeros(2, 3)).shape
    (2, 5)
    """

    gate_names = ("r", "z", "n")

    reset: str
    update: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = "float32",
        device: str = "cpu",
        *,
        reset: str = "after",
        update: str = "keep",
    ) -> None:
        arguments.one_of("GRUCell: reset", reset, RESETS)
        arguments.one_of("GRUCell: update", update, UPDATES)
        super().__init__(input_size, hidden_size, bias, dtype, device, reset=reset, update=update)

    @property
    def keeping(self) -> tuple[str, str, int]:  # type: ignore[override]  # it depends on an option
        """The update gate, with the sign by which it keeps."""
        return "z", "update gate", 1 if self.update == "keep" else -1

    def project(self, x: Tensor) -> Tensor:
        """Return x @ W_ih.T + b_ih; b_hh stays in the step where r multiplies a part of it."""
        return F.linear(x, self.weight_ih, self.bias_ih) if self.reset == "after" else super().project(x)

    def prepare(self) -> Any:
        """Return W_hh.T (H, 3*H); with reset="before" what makes the gates, (H, 2*H), and the candidate, (H, H)."""
        if self.reset == "after":
            return self.weight_hh.T
        gates, candidate = self.weight_hh.split([2 * self.hidden_size, self.hidden_size])
        return gates.T, candidate.T

    def step(self, projected: Tensor, state: Tensor, prepared: Any) -> Tensor:
        """Return h' (..., H)."""
        h = state
        x_r, x_z, x_n = projected.chunk(3, axis=-1)
        if self.reset == "after":
            from_state = h @ prepared if self.bias_hh is None else h @ prepared + self.bias_hh
            h_r, h_z, h_n = from_state.chunk(3, axis=-1)
        else:
            to_gates, to_candidate = prepared
            h_r, h_z = (h @ to_gates).chunk(2, axis=-1)
        with scope("reset_gate"):
            r = (x_r + h_r).sigmoid().named("r")
        with scope("update_gate"):
            z = (x_z + h_z).sigmoid().named("z")
        with scope("candidate"):
            seen = r * h_n if self.reset == "after" else (r * h) @ to_candidate
            n = (x_n + seen).tanh().named("n")
        h = (1 - z) * n + z * h if self.update == "keep" else (1 - z) * h + z * n
        return h.named("h")


class MGUCell(Cell):
    """One step of the minimal gated unit (Zhou et al. 2016): a GRU with one gate for both purposes.

    f = sigmoid(W_if x + b_if + W_hf h + b_hf)
    n = tanh(W_in x + b_in + W_hn (f * h) + b_hn)
    h' = (1 - f) * h + f * n

    Shapes: x (B, I) or (I,), h (B, H) or (H,). The rows of the weights are in the order f, n. The paper calls f the
    forget gate, although f = 1 forgets. PyTorch has no such cell. See `Cell` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.MGUCell(3, 5)(tg.zeros(2, 3)).shape
    (2, 5)
    """

    gate_names = ("f", "n")
    keeping = ("f", "forget gate", -1)

    def prepare(self) -> tuple[Tensor, Tensor]:
        """Return W_hf.T and W_hn.T, each (H, H)."""
        to_gate, to_candidate = self.weight_hh.chunk(2)
        return to_gate.T, to_candidate.T

    def step(self, projected: Tensor, state: Tensor, prepared: tuple[Tensor, Tensor]) -> Tensor:
        """Return h' (..., H)."""
        h = state
        to_gate, to_candidate = prepared
        x_f, x_n = projected.chunk(2, axis=-1)
        with scope("forget_gate"):
            f = (x_f + h @ to_gate).sigmoid().named("f")
        with scope("candidate"):
            n = (x_n + (f * h) @ to_candidate).tanh().named("n")
        return ((1 - f) * h + f * n).named("h")
