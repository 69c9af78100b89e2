"""Elementwise kernels, reductions and products, and how they are compiled: the CPU backend against the reference."""

import threading
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.checking import (
    ALL,
    FLOATS,
    NUMBERS,
    arrays,
    broadcastable,
    check,
    dtypes_of,
    examples,
    layouts,
    make,
    run,
    shapes,
)
from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import cpu, cpu_loops, reference, scalar


def test_backend_has_every_kernel_of_the_reference():
    def kernels(module):
        return {
            key
            for key, value in vars(module).items()
            if isinstance(value, types.FunctionType) and not key.startswith("_") and key != "philox"
        }

    assert kernels(reference) <= kernels(cpu)
    assert kernels(reference) | {"name", "device"} == set(cpu.__all__)
    assert cpu.device == reference.device


# ---- elementwise ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", scalar.UNARY)
@examples
@given(data=st.data())
def test_unary(kernel, data):
    check("unary", kernel, data.draw(arrays(dtypes_of(kernel), specials=kernel not in ("sin", "cos"))))


@pytest.mark.parametrize("kernel", sorted({*scalar.BINARY, *scalar.COMPARE} - {"tanh_grad", "sigmoid_grad"}))
@examples
@given(data=st.data())
def test_binary_with_broadcasting_and_mixed_dtypes(kernel, data):
    a, b = data.draw(broadcastable(2, dtypes_of(kernel), specials=True))
    check("binary", kernel, a, b)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape_a", "shape_b"),
    [
        ((32, 100), (32, 100)),
        ((32, 100), (100,)),
        ((32, 100), (32, 1)),
        ((32, 100), ()),
        ((5, 32, 100), (100,)),
        ((5, 32, 100), (32, 100)),
        ((5, 32, 100), (5, 32, 1)),
        ((5, 32, 100), (5, 1, 1)),
        ((5, 32, 100), (5, 1, 100)),
        ((32, 1), (100,)),
        ((1, 100), (1,)),
    ],
)
def test_binary_shapes_of_a_recurrent_net(shape_a, shape_b, dtype):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=shape_a).astype(dtype), rng.normal(size=shape_b).astype(dtype)
    check("binary", "sub", a, b, exact=True)
    check("binary", "sub", b, a, exact=True)
    check("binary", "lt", b, a)


@pytest.mark.parametrize("kernel", ["tanh_grad", "sigmoid_grad"])
@examples
@given(data=st.data())
def test_gradients_of_saturating_functions(kernel, data):
    """Relative to g: 1 - y^2 cancels near y = 1, where the compiled loop rounds once and NumPy twice."""
    shape, dtype = data.draw(shapes), data.draw(st.sampled_from(FLOATS))
    g, y = (data.draw(arrays([dtype], shape=shape)) for _ in range(2))
    y = np.tanh(y)
    result, expected = run("binary", kernel, g, y), reference.binary(kernel, g, y)
    assert (result.dtype, result.shape, result.flags.c_contiguous) == (expected.dtype, expected.shape, True)
    assert (np.abs(result - expected) <= 2 * np.finfo(dtype).eps * np.abs(g)).all()


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0, 0.5, -1.0, 2.5])
@examples
@given(x=arrays(FLOATS, specials=True))
def test_power_with_a_scalar_exponent(exponent, x):
    # As an array: NumPy takes the square root where the exponent is the scalar 0.5, and (-inf) ** 0.5 becomes NaN.
    expected = reference.binary("pow", x.reshape(-1), np.full(x.size, exponent, x.dtype)).reshape(x.shape)
    for power in (np.asarray(exponent, x.dtype), np.full((1,) * x.ndim, exponent, x.dtype)):
        result = run("binary", "pow", x, power)
        assert (result.dtype, result.shape, result.flags.c_contiguous) == (x.dtype, x.shape, True)
        np.testing.assert_allclose(result, expected, rtol=8 * np.finfo(x.dtype).eps)


@examples
@given(data=st.data())
def test_where(data):
    condition, a, b = data.draw(broadcastable(3, specials=True))
    check("where", condition.astype(bool), a, b, exact=True)


@examples
@given(data=st.data())
def test_where_of_equal_shapes(data):
    shape = data.draw(shapes)
    condition = data.draw(arrays(["bool"], shape=shape))
    a, b = (data.draw(arrays(FLOATS, specials=True, shape=shape)) for _ in range(2))
    check("where", condition, a, b, exact=True)


def test_where_takes_any_nonzero_condition_as_true():
    check("where", np.array([2, 0, 256]), np.ones(3), np.zeros(3), exact=True)


@examples
@given(x=arrays(), dtype=st.sampled_from(ALL))
def test_cast(x, dtype):
    check("cast", x, np.dtype(dtype), exact=True)


def test_cast_never_warns():
    assert np.isinf(run("cast", np.array([1e300]), dtypes.float32)).all()
    run("cast", np.array([np.nan, np.inf]), dtypes.int64)


# ---- reductions and products -----------------------------------------------------------------------------------


@st.composite
def reductions(draw, of, specials):
    x = draw(arrays(of, specials))
    axes = draw(st.sets(st.integers(0, x.ndim - 1))) if x.ndim else set()
    return x, tuple(sorted(axes)), draw(st.booleans())


@examples
@given(reductions(ALL, specials=False))
def test_sum(drawn):
    x, axes, keepdims = drawn
    result, expected = run("reduce", "sum", x, axes, keepdims), reference.reduce("sum", x, axes, keepdims)
    assert type(result) is np.ndarray
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-4 if x.dtype == "float32" else 1e-12)


@examples
@given(reductions(ALL, specials=False))
def test_product(drawn):
    x, axes, keepdims = drawn
    result, expected = run("reduce", "prod", x, axes, keepdims), reference.reduce("prod", x, axes, keepdims)
    assert type(result) is np.ndarray
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, expected, rtol=1e-6 if x.dtype == "float32" else 1e-12, atol=1e-40)


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_product_of_large_and_small_float32_is_not_lost_on_the_way(backend, axis):
    x = np.array([[1e30, 1e30, 1e-30, 1e-30] * 5] * 2, "float32")
    np.testing.assert_allclose(backend.reduce("prod", x.T.copy() if axis == 0 else x, (axis,), False), 1, rtol=1e-5)


@examples
@given(data=st.data())
def test_cumsum(data):
    x = data.draw(arrays(ALL, specials=True).filter(lambda x: x.ndim))
    check("cumsum", x, data.draw(st.integers(0, x.ndim - 1)))


@examples
@given(data=st.data())
def test_layer_norm_and_its_gradient_in_any_layout(data):
    x = data.draw(arrays(FLOATS).filter(lambda x: x.ndim))
    y, scale = run("layer_norm", x, 0.1)
    expected = reference.layer_norm(x, 0.1)
    for found, wanted in zip((y, scale), expected, strict=True):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    g = make(x.shape, x.dtype.name, data.draw(layouts), 3)
    found = run("layer_norm_grad", g, y, scale)
    np.testing.assert_allclose(found, reference.layer_norm_grad(g, *expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", [cpu, reference])
def test_layer_norm_keeps_its_digits_far_from_zero_and_passes_on_what_is_not_finite(backend):
    x = np.array([[1e4, 1e4 + 1, 1e4 + 2], [1e-4, 0.0, -1e-4], [np.inf, 0.0, 1.0], [np.nan, 0.0, 1.0]], "float32")
    y, _ = backend.layer_norm(x, 0.0)
    np.testing.assert_allclose(y[:2], [[-(1.5**0.5), 0.0, 1.5**0.5], [1.5**0.5, 0.0, -(1.5**0.5)]], rtol=1e-6)
    assert np.isnan(y[2:]).all()


@pytest.mark.parametrize("kernel", ["max", "min"])
@examples
@given(data=st.data())
def test_max_and_min(kernel, data):
    x, axes, keepdims = data.draw(reductions(NUMBERS, specials=True))
    if all(x.shape[axis] for axis in axes):
        check("reduce", kernel, x, axes, keepdims, exact=True)


def test_maximum_of_nothing_raises_as_in_numpy():
    with pytest.raises(ValueError, match="zero-size"):
        cpu.reduce("max", np.ones((2, 0)), (1,), False)


@pytest.mark.parametrize("kernel", ["sum", "max", "min"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((3000,), (0,)),
        ((7, 1030), (1,)),
        ((1030, 7), (0,)),
        ((5, 70, 9), (0, 1)),
        ((70, 5, 33), (0, 2)),
        ((9, 65, 3), (1,)),
    ],
)
def test_nan_and_infinity_reach_the_result(kernel, shape, axes):
    rng = np.random.default_rng(0)
    for value in (np.nan, np.inf, -np.inf):
        for _ in range(20):
            x = rng.normal(size=shape).astype("float32")
            x[tuple(rng.integers(0, shape))] = value
            result, expected = cpu.reduce(kernel, x, axes, False), reference.reduce(kernel, x, axes, False)
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize(
    ("shape", "axes"), [((3000, 3000), (0,)), ((3000, 3000), (1,)), ((3000, 3000), (0, 1)), ((1000, 2, 1000), (0, 2))]
)
def test_long_float32_sum_keeps_its_digits(backend, shape, axes):
    for x in (np.random.default_rng(0).random(shape, dtype="float32"), np.full(shape, 0.1, "float32")):
        exact = x.sum(axis=axes, dtype="float64")
        error = np.abs(backend.reduce("sum", x, axes, False) - exact) / exact
        assert error.max() < 2e-6  # one addition after the other is 1e-5 and 1e-4 off


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize("shape", [(1_000_000, 2), (300_001, 1), (2, 300_000)])
def test_a_very_long_float32_sum_keeps_its_digits_along_every_axis(backend, shape):
    x, axis = np.full(shape, 0.1, "float32"), int(np.argmax(shape))
    exact = np.cumsum(x, axis, dtype="float64")
    np.testing.assert_allclose(backend.reduce("sum", x, (axis,), False), exact.max(axis), rtol=2e-6)
    np.testing.assert_allclose(backend.cumsum(x, axis), exact, rtol=1e-7)


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize("count", [2049, 1_000_000])
def test_many_float32_added_at_one_position_keep_their_digits(backend, count):
    index = np.full(count, -1)
    found = backend.scatter_add(np.full(count, 0.1, "float32"), index, 0, 3)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, [0, 0, count * float(np.float32(0.1))], rtol=1e-7)


@pytest.mark.parametrize("kernel", ["sum", "max"])
def test_reduction_is_the_same_at_every_address_and_every_time(kernel):
    x = np.random.default_rng(0).normal(size=(33, 517)).astype("float32")
    memory = np.empty(x.size + 16, "float32")
    for axes in [(0,), (1,), (0, 1)]:
        expected = cpu.reduce(kernel, x, axes, False)
        for offset in range(16):
            moved = memory[offset : offset + x.size].reshape(x.shape)
            moved[...] = x
            np.testing.assert_array_equal(cpu.reduce(kernel, moved, axes, False), expected)


@examples
@given(data=st.data())
def test_argmax(data):
    x = data.draw(arrays(NUMBERS, specials=True).filter(lambda x: x.ndim and x.size))
    check("argmax", x, data.draw(st.integers(0, x.ndim - 1)), data.draw(st.booleans()))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 5)),
        ((0, 4), (4, 5)),
        ((3, 0), (0, 5)),
        ((1, 1), (1, 1)),
        ((2, 3, 4), (4, 5)),
        ((2, 1, 3, 4), (6, 4, 5)),
    ],
)
def test_matmul(a, b, dtype):
    def at_most(result, expected):
        assert (result.dtype, result.shape, result.flags.c_contiguous) == (expected.dtype, expected.shape, True)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)

    for layout in ("plain", "transposed", "reversed", "read-only"):
        x, y = make(a, dtype, layout, 0), make(b, dtype, layout, 1)
        at_most(run("matmul", x, y), reference.matmul(x, y))
        swapped = np.swapaxes(np.swapaxes(x, -1, -2).copy(), -1, -2)
        at_most(run("matmul", swapped, y), reference.matmul(swapped, y))


def test_matmul_overflows_without_a_warning():
    x = np.full((4, 4), 1e30, "float32")
    assert np.isinf(run("matmul", x, x)).all()
    assert np.isinf(run("matmul", x[None], x[None])).all()


@pytest.mark.parametrize("shape", [(0,), (), (7,), (32, 128), (3, 5, 17)])
@pytest.mark.parametrize("dtype", ALL)
def test_norm(shape, dtype):
    for layout in ("plain", "transposed", "reversed", "strided", "repeated", "read-only"):
        x = make(shape, dtype, layout, 0)
        result, expected = run("norm", x), np.sqrt((x.astype("float64") ** 2).sum())
        assert type(result) is float
        assert result == pytest.approx(expected, rel=1e-13)
        assert reference.norm(x) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("backend", [cpu, reference])
def test_norm_survives_squares_that_overflow_or_underflow(backend):
    for scale in (1e-200, 1e-160, 1e-150, 1e150, 1e200, 1e307):  # 1e-160: squares lose digits, but do not vanish
        assert backend.norm(np.array([3.0, 4.0, 0.0]) * scale) == pytest.approx(5 * scale, rel=1e-12, abs=0)
    # Their squares are denormal: neither 0 nor exact.
    assert backend.norm(np.array([3e-160, 4e-160])) == pytest.approx(5e-160, rel=1e-12, abs=0)
    assert backend.norm(np.array([3e-320, 4e-320])) == pytest.approx(5e-320, rel=1e-3, abs=0)
    for scale in (1e-44, 1e-30, 1e38):
        x = (np.ones(9) * scale).astype("float32")
        assert backend.norm(x) == pytest.approx(3 * float(x[0]), rel=1e-12, abs=0)


@pytest.mark.parametrize("backend", [cpu, reference])
def test_norm_of_nan_and_infinity(backend):
    for dtype in FLOATS:
        assert np.isnan(backend.norm(np.array([1, np.nan, np.inf], dtype)))
        assert np.isnan(backend.norm(np.array([np.inf, np.nan], dtype)))
        assert backend.norm(np.array([1, -np.inf], dtype)) == np.inf


def test_norm_of_many_float32_keeps_their_digits():
    x = np.random.default_rng(0).random((3000, 3000), dtype="float32")
    assert cpu.norm(x) == pytest.approx(np.sqrt((x.astype("float64") ** 2).sum()), rel=1e-12)


# ---- compiling -----------------------------------------------------------------------------------------------


def test_two_threads_compile_each_loop_once(monkeypatch):
    compiled = []

    def count(kind, kernel, dtype):
        compiled.append((kind, kernel, dtype))
        return compile_loop(kind, kernel, dtype)

    compile_loop = cpu_loops.compile_loop
    monkeypatch.setattr(cpu_loops, "compile_loop", count)
    monkeypatch.setattr(cpu, "_unary", cpu_loops.Loops("unary"))
    monkeypatch.setattr(cpu, "_binary", cpu_loops.Loops("binary"))
    x = np.linspace(0.1, 1, 100)
    start, results = threading.Barrier(2), {}

    def work(thread):
        start.wait()
        results[thread] = [cpu.unary(kernel, x) for kernel in ("tanh", "exp", "log")]
        results[thread] += [cpu.binary(kernel, x, x) for kernel in ("add", "mul", "lt")]

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiled) == len(set(compiled)) == 6
    for first, second in zip(results[0], results[1], strict=True):
        np.testing.assert_array_equal(first, second)
