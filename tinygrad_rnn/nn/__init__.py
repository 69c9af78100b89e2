"""Layers: modules with parameters, recurrent cells and networks, losses, initialisers."""

from typing import Any

from tinygrad_rnn.engine.names import no_such_name
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.cells import (
    CELLS,
    CarouselCell,
    Cell,
    CellEntry,
    CellSpec,
    CIFGCell,
    CoupledLSTMCell,
    FGRCell,
    FullPeepholeLSTMCell,
    GatesFromInputCell,
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
    Remedy,
    RNNCell,
    parse_cell,
)
from tinygrad_rnn.nn.layers import Dropout, Embedding, LayerNorm, Linear, ReLU, Sigmoid, Tanh
from tinygrad_rnn.nn.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from tinygrad_rnn.nn.module import Module, ModuleDict, ModuleList, Parameter, Sequential
from tinygrad_rnn.nn.recurrent import GRU, LSTM, RNN, Recurrent, unroll

__all__ = [
    "CELLS", "GRU", "LSTM", "RNN", "BCEWithLogitsLoss", "CIFGCell", "CarouselCell", "Cell", "CellEntry", "CellSpec",
    "CoupledLSTMCell", "CrossEntropyLoss", "Dropout", "Embedding", "FGRCell", "FullPeepholeLSTMCell", "GRUCell",
    "GatesFromInputCell", "HuberLoss", "JoinedLSTMCell", "JoinedRNNCell", "L1Loss", "LSTM97Cell", "LSTM97NOGCell",
    "LSTMCell", "LayerNorm", "LayerNormLSTMCell", "Linear", "MGUCell", "MSELoss", "Module", "ModuleDict", "ModuleList",
    "NFGCell", "NIAFCell", "NIGCell", "NLLLoss", "NOAFCell", "NOGCell", "Parameter", "PeepholeLSTMCell", "RNNCell",
    "ReLU", "Recurrent", "Remedy", "Sequential", "Sigmoid", "SmoothL1Loss", "Tanh", "init", "parse_cell", "unroll",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name, __all__)


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
