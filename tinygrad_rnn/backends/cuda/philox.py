"""Random numbers by the counter-based generator of `scalar.py`: the same numbers on a CPU and a GPU.

Each number is a function of seed, counter and its own place, so that threads need not know of each other. Seed and
counter stay on the device: the kernel reads them through pointers, and Python waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn.backends import scalar
from tinygrad_rnn.backends.cuda.array import Array, Shape, empty
from tinygrad_rnn.backends.cuda.compiling import Kernels, Kind
from tinygrad_rnn.backends.cuda.driver import cuda
from tinygrad_rnn.backends.cuda.elementwise import THREADS, blocks_for

Function = Callable[..., Any]


def _random(f: Function, number: type) -> Function:
    philox = scalar.philox

    def kernel(seed, counter, out, n):
        key, start = np.uint64(seed[0]), np.uint64(counter[0])  # their bits: uint64 with int64 would become a float
        for block in range(cuda.grid(1), (n + 1) // 2, cuda.gridsize(1)):
            w0, w1, w2, w3 = philox(key, start + np.uint64(block))
            out[2 * block] = number(f(w0, w1))
            if 2 * block + 1 < n:
                out[2 * block + 1] = number(f(w2, w3))

    return kernel


_RANDOM = Kind("random", _random, "kkoi", scalar.RANDOM)
KINDS = (_RANDOM,)
_randoms = Kernels(_RANDOM)


def random(kind: str, seed: Array, counter: Array, shape: Shape, dtype: np.dtype) -> Array:
    """Return uniform numbers in [0, 1) or normal ones, the same as `reference.random`."""
    out = empty(shape, dtype)
    kernel = _randoms[kind, out.dtype]
    if kernel is None:
        raise TypeError(f"random numbers are floats, not {out.dtype}")
    if out.size:
        kernel.launch(blocks_for((out.size + 1) // 2), THREADS, seed.address, counter.address, out.address, out.size)
    return out
