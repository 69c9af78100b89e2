"""What colours are relative to: a state to itself at the last step, a parameter to its whole, and what is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.networks import LOSSES, drawn, exploding, report, unrolled
from tinygrad_rnn import nn, viz
from tinygrad_rnn.flow import FlowReport, StateFlow
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.picture import picture
from tinygrad_rnn.viz.titles import title


def boxes(found):
    return {box.name: box for box in found.boxes}


def chain(factors, dtype="float64"):
    h = tg.tensor([[1.0, 2.0]], dtype=dtype, requires_grad=True)
    for t, factor in enumerate(factors):
        with tg.scope("t", t):
            h = (h * factor).named("h", role="state")
    return h.sum(axis=1)


# ---- states: as the curves and the verdict ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["long", "lstm", "gru", "two layers", "both directions", "reverse alone", "own cell"])
def test_the_colour_of_a_state_is_its_place_on_its_curve(name):
    flow, found = report(name), boxes(picture(report(name), "cell", (0, 40)))
    checked = 0
    for state in flow.states:
        for step, norm in zip(state.steps, state.norms, strict=True):
            (box,) = [
                box
                for box in found.values()
                if box.kind == "state" and box.step == step and box.caption == state.kind and box.norm == norm
            ][:1]
            if norm > 0 and state.measurable:
                assert box.seen.share == pytest.approx(norm / state.by_lag[0])
                assert (box.seen.kind == "vanished") == (norm < flow.threshold * state.by_lag[0])
                checked += 1
    assert checked


def test_the_flag_stands_where_the_ghosts_begin():
    found = picture(report("long"), "cell", (0, 40))
    (flag,) = found.flags
    kinds = {box.step: box.seen.kind for box in found.boxes if box.kind == "state" and box.caption == "c"}
    assert (kinds[flag.step], kinds[flag.step + 1]) == ("vanished", "finite")


def test_states_that_explode_are_hot_and_the_loss_is_no_ghost():
    found = picture(viz.gradient_flow(exploding(12)), "ops")
    assert boxes(found)["loss"].seen.kind == "finite"
    kinds = [boxes(found)[f"t{t}_h"].seen.kind for t in range(12)]
    assert kinds[-1] == "finite"
    assert set(kinds[:-1]) == {"grown", "exploded"}
    assert not any(box.seen.kind == "vanished" for box in found.boxes if box.step is None and box.kind != "total")


def test_a_gate_with_more_than_the_last_state_does_not_explode():
    h = tg.tensor([[1.0]], dtype="float64", requires_grad=True)
    for t in range(3):
        with tg.scope("t", t):
            gate = (h * 0.1).sigmoid().named("z", role="gate")
            h = (gate * 9.0).named("h", role="state")
    found = boxes(picture(viz.gradient_flow(h.sum(axis=1)), "cell"))
    assert found["t2_z"].norm > found["t2_h"].norm
    assert found["t2_z"].seen.kind == "finite"


# ---- parameters: another kind of gradient ----------------------------------------------------------------------------


def test_what_a_step_adds_to_a_parameter_is_relative_to_the_whole():
    flow = report("lstm")
    for box in drawn("lstm", "cell").boxes:
        if box.kind == "parameter":
            weight = flow.weights[flow.nodes[box.node].name]
            if box.norm:
                assert box.seen.against == flow.nodes[box.node].label
                assert box.seen.share == pytest.approx(box.norm / weight.total)
        elif box.kind == "total":
            assert box.seen.place == 0


def test_two_normalisations_are_both_said():
    text = " ".join(title(drawn("lstm", "cell"), None))
    assert "root mean square over 2 examples" in text
    assert "at a parameter W it is ‖∂L/∂W‖ of the mean loss" in text
    assert "of what a step adds to a parameter to the parameter's whole" in text
    assert "of every h and c relative to its own at the last step, of all else to ‖∂L/∂h_T‖" in text
    alone = " ".join(title(picture(viz.gradient_flow(chain([0.5, 0.5]))), None))
    assert "root mean square" not in alone, "of a single example it is none"


# ---- zeros -----------------------------------------------------------------------------------------------------------


def test_float32_that_runs_out_is_no_exact_zero():
    found = boxes(picture(viz.gradient_flow(chain([1e-9] * 8, "float32")), "ops"))
    kinds = [found[f"t{t}_h"].seen.kind for t in range(8)]
    assert kinds == ["underflow"] * kinds.count("underflow") + ["vanished"] * (7 - kinds.count("underflow")) + [
        "finite"
    ]
    assert kinds.count("underflow") > 1
    assert found["t0_h"].lines[-1] == "grad underflow"
    assert boxes(picture(viz.gradient_flow(chain([1e-9] * 8)), "ops"))["t0_h"].seen.kind == "vanished"


def test_a_dead_unit_is_exactly_zero():
    found = boxes(picture(viz.gradient_flow(chain([0.5, 0.5, 0.0, 1e-3, 1e-3], "float32")), "ops"))
    assert [found[f"t{t}_h"].seen.kind for t in (0, 1)] == ["zero", "zero"]


# ---- the backward pass -----------------------------------------------------------------------------------------------


def language_model(steps=4, batch=3):
    tg.manual_seed(0)
    outputs, _ = nn.unroll(nn.RNNCell(3, 4, dtype="float64"), tg.randn(steps, batch, 3, dtype="float64"))
    logits = nn.Linear(4, 5, dtype="float64")(outputs[-1])
    return tg.nn.CrossEntropyLoss(reduction="none")(logits, tg.tensor(np.arange(batch)))


@pytest.mark.parametrize("losses", [language_model, lambda: unrolled("LSTM"), lambda: unrolled("GRU")])
def test_only_what_depends_on_the_seed_is_a_gradient(losses):
    flow = viz.backward_graph(losses())
    found = picture(flow, "ops")
    seed = next(i for i, node in enumerate(flow.nodes) if node.label == "seed")
    depends = {seed}
    for edge in sorted(flow.edges, key=lambda edge: edge.child):
        if edge.parent in depends:
            depends.add(edge.child)
    for _ in range(len(flow.nodes)):
        depends |= {edge.child for edge in flow.edges if edge.parent in depends}
    assert {box.node for box in found.boxes if box.requires_grad} == depends
    assert any(node.op == "transpose" and i not in depends for i, node in enumerate(flow.nodes)), "of a weight"


@pytest.mark.parametrize("losses", [language_model, LOSSES["hoisted"], LOSSES["gru"]])
def test_the_seed_stands_at_the_right_where_the_backward_pass_begins(losses):
    found = picture(viz.backward_graph(losses()), "ops")
    (seed,) = [box for box in found.boxes if box.caption == "seed"]
    ours = boxes(found)
    assert seed.x > max(box.x for box in found.boxes if box.step is not None)
    assert all(ours[arrow.head].x <= ours[arrow.tail].x for arrow in found.arrows if arrow.requires_grad)


def test_the_backward_picture_says_its_normalisation_and_keeps_it():
    losses = language_model()
    flow, back = viz.gradient_flow(losses), viz.backward_graph(losses)
    drawing = picture(back, "ops")
    text = " ".join(title(drawing, None))
    assert "the mean over 3 examples" in text
    assert "1/√3 of what gradient_flow says" in text
    forward = flow.node("t3_h").norm / math.sqrt(3)
    assert any(node.norm == pytest.approx(forward, rel=1e-9) for node in back.nodes if node.norm)
    (seed,) = [box for box in drawing.boxes if box.caption == "seed"]
    assert (seed.seen.place, seed.norm) == (0, pytest.approx(1 / math.sqrt(3)))


# ---- boxes -----------------------------------------------------------------------------------------------------------


def test_a_gate_shows_its_value_and_its_gradient_as_two_things():
    flow = viz.gradient_flow(unrolled("LSTM"), statistics=True)
    box = boxes(picture(flow, "cell"))["t1_forget_gate_f"]
    node = flow.node("t1_forget_gate_f")
    mean, std = node.values.mean, node.values.std
    assert box.lines == ("forget gate f", f"value {mean:.2g} ± {std:.1g}", f"grad {node.norm:.2g}")
    assert boxes(drawn("lstm", "cell"))["t1_forget_gate_f"].lines == ("forget gate f", f"grad {box.norm:.2g}")


def test_an_op_with_several_outputs_pairs_no_value_with_another_ones_gradient():
    tg.manual_seed(0)
    outputs, _ = nn.unroll(nn.LSTMCell(1, 1, dtype="float64"), tg.randn(2, 1, 1, dtype="float64"))
    flow = viz.gradient_flow(outputs[-1].sum(axis=1), statistics=True)
    split = [box for box in picture(flow, "ops").boxes if flow.nodes[box.node].op == "split"]
    assert split
    for box in split:
        assert len(box.lines) == 2, "the caption and the gradient of all outputs"
        assert box.lines[1] == f"grad {box.seen.text}"


def test_a_gradient_of_minus_zero_is_no_number_with_a_sign():
    x = tg.tensor(1.0, requires_grad=True).named("x")
    (box,) = [box for box in picture(viz.gradient_flow(x * -0.0), "ops").boxes if box.name == "x"]
    assert box.lines[-1] == "grad 0"


def test_a_verdict_that_is_withheld_comes_with_its_reason():
    class Withheld(FlowReport):
        verdict = "withheld"
        verdict_reason = "there is a loss at every step"

    state = StateFlow("h", 0, "forward", (), (0, 1), np.ones(2))
    flow = Withheld(1, 0.0, (0, 1), (), (), (), {}, (state,), {}, 0.01, ())
    assert words.findings(flow) == ["No verdict: there is a loss at every step."]


# ---- NaN -------------------------------------------------------------------------------------------------------------


def test_the_first_nan_is_named():
    text = " ".join(words.findings(viz.gradient_flow(chain([1.0, 1.0, math.nan, 1.0]), statistics=True)))
    assert "The first value that is not finite: t2_h (mul, t=2)." in text
    assert "The first gradient that is, on the way back: at t1_h (mul, t=1)." in text
    silent = " ".join(words.findings(viz.gradient_flow(chain([1.0, 1.0, math.nan, 1.0]))))
    assert "The first, on the way back: at t1_h (mul, t=1)." in silent


def test_a_gradient_that_is_nan_where_all_values_are_fine_is_named():
    h = tg.tensor([[0.0, 1.0]], dtype="float64", requires_grad=True)
    for t in range(3):
        with tg.scope("t", t):
            h = ((h * h).sqrt() if t == 1 else h * 1.0).named("h", role="state")
    flow = viz.gradient_flow(h.sum(axis=1), statistics=True)
    assert flow.verdict == "nonfinite"
    assert "The first, on the way back: at t1_mul (mul, t=1)." in " ".join(words.findings(flow))
