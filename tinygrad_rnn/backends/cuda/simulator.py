"""Numba's CUDA simulator as a device: memory is NumPy arrays, and every thread of a kernel a thread of Python."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from numba.cuda.simulator import kernelapi

from tinygrad_rnn.backends import locks
from tinygrad_rnn.backends.cuda.toolkit import cuda


class Simulator:
    """The same methods as `Gpu`."""

    name = "Numba's CUDA simulator on the CPU"
    multiprocessors = 1
    granularity = 8  # of an allocation in bytes: the less slack, the more stray indices are noticed

    def __init__(self) -> None:
        self._one_at_a_time = locks.lock()  # the simulator runs a single kernel

    def allocate(self, nbytes: int) -> Any:
        """Return new memory."""
        return cuda.device_array(nbytes, np.uint8)

    def memory_text(self) -> str:
        """Return how much memory there is, for errors."""
        return "the simulator uses the memory of the CPU"

    def free(self, memory: Any) -> None:
        """Leave it to Python."""

    def poison(self, memory: Any, nbytes: int) -> None:
        """Make every float in memory NaN."""
        memory[:] = 0xFF

    def upload(self, memory: Any, array: np.ndarray) -> None:
        """Copy a C-contiguous array to the start of memory."""
        memory[: array.nbytes] = array.reshape(-1).view(np.uint8)

    def download(self, memory: Any, start: int, array: np.ndarray) -> None:
        """Fill a C-contiguous array from memory at a byte position."""
        array.reshape(-1).view(np.uint8)[...] = memory[start : start + array.nbytes].copy_to_host()

    def synchronize(self) -> None:
        """Return at once: a simulated launch returns when it is done."""

    def compile(self, function: Any, signature: Any) -> Any:
        """Return what `launch` takes; the simulator does not look at types."""
        return cuda.jit(function)

    def launch(self, kernel: Any, blocks: Any, threads: Any, arguments: tuple[Any, ...]) -> None:
        """Run a kernel."""
        for argument in arguments:  # what a GPU would be handed with another width
            if isinstance(argument, np.generic):
                raise TypeError(f"a kernel was given a NumPy {type(argument).__name__}; pass an int or a float")
        with self._one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's scalars warn where a GPU computes on: 1 / 0, int64 overflow
            before = sys.getswitchinterval()
            sys.setswitchinterval(5e-6)  # threads wait by asking again and again: let them not ask for 5 ms
            try:
                kernel[blocks, threads](*arguments)
            finally:
                sys.setswitchinterval(before)


_numbas_own = kernelapi.FakeCUDAShared.array


def _shared_array(self: Any, shape: Any, dtype: Any, *alignment: Any) -> Any:
    """Return the block's shared array of one source line, full of NaN.

    Numba looks whether the line has one, and then makes it: two threads that come together get one each.
    """
    if shape == 0 or not isinstance(dtype, type):  # not from a kernel of this package
        return _numbas_own(self, shape, dtype, *alignment)
    frame = sys._getframe(1)
    poisoned = np.full(int(np.prod(shape)) * np.dtype(dtype).itemsize, 0xFF, np.uint8).view(dtype).reshape(shape)
    return self._allocations.setdefault((frame.f_code, frame.f_lineno), poisoned)  # atomic: the first one stays


kernelapi.FakeCUDAShared.array = _shared_array  # type: ignore[method-assign]
