"""The 1997 way of learning is the truncated gradient that the engine gives, and counts weights as the paper does."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train.reproduce.lstm1997 import BIASED, Network1997

STEPS, INPUTS, BLOCKS, SIZE, OUTPUTS = 7, 3, 2, 2, 2
CELLS = BLOCKS * SIZE


def network(biased="all", linear=False, span=1.0):
    return Network1997.random(np.random.default_rng(5), INPUTS, BLOCKS, SIZE, OUTPUTS, biased, linear, span)


def engine_answers(net, x):
    """The same network made of the engine's cell, its error cut at u; the answers (T, O), and hidden and output."""
    cell = nn.LSTM97Cell(INPUTS, CELLS, dtype="float64", block_size=SIZE, gradient="truncated")
    for name, value in (
        ("weight_ih", net.hidden[:, :INPUTS]),
        ("weight_hh", net.hidden[:, INPUTS:-1]),
        ("bias_ih", net.hidden[:, -1]),
        ("bias_hh", np.zeros(len(net.hidden))),
    ):
        getattr(cell, name).assign_(tg.tensor(value))
    output, state, answers = tg.tensor(net.output, requires_grad=True), None, []
    for each in x:
        state = cell(tg.tensor(each), state)
        net_k = output[:, :-1] @ state[0] + output[:, -1]
        answers.append(net_k if net.linear else net_k.sigmoid())
    return tg.stack(answers), cell, output


def gradients(net, x, targets):
    """Minus the gradient of E = 1/2 sum (target - y)^2, which the engine finds by its backward pass."""
    answers, cell, output = engine_answers(net, x)
    (0.5 * (answers[-len(targets) :] - tg.tensor(targets)).square().sum()).backward()
    hidden = np.hstack([cell.weight_ih.grad.numpy(), cell.weight_hh.grad.numpy(), cell.bias_ih.grad.numpy()[:, None]])
    return answers.numpy(), -hidden, -output.grad.numpy()


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("steps", [1, STEPS])
def test_a_change_is_the_engines_truncated_gradient(steps, linear):
    random = np.random.default_rng(0)
    x, target, net = random.standard_normal((steps, INPUTS)), random.random((1, OUTPUTS)), network(linear=linear)
    answers, hidden, output = gradients(net, x, target)
    after = net.copy()
    found = after.learn(x[:, None], np.array([steps]), target, rate=1.0)
    np.testing.assert_allclose(found[0], answers[-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(after.hidden - net.hidden, hidden, rtol=0, atol=1e-10)
    np.testing.assert_allclose(after.output - net.output, output, rtol=0, atol=1e-10)
    assert abs(hidden).min() > 0 or steps == 1


def test_answers_at_every_step_add_up_while_weights_hardly_move():
    random, rate, net = np.random.default_rng(1), 1e-7, network()
    x, targets = random.standard_normal((STEPS, INPUTS)), random.random((STEPS, OUTPUTS))
    answers, hidden, output = gradients(net, x, targets)
    after = net.copy()
    found = after.learn(x[:, None], np.array([STEPS]), targets[:, None], rate)
    np.testing.assert_allclose(found[:, 0], answers, atol=1e-5)
    np.testing.assert_allclose((after.hidden - net.hidden) / rate, hidden, atol=1e-5)
    np.testing.assert_allclose((after.output - net.output) / rate, output, atol=1e-5)


def test_a_sequence_ends_where_it_ends_and_the_next_begins_from_nothing():
    random, net = np.random.default_rng(2), network()
    x, targets = random.standard_normal((STEPS, 2, INPUTS)), random.random((2, OUTPUTS))
    both, one, after = net.copy(), net.copy(), x.copy()
    both.learn(x, np.array([4, STEPS]), targets, rate=0.3)
    after[4:, 0] = np.nan  # what lies behind the end is not read
    one.learn(after[:, :1], np.array([4]), targets[:1], rate=0.3)
    one.learn(after[:, 1:], np.array([STEPS]), targets[1:], rate=0.3)
    np.testing.assert_array_equal(both.hidden, one.hidden)
    np.testing.assert_array_equal(both.output, one.output)


def test_a_rate_of_0_changes_nothing():
    net = network()
    before = net.copy()
    net.learn(np.ones((3, 1, INPUTS)), np.array([3]), np.ones((1, OUTPUTS)))
    np.testing.assert_array_equal(net.hidden, before.hidden)
    np.testing.assert_array_equal(net.output, before.output)


@pytest.mark.parametrize("biased", BIASED)
def test_biases_that_are_not_there_stay_0(biased):
    net = network(biased)
    net.learn(np.ones((3, 1, INPUTS)), np.array([3]), np.ones((1, OUTPUTS)), rate=1.0)
    gates, cells, outputs = BIASED[biased]
    there = (net.hidden[:, -1] != 0).tolist()
    assert there == [gates] * BLOCKS + [cells] * CELLS + [gates] * BLOCKS
    assert (net.output[:, -1] != 0).all() == outputs
    assert net.weights == np.count_nonzero(net.hidden) + np.count_nonzero(net.output)


def test_an_unknown_word_for_biases_is_refused():
    with pytest.raises(InputError, match="unknown word 'some' for what has a bias; there are none, gates"):
        network("some")
