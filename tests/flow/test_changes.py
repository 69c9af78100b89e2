"""What is said of changes, from measurements made up for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tinygrad_rnn as tg
from tests.flow.test_report import report, state
from tinygrad_rnn import nn
from tinygrad_rnn.flow import RemedyFlow, gradient_flow
from tinygrad_rnn.flow.changes import figures, remedy, training
from tinygrad_rnn.flow.figures import number
from tinygrad_rnn.flow.measured import MeasuredFlow

FALLING, LASTING = [1.0, 0.1, 0.001], [1.0, 0.9, 0.8]


def tried(what, left, verdict="survives", loss=1.0, horizon=None):
    return RemedyFlow(what, verdict, "h", horizon, left**0.5, horizon or 2, left, loss)


def said(sizes, *changes):
    return remedy(report(state("h", sizes)).beside(remedies=changes))


def test_the_mildest_change_that_helps_is_told_with_what_is_not_enough_and_what_is_too_much():
    weak, strong = tried("A", 0.005, "vanishes", horizon=2), tried("D", 1e4, "explodes")
    found = said(FALLING, weak, tried("B", 0.25), tried("C", 0.5), strong)
    assert found == (
        "with B, and nothing else, the gradient would survive: ×0.5 per step, 0.25 at the first step instead of 0.001; "
        "with A it would still vanish, in 2 steps; with D it would explode, to more than 100 times as much; it would "
        "also survive with C (×0.707 per step)."
    )


def test_how_large_an_exploding_gradient_becomes_is_told_whatever_is_left_of_it():
    bursts = replace(tried("C", 70.8, "explodes"), largest=480.0)
    assert "; with C it would explode, to 480 times as much on the way" in said(FALLING, tried("B", 0.25), bursts)
    assert said(FALLING, bursts).endswith("; it would explode with C, to 480 times as much on the way.")
    assert report(state("h", [1.0, 480.0, 70.8])).largest == 480


def elman(gain=1.0):
    tg.manual_seed(0)
    net = nn.RNN(2, 3, dtype="float64")
    net.weight_hh_l0.assign_(gain * net.weight_hh_l0.detach())
    return gradient_flow(net.unroll(3 * tg.randn(6, 4, 2, dtype="float64"))[0][-1].sum(axis=1), threshold=1e-9)


def test_why_a_larger_weight_helps_against_what_is_not_the_weight_is_told_with_both_factors():
    now, then = elman(), elman(3.0)
    old, new = (dict(each.causes()[0].factors) for each in (now, then))
    assert old["tanh"] < old["matmul"] < new["matmul"]
    change = replace(tried("W_hh times 3", 0.9), factors=then.causes()[0].factors)
    found = remedy(vanishing(now, change))
    both = ", ".join(
        f"{word} ×{number(new[op])} per step instead of ×{number(old[op])}"
        for op, word in (("tanh", "tanh′"), ("matmul", "W_hh"))
    )
    assert f" (tanh′ goes on taking it, and W_hh makes up for more of that: {both})" in found
    kept = replace(change, factors=(("tanh", 0.9), ("matmul", 0.1)))
    assert "(tanh′ ×0.9 per step instead of" in remedy(vanishing(now, kept))
    assert "per step instead of" not in remedy(vanishing(now, replace(change, factors=(("relu", 1.1),))))


def vanishing(now, change):
    """The same report, under a threshold at which its gradient vanishes, with a change."""
    state = now.cell[0]
    threshold = 1.0001 * float(state.by_lag[-1] / state.by_lag[0])
    shorter = MeasuredFlow(now._survey, now._noted, now.loss, threshold, now.carries)
    assert shorter.verdict == "vanishes"
    return shorter.beside(remedies=(change,))


def test_other_changes_that_help_are_told_and_not_the_same_one_again():
    found = said(
        FALLING, tried("W_hh times 1.5", 0.25), tried("W_hh times 2", 0.5),
        tried("W_hh made orthogonal", 0.81, loss=2.0), tried("W_hh made orthogonal, times 1.5", 0.9),
        tried("relu (IRNN)", 0.64), tried("worse", 0.1, "vanishes", horizon=1),
    )  # fmt: skip
    assert found.endswith(
        "instead of 0.001; it would also survive with W_hh made orthogonal (×0.9 per step, loss 2) or with relu (IRNN) "
        "(×0.8 per step)."
    )
    assert "also" not in said(FALLING, tried("the bias raised by 2", 0.25), tried("the bias raised by 3", 0.5))


def test_a_change_for_the_worse_is_no_milder_one():
    assert "still vanish" not in said(FALLING, tried("A", 1e-9, "vanishes", horizon=1), tried("B", 0.25))


def test_what_it_does_to_the_loss_is_told_where_it_does_much():
    found = said(FALLING, tried("A", 0.25, loss=3.0))
    said_of_the_loss = "without any training with it, the loss at the last step would be 3 instead of 1"
    assert f"(About the gradient, not about learning: {said_of_the_loss}.)" in found
    assert "learning" not in said(FALLING, tried("A", 0.25, loss=1.04))


def test_that_nothing_helps_is_said():
    assert said(FALLING, tried("A", 0.004, "vanishes", horizon=2), tried("B", 0.008, "vanishes", horizon=2)) == (
        "none of the 2 changes tried is enough: most is kept with B: ×0.0894 per step to lag 2, 0.008 at the first "
        "step instead of 0.001."
    )
    assert said(FALLING, tried("A", 1e-9, "vanishes", horizon=1)) == "none of the 1 change tried is enough."
    found = said(FALLING, tried("A", 1e9, "explodes"))
    assert found == "none of the 1 change tried is enough; it would explode with A, to more than 100 times as much."


def test_of_a_gradient_that_survives_nothing_has_to_be_changed():
    assert said(LASTING, tried("A", 0.5), tried("B", 0.99)) == (
        "nothing has to be; with B, and nothing else, even more would be left: ×0.995 per step, 0.99 at the first step "
        "instead of 0.8."
    )
    assert said(LASTING, tried("A", 0.99), tried("B", 3.0)).startswith("nothing has to be; with A"), "B is further off"
    found = said(LASTING, tried("A", 0.5), tried("B", 3.0))
    assert found == "nothing has to be, and nothing that was tried keeps more."


def test_an_explosion_is_mended_by_what_survives():
    exploding = [1.0, 50.0, 5000.0]
    assert said(exploding, tried("A", 1e3, "explodes"), tried("B", 0.5)).startswith(
        "with B, and nothing else, the gradient would survive: ×0.707 per step, 0.5 at the first step instead"
    )
    assert "explode" not in said(exploding, tried("A", 1e3, "explodes"), tried("B", 0.5))


@pytest.mark.parametrize("sizes", [[0.0, 0.0], [1.0, float("nan")]])
def test_without_a_verdict_or_a_measurement_nothing_is_said(sizes):
    assert said(sizes, tried("A", 0.5)) == ""
    assert said(FALLING) == ""


def test_a_factor_behind_a_blocked_path_is_unknown():
    w = tg.tensor([[2.0]], dtype="float64", requires_grad=True)
    h = tg.tensor([[1.0]], dtype="float64", requires_grad=True)
    for t in range(4):
        with tg.scope("t", t):
            h = ((h @ w) - (5.0 if t < 3 else -5.0)).relu().named("h")
    found = figures(gradient_flow(h.sum(axis=1)))
    assert (found["relu′"], found["W_hh"]) == ("×0", "-")


def test_training_is_told_in_the_figures_that_both_reports_have():
    before = report(state("h", FALLING)).beside(sigma_max=(("weight_hh_l0", 0.5),))
    after = report(state("h", LASTING)).beside(sigma_max=(("weight_hh_l0", 1.5),), before=before)
    assert training(after) == (
        "Training made the gradient survive; before, it vanished, with less than 0.01 of it left 2 steps back (×0.894 "
        "instead of ×0.0316 per step). In figures: σ_max of weight_hh_l0 0.5 → 1.5, × per step to the horizon "
        "0.0316 → 0.894, horizon 2 → >2, left at the first step 0.001 → 0.8."
    )
    assert figures(after)["loss of the last step"] == "1"
    assert training(before) == ""
    assert "σ_max" not in training(after.beside(sigma_max=()))
    assert training(after.beside(before=report(state("h", [0.0, 0.0])))) == ""
