"""Beams: exact on a case by hand, all texts when wide enough, and the same as the model alone when 1 wide."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch
from tinygrad_rnn.train import Captioner, EncoderDecoder, beam_search

SYMBOLS, REPLIES, END = 3, 4, 2


def made(kind, attention, cell="gru"):
    tg.manual_seed(3)
    sizes = {"output_size": SYMBOLS, "replies": REPLIES, "attention": attention, "dtype": "float64"}
    random = np.random.default_rng(1)
    if kind == "captioner":
        model, batch = Captioner(cell, 16, 5, **sizes), Batch(random.random((1, 8, 16)), None)
    else:
        inputs, lengths = random.normal(size=(6, 1, 4)), np.array([4])
        model, batch = EncoderDecoder(cell, 4, 5, **sizes), Batch(inputs, None, lengths=lengths)
    for name, parameter in model.named_parameters():
        if name.startswith("output"):
            parameter.assign_(4 * parameter.numpy())  # so that the texts differ in what they are given
    return model, batch


def log_probability(model, batch, numbers):
    """Return what a model gives a text, taught with it: nothing of the beam's own."""
    replies = np.zeros((REPLIES, 1, SYMBOLS))
    for step, number in enumerate(numbers[: REPLIES - 1]):
        replies[step + 1, 0, number] = 1.0
    given = Batch(batch.inputs, None, lengths=batch.lengths, replies=replies)
    logits = model.outputs(given.to("cpu")).numpy()[:, 0]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return sum(np.log(probabilities[step, number]) for step, number in enumerate(numbers))


def texts(end):
    """Return all texts there are."""
    found = set()
    for numbers in itertools.product(range(SYMBOLS), repeat=REPLIES):
        found.add(numbers[: numbers.index(end) + 1] if end in numbers else numbers)
    return found


CASES = [
    ("captioner", "soft"), ("captioner", "none"),
    ("encoder_decoder", "none"), ("encoder_decoder", "dot"), ("encoder_decoder", "additive"),
]  # fmt: skip


@pytest.mark.parametrize("end", [None, END])
@pytest.mark.parametrize(("kind", "attention"), CASES)
def test_a_beam_that_is_wide_enough_finds_all_texts_in_the_order_of_their_probability(kind, attention, end):
    model, batch = made(kind, attention)
    wanted = {numbers: log_probability(model, batch, numbers) for numbers in texts(end)}
    found = beam_search(model, batch, SYMBOLS**REPLIES, end)
    assert [each.numbers for each in found] == sorted(wanted, key=wanted.__getitem__, reverse=True)
    for each in found:
        assert each.log_probability == pytest.approx(wanted[each.numbers], rel=1e-10)
        assert each.ended is (end in each.numbers)
    assert sum(np.exp(each.log_probability) for each in found) == pytest.approx(1, rel=1e-10)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(("kind", "attention"), CASES)
def test_a_beam_of_one_is_what_the_model_writes_alone_and_looks_at(kind, attention, cell):
    model, batch = made(kind, attention, cell)
    (found,) = beam_search(model, batch, 1)
    alone = batch.to("cpu")
    assert list(found.numbers) == model.answers(alone).numpy()[:, 0].argmax(axis=-1).tolist()
    if attention == "none":
        assert found.weights is None
    else:
        np.testing.assert_allclose(found.weights, model.looked_at(alone).numpy()[:, 0], rtol=1e-10)
        np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-10)


class Table:
    """Stands for a model: what follows a symbol is looked up."""

    replies, dtype, device, batch_axis, training = 2, "float64", "cpu", 1, False

    #: Behind nothing, 0 and 1. Greedy takes 0 (0.6) and then 0 (0.55): 0.33. The likeliest is 1, 1: 0.4 * 0.9 = 0.36.
    probabilities = np.array([[0.6, 0.4], [0.55, 0.45], [0.1, 0.9]])

    class output:
        out_features = 2

    def begin(self, batch):
        return None, []

    def write(self, reply, memory, states, t):
        rows = [0 if not row.any() else 1 + int(row.argmax()) for row in reply.numpy()]
        return tg.tensor(np.log(self.probabilities[rows])), None, states

    def eval(self):
        pass

    def train(self, training):
        pass


@pytest.mark.parametrize(
    ("width", "wanted"),
    [
        (1, {(0, 0): 0.33}),
        (2, {(1, 1): 0.36, (0, 0): 0.33}),
        (4, {(1, 1): 0.36, (0, 0): 0.33, (0, 1): 0.27, (1, 0): 0.04}),
    ],
)
def test_a_beam_finds_what_greedy_misses(width, wanted):
    found = beam_search(Table(), Batch(np.zeros((1, 1, 1)), None), width)
    assert [each.numbers for each in found] == list(wanted)
    assert [np.exp(each.log_probability) for each in found] == pytest.approx(list(wanted.values()))


def test_texts_that_ended_compete_with_longer_ones():
    found = beam_search(Table(), Batch(np.zeros((1, 1, 1)), None), 2, end=0)
    assert [(each.numbers, each.ended) for each in found] == [((0,), True), ((1, 1), False)]
    assert [np.exp(each.log_probability) for each in found] == pytest.approx([0.6, 0.36])


def test_what_cannot_be_searched_is_refused():
    model, batch = made("encoder_decoder", "dot")
    with pytest.raises(InputError, match="width must be a positive whole number, not 0"):
        beam_search(model, batch, 0)
    with pytest.raises(InputError, match="of one example, not of 2"):
        beam_search(model, Batch(np.zeros((6, 2, 4)), None), 3)
    model.output.bias.assign_(np.full(SYMBOLS, np.nan))
    with pytest.raises(InputError, match="not finite"):
        beam_search(model, batch, 3)
