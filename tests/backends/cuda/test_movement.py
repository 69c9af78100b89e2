"""Views, copies and transfers of device arrays against the reference."""

import itertools

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.checking import ALL, arrays, examples, make
from tests.backends.cuda.layouts import check, on_device
from tinygrad_rnn import backends
from tinygrad_rnn.backends import reference

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("layout", ["plain", "transposed", "reversed", "strided", "repeated"])
def test_movement(layout, dtype):
    x = make((2, 3, 4), dtype, layout, 0)
    check("reshape", x, (4, 6), exact=True)
    check("permute", x, (2, 0, 1), exact=True)
    check("getitem", x, (slice(None), 1, None, slice(None, None, -2)), exact=True)
    check("getitem", x, (1, 2, 3), exact=True)
    check("getitem", x, (), exact=True)
    check("getitem", x, (slice(5, 1), ..., -1), exact=True)
    check("concat", [x, x[:, :, ::-1]], 1, exact=True)
    check("copy", x, exact=True)


def test_reshape_shares_memory_exactly_where_numpy_does():
    backend = backends.get("cuda")
    base = np.arange(48.0).reshape(2, 3, 2, 4)
    views = [base, base.T, base[:, ::2], base[:, :, :, :2], base[..., 0], base.transpose(0, 2, 1, 3), base[:1, :, :1]]
    shapes = [s for n in range(1, 5) for s in itertools.product([1, 2, 3, 4, 6, 8, 12, 16, 24, 48], repeat=n)]
    compared = 0
    for x in views:
        for shape in shapes:
            if np.prod(shape) != x.size:
                continue
            there = on_device(x)
            result = backend.reshape(there, shape)
            assert (result.block is there.block) == np.shares_memory(x.reshape(shape), x), (x.shape, x.strides, shape)
            if result.block is there.block:
                np.testing.assert_array_equal(base.ravel()[positions(result)], x.reshape(shape))
                compared += 1
    assert compared > 100


def positions(x):
    """Where in its block each element of a device array lies."""
    where = np.full(x.shape, x.offset)
    for axis, (size, step) in enumerate(zip(x.shape, x.strides, strict=True)):
        where += step * np.arange(size).reshape((-1,) + (1,) * (x.ndim - axis - 1))
    return where


@examples
@given(data=st.data())
def test_broadcast_to(data):
    drawn = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0))
    check("broadcast_to", data.draw(arrays(shape=drawn.input_shapes[0])), drawn.result_shape, exact=True)


@examples
@given(data=st.data())
def test_basic_indexing(data):
    x = data.draw(arrays())
    index = data.draw(hnp.basic_indices(x.shape, allow_newaxis=True, allow_ellipsis=True))
    check("getitem", x, index if isinstance(index, tuple) else (index,), exact=True)


def test_views_that_do_not_fit_raise():
    backend = backends.get("cuda")
    x = on_device(np.ones((2, 3)))
    with pytest.raises(ValueError, match="broadcast"):
        backend.broadcast_to(x, (3, 2))
    with pytest.raises(ValueError, match="reshape"):
        backend.reshape(x, (4, 2))
    with pytest.raises(IndexError, match="too many"):
        backend.getitem(x, (0, 0, 0))
    for index in ((2,), (-3,), (slice(None), 3)):
        with pytest.raises(IndexError, match="out of bounds"):
            backend.getitem(x, index)
    with pytest.raises(ValueError, match="join"):
        backend.concat([x, on_device(np.ones((2, 2)))], 0)
    with pytest.raises(ValueError, match="read-only"):
        backend.write(backend.broadcast_to(on_device(np.ones(1)), (3,)), on_device(np.ones(3)))


@pytest.mark.parametrize("layout", ["plain", "transposed", "strided", "repeated"])
def test_put_slices_adds_where_slices_overlap(layout):
    indices = [(0,), (slice(1, 4),), (slice(None), 2), (3, 1), (..., slice(None, None, -1)), (), (2, None)]
    out = np.zeros((5, 4))
    for dtype in ("float64", "int64"):
        parts = [make(np.shape(out[index]), dtype, layout, seed) for seed, index in enumerate(indices)]
        check("put_slices", (5, 4), indices, parts)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", ALL)
def test_joining_any_number_of_parts(axis, dtype):
    for count in (1, 2, 7, 8, 9, 17):
        parts = [make((2, 3, 2), dtype, "plain", seed) for seed in range(count)]
        check("concat", parts, axis, exact=True)
        parts[0] = make((2, 3, 2), dtype, "transposed", 99)
        check("concat", parts, axis, exact=True)
    uneven = [make((2, 3, size), dtype, "plain", size) for size in (1, 4, 0, 2)]
    check("concat", [np.ascontiguousarray(np.moveaxis(part, 2, axis)) for part in uneven], axis, exact=True)


@pytest.mark.parametrize("dtype", ALL)
def test_transfers_keep_every_bit(dtype):
    backend = backends.get("cuda")
    for shape in [(), (0,), (1,), (7, 5), (3000,)]:
        x = make(shape, dtype, "plain", 3, specials=True)
        there = backend.from_numpy(x)
        x_before = x.copy()
        x[...] = 0  # the device has a copy of its own
        np.testing.assert_array_equal(backend.to_numpy(there), x_before)


def test_backend_has_every_kernel_of_the_reference():
    import types

    wanted = {
        key
        for key, value in vars(reference).items()
        if isinstance(value, types.FunctionType) and not key.startswith("_") and key != "philox"
    }
    backend = backends.get("cuda")
    assert {key for key in wanted if not callable(getattr(backend, key, None))} == set()
    assert (backend.name, backend.device) == ("cuda", "cuda")
