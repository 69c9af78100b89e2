"""The weights of Keras' recurrent layers SimpleRNN, GRU and LSTM, as layers of this library and back.

Keras is not needed: weights come and go as the arrays of its `get_weights` and `set_weights`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.nn.cells import Cell, GRUCell, JoinedLSTMCell, JoinedRNNCell, LSTMCell, RNNCell
from tinygrad_rnn.nn.foreign import weights_of
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.nn.recurrent import Recurrent

__all__ = ["from_keras", "to_keras"]

#: The cell of each layer, and the gates of that cell in the order of Keras' columns.
KINDS: dict[str, tuple[type[Cell], tuple[str, ...]]] = {
    "SimpleRNN": (RNNCell, ("h",)),
    "GRU": (GRUCell, ("z", "r", "n")),
    "LSTM": (LSTMCell, ("i", "f", "g", "o")),
}


def from_keras(
    kind: str,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    *,
    reset_after: bool = True,
    backward: Sequence[Any] | None = None,
    batch_first: bool = True,
    device: str = "cpu",
) -> Recurrent:
    """Return the layer of this library that computes what a SimpleRNN, GRU or LSTM of Keras computes.

    Call it as `from_keras("LSTM", *layer.get_weights())`. The activations must be the usual ones, tanh and sigmoid.

    Args:
        kind: "SimpleRNN", "GRU" or "LSTM".
        kernel: (I, G*H), G being 1, 3 or 4; the columns of a GRU in the order z, r, h, of an LSTM in the order
            i, f, c, o. float32 or float64.
        recurrent_kernel: (H, G*H).
        bias: (G*H,), or for a GRU with reset_after=True (2, 3*H), that of the input first. None for use_bias=False.
        reset_after: whether the reset gate of a GRU acts after the product with recurrent_kernel.
        backward: kernel, recurrent_kernel and bias of the other direction of a Bidirectional (with its default,
            merge_mode="concat"), whose `get_weights` has them behind those of the first.
        batch_first: input and output are (B, T, ...), as in Keras, instead of (T, B, ...).
        device: of the parameters.

    Returns:
        An nn.Recurrent with one layer. Where Keras has one bias and this library two, bias_hh is 0.

    Raises:
        InputError: the kind is unknown, backward has more or fewer arrays, or a weight is no array.
        ShapeError: an array has another shape, or only one direction has a bias.
        DTypeError: an array is neither float32 nor float64, or they differ.

    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> weights = np.ones((3, 20), "float32"), np.ones((5, 20), "float32"), np.zeros(20, "float32")
    >>> output, (h_n, c_n) = nn.from_keras("LSTM", *weights)(tg.ones(2, 7, 3))
    >>> output.shape, h_n.shape
    ((2, 7, 5), (1, 2, 5))
    """
    kind = arguments.one_of("from_keras: kind", kind, tuple(KINDS))
    reset_after = arguments.flag("from_keras: reset_after", reset_after)
    sides = [(kernel, recurrent_kernel, bias)]
    if backward is not None:
        if not isinstance(backward, list | tuple) or len(backward) not in (2, 3):
            given = f"{len(backward)} values" if isinstance(backward, list | tuple) else f"a {type(backward).__name__}"
            raise InputError(f"from_keras: backward must be (kernel, recurrent_kernel, bias), not {given}")
        sides.append((backward[0], backward[1], backward[2] if len(backward) == 3 else None))
    read = [_parameters(kind, side, reset_after) for side in sides]
    shapes = [{name: value.shape for name, value in side.items()} for side in read]
    if shapes[-1] != shapes[0]:
        raise ShapeError(
            f"from_keras: both directions must have the same shapes, and a bias or none, but the backward one has "
            f"{shapes[-1]}, and the other {shapes[0]}"
        )
    rows, columns = read[0]["weight_ih"].shape
    options: dict[str, Any] = {"reset": "after" if reset_after else "before"} if kind == "GRU" else {}
    module = Recurrent(
        KINDS[kind][0], columns, rows // len(KINDS[kind][1]), bias=bias is not None, batch_first=batch_first,
        bidirectional=backward is not None, dtype=read[0]["weight_ih"].dtype, device=device, **options,
    )  # fmt: skip
    for suffix, side in zip(("_l0", "_l0_reverse"), read, strict=False):
        module.load_state_dict({name + suffix: value for name, value in side.items()}, strict=False)
    return module


def _parameters(kind: str, given: tuple[Any, Any, Any], reset_after: bool) -> dict[str, np.ndarray]:
    """Return the parameters of one direction by the names of its cell."""
    cell, gates = KINDS[kind]
    names = ("kernel", "recurrent_kernel", "bias")
    arrays = {
        name: weights_of(f"from_keras: {name}", value)
        for name, value in zip(names, given, strict=True)
        if value is not None
    }
    for name in names[:2]:
        if name not in arrays or arrays[name].ndim != 2 or not arrays[name].size:
            seen = f"of shape {arrays[name].shape}" if name in arrays else "None"
            raise ShapeError(f"from_keras: {name} must have 2 axes, (rows, columns of the gates), and is {seen}")
    inputs, H = len(arrays["kernel"]), len(arrays["recurrent_kernel"])
    columns = len(gates) * H
    two_biases = kind == "GRU" and reset_after
    bias_shape = (2, columns) if two_biases else (columns,)
    shapes = {"kernel": (inputs, columns), "recurrent_kernel": (H, columns), "bias": bias_shape}
    for name, value in arrays.items():
        if value.shape != shapes[name]:
            hint = "; a GRU has two biases with reset_after=True, and one without" if kind == "GRU" else ""
            raise ShapeError(
                f"from_keras: the {name} of a {kind} with H = {H} and I = {inputs} must have shape {shapes[name]}, "
                f"not {value.shape}{hint}"
            )
        if value.dtype != arrays["kernel"].dtype:
            raise DTypeError(f"from_keras: {name} is {value.dtype} and kernel is {arrays['kernel'].dtype}; convert one")

    def ordered(rows: np.ndarray) -> np.ndarray:
        """Return the rows in the order of the cell."""
        blocks = dict(zip(gates, np.split(rows, len(gates)), strict=True))
        return np.concatenate([blocks[gate] for gate in cell.gate_names or gates])

    found = {"weight_ih": ordered(arrays["kernel"].T), "weight_hh": ordered(arrays["recurrent_kernel"].T)}
    if "bias" in arrays:
        bias = arrays["bias"]
        found["bias_ih"], found["bias_hh"] = map(ordered, bias if two_biases else (bias, np.zeros_like(bias)))
    return found


#: The layer of Keras for each cell. Subclasses are not looked for: their steps may be others.
CELLS: dict[type[Cell], str] = {
    RNNCell: "SimpleRNN", JoinedRNNCell: "SimpleRNN", GRUCell: "GRU", LSTMCell: "LSTM", JoinedLSTMCell: "LSTM"
}  # fmt: skip

#: The parameters that Keras has a place for.
PLACES = {"weight", "weight_ih", "weight_hh", "bias_ih", "bias_hh"}


def to_keras(module: Module) -> list[list[np.ndarray]]:
    """Return the weights of Keras' layers that compute what an nn.RNN, nn.GRU, nn.LSTM or nn.Recurrent computes.

    They are SimpleRNN(H), with activation= the module's nonlinearity, GRU(H), with reset_after=False if the module has
    reset="before", and LSTM(H), all with use_bias=module.bias; and Bidirectional around them for two directions.

    Args:
        module: its cells must be rnn, rnn_joined, gru, lstm or lstm_joined.

    Returns:
        For each layer what its `set_weights` takes: kernel, recurrent_kernel and, if there is one, bias; in
        Bidirectional those of the backward direction behind. Where Keras has one bias it is bias_ih + bias_hh.

    Raises:
        InputError: the module is no recurrent layer, or of a cell that Keras has no layer for.

    >>> from tinygrad_rnn import nn
    >>> [weight.shape for weight in nn.to_keras(nn.GRU(3, 5))[0]]
    [(3, 15), (5, 15), (2, 15)]
    """
    if not isinstance(module, Recurrent):
        raise InputError(
            f"to_keras: a {type(module).__name__} is no recurrent layer; pass an nn.RNN, nn.GRU, nn.LSTM or "
            "nn.Recurrent, for instance one that is a part of your model"
        )
    if module.cell_type not in CELLS:
        raise InputError(
            f"to_keras: Keras has no layer for {module.cell_type.__name__}; it has some for "
            + ", ".join(cell.__name__ for cell in CELLS)
        )
    if extra := sorted({name for name, _ in module.cell().named_parameters()} - PLACES):
        raise InputError(f"to_keras: Keras' {CELLS[module.cell_type]} has no place for {', '.join(extra)}")
    if module.zoneout:
        raise InputError(
            "to_keras: Keras has no zoneout, by which a state keeps a share of the one before, also in evaluation; "
            "only a module made without it can be written"
        )
    return [
        [weight for reverse in (False, True)[: module.directions] for weight in _weights(module.cell(layer, reverse))]
        for layer in range(module.num_layers)
    ]


def _weights(cell: Any) -> list[np.ndarray]:
    kind = CELLS[type(cell)]
    gates = KINDS[kind][1]

    def columns(parameter: Tensor) -> np.ndarray:
        """Return the rows of a parameter as columns in Keras' order."""
        rows = parameter.detach().to("cpu").numpy()
        blocks = dict(zip(cell.gate_names or gates, np.split(rows, len(gates)), strict=True))
        if kind == "GRU" and cell.update == "renew":  # Keras' z = 1 keeps the state
            blocks["z"] = -blocks["z"]
        return np.concatenate([blocks[gate] for gate in gates]).T

    found = [np.ascontiguousarray(columns(cell.weight_ih)), np.ascontiguousarray(columns(cell.weight_hh))]
    biases = [columns(bias) for bias in (cell.bias_ih, cell.bias_hh) if bias is not None]
    if biases:
        found.append(np.stack(biases) if kind == "GRU" and cell.reset == "after" else sum(biases[1:], biases[0]))
    return found
