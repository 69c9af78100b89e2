"""Homework 2: kernels.

A kernel is a loop over numbers that somebody has laid out in memory; your work is to be right about which number lies
where. 2.1 to 2.4 are compiled for the CPU by Numba. 2.5 and 2.6 are for a GPU, which `simulator.py` stands for.

Write only between the marks: what is outside of them is not handed in. Kernels write their result into `out`, an array
of the right shape and dtype in which anything may stand before, and change nothing else.
"""

import math

import numpy as np
from numba import float32, njit

from calling import after, called, computed_in, mapped, multiplied, reduced  # noqa: F401  (the checks use them)
from simulator import cuda, launch  # noqa: F401  (numba.cuda, simulated)

### BEGIN YOURS
### END YOURS


# ---- 2.1 Map


@njit(error_model="numpy")
def softplus(x):
    """Return log(1 + exp(x)) of one number, computed in its own type: float32 of a float32.

    Right to all its digits also where exp(x) overflows, and where 1 + exp(x) is 1.
    """
    ### BEGIN SOLUTION 2.1a
    raise NotImplementedError("Task 2.1: of which type is 1.0 + x where x is a float32, and what is exp(1000)?")
    ### END SOLUTION 2.1a


@njit
def softplus_map(x, out):
    """Write the softplus of every number of x into out; both have the same shape, any of one axis or more.

    Each can be a view, whose numbers do not lie one after the other in memory.
    """
    ### BEGIN SOLUTION 2.1b
    raise NotImplementedError("Task 2.1: of which type is 1.0 + x where x is a float32, and what is exp(1000)?")
    ### END SOLUTION 2.1b


# ---- 2.2 Reduce


@njit
def sum_middle(x, out):
    """Write the sums of x, (outer, length, inner), over its middle axis into out, (outer, inner).

    Where length is 0, a sum is 0. Sums of a million float32 are as exact as a float32 can say.
    """
    ### BEGIN SOLUTION 2.2a
    raise NotImplementedError("Task 2.2: a float32 has about seven digits: what is 10,000,000 + 0.1 in it?")
    ### END SOLUTION 2.2a


@njit
def max_middle(x, out):
    """Write the largest of x, (outer, length, inner), over its middle axis into out, (outer, inner).

    Where there is a NaN among the numbers it is NaN, wherever it stands. length is at least 1.
    """
    ### BEGIN SOLUTION 2.2b
    raise NotImplementedError("Task 2.2: a float32 has about seven digits: what is 10,000,000 + 0.1 in it?")
    ### END SOLUTION 2.2b


# ---- 2.3 Strides and broadcasting
#
# An array is a memory of one axis, and three things that say where in it a number lies: the shape, the strides (how many
# places on the next number along each axis is) and the offset (where the first is). Shapes, strides and indices are
# arrays of int64 here, as long as there are axes, and that can be none.


@njit
def unravel(number, shape, index):
    """Write into index the place of the entry with this number, counted from 0, the last axis fastest."""
    ### BEGIN SOLUTION 2.3a
    raise NotImplementedError("Task 2.3: in shape (2, 3) the entries are counted 0 to 5: which of row and column is number // 3, which is number % 3?")
    ### END SOLUTION 2.3a


@njit
def position(index, strides, offset):
    """Return where in the memory the entry at an index lies; strides can be negative, or 0."""
    ### BEGIN SOLUTION 2.3b
    raise NotImplementedError("Task 2.3: in shape (2, 3) the entries are counted 0 to 5: which of row and column is number // 3, which is number % 3?")
    ### END SOLUTION 2.3b


@njit
def broadcast_strides(shape, strides, wide):
    """Return the strides (int64) with which an array of this shape is read as one of the shape `wide`.

    NumPy's rule: shapes are written below each other, aligned at the right. Axes that are missing at the left are added,
    and an axis of length 1 is stretched; along both, all steps lead to the same number.
    """
    ### BEGIN SOLUTION 2.3c
    raise NotImplementedError("Task 2.3: in shape (2, 3) the entries are counted 0 to 5: which of row and column is number // 3, which is number % 3?")
    ### END SOLUTION 2.3c


@njit
def multiply(a, b, out):
    """Write a * b, with broadcasting, into out. Each is (memory, shape, strides, offset); out has the shape of a * b.

    Use `unravel`, `position` and `broadcast_strides`. Of the memory of out only the places of its entries are written.
    """
    ### BEGIN SOLUTION 2.3d
    raise NotImplementedError("Task 2.3: in shape (2, 3) the entries are counted 0 to 5: which of row and column is number // 3, which is number % 3?")
    ### END SOLUTION 2.3d


@njit
def size_of(shape):
    """Return how many entries an array of this shape has; 1 if there is no axis."""
    size = 1
    for length in shape:
        size *= length
    return size


# ---- 2.4 The order of the loops


@njit
def product_ijk(a, b, out):
    """Write a @ b into out, one number of out after the other; a is (m, k), b is (k, n), out is (m, n)."""
    ### BEGIN SOLUTION 2.4a
    raise NotImplementedError("Task 2.4: what stands in out before you add the first product to it?")
    ### END SOLUTION 2.4a


@njit
def product_ikj(a, b, out):
    """Write a @ b into out, with the loop over the columns inside: rows of b are added to a row of out."""
    ### BEGIN SOLUTION 2.4b
    raise NotImplementedError("Task 2.4: what stands in out before you add the first product to it?")
    ### END SOLUTION 2.4b


# ---- 2.5 A map on the GPU


def blocks_for(size, threads):
    """Return how many blocks of so many threads give each of `size` numbers a thread; at least 1, as a GPU wants it."""
    ### BEGIN SOLUTION 2.5a
    raise NotImplementedError("Task 2.5: five numbers, blocks of four threads: how many threads are there, and what do the last three do?")
    ### END SOLUTION 2.5a


@cuda.jit
def softplus_kernel(x, out):
    """Write the softplus of x, of one axis, into out: each thread does the number that is its own.

    There can be more threads than numbers: those without a number do nothing.
    """
    ### BEGIN SOLUTION 2.5b
    raise NotImplementedError("Task 2.5: five numbers, blocks of four threads: how many threads are there, and what do the last three do?")
    ### END SOLUTION 2.5b


# ---- 2.6 A product in tiles

#: A block has TILE x TILE threads, and works on so many numbers of the result.
TILE = 4


@cuda.jit
def tiled_product(a, b, out):
    """Write a @ b into out; a is (m, k), b is (k, n), out is (m, n), all float32.

    The grid has a thread for each number of out: x for the columns, y for the rows, and more of both where m or n is no
    multiple of TILE. A block fetches a and b tile by tile into two shared arrays, a number of each per thread, and each
    number that it needs once only. Every thread comes to every barrier.
    """
    ### BEGIN SOLUTION 2.6
    raise NotImplementedError("Task 2.6: a thread reads numbers from a tile that other threads have put there: how does it know that they have, and how do they know that it is done?")
    ### END SOLUTION 2.6
