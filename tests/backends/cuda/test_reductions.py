"""Reductions on the device against the reference: every layout, and sizes around the edges of rounds and blocks."""

import importlib
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.backends.checking import ALL, FLOATS, arrays, examples, make
from tests.backends.cuda.layouts import check, on_device
from tinygrad_rnn import backends
from tinygrad_rnn.backends import reference
from tinygrad_rnn.errors import DeviceError

pytestmark = pytest.mark.cuda

KERNELS = ["sum", "prod", "max", "min"]


@pytest.fixture
def module():
    return importlib.import_module("tinygrad_rnn.backends.cuda.reductions")


def reduced(x, kernel="sum", axes=None, keepdims=False):
    """Check one reduction; sums may err as far as numbers of the size of sum(|x|) do."""
    axes = tuple(range(x.ndim)) if axes is None else axes
    if kernel == "prod" and x.dtype.kind == "f":
        return check("reduce", kernel, x, axes, keepdims, ulps=8 + x.size)
    if kernel != "sum" or x.dtype.kind != "f":
        return check("reduce", kernel, x, axes, keepdims, exact=True)
    scale = float(np.abs(x[np.isfinite(x)].astype(np.float64)).sum())
    return check("reduce", kernel, x, axes, keepdims, scale=scale)


def edges(module, lanes):
    """Numbers of elements around those that fill a round, one piece and two, for so many lanes."""
    a_round = lanes * module.AT_ONCE
    full = [module.AT_ONCE, lanes, a_round, a_round * module.FEWEST_ROUNDS, 2 * a_round * module.MOST_ROUNDS]
    return sorted({n + d for n in full for d in (-1, 0, 1)} - {0})


# ---- sum, max, min -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
@examples
@given(data=st.data())
def test_any_axes_of_any_layout(kernel, data):
    x = data.draw(arrays(ALL, specials=True))
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, x.ndim - 1))))) if x.ndim else ()
    keepdims = data.draw(st.booleans())
    try:
        with np.errstate(all="ignore"):
            reference.reduce(kernel, x, axes, keepdims)
    except ValueError:
        with pytest.raises(ValueError, match=f"zero-size.*no {kernel}"):
            backends.get("cuda").reduce(kernel, on_device(x), axes, keepdims)
    else:
        reduced(x, kernel, axes, keepdims)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [(0, 2), (1, 3), (0, 1, 3), (0, 3), (0, 2, 3), (1, 2)])
def test_axes_that_are_no_neighbours(axes, keepdims):
    for kernel in KERNELS:
        reduced(make((3, 2, 4, 3), "float64", "transposed", 0), kernel, axes, keepdims)
        reduced(make((3, 2, 4, 3), "int64", "plain", 0), kernel, axes, keepdims)


def test_all_of_a_transposed_matrix_is_read_where_it_lies(module):
    backend = backends.get("cuda")
    x = backend.permute(on_device(make((3, 2, 4), "float32", "plain", 0)), (2, 0, 1))
    assert module._in_any_order(x).block is x.block
    gaps = backend.getitem(x, (slice(None), slice(None), slice(1)))
    assert module._in_any_order(gaps).block is not x.block


@pytest.mark.parametrize(
    ("kernel", "dtype"), [*(("sum", dtype) for dtype in ALL), ("max", "float32"), ("min", "int64"), ("max", "bool")]
)
def test_rows_around_every_edge(module, kernel, dtype):
    for n in edges(module, module.THREADS):
        reduced(make((n,), dtype, "plain", n), kernel)
        reduced(make((3, n), dtype, "plain", n), kernel, (1,))


@pytest.mark.parametrize(("kernel", "dtype"), [("sum", "float32"), ("max", "float64"), ("min", "int64")])
def test_columns_around_every_edge(module, kernel, dtype):
    for columns in {2, 3, module.WARP - 1, module.WARP, module.WARP + 1} - {1}:
        for n in edges(module, module.THREADS // module.WARP):
            reduced(make((n, columns), dtype, "plain", n), kernel, (0,))
    reduced(make((2, 5, module.THREADS + 1), dtype, "plain", 5), kernel, (1,))


def test_many_short_rows_share_a_block(module):
    for n in (1, 2, module.AT_ONCE - 1, module.AT_ONCE, module.AT_ONCE + 1, 3 * module.AT_ONCE):
        for rows in (module.THREADS - 1, module.THREADS, module.THREADS + 1):
            reduced(make((rows, n), "float64", "plain", n), "sum", (1,))
            reduced(make((rows, n, 3), "float64", "plain", n), "max", (1,))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_nan_is_seen_wherever_it_stands(module, kernel, dtype):
    n = module.THREADS * module.AT_ONCE + module.THREADS + 1
    for place in {0, 1, module.THREADS, 3 * module.THREADS + 1, n - 2, n - 1}:
        x = make((n,), dtype, "plain", n)
        x[place] = np.nan
        assert np.isnan(reduced(x, kernel))
        assert np.isnan(reduced(np.stack([x, x], axis=1), kernel, (0,))).all()


@pytest.mark.parametrize("dtype", ALL)
def test_the_least_and_largest_numbers(module, dtype):
    limits = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype) if dtype == "int64" else None
    low, high = (limits.min, limits.max) if limits else (False, True)
    infinities = [-np.inf, np.inf] if dtype.startswith("float") else []
    for number in [low, high, *infinities]:
        x = np.full(module.AT_ONCE + 1, number, dtype)
        assert reduced(x, "max") == reduced(x, "min") == number


def test_a_sum_of_bools_counts(module):
    x = make((3, 2 * module.THREADS), "bool", "transposed", 0)
    assert reduced(x, "sum", (1,)).dtype == np.int64
    assert reduced(x, "sum", ()).dtype == np.int64


def test_whole_numbers_wrap_around():
    reduced(np.array([2**63 - 1, 2, 2**62], np.int64))


@pytest.mark.parametrize("kernel", KERNELS)
def test_reducing_no_axis_copies(kernel):
    backend = backends.get("cuda")
    x = on_device(np.arange(6.0).reshape(2, 3))
    result = backend.reduce(kernel, x, (), False)
    backend.add_into(x, x)
    assert backend.to_numpy(result).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_sums_of_nothing_are_zero():
    for shape, axes in [((0,), (0,)), ((3, 0), (1,)), ((0, 3), (0,)), ((0, 3), (1,)), ((2, 0, 3), (0, 1))]:
        reduced(np.zeros(shape, np.float32), "sum", axes)
        reduced(np.zeros(shape, bool), "sum", axes, True)


def test_an_unknown_kernel_is_named_with_those_there_are():
    with pytest.raises(DeviceError, match=r"no reduce kernel 'median'; there are max, min, prod, sum$"):
        backends.get("cuda").reduce("median", on_device(np.ones(3)), (0,), False)


@pytest.mark.parametrize("shape", [(-1,), (3, -1), (-1, 3)])
def test_two_runs_agree_to_the_last_bit(module, shape):
    many = 4 * module.THREADS * module.AT_ONCE * module.MOST_ROUNDS + 5
    x = make(tuple(many if size < 0 else size for size in shape), "float32", "plain", 0)
    axis = shape.index(-1)
    assert module._layout(x.size // many, many, math.prod(x.shape[axis + 1 :]))[2] > 1, "not split into pieces"
    assert reduced(x, "sum", (axis,)).tobytes() == reduced(x, "sum", (axis,)).tobytes()


def test_a_long_sum_keeps_its_digits(module):
    from tinygrad_rnn.backends.cuda import driver

    n = 4 * module.THREADS * module.AT_ONCE * module.MOST_ROUNDS if driver.simulated else 2**26
    backend = backends.get("cuda")
    for x in (np.random.default_rng(0).random(n, np.float32), np.full(n, 0.1, np.float32)):
        total = backend.to_numpy(backend.reduce("sum", on_device(x), (0,), False))
        assert abs(float(total) / x.sum(dtype=np.float64) - 1) < 1e-6


# ---- running sums ---------------------------------------------------------------------------------------------


@examples
@given(data=st.data())
def test_cumsum_along_any_axis_of_any_layout(data):
    x = data.draw(arrays(ALL, specials=True).filter(lambda x: x.ndim))
    scale = float(np.abs(x[np.isfinite(x)].astype(np.float64)).sum())
    check("cumsum", x, data.draw(st.integers(0, x.ndim - 1)), scale=scale)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_cumsum_around_the_edges_of_its_tiles(module, dtype):
    for n in {1, module.THREADS - 1, module.THREADS, module.THREADS + 1, 3 * module.THREADS + 1}:
        x = make((2, n, 3), dtype, "plain", n)
        check("cumsum", x, 1, scale=float(np.abs(x).sum()))


def test_a_long_cumsum_keeps_its_digits(module):
    from tinygrad_rnn.backends.cuda import driver

    x = np.full(200 * module.THREADS if driver.simulated else 2**24, 0.1, np.float32)
    backend = backends.get("cuda")
    found = backend.to_numpy(backend.cumsum(on_device(x), 0))
    np.testing.assert_allclose(found, np.cumsum(x, dtype=np.float64), rtol=1e-6)


def test_a_cumsum_stays_infinite(module):
    x = np.ones(3 * module.THREADS, np.float32)
    x[1] = np.inf
    check("cumsum", x, 0)


# ---- layer normalisation --------------------------------------------------------------------------------------


@examples
@given(data=st.data())
def test_layer_norm_and_its_gradient_in_any_layout(data):
    backend = backends.get("cuda")
    x = data.draw(arrays(FLOATS).filter(lambda x: x.ndim))
    found, expected = backend.layer_norm(on_device(x), 0.1), reference.layer_norm(x, 0.1)
    for ours, wanted in zip(map(backend.to_numpy, found), expected, strict=True):
        assert (ours.dtype, ours.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-5)
    g = make(x.shape, x.dtype.name, "plain", 3)
    ours = backend.to_numpy(backend.layer_norm_grad(on_device(g), *found))
    np.testing.assert_allclose(ours, reference.layer_norm_grad(g, *expected), rtol=1e-4, atol=1e-4)


# ---- how launches are laid out -------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", ["of this device", "of a GPU"])
@example(results=1, n=64, columns=1)
@example(results=1, n=2**26, columns=1)
@example(results=1024, n=2**15, columns=1024)
@given(
    results=st.integers(1, 10**6),
    n=st.one_of(st.integers(0, 10**4), st.integers(0, 2**34)),
    columns=st.one_of(st.just(1), st.integers(1, 10**4)),
)
def test_every_element_is_in_one_piece_and_every_result_in_one_block(blocks, results, n, columns):
    module = importlib.import_module("tinygrad_rnn.backends.cuda.reductions")
    with pytest.MonkeyPatch.context() as patch:
        if blocks == "of a GPU":
            constants = {"THREADS": 256, "WARP": 32, "FEWEST_ROUNDS": 8, "MOST_ROUNDS": 32, "simulated": False}
            for name, value in constants.items():
                patch.setattr(module, name, value)
            patch.setattr(module, "multiprocessors", lambda: 132)
        (groups, parts), threads, pieces, length = module._layout.__wrapped__(results, n, columns)
        lanes, lines = threads if columns == 1 else threads[::-1]
        assert lanes * lines == module.THREADS
        assert lanes.bit_count() == 1, "the tree halves them"
    assert (groups - 1) * lines < results <= groups * lines
    assert parts == pieces <= 65535
    assert (pieces - 1) * length < max(n, 1)
    assert n <= pieces * length


# ---- argmax ------------------------------------------------------------------------------------------------


@examples
@given(data=st.data())
def test_argmax_along_any_axis_of_any_layout(data):
    x = data.draw(arrays(ALL, specials=True).filter(lambda x: x.ndim))
    axis, keepdims = data.draw(st.integers(0, x.ndim - 1)), data.draw(st.booleans())
    if x.shape[axis]:
        check("argmax", x, axis, keepdims)
    else:
        with pytest.raises(ValueError, match="argmax of zero elements"):
            backends.get("cuda").argmax(on_device(x), axis, keepdims)


@pytest.mark.parametrize("dtype", ALL)
def test_argmax_takes_the_first_of_equals(module, dtype):
    for n in edges(module, module.THREADS):
        x = (np.random.default_rng(n).random((2, n)) * 3).astype(int).astype(dtype)
        check("argmax", x, 1, False)
        check("argmax", x.T.copy(), 0, True)
        check("argmax", np.zeros(n, dtype), 0, False)


@pytest.mark.parametrize("dtype", FLOATS)
def test_argmax_takes_the_first_nan(module, dtype):
    n = 2 * module.THREADS * module.AT_ONCE * module.MOST_ROUNDS + 3
    threads = module.THREADS
    for places in ([n - 1], [0, n - 1], [threads, threads + 1, n // 2], [threads - 1, threads], [1, 2 * threads]):
        x = make((n,), dtype, "plain", n)
        x[n // 3] = np.inf
        x[places] = np.nan
        assert check("argmax", x, 0, False) == min(places)
    assert check("argmax", np.full(n, -np.inf, dtype), 0, False) == 0


# ---- looking at numbers from the CPU --------------------------------------------------------------------------


@examples
@given(x=arrays(ALL, specials=True))
def test_all_finite_and_norm_of_any_layout(x):
    backend = backends.get("cuda")
    assert backend.all_finite(on_device(x)) is reference.all_finite(x)
    with np.errstate(all="ignore"):
        expected = reference.norm(x)
    norm = backend.norm(on_device(x))
    assert type(norm) is float
    np.testing.assert_allclose(norm, expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_found(module, dtype, odd):
    backend = backends.get("cuda")
    n = 2 * module.THREADS * module.AT_ONCE * module.MOST_ROUNDS + 3
    for place in (0, module.THREADS, n - 1):
        x = np.full(n, np.finfo(dtype).max, dtype)
        assert backend.all_finite(on_device(x))
        x[place] = odd
        assert not backend.all_finite(on_device(x))
        assert np.isnan(backend.norm(on_device(x))) if np.isnan(odd) else backend.norm(on_device(x)) == np.inf


@pytest.mark.parametrize("dtype", FLOATS)
def test_norms_of_numbers_whose_squares_do_not_fit(module, dtype):
    limits = np.finfo(dtype)
    subnormal_squares = 1e-160 if dtype == "float64" else 1e-21
    for size in (limits.max / 64, limits.tiny, limits.smallest_subnormal, subnormal_squares):
        x = np.full((3, module.THREADS + 1), size, dtype)
        np.testing.assert_allclose(backends.get("cuda").norm(on_device(x)), reference.norm(x), rtol=1e-14)
    assert backends.get("cuda").norm(on_device(np.zeros(5, dtype))) == 0
    assert backends.get("cuda").norm(on_device(np.zeros((0, 2), dtype))) == 0


def test_a_norm_of_float32_is_added_up_in_float64(module):
    x = make((3 * module.THREADS * module.AT_ONCE,), "float32", "plain", 0)
    exact = math.sqrt(math.fsum(float(number) ** 2 for number in x))
    assert abs(backends.get("cuda").norm(on_device(x)) / exact - 1) < 1e-14


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [0.0, 1.0, 3e20, 1e-30, 1e200, 1e-200, math.inf, math.nan])
def test_the_length_of_an_array_stays_on_the_device(module, dtype, size):
    with np.errstate(over="ignore"):
        x = np.array([[3.0, 1.0], [-4.0, 1.0]]).astype(dtype) * np.float64(size).astype(dtype)
    for view in (x, x.T, x[:, :1], x[:0]):
        found = module.length(on_device(view))
        assert (found.shape, found.dtype) == ((), np.float64)
        expected = reference.length(view)
        np.testing.assert_allclose(module.to_numpy(found), expected, rtol=1e-12)
