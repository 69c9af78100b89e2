"""gather and scatter_add on the device against the reference."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.checking import ALL, arrays, examples, layouts, make
from tests.backends.cuda.layouts import check, on_device
from tinygrad_rnn import backends

pytestmark = pytest.mark.cuda


@pytest.fixture
def module():
    return importlib.import_module("tinygrad_rnn.backends.cuda.indexing")


@st.composite
def indices(draw, size):
    """An index of any shape and layout, some of its positions counted from the end."""
    shape = draw(st.lists(st.integers(0, 4), max_size=2).map(tuple))
    index = make(shape, "int64", draw(layouts), draw(st.integers(0, 2**32 - 1)))
    return np.asarray(index % (2 * size) - size)


def on_the_device(kernel, *args):
    backend = backends.get("cuda")
    moved = [on_device(arg) if isinstance(arg, np.ndarray) else arg for arg in args]
    return backend.to_numpy(getattr(backend, kernel)(*moved))


# ---- gather ------------------------------------------------------------------------------------------------


@examples
@given(data=st.data())
def test_gather(data):
    x = data.draw(arrays(ALL, specials=True).filter(lambda x: x.ndim))
    axis = data.draw(st.integers(0, x.ndim - 1))
    if x.shape[axis]:
        check("gather", x, data.draw(indices(x.shape[axis])), axis, exact=True)
    else:
        check("gather", x, np.zeros(0, np.int64), axis, exact=True)


@pytest.mark.parametrize("dtype", ALL)
def test_gather_around_the_edges_of_blocks(module, dtype):
    rng = np.random.default_rng(0)
    for inner in (1, 3, module.THREADS - 1, module.THREADS, module.THREADS + 1):
        for count in (1, module.THREADS, 2 * module.THREADS + 1):
            x = make((2, 5, inner), dtype, "plain", inner)
            check("gather", x, rng.integers(-5, 5, count), 1, exact=True)


def test_gather_from_nothing():
    x = np.zeros((2, 0, 3))
    check("gather", x, np.zeros((0, 2), np.int64), 1, exact=True)
    with pytest.raises(IndexError, match="axis 1 of shape"):
        on_the_device("gather", x, np.array([0]), 1)


@pytest.mark.parametrize("dtype", ALL)
def test_gather_out_of_range_reads_nothing(dtype):
    x, index = np.ones((3, 2), dtype), np.array([0, 3, -4, 2**62, -(2**62), 2])
    missing = np.nan if dtype.startswith("float") else 0
    expected = np.array([[1, 1], *[[missing] * 2] * 4, [1, 1]]).astype(dtype)
    np.testing.assert_array_equal(on_the_device("gather", x, index, 0), expected)


# ---- scatter_add -------------------------------------------------------------------------------------------


@examples
@given(data=st.data())
def test_scatter_add(data):
    shape = data.draw(st.lists(st.integers(0, 4), max_size=3).map(tuple))
    axis, size = data.draw(st.integers(0, len(shape))), data.draw(st.integers(1, 6))
    index = data.draw(indices(size))
    source = data.draw(arrays(ALL, shape=(*shape[:axis], *index.shape, *shape[axis:])))
    check("scatter_add", source, index, axis, size, exact=True)


@pytest.mark.parametrize("dtype", ["float32", "bool"])
def test_scatter_add_around_the_edges_of_blocks(module, dtype):
    rng = np.random.default_rng(0)
    for inner in (1, 3, module.THREADS, module.THREADS + 1):
        for count in (module.THREADS - 1, module.THREADS * module.AT_ONCE, module.THREADS * module.AT_ONCE + 1):
            for size in (1, 2, module.THREADS + 1):
                source = make((count, inner), dtype, "plain", inner)
                check("scatter_add", source, rng.integers(-size, size, count), 0, size, exact=True)


def test_scatter_add_in_several_batches(module):
    index = np.random.default_rng(0).integers(0, 5, module.THREADS + 1)
    check("scatter_add", make((3, module.THREADS + 1, 2), "int64", "plain", 0), index, 1, 5, exact=True)
    check("scatter_add", make((3, module.THREADS + 1), "int64", "transposed", 0), index, 1, 5, exact=True)


@pytest.mark.parametrize(("dtype", "inner"), [("float32", 1), ("float64", 5)])
def test_additions_are_made_in_the_order_of_the_index(module, dtype, inner):
    count = 4 * module.THREADS * module.AT_ONCE + 3
    rng = np.random.default_rng(0)
    source = (rng.normal(size=(count, inner)) * 10.0 ** rng.integers(-2, 3, (count, inner))).astype(dtype)
    index = rng.integers(0, 4, count)
    result = check("scatter_add", source, index, 0, 4, exact=True)
    assert result.tobytes() == on_the_device("scatter_add", source, index, 0, 4).tobytes()
    assert result.tobytes() != on_the_device("scatter_add", source[::-1], index[::-1], 0, 4).tobytes()


def test_targets_that_no_position_names_are_zero(module):
    source = np.full((3, 2), np.inf, np.float32)
    check("scatter_add", source, np.array([7, 7, 0]), 0, 3 * module.THREADS, exact=True)
    check("scatter_add", np.zeros((0, 2)), np.zeros(0, np.int64), 0, module.THREADS + 1, exact=True)
    check("scatter_add", np.zeros((2, 0)), np.zeros(2, np.int64), 0, 3, exact=True)


@pytest.mark.parametrize("dtype", ALL)
def test_scatter_add_leaves_positions_out_of_range_out(dtype):
    index = np.array([3, 0, -4, 2**62, -1, -(2**62)])
    result = on_the_device("scatter_add", np.ones((6, 2), dtype), index, 0, 3)
    np.testing.assert_array_equal(result, np.array([[1, 1], [0, 0], [1, 1]]).astype(dtype))


def test_an_index_that_does_not_fit_its_source_is_named():
    with pytest.raises(ValueError, match=r"\(2,\) does not fit axis 1 of shape \(2, 3\)"):
        on_the_device("scatter_add", np.ones((2, 3)), np.array([0, 1]), 1, 4)
