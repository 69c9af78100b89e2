"""What your kernels do with time: python show.py. Nothing of this is judged, and nothing is to be written in this file.

It times both orders of the loops, and counts how often a GPU would read the numbers of a and b with and without tiles.
"""

import os
import sys
import time

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"  # for numba-cuda, where that is installed: it asks here only

import numba
import numpy as np

import kernels  # yours
from simulator import launch

numba.config.BOUNDSCHECK = 0  # as fast as it gets


def seconds(function, *arguments):
    """Return the shortest of three times, after one that is not counted, in which it is compiled."""
    function(*arguments)
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - begun)
    return min(times)


def loops(size):
    draw = np.random.default_rng(0)
    a, b = draw.standard_normal((2, size, size), dtype="f4")
    out = np.empty_like(a)
    print(f"a @ b, both {size} x {size}, float32; additions and multiplications per second:")
    for name, function in (
        ("i, j, k: along a column of b", kernels.product_ijk),
        ("i, k, j: along a row of b", kernels.product_ikj),
        ("NumPy", lambda a, b, out: np.matmul(a, b, out=out)),
    ):
        took = seconds(function, a, b, out)
        print(f"    {name:30} {1000 * took:8.1f} ms {2 * size**3 / took / 1e9:7.2f} thousand million")


def loads(size):
    draw = np.random.default_rng(0)
    a, b = draw.standard_normal((2, size, size), dtype="f4")
    blocks = -(-size // kernels.TILE)
    print(f"\na @ b, both {size} x {size}, on the simulated GPU; numbers of a and b that are read:")
    _, reads = launch(kernels.tiled_product, (blocks, blocks), (kernels.TILE, kernels.TILE), a, b, np.empty_like(a))
    print(f"    {'in tiles of 4 x 4':30} {sum(reads):8,}")
    print(f"    {'without, a row and a column each':30} {2 * size**3:6,}")


if __name__ == "__main__":
    try:
        loops(400)
        loads(12)
    except NotImplementedError as error:
        sys.exit(f"it takes finished kernels: {error}")
