"""A bit, or a few, to remember."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AskedBitTask, FirstBitTask, MarkedBitTask, ParityTask, parse_task
from tinygrad_rnn.train import SequenceModel, assess, fit


def test_the_first_bit_is_followed_by_noise_on_the_other_channel():
    inputs, targets = FirstBitTask(30).batch(2000, seed=0, dtype="float64")
    np.testing.assert_array_equal(inputs[0, :, 0], 2 * targets - 1)
    assert (inputs[1:, :, 0] == 0).all()
    assert inputs[..., 1].mean() == pytest.approx(0, abs=0.02)
    assert inputs[..., 1].std() == pytest.approx(1, abs=0.02)
    assert np.abs(np.corrcoef(inputs[..., 1].sum(axis=0), targets)[0, 1]) < 0.1
    assert targets.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("steps", "span"), [(5, 5), (30, 5), (30, 12)])
def test_the_marked_bit_is_one_of_the_first_few(steps, span):
    inputs, targets = MarkedBitTask(steps, span).batch(3000, seed=0)
    bits, marks = inputs[..., 0], inputs[..., 1]
    assert set(bits.ravel()) == {-1.0, 1.0}
    assert (marks.sum(axis=0) == 1).all()
    np.testing.assert_allclose(marks.mean(axis=1), np.where(np.arange(steps) < span, 1 / span, 0), atol=0.04)
    for example in range(200):
        assert targets[example] == (bits[list(marks[:, example]).index(1), example] > 0)
    for step in range(span):  # nothing about the others
        there = marks[step] == 1
        assert bits[(step + 1) % steps, there].mean() == pytest.approx(0, abs=0.25)


def test_the_asked_bit_is_wanted_where_it_is_asked_for_and_nothing_elsewhere():
    task = AskedBitTask(20)
    inputs, targets = task.batch(3000, seed=0)
    asked = inputs[..., 1]
    assert (asked.sum(axis=0) == 1).all()
    np.testing.assert_allclose(asked.mean(axis=1), np.where(np.arange(20) >= 5, 1 / 15, 0), atol=0.03)
    assert set(inputs[0, :, 0]) == {-1.0, 1.0}
    assert (inputs[1:, :, 0] == 0).all()
    np.testing.assert_array_equal(targets, asked * inputs[0, :, 0])
    measured = task.measured(9, seed=0)
    assert (measured.inputs[-1, :, 1] == 1).all()
    np.testing.assert_array_equal(measured.targets[-1], measured.inputs[0, :, 0])


def test_a_constant_share_of_the_asked_bit_has_the_known_losses():
    task = AskedBitTask(20)
    batch = task.batch(50, seed=0, dtype="float64")
    for share, known in ((0.0, 1.0), (1 / 20, 1 - 1 / 20), (1.0, 19.0)):
        outputs = tg.tensor(np.repeat(share * batch.inputs[:1, :, :1], 20, axis=0))
        assert task.loss(outputs, batch).item() == pytest.approx(known)
        by_step = sum(task.losses_at(step, outputs[step], batch) for step in range(20))
        assert by_step.mean().item() == pytest.approx(known)
        assert task.scores(outputs, batch)["wrong"].all()
    assert not task.scores(tg.tensor(batch.targets[..., None] * 0.51), batch)["wrong"].any()


def test_parity_turns_with_every_bit():
    inputs, targets = ParityTask(9).batch(400, seed=0)
    for example in range(400):
        odd = False
        for bit in inputs[:, example, 0]:
            odd ^= bool(bit == 1)
        assert targets[example] == odd
    assert set(inputs.ravel()) == {-1.0, 1.0}
    assert targets.mean() == pytest.approx(0.5, abs=0.1)


def test_what_is_read_is_said_in_signs():
    assert FirstBitTask(3).input_labels(np.array([[-1.0, 0.3], [0, 1.26], [0, -0.5]])) == ["-", "1.3", "-0.5"]
    assert MarkedBitTask(5).input_labels(np.array([[-1.0, 0.0], [1.0, 1.0]])) == ["-", "+*"]
    assert AskedBitTask(4).input_labels(np.array([[1.0, 0], [0, 0], [0, 1.0]])) == ["+", "0", "?"]
    assert ParityTask(2).input_labels(np.array([[1.0], [-1.0]])) == ["+", "-"]


@pytest.mark.parametrize(
    ("spec", "least"), [("first_bit", 2), ("marked_bit", 5), ("marked_bit:span=8", 8), ("asked_bit", 4), ("parity", 2)]
)
def test_too_few_steps_are_refused(spec, least):
    assert parse_task(spec).make(least).batch(3, seed=0).inputs.shape[0] == least
    with pytest.raises(InputError, match=f"{least - 1} is too few, take at least {least}"):
        parse_task(spec).make(least - 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_lstm_that_starts_with_open_forget_gates_learns_the_first_bit(seed):
    task = FirstBitTask(50)
    tg.manual_seed(seed)
    model = SequenceModel("lstm:forget_bias=3", 2, 32, 2)
    for _ in fit(model, task, optim.Adam(model.parameters(), lr=5e-3), updates=300, batch=32, seed=seed):
        pass
    assert task.criterion.met(assess(model, task, 500, seed=seed))
