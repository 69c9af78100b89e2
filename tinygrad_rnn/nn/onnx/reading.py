"""An operator RNN, GRU or LSTM of ONNX, as a module that learns."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import stack
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.nn.carrying import Padding, carried
from tinygrad_rnn.nn.cells import (
    Cell,
    CIFGCell,
    CoupledLSTMCell,
    GRUCell,
    LSTMCell,
    PeepholeLSTMCell,
    RNNCell,
    State,
    check_state,
)
from tinygrad_rnn.nn.foreign import weights_of
from tinygrad_rnn.nn.layers import check_tensor
from tinygrad_rnn.nn.module import Module, ModuleList
from tinygrad_rnn.nn.onnx import activations as act
from tinygrad_rnn.nn.onnx.cells import OnnxCoupledLSTMCell, OnnxGRUCell, OnnxLSTMCell, OnnxRNNCell
from tinygrad_rnn.nn.sequence import scan

__all__ = ["DIRECTIONS", "GATES", "PEEPHOLES", "OnnxRecurrent", "from_onnx"]

#: Whether each of the directions goes backward.
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}

#: The gates by the names of our cells, in the order of ONNX's rows.
GATES = {"RNN": ("h",), "GRU": ("z", "r", "n"), "LSTM": ("i", "o", "f", "g")}
#: The gates of an LSTM that see the cell state, in the order of P.
PEEPHOLES = ("i", "o", "f")

#: The cells of an RNN that are no more than that.
NONLINEARITIES = {"Tanh": "tanh", "Relu": "relu", "Sigmoid": "sigmoid"}


class OnnxRecurrent(Module):
    """What an operator RNN, GRU or LSTM of ONNX computes: one layer, in one direction or both. `from_onnx` makes it.

    Called as module(X, initial_h=None, initial_c=None, sequence_lens=None); returns Y, Y_h, and for the LSTM Y_c.

    Attributes:
        op_type: "RNN", "GRU" or "LSTM".
        direction: "forward", "reverse" or "bidirectional".
        layout: 0 if time is the first axis, 1 if the batch is.
        cells: the cell of each direction. They hold the parameters.
    """

    def __init__(self, op_type: str, cells: Sequence[Cell], direction: str, layout: int) -> None:
        self.op_type, self.direction, self.layout = op_type, direction, layout
        self.cells: Any = ModuleList(cells)
        self.input_size, self.hidden_size = cells[0].input_size, cells[0].hidden_size

    def forward(
        self, X: Tensor, initial_h: Tensor | None = None, initial_c: Tensor | None = None, sequence_lens: Any = None
    ) -> tuple[Tensor, ...]:
        """Run along a sequence.

        Args:
            X: (T, B, I); with layout=1 (B, T, I).
            initial_h: (D, B, H), D being the number of directions; with layout=1 (B, D, H). Zeros unless given.
            initial_c: likewise, for the LSTM.
            sequence_lens: how many steps each example has, (B,) whole numbers. All T unless given.

        Returns:
            Y: h after every step, (T, D, B, H); with layout=1 (B, T, D, H). It is 0 after the end of an example.
            Y_h: h after the last step of each example, as initial_h.
            Y_c: likewise c; only for the LSTM.

        Raises:
            ShapeError, InputError, DTypeError, DeviceError, IndexRangeError: what is given does not fit the operator.
        """
        cells = list(self.cells)
        self._check_input(X, cells[0])
        x = X.transpose(0, 1) if self.layout else X
        starts = self._starts(x.shape[1], cells, initial_h, initial_c)
        padding = None if sequence_lens is None else Padding(sequence_lens, x, f"{self.op_type}: sequence_lens")
        if padding is not None:
            x = padding.emptied(x, by_step=False)
        sides: list[Tensor] = []
        finals: list[tuple[Tensor, ...]] = []
        for cell, start, reverse in zip(cells, starts, DIRECTIONS[self.direction], strict=True):
            with scope("reverse") if reverse else nullcontext():
                carry = None if padding is None else carried(cell, [padding.rule])
                outputs, final = scan(cell, x, start, reverse, carry)
                side = stack(outputs)
                sides.append(side if padding is None else padding.emptied(side, by_step=False))
                finals.append(final if isinstance(final, tuple) else (final,))
        last = tuple(stack(each, axis=1 if self.layout else 0) for each in zip(*finals, strict=True))
        Y = stack(sides, axis=1)
        return (Y.permute(2, 0, 1, 3) if self.layout else Y, *last)

    def _check_input(self, X: Any, cell: Cell) -> None:
        check_tensor(self.op_type, X, cell.first_parameter)
        if X.ndim != 3 or X.shape[2] != self.input_size:
            layout = "(B, T, I)" if self.layout else "(T, B, I)"
            raise ShapeError(
                f"{self.op_type}: X must be {layout} with I = {self.input_size}, as layout={self.layout} says, not "
                f"{X.shape}"
            )
        if X.shape[1 if self.layout else 0] == 0:
            raise ShapeError(f"{self.op_type}: the sequence has no steps (X of shape {X.shape})")

    def _starts(self, batch: int, cells: list[Cell], initial_h: Any, initial_c: Any) -> list[State]:
        """Return the state from which each cell starts."""
        names = cells[0].state_names
        if initial_c is not None and "c" not in names:
            raise InputError(f"{self.op_type}: there is no cell state, so initial_c must be None")
        given = dict(zip(names, (initial_h, initial_c), strict=False))
        shape = (batch, len(cells), self.hidden_size) if self.layout else (len(cells), batch, self.hidden_size)
        for name, value in given.items():
            if value is not None:
                check_state(self.op_type, (name,), value, (shape,), cells[0].first_parameter)
        starts: list[State] = []
        for k, cell in enumerate(cells):
            zeros = cell.initial_state((batch,))
            parts = [
                zero if given[name] is None else given[name][:, k] if self.layout else given[name][k]
                for name, zero in zip(names, zeros if isinstance(zeros, tuple) else (zeros,), strict=True)
            ]
            starts.append(tuple(parts) if len(parts) > 1 else parts[0])
        return starts

    def extra_repr(self) -> str:
        return f"{self.op_type!r}, direction={self.direction!r}, layout={self.layout}"


def from_onnx(
    op_type: str,
    W: Any,
    R: Any,
    B: Any = None,
    P: Any = None,
    *,
    hidden_size: int | None = None,
    direction: str = "forward",
    linear_before_reset: int = 0,
    input_forget: int = 0,
    clip: float | None = None,
    activations: Sequence[str] | None = None,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    layout: int = 0,
    device: str = "cpu",
    **unknown: Any,
) -> OnnxRecurrent:
    """Return an operator RNN, GRU or LSTM of ONNX (operator set 22, as since 14) as a module that learns.

    The arguments are the operator's inputs that are weights, float32 or float64 arrays or tensors, and its attributes
    as ONNX's own library reads them (`onnx.numpy_helper.to_array`, `onnx.helper.get_attribute_value`). D is the number
    of directions, G the number of gates (1, 3 or 4). What `to_onnx` writes comes back by
    `from_onnx(node.op_type, **node.tensors, **node.attributes)`.

    Args:
        op_type: "RNN", "GRU" or "LSTM".
        W, R: (D, G*H, I) and (D, G*H, H), the rows of a GRU in the order z, r, h, of an LSTM in the order i, o, f, c.
        B: (D, 2*G*H), the biases of W before those of R. None for no biases.
        P: (D, 3*H), the peepholes of an LSTM in the order i, o, f. None for none.
        hidden_size: H. None to take it from R.
        direction: "forward", "reverse" or "bidirectional".
        linear_before_reset: 1 for a GRU whose reset gate acts after the product with R, as in PyTorch.
        input_forget: 1 for an LSTM whose forget gate is 1 - i; the rows of f and its peephole are not looked at then.
        clip: keep what the activations f and g see within [-clip, clip]. None for no bound.
        activations: for each direction f, for a GRU f and g, for an LSTM f, g and h.
        activation_alpha, activation_beta: a number for each of the activations that takes one, in their order; those
            for which none is left have ONNX's default.
        layout: 0 if time is the first axis of X and Y, 1 if the batch is.
        device: of the parameters.
        unknown: nothing else; other attributes are refused by name.

    Returns:
        A module called as module(X, initial_h=None, initial_c=None, sequence_lens=None), see `OnnxRecurrent`. Its cells
        are the plain ones of this library where the activations are the usual ones and nothing is bounded; their
        parameters have our order.

    Raises:
        InputError: an unknown operator, attribute or activation, an attribute of another operator, or a weight that is
            no array.
        ShapeError: the weights do not fit each other or the attributes.
        DTypeError: a weight is neither float32 nor float64, or they differ.

    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> W, R = np.ones((1, 20, 3), "float32"), np.ones((1, 20, 5), "float32")
    >>> lstm = nn.from_onnx("LSTM", W, R, activations=["HardSigmoid", "Tanh", "Tanh"], clip=3.0)
    >>> Y, Y_h, Y_c = lstm(tg.ones(7, 2, 3), sequence_lens=[7, 4])
    >>> Y.shape, Y_h.shape, Y_c.shape
    ((7, 1, 2, 5), (1, 2, 5), (1, 2, 5))
    """
    op_type = arguments.one_of("from_onnx: op_type", _text(op_type), tuple(GATES))
    for name in unknown:
        near = arguments.suggestion(name, inspect.signature(from_onnx).parameters) or "; leave it out"
        raise InputError(f"from_onnx: RNN, GRU and LSTM have no attribute {name}{near}")
    direction = arguments.one_of("from_onnx: direction", _text(direction), tuple(DIRECTIONS))
    directions = DIRECTIONS[direction]
    if isinstance(activations, list | tuple):
        activations = [_text(name) for name in activations]
    layout = _bit("layout", layout, "0 for (T, B, I) or 1 for (B, T, I)")
    if clip is not None:
        clip = arguments.number("from_onnx: clip", clip, "a positive number or None", lambda found: found > 0)
    used = act.read(op_type, len(directions), activations, activation_alpha, activation_beta)
    options = _options(op_type, linear_before_reset, input_forget, P is not None)
    weights = _weights(op_type, len(directions), hidden_size, {"W": W, "R": R, "B": B, "P": P})
    sizes = weights["W"].shape[2], weights["R"].shape[2]
    cells = []
    for k, each in enumerate(used):
        kind, settings = _cell(op_type, each, clip, options)
        cell = kind(*sizes, "B" in weights, dtype=weights["W"].dtype, device=device, **settings)
        cell.load_state_dict(_parameters(op_type, cell, {name: value[k] for name, value in weights.items()}))
        cells.append(cell)
    return OnnxRecurrent(op_type, cells, direction, layout)


def _text(value: Any) -> Any:
    """Return a text as it is, also where it comes as bytes: that is how ONNX's files have it."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _bit(name: str, value: Any, wanted: str = "0 or 1") -> int:
    return int(arguments.number(f"from_onnx: {name}", value, wanted, lambda found: found in (0, 1)))


def _options(op_type: str, linear_before_reset: Any, input_forget: Any, peepholes: bool) -> dict[str, bool]:
    """Return what only one of the operators has, and refuse it for the others."""
    found = {
        "linear_before_reset": bool(_bit("linear_before_reset", linear_before_reset)),
        "input_forget": bool(_bit("input_forget", input_forget)),
        "P": peepholes,
    }
    for name, owner in (("linear_before_reset", "GRU"), ("input_forget", "LSTM"), ("P", "LSTM")):
        if found[name] and op_type != owner:
            raise InputError(f"from_onnx: only {owner} has {name}; leave it out for {op_type}")
    return found


def _weights(op_type: str, directions: int, hidden_size: Any, given: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the weights as arrays, without those that are None."""
    found = {name: weights_of(f"from_onnx: {name}", value) for name, value in given.items() if value is not None}
    for name in ("W", "R"):
        if name not in found or found[name].ndim != 3 or not found[name].size:
            seen = f"of shape {found[name].shape}" if name in found else "None"
            raise ShapeError(f"from_onnx: {name} must have 3 axes (directions, rows, columns), and is {seen}")
    inputs, H = found["W"].shape[2], found["R"].shape[2]
    if hidden_size is not None and arguments.whole("from_onnx: hidden_size", hidden_size) != H:
        raise ShapeError(f"from_onnx: hidden_size is {hidden_size}, but R of shape {found['R'].shape} has {H} columns")
    gates = len(GATES[op_type])
    shapes = {"W": (gates * H, inputs), "R": (gates * H, H), "B": (2 * gates * H,), "P": (3 * H,)}
    for name, value in found.items():
        if value.shape != (directions, *shapes[name]):
            raise ShapeError(
                f"from_onnx: the {name} of {op_type} with {directions} direction(s), hidden_size {H} and input size "
                f"{inputs} must have shape {(directions, *shapes[name])}, not {value.shape}"
            )
        if value.dtype != found["W"].dtype:
            raise DTypeError(f"from_onnx: {name} is {value.dtype} and W is {found['W'].dtype}; convert one of them")
    return found


def _cell(
    op_type: str, used: tuple[act.Activation, ...], clip: float | None, options: dict[str, bool]
) -> tuple[type[Cell], dict[str, Any]]:
    """Return the class of a cell, and its options."""
    names = tuple(each.name for each in used)
    settings: dict[str, Any] = {"activations": used, "clip": clip}
    if op_type == "RNN":
        plain = clip is None and names[0] in NONLINEARITIES
        return (RNNCell, {"nonlinearity": NONLINEARITIES[names[0]]}) if plain else (OnnxRNNCell, settings)
    plain = clip is None and names == act.DEFAULTS[op_type]
    if op_type == "GRU":
        reset = {"reset": "after" if options["linear_before_reset"] else "before"}
        return (GRUCell, reset) if plain else (OnnxGRUCell, settings | reset)
    coupled, peepholes = options["input_forget"], options["P"]
    if not plain:
        return OnnxCoupledLSTMCell if coupled else OnnxLSTMCell, settings | {"peepholes": peepholes}
    return {
        (False, False): LSTMCell, (False, True): PeepholeLSTMCell, (True, False): CoupledLSTMCell,
        (True, True): CIFGCell,
    }[coupled, peepholes], {}  # fmt: skip


def _parameters(op_type: str, cell: Cell, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the parameters of a cell, by its names and in its order of rows, from the weights of one direction."""
    rows = cell.gate_names[: cell.gates] or GATES[op_type]

    def ordered(values: np.ndarray) -> np.ndarray:
        """Return the rows in the order of the cell."""
        blocks = dict(zip(GATES[op_type], np.split(values, len(GATES[op_type])), strict=True))
        return np.concatenate([blocks[gate] for gate in rows])

    found = {"weight_ih": ordered(weights["W"]), "weight_hh": ordered(weights["R"])}
    if "B" in weights:
        found["bias_ih"], found["bias_hh"] = map(ordered, np.split(weights["B"], 2))
    if "P" in weights:
        peepholes = dict(zip(PEEPHOLES, np.split(weights["P"], 3), strict=True))
        found |= {f"peephole_{gate}": peepholes[gate] for gate in PEEPHOLES if gate in rows}
    return found
