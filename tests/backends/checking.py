"""Arrays in every memory layout, and the comparison of a CPU kernel with the reference backend."""

import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tinygrad_rnn.backends import cpu, reference, scalar

FLOATS = ["float32", "float64"]
NUMBERS = ["float32", "float64", "int64"]
ALL = ["float32", "float64", "int64", "bool"]
examples = settings(deadline=None, max_examples=25)

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
layouts = st.sampled_from(["plain", "plain", "transposed", "reversed", "strided", "repeated", "read-only"])


def make(shape, dtype, layout, seed, specials=False):
    """An array of random numbers whose memory is laid out in one of the ways a view can have."""
    rng = np.random.default_rng(seed)

    def numbers(shape):
        values = rng.normal(scale=3, size=shape)
        if specials:
            values = np.where(rng.random(shape) < 0.2, rng.choice([0.0, -0.0, np.nan, np.inf, -np.inf], shape), values)
        if dtype == "int64":
            values = np.nan_to_num(values, posinf=9, neginf=-9)
        return np.asarray(values > 0 if dtype == "bool" else values.astype(dtype))

    if layout == "transposed":
        return numbers(shape[::-1]).T
    if layout == "reversed":
        return numbers(shape)[(slice(None, None, -1),) * len(shape)] if shape else numbers(shape)
    if layout == "strided" and shape:
        return numbers((*shape[:-1], 2 * shape[-1]))[..., ::2]
    if layout == "repeated":
        return np.broadcast_to(numbers((1,) * len(shape)), shape)
    array = numbers(shape)
    array.flags.writeable = layout != "read-only"
    return array


@st.composite
def arrays(draw, of=tuple(ALL), specials=False, shape=None):
    drawn = draw(shapes) if shape is None else shape
    return make(drawn, draw(st.sampled_from(of)), draw(layouts), draw(st.integers(0, 2**32 - 1)), specials)


def dtypes_of(kernel):
    """The dtypes that an elementwise kernel has; a whole number to a negative power is none."""
    line = (scalar.UNARY | scalar.BINARY | scalar.COMPARE)[kernel]
    return FLOATS if kernel == "pow" else list(line.functions)


@st.composite
def broadcastable(draw, count, of=tuple(ALL), specials=False):
    drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=4, min_side=0, max_side=4))
    return [draw(arrays(of, specials, shape)) for shape in drawn.input_shapes]


def run(kernel, *args):
    """Call a kernel of the CPU backend; it must not let NumPy warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return getattr(cpu, kernel)(*args)


def check(kernel, *args, exact=False, contiguous=True):
    """The result has the type, dtype, shape, layout and numbers that the contract and the reference give it."""
    with np.errstate(all="ignore"):
        expected = getattr(reference, kernel)(*args)
    result = run(kernel, *args)
    assert type(result) is np.ndarray
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    assert result.flags.c_contiguous or not contiguous
    if exact or result.dtype.kind != "f":
        np.testing.assert_array_equal(result, expected)
    else:
        eps = np.finfo(result.dtype).eps
        np.testing.assert_allclose(result, expected, rtol=8 * eps, atol=float(np.finfo(result.dtype).tiny))
    return result
