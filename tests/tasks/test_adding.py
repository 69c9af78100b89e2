"""The adding problem."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask


@pytest.mark.parametrize("steps", [2, 3, 20])
def test_the_target_is_the_sum_of_the_two_marked_numbers(steps):
    inputs, targets = AddingTask(steps).batch(50, seed=1, dtype="float64")
    numbers, marks = inputs[..., 0], inputs[..., 1]
    np.testing.assert_allclose((numbers * marks).sum(axis=0), targets)
    half = steps // 2
    assert (marks[:half].sum(axis=0) == 1).all()
    assert (marks[half:].sum(axis=0) == 1).all()
    assert ((numbers >= 0) & (numbers < 1)).all()


def test_answering_one_has_the_known_error():
    _, targets = AddingTask(30).batch(20_000, seed=0, dtype="float64")
    assert np.mean((targets - 1) ** 2) == pytest.approx(1 / 6, abs=0.005)


def test_every_position_gets_marked():
    inputs, _ = AddingTask(9).batch(500, seed=0)
    assert (inputs[..., 1].sum(axis=1) > 0).all()


def test_losses_are_squared_errors_of_the_last_step():
    task = AddingTask(4)
    batch = task.batch(3, seed=0, dtype="float64")
    outputs = np.random.default_rng(0).normal(size=(4, 3, 1))
    expected = (outputs[-1, :, 0] - batch.targets) ** 2
    np.testing.assert_allclose(task.last_losses(tg.tensor(outputs[-1]), batch).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(task.loss(tg.tensor(outputs), batch).item(), expected.mean(), rtol=1e-12)


def test_a_batch_is_a_function_of_its_seed_and_one_step_is_too_few():
    first, again = (AddingTask(6).batch(4, seed=(3, 1)) for _ in range(2))
    assert (first.inputs == again.inputs).all()
    assert (first.targets == again.targets).all()
    with pytest.raises(InputError, match="at least 2"):
        AddingTask(1)
