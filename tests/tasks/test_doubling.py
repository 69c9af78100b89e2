"""Doubling with one weight: the numbers of the error curve, and what the steps on it do."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import DoublingTask
from tinygrad_rnn.train import descend, errors_at

ERROR = DoublingTask().error


def test_the_error_is_14_at_3_56_at_4_and_0_at_2():
    np.testing.assert_array_equal(errors_at(ERROR, [3, 4, 2, 1]), [14, 56, 0, 14])


def test_the_slope_at_3_is_28():
    weight = tg.tensor(3.0, dtype="float64", requires_grad=True)
    ERROR(weight).backward()
    assert weight.grad.item() == 28


def test_with_the_minus_sign_one_step_is_enough_and_without_it_goes_uphill():
    down, up = (descend(ERROR, 3.0, 1 / 28, 1, added=added) for added in (False, True))
    assert (down.weights.tolist(), down.errors.tolist()) == ([3, 2], [14, 0])
    assert (up.weights.tolist(), up.errors.tolist()) == ([3, 4], [14, 56])
    assert down.slopes.tolist() == [28, 0]


def test_twice_the_rate_swings_and_a_little_more_diverges():
    np.testing.assert_allclose(descend(ERROR, 3.0, 1 / 14, 4).weights, [3, 1, 3, 1, 3])
    assert (np.diff(descend(ERROR, 3.0, 0.08, 20).errors) > 0).all()


@pytest.mark.parametrize(("momentum", "steps"), [(0.0, 22), (0.5, 20)])
def test_momentum_hardly_helps_on_so_simple_a_curve(momentum, steps):
    weights = descend(ERROR, 3.0, 0.01, 60, momentum).weights
    assert int((abs(weights - 2) < 1e-3).argmax()) == steps


def test_much_momentum_is_not_there_in_60_steps():
    assert abs(descend(ERROR, 3.0, 0.01, 60, 0.9).weights[-5:] - 2).max() > 1e-3


def test_a_step_is_that_of_the_optimizer():
    weight = tg.tensor(3.0, dtype="float64", requires_grad=True)
    sgd, weights = tg.optim.SGD([weight], lr=0.02, momentum=0.7), [3.0]
    for _ in range(5):
        sgd.zero_grad()
        ERROR(weight).backward()
        sgd.step()
        weights.append(weight.item())
    np.testing.assert_allclose(descend(ERROR, 3.0, 0.02, 5, 0.7).weights, weights, rtol=1e-12)


def test_no_steps_or_rates_below_0():
    with pytest.raises(InputError, match="neither can be below 0"):
        descend(ERROR, 3.0, -0.1, 1)
    assert len(descend(ERROR, 3.0, 0.1, 0).weights) == 1
