"""The verdict is withheld where the gradient of a state is not only what was carried back through time."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.flow import gradient_flow

T, B, H = 6, 3, 4


def network(cls=nn.RNN, **options):
    tg.manual_seed(0)
    return cls(2, H, dtype="float64", **options), tg.randn(T, B, 2, dtype="float64")


def squared(x):
    return x.square().sum(axis=1)


@pytest.mark.parametrize("edges", [True, False])
@pytest.mark.parametrize("cls", [nn.RNN, nn.LSTM, nn.GRU])
def test_losses_at_every_step_are_told_from_one_at_the_last(cls, edges):
    net, x = network(cls, num_layers=2)
    for output in (net(x)[0], net.unroll(x)[0]):
        assert gradient_flow(squared(output[-1]), edges=edges).verdict != "withheld"
        report = gradient_flow(squared(output.sum(axis=0)), edges=edges)
        assert report.verdict == "withheld"
        assert "the losses reach h of step 4 without passing the state of a later step" in report.verdict_reason
        assert "measure one loss" in report.verdict_reason


def test_a_vanishing_and_an_exploding_network_and_none_at_all_are_not_judged_by_the_losses_of_all_steps():
    for weight in (0.1 * np.eye(2), np.eye(2), np.zeros((2, 2))):
        w = tg.tensor(weight, requires_grad=True)
        h, losses = tg.ones(1, 2, dtype="float64"), 0.0
        for t in range(300):
            with tg.scope("t", t):
                h = (h @ w + 0.1).named("h")
            losses = losses + h.sum(axis=1)
        assert gradient_flow(losses).verdict == "withheld"


@pytest.mark.parametrize("edges", [True, False])
def test_a_whole_output_may_be_turned_before_its_last_step_is_read(edges):
    net, x = network(nn.LSTM, batch_first=True)
    output, _ = net(x.transpose(0, 1))
    assert gradient_flow(squared(output[:, -1]), edges=edges).verdict != "withheld"
    assert gradient_flow(squared(output[:, -2] + output[:, -1]), edges=edges).verdict == "withheld"


def test_a_loss_that_is_not_at_the_last_step_is_no_measure_either():
    net, x = network()
    states, _ = nn.unroll(net.cell(), x)
    report = gradient_flow(squared(states[2] + states[5]))
    assert "reach h of step 2 " in report.verdict_reason


def test_reverse_lanes_end_at_the_first_position():
    net, x = network(bidirectional=True)
    output, _ = net(x)
    ends = tg.concat([output[-1, :, :H], output[0, :, H:]], axis=1)
    assert gradient_flow(squared(ends)).verdict != "withheld"
    report = gradient_flow(squared(output[-1]))
    assert report.verdict == "withheld"
    assert report.verdict_reason.startswith("reverse: the losses reach h of step 5 without passing the state of an e")
    assert [lane.verdict == "withheld" for lane in report.lanes] == [False, True]
    backward, _ = nn.unroll(net.cell(reverse=True), x, reverse=True)
    assert gradient_flow(squared(backward[0])).verdict != "withheld"


@pytest.mark.parametrize("unrolled", [True, False])
def test_a_layer_that_the_other_direction_reads_at_every_step_has_no_verdict(unrolled):
    net, x = network(num_layers=2, bidirectional=True)
    output, _ = net.unroll(x) if unrolled else net(x)
    report = gradient_flow(squared(tg.concat([output[-1, :, :H], output[0, :, H:]], axis=1)))
    judged = {(lane.layer, lane.direction): lane.verdict != "withheld" for lane in report.lanes}
    assert judged == {
        (0, "forward"): False, (0, "reverse"): False, (1, "forward"): True, (1, "reverse"): True,
    }  # fmt: skip
    assert report.verdict == "withheld"
    assert report.verdict_reason.startswith("layer 0 forward: the losses reach h of step ")


def chain(h, steps, part):
    states = []
    for t in range(steps):
        with tg.scope(part), tg.scope("t", t):
            h = (h * 0.9).named("h")
        states.append(h)
    return states


def test_a_decoder_may_start_from_the_last_state_of_an_encoder_but_not_look_at_all_of_them():
    start = tg.ones(2, 3, dtype="float64")
    start.requires_grad = True
    encoded = chain(start, 8, "encoder")
    assert gradient_flow(squared(chain(encoded[-1], 3, "decoder")[-1])).verdict == "survives"
    looks = sum(encoded[1:], encoded[0])
    report = gradient_flow(squared(chain(looks, 3, "decoder")[-1]))
    assert report.verdict_reason.startswith("encoder: the losses reach h of step 6 without")


def test_a_single_step_says_what_to_do():
    net, x = network()
    report = gradient_flow(squared(net.unroll(x[:1])[0][-1]))
    assert report.verdict == "withheld"
    assert report.verdict_reason == ("there is a single step, so there is nothing to compare: unroll at least 2 steps")
    found = report.to_dict()
    assert (found["verdict"], found["verdict_reason"]) == (report.verdict, report.verdict_reason)


def test_both_gradients_of_an_lstm_pass_through_its_last_step():
    net, x = network(nn.LSTM)
    _, (h, c) = net.unroll(x)
    assert gradient_flow(squared(h[0] + c[0])).verdict != "withheld"
