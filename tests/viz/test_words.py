"""The sentence that says why: every number in it against the report, and against cells made to behave."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.networks import report, unrolled
from tinygrad_rnn import nn, viz
from tinygrad_rnn.flow.records import RemedyFlow
from tinygrad_rnn.flow.sentences import number
from tinygrad_rnn.viz import words

H, T = 16, 12


def gru(*biases):
    """Measure a GRU whose units have these biases at their update gates, and weights that hardly matter."""
    tg.manual_seed(0)
    net = nn.GRU(2, H, dtype="float64")
    weights = {name: tg.tensor(value.numpy() * 0.1) for name, value in net.state_dict().items()}
    bias = np.zeros(3 * H)
    bias[H : 2 * H] = biases
    net.load_state_dict(weights | {"bias_hh_l0": tg.tensor(bias), "bias_ih_l0": tg.tensor(np.zeros(3 * H))})
    outputs, _ = net.unroll(tg.randn(T, 4, 2, dtype="float64"))
    return viz.gradient_flow((outputs[-1] * outputs[-1]).sum(axis=1), threshold=0.0, statistics=True)


def test_of_a_single_path_the_factors_are_told_and_their_product():
    flow = report("rnn")
    (cause,) = flow.causes()
    tanh, weight = (dict(cause.factors)[op] for op in ("tanh", "matmul"))
    assert weight < tanh < 1
    assert words.why(flow) == (
        f"Why: most of the gradient is taken by W_hh, ×{number(weight)} per step, less by tanh′ (×{number(tanh)}). "
        f"They are on the only path from h to h: together ×{number(flow.decay.per_step)} per step. (Means over the 2 "
        "steps back to the first step.)"
    )


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (0.3, r"Why: most of the gradient is taken by W_hh, ×[\d.]+ per step, less by tanh′ \(×[\d.]+\)\. They are "),
        (
            1.2,
            r"Why: tanh′ takes the gradient away, ×[\d.]+ per step; W_hh \(×1.2\) alone would not shrink it\. .*tanh′ "
            "is small where h is near ±1",
        ),
    ],
)
def test_the_factor_that_takes_most_is_named(gain, said):
    tg.manual_seed(0)
    net = nn.Recurrent("rnn", 2, H, dtype="float64")
    nn.init.orthogonal_(net.weight_hh_l0, gain)
    flow = viz.gradient_flow(net.unroll(tg.randn(T, 4, 2, dtype="float64"))[0][-1].sum(axis=1), threshold=0.0)
    assert re.match(said, words.why(flow))


def test_a_path_that_is_blocked_is_named():
    h = tg.tensor([[1.0, 2.0]], dtype="float64", requires_grad=True)
    for t in range(3):
        with tg.scope("t", t):
            h = (h - 10.0).relu().named("h")
    flow = viz.gradient_flow((h + 1.0).sum(axis=1))
    assert words.why(flow) == "Why: relu′ lets nothing pass, and there is no other path from step to step."


@pytest.mark.parametrize("name", ["lstm", "gru", "own cell", "two layers", "long"])
def test_the_shares_in_the_sentence_are_those_of_the_report_and_sum_to_all(name):
    flow = report(name)
    said = words.why(flow)
    cause = next(cause for cause in flow.causes() if cause.kind == flow.horizon.state)
    straight = dict(cause.shares)[cause.kind]
    assert f" is {number(cause.straight)} there, " in said or f"the gradient by ×{number(cause.straight)} per" in said
    listed = said.partition(f"Of what arrives at {cause.kind} comes ")[2].partition("; together")[0]
    assert listed.startswith(f"{straight:.0%} straight")
    parts = [int(share.replace("−", "-")) for share in re.findall(r"(−?\d+)% ", listed)]
    assert sum(parts) == pytest.approx(100, abs=len(parts))
    assert f"; together ×{number(flow.decay.per_step)} per step." in said
    assert ("−" in listed) == any(share < -0.005 for _, share in cause.shares)


def test_the_way_round_is_named():
    flow = viz.gradient_flow(unrolled("LSTM", 6), threshold=0.0, statistics=True)
    (cause,) = (cause for cause in flow.causes() if cause.kind == flow.horizon.state)
    assert cause.kind == "c"
    assert f", {1 - dict(cause.shares)['c']:.0%} round by c → h → gates → c;" in words.why(flow)
    assert "; c = f · c + i · g, where f = 1 keeps the old c;" in words.why(flow)


@pytest.mark.parametrize(
    ("biases", "which"),
    [
        ([4.0] * 2 + [-3.0] * (H - 2), "those whose z is open"),
        ([4.0] * 2 + [0.2] * (H - 2), "those whose z is more open"),
    ],
)
def test_in_which_units_the_gradient_is_stands_first_with_the_two_numbers(biases, which):
    flow = gru(*biases)
    (cause,) = flow.causes()
    z = next(gate for gate in flow.gates if gate.label == "z").units[1:].mean()
    assert words.why(flow).startswith(
        f"Why: the units that hold the gradient are {which}: z is {number(cause.straight)} there, {number(z)} over all "
        "units. "
    )
    few = len(cause.carriers)
    assert cause.carriers == flow.cell[0].carriers(T - 1)
    verb = "is" if few == 1 else "are"
    assert (few <= 4) == (f"; four fifths of the squared gradient {verb} in {few} of 16 units" in words.why(flow))
    assert few <= 4 or "four fifths" not in words.why(flow)


@pytest.mark.parametrize(
    ("closed", "which"), [(-1.0, "not those whose z is open"), (0.5, "those whose z is less open")]
)
def test_a_gradient_that_other_ways_keep_in_closed_units_is_told(closed, which):
    """One unit is closed and refills itself through its candidate; the loss reads it alone."""
    tg.manual_seed(0)
    net = nn.GRU(2, 4, dtype="float64")
    weights = {name: value.numpy() * 0.01 for name, value in net.state_dict().items()}
    weights["weight_hh_l0"][8, 0] = 2.0
    weights["bias_hh_l0"][:8] = [9.0] * 4 + [closed, 4.0, 4.0, 4.0]
    net.load_state_dict({name: tg.tensor(value) for name, value in weights.items()})
    last = net.unroll(tg.randn(4, 3, 2, dtype="float64"))[0][-1]
    assert words.why(viz.gradient_flow(last[:, 0], threshold=0.0, statistics=True)).startswith(
        f"Why: the units that hold the gradient are {which}: z is "
    )


def lstm_with_open_units(candidate, read):
    """Three units keep all that they hold, and one refills itself: how the c of the three grows, and who is read."""
    tg.manual_seed(0)
    net = nn.LSTM(2, 4, dtype="float64")
    weights = {name: value.numpy() * 0.01 for name, value in net.state_dict().items()}
    weights["weight_hh_l0"][8, 0] = 3.0  # of g, from h
    weights["bias_hh_l0"][:] = [4.0] * 4 + [-0.5, 6.0, 6.0, 6.0] + [0.0, *[candidate] * 3] + [4.0] * 4
    net.load_state_dict({name: tg.tensor(value) for name, value in weights.items()})
    x = tg.randn(12, 3, 2, dtype="float64")
    states = net.unroll(x)[0][-1]
    flow = viz.gradient_flow(states[:, :read].sum(axis=1), threshold=0.0, statistics=True)
    return flow, slopes_of_c(weights, x.numpy())


def slopes_of_c(weights, inputs):
    """Return tanh'(c) (T, H) and f (T, H), means over the examples, with NumPy alone."""
    h = c = np.zeros((inputs.shape[1], 4))
    slopes, gates = [], []
    for x in inputs:
        net = x @ weights["weight_ih_l0"].T + h @ weights["weight_hh_l0"].T
        net += weights["bias_ih_l0"] + weights["bias_hh_l0"]
        i, f, g, o = np.split(net, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-each)) for each in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        slopes.append((1 / np.cosh(c) ** 2).mean(axis=0))
        gates.append(f.mean(axis=0))
    return np.array(slopes), np.array(gates)


def test_open_units_that_get_no_gradient_are_told_to_be_saturated_with_the_two_numbers():
    flow, (slopes, gates) = lstm_with_open_units(candidate=4.0, read=4)
    lag = flow.decay.lag
    steps = flow.state("c").units[-lag:] ** 2
    shares = (steps / steps.sum(axis=1, keepdims=True)).mean(axis=0)
    slope, f = slopes[-lag:].mean(axis=0), gates[-lag:].mean(axis=0)
    in_open, there = slope[f > f.mean()].mean(), float(slope @ shares)
    assert in_open < 0.01 < 0.3 < there
    said = words.why(flow)
    assert said.startswith(
        "Why: the units that hold the gradient are not those whose f is open, because tanh(c) is saturated in the open "
        f"ones and little enters (tanh′ {number(in_open)} against {number(there)}): f is "
    )
    assert "; tanh′: mean over the units whose f is above the mean, against that where the gradient is" in said


@pytest.mark.parametrize("read", [1, 4])
def test_nothing_is_called_saturated_where_it_is_not(read):
    """The open units hold next to nothing, and only if they are read they have the gradient."""
    flow, _ = lstm_with_open_units(candidate=0.0, read=read)
    said = words.why(flow)
    assert said.startswith(f"Why: the units that hold the gradient are {'not ' if read == 1 else ''}those whose f is ")
    assert "saturated" not in said


def test_a_state_that_is_read_as_it_is_is_not_called_saturated():
    assert all(cause.squash is None for cause in gru(*[4.0] * H).causes())
    assert [cause.squash for cause in report("own cell").causes()] == [None, None]  # measured without statistics


def test_what_is_said_before_the_details_is_short():
    for name in ("rnn", "lstm", "gru", "own cell", "two layers"):
        assert len(words.why(report(name)).partition(" (")[0].partition("Why: ")[2]) <= 2 * 110
    assert len(words.why(gru(*[4.0] * 2, *[-3.0] * (H - 2))).partition(" (")[0]) <= 2 * 110 + len("Why: ")


def test_no_units_are_told_where_all_are_alike():
    flow = gru(*[2.0] * H)
    said = words.why(flow)
    assert "fifths" not in said
    (cause,) = flow.causes()
    assert (
        f"the units that hold the gradient are like the others: z is {number(cause.straight)} there, "
        f"{number(cause.gate_mean)} over all units. " in said
    )


def test_what_training_did_and_what_to_change_are_lines_of_their_own():
    flow = report("rnn")
    tried = RemedyFlow("W_hh times 2", "survives", "h", None, 0.9, 2, 0.81, flow.loss)
    beside = flow.beside(before=report("rnn"), remedies=(tried,))
    first, training, change = words.why(beside).splitlines()
    assert first == words.why(flow)
    assert training.startswith("What training did: The gradient survived before the training and survives after it")
    assert "In figures: tanh′ ×" in training
    assert change.startswith("What to change: ")
    assert words.why(beside, training=False).splitlines() == [first, change]
    assert change in viz.dot_source(beside, "cell").replace("\\l", " "), "a picture says it, too"
    assert flow.remedies == (), "the report itself stays as it was"


@pytest.mark.parametrize("name", ["a loss at every step", "one step", "zero", "nan", "no time"])
def test_nothing_is_explained_where_there_is_no_verdict(name):
    assert words.why(report(name)) == ""


def test_a_gate_is_as_full_as_its_mean_is():
    flow = viz.gradient_flow(unrolled("LSTM", 3), statistics=True)
    for node in flow.nodes:
        gate = node.role == "gate" and node.label != "g"
        assert words.fill_level(node) == (node.values.mean if gate else None)
    assert {words.fill_level(node) for node in report("lstm").nodes} == {None}, "values were not measured"


def test_a_state_tells_the_size_of_its_values():
    flow = viz.gradient_flow(unrolled("LSTM", 3), statistics=True)
    node = flow.node("t1_c")
    mean, std = node.values.mean, node.values.std
    assert f"rms {np.sqrt(mean**2 + std**2):.2g}" in viz.dot_source(flow, "cell")
