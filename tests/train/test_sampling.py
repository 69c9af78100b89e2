"""Letting a model write."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train import SequenceModel, sample
from tinygrad_rnn.train.sampling import _draw


@pytest.fixture
def model():
    tg.manual_seed(2)
    model = SequenceModel("lstm", 5, 6, 5, dtype="float64")
    for parameter in model.parameters():  # so that what was read long ago matters
        parameter.assign_(parameter.numpy() * 4.0)
    return model


def test_at_temperature_0_it_takes_the_likeliest_given_all_so_far(model):
    for prompt in itertools.product(range(5), repeat=2):
        written = list(sample(model, prompt, 6, temperature=0))
        for i in range(6):
            read = [*prompt, *written[:i]]
            outputs, _ = model(tg.tensor(np.eye(5)[read][:, None]))
            assert written[i] == outputs.numpy()[-1, 0].argmax()
        assert list(sample(model, prompt, 6, temperature=1e-300)) == written


def test_numbers_come_as_often_as_the_softmax_says(model):
    outputs, _ = model(tg.tensor(np.eye(5)[[2, 0]][:, None]))
    for temperature in (1.0, 0.5):
        expected = np.exp(outputs.numpy()[-1, 0] / temperature)
        drawn = [next(sample(model, [2, 0], 1, temperature, seed)) for seed in range(400)]
        np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 400, expected / expected.sum(), atol=0.08)


def test_a_seed_repeats_itself_and_grad_mode_is_left_alone(model):
    writing = sample(model, [0], 20, seed=7)
    first = list(itertools.islice(writing, 3))
    assert modes.grad_enabled
    assert [*first, *writing] == list(sample(model, [0], 20, seed=7))
    assert list(sample(model, [0], 20, seed=8)) != list(sample(model, [0], 20, seed=7))


def test_nothing_to_read_or_a_broken_model_is_refused(model):
    with pytest.raises(InputError, match="prompt is empty"):
        next(sample(model, [], 3))
    model.output.bias.assign_(np.full(5, np.nan))
    with pytest.raises(InputError, match="not finite"):
        next(sample(model, [1], 3))


def test_a_draw_of_exactly_0_takes_what_can_be_drawn():
    class Zero:
        def random(self):
            return 0.0

    assert _draw(np.array([-1e9, 0.0]), 1.0, Zero()) == 1


def test_of_the_likeliest_few_only_these_are_drawn_as_often_as_they_are_likely(model):
    outputs, _ = model(tg.tensor(np.eye(5)[[2, 0]][:, None]))
    logits = outputs.numpy()[-1, 0]
    expected = np.where(logits >= np.sort(logits)[-2], np.exp(logits), 0.0)
    drawn = [next(sample(model, [2, 0], 1, seed=seed, top_k=2)) for seed in range(300)]
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 300, expected / expected.sum(), atol=0.08)
    assert list(sample(model, [1], 8, top_k=1)) == list(sample(model, [1], 8, temperature=0))
    assert list(sample(model, [1], 8, top_k=99)) == list(sample(model, [1], 8))
    with pytest.raises(InputError, match="top_k must be a positive whole number, not 0"):
        next(sample(model, [1], 3, top_k=0))


@pytest.mark.parametrize("temperature", [-1.0, float("nan"), "hot"])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(InputError, match="temperature"):
        next(sample(SequenceModel("gru", 3, 4, 3), [1], 3, temperature=temperature))


def test_of_equals_no_more_than_asked_for_are_drawn():
    assert {_draw(np.zeros(4), 1.0, np.random.default_rng(seed), 2) for seed in range(50)} == {0, 1}
