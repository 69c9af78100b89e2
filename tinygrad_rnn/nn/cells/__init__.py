"""Recurrent cells, a file for each family, and the table of them."""

from tinygrad_rnn.nn.cells.base import Cell, State, check_state
from tinygrad_rnn.nn.cells.elman import CarouselCell, RNNCell
from tinygrad_rnn.nn.cells.gates_from_input import GatesFromInputCell
from tinygrad_rnn.nn.cells.greff import (
    CIFGCell,
    CoupledLSTMCell,
    FGRCell,
    NFGCell,
    NIAFCell,
    NIGCell,
    NOAFCell,
    NOGCell,
)
from tinygrad_rnn.nn.cells.grid import GridLSTMCell
from tinygrad_rnn.nn.cells.gru import GRUCell, MGUCell
from tinygrad_rnn.nn.cells.joined import JoinedLSTMCell, JoinedRNNCell
from tinygrad_rnn.nn.cells.layernorm import LayerNormLSTMCell
from tinygrad_rnn.nn.cells.lstm import LSTMCell
from tinygrad_rnn.nn.cells.lstm97 import LSTM97Cell, LSTM97NOGCell
from tinygrad_rnn.nn.cells.peephole import FullPeepholeLSTMCell, PeepholeLSTMCell
from tinygrad_rnn.nn.cells.remedies import Remedy
from tinygrad_rnn.nn.cells.table import CELLS, CellEntry, CellSpec, cell_class, cells_like, parse_cell

__all__ = [
    "CELLS", "CIFGCell", "CarouselCell", "Cell", "CellEntry", "CellSpec", "CoupledLSTMCell", "FGRCell",
    "FullPeepholeLSTMCell", "GRUCell", "GatesFromInputCell", "GridLSTMCell", "JoinedLSTMCell", "JoinedRNNCell",
    "LSTM97Cell", "LSTM97NOGCell", "LSTMCell", "LayerNormLSTMCell", "MGUCell", "NFGCell", "NIAFCell", "NIGCell",
    "NOAFCell", "NOGCell", "PeepholeLSTMCell", "RNNCell", "Remedy", "State", "cell_class", "cells_like", "check_state",
    "parse_cell",
]  # fmt: skip
