"""a^n b^n c^n."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import CountingTask


def legal_after(prefix, most):
    """Return what may come next, from the strings of the language themselves."""
    strings = ["S" + "a" * n + "b" * n + "c" * n + "T" for n in range(1, most + 2)]
    return {string[len(prefix)] for string in strings if string.startswith(prefix)}


@pytest.mark.parametrize("steps", [4, 8, 40])
def test_targets_are_the_symbols_that_may_come_next(steps):
    task = CountingTask(steps)
    most = (steps - 1) // 3
    assert task.steps == 3 * most + 1
    inputs, targets, lengths, mask, *_ = task.batch(100, seed=0).parts()
    assert inputs.shape == targets.shape == (task.steps, 100, 4)
    found = set()
    for example, length in enumerate(lengths):
        read = "".join(task.input_labels(inputs[:, example]))
        n = read.count("a")
        assert read == "S" + "a" * n + "b" * n + "c" * n
        assert length == len(read) == mask[:, example].sum()
        assert (mask[:length, example] == 1).all()
        for t in range(length):
            assert set(np.array([*"abcT"])[targets[t, example] > 0]) == legal_after(read[: t + 1], most)
        assert (targets[length:, example] == 0).all()
        found.add(n)
    assert found == set(range(1, most + 1))


def test_a_batch_of_as_many_as_there_are_has_every_string():
    task = CountingTask(301)
    _, _, lengths, *_ = task.batch(task.criterion.examples, seed=0).parts()
    assert sorted(lengths) == [3 * n + 1 for n in range(1, 101)]
    assert list(lengths) != sorted(lengths)


def test_a_string_is_accepted_if_all_its_steps_are_right():
    task = CountingTask(10)
    batch = task.strings(np.array([1, 3, 3, 2]))
    outputs = 2 * batch.targets - 1
    outputs[4:, 0] = 1.0  # behind the end
    outputs[5, 2, 3] = 0.1
    outputs[6, 3, 3] = 0.0
    assert task.scores(tg.tensor(outputs), batch)["wrong"].tolist() == [False, False, True, True]


def test_the_loss_is_the_binary_cross_entropy_of_the_steps_that_count():
    task = CountingTask(10)
    batch = task.strings(np.array([1, 3]), "float64")
    outputs = np.random.default_rng(0).normal(size=(10, 2, 4))
    p = 1 / (1 + np.exp(-outputs))
    losses = -np.log(np.where(batch.targets > 0, p, 1 - p)).sum(-1)
    expected = (losses[:4, 0].sum() + losses[:, 1].sum()) / 14
    assert task.loss(tg.tensor(outputs), batch).item() == pytest.approx(expected)
    np.testing.assert_allclose(task.losses_at(2, tg.tensor(outputs[2]), batch).numpy(), losses[2])


def test_longer_strings_than_learned_can_be_asked_for_and_three_steps_are_too_few():
    batch = CountingTask(4).strings(np.array([50]))
    assert batch.inputs.shape == (151, 1, 4)
    with pytest.raises(InputError, match="3 is too few, take at least 4"):
        CountingTask(3)
