"""The recurrent layers of this library, as operators RNN, GRU and LSTM of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.cells import (
    CarouselCell,
    Cell,
    CIFGCell,
    CoupledLSTMCell,
    FGRCell,
    FullPeepholeLSTMCell,
    GatesFromInputCell,
    GridLSTMCell,
    GRUCell,
    JoinedLSTMCell,
    JoinedRNNCell,
    LayerNormLSTMCell,
    LSTM97Cell,
    LSTM97NOGCell,
    LSTMCell,
    MGUCell,
    NFGCell,
    NIAFCell,
    NIGCell,
    NOAFCell,
    NOGCell,
    PeepholeLSTMCell,
    RNNCell,
)
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.nn.onnx import activations as act
from tinygrad_rnn.nn.onnx.activations import Activation
from tinygrad_rnn.nn.onnx.cells import OnnxCoupledLSTMCell, OnnxGRUCell, OnnxLSTMCell, OnnxRNNCell
from tinygrad_rnn.nn.onnx.reading import GATES, PEEPHOLES, OnnxRecurrent
from tinygrad_rnn.nn.recurrent import Recurrent

__all__ = ["OnnxNode", "to_onnx"]

#: The bias of a gate that is always open: sigmoid(50) is 1 in float32 and in float64.
OPEN = 50.0

#: Such an Affine is the identity.
IDENTITY = Activation("Affine", 1.0, 0.0)
SIGMOID, TANH = Activation("Sigmoid"), Activation("Tanh")
NONLINEARITIES = {"tanh": TANH, "relu": Activation("Relu"), "sigmoid": SIGMOID, "identity": IDENTITY}

#: The parameters that an operator has a place for.
PLACES = {"weight", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "peephole_i", "peephole_f", "peephole_o"}


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """An operator of ONNX with its weights.

    Attributes:
        op_type: "RNN", "GRU" or "LSTM".
        tensors: the inputs that are weights, by ONNX's names W, R, B and P; B and P only where there are any.
        attributes: by ONNX's names.

    `nn.from_onnx(node.op_type, **node.tensors, **node.attributes)` is a module that computes it, with tensors for what
    the operator takes and returns:

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> lstm, x = nn.LSTM(3, 5, bidirectional=True), tg.randn(7, 2, 3)
    >>> (node,) = nn.to_onnx(lstm)
    >>> list(node.tensors), node.attributes
    (['W', 'R', 'B'], {'hidden_size': 5, 'direction': 'bidirectional', 'layout': 0})
    >>> again = nn.from_onnx(node.op_type, **node.tensors, **node.attributes)
    >>> (Y, Y_h, Y_c), (output, (h_n, c_n)) = again(x), lstm(x)
    >>> Y.shape, bool((Y.permute(0, 2, 1, 3).reshape(7, 2, 10) == output).all()), bool((Y_c == c_n).all())
    ((7, 2, 2, 5), True, True)
    >>> (back,) = nn.to_onnx(again)
    >>> back.attributes == node.attributes, all((back.tensors[name] == node.tensors[name]).all() for name in "WRB")
    (True, True)

    `onnx.helper.make_node(node.op_type, inputs, outputs, **node.attributes)` makes a node for ONNX's own library.
    """

    op_type: str
    tensors: dict[str, np.ndarray]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class _Side:
    """A cell as one direction of an operator."""

    op_type: str
    tensors: dict[str, np.ndarray]
    activations: tuple[Activation, ...]
    attributes: dict[str, Any]


def to_onnx(module: Module, layout: int = 0) -> list[OnnxNode]:
    """Return the operators RNN, GRU or LSTM of ONNX (operator set 14 and later) that compute what a module computes.

    Args:
        module: an nn.RNN, nn.LSTM, nn.GRU or other nn.Recurrent, or what `from_onnx` returned. Its cells may be rnn,
            carousel, rnn_joined, lstm, lstm_joined, peephole, coupled, nig, nfg, nog, niaf, noaf, cifg, gru or mgu.
            Dropout, of any kind, is not part of an operator.
        layout: 0 if X of the operators is to be (T, B, I), 1 for (B, T, I), which some runtimes do not know.

    Returns:
        An operator for each layer. Between layers Y (T, D, B, H) has to become the next X (T, B, D*H).

    Raises:
        InputError: the module is none of these, or ONNX has no operator for its cells.

    >>> from tinygrad_rnn import nn
    >>> node, = nn.to_onnx(nn.Recurrent("gru:reset=before", 3, 5, bidirectional=True))
    >>> node.op_type, node.tensors["W"].shape, node.attributes["direction"]
    ('GRU', (2, 15, 3), 'bidirectional')
    """
    layout = int(arguments.number("to_onnx: layout", layout, "0 or 1", lambda found: found in (0, 1)))
    if isinstance(module, OnnxRecurrent):
        return [_node(list(module.cells), module.direction, layout)]
    if not isinstance(module, Recurrent):
        raise InputError(
            f"to_onnx: a {type(module).__name__} is no recurrent layer; pass an nn.RNN, nn.LSTM, nn.GRU or "
            "nn.Recurrent, for instance one that is a part of your model"
        )
    if module.zoneout:
        raise InputError(
            "to_onnx: ONNX has no operator with zoneout, by which a state keeps a share of the one before, also in "
            "evaluation; only a module made without it can be written"
        )
    sides = (False, True)[: module.directions]
    direction = "bidirectional" if module.bidirectional else "forward"
    return [
        _node([module.cell(layer, reverse) for reverse in sides], direction, layout)
        for layer in range(module.num_layers)
    ]


def _node(cells: Sequence[Cell], direction: str, layout: int) -> OnnxNode:
    sides = []
    for cell in cells:
        if type(cell) not in CELLS:
            reason = REASONS.get(type(cell), "it is another one than RNN, GRU and LSTM")
            raise InputError(f"to_onnx: ONNX has no operator for {type(cell).__name__}: {reason}")
        if extra := sorted({name for name, _ in cell.named_parameters()} - PLACES):
            raise InputError(f"to_onnx: ONNX's operators have no place for {', '.join(extra)} of {type(cell).__name__}")
        sides.append(CELLS[type(cell)](cell))
    first = sides[0]
    return OnnxNode(
        first.op_type,
        {name: np.stack([side.tensors[name] for side in sides]) for name in first.tensors},
        {"hidden_size": cells[0].hidden_size, "direction": direction, "layout": layout}
        | first.attributes
        | act.lists(first.op_type, [side.activations for side in sides]),
    )


# ---- one direction of an operator from a cell ------------------------------------------------------------------------

#: Where a gate of an operator comes from: the rows of a gate of the cell, times a factor; or a constant bias alone.
Source = tuple[str, float] | float


def _side(
    op_type: str,
    cell: Cell,
    activations: tuple[Activation, ...],
    attributes: dict[str, Any],
    **sources: Source,
) -> _Side:
    """Return an operator whose gates are those of the cell of the same name, unless a source is given."""
    own = cell.gate_names[: cell.gates] or GATES[op_type]
    wanted: list[Source] = [sources.get(gate, (gate, 1.0)) for gate in GATES[op_type]]

    def rows(parameter: np.ndarray, constants: bool = False) -> np.ndarray:
        """Return the rows of a parameter of the cell in the operator's order."""
        blocks = dict(zip(own, np.split(parameter, len(own)), strict=True))
        found = []
        for source in wanted:
            if isinstance(source, tuple):
                found.append(blocks[source[0]] * np.asarray(source[1], parameter.dtype))
            else:
                found.append(np.full_like(blocks[own[0]], source if constants else 0.0))
        return np.concatenate(found)

    W = _values(cell.weight_ih)
    none = np.zeros(len(W), W.dtype)
    tensors = {"W": rows(W), "R": rows(_recurrent(cell, W))}
    if cell.bias_ih is not None or any(source == OPEN for source in wanted):
        biases = [none if bias is None else _values(bias) for bias in (cell.bias_ih, cell.bias_hh)]
        tensors["B"] = np.concatenate([rows(biases[0], constants=True), rows(biases[1])])
    peepholes = [getattr(cell, f"peephole_{gate}", None) for gate in PEEPHOLES]
    if any(peephole is not None for peephole in peepholes):
        zeros = np.zeros(cell.hidden_size, W.dtype)
        tensors["P"] = np.concatenate([zeros if peephole is None else _values(peephole) for peephole in peepholes])
    return _Side(op_type, tensors, activations, attributes)


def _values(parameter: Tensor) -> np.ndarray:
    return parameter.detach().to("cpu").numpy()


def _recurrent(cell: Cell, W: np.ndarray) -> np.ndarray:
    return np.eye(cell.hidden_size, dtype=W.dtype) if isinstance(cell, CarouselCell) else _values(cell.weight_hh)


def _rnn(cell: Any) -> _Side:
    return _side("RNN", cell, (NONLINEARITIES[cell.nonlinearity],), {})


def _carousel(cell: Any) -> _Side:
    return _side("RNN", cell, (IDENTITY,), {})


def _gru(cell: Any) -> _Side:
    sources: dict[str, Source] = {"z": ("z", -1.0)} if cell.update == "renew" else {}
    return _side("GRU", cell, (SIGMOID, TANH), {"linear_before_reset": int(cell.reset == "after")}, **sources)


def _mgu(cell: Any) -> _Side:
    return _side("GRU", cell, (SIGMOID, TANH), {"linear_before_reset": 0}, z=("f", -1.0), r=("f", 1.0))


def _lstm(cell: Any, candidate: Activation = TANH, output: Activation = TANH, **sources: Source) -> _Side:
    return _side("LSTM", cell, (SIGMOID, candidate, output), {}, **sources)


def _coupled(cell: Any) -> _Side:
    return _side("LSTM", cell, (SIGMOID, TANH, TANH), {"input_forget": 1}, f=0.0)


def _read(op_type: str, cell: Any) -> _Side:
    """Return the operator that a cell with options of ONNX was read from."""
    attributes: dict[str, Any] = {} if cell.clip is None else {"clip": cell.clip}
    sources: dict[str, Source] = {}
    if op_type == "GRU":
        attributes["linear_before_reset"] = int(cell.reset == "after")
    if isinstance(cell, OnnxCoupledLSTMCell):
        attributes["input_forget"], sources["f"] = 1, 0.0
    return _side(op_type, cell, cell.activations, attributes, **sources)


#: How each cell is an operator. Subclasses are not looked for: their steps may be others.
CELLS: dict[type[Cell], Callable[[Any], _Side]] = {
    RNNCell: _rnn,
    JoinedRNNCell: _rnn,
    CarouselCell: _carousel,
    GRUCell: _gru,
    MGUCell: _mgu,
    LSTMCell: _lstm,
    JoinedLSTMCell: _lstm,
    PeepholeLSTMCell: _lstm,
    NIGCell: partial(_lstm, i=OPEN),
    NFGCell: partial(_lstm, f=OPEN),
    NOGCell: partial(_lstm, o=OPEN),
    NIAFCell: partial(_lstm, candidate=IDENTITY),
    NOAFCell: partial(_lstm, output=IDENTITY),
    CoupledLSTMCell: _coupled,
    CIFGCell: _coupled,
    OnnxRNNCell: partial(_read, "RNN"),
    OnnxGRUCell: partial(_read, "GRU"),
    OnnxLSTMCell: partial(_read, "LSTM"),
    OnnxCoupledLSTMCell: partial(_read, "LSTM"),
}

#: Why there is no operator for others.
REASONS: dict[type[Cell], str] = {
    FGRCell: "its gates see the gates of the last step",
    GridLSTMCell: "it has a second memory along the layers, and both of its vectors are the output",
    FullPeepholeLSTMCell: "its peepholes are whole matrices, and ONNX's are diagonal",
    GatesFromInputCell: "it has no weights for a candidate",
    LayerNormLSTMCell: "it has layer normalisation inside the step",
    LSTM97Cell: "its gates see gates, and a block of cells shares them",
    LSTM97NOGCell: "its gates see gates, and a block of cells shares them",
}
