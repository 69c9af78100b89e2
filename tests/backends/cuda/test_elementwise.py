"""Elementwise kernels on the device against the reference, in every layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.checking import ALL, FLOATS, arrays, broadcastable, dtypes_of, examples, make
from tests.backends.cuda.layouts import check, on_device
from tinygrad_rnn import backends
from tinygrad_rnn.backends import reference, scalar

pytestmark = pytest.mark.cuda


def around(edge):
    return sorted({1, edge - 1, edge, edge + 1, 4 * edge - 1, 4 * edge, 4 * edge + 1, 9 * edge + 2} - {0})


@pytest.mark.parametrize("kernel", scalar.UNARY)
@examples
@given(data=st.data())
def test_unary(kernel, data):
    check("unary", kernel, data.draw(arrays(dtypes_of(kernel), specials=True)))


@pytest.mark.parametrize("kernel", sorted({*scalar.BINARY, *scalar.COMPARE} - {"tanh_grad", "sigmoid_grad"}))
@examples
@given(data=st.data())
def test_binary_with_broadcasting_and_mixed_dtypes(kernel, data):
    a, b = data.draw(broadcastable(2, dtypes_of(kernel), specials=True))
    check("binary", kernel, a, b)


@pytest.mark.parametrize("kernel", ["tanh_grad", "sigmoid_grad"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_of_saturating_functions(kernel, dtype):
    g, y = make((5, 7), dtype, "plain", 0), np.tanh(make((5, 7), dtype, "transposed", 1))
    check("binary", kernel, g, y, scale=float(np.abs(g).max()))


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_whole_powers(dtype):
    a, b = make((4, 6), dtype, "plain", 0), np.abs(make((4, 6), dtype, "transposed", 1))
    check("binary", "pow", a, b, exact=True)


@examples
@given(data=st.data())
def test_where(data):
    condition, a, b = data.draw(broadcastable(3, ALL, specials=True))
    check("where", condition.astype(bool), a, b, exact=True)


@pytest.mark.parametrize("to", ALL)
@pytest.mark.parametrize("of", ALL)
@pytest.mark.parametrize("layout", ["plain", "transposed", "reversed", "repeated"])
def test_cast(of, to, layout):
    check("cast", make((3, 5), of, layout, 0), np.dtype(to), exact=True)


@pytest.mark.parametrize("dtype", FLOATS)
def test_cast_to_int_of_numbers_it_cannot_hold_gives_the_smallest(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, -2.9], dtype)
    result = backends.get("cuda").to_numpy(backends.get("cuda").cast(on_device(x), np.dtype("int64")))
    assert result.tolist() == [np.iinfo(np.int64).min] * 5 + [-2]
    just_below = np.nextafter(np.array([2.0**63, -(2.0**63)], dtype), 0)
    check("cast", just_below, np.dtype("int64"), exact=True)


@pytest.mark.parametrize("dtype", ALL)
def test_every_number_of_elements_around_the_edges_of_blocks(dtype):
    from tinygrad_rnn.backends.cuda import elementwise

    for size in around(elementwise.THREADS):
        a, b = make((size,), dtype, "plain", size), make((size,), dtype, "plain", size + 1)
        check("binary", "maximum", a, b, exact=True)
        check("binary", "maximum", a[::-1], b, exact=True)
        check("unary", "abs", a, exact=True)
        check("where", a > b, a, b, exact=True)


def test_more_elements_than_one_round_of_the_grid():
    from tinygrad_rnn.backends.cuda import elementwise

    size = elementwise.blocks_for(10**12) * elementwise.THREADS * 4 + 3
    x = make((size,), "float32", "plain", 0)
    check("binary", "add", x, x[::-1], exact=True)
    check("binary", "add", x, x, exact=True)


def test_a_view_with_an_axis_of_one_element_can_be_written():
    backend = backends.get("cuda")
    x = backend.fill((6,), 0.0, np.dtype("float32"))
    backend.write(backend.getitem(x, (None, slice(None, None, 2))), backend.fill((1, 3), 1.0, np.dtype("float32")))
    assert backend.to_numpy(x).tolist() == [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]


def test_numpy_integers_in_an_index_reach_no_kernel():
    x = make((4, 5), "float32", "plain", 0)
    there = backends.get("cuda").getitem(on_device(x), (slice(None), np.int32(3)))
    assert type(there.offset) is int
    np.testing.assert_array_equal(backends.get("cuda").to_numpy(there), x[:, 3])


def test_five_axes_that_cannot_be_joined():
    x = make((2, 3, 2, 3, 2), "float32", "plain", 0)
    check("binary", "mul", x, x.transpose(4, 3, 2, 1, 0), exact=True)
    check("unary", "neg", x[::-1, :, ::-1, :, ::-1], exact=True)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(0, "float32"), (-2.5, "float64"), (2**62 + 1, "int64"), (True, "bool"), (2, "bool"), (np.nan, "float32")],
)
def test_fill(value, dtype):
    for shape in [(), (0, 2), (3, 4)]:
        check("fill", shape, value, np.dtype(dtype), exact=True)


@pytest.mark.parametrize("layout", ["plain", "transposed", "reversed", "strided"])
@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("kernel", ["add_into", "write"])
def test_writing_in_place(kernel, dtype, layout):
    backend = backends.get("cuda")
    for shape in [(), (3,), (2, 3), (2, 3, 2, 2), (3, 0), (1, 3)]:
        target, value = make(shape, dtype, layout, 1), make(shape, dtype, "transposed", 2)
        there = on_device(target)
        getattr(backend, kernel)(there, on_device(value))
        expected = target.copy()
        getattr(reference, kernel)(expected, value)
        np.testing.assert_array_equal(backend.to_numpy(there), expected)


@pytest.mark.parametrize("kernel", ["add_into", "write"])
def test_an_array_may_be_overwritten_with_a_view_of_itself(kernel):
    backend = backends.get("cuda")
    for view in (lambda x: x[::-1], lambda x: x[:, ::-1], lambda x: x.T, lambda x: x[:1], lambda x: x):
        target = make((5, 5), "float32", "plain", 4)
        expected = target.copy()
        getattr(reference, kernel)(expected, np.broadcast_to(view(target), (5, 5)).copy())
        there = on_device(target)
        value = on_device(view(target))
        value.block = there.block
        getattr(backend, kernel)(there, backend.broadcast_to(value, (5, 5)))
        np.testing.assert_array_equal(backend.to_numpy(there), expected)


def test_what_a_dtype_has_no_meaning_for_raises():
    backend = backends.get("cuda")
    flags = on_device(np.array([True]))
    with pytest.raises(TypeError, match="neg"):
        backend.unary("neg", flags)
    with pytest.raises(TypeError, match="sub"):
        backend.binary("sub", flags, flags)
    with pytest.raises(backends.DeviceError, match="no unary kernel 'nonesuch'"):
        backend.unary("nonesuch", flags)
