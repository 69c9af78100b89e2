"""The CUDA backend: the same kernels as `reference.py`, written with numba.cuda for an NVIDIA GPU.

Kernels are queued on one stream and run in order. Only `to_numpy`, `all_finite` and `norm`, whose results are read on
the CPU, wait for them; and memory that has to be asked of the driver.
"""

from tinygrad_rnn.backends.cuda.array import Array, broadcast_to, from_numpy, getitem, permute, shares_memory
from tinygrad_rnn.backends.cuda.elementwise import add_into, binary, cast, copy, fill, unary, where, write
from tinygrad_rnn.backends.cuda.indexing import gather, scatter_add
from tinygrad_rnn.backends.cuda.movement import concat, put_slices, reshape, to_numpy
from tinygrad_rnn.backends.cuda.normalising import layer_norm, layer_norm_grad
from tinygrad_rnn.backends.cuda.philox import random
from tinygrad_rnn.backends.cuda.products import matmul
from tinygrad_rnn.backends.cuda.reductions import all_finite, argmax, cumsum, length, norm, reduce

__all__ = [
    "Array",
    "add_into",
    "all_finite",
    "argmax",
    "binary",
    "broadcast_to",
    "cast",
    "concat",
    "copy",
    "cumsum",
    "device",
    "fill",
    "from_numpy",
    "gather",
    "getitem",
    "layer_norm",
    "layer_norm_grad",
    "length",
    "matmul",
    "name",
    "norm",
    "permute",
    "put_slices",
    "random",
    "reduce",
    "reshape",
    "scatter_add",
    "shares_memory",
    "to_numpy",
    "unary",
    "where",
    "write",
]

name = "cuda"
device = "cuda"
