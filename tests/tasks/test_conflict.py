"""The task with a bit to be stored and to be handed out."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import ConflictTask
from tinygrad_rnn.tasks.conflict import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_bit_is_asked_and_others_follow_where_something_is_to_be_kept_out(kind):
    inputs, targets = ConflictTask(7, kind).batch(400, seed=3, dtype="float64")
    bits, first, last = np.moveaxis(inputs, -1, 0)
    np.testing.assert_array_equal(bits[0], targets)
    assert set(np.unique(targets)) == {-1, 1}
    assert abs(targets.mean()) < 0.2
    np.testing.assert_array_equal(first[:, 0], np.eye(7)[0])
    np.testing.assert_array_equal(last[:, 0], np.eye(7)[-1])
    assert set(np.unique(bits[1:])) == ({0} if kind == "retrieve" else {-1, 1})


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_counts_early_answers_where_there_should_be_none(kind):
    task = ConflictTask(5, kind)
    batch = task.batch(4, seed=0, dtype="float64")
    outputs = np.random.default_rng(1).normal(size=(5, 4, 1))
    asked = (outputs[-1, :, 0] - batch.targets) ** 2
    expected = asked + (0 if kind == "store" else (outputs[:-1, :, 0] ** 2).sum(axis=0))
    np.testing.assert_allclose(task.loss(tg.tensor(outputs), batch).item(), expected.mean(), rtol=1e-12)
    np.testing.assert_allclose(task.last_losses(tg.tensor(outputs[-1]), batch).numpy(), asked, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_loss_of_a_carousel_is_that_of_the_best_line_through_all_sequences(kind):
    steps = 6
    task = ConflictTask(steps, kind)
    bits = 1.0 - 2.0 * (np.arange(2**steps)[:, None] >> np.arange(steps) & 1)  # every sequence once
    if kind == "retrieve":
        bits[:, 1:] = 0
    answers = np.cumsum(bits, axis=1)
    asked = [steps - 1] if kind == "store" else range(steps)
    features = np.concatenate([answers[:, step] for step in asked])
    wanted = np.concatenate([bits[:, 0] if step == steps - 1 else 0 * bits[:, 0] for step in asked])
    product = features @ wanted / (features @ features)
    least = ((product * features - wanted) ** 2).sum() / len(bits)
    assert task.least_of_a_carousel == pytest.approx(least, rel=1e-12)


def test_a_batch_is_a_function_of_its_seed_and_bad_input_is_refused():
    task = ConflictTask(5)
    first, again, other = (task.batch(4, seed=(3, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    assert (first.inputs != other.inputs).any()
    assert task.input_labels(np.array([[1.0, 1, 0], [-1, 0, 0], [0, 0, 1]])) == ["+1*", "-1", "0?"]
    with pytest.raises(InputError, match="at least 2"):
        ConflictTask(1, "store")
    for steps in ("4", 4.0, None):
        with pytest.raises(InputError, match="steps must be a whole number >= 2, not"):
            ConflictTask(steps)
    with pytest.raises(InputError, match="kind"):
        ConflictTask(4, "keep")
