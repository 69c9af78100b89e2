"""The adding problem."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask, MultiplicationTask, OriginalAddingTask, parse_task


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


def read_slowly(inputs, targets, lengths, steps, answer, neutral):
    """Check the pairs of every example one after the other, and return how many had the first pair marked."""
    hidden = 0
    for example, length in enumerate(lengths):
        numbers, marks = inputs[:, example, 0], inputs[:, example, 1]
        assert steps <= length <= steps + steps // 10
        assert (inputs[length:, example] == 0).all()
        assert marks[0] == marks[length - 1] == -1
        marked = 1 + np.flatnonzero(marks[1 : length - 1])
        assert (marks[marked] == 1).all()
        if len(marked) == 1:
            hidden += 1
            assert numbers[0] == neutral
            assert marked[0] < max(10, steps // 2)
            factors = [neutral, numbers[marked[0]]]
        else:
            assert len(marked) == 2
            assert marked[0] < 10
            assert marked[1] < max(10, steps // 2)
            factors = [numbers[t] for t in marked]
        assert targets[example] == pytest.approx(answer(*factors), abs=1e-12)
    return hidden


@pytest.mark.parametrize("steps", [11, 24, 100])
@pytest.mark.parametrize(
    ("kind", "answer", "neutral"),
    [(OriginalAddingTask, lambda a, b: 0.5 + (a + b) / 4, 0.0), (MultiplicationTask, lambda a, b: a * b, 1.0)],
)
def test_the_form_of_1997_marks_two_pairs_and_hides_the_mark_of_the_first(kind, answer, neutral, steps):
    inputs, targets, lengths, *_ = kind(steps).batch(600, seed=1, dtype="float64").parts()
    assert set(lengths) == set(range(steps, steps + steps // 10 + 1))
    hidden = read_slowly(inputs, targets, lengths, steps, answer, neutral)
    others = steps // 2 - 1
    assert hidden / 600 == pytest.approx(0.1 + 0.9 / others, abs=0.06)


def test_the_second_mark_lies_among_the_pairs_that_are_not_yet_marked_each_as_likely():
    steps, size = 40, 40_000
    inputs, *_ = OriginalAddingTask(steps).measured(size, seed=3)
    counts = (inputs[1:-1, :, 1] == 1).sum(axis=1) / size
    first, second = 1 / 10, 1 / (steps // 2 - 1)
    np.testing.assert_allclose(counts[:9], first + 0.9 * second, atol=0.01)
    np.testing.assert_allclose(counts[9:19], second, atol=0.01)
    assert (counts[19:] == 0).all()
    assert np.abs(inputs[..., 0]).max() == pytest.approx(1, abs=0.001)


def test_answering_the_mean_has_the_known_error_in_1997():
    _, targets, *_ = OriginalAddingTask(100).measured(40_000, seed=0, dtype="float64").parts()
    hidden = 0.1 + 0.9 / 49
    assert np.mean((targets - 0.5) ** 2) == pytest.approx((2 - hidden) / 3 / 16, rel=0.03)
    _, products, *_ = MultiplicationTask(100).measured(40_000, seed=0, dtype="float64").parts()
    of_two, of_one = 1 / 9 - 1 / 8 + 1 / 16, 1 / 3 - 1 / 4 + 1 / 16
    expected = (1 - hidden) * of_two + hidden * of_one
    assert expected == pytest.approx(0.060, abs=0.0005)
    assert (of_two, of_one) == (pytest.approx(7 / 144), pytest.approx(7 / 48))
    assert np.mean((products - 1 / 4) ** 2) == pytest.approx(expected, rel=0.03)


def test_a_form_is_an_option_and_ten_steps_are_too_few_for_1997():
    assert type(parse_task("adding").make(20)) is AddingTask
    assert type(parse_task("adding:form=1997").make(20)) is OriginalAddingTask
    with pytest.raises(InputError, match="never the last; 10 is too few, take at least 11"):
        parse_task("adding:form=1997").make(10)
    task = OriginalAddingTask(11)
    assert task.input_labels(np.array([[0.5, -1], [-0.25, 1], [1.0, 0]])) == [".5|", "-.2*", "1.0"]
