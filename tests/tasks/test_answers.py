"""When a task wants its answers, and which are wrong."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch
from tinygrad_rnn.tasks.answers import EveryClassTask, LastClassTask, LastNumberTask, at_end
from tinygrad_rnn.tasks.symbols import NOTHING, names, one_hot
from tinygrad_rnn.tasks.task import enough_steps


class Classes(LastClassTask):
    right = 0.3


class Symbols(EveryClassTask):
    output_size, right = 3, 0.25


class Numbers(LastNumberTask):
    right = 0.1


def test_the_last_output_is_that_of_each_example_and_gets_all_the_gradient():
    random = np.random.default_rng(0)
    outputs = tg.tensor(random.normal(size=(5, 4, 3)), requires_grad=True)
    lengths = np.array([5, 1, 3, 4])
    found = at_end(outputs, Batch(None, None, lengths))
    np.testing.assert_array_equal(found.numpy(), [outputs.numpy()[n - 1, b] for b, n in enumerate(lengths)])
    (found * found).sum().backward()
    expected = np.zeros((5, 4, 3))
    for example, length in enumerate(lengths):
        expected[length - 1, example] = 2 * outputs.numpy()[length - 1, example]
    np.testing.assert_array_equal(outputs.grad.numpy(), expected)
    np.testing.assert_array_equal(at_end(outputs, Batch(None, None)).numpy(), outputs.numpy()[-1])


def test_the_gradient_of_losses_at_the_ends_is_that_of_finite_differences():
    batch = Batch(None, np.array([2, 0, 1]), np.array([1, 4, 2]))
    outputs = tg.tensor(np.random.default_rng(1).normal(size=(4, 3, 3)), requires_grad=True)
    assert tg.gradcheck(lambda outputs: Classes().loss(outputs, batch), outputs)


def logits(*rows):
    return tg.tensor(np.log(np.array(rows)))


def test_a_class_is_wrong_if_some_output_is_off_by_too_much():
    outputs = logits([0.71, 0.2, 0.09], [0.69, 0.2, 0.11], [0.2, 0.5, 0.3]).reshape(1, 3, 3)
    assert Classes().scores(outputs, Batch(None, np.array([0, 0, 1])))["wrong"].tolist() == [False, True, True]


def test_a_number_is_wrong_if_it_is_off_by_too_much():
    outputs = tg.tensor(np.array([[[0.59], [0.39], [0.61]]]))
    batch = Batch(None, np.full(3, 0.5))
    assert Numbers().scores(outputs, batch)["wrong"].tolist() == [False, True, True]
    assert Numbers().loss(outputs, batch).item() == pytest.approx((0.09**2 + 0.11**2 + 0.11**2) / 3)


def test_steps_that_do_not_count_cost_nothing_and_cannot_be_wrong():
    outputs = tg.tensor(np.random.default_rng(0).normal(size=(3, 2, 3)))
    targets, mask = np.array([[0, 1], [2, 2], [1, 0]]), np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    values = outputs.numpy()
    losses = np.log(np.exp(values).sum(-1)) - np.take_along_axis(values, targets[..., None], -1)[..., 0]
    found = Symbols().loss(outputs, Batch(None, targets, mask=mask)).item()
    assert found == pytest.approx((losses[0, 0] + losses[0, 1] + losses[1, 0]) / 3)
    assert Symbols().loss(outputs, Batch(None, targets)).item() == pytest.approx(losses.mean())
    sure = tg.tensor(50 * one_hot(targets, 3, "float64"))
    targets[2] = 2  # none of them is said, none of them counts
    assert not Symbols().scores(sure, Batch(None, targets, mask=mask))["wrong"].any()
    assert Symbols().scores(sure, Batch(None, targets))["wrong"].all()


def test_nothing_has_no_vector_and_no_name():
    read = np.array([[0, 2], [1, NOTHING]])
    vectors = one_hot(read, 3, "float64")
    assert vectors.tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]]]
    assert vectors.dtype == np.float64
    assert names(vectors[:, 1], "abc") == ["c", ""]


def test_too_few_steps_are_refused_with_the_least():
    assert enough_steps(3, 3, "why") == 3
    with pytest.raises(InputError, match="there are three; 2 is too few, take at least 3"):
        enough_steps(2, 3, "there are three")
    for steps in ("3", 3.0, None, True):
        with pytest.raises(InputError, match="steps must be a whole number >= 3, not"):
            enough_steps(steps, 3, "why")
