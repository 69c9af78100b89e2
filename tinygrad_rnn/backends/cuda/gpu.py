"""The first NVIDIA GPU: memory, copies and launches, on one stream, through NVIDIA's own Python bindings."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from cuda.bindings import driver as cu
from cuda.core import Device, LaunchConfig, launch

from tinygrad_rnn.backends import locks
from tinygrad_rnn.backends.cuda.toolkit import cuda
from tinygrad_rnn.errors import DeviceError, OutOfMemoryError

#: So many bytes may wait in pinned memory to be copied to the GPU before an upload waits for the oldest.
_MOST_IN_FLIGHT = 256 * 2**20
#: Larger arrays are copied in pieces, so that little memory of the CPU is locked.
_PIECE = 32 * 2**20
#: What the driver reports at some later call: a kernel went wrong, and the process has lost the GPU.
_OF_A_KERNEL = ("ILLEGAL_ADDRESS", "MISALIGNED_ADDRESS", "ILLEGAL_INSTRUCTION", "LAUNCH_FAILED", "LAUNCH_TIMEOUT")


def _call(function: Any, *arguments: Any) -> Any:
    """Call the driver; DeviceError if it reports one."""
    status, *results = function(*arguments)
    if status != cu.CUresult.CUDA_SUCCESS:
        raise _failed(function.__name__, status)
    return results[0] if results else None


def _allocated(function: Any, *arguments: Any) -> int | None:
    """Ask the driver for memory and return its address; None if there is no room."""
    status, pointer = function(*arguments)
    if status == cu.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
        return None
    if status != cu.CUresult.CUDA_SUCCESS:
        raise _failed(function.__name__, status)
    return int(pointer)


def _failed(what: str, status: Any) -> DeviceError:
    explained = cu.cuGetErrorString(status)[1]
    text = f"the GPU reported {status.name} ({explained.decode() if explained else 'no description'}) in {what}"
    if status.name.removeprefix("CUDA_ERROR_") in _OF_A_KERNEL:
        text += ". A kernel queued earlier is the cause; the GPU now refuses this process: start it anew"
    return DeviceError(text)


class _Attached(threading.local):
    """Makes the GPU's context current in each thread that uses it, once."""

    def __init__(self) -> None:
        self.context = cuda.current_context()
        Device(self.context.device.id).set_current()


class Gpu:
    """Everything below a kernel. Work is queued on one stream and runs in order."""

    granularity = 512  # of an allocation, in bytes

    def __init__(self) -> None:
        self._attached = _Attached()
        chosen = self._attached.context.device
        self.name = chosen.name.decode() if isinstance(chosen.name, bytes) else chosen.name
        self.multiprocessors: int = chosen.MULTIPROCESSOR_COUNT
        self.compute_capability: tuple[int, int] = tuple(chosen.compute_capability)
        self._stream = Device(chosen.id).create_stream()
        self._queue = cu.CUstream(int(self._stream.handle))
        self._staging = Staging(self._queue)

    def allocate(self, nbytes: int) -> int | None:
        """Return the address of new memory, or None if there is no room. This stops the GPU: see `memory.Pool`."""
        self._attached.context  # noqa: B018  (attaches the thread)
        return _allocated(cu.cuMemAlloc, nbytes)

    def free(self, memory: int) -> None:
        """Return memory to the driver; no kernel that uses it may still be queued."""
        _call(cu.cuMemFree, memory)

    def poison(self, memory: int, nbytes: int) -> None:
        """Make every float in memory NaN, in turn with the kernels."""
        self._attached.context  # noqa: B018
        _call(cu.cuMemsetD8Async, memory, 0xFF, nbytes, self._queue)

    def memory_text(self) -> str:
        """Return how much memory the whole GPU has, for errors."""
        status, free, total = cu.cuMemGetInfo()
        if status != cu.CUresult.CUDA_SUCCESS:
            return self.name
        return f"{free / 2**20:.0f} of {total / 2**20:.0f} MiB on {self.name} are free"

    def upload(self, memory: int, array: np.ndarray) -> None:
        """Copy a C-contiguous array to the start of memory, by way of pinned memory: returns before it is there."""
        self._attached.context  # noqa: B018
        source = array.reshape(-1).view(np.uint8)
        for at in range(0, array.nbytes, _PIECE):
            piece = source[at : at + _PIECE]
            with self._staging.taken(piece.size) as pinned:
                pinned.view[: piece.size] = piece
                _call(cu.cuMemcpyHtoDAsync, memory + at, pinned.pointer, piece.size, self._queue)

    def download(self, memory: int, start: int, array: np.ndarray) -> None:
        """Fill a C-contiguous array from memory at a byte position, after all that was queued before."""
        self._attached.context  # noqa: B018
        target = array.reshape(-1).view(np.uint8)
        for at in range(0, array.nbytes, _PIECE):
            piece = target[at : at + _PIECE]
            with self._staging.taken(piece.size) as pinned:
                _call(cu.cuMemcpyDtoHAsync, pinned.pointer, memory + start + at, piece.size, self._queue)
                self.synchronize()
                piece[...] = pinned.view[: piece.size]

    def synchronize(self) -> None:
        """Wait until everything queued is done."""
        self._attached.context  # noqa: B018
        _call(cu.cuStreamSynchronize, self._queue)

    def compile(self, function: Any, signature: Any) -> Any:
        """Compile a kernel for this GPU, or fetch it from Numba's cache on disk; returns what `launch` takes."""
        try:
            dispatcher = cuda.jit(signature, cache=True)(function)
        except RuntimeError:  # no folder to keep it in can be written
            dispatcher = cuda.jit(signature)(function)
        (compiled,) = dispatcher.overloads.values()
        compiled.bind()
        return compiled.library.get_cufunc().kernel  # kept: asking again costs seven times a launch

    def launch(self, kernel: Any, blocks: Any, threads: Any, arguments: tuple[Any, ...]) -> None:
        """Queue a kernel: pointers, ints and floats arrive as 8 bytes each.

        Numba's own kernel[blocks, threads](...) does the same in 17 us instead of 1.5: it looks up the context and
        the types of the arguments each time (measured on the CPU side alone).
        """
        self._attached.context  # noqa: B018
        try:
            launch(self._stream, _configuration(blocks, threads), kernel, *arguments)
        except Exception as error:  # cuda.core's error has no public name
            raise DeviceError(f"a kernel could not be launched with {blocks} blocks of {threads}: {error}") from error


@functools.lru_cache(maxsize=4096)
def _configuration(blocks: Any, threads: Any) -> LaunchConfig:
    return LaunchConfig(grid=blocks, block=threads)


class Pinned:
    """Memory of the CPU that the GPU copies from and to by itself, while Python goes on."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        pointer = _allocated(cu.cuMemHostAlloc, nbytes, 0)
        if pointer is None:
            raise OutOfMemoryError(
                f"the CPU has no {nbytes / 2**20:.1f} MiB of memory that can be locked for copies to and from the GPU"
            )
        self.pointer = pointer
        self.view = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(self.pointer))
        self.done = _call(cu.cuEventCreate, int(cu.CUevent_flags.CU_EVENT_DISABLE_TIMING))


class Staging:
    """Pinned buffers by size. One that was copied from is used again once the GPU has passed its event."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._lock = locks.lock()
        self._free: dict[int, list[Pinned]] = {}
        self._in_flight: deque[Pinned] = deque()
        self._waiting = 0

    @contextlib.contextmanager
    def taken(self, nbytes: int) -> Iterator[Pinned]:
        """Lend a buffer of at least this many bytes; afterwards it rests until all that was queued by then has run."""
        size = 1 << max(12, (nbytes - 1).bit_length())
        with self._lock:
            self._collect()
            waiting = self._free.get(size)
            pinned = waiting.pop() if waiting else Pinned(size)
        try:
            yield pinned
        finally:
            _call(cu.cuEventRecord, pinned.done, self._queue)
            with self._lock:
                self._in_flight.append(pinned)
                self._waiting += pinned.nbytes

    def _collect(self) -> None:
        while self._in_flight:
            oldest = self._in_flight[0]
            if self._waiting > _MOST_IN_FLIGHT:
                _call(cu.cuEventSynchronize, oldest.done)
            elif cu.cuEventQuery(oldest.done)[0] == cu.CUresult.CUDA_ERROR_NOT_READY:
                return
            self._in_flight.popleft()
            self._waiting -= oldest.nbytes
            self._free.setdefault(oldest.nbytes, []).append(oldest)
