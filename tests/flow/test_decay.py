"""One factor per step for a curve, and what else is to be said of one that is no straight line."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.flow.test_report import report, state
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.flow.decay import decay_of


def test_the_factor_per_step_goes_down_to_the_horizon_else_to_the_last_lag():
    falling = 0.5 ** np.arange(12.0)
    assert report(state("h", falling)).horizon.steps == 7
    found = report(state("h", [*falling[:8], *[1.0] * 4])).decay
    assert (found.lag, found.per_step) == (7, pytest.approx(0.5))
    lasting = [4.0, 3.0, 2.5, 2.0]
    found = report(state("h", lasting)).decay
    assert (found.lag, found.per_step) == (3, pytest.approx(0.5 ** (1 / 3)))
    assert report(state("h", lasting)).to_dict()["per_step"] == found.per_step


def test_a_line_is_given_where_it_fits():
    rng = np.random.default_rng(0)
    sizes = 0.8 ** np.arange(40) * rng.uniform(0.8, 1.25, 40)
    slope = np.polyfit(np.arange(40), np.log(sizes), 1)[0]
    found = decay_of(sizes, 39)
    assert found.line == pytest.approx(math.exp(slope))
    half = next(lag for lag, size in enumerate(sizes) if size < 0.5 * sizes[0])
    assert found.half_life == pytest.approx(float(np.interp(-math.log(2), *_falling(sizes, half))))
    assert half - 1 < found.half_life <= half
    assert found.bend is None


def _falling(sizes, lag):
    """Return the ends of the piece of the curve that leads to a lag: its logarithms, the lower first, and the lags."""
    logs = np.log(np.array([sizes[lag], sizes[lag - 1]]) / sizes[0])
    return logs, [lag, lag - 1]


def test_half_is_gone_where_the_curve_says_so_and_not_where_the_mean_factor_would_have_it():
    slow_at_first = np.array([1.0, 0.841, 0.611, 0.496, 0.34, 0.25, 0.17, 0.12, 0.085, 0.06, 0.042, 0.03])
    found = decay_of(slow_at_first, 11)
    assert found.line is not None
    assert 2 < found.half_life < 3
    assert found.half_life == pytest.approx(2 + math.log(0.611 / 0.5) / math.log(0.611 / 0.496))
    assert abs(found.half_life - math.log(0.5) / math.log(found.per_step)) > 0.5


@pytest.mark.parametrize(
    ("sizes", "bend", "before", "after"),
    [
        ([1.0, *[0.293 * 0.995**t for t in range(39)]], 1, 0.293, 0.995),  # a drop, then a plateau
        ([*[1.0] * 10, *[0.2**t for t in range(1, 11)]], 9, 1.0, 0.2),
    ],
)
def test_a_drop_before_a_plateau_is_no_line_and_has_no_half_life(sizes, bend, before, after):
    found = decay_of(np.array(sizes), len(sizes) - 1)
    assert found.line is found.half_life is None
    assert (found.bend, found.before, found.after) == (bend, pytest.approx(before), pytest.approx(after))


def test_a_half_life_beyond_what_was_measured_is_not_made_up():
    flat = decay_of(0.99 ** np.arange(10.0), 9)
    assert flat.line == pytest.approx(0.99)
    assert flat.half_life is None
    assert decay_of(np.array([1.0, 2.0, 4.0]), 2).half_life is None


def test_of_what_has_no_size_there_is_no_decay():
    for sizes in ([0.0, 1.0], [math.nan, 1.0], [1.0, math.inf], [1.0]):
        assert decay_of(np.array(sizes), len(sizes) - 1) is None
    gone = decay_of(np.array([1.0, 0.0, 0.0]), 1)
    assert (gone.per_step, gone.line, gone.half_life) == (0.0, None, None)


def test_factors_beyond_the_range_of_the_numbers_are_exact():
    sizes = np.array([1e300, 1e-300])
    assert decay_of(sizes, 1).per_step == pytest.approx(0.0, abs=1e-300)
    assert decay_of(10.0 ** np.linspace(300, -300, 601), 600).per_step == pytest.approx(0.1)


# ---- 0, and too small ----------------------------------------------------------------------------------------------


def chain(factors, dtype):
    """h_t = factor_t h_{t-1}, for a loss at the last step."""
    h = tg.tensor(np.ones((1, 1), dtype), requires_grad=True)
    for t, factor in enumerate(factors):
        with tg.scope("t", t):
            h = (h * tg.tensor(np.full((1, 1), factor, dtype))).named("h")
    return gradient_flow(h.sum(axis=1)).cell[0]


def test_what_is_too_small_for_float32_is_told_from_what_no_path_carries():
    narrow, wide = chain([0.5] * 200, "float32"), chain([0.5] * 200, "float64")
    assert (narrow.dtype, wide.dtype) == ("float32", "float64")
    assert narrow.by_lag[-1] == 0 < wide.by_lag[-1]
    assert (narrow.underflows_at, narrow.zero_at) == (127, None)  # 2^-126 is the smallest normal number
    assert (wide.underflows_at, wide.zero_at) == (None, None)
    steep = chain([1e-12] * 6, "float32")
    assert steep.by_lag[4] == 0
    assert (steep.underflows_at, steep.zero_at) == (4, None)


def test_a_path_that_ends_is_exactly_0():
    for dtype in ("float32", "float64"):
        assert (chain([1, 0, 1, 1], dtype).underflows_at, chain([1, 0, 1, 1], dtype).zero_at) == (None, 3)
    dead = chain([0.0] * 4, "float32")
    assert (dead.underflows_at, dead.zero_at) == (None, 1)
    assert (chain([0.5] * 3, "float32").zero_at, state("h", [0.0, 0.0]).zero_at) == (None, 0)
