"""How well a model knows a text: against the sum, character by character."""

import sys

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train import SequenceModel, likelihood


@pytest.fixture
def model():
    tg.manual_seed(2)
    return SequenceModel("lstm", 5, 6, 5, dtype="float64")


def test_it_is_the_mean_of_what_each_character_costs_given_all_before(model, monkeypatch):
    monkeypatch.setattr(sys.modules[likelihood.__module__], "PIECE", 4)  # several pieces, the last one shorter
    numbers = np.random.default_rng(0).integers(0, 5, 23)
    found = likelihood(model, numbers)
    outputs = model(tg.tensor(np.eye(5)[numbers[:-1], None]))[0].numpy()[:, 0]
    costs = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(22), numbers[1:]]
    assert found.characters == 22
    assert found.nats == pytest.approx(costs.mean(), rel=1e-12)
    assert found.bits == pytest.approx(costs.mean() / np.log(2))
    assert found.perplexity == pytest.approx(np.exp(costs.mean()))


def test_too_short_a_text_or_a_broken_model_is_refused(model):
    with pytest.raises(InputError, match="a text of 1 character says nothing"):
        likelihood(model, [1])
    model.output.bias.assign_(np.full(5, np.nan))
    with pytest.raises(InputError, match="not finite"):
        likelihood(model, [1, 2])
