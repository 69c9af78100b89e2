# %% [markdown] minutes="25" seconds="20"
# # 14 Why forty times slower?
#
# *What does the machine do with the same mathematics?*
#
# Until now a kernel was something that just runs. Here you open the lowest floor of the engine: loops over numbers, compiled by
# **Numba** for the processor and, the same functions, for a graphics card. Three surprises wait: a compiled tanh that is slow, a
# loop order that matters more than a clever algorithm, and a way to judge GPU code without owning a GPU: *count*, do not time.
#
# Times below are yours, from your machine; they differ from run to run. Only results and counts are checked.

# %%
import math
import os
import time

os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")  # numba.cuda in Python threads, so that no GPU is needed

import matplotlib.pyplot as plt
import numba
import numpy as np
from numba import cuda

import tinygrad_rnn as tg
from tinygrad_rnn import viz

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))


def seconds(f, *args, runs=5):
    """The shortest of a few runs, after one that compiles."""
    f(*args)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        f(*args)
        times.append(time.perf_counter() - start)
    return min(times)


x = np.random.default_rng(0).standard_normal(65_536).astype("float32")
assert x.dtype == "float32"

# %% [markdown]
# ## tanh, 65,536 times
#
# A Python loop calls `math.tanh` for each number. Numba translates the same loop to machine code when it is first called.


# %%
def python_tanh(x):
    return [math.tanh(v) for v in x]


@numba.njit(error_model="numpy")
def numba_tanh(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = math.tanh(x[i])
    return out


start = time.perf_counter()
numba_tanh(x[:1])
compiling = time.perf_counter() - start
print(f"the first call compiles: {1000 * compiling:.0f} ms for one number")
assert np.allclose(numba_tanh(x), np.tanh(x), atol=1e-6)

# %% [markdown] question="choice" options="about 10 times | about 100 times | about 1000 times" answer="1 if speedup < 30 else 2 if speedup < 300 else 3"
# How much faster than the Python loop is the compiled one?

# %%
tensor = tg.tensor(x)
spent = {
    "Python loop": seconds(python_tanh, x, runs=2),
    "Numba, math.tanh": seconds(numba_tanh, x),
    "NumPy": seconds(np.tanh, x),
    "this engine": seconds(tensor.tanh),
}
speedup = spent["Python loop"] / spent["Numba, math.tanh"]
for name, t in spent.items():
    print(f"{name:17} {1e6 * t:8.0f} us   {spent['Python loop'] / t:5.0f} times the Python loop")
assert np.allclose(tensor.tanh().numpy(), np.tanh(x), atol=1e-6)

# %% [markdown]
# Compiled, and yet far behind NumPy and the engine, which is Numba too. What is the difference? `math.tanh` is a
# call into a library, one number at a time. A processor can do eight float32 operations in one instruction, but only if the
# loop body is plain arithmetic. So the engine computes tanh from multiplications and a polynomial, and the compiler
# turns the loop into *vector* instructions.
#
# Then let us write it with an exponential, $\tanh x = 1 - 2 / (e^{2x} + 1)$: simple enough to vectorise.

# %% [markdown] question="choice" options="exact to 7 digits | wrong by a few percent or more | it raises" answer="2 if relative[1e-7] > 0.02 else 1"
# In float32, how accurate is this formula at $x = 10^{-7}$, where $\tanh x$ is almost exactly $x$?


# %%
@numba.njit(error_model="numpy")
def formula(x):
    out = np.empty_like(x)
    one, two = np.float32(1), np.float32(2)  # a bare 1.0 would be a float64, and the whole loop with it
    for i in range(x.size):
        out[i] = one - two / (np.exp(two * x[i]) + one)
    return out


relative = {}
for size in (1.0, 1e-2, 1e-4, 1e-7):
    at = np.array([size], "float32")
    relative[size] = float(abs(formula(at)[0] / np.tanh(np.float64(at[0])) - 1))
    print(f"x = {size:.0e}: formula off by {relative[size]:.1e}, engine by "
          f"{abs(tg.tensor(at).tanh().item() / np.tanh(np.float64(at[0])) - 1):.1e}")  # fmt: skip
assert relative[1e-7] > 0.02
assert abs(tg.tensor(np.array([1e-7], "float32")).tanh().item() / 1e-7 - 1) < 1e-6

# %% [markdown]
# $1 - 2/(2 + 2 \cdot 10^{-7})$ subtracts two numbers that agree in all their seven digits. Near 0 the engine uses an odd polynomial
# instead ($x$ times a polynomial in $x^2$), whose *relative* error stays small. See `tinygrad_rnn/backends/scalar.py`:
# each function is written once there, for the processor and for the GPU.
#
# ## A product of matrices, in three orders
#
# $C_{ij} = \sum_k A_{ik} B_{kj}$: three loops, and the mathematics does not care which is inside.


# %%
@numba.njit(error_model="numpy")
def ijk(A, B):
    C = np.zeros((A.shape[0], B.shape[1]), A.dtype)
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            for k in range(A.shape[1]):
                C[i, j] += A[i, k] * B[k, j]
    return C


@numba.njit(error_model="numpy")
def ikj(A, B):
    C = np.zeros((A.shape[0], B.shape[1]), A.dtype)
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            for j in range(B.shape[1]):
                C[i, j] += A[i, k] * B[k, j]
    return C


A, B = (np.random.default_rng(s).standard_normal((64, 64)).astype("float32") for s in (1, 2))
assert np.allclose(ijk(A, B), A @ B, atol=1e-4) and np.allclose(ikj(A, B), A @ B, atol=1e-4)


# %%
@numba.njit(error_model="numpy")
def tiled(A, B, size=32):
    """Block by block, so that what is read stays in the cache (n divisible by `size`)."""
    n = A.shape[0]
    C = np.zeros((n, n), A.dtype)
    for i0 in range(0, n, size):
        for k0 in range(0, n, size):
            for j0 in range(0, n, size):
                for i in range(i0, i0 + size):
                    for k in range(k0, k0 + size):
                        for j in range(j0, j0 + size):
                            C[i, j] += A[i, k] * B[k, j]
    return C


assert np.allclose(tiled(A, B), A @ B, atol=1e-4)

# %% [markdown] question="choice" options="tiled is fastest of the three | ikj is fastest, tiled is slower | all alike" answer="1 if rate['tiled'] > 1.1 * rate['ikj'] else 2 if rate['ikj'] > 1.1 * rate['tiled'] else 3"
# "Tiling makes it faster", as every GPU course says. On a processor, at 256 x 256?

# %%
n = 128 if FAST else 256
A, B = (np.random.default_rng(s).standard_normal((n, n)).astype("float32") for s in (1, 2))
rate = {}
for f in (ijk, ikj, tiled, np.matmul):
    name = getattr(f, "__name__", "matmul")
    rate[name] = 2 * n**3 / seconds(f, A, B, runs=3) / 1e9
    print(f"{name:7} {rate[name]:6.1f} billion operations per second")
assert np.allclose(ikj(A, B), A @ B, atol=1e-3)

# %% [markdown]
# In `ijk` the innermost loop jumps down a column of $B$: each number lies in another cache line, and nothing vectorises. In
# `ikj` it runs along rows. On a processor the order decides; tiling by hand mostly interrupts the long rows that the
# vector units like. (NumPy calls a BLAS library, into which many years of such tuning have gone, and so does this engine.)
#
# ## A graphics card, without one
#
# On a GPU thousands of **threads** run the same kernel, each for its own element, in blocks. A read from the card's
# memory is what costs. Threads of a block can share a small fast memory: load a **tile** together, wait for each other
# (`cuda.syncthreads`), use it many times. The simulator runs every thread as Python; its *time* means nothing. But we can count.


# %%
@cuda.jit
def naive(A, B, C, loads):
    i, j = cuda.grid(2)
    if i < C.shape[0] and j < C.shape[1]:
        total = 0.0
        for k in range(A.shape[1]):
            total += A[i, k] * B[k, j]
            cuda.atomic.add(loads, 0, 2)
        C[i, j] = total


@cuda.jit
def shared(A, B, C, loads):
    a = cuda.shared.array((4, 4), numba.float32)
    b = cuda.shared.array(
        (4, 4), numba.float32
    )  # on a line of its own: the simulator tells shared arrays by their line
    i, j = cuda.grid(2)
    r, c = cuda.threadIdx.x, cuda.threadIdx.y
    total = 0.0
    for k0 in range(0, A.shape[1], 4):
        a[r, c], b[r, c] = A[i, k0 + c], B[k0 + r, j]
        cuda.atomic.add(loads, 0, 2)
        cuda.syncthreads()
        for k in range(4):
            total += a[r, k] * b[k, c]
        cuda.syncthreads()
    C[i, j] = total


assert cuda.is_available()

# %% [markdown] question="number" answer="counted['naive'] / counted['shared']" tolerance="0.01"
# Tiles of 4 x 4. How many times fewer reads from the card's memory does `shared` make than `naive`?

# %% seconds="4"
n = 16
A, B = (np.random.default_rng(s).standard_normal((n, n)).astype("float32") for s in (1, 2))
counted = {}
for name, kernel in (("naive", naive), ("shared", shared)):
    C, loads = np.zeros((n, n), "float32"), np.zeros(1, "int64")
    kernel[(n // 4, n // 4), (4, 4)](A, B, C, loads)
    counted[name] = int(loads[0])
    print(
        f"{name:7} {counted[name]:5} reads = {counted[name] / n**3:.2f} per multiply-add, error {np.abs(C - A @ B).max():.0e}"
    )
    assert np.allclose(C, A @ B, atol=1e-4)
assert (counted["naive"], counted["shared"]) == (8192, 2048)

# %%
fig, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
ax.barh(["naive", "tiles of 4 x 4"], [counted["naive"] / n**3, counted["shared"] / n**3])
ax.set(xlabel="reads from the card's memory per multiply-add", title="What a tile saves")
ax.invert_yaxis()
viz.show(fig, name="loads")
assert counted["shared"] * 4 == counted["naive"]

# %% [markdown] exercise="1" question="number" answer="reads" tolerance="0.001"
# $n = 64$, tiles of 8 x 8: how many reads does the tiled kernel make?

# %% [markdown] hint="1"
# Each of the n x n threads reads two numbers for each tile along k.

# %% solution="1"
reads = 64 * 64 * 2 * (64 // 8)
print(reads)
assert reads == 2 * 64**3 // 8 == 65_536

# %% [markdown] exercise="2" question="choice" options="every n | only n with more than one tile along k | none: threads are quick enough" answer="2 if fine and broken else 1"
# Someone removes the *second* `cuda.syncthreads()`. For which sizes can the result be wrong?

# %% [markdown] hint="2"
# It protects a tile that is still being read from being overwritten by the next one. When is there a next one?


# %% solution="2"
@cuda.jit
def without_second(A, B, C):
    a = cuda.shared.array((4, 4), numba.float32)
    b = cuda.shared.array((4, 4), numba.float32)
    r, c = cuda.threadIdx.x, cuda.threadIdx.y
    total = 0.0
    for k0 in range(0, A.shape[1], 4):
        a[r, c], b[r, c] = A[r, k0 + c], B[k0 + r, c]
        cuda.syncthreads()
        for k in range(4):
            total += a[r, k] * b[k, c]
            if r == 0 and c == 0:
                time.sleep(0.002)  # thread (0, 0) is slow: the others run ahead and overwrite the tile
    C[r, c] = total


def wrong(length):
    A, B = np.arange(4.0 * length, dtype="float32").reshape(4, length), np.ones((length, 4), "float32")
    C = np.zeros((4, 4), "float32")
    without_second[(1, 1), (4, 4)](A, B, C)
    return not np.allclose(C, A @ B)


fine, broken = not wrong(4), wrong(12)
print("one tile along k:", "right" if fine else "wrong", "- three tiles:", "wrong" if broken else "right this time")
assert fine

# %% [markdown]
# ## In three sentences
#
# The same mathematics runs tens of times faster when its loop is plain arithmetic along memory, in one dtype. Cheap formulas
# must also be right where numbers are small. A GPU kernel is judged by how often it reads the card's memory, and that can be
# counted without a card.
#
# **What this did not show.** How fast a real GPU is: nothing here ran on one. And at the sizes of a small recurrent network it is
# not the kernels that take the time. Then what does? Tutorial 15.
