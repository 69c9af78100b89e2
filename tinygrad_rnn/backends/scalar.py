"""The mathematics of every elementwise op, once: plain functions of one element, compiled by each backend.

The tables at the end (`UNARY`, `BINARY`, ...) give the function of each kernel and dtype, and beside it what NumPy
computes for whole arrays: the oracle, with which `reference.py` works. Nothing here imports Numba: a backend hands the
functions to its compiler. So that one text serves a CPU, a GPU and the plain interpreter:

- Constants carry the dtype of the argument (`type(x)(1)`, or `np.float32(...)` in a function of one dtype): a bare
  1.0 would make float32 code run in float64.
- Where speed matters there is no branch and no call to the C library: `a if c else b` becomes a select, and the loop
  around it runs 8 or 16 elements at a time. (`sin`, `cos`, `erfc` and `pow` call the C library, one element at a time.)
- Comparisons are written so that NaN falls through: `limit if x > limit else x` keeps a NaN, min/max may not.
- Powers of two are made and taken apart by looking at a float's bits as an integer (`.view`), which is exact.

exp, expm1, log, log1p, tanh and sigmoid are within 3 units in the last place over the whole range of both dtypes,
subnormal numbers included. Their steps follow W. J. Cody and W. Waite, "Software Manual for the Elementary
Functions" (1980), and the fdlibm library of Sun Microsystems (1993).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

# ---- exp: x = n log 2 + r, so exp(x) = 2^n exp(r) with |r| <= log(2) / 2 -------------------------------------

_LOG2_E_F32, _LOG2_E_F64 = np.float32(1.4426950408889634), np.float64(1.4426950408889634)

# log 2 as a short number, whose product with n is exact, and the rest.
_LN2_HIGH_F32, _LN2_LOW_F32 = np.float32(0.693359375), np.float32(-2.1219444e-4)
_LN2_HIGH_F64, _LN2_LOW_F64 = np.float64(6.93147180369123816490e-01), np.float64(1.90821492927058770002e-10)

# Adding 1.5 * 2^23 (1.5 * 2^52) rounds to an integer and leaves it in the low bits of the sum.
_ROUND_F32, _ROUND_BITS_F32 = np.float32(12582912.0), np.int32(0x4B400000)
_ROUND_F64, _ROUND_BITS_F64 = np.float64(6755399441055744.0), np.int64(0x4338000000000000)


def _power_of_two_f32(n):
    """2^n for an int32 n in [-126, 127]: n is put where a float keeps its exponent."""
    return np.int32(np.int32(n + np.int32(127)) << np.int32(23)).view(np.float32)


def _power_of_two_f64(n):
    return np.int64((n + np.int64(1023)) << np.int64(52)).view(np.float64)


def _expm1_polynomial_f32(r):
    """exp(r) - 1 for |r| <= 0.347, correct to the last place also near 0."""
    p = np.float32(1.98910304e-04)
    p = p * r + np.float32(1.39336858e-03)
    p = p * r + np.float32(8.33331048e-03)
    p = p * r + np.float32(4.16664630e-02)
    p = p * r + np.float32(1.66666672e-01)
    p = p * r + np.float32(0.5)
    return r + r * (r * p)


def _expm1_polynomial_f64(r):
    p = np.float64(2.0914717341716378e-09)
    p = p * r + np.float64(2.5105259538448494e-08)
    p = p * r + np.float64(2.755727357010214e-07)
    p = p * r + np.float64(2.7557255297969643e-06)
    p = p * r + np.float64(2.4801587325605324e-05)
    p = p * r + np.float64(0.0001984126987490126)
    p = p * r + np.float64(0.001388888888888373)
    p = p * r + np.float64(0.008333333333326112)
    p = p * r + np.float64(0.04166666666666667)
    p = p * r + np.float64(0.1666666666666667)
    p = p * r + np.float64(0.5)
    return r + r * (r * p)


def _exp_f32(x):
    low, high = np.float32(-105.0), np.float32(89.0)  # exp is 0 below, infinite above
    x = low if x < low else x
    x = high if x > high else x
    shifted = x * _LOG2_E_F32 + _ROUND_F32
    n = np.int32(np.float32(shifted).view(np.int32) - _ROUND_BITS_F32)
    whole = shifted - _ROUND_F32
    r = (x - whole * _LN2_HIGH_F32) - whole * _LN2_LOW_F32
    half = np.int32(n >> np.int32(1))  # two factors, because 2^n itself may be subnormal or infinite
    scaled = (np.float32(1.0) + _expm1_polynomial_f32(r)) * _power_of_two_f32(half)
    return scaled * _power_of_two_f32(np.int32(n - half))


def _exp_f64(x):
    low, high = np.float64(-746.0), np.float64(710.0)
    x = low if x < low else x
    x = high if x > high else x
    shifted = x * _LOG2_E_F64 + _ROUND_F64
    n = np.float64(shifted).view(np.int64) - _ROUND_BITS_F64
    whole = shifted - _ROUND_F64
    r = (x - whole * _LN2_HIGH_F64) - whole * _LN2_LOW_F64
    half = n >> np.int64(1)
    scaled = (np.float64(1.0) + _expm1_polynomial_f64(r)) * _power_of_two_f64(half)
    return scaled * _power_of_two_f64(n - half)


# ---- expm1: 2^n (exp(r) - 1) + (2^n - 1), where nothing is lost near 0 ----------------------------------------


def _expm1_f32(x):
    y, low, high = x, np.float32(-20.0), np.float32(89.0)  # expm1 rounds to -1 below, is infinite above
    y = low if y < low else y
    y = high if y > high else y
    shifted = y * _LOG2_E_F32 + _ROUND_F32
    n = np.int32(np.float32(shifted).view(np.int32) - _ROUND_BITS_F32)
    whole = shifted - _ROUND_F32
    r = (y - whole * _LN2_HIGH_F32) - whole * _LN2_LOW_F32
    half = np.int32(n >> np.int32(1))  # two factors, because 2^n itself may be infinite
    rest = np.int32(n - half)
    small = _expm1_polynomial_f32(r) * _power_of_two_f32(half) + (
        _power_of_two_f32(half) - _power_of_two_f32(np.int32(-rest))
    )
    return math.copysign(small * _power_of_two_f32(rest), x)  # of -0, too


def _expm1_f64(x):
    y, low, high = x, np.float64(-40.0), np.float64(710.0)
    y = low if y < low else y
    y = high if y > high else y
    shifted = y * _LOG2_E_F64 + _ROUND_F64
    n = np.float64(shifted).view(np.int64) - _ROUND_BITS_F64
    whole = shifted - _ROUND_F64
    r = (y - whole * _LN2_HIGH_F64) - whole * _LN2_LOW_F64
    half = n >> np.int64(1)
    rest = n - half
    small = _expm1_polynomial_f64(r) * _power_of_two_f64(half) + (_power_of_two_f64(half) - _power_of_two_f64(-rest))
    return math.copysign(small * _power_of_two_f64(rest), x)


def _sigmoid_f32(x):
    e = _exp_f32(-abs(x))  # never overflows
    one = np.float32(1.0)
    return (e if x < np.float32(0.0) else one) / (one + e)


def _sigmoid_f64(x):
    e = _exp_f64(-abs(x))
    one = np.float64(1.0)
    return (e if x < np.float64(0.0) else one) / (one + e)


# ---- tanh(x) = m / (m + 2) with m = exp(2 |x|) - 1, which keeps its digits near 0 ----------------------------


def _tanh_f32(x):
    y = abs(x) + abs(x)
    limit = np.float32(20.0)  # from here on tanh rounds to 1
    y = limit if y > limit else y
    shifted = y * _LOG2_E_F32 + _ROUND_F32
    power = _power_of_two_f32(np.int32(np.float32(shifted).view(np.int32) - _ROUND_BITS_F32))
    whole = shifted - _ROUND_F32
    r = (y - whole * _LN2_HIGH_F32) - whole * _LN2_LOW_F32
    m = power * _expm1_polynomial_f32(r) + (power - np.float32(1.0))
    return math.copysign(m / (m + np.float32(2.0)), x)


def _tanh_f64(x):
    y = abs(x) + abs(x)
    limit = np.float64(40.0)
    y = limit if y > limit else y
    shifted = y * _LOG2_E_F64 + _ROUND_F64
    power = _power_of_two_f64(np.float64(shifted).view(np.int64) - _ROUND_BITS_F64)
    whole = shifted - _ROUND_F64
    r = (y - whole * _LN2_HIGH_F64) - whole * _LN2_LOW_F64
    m = power * _expm1_polynomial_f64(r) + (power - np.float64(1.0))
    return math.copysign(m / (m + np.float64(2.0)), x)


# ---- log: x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and log(1 + f) by a series in s = f / (2 + f) --

_SQRT_HALF_BITS_F32 = np.int32(0x3F3504F3)
_SQRT_HALF_BITS_F64 = np.int64(0x3FE6A09E667F3BCD)


def _log_f32(x):
    zero, infinity = np.float32(0.0), np.float32(np.inf)
    subnormal = x < np.float32(1.17549435e-38)
    scaled = x * np.float32(33554432.0) if subnormal else x  # 2^25 makes it normal
    bits = np.int32(np.float32(scaled).view(np.int32) - _SQRT_HALF_BITS_F32)
    n = np.float32(np.int32(bits >> np.int32(23))) - (np.float32(25.0) if subnormal else zero)
    f = np.int32(np.int32(bits & np.int32(0x7FFFFF)) + _SQRT_HALF_BITS_F32).view(np.float32) - np.float32(1.0)
    s = f / (np.float32(2.0) + f)
    z = s * s
    p = np.float32(0.24279078841)
    p = p * z + np.float32(0.28498786688)
    p = p * z + np.float32(0.40000972152)
    p = p * z + np.float32(0.66666662693)
    half_square = np.float32(0.5) * f * f
    y = (s * (half_square + z * p) + n * _LN2_LOW_F32) - half_square + f + n * _LN2_HIGH_F32
    y = y if x < infinity else x  # infinity and NaN are their own logarithms
    y = np.float32(np.nan) if x < zero else y
    return -infinity if x == zero else y


def _log_f64(x):
    zero, infinity = np.float64(0.0), np.float64(np.inf)
    subnormal = x < np.float64(2.2250738585072014e-308)
    scaled = x * np.float64(18014398509481984.0) if subnormal else x  # 2^54
    bits = np.float64(scaled).view(np.int64) - _SQRT_HALF_BITS_F64
    exponent = (bits >> np.int64(52)) + _ROUND_BITS_F64  # AVX2 cannot convert int64 to float64
    n = (np.int64(exponent).view(np.float64) - _ROUND_F64) - (np.float64(54.0) if subnormal else zero)
    f = np.int64((bits & np.int64(0xFFFFFFFFFFFFF)) + _SQRT_HALF_BITS_F64).view(np.float64) - np.float64(1.0)
    s = f / (np.float64(2.0) + f)
    z = s * s
    p = np.float64(1.479819860511658591e-01)
    p = p * z + np.float64(1.531383769920937332e-01)
    p = p * z + np.float64(1.818357216161805012e-01)
    p = p * z + np.float64(2.222219843214978396e-01)
    p = p * z + np.float64(2.857142874366239149e-01)
    p = p * z + np.float64(3.999999999940941908e-01)
    p = p * z + np.float64(6.666666666666735130e-01)
    half_square = np.float64(0.5) * f * f
    y = (s * (half_square + z * p) + n * _LN2_LOW_F64) - half_square + f + n * _LN2_HIGH_F64
    y = y if x < infinity else x
    y = np.float64(np.nan) if x < zero else y
    return -infinity if x == zero else y


# ---- log1p: log(u) with u = 1 + x rounded, and what the rounding took away: log(u + c) is log(u) + c / u ----


def _log1p_f32(x):
    one, infinity = np.float32(1.0), np.float32(np.inf)
    u = one + x
    lost = x - (u - one) if x < one else one - (u - x)
    y = _log_f32(u) + lost / u
    y = y if x < infinity else x
    y = -infinity if x == -one else y
    return math.copysign(y, x)  # log1p(-0) is -0


def _log1p_f64(x):
    one, infinity = np.float64(1.0), np.float64(np.inf)
    u = one + x
    lost = x - (u - one) if x < one else one - (u - x)
    y = _log_f64(u) + lost / u
    y = y if x < infinity else x
    y = -infinity if x == -one else y
    return math.copysign(y, x)


# ---- floor: adding 2^23 (2^52) leaves no place for a fraction -------------------------------------------------


def _floor_f32(x):
    large = np.float32(8388608.0)  # from here on all floats are whole; infinity and NaN pass through, too
    shift = math.copysign(large, x)
    whole = np.float32(np.float32(x + shift) - shift)
    whole = whole - np.float32(1.0) if whole > x else whole
    return math.copysign(whole, x) if abs(x) < large else x


def _floor_f64(x):
    large = np.float64(4503599627370496.0)
    shift = math.copysign(large, x)
    whole = np.float64(x + shift) - shift
    whole = whole - np.float64(1.0) if whole > x else whole
    return math.copysign(whole, x) if abs(x) < large else x


# ---- the rest is one text for every dtype; a bool is a byte of 0 or 1 ------------------------------------------


def same(x):
    """Return x."""
    return x


def _neg(x):
    return -x


def _sqrt(x):
    return np.sqrt(x)


def _reciprocal(x):
    return type(x)(1) / x


def _abs(x):
    return abs(x)


def _sign(x):
    zero, one = type(x)(0), type(x)(1)
    sign = one if x > zero else (-one if x < zero else zero)
    return sign if x == x else x


def _relu(x):
    zero = type(x)(0)
    return zero if x <= zero else x


def _sin(x):
    return math.sin(x)


def _cos(x):
    return math.cos(x)


def _erfc(x):
    return math.erfc(x)


def add(a, b):
    """Return a + b; also the step of a sum."""
    return a + b


def _sub(a, b):
    return a - b


def mul(a, b):
    """Return a * b; also the step of a product."""
    return a * b


def _div(a, b):
    return a / b


def _pow(a, b):
    return a**b


def _whole_pow(a, b):
    """a ** b by repeated squaring; the caller has checked that b is not negative."""
    result = type(a)(1)
    while b > type(b)(0):
        if b & type(b)(1):
            result = result * a
        a = a * a
        b = b >> type(b)(1)
    return result


def _bool_pow(a, b):
    return a if b else type(a)(1)


def maximum(a, b):
    """Return the larger, or NaN if either is NaN; also the step of a max reduction."""
    larger = a if a > b else b  # b if either is NaN
    return larger if a == a else a


def minimum(a, b):
    """Return the smaller, or NaN if either is NaN; also the step of a min reduction."""
    smaller = a if a < b else b
    return smaller if a == a else a


def _tanh_grad(g, y):
    return g * (type(y)(1) - y * y)


def _sigmoid_grad(g, y):
    return g * (y * (type(y)(1) - y))


def _eq(a, b):
    return a == b


def _ne(a, b):
    return a != b


def _lt(a, b):
    return a < b


def _le(a, b):
    return a <= b


def _gt(a, b):
    return a > b


def _ge(a, b):
    return a >= b


def where(condition, a, b):
    """Return a where condition holds and b elsewhere."""
    return a if condition else b


# ---- what NumPy has no function for, in NumPy: written without the functions above, which it is there to check ---


def _sigmoid_of_array(x):
    e = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _erfc_of_array(x):
    return np.vectorize(math.erfc, otypes=[x.dtype])(x)


# ---- the tables ------------------------------------------------------------------------------------------------

Function = Callable[..., Any]


class Elementwise(NamedTuple):
    """A line of the tables: all that is to be said of one elementwise kernel.

    Attributes:
        numpy: computes whole arrays by NumPy's own functions.
        functions: computes one element, by the name of the dtype; a dtype that is missing has no such kernel.
    """

    numpy: Function
    functions: dict[str, Function]


def _floats(
    numpy: Function,
    f32: Function,
    f64: Function | None = None,
    *,
    int64: Function | None = None,
    bools: Function | None = None,
) -> Elementwise:
    """A kernel of floats, in one text or in one for each dtype, and of integers and bools where they have it."""
    given = {"float32": f32, "float64": f64 or f32, "int64": int64, "bool": bools}
    return Elementwise(numpy, {dtype: function for dtype, function in given.items() if function})


def _numbers(numpy: Function, function: Function, *, bools: Function | None = None) -> Elementwise:
    """A kernel whose one text also serves integers."""
    return _floats(numpy, function, int64=function, bools=bools)


def _every_dtype(numpy: Function, function: Function) -> Elementwise:
    return _numbers(numpy, function, bools=function)


UNARY = {
    "neg": _numbers(np.negative, _neg),
    "exp": _floats(np.exp, _exp_f32, _exp_f64),
    "expm1": _floats(np.expm1, _expm1_f32, _expm1_f64),
    "log": _floats(np.log, _log_f32, _log_f64),
    "log1p": _floats(np.log1p, _log1p_f32, _log1p_f64),
    "sqrt": _floats(np.sqrt, _sqrt),
    "reciprocal": _floats(np.reciprocal, _reciprocal),
    "abs": _numbers(np.abs, _abs, bools=same),
    "sign": _numbers(np.sign, _sign),
    "tanh": _floats(np.tanh, _tanh_f32, _tanh_f64),
    "sigmoid": _floats(_sigmoid_of_array, _sigmoid_f32, _sigmoid_f64),
    "relu": _numbers(lambda x: np.maximum(x, x.dtype.type(0)), _relu, bools=same),
    "sin": _floats(np.sin, _sin),
    "cos": _floats(np.cos, _cos),
    "erfc": _floats(_erfc_of_array, _erfc),
    "floor": _floats(np.floor, _floor_f32, _floor_f64),
}
BINARY = {  # on bytes of 0 and 1, + is "or" and * is "and"
    "add": _numbers(np.add, add, bools=maximum),
    "sub": _numbers(np.subtract, _sub),
    "mul": _numbers(np.multiply, mul, bools=minimum),
    "div": _floats(np.divide, _div),
    "pow": _floats(np.power, _pow, int64=_whole_pow, bools=_bool_pow),
    "maximum": _every_dtype(np.maximum, maximum),
    "minimum": _every_dtype(np.minimum, minimum),
    # The vjps of tanh and sigmoid from their output, in one pass each.
    "tanh_grad": _floats(lambda g, y: g * (1 - y * y), _tanh_grad),
    "sigmoid_grad": _floats(lambda g, y: g * (y * (1 - y)), _sigmoid_grad),
}
#: Of two arguments, too, but the result is a bool.
COMPARE = {
    "eq": _every_dtype(np.equal, _eq),
    "ne": _every_dtype(np.not_equal, _ne),
    "lt": _every_dtype(np.less, _lt),
    "le": _every_dtype(np.less_equal, _le),
    "gt": _every_dtype(np.greater, _gt),
    "ge": _every_dtype(np.greater_equal, _ge),
}
#: Of a condition, which is a bool, and two arguments.
TERNARY = {"where": _every_dtype(np.where, where)}
REDUCE = {"sum": BINARY["add"], "prod": BINARY["mul"], "max": BINARY["maximum"], "min": BINARY["minimum"]}


def by_dtype(table: Mapping[str, Elementwise]) -> dict[str, dict[str, Function]]:
    """Return the functions of one element alone, by kernel and dtype: what a compiler needs of a table."""
    return {kernel: line.functions for kernel, line in table.items()}


# ---- random numbers: Philox4x32-10 (Salmon et al. 2011), a pure function of seed and position ----------------

_LOW_WORD, _WORD = np.uint64(0xFFFFFFFF), np.uint64(32)
_PHILOX_M0, _PHILOX_M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_PHILOX_W0, _PHILOX_W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_TWO_PI = np.float64(2 * math.pi)


def philox(seed, position):
    """Return the block of four 32-bit words at a position; everything is uint64."""
    key0, key1 = seed & _LOW_WORD, seed >> _WORD
    c0, c1, c2, c3 = position & _LOW_WORD, position >> _WORD, np.uint64(0), np.uint64(0)
    for _ in range(10):
        p0, p1 = c0 * _PHILOX_M0, c2 * _PHILOX_M1
        c0, c1, c2, c3 = (
            (p1 >> _WORD) ^ c1 ^ key0,
            p1 & _LOW_WORD,
            (p0 >> _WORD) ^ c3 ^ key1,
            p0 & _LOW_WORD,
        )
        key0, key1 = (key0 + _PHILOX_W0) & _LOW_WORD, (key1 + _PHILOX_W1) & _LOW_WORD
    return c0, c1, c2, c3


def _uniform_f32(a, b):
    """A number in [0, 1) from two words: a multiple of 2^-24."""
    return np.float32(np.int64(a >> np.uint64(8))) * np.float32(2.0**-24)


def _uniform_f64(a, b):
    return np.float64(np.int64((a << np.uint64(21)) | (b >> np.uint64(11)))) * np.float64(2.0**-53)


def _normal(a, b):
    """A standard normal number from two words by Box and Muller (1958), in float64."""
    u1 = np.float64(np.int64(a + np.uint64(1))) * np.float64(2.0**-32)
    u2 = np.float64(np.int64(b)) * np.float64(2.0**-32)
    return math.sqrt(np.float64(-2.0) * _log_f64(u1)) * math.cos(_TWO_PI * u2)


RANDOM: dict[str, dict[str, Function]] = {
    "uniform": {"float32": _uniform_f32, "float64": _uniform_f64},
    "normal": {"float32": _normal, "float64": _normal},
}
