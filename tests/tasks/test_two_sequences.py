"""Noise and signal on the same channel."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import TwoSequencesTask, parse_task


@pytest.mark.parametrize("form", ["3a", "3b", "3c"])
@pytest.mark.parametrize("informative", [1, 3])
def test_the_first_numbers_are_the_class_and_the_rest_is_noise(form, informative):
    task = TwoSequencesTask(40, form, informative)
    inputs, targets, lengths, *_ = task.batch(5000, seed=0, dtype="float64").parts()
    numbers, size = inputs[..., 0], 5000
    assert numbers.shape == (44, size)
    assert set(lengths) == {40, 41, 42, 43, 44}
    behind = np.arange(44)[:, None] >= lengths
    assert (numbers[behind] == 0).all()
    noise = numbers[informative:][~behind[informative:]]
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.var() == pytest.approx(0.2, abs=0.01)
    first = numbers[:informative]
    clean = {"3a": [0.0, 1.0], "3b": [0.0, 1.0], "3c": [0.8, 0.2]}[form]
    if form == "3b":
        signs = (targets == clean[1]) * 2 - 1
        assert (first - signs).var() == pytest.approx(0.2, abs=0.02)
        assert (first - signs).mean() == pytest.approx(0, abs=0.02)
    else:
        signs = first[0]
        assert (np.abs(first) == 1).all()
        assert (first == signs).all()
    errors = targets - np.where(signs > 0, clean[1], clean[0])
    assert (signs > 0).mean() == pytest.approx(0.5, abs=0.03)
    assert errors.mean() == pytest.approx(0, abs=0.02)
    assert errors.var() == pytest.approx(0.1 if form == "3c" else 0, abs=0.01)


def test_3c_is_evaluated_on_targets_without_noise():
    learned, evaluated = TwoSequencesTask(20, "3c", 1).held_out()
    assert learned.measured(50, seed=0).targets.std() > 0.3
    batch = evaluated.measured(50, seed=0, dtype="float64")
    np.testing.assert_array_equal(batch.targets, np.where(batch.inputs[0, :, 0] > 0, 0.2, 0.8))
    assert (evaluated.steps, evaluated.form, evaluated.informative) == (20, "3c", 1)


@pytest.mark.parametrize(("form", "right"), [("3a", 0.2), ("3b", 0.2), ("3c", 0.1)])
def test_what_is_wrong(form, right):
    task = parse_task(f"two_sequences:form={form}").make(20).held_out()[1]
    batch = task.measured(2, seed=0, dtype="float64")
    outputs = tg.tensor((batch.targets + np.array([right - 0.01, -right - 0.01]))[None, :, None])
    scores = task.scores(outputs, batch)
    assert scores["wrong"].tolist() == [False, True]
    np.testing.assert_allclose(scores["error"], [right - 0.01, right + 0.01])


def test_noise_needs_a_step():
    with pytest.raises(InputError, match=r"first 3 .* 3 is too few, take at least 4"):
        TwoSequencesTask(3)
    assert TwoSequencesTask(2, informative=1).measured(2, 0).inputs.shape == (2, 2, 1)
