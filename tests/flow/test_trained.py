"""What is said of a training: whether the gradient reaches further, and which factors are behind it."""

from __future__ import annotations

import pytest

import tinygrad_rnn as tg
from tests.flow.test_changes import FALLING, LASTING, report, state
from tinygrad_rnn import nn
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.flow.trained import conclusion

FADING = [1.0, 0.1, 0.005, 1e-4]
SOONER = [1.0, 0.005, 1e-4, 1e-6]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            FALLING,
            LASTING,
            "Training made the gradient survive; before, it vanished, with less than 0.01 of it",
        ),
        (
            LASTING,
            FALLING,
            "Training made the gradient vanish, with less than 0.01 of it left 2 steps back; ",
        ),
        (
            SOONER,
            FADING,
            "Training let the gradient reach further: it now vanishes, with less than 0.01 of it left",
        ),
        (
            FADING,
            SOONER,
            "Training made the gradient vanish sooner: it now vanishes, with less than 0.01 of it left",
        ),
        (FADING, FADING, "Training left the horizon where it was: 2 steps back, with less than 0.01 of it left"),
        (LASTING, LASTING, "The gradient survived before the training and survives after it, with as much left at the"),
        (LASTING, [1.0, 10.0, 500.0], "Training made the gradient explode; before, it survived"),
    ],
)
def test_the_conclusion_comes_first(before, after, said):
    found = conclusion(report(state("h", after)).beside(before=report(state("h", before))))
    assert found.startswith(said)


def flow(kind, scale):
    tg.manual_seed(0)
    net = getattr(nn, kind)(3, 4, dtype="float64")
    for name, weight in net.named_parameters():
        if "weight_hh" in name:
            weight.assign_(weight * scale)
    output, _ = net.unroll(tg.randn(12, 2, 3, dtype="float64"))
    return gradient_flow((output[-1] * output[-1]).sum(axis=1), statistics=True)


def test_each_factor_is_said_to_keep_more_or_less():
    before, after = flow("RNN", 1.0), flow("RNN", 4.0)
    said = conclusion(after.beside(before=before))
    (old,), (new,) = ([cause for cause in each.causes() if cause.kind == "h"] for each in (before, after))
    for name, op in (("tanh′", "tanh"), ("W_hh", "matmul")):
        sizes = dict(old.factors)[op], dict(new.factors)[op]
        verb = "more" if sizes[1] > sizes[0] else "less"
        assert f"{name} keeps {verb} of it, ×{sizes[1]:.3g} instead of ×{sizes[0]:.3g}" in said
    assert f"×{new.per_step:.3g} instead of ×{old.per_step:.3g} per step" in said


def test_of_a_gate_the_straight_way_and_what_comes_round_are_told():
    before, after = flow("LSTM", 1.0), flow("LSTM", 4.0)
    said = conclusion(after.beside(before=before))
    old, new = (next(cause for cause in each.causes() if cause.kind == "c") for each in (before, after))
    assert f"traight through f keeps {'more' if new.straight > old.straight else 'less'} of it" in said
    around = [1 - dict(cause.shares)["c"] for cause in (old, new)]
    assert f"by ways that are not straight, {around[1]:.0%} instead of {around[0]:.0%}" in said


def test_without_a_report_before_or_a_verdict_there_is_nothing_to_say():
    assert conclusion(report(state("h", FALLING))) == ""
    assert conclusion(report(state("h", FALLING)).beside(before=report(state("h", [0.0, 0.0])))) == ""
