"""ONNX's operators RNN, GRU and LSTM, as modules that learn, and the layers of this library as such operators.

The package onnx is not needed: operators come and go as arrays and attributes.
"""

from tinygrad_rnn.nn.onnx.reading import OnnxRecurrent, from_onnx
from tinygrad_rnn.nn.onnx.writing import OnnxNode, to_onnx

__all__ = ["OnnxNode", "OnnxRecurrent", "from_onnx", "to_onnx"]
