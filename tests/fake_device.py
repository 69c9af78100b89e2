"""A second device for tests that no GPU is needed for: NumPy in disguise, which NumPy itself cannot touch.

Its arrays refuse to become NumPy arrays, its kernels refuse arrays that are not its own, and it counts how often
somebody looks at a value: on a GPU each time would wait for all that was computed before.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import reference

KERNELS = (
    "add_into", "argmax", "binary", "broadcast_to", "cast", "concat", "copy", "cumsum", "fill", "getitem", "layer_norm",
    "layer_norm_grad", "length",
    "matmul", "permute", "put_slices", "random", "reduce", "reshape", "unary", "where", "write",
)  # fmt: skip


class FakeArray:
    """An array of the fake device: shape, strides and dtype can be seen, values cannot."""

    __array_ufunc__ = None

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory

    @property
    def shape(self):
        return self.memory.shape

    @property
    def strides(self):
        return self.memory.strides

    @property
    def ndim(self):
        return self.memory.ndim

    @property
    def size(self):
        return self.memory.size

    @property
    def dtype(self):
        return self.memory.dtype

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("NumPy was handed an array of the fake device")


class FakeDevice(ModuleType):
    """The backend: the kernels of `reference`, for FakeArrays alone.

    Attributes:
        reads: how often values were looked at.
    """

    name = "fake"
    device = "cuda"

    def __init__(self) -> None:
        super().__init__("fake")
        self.reads = 0
        for kernel in KERNELS:
            setattr(self, kernel, self._wrapped(kernel))

    def _wrapped(self, kernel):
        compute = getattr(reference, kernel)

        def call(*args):
            found = compute(*[inside(arg) for arg in args])
            if isinstance(found, tuple):
                return tuple([FakeArray(array) for array in found])
            return found if found is None else FakeArray(np.asarray(found))

        return call

    def from_numpy(self, array):
        assert isinstance(array, np.ndarray)
        return FakeArray(np.array(array, order="C"))

    def to_numpy(self, x):
        self.reads += 1
        return inside(x).copy()

    Array = FakeArray

    def shares_memory(self, a, b):
        return reference.shares_memory(inside(a), inside(b))

    def all_finite(self, x):
        self.reads += 1
        return reference.all_finite(inside(x))

    def norm(self, x):
        self.reads += 1
        return reference.norm(inside(x))

    def gather(self, x, index, axis):
        """Like the kernel of a GPU: nobody has checked the positions, and those outside give NaN or 0."""
        x, index = inside(x), inside(index)
        fine = in_range(index, x.shape[axis])
        found = np.take(x, np.where(fine, index, 0), axis)
        places = fine.reshape(index.shape + (1,) * (x.ndim - axis - 1))
        return FakeArray(np.where(places, found, x.dtype.type(np.nan if dtypes.is_float(x.dtype) else 0)))

    def scatter_add(self, source, index, axis, size):
        """Like the kernel of a GPU: what belongs outside is left out."""
        source, index = inside(source), inside(index)
        fine = in_range(index, size)
        kept = np.where(fine.reshape(index.shape + (1,) * (source.ndim - axis - index.ndim)), source, 0)
        return FakeArray(reference.scatter_add(kept.astype(source.dtype), np.where(fine, index, 0), axis, size))


def in_range(index, size):
    return (index >= -size) & (index < size)


def inside(value):
    """Return an argument of a kernel as `reference` takes it; an array of another device is an error."""
    assert not isinstance(value, np.ndarray), "a NumPy array reached a kernel of the fake device"
    if isinstance(value, FakeArray):
        return value.memory
    if isinstance(value, tuple | list) and any(isinstance(part, FakeArray | np.ndarray) for part in value):
        return [inside(part) for part in value]
    return value
