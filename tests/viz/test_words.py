"""The sentence that says why: every number in it against the report, and against cells made to behave."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.networks import report, unrolled
from tinygrad_rnn import nn, viz
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
    assert words.why(flow) == (
        f"Why: there is one path from h to h, through tanh′ (×{number(tanh)}) and W_hh (×{number(weight)}): "
        f"×{number(flow.decay.per_step)} per step."
    )


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
    start = f"Why: {straight:.0%} of what arrives at {cause.kind} comes straight from the next {cause.kind} "
    assert said.startswith(f"{start}(×{number(cause.straight)} per step)")
    parts = [(-1 if less else 1) * int(share) for share, less in re.findall(r"(\d+)%( less)?", said)]
    assert sum(parts) == pytest.approx(100, abs=len(parts))
    assert ("less" in said) == any(share < -0.005 for _, share in cause.shares)


def test_the_few_units_that_carry_are_told_where_the_mean_misleads():
    flow = gru(*[4.0] * 2, *[-3.0] * (H - 2))
    z = next(gate for gate in flow.gates if gate.label == "z").units.mean(axis=0)
    (cause,) = flow.causes()
    assert cause.carriers in ((0, 1), (1, 0), (0,), (1,))
    few, theirs = len(cause.carriers), number(z[list(cause.carriers)].mean())
    carry = "carry" if few > 1 else "carries"
    assert words.why(flow).endswith(
        f"; {few} of 16 units, whose mean z is {theirs}, {carry} four fifths of the squared gradient there, while the "
        f"mean z of all is {number(z.mean())}."
    )
    left = flow.hidden_grad[0] / flow.hidden_grad[-1]
    assert z.mean() ** (T - 1) < 0.1 * left, "by the mean next to nothing would be left"


def test_no_units_are_told_where_all_are_alike():
    said = words.why(gru(*[2.0] * H))
    assert "units" not in said
    assert "; by z alone " in said


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
