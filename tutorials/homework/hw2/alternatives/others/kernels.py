"""Another right solution: other loops, compensated sums, an odometer for indices, two buffers in place of a barrier."""

import math

import numpy as np
from numba import float32, njit

from simulator import cuda

### BEGIN YOURS
from numba import prange


@njit
def is_nan(x):
    return x != x


@njit
def advance(index, shape):
    """Move an index on by one entry, as an odometer does."""
    for back in range(1, len(shape) + 1):
        index[-back] += 1
        if index[-back] < shape[-back]:
            return
        index[-back] = 0


### END YOURS


@njit(error_model="numpy")
def softplus(x):
    ### BEGIN SOLUTION 2.1a
    if x > 0:
        return x + math.log1p(math.exp(-x))
    return math.log1p(math.exp(x))
    ### END SOLUTION 2.1a


@njit
def softplus_map(x, out):
    ### BEGIN SOLUTION 2.1b
    for index, value in np.ndenumerate(x):
        out[index] = softplus(value)
    ### END SOLUTION 2.1b


@njit
def sum_middle(x, out):
    ### BEGIN SOLUTION 2.2a
    for i in range(x.shape[0]):
        for j in range(x.shape[2]):
            total = x.dtype.type(0)
            lost = x.dtype.type(0)
            for k in range(x.shape[1]):
                small = x[i, k, j] - lost
                larger = total + small
                lost = (larger - total) - small
                total = larger
            out[i, j] = total
    ### END SOLUTION 2.2a


@njit
def max_middle(x, out):
    ### BEGIN SOLUTION 2.2b
    out[:] = x[:, 0]
    for k in range(1, x.shape[1]):
        for i in prange(x.shape[0]):
            for j in range(x.shape[2]):
                if not is_nan(out[i, j]) and not x[i, k, j] <= out[i, j]:
                    out[i, j] = x[i, k, j]
    ### END SOLUTION 2.2b


@njit
def unravel(number, shape, index):
    ### BEGIN SOLUTION 2.3a
    for axis in range(len(shape)):
        behind = size_of(shape[axis + 1 :])
        index[axis] = number // behind
        number -= index[axis] * behind
    ### END SOLUTION 2.3a


@njit
def position(index, strides, offset):
    ### BEGIN SOLUTION 2.3b
    return (index * strides).sum() + offset
    ### END SOLUTION 2.3b


@njit
def broadcast_strides(shape, strides, wide):
    ### BEGIN SOLUTION 2.3c
    found = np.zeros_like(wide)
    for back in range(1, len(shape) + 1):
        found[-back] = 0 if shape[-back] == 1 else strides[-back]
    return found
    ### END SOLUTION 2.3c


@njit
def multiply(a, b, out):
    ### BEGIN SOLUTION 2.3d
    (of_a, shape_a, steps_a, begin_a), (of_b, shape_b, steps_b, begin_b), (of_out, shape, steps, begin) = a, b, out
    steps_a, steps_b = broadcast_strides(shape_a, steps_a, shape), broadcast_strides(shape_b, steps_b, shape)
    index = np.zeros_like(shape)
    for _ in range(size_of(shape)):
        left, right = of_a[position(index, steps_a, begin_a)], of_b[position(index, steps_b, begin_b)]
        of_out[position(index, steps, begin)] = left * right
        advance(index, shape)
    ### END SOLUTION 2.3d


@njit
def size_of(shape):
    size = 1
    for length in shape:
        size *= length
    return size


@njit
def product_ijk(a, b, out):
    ### BEGIN SOLUTION 2.4a
    for i in range(len(a)):
        for j in range(b.shape[1]):
            out[i, j] = (a[i] * b[:, j]).sum()
    ### END SOLUTION 2.4a


@njit
def product_ikj(a, b, out):
    ### BEGIN SOLUTION 2.4b
    out[:] = 0
    for i in range(len(a)):
        for k in range(len(b)):
            out[i] += a[i, k] * b[k]
    ### END SOLUTION 2.4b


def blocks_for(size, threads):
    ### BEGIN SOLUTION 2.5a
    return -(-size // threads) or 1
    ### END SOLUTION 2.5a


@cuda.jit
def softplus_kernel(x, out):
    ### BEGIN SOLUTION 2.5b
    for i in range(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, len(x), cuda.gridsize(1)):
        out[i] = softplus(x[i])
    ### END SOLUTION 2.5b


TILE = 4


@cuda.jit
def tiled_product(a, b, out):
    ### BEGIN SOLUTION 2.6
    # Two buffers by turns: while one is read, the next tile goes into the other, and one barrier is enough.
    tiles_a = cuda.shared.array((2, TILE, TILE), float32)
    tiles_b = cuda.shared.array((2, TILE, TILE), float32)
    j, i = cuda.grid(2)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    total, turn = 0.0, 0
    for begin in range(0, b.shape[0], TILE):
        tiles_a[turn, x, y] = 0
        if i < a.shape[0] and begin + x < a.shape[1]:
            tiles_a[turn, x, y] = a[i, begin + x]
        tiles_b[turn, y, x] = 0
        if begin + y < b.shape[0] and j < b.shape[1]:
            tiles_b[turn, y, x] = b[begin + y, j]
        cuda.syncthreads()
        for k in range(min(TILE, b.shape[0] - begin)):
            total += tiles_a[turn, k, y] * tiles_b[turn, k, x]
        turn = 1 - turn
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = total
    ### END SOLUTION 2.6
