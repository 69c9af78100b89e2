"""Each matrix product against NumPy: sizes around every tile, operands in every layout, stacks, special values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.checking import ALL, FLOATS, examples, make
from tests.backends.cuda.layouts import on_device
from tinygrad_rnn import backends

pytestmark = pytest.mark.cuda

OFFERED = {
    "naive": ALL,
    "tiled": ALL,
    "register_blocked_8": ["float32"],
    "register_blocked_4": FLOATS,
    "register_blocked_2": FLOATS,
}
EACH = [(kernel, dtype) for kernel, dtypes in OFFERED.items() for dtype in dtypes]
BLOCKED = [(kernel, dtype) for kernel, dtype in EACH if kernel.startswith("register_blocked")]


@pytest.fixture
def rng(request):
    """New numbers in every run; a failure shows from which seed they come."""
    seed = np.random.SeedSequence().entropy
    request.node.add_report_section("setup", "seed", str(seed))
    return np.random.default_rng(seed)


@pytest.fixture
def module():
    """The module: the package has the function under its name."""
    import importlib

    module = importlib.import_module("tinygrad_rnn.backends.cuda.products")
    module._plan.cache_clear()
    yield module
    module._plan.cache_clear()


def numbers(rng, shape, dtype):
    if dtype == "bool":
        return rng.random(shape) < 0.3
    return rng.integers(-99, 99, shape) if dtype == "int64" else rng.normal(size=shape).astype(dtype)


def multiply(a, b, kernel=None):
    """The product on the device, in memory where a missing write would show."""
    from tinygrad_rnn.backends.cuda.products import matmul  # where device "cuda" works

    backend = backends.get("cuda")
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    left, right = on_device(a), on_device(b)
    backend.fill(shape, np.nan if a.dtype.kind == "f" else 77, a.dtype)  # freed at once, and taken by the result
    return backend.to_numpy(matmul(left, right, kernel))


def check(a, b, kernel=None):
    with np.errstate(all="ignore"):
        expected = np.matmul(a, b)
        size = np.abs(a).astype("float64") @ np.abs(b).astype("float64")
    result = multiply(a, b, kernel)
    assert (result.dtype, result.shape) == (a.dtype, expected.shape)
    if a.dtype.kind != "f":
        np.testing.assert_array_equal(result.view("uint8"), expected.view("uint8"))  # a bool is 0 or 1
        return
    # Each of k products and k additions is off by half a unit in the last place at most.
    exact = a.astype("float64") @ b.astype("float64")
    allowed = (a.shape[-1] + 2) * np.finfo(a.dtype).eps * size
    assert (np.abs(result - exact) <= allowed).all(), (kernel, a.shape, b.shape, np.abs(result - exact).max())


# ---- sizes -----------------------------------------------------------------------------------------------------


def sides(module, kernel, dtype):
    """A kernel's tile: rows and columns of the result, and elements of the inner axis."""
    if (kernel, dtype) not in BLOCKED:
        return module.SIDE, module.SIDE
    return module._TILE[kernel], module.ENTRIES[kernel][dtype][1][1]


@pytest.mark.parametrize(("kernel", "dtype"), EACH)
def test_sizes_around_a_tile(kernel, dtype, module, rng):
    t, depth = sides(module, kernel, dtype)
    for m, k, n in [
        (1, 1, 1),
        (1, depth, t),
        (t, 1, 1),
        (t - 1, depth - 1, t + 1),
        (t, depth, t),
        (t + 1, depth + 1, t - 1),
        (t, 2 * depth, 2 * t),
        (2 * t + 1, 3, 1),
        (2, 2 * depth + 1, t),
    ]:
        check(numbers(rng, (m, k), dtype), numbers(rng, (k, n), dtype), kernel)


@pytest.mark.parametrize(("kernel", "dtype"), BLOCKED)
def test_tiles_as_large_as_on_a_gpu(kernel, dtype, module, rng, monkeypatch):
    """Few products with all 256 threads of a block, where each finds its square and its loads."""
    from tinygrad_rnn.backends.cuda.compiling import Kernels

    square = int(kernel[-1])
    for name, value in [("SIDE", 16), ("THREADS", 256), ("_RUN", 8), ("_LOAD", 16), ("_TILE", {kernel: 16 * square})]:
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "_kernels", Kernels(module.KINDS[0]))
    t, depth = sides(module, kernel, dtype)
    a, b = numbers(rng, (t + 1, depth + 3), dtype), numbers(rng, (depth + 3, t - 1), dtype)
    check(a, b, kernel)
    check(inside_transposed(a[:5]), transposed(b), kernel)


@pytest.mark.parametrize("dtype", ALL)
def test_empty_operands(dtype, rng):
    for a, b in [((0, 3), (3, 2)), ((2, 3), (3, 0)), ((2, 0), (0, 3)), ((0, 0), (0, 0)), ((0, 2, 3), (3, 2))]:
        for kernel in (None, "naive", "tiled"):
            check(numbers(rng, a, dtype), numbers(rng, b, dtype), kernel)
    check(numbers(rng, (3, 2, 0), dtype), numbers(rng, (0, 4), dtype))


# ---- layouts ---------------------------------------------------------------------------------------------------


def as_it_is(x):
    return x


def transposed(x):
    return np.swapaxes(np.swapaxes(x, -1, -2).copy(), -1, -2)


def inside(x):
    """A part of a larger array. Who reads what lies around it gets NaN."""
    around = np.full((*x.shape[:-2], x.shape[-2] + 2, x.shape[-1] + 3), np.nan if x.dtype.kind == "f" else 1, x.dtype)
    around[..., 1:-1, 1:-2] = x
    return around[..., 1:-1, 1:-2]


def inside_transposed(x):
    return np.swapaxes(inside(np.swapaxes(x, -1, -2)), -1, -2)


def with_gaps(x):
    """Every second element of every second row: no axis has neighbours."""
    around = np.full((*x.shape[:-2], 2 * x.shape[-2], 2 * x.shape[-1]), np.nan if x.dtype.kind == "f" else 1, x.dtype)
    around[..., ::2, ::2] = x
    return around[..., ::2, ::2]


def backwards(x):
    return x[..., ::-1, ::-1].copy()[..., ::-1, ::-1]


def rows_alike(x):
    return np.broadcast_to(x[..., :1, :], x.shape)


def columns_alike(x):
    return np.broadcast_to(x[..., :1], x.shape)


def all_alike(x):
    return np.broadcast_to(x[..., :1, :1], x.shape)


TRANSPOSES = [as_it_is, transposed, inside, inside_transposed]
LAYOUTS = [*TRANSPOSES, with_gaps, backwards, rows_alike, columns_alike, all_alike]


@pytest.mark.parametrize(("kernel", "dtype"), EACH)
def test_transposed_and_sliced_operands(kernel, dtype, module, rng):
    t, depth = sides(module, kernel, dtype)
    a, b = numbers(rng, (t + 1, depth + 3), dtype), numbers(rng, (depth + 3, t - 1), dtype)
    for left in TRANSPOSES:
        for right in TRANSPOSES:
            if dtype == "float32" or left is right:
                check(left(a), right(b), kernel)


@pytest.mark.parametrize("left", LAYOUTS)
def test_every_layout(left, rng):
    a, b = numbers(rng, (5, 7), "float32"), numbers(rng, (7, 3), "float32")
    for right in LAYOUTS:
        check(left(a), right(b))
    for m, k, n in [(1, 7, 3), (5, 1, 3), (5, 7, 1), (1, 7, 1), (1, 1, 1)]:
        check(left(a[:m, :k]), left(b[:k, :n]))


# ---- stacks of matrices ----------------------------------------------------------------------------------------

STACKS = [
    ((3,), (3,)),
    ((3,), ()),
    ((), (3,)),
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((2, 1), (3,)),
    ((1, 2), (3, 1)),
    ((1, 1), (1,)),
    ((2, 1, 3), (2, 2, 1)),  # four axes, of which no two go on as one
    ((1, 2, 1, 2), (2, 1, 2, 1)),
]


@pytest.mark.parametrize(("left", "right"), STACKS)
def test_stacks(left, right, rng):
    for kernel in (None, "naive", "tiled"):
        check(numbers(rng, (*left, 3, 2), "float32"), numbers(rng, (*right, 2, 2), "float32"), kernel)
    check(numbers(rng, (*left, 2, 3), "int64"), numbers(rng, (*right, 3, 1), "int64"))
    a, b = numbers(rng, (*left, 3, 4), "float64"), numbers(rng, (*right, 4, 2), "float64")
    for layout in (inside, transposed, with_gaps):
        check(layout(a), layout(b))
    check(np.moveaxis(a, 0, -1).copy().swapaxes(-1, -2)[..., :2], numbers(rng, (2, 3), "float64"))


def test_leading_axes_in_another_order(rng):
    a, b = numbers(rng, (2, 3, 4, 5), "float32"), numbers(rng, (3, 2, 5, 2), "float32")
    check(a.transpose(1, 0, 2, 3), b)
    check(a.transpose(1, 0, 2, 3), b.copy().transpose(0, 1, 2, 3)[::-1])
    check(a[:, ::2].transpose(1, 0, 3, 2), b[::2, :, 1:])


def test_the_product_of_an_unrolled_net(rng):
    """x[t] is a slice, the weight a transposed parameter, and the gradient a transposed slice times a matrix."""
    x, weight, g = numbers(rng, (4, 3, 5), "float32"), numbers(rng, (8, 5), "float32"), numbers(rng, (3, 8), "float32")
    check(x[2], weight.T)
    check(x[:, 1], weight.T)
    check(x[1].T, g)
    check(g, weight)
    check(np.broadcast_to(np.float32(1), (3, 8)), weight)


# ---- which kernel, and cut inner axes --------------------------------------------------------------------------


@examples
@given(data=st.data())
def test_any_product(data):
    m, k, n = (data.draw(st.integers(0, 9)) for _ in range(3))
    dtype, seeds = data.draw(st.sampled_from(ALL)), st.integers(0, 2**32 - 1)
    layouts = st.sampled_from(["plain", "transposed", "reversed", "strided", "repeated"])
    check(
        make((m, k), dtype, data.draw(layouts), data.draw(seeds)),
        make((k, n), dtype, data.draw(layouts), data.draw(seeds)),
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_cut_inner_axis(dtype, module, rng, monkeypatch):
    for pieces in (2, 3, 6):
        monkeypatch.setattr(module, "choose", lambda *sizes, p=pieces: ("register_blocked_2", p))
        module._plan.cache_clear()
        a, b = numbers(rng, (3, 12), dtype), numbers(rng, (12, 5), dtype)
        for layout in TRANSPOSES:
            check(layout(a), layout(b))


def test_choice(module, monkeypatch):
    """For the tiles of a real GPU with 132 multiprocessors."""
    tiles = {"register_blocked_8": 128, "register_blocked_4": 64, "register_blocked_2": 32}
    monkeypatch.setattr(module, "_TILE", tiles)

    def choose(m, k, n, dtype="float32", matrices=1):
        return module.choose(m, n, k, matrices, dtype, 132)

    assert choose(2048, 2048, 2048) == ("register_blocked_8", 1)
    assert choose(2048, 2048, 2048, "float64") == ("register_blocked_4", 1)
    assert choose(1024, 1024, 1024) == ("register_blocked_4", 1)
    assert choose(64, 256, 1024) == ("register_blocked_2", 1)  # one step of an LSTM
    assert choose(64, 256, 1024, matrices=100) == ("register_blocked_4", 1)
    assert choose(64, 6400, 1024) == ("register_blocked_4", 10)
    assert choose(64, 6397, 1024) == ("register_blocked_2", 1)  # 6397 is a prime
    assert choose(1, 10000, 1) == ("register_blocked_2", 16)
    assert choose(2048, 2048, 2048, "int64") == choose(1, 1, 1, "bool") == ("tiled", 1)
    assert choose(0, 5, 5) == choose(5, 0, 5) == ("register_blocked_2", 1)
    for m, k, n in np.random.default_rng().integers(1, 20000, (200, 3)).tolist():
        assert k % choose(m, k, n)[1] == 0


# ---- special values, errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kernel", "dtype"), [pair for pair in EACH if pair[1] in FLOATS])
def test_nan_and_infinity_go_where_they_belong(kernel, dtype, rng):
    a, b = numbers(rng, (3, 5), dtype), numbers(rng, (5, 3), dtype)
    for value, place in [(np.nan, (0, 0)), (np.inf, (2, 4)), (-np.inf, (2, 0))]:
        x, y = a.copy(), b.copy()
        x[place] = value
        y[place[1], -1] = value
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(multiply(x, y, kernel), x @ y, rtol=1e-4, atol=1e-4)


def test_large_integers_wrap_around(rng):
    a, b = (rng.integers(-(2**62), 2**62, shape) for shape in [(3, 4), (4, 5)])
    check(a, b)


def test_same_numbers_every_time(rng):
    a, b = numbers(rng, (5, 9), "float32"), numbers(rng, (9, 3), "float32")
    for kernel in OFFERED:
        first = multiply(a, b, kernel)
        np.testing.assert_array_equal(multiply(a, b, kernel), first)
        np.testing.assert_array_equal(multiply(inside(a), transposed(b), kernel), first)


def test_kernels_and_their_dtypes(module, rng):
    assert {kernel: list(by_dtype) for kernel, by_dtype in module.ENTRIES.items()} == OFFERED
    for kernel, dtype in [("register_blocked_8", "float64"), ("register_blocked_2", "int64")]:
        with pytest.raises(TypeError, match=f"no {kernel} matmul for {dtype}"):
            multiply(numbers(rng, (2, 2), dtype), numbers(rng, (2, 2), dtype), kernel)


def test_errors():
    backend = backends.get("cuda")
    x = backend.from_numpy(np.ones((3, 2, 4), "float32"))
    with pytest.raises(ValueError, match="inner sizes differ"):
        backend.matmul(x, x)
    with pytest.raises(ValueError, match="shape mismatch"):
        backend.matmul(x, backend.from_numpy(np.ones((2, 4, 5), "float32")))
