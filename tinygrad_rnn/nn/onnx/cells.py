"""Cells with any of ONNX's activations, and with a bound on what these see.

Where an operator has the usual activations and no bound, `from_onnx` takes the plain cells, which compute the same.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.cells.gru import GRUCell
from tinygrad_rnn.nn.module import Parameter
from tinygrad_rnn.nn.onnx.activations import Activation

__all__ = ["OnnxCell", "OnnxCoupledLSTMCell", "OnnxGRUCell", "OnnxLSTMCell", "OnnxRNNCell"]


class OnnxCell(Cell):
    """What these cells have in common.

    Their options are

        activations: one for each of the operator's functions f, g, h, in this order.
        clip: what f and g see is kept within [-clip, clip], unless it is None.
    """

    activations: tuple[Activation, ...]
    clip: float | None

    def bounded(self, x: Tensor) -> Tensor:
        """Return x within [-clip, clip]."""
        return x if self.clip is None else x.clip(-self.clip, self.clip)


class OnnxRNNCell(OnnxCell):
    """One step of ONNX's operator RNN.

    h' = f(W_i x + Wb_i + R_i h + Rb_i), weight_ih being W_i, weight_hh R_i, and the biases Wb_i and Rb_i.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = "float32", device: str = "cpu",
        *, activations: tuple[Activation, ...], clip: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, dtype, device, activations=activations, clip=clip)

    def step(self, projected: Tensor, state: Tensor, prepared: Tensor) -> Tensor:
        """Return h' (..., H)."""
        h, (f,) = state, self.activations
        return f(self.bounded(projected + h @ prepared)).named("h")


class OnnxGRUCell(OnnxCell, GRUCell):
    """One step of ONNX's operator GRU.

    r = f(W_r x + Wb_r + R_r h + Rb_r)
    z = f(W_z x + Wb_z + R_z h + Rb_z)
    n = g(W_h x + Wb_h + r * (R_h h + Rb_h)),   with reset="before"   n = g(W_h x + Wb_h + R_h (r * h) + Rb_h)
    h' = (1 - z) * n + z * h

    The rows of the weights are in the order r, z, n, as in `GRUCell`, while ONNX has z, r, h.
    """

    update = "keep"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = "float32", device: str = "cpu",
        *, reset: str = "after", activations: tuple[Activation, ...], clip: float | None = None,
    ) -> None:  # fmt: skip
        options: dict[str, Any] = {"reset": reset, "activations": activations, "clip": clip}
        Cell.__init__(self, input_size, hidden_size, bias, dtype, device, **options)

    def step(self, projected: Tensor, state: Tensor, prepared: Any) -> Tensor:
        """Return h' (..., H)."""
        h, (f, g) = state, self.activations
        x_r, x_z, x_n = projected.chunk(3, axis=-1)
        if self.reset == "after":
            from_state = h @ prepared if self.bias_hh is None else h @ prepared + self.bias_hh
            h_r, h_z, h_n = from_state.chunk(3, axis=-1)
        else:
            to_gates, to_candidate = prepared
            h_r, h_z = (h @ to_gates).chunk(2, axis=-1)
        with scope("reset_gate"):
            r = f(self.bounded(x_r + h_r)).named("r")
        with scope("update_gate"):
            z = f(self.bounded(x_z + h_z)).named("z")
        with scope("candidate"):
            seen = r * h_n if self.reset == "after" else (r * h) @ to_candidate
            n = g(self.bounded(x_n + seen)).named("n")
        return ((1 - z) * n + z * h).named("h")


class OnnxLSTMCell(OnnxCell):
    """One step of ONNX's operator LSTM.

    i = f(W_i x + Wb_i + R_i h + Rb_i + P_i * c)
    f = f(W_f x + Wb_f + R_f h + Rb_f + P_f * c)
    g = g(W_c x + Wb_c + R_c h + Rb_c)
    c' = f * c + i * g
    o = f(W_o x + Wb_o + R_o h + Rb_o + P_o * c')
    h' = o * h(c')

    The rows of the weights are in the order i, f, g, o, as in `LSTMCell`, while ONNX has i, o, f, c. With the option
    peepholes=True there are P_i, P_f and P_o: peephole_i and so on, (H,). ONNX's text can be read so that clip bounds
    the input of the function h as well; onnxruntime does not, and neither does this cell.
    """

    state_names = ("h", "c")
    gate_names = ("i", "f", "g", "o")
    #: The gates that see the cell state, if any do.
    seeing: ClassVar[tuple[str, ...]] = ("i", "f", "o")

    peephole_i: Parameter | None = None
    peephole_f: Parameter | None = None
    peephole_o: Parameter | None = None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = "float32", device: str = "cpu",
        *, peepholes: bool = False, activations: tuple[Activation, ...], clip: float | None = None,
    ) -> None:  # fmt: skip
        options: dict[str, Any] = {"peepholes": peepholes, "activations": activations, "clip": clip}
        super().__init__(input_size, hidden_size, bias, dtype, device, **options)

    @classmethod
    def shapes(
        cls, input_size: int, hidden_size: int, bias: bool = True, *, peepholes: bool = False, **options: Any
    ) -> dict[str, tuple[int, ...]]:
        """Return the shapes of weights and biases, and of the peepholes if there are any."""
        names = [f"peephole_{gate}" for gate in cls.seeing] if peepholes else []
        return super().shapes(input_size, hidden_size, bias) | dict.fromkeys(names, (hidden_size,))

    def step(self, projected: Tensor, state: tuple[Tensor, Tensor], prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return (h', c')."""
        h, c = state
        squash_gate, squash_candidate, squash_cell = self.activations
        net = dict(zip(self.gate_names, (projected + h @ prepared).chunk(self.gates, axis=-1), strict=False))
        with scope("input_gate"):
            i = squash_gate(self.bounded(self._seen(net["i"], self.peephole_i, c))).named("i")
        with scope("forget_gate"):
            f = squash_gate(self.bounded(self._seen(net["f"], self.peephole_f, c))) if "f" in net else 1 - i
            f = f.named("f")
        with scope("candidate"):
            g = squash_candidate(self.bounded(net["g"])).named("g")
        c = (f * c + i * g).named("c")
        with scope("output_gate"):
            o = squash_gate(self.bounded(self._seen(net["o"], self.peephole_o, c))).named("o")
        h = (o * squash_cell(c)).named("h")
        return h, c

    @staticmethod
    def _seen(net: Tensor, peephole: Parameter | None, c: Tensor) -> Tensor:
        return net if peephole is None else net + peephole * c


class OnnxCoupledLSTMCell(OnnxLSTMCell):
    """One step of ONNX's operator LSTM with input_forget=1: f = 1 - i, and no row of the weights belongs to f."""

    gate_names = ("i", "g", "o", "f")
    gates = 3
    seeing = ("i", "o")
