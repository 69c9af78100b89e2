"""Layers: modules with parameters, recurrent cells and networks, losses, initialisers."""

from typing import Any

from tinygrad_rnn.engine.names import no_such_name
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.activations import (
    ELU,
    GELU,
    Hardsigmoid,
    Identity,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from tinygrad_rnn.nn.attention import Attention, AttentionalVector, SoftAttention
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
    Remedy,
    RNNCell,
    parse_cell,
)
from tinygrad_rnn.nn.keras import from_keras, to_keras
from tinygrad_rnn.nn.layers import Dropout, Embedding, LayerNorm, Linear, Maxout
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
from tinygrad_rnn.nn.onnx import OnnxNode, OnnxRecurrent, from_onnx, to_onnx
from tinygrad_rnn.nn.recurrent import Recurrent
from tinygrad_rnn.nn.rnn import GRU, LSTM, RNN
from tinygrad_rnn.nn.sequence import unroll
from tinygrad_rnn.nn.shapes import Decoder, EncoderDecoder, InitialState, Many2Many, Many2One, One2Many, last_output

__all__ = [
    "CELLS", "ELU", "GELU", "GRU", "LSTM", "RNN", "Attention", "AttentionalVector", "BCEWithLogitsLoss", "CIFGCell",
    "CarouselCell", "Cell", "CellEntry", "CellSpec", "CoupledLSTMCell", "CrossEntropyLoss", "Decoder", "Dropout",
    "Embedding", "EncoderDecoder", "FGRCell", "FullPeepholeLSTMCell", "GRUCell", "GatesFromInputCell", "GridLSTMCell",
    "Hardsigmoid", "HuberLoss", "Identity", "InitialState", "JoinedLSTMCell", "JoinedRNNCell", "L1Loss", "LSTM97Cell",
    "LSTM97NOGCell", "LSTMCell", "LayerNorm", "LayerNormLSTMCell", "LeakyReLU", "Linear", "LogSoftmax", "MGUCell",
    "MSELoss", "Many2Many", "Many2One", "Maxout", "Module", "ModuleDict", "ModuleList", "NFGCell", "NIAFCell",
    "NIGCell", "NLLLoss", "NOAFCell", "NOGCell", "One2Many", "OnnxNode", "OnnxRecurrent", "PReLU", "Parameter",
    "PeepholeLSTMCell", "RNNCell", "ReLU", "Recurrent", "Remedy", "Sequential", "Sigmoid", "SmoothL1Loss",
    "SoftAttention", "Softmax", "Softplus", "Tanh", "from_keras", "from_onnx", "init", "last_output", "parse_cell",
    "to_keras", "to_onnx", "unroll",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name, __all__)


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
