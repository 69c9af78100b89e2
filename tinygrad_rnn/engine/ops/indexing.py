"""Reading and adding at integer positions, and random numbers."""

from __future__ import annotations

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.graph import Op


class Take(Op):
    """Slices of x along an axis at int64 positions (an embedding takes rows); negative ones count from the end.

    All are in range. On a GPU nobody has looked: a position outside gives NaN or 0, and its gradient is dropped.
    """

    @staticmethod
    def forward(backend, x, index, *, axis):
        return backend.gather(x, index, axis)

    @staticmethod
    def vjp(node, g):
        axis = node.attrs["axis"]
        return g._scatter_add(node.input(1), axis, node.input_shape(0)[axis]), None


class ScatterAdd(Op):
    """The transpose of `Take`: zeros of `size` along the axis, to which slices are added at the positions."""

    name = "scatter_add"

    @staticmethod
    def forward(backend, source, index, *, axis, size):
        return backend.scatter_add(source, index, axis, size)

    @staticmethod
    def vjp(node, g):
        return g._take(node.input(1), node.attrs["axis"]), None


class Random(Op):
    """Uniform or normal numbers as a pure function of two 0-d int64 tensors, seed and counter (Philox4x32-10)."""

    differentiable = False

    @staticmethod
    def forward(backend, seed, counter, *, kind, shape, dtype):
        return backend.random(kind, seed, counter, shape, dtypes.resolve(dtype))
