"""The scalar functions against a wider floating-point type, at random points and at the special ones."""

import platform
import re

import numpy as np
import pytest

from tinygrad_rnn.backends import cpu, cpu_loops, reference, scalar

DTYPES = ["float32", "float64"]
WIDE = {"float32": np.float64, "float64": np.longdouble}

needs_long_double = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="no floating-point type here is wider than float64"
)


def special(dtype):
    limits = np.finfo(dtype)
    positive = [0.0, limits.smallest_subnormal, limits.tiny, limits.eps, 1.0, 1 + limits.eps, limits.max, np.inf]
    return np.array(
        [*positive, *np.negative(positive), np.nan, 0.5, 1 - limits.epsneg, np.e, np.pi, 88.7, 709.7], dtype
    )


def points(kind, dtype):
    """100,000 random numbers of one kind, between them all that the functions treat differently."""
    rng = np.random.default_rng(7)
    count = 100_000
    sign = rng.choice([-1.0, 1.0], count)
    if kind == "any bits":
        width = np.dtype(dtype).itemsize
        return np.frombuffer(rng.bytes(width * count), dtype)
    if kind == "moderate":
        return rng.uniform(-20, 20, count).astype(dtype)
    if kind == "near 0":
        return (sign * 10 ** rng.uniform(-30, 0, count)).astype(dtype)
    if kind == "near 1":
        return (sign * rng.uniform(0.4, 2.5, count)).astype(dtype)
    edge = 110 if dtype == "float32" else 760  # where exp overflows and where it becomes subnormal, then 0
    return (sign * rng.uniform(0.75 * edge, edge, count)).astype(dtype)


def ulps(result, truth):
    """Distance in units in the last place of the correctly rounded result; 0 where both are the same non-number."""
    with np.errstate(all="ignore"):
        rounded = truth.astype(result.dtype)
        same = (result == rounded) | (np.isnan(result) & np.isnan(rounded))
        return np.where(same, 0, np.abs(result - truth) / np.spacing(np.abs(rounded)))


@needs_long_double
@pytest.mark.parametrize("kind", ["any bits", "moderate", "near 0", "near 1", "edges of exp", "special"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", [kernel for kernel in scalar.UNARY if kernel != "erfc"])  # NumPy has no wider one
def test_function_is_within_3_units_in_the_last_place(kernel, dtype, kind):
    x = special(dtype) if kind == "special" else points(kind, dtype)
    with np.errstate(all="ignore"):
        error = ulps(cpu.unary(kernel, x), scalar.UNARY[kernel].numpy(x.astype(WIDE[dtype])))
    worst = np.nanargmax(np.where(np.isnan(error), np.inf, error))
    assert error[worst] <= 3, f"{kernel}({x[worst]!r}) is off by {error[worst]:.1f} ulp"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", scalar.UNARY)
def test_special_values_come_out_as_in_numpy(kernel, dtype):
    x = special(dtype)
    result, expected = cpu.unary(kernel, x), reference.unary(kernel, x)
    np.testing.assert_allclose(result, expected, rtol=4 * np.finfo(dtype).eps)
    if kernel in ("exp", "expm1", "log", "log1p", "sigmoid", "reciprocal", "sqrt", "tanh", "neg", "abs"):
        np.testing.assert_array_equal(np.signbit(result[result == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", sorted({*scalar.BINARY, *scalar.COMPARE} - {"tanh_grad", "sigmoid_grad"}))
def test_pairs_of_special_values_come_out_as_in_numpy(kernel, dtype):
    a, b = (np.ascontiguousarray(side) for side in np.meshgrid(special(dtype), special(dtype)))
    np.testing.assert_allclose(cpu.binary(kernel, a, b), reference.binary(kernel, a, b), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kind", ["moderate", "near 0", "near 1", "special"])
def test_erfc_of_float32_is_that_of_float64_rounded(kind):
    x = special("float32") if kind == "special" else points(kind, "float32")
    assert ulps(cpu.unary("erfc", x), reference.unary("erfc", x.astype("float64"))).max() <= 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_is_odd_and_never_beyond_one(dtype):
    x = points("moderate", dtype)
    y = cpu.unary("tanh", x)
    np.testing.assert_array_equal(cpu.unary("tanh", -x), -y)
    assert np.abs(y).max() == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", ["exp", "expm1", "tanh", "sigmoid", "log", "log1p"])
def test_function_never_decreases(kernel, dtype):
    """Between far neighbours at least; adjacent numbers may differ by the rounding error."""
    x = np.linspace({"log": 1e-3, "log1p": -0.999}.get(kernel, -30), 30, 10_001, dtype=dtype)
    assert (np.diff(cpu.unary(kernel, x)) >= -np.finfo(dtype).eps).all()


@pytest.mark.parametrize("kernel", [*scalar.UNARY, *scalar.BINARY, *scalar.COMPARE])
def test_functions_run_in_the_plain_interpreter(kernel):
    """One at a time and without Numba: what a GPU simulator and a debugger do."""
    values = {"int64": [0, 1, -1, 3, 70], "bool": [0, 1]}
    for dtype, function in (scalar.UNARY | scalar.BINARY | scalar.COMPARE)[kernel].functions.items():
        number = np.dtype(dtype).type
        for value in values.get(dtype, [0, 1, -1, 3, 70, np.inf, -np.inf, np.nan]):
            x, y = np.asarray(number(value)), np.asarray(number(2))
            with np.errstate(all="ignore"):
                if kernel in scalar.UNARY:
                    if kernel in ("sin", "cos") and np.isinf(value):
                        continue  # math.sin raises where compiled code gives NaN
                    result, expected = function(x[()]), reference.unary(kernel, x)
                else:
                    result, expected = function(x[()], y[()]), reference.binary(kernel, x, y)
            np.testing.assert_allclose(result, expected, rtol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("kernel", ["exp", "expm1", "log", "log1p", "tanh", "sigmoid"])
def test_float32_loop_is_vectorised_and_holds_no_float64(kernel):
    numba = pytest.importorskip("numba")
    if numba.config.DISABLE_JIT or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("looks for x86 instructions")
    cpu_loops.numba_module()
    build, functions, _ = cpu_loops.KINDS["unary"]
    loop = build(functions[kernel]["float32"])
    signature = (numba.float32[::1], numba.float32[::1])
    compiled = numba.jit([signature], **cpu_loops.OPTIONS)(loop)
    assembly = compiled.inspect_asm(signature)
    assert re.search(r"\bv?(mul|fmadd\d+)ps\b", assembly), "no product of several float32 at once"
    assert not re.search(r"\bv?(div|mul|add)[sp]d\b", assembly), "float64 arithmetic in a float32 loop"
    assert "expf" not in assembly
