"""Sentences name what they speak of, and follow the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.flow.test_report import report, state
from tinygrad_rnn import nn
from tinygrad_rnn.flow import FlowReport, gradient_flow
from tinygrad_rnn.flow.records import CarryFlow, StateFlow
from tinygrad_rnn.flow.sentences import number, plural, verdicts

FALLING, LASTING = [1.0, 0.1, 0.001], [1.0, 0.9, 0.8]


def test_every_layer_and_direction_is_judged_the_cell_first():
    found = report(
        state("h", FALLING), state("h", LASTING, direction="reverse"),
        state("h", LASTING, layer=1), state("h", FALLING, layer=1, direction="reverse"),
    )  # fmt: skip
    starts = [said.partition(":")[0] for said in verdicts(found, "net")]
    assert starts == [
        "net (layer 1 forward) survives these 3 steps",
        "net (layer 1 reverse) vanishes",
        "net (layer 0 forward) vanishes",
        "net (layer 0 reverse) survives these 3 steps",
    ]
    two = report(state("h", FALLING), state("h", LASTING, layer=1))
    assert [said.partition(":")[0] for said in verdicts(two, "net")] == [
        "net (layer 1) survives these 3 steps", "net (layer 0) vanishes",
    ]  # fmt: skip


def test_an_encoder_is_told_from_its_decoder():
    h = tg.ones(2, 3, dtype="float64")
    h.requires_grad = True
    for part, factor in (("encoder", 0.05), ("decoder", 0.9)):
        with tg.scope(part):
            for t in range(5):
                with tg.scope("t", t):
                    h = (h * factor).named("h")
    found = gradient_flow(h.sum(axis=1))
    decoder, encoder = [said for said in verdicts(found, "net") if "path" not in said]
    assert decoder.startswith("net (decoder) survives these 5 steps")
    assert encoder.startswith("net (encoder) vanishes: less than 0.01 of ‖∂L/∂h_T‖ is left at lag 2")
    assert [lane["part"] for lane in found.to_dict()["layers"]] == ["encoder", "decoder"]


def test_a_single_step_without_gradient_is_not_called_an_end():
    (said,) = verdicts(report(state("h", [1.0, 0.0, 0.5])), "x")
    assert "At lag 1 it is exactly 0" in said


def test_float32_that_is_too_small_is_not_called_0():
    norms = np.array([0.0, 1e-40, 1e-30, 1e-15, 1.0])
    found = report(StateFlow("h", 0, "forward", (), tuple(range(5)), norms, dtype="float32"))
    (said,) = verdicts(found, "x")
    assert "is left at lag 1, too little for float32 at lag 4." in said
    assert said.endswith("From lag 3 it is too small for float32: measure in float64 what is there.")
    assert "exactly 0" not in said
    assert [found.states[0].underflows(lag) for lag in range(5)] == [False] * 4 + [True], "lag 3 has lost digits only"


def few_carry():
    """A gate that is 0.2 in eight units and 0.99 in two, which alone keep their gradient."""
    gate = np.array([0.2] * 8 + [0.99] * 2)
    units = np.array([gate ** (20 - t) for t in range(21)])
    norms = np.linalg.norm(units, axis=1)
    steps = tuple(range(21))
    shared = {"layer": 0, "direction": "forward", "scope": (), "steps": steps}
    facts = {"batch": 1, "loss": 1.0, "steps": steps, "nodes": (), "edges": (), "links": (), "crossings": {}}
    return FlowReport(
        **facts, weights={}, threshold=0.01, notes=(), states=(StateFlow("h", norms=norms, units=units, **shared),),
        carries=(CarryFlow("h", "z", norms=norms, units=np.tile(gate, (20, 1)), rule="z · h", **shared),),
    )  # fmt: skip


def test_a_few_units_that_carry_are_counted_where_a_mean_would_mislead():
    verdict, why = verdicts(few_carry(), "gru")
    left = math.sqrt(2 * 0.99**40) / math.sqrt(10)
    assert verdict.startswith("gru survives these 21 steps: nowhere is less than 0.01 of ‖∂L/∂h_T‖ left")
    assert f"it is {left:.3g} at lag 20" in verdict
    assert "no straight line fits" in verdict
    assert why == (
        f"gru, why: by z alone {left:.3g} would be left 20 steps back, where {left:.3g} is. (Means over the 20 steps "
        "back to the first step; h = z · h, where z = 1 keeps the old h; four fifths of the squared gradient are in "
        "2 of 10 units.)"
    )


def test_an_elman_network_is_explained_by_the_factors_of_its_ops():
    tg.manual_seed(0)
    net = nn.RNN(2, 4, dtype="float64")
    found = gradient_flow(net.unroll(tg.randn(8, 3, 2, dtype="float64"))[0][-1].sum(axis=1))
    _, why = verdicts(found, "rnn")
    (cause,) = found.causes()
    sizes = dict(cause.factors)
    tanh, matmul = number(sizes["tanh"]), number(sizes["matmul"])
    assert why == (
        f"rnn, why: most of the gradient is taken by W_hh, ×{matmul} per step, less by tanh′ (×{tanh}). They are on "
        f"the only path from h to h: together ×{number(found.decay.per_step)} per step. (Means over the "
        f"{found.decay.lag} steps back to the first step.)"
    )


@pytest.mark.parametrize(("squashed", "rest"), [
    ("identity", ", alone on the only path from s to s."),
    ("tanh", ", less by tanh′ (×{tanh}). They are on the only path from s to s"),
])  # fmt: skip
def test_a_product_with_a_gate_is_called_by_the_gate(squashed, rest):
    tg.manual_seed(0)
    cell = nn.GatesFromInputCell(3, 3, dtype="float64", nonlinearity=squashed)
    states, _ = nn.unroll(cell, tg.randn(8, 2, 3, dtype="float64"))
    found = gradient_flow(states[-1].sum(axis=1), statistics=True)
    _, why = verdicts(found, "x")
    sizes = dict(found.causes()[0].factors)
    gate = number(sizes["gate f"])
    assert "gate f" in why
    assert f"×{gate} per step{rest.format(tanh=number(sizes.get('tanh')))}" in why
    if squashed == "identity":
        assert sizes["gate f"] == pytest.approx(found.causes()[0].measured ** (1 / found.causes()[0].lag), rel=1e-9)


def test_relus_that_are_all_dead_are_said_to_let_nothing_pass():
    h = tg.ones(1, 2, dtype="float64")
    h.requires_grad = True
    for t in range(4):
        with tg.scope("t", t):
            h = ((h - 5.0).relu() if t < 3 else h * 2.0).named("h")
    verdict, why = verdicts(gradient_flow(h.sum(axis=1)), "x")
    assert verdict.endswith("From lag 2 it is exactly 0: no path carries it.")
    assert why == "x, why: relu′ lets nothing pass, and there is no other path from step to step. " + (
        "(Means over the 2 steps back to the horizon.)"
    )


@pytest.mark.parametrize(("count", "said"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps")])
def test_plurals(count, said):
    assert plural(count, "step") == said


def test_a_gradient_of_minus_0_is_0():
    x = tg.tensor(2.0, requires_grad=True).named("x")
    (leaf,) = [node for node in gradient_flow(x * -0.0).nodes if node.label == "x"]
    assert str(leaf.gradient) == "0.0"
    assert number(-0.0) == "0"
