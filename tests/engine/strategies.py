"""What hypothesis draws for the engine: shapes with 0-d and size 0, and arrays in every memory layout."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_rnn as tg

DTYPES = st.sampled_from(["float32", "float64"])
LAYOUTS = st.sampled_from(["contiguous", "transposed", "reversed", "every second"])


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> st.SearchStrategy:
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable(number: int, max_dims: int = 3, min_side: int = 0) -> st.SearchStrategy:
    """Tuples of shapes that broadcast together."""
    return hnp.mutually_broadcastable_shapes(num_shapes=number, max_dims=max_dims, min_side=min_side, max_side=3).map(
        lambda found: found.input_shapes
    )


def laid_out(values: np.ndarray, layout: str) -> np.ndarray:
    """Return an array of equal values whose strides are not those of a fresh array."""
    if values.ndim == 0 or layout == "contiguous":
        return values.copy()
    if layout == "transposed":
        return values.T.copy().T
    everything = (slice(None, None, -1),) * values.ndim
    if layout == "reversed":
        return values[everything].copy()[everything]
    wide = np.full((*values.shape[:-1], 2 * values.shape[-1]), -77.0).astype(values.dtype)
    wide[..., ::2] = values
    return wide[..., ::2]


@st.composite
def float_arrays(draw, shape, low=-2.0, high=2.0, dtype="float64"):
    """Numbers in [low, high), no two alike and, unless one is drawn there, none at a kink such as 0."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.uniform(low, high, draw(shape) if isinstance(shape, st.SearchStrategy) else shape)
    return laid_out(np.asarray(values, dtype), draw(LAYOUTS))


def leaf(array: np.ndarray, requires_grad: bool = True) -> tg.Tensor:
    """Return a leaf with the strides of the array, so that kernels and gradients meet them."""
    x = tg.from_numpy(array)
    x.requires_grad = requires_grad
    return x
