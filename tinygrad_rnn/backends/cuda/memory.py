"""Device memory that is kept for its next owner: asking the driver for memory stops the GPU, asking here does not.

All work runs on one stream, in order. So memory can be handed out again the moment its last array is gone, although
kernels that read it may still be waiting for their turn: whoever writes it next stands behind them in the queue.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_rnn.backends.cuda import driver
from tinygrad_rnn.errors import OutOfMemoryError


class FreeList(list[Any]):
    """Memory of one size that no array uses."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size


class Block:
    """A piece of device memory, given back to its free list when the last array in it is gone."""

    __slots__ = ("_home", "memory")

    def __init__(self, memory: Any, home: FreeList) -> None:
        self.memory = memory
        self._home = home

    def __del__(self) -> None:
        self._home.append(self.memory)  # list.append is atomic: any thread may drop an array


class Pool:
    """Free lists by size class, and who is served from which."""

    def __init__(self) -> None:
        self._lists: dict[int, FreeList] = {}  # by size class
        self._serving: dict[int, FreeList] = {}  # by bytes asked for
        self.reserved = 0  # bytes asked of the driver and not returned to it
        #: Fill memory with NaN before it is handed out: a kernel that leaves an element unwritten shows.
        self.poison = driver.simulated

    def take(self, nbytes: int) -> Block:
        """Return a block of at least this many bytes; its contents are undefined.

        Raises:
            OutOfMemoryError: neither the pool nor the driver has that much. What was allocated before stays valid.
        """
        waiting = self._serving.get(nbytes)
        if waiting is None:
            size = _rounded(nbytes, driver.device().granularity)
            waiting = self._serving[nbytes] = self._lists.setdefault(size, FreeList(size))
        memory = _popped(waiting)
        if memory is None:
            memory = self._fresh(waiting.size)
        if self.poison:
            driver.device().poison(memory, waiting.size)
        return Block(memory, waiting)

    def _fresh(self, size: int) -> Any:
        device = driver.device()
        memory = device.allocate(size)
        if memory is None:
            self.empty()  # what lies unused here may be what is missing there
            memory = device.allocate(size)
        if memory is None:
            raise OutOfMemoryError(
                f"the GPU has no room for {size / 2**20:.1f} MiB more: tensors of this process hold "
                f"{self.reserved / 2**20:.1f} MiB, and {device.memory_text()}. Use a smaller batch, fewer steps or a "
                "smaller model, or drop tensors that are no longer needed"
            )
        self.reserved += size
        return memory

    def empty(self) -> None:
        """Return all memory that no array uses to the driver."""
        unused = []
        for waiting in list(self._lists.values()):
            while (memory := _popped(waiting)) is not None:
                unused.append((memory, waiting.size))
        device = driver.device()
        device.synchronize()  # kernels that use it may still be queued
        for memory, size in unused:
            device.free(memory)
            self.reserved -= size

    @property
    def unused(self) -> int:
        """How many bytes lie here for the next who asks."""
        return sum(waiting.size * len(waiting) for waiting in list(self._lists.values()))


def _popped(waiting: FreeList) -> Any:
    """Take memory from a free list; None if another thread was faster, or it is empty."""
    try:
        return waiting.pop()
    except IndexError:
        return None


def _rounded(nbytes: int, granularity: int) -> int:
    """Return the size class of an allocation: up to 1/8 more than asked, so that similar sizes share their memory."""
    step = granularity if driver.simulated else max(granularity, 1 << max(0, nbytes.bit_length() - 4))
    return max(step, math.ceil(nbytes / step) * step)


pool = Pool()


def upload(array: np.ndarray) -> Block:
    """Return a block with the bytes of a C-contiguous array."""
    block = pool.take(array.nbytes)
    if array.nbytes:
        driver.device().upload(block.memory, array)
    return block


def download(block: Block, start: int, array: np.ndarray) -> None:
    """Fill a C-contiguous array with the bytes of a block from a position on; waits for the GPU."""
    if array.nbytes:
        driver.device().download(block.memory, start, array)
