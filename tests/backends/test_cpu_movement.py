"""Movement, indexing, writing and random numbers: the CPU backend against the reference backend."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.checking import ALL, FLOATS, NUMBERS, arrays, check, examples, make, run, shapes
from tinygrad_rnn.backends import cpu, reference

# ---- movement and indexing ----------------------------------------------------------------------------------------


@examples
@given(data=st.data())
def test_broadcast_to(data):
    drawn = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0))
    x = data.draw(arrays(shape=drawn.input_shapes[0]))
    result = check("broadcast_to", x, drawn.result_shape, exact=True, contiguous=False)
    assert not result.flags.writeable
    assert np.shares_memory(result, x) or not result.size


def test_broadcast_to_a_shape_that_does_not_fit_raises():
    with pytest.raises(ValueError, match="broadcast"):
        cpu.broadcast_to(np.ones((2, 3)), (3, 2))


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("layout", ["plain", "transposed", "reversed", "strided", "repeated", "read-only"])
def test_movement(layout, dtype):
    x = make((2, 3, 4), dtype, layout, 0)
    check("reshape", x, (4, 6), exact=True, contiguous=False)
    check("permute", x, (2, 0, 1), exact=True, contiguous=False)
    check("getitem", x, (slice(None), 1, None, slice(None, None, -2)), exact=True, contiguous=False)
    check("getitem", x, (1, 2, 3), exact=True)
    check("getitem", x, (), exact=True, contiguous=False)
    check("concat", [x, x[:, :, ::-1]], 1, exact=True)
    check("copy", x, exact=True)
    assert not np.shares_memory(cpu.copy(x), x)
    np.testing.assert_array_equal(cpu.to_numpy(cpu.from_numpy(x)), x)


@pytest.mark.parametrize(
    ("value", "dtype"), [(0, "float32"), (-2.5, "float64"), (7, "int64"), (True, "bool"), (np.nan, "float32")]
)
def test_fill(value, dtype):
    for shape in [(), (0, 2), (3, 4)]:
        check("fill", shape, value, np.dtype(dtype), exact=True)


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("layout", ["plain", "transposed", "strided", "repeated", "read-only"])
def test_put_slices_adds_where_slices_overlap(layout, dtype):
    indices = [(0,), (slice(1, 4),), (slice(None), 2), (3, 1), (..., slice(None, None, -1)), (), (2, None)]
    out = np.zeros((5, 4))
    parts = [make(np.shape(out[index]), dtype, layout, seed) for seed, index in enumerate(indices)]
    check("put_slices", (5, 4), indices, parts)


@examples
@given(data=st.data())
def test_gather_and_scatter_add(data):
    x = data.draw(arrays(NUMBERS).filter(lambda x: x.ndim))
    axis = data.draw(st.integers(0, x.ndim - 1))
    size = x.shape[axis]
    index_shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0)) if size else (0,)
    index = np.asarray(np.random.default_rng(data.draw(st.integers(0, 99))).integers(-size, max(size, 1), index_shape))
    check("gather", x, index, axis, exact=True)
    source = data.draw(arrays([x.dtype.name], shape=x.shape[:axis] + index.shape + x.shape[axis + 1 :]))
    check("scatter_add", source, index, axis, max(size, 1), exact=True)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_scatter_add_counts_negative_and_repeated_positions(axis, dtype):
    index = np.array([[0, -1, 2], [-4, 2, 3]])
    shape = (2, 3, 5)
    source = make(shape[:axis] + index.shape + shape[axis:], dtype, "plain", 0)
    check("scatter_add", source, index, axis, 4, exact=True)


def test_scatter_add_refuses_what_does_not_fit():
    for index in (3, -4):
        with pytest.raises(IndexError, match="out of range"):
            cpu.scatter_add(np.ones((1, 2)), np.array([index]), 0, 3)
    with pytest.raises(ValueError, match="broadcast"):
        cpu.scatter_add(np.ones((2, 2)), np.array([0, 1, 2]), 0, 3)


# ---- writing, looking, random numbers --------------------------------------------------------------------------------


@examples
@given(data=st.data())
def test_add_into_and_write(data):
    shape = data.draw(shapes)
    dtype = data.draw(st.sampled_from(NUMBERS))
    value = data.draw(arrays([dtype], shape=shape))
    layout, seed = (
        data.draw(st.sampled_from(["plain", "transposed", "reversed", "strided"])),
        data.draw(st.integers(0, 99)),
    )
    for kernel in ("add_into", "write"):
        target, expected = make(shape, dtype, layout, seed), make(shape, dtype, layout, seed)
        run(kernel, target, value)
        getattr(reference, kernel)(expected, value)
        np.testing.assert_array_equal(target, expected)


def test_add_into_refuses_another_shape():
    with pytest.raises(ValueError, match="broadcast"):
        cpu.add_into(np.ones(3), np.ones(4))


@examples
@given(arrays(specials=True))
def test_all_finite(x):
    assert run("all_finite", x) is reference.all_finite(x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_all_finite_finds_one_bad_element_anywhere(bad):
    for place in range(70):
        x = np.ones(70, "float32")
        x[place] = bad
        assert cpu.all_finite(x) is False


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", ["uniform", "normal"])
@examples
@given(
    seed=st.integers(-(2**63), 2**63 - 1),
    counter=st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(2**32 - 5, 2**32), st.just(-1)),
    shape=shapes,
)
def test_random_numbers_are_those_of_the_reference(kind, dtype, seed, counter, shape):
    args = kind, np.asarray(seed), np.asarray(counter), shape, np.dtype(dtype)
    result, expected = run("random", *args), reference.random(*args)
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    if kind == "uniform":
        np.testing.assert_array_equal(result, expected)
    else:
        rounding = 1e-12 if dtype == "float64" else 1e-7
        np.testing.assert_allclose(result, expected, rtol=rounding, atol=rounding)
