"""A GPU that is none: numba.cuda's simulator, in which the threads of a block run one at a time, in a chosen order.

Nothing is to be written in this file; `launch`, at the end, is what the checks call. On a GPU the threads of a block run
in any order, and a missing barrier shows now and then. Here a thread runs until it comes to a barrier or to its end,
then the next one does: whoever relies on what another thread has not done yet is wrong every time. Memory is watched:
an index outside of an array is an error, reads of the arrays are counted, and shared memory begins as NaN.
"""

import sys
import threading

import numba
import numpy as np

numba.config.ENABLE_CUDASIM = 1  # before numba.cuda is imported

from calling import told
from numba import cuda
from numba.cuda.simulator import kernel, kernelapi

__all__ = ["cuda", "launch"]


class Memory:
    """An array as a kernel has it: one number at a time, by as many indices as it has axes."""

    def __init__(self, name, array):
        self.name, self.array, self.loads = name, array, 0
        self.shape, self.size, self.ndim, self.dtype = array.shape, array.size, array.ndim, array.dtype

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        self.loads += 1
        return self.array[self.inside(index)]

    def __setitem__(self, index, value):
        self.array[self.inside(index)] = value

    def inside(self, index):
        """Return the index.

        Raises:
            TypeError: it is not one whole number for each axis.
            IndexError: there is no such number in the array.
        """
        numbers = index if isinstance(index, tuple) else (index,)
        told = f"{self.name}[{', '.join(map(str, numbers))}]"
        if len(numbers) != self.ndim or not all(isinstance(each, (int, np.integer)) for each in numbers):
            raise TypeError(f"{told}: a thread reads and writes single numbers, by {self.ndim} whole numbers here")
        if not all(0 <= each < length for each, length in zip(numbers, self.shape)):
            raise IndexError(f"{told} is outside of {self.name}, whose shape is {self.shape}; {who()}")
        return index


def who():
    """Return which thread is running, in words."""
    thread = threading.current_thread()
    block, place = thread.blockIdx, thread.threadIdx
    return f"in the thread x = {place.x}, y = {place.y} of the block x = {block.x}, y = {block.y}"


class Shared(kernelapi.FakeCUDAShared):
    """The shared memory of a block. As in Numba's simulator, arrays are told apart by the line that asks for them."""

    def array(self, shape, dtype):
        line = sys._getframe(1).f_lineno
        if line not in self._allocations:
            dtype = np.dtype(str(dtype)) if isinstance(dtype, numba.types.Type) else np.dtype(dtype)
            self._allocations[line] = Memory(
                "a shared array", np.full(shape, np.nan if dtype.kind == "f" else 77, dtype)
            )
        return self._allocations[line]


class Thread(kernel.BlockThread):
    """A thread that runs in its turn, until it waits or ends."""

    def __init__(self, work, block, blockIdx, threadIdx):
        super().__init__(work, block, blockIdx, threadIdx, debug=False)
        self.mine, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.work, self.ended = work, False

    def turn(self):
        """Let it run on; return when it waits at a barrier, or has ended."""
        if self.ident is None:
            self.start()
        self.mine.release()
        self.back.acquire()
        if self.ended:
            self.join()

    def run(self):
        self.mine.acquire()
        try:
            self.work()
        except BaseException as error:
            self.exception = error
        self.ended = True
        self.back.release()

    def syncthreads(self):
        """Wait until all threads of the block have come here.

        Raises:
            RuntimeError: another thread has failed, and this one is to end.
        """
        self.back.release()
        self.mine.acquire()
        if self.abort:
            raise RuntimeError("another thread of the block has failed")


class Block(kernel.BlockManager):
    """A block of threads: from barrier to barrier each has one turn."""

    order = 0

    def run(self, place, *arguments):
        """Run the threads of one block.

        Raises:
            RuntimeError: some threads end while others wait at a barrier.
            BaseException: what the first thread raises that fails.
        """
        kernel._get_kernel_context().shared._allocations.clear()
        threads = [Thread(lambda: self._f(*arguments), self, place, each) for each in np.ndindex(*self._block_dim)]
        draw = np.random.default_rng(Block.order)
        while not all(each.ended for each in threads):
            turns = threads if Block.order == 0 else threads[::-1] if Block.order == 1 else draw.permutation(threads)
            for each in turns:
                each.turn()
                if each.exception:
                    self.end(threads)
                    raise each.exception
            ended = sum(each.ended for each in threads)
            if 0 < ended < len(threads):
                self.end(threads)
                raise RuntimeError(
                    f"{ended} of the {len(threads)} threads of a block end while the others wait at cuda.syncthreads(): "
                    "every thread has to come to every barrier, also one whose row or column is outside"
                )

    def end(self, threads):
        """End the threads that wait."""
        for each in threads:
            each.abort = True
            while each.ident is not None and not each.ended:
                each.turn()


kernel.BlockManager, kernelapi.FakeCUDAShared, kernel.FakeCUDAShared = Block, Shared, Shared


def launch(function, blocks, threads, *arguments, order=0):
    """Run a kernel; return a list of the arrays as they are afterwards, and one of how often each was read.

    Args:
        function: the kernel.
        blocks: how many blocks in x, or in (x, y).
        threads: how many threads a block has in x, or in (x, y).
        arguments: the arrays that it gets; those outside stay as they are.
        order: in which order the threads of a block have their turns: 0 as they are numbered, 1 the other way round,
            any other number: drawn, from barrier to barrier anew.

    Raises:
        TypeError: Numba cannot compile a function that the kernel calls.
    """
    names = function.py_func.__code__.co_varnames
    memories = [Memory(name, np.array(array)) for name, array in zip(names, arguments)]
    Block.order = order
    try:
        function[blocks, threads](*memories)
    except numba.core.errors.NumbaError as error:
        whole = "Memory" in str(error)
        words = "a compiled function takes single numbers from a kernel: x[i], not x" if whole else told(error)
        place, error = error.__traceback__, TypeError(words)
        error.__traceback__ = place
        raise error from None
    return [each.array for each in memories], [each.loads for each in memories]
