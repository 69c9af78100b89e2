"""The sentences of plots: each follows the numbers, and flips when they do."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.test_plots import by_hand, jacobians_by_hand, measured, report
from tinygrad_rnn import nn
from tinygrad_rnn.flow import gradient_flow, state_jacobians
from tinygrad_rnn.flow.held import held_gradient
from tinygrad_rnn.flow.sentences import REACHES, number
from tinygrad_rnn.flow.units import units_of
from tinygrad_rnn.train import Update
from tinygrad_rnn.viz.plots import PLOTS, Entry

FALLING, LASTING, RISING = 0.1 ** np.arange(4.0)[::-1], [0.5, 0.7, 0.9, 1.0], [1e3, 1e2, 1e1, 1.0]


def lstm(c, cell="lstm:forget_bias=0", **rest):
    return Entry("mine", report(h=[1e-9, 1e-9, 1e-9, 1.0], c=c), cell=cell, **rest)


def rnn(h):
    return Entry("rnn", report(h=h), cell="rnn")


def about_lstms(entries):
    return [sentence for sentence in PLOTS["through_time"].sentences(entries) if "the LSTM" in sentence]


def test_that_the_lstm_vanishes_too_is_said_exactly_when_it_does():
    assert about_lstms([rnn(FALLING), lstm(FALLING)]) == [
        "At forget bias 0 the LSTM vanishes too: 0.001 of ‖∂L/∂c_T‖ is left at lag 3."
    ]
    assert about_lstms([rnn(FALLING), lstm(LASTING)]) == [
        "At forget bias 0 the LSTM does not vanish over these 4 steps: 0.5 of ‖∂L/∂c_T‖ is left at lag 3."
    ]
    assert about_lstms([rnn(LASTING), lstm(FALLING)]) == [
        "At forget bias 0 the LSTM vanishes: 0.001 of ‖∂L/∂c_T‖ is left at lag 3."
    ]
    assert about_lstms([lstm(FALLING, "lstm")])[0].startswith("With PyTorch's initial weights the LSTM vanishes:")
    assert about_lstms([lstm(FALLING, "lstm:forget_bias=2.5")])[0].startswith("At forget bias 2.5 the LSTM")


def test_nothing_is_said_of_the_forget_bias_of_a_trained_or_an_exploding_lstm_or_another_cell():
    assert not about_lstms([lstm(FALLING, updates_made=7)])
    assert not about_lstms([lstm([1e6, 1e3, 1.0, 1.0])])
    assert not about_lstms([lstm(FALLING, "gru"), Entry("own", report(h=FALLING))])


@pytest.mark.parametrize(
    ("h", "said"),
    [
        (
            FALLING,
            "x vanishes: less than 0.01 of ‖∂L/∂h_T‖ is left at lag 3, 0.001 at lag 3. That is ×0.1 per step down to "
            "lag 3, half of it gone in 0.301 steps.",
        ),
        (
            LASTING,
            "x survives these 4 steps: nowhere is less than 0.01 of ‖∂L/∂h_T‖ left; it is 0.5 at lag 3. That is "
            "×0.794 per step down to lag 3, half of it gone in 3 steps. " + REACHES,
        ),
        (
            RISING,
            "x explodes: ‖∂L/∂h‖ is over 100 times that of the last step at lag 3, and at most 1.0e+03 times at lag 3. "
            "That is ×10 per step down to lag 3.",
        ),
        ([np.nan, 1.0], "x: no horizon in numbers that are not finite: some gradients are NaN or infinite."),
        (
            [np.nan, 1e9, 1e3, 1.0],
            "x: no horizon in numbers that are not finite: some gradients are NaN or infinite; "
            "before that, ‖∂L/∂h‖ is over 100 times "
            "that of the last step at lag 1, and at most 1.0e+09 times at lag 2.",
        ),
        ([0.0, 0.0], "x: no gradient arrives at the last state, so there is none to lose."),
        (
            [1.0],
            "x: no verdict, because there is a single step, so there is nothing to compare: unroll at least 2 steps.",
        ),
        (
            [0.0, 1.0],
            "x vanishes: less than 0.01 of ‖∂L/∂h_T‖ is left at lag 1, 0 at lag 1. Too few steps have a gradient "
            "for a factor per step. From lag 1 it is exactly 0: no path carries it.",
        ),
        (
            [1e6, 1.0, 1e-5, 1.0],
            "x explodes: ‖∂L/∂h‖ is over 100 times that of the last step at lag 3, and at most 1.0e+06 times at "
            "lag 3. Before it falls: less than 0.01 of ‖∂L/∂h_T‖ is left at lag 1.",
        ),
        (
            [1e-5, 1e4, 1.0],
            "x explodes: ‖∂L/∂h‖ is over 100 times that of the last step at lag 1, and at most 1.0e+04 times at "
            "lag 1. Then it falls: less than 0.01 of ‖∂L/∂h_T‖ is left at lag 2.",
        ),
        (
            [0.5, 0.005, 0.1, 1.0],
            "x vanishes: less than 0.01 of ‖∂L/∂h_T‖ is left at lag 2, 0.5 at lag 3. That is ×0.0707 per step "
            "down to lag 2, but no straight line fits: ×0.0707 per step to lag 2, ×100 from there to lag 3. It "
            "rises again, from 0.005 at lag 2 to 0.5 at lag 3.",
        ),
        (
            [0.03, 0.2, 50.0, 1.0],
            "x survives these 4 steps: nowhere is less than 0.01 of ‖∂L/∂h_T‖ left; it is 0.03 at lag 3. That is "
            "×0.311 per step down to lag 3, but no straight line fits: ×50 per step to lag 1, ×0.0245 from there "
            "to lag 3. In between it grows, to 50 at lag 1. " + REACHES,
        ),
        ([], "x: nothing can be said, because no state has a name."),
    ],
)
def test_the_verdict_in_words(h, said):
    assert PLOTS["through_time"].sentences([Entry("x", report(h=h))]) == [said]


def test_cells_are_compared_where_they_can_be():
    def last(*entries):
        return PLOTS["through_time"].sentences(entries)[-1]

    assert last(Entry("a", report(h=FALLING)), Entry("b", report(h=LASTING))) == (
        "At lag 3 b keeps the most of its gradient, 0.5, a the least, 0.001; judged by h."
    )
    assert last(Entry("a", report(h=LASTING)), Entry("b", report(h=LASTING))) == (
        "At lag 3 all keep the same share of the gradient, 0.5."
    )
    assert last(Entry("a", report(h=[1e-4, 0.1, 0.5, 1.0], c=FALLING)), Entry("b", report(h=LASTING))) == (
        "At lag 3 b keeps the most of its gradient, 0.5, a the least, 0.001; judged by the state whose gradient "
        "reaches furthest (a: c; b: h)."
    ), "and so not by the h of a, of which 1e-4 is left"
    alone = PLOTS["through_time"].sentences([Entry("a", report(h=LASTING)), Entry("b", report(h=[0.0, 0.0]))])
    assert not any("keeps" in sentence for sentence in alone)


def test_contributions_count_the_steps_that_make_up_the_norm():
    entry = Entry("x", report(h=[1.0] * 4, weight=[0.0, 0.001, 1.0, 3.0]))
    assert PLOTS["contributions"].sentences([entry]) == [
        "x: 2 of 4 steps, counted from the loss, have 90% of the sizes of all parts of ∂L/∂weight_hh_l0. They are "
        "vectors: the size of their sum stays within 1% of the whole after the last 2."
    ]
    wide = Entry("x", report(h=[1.0] * 4, weight=[0.5, 0.5, 1.0, 3.0]))
    assert PLOTS["contributions"].sentences([wide])[0].startswith("x: 3 of 4 steps, counted from the loss, have 90%")
    assert PLOTS["contributions"].sentences([Entry("x", report(h=[1.0] * 2, weight=[0.0, 0.0]))]) == [
        "x: the gradient of weight_hh_l0 is 0."
    ]
    assert "no recurrent weight" in PLOTS["contributions"].sentences([Entry("x", report(h=[1.0]))])[0]


def test_maps_tell_how_far_back_losses_are_felt():
    nan = np.nan
    found = by_hand([[1.0, nan, nan], [0.001, 1.0, nan], [1e-6, 0.5, 1.0]])
    assert PLOTS["loss_maps"].sentences([Entry("x", report(h=[1.0]), flow_map=found)]) == [
        "x: less than 0.01 of the gradient of a step's loss is left 1.5 steps back (median of the 2 losses "
        "that it holds for); 1 of 3 is felt back to the first step, t=0."
    ]
    kept = by_hand([[1.0, nan], [0.5, 1.0]])
    assert PLOTS["loss_maps"].sentences([Entry("x", report(h=[1.0]), flow_map=kept)]) == [
        "x: nowhere is less than 0.01 of the gradient of a step's loss left; 2 of 2 are felt back to the first step, "
        "t=0."
    ]
    assert "not measured" in PLOTS["loss_maps"].sentences([Entry("x", report(h=[1.0]))])[0]


def test_a_map_says_so_where_the_verdict_goes_by_another_state():
    found = by_hand([[1.0, np.nan], [0.5, 1.0]])
    (said,) = PLOTS["loss_maps"].sentences([Entry("x", report(h=FALLING, c=LASTING), flow_map=found)])
    assert said.endswith("These are gradients at h; the verdict goes by c, whose gradient reaches furthest.")
    (said,) = PLOTS["loss_maps"].sentences([Entry("x", report(h=LASTING, c=FALLING), flow_map=found)])
    assert "the verdict goes by" not in said


def test_of_a_state_of_two_parts_it_is_said_why_the_gradient_at_all_of_it_is_another_number():
    losses = nn.LSTM(3, 4, dtype="float64").unroll(tg.randn(6, 2, 3, dtype="float64"))[0][-1].sum(axis=1)
    flow = gradient_flow(losses)
    said = PLOTS["singular_values"].sentences([Entry("x", flow, jacobians=state_jacobians(losses))])[-1]
    h, c = (number(flow.state(kind).relative(5)) for kind in "hc")
    whole = number(float(held_gradient(flow, ("h", "c"))[5]))
    assert f"(h, c), relative to its own size at lag 0. Elsewhere on this page it is {h} at h and {c} at c" in said
    assert f"this loss's gradient gets {whole}" in said
    assert len({h, c, whole}) == 3


def test_exponents_say_what_a_step_does():
    found = Entry("x", report(h=[1.0]), jacobians=jacobians_by_hand())
    assert PLOTS["singular_values"].sentences([found]) == [
        "x: the largest finite-time Lyapunov exponent, ln(σ_max)/d at the last lag d = 2, is -0.693: after 2 steps a "
        "change of the state is at most 0.25 times as large, ×0.5 with each; 1 of 2 exponents is not finite."
    ]
    once = jacobians_by_hand(steps=(0,), one_step=np.zeros((0, 1, 2, 2)))
    (said,) = PLOTS["singular_values"].sentences([Entry("x", report(h=[1.0]), jacobians=once)])
    assert "there is a single step" in said


def test_training_and_clipping_are_told_from_the_updates():
    history = [(0, report(h=FALLING)), (5, report(h=LASTING)), (9, report(h=[0.0, 0.0]))]
    assert PLOTS["over_training"].sentences([Entry("x", report(), history=history[:2], ended="diverged")]) == [
        "x: horizon 3 steps with initial weights, horizon beyond the first step after 5 updates.",
        "x: diverged",
    ]
    assert "no horizon (zero) after 9" in PLOTS["over_training"].sentences([Entry("x", report(), history=history)])[0]
    trained = Entry("x, 9 updates", report(), cell="x", history=history[:2])
    assert PLOTS["over_training"].sentences([trained])[0].startswith("x: horizon 3 steps with initial weights")
    made = [Update(1.0, 0.5, 0.5), Update(1.0, 4.0, 1.0)]
    assert PLOTS["clipping"].sentences([Entry("x", report(), updates=made)]) == [
        "x: 1 of 2 updates was clipped; the largest norm was 4, at update 2."
    ]


def test_paths_and_gates_are_told_from_what_was_measured():
    found = measured()
    first, second = PLOTS["attenuation"].sentences([Entry("x", found)])
    assert PLOTS["gates"].sentences([Entry("x", found)])[1].endswith("; 1 = keep the old c.")
    of_h, of_c = (dict(cause.shares) for cause in found.causes())
    most = max(of_h, key=of_h.get)
    assert f"of what arrives at h most comes by {most}: {of_h[most]:.0%}; next by " in first
    straight = found.causes()[1].straight
    assert f"straight through f: {of_c['c']:.0%}" in second
    assert f"round by c → h → gates → c: {1 - of_c['c']:.0%}" in second
    assert f"The straight way alone makes ×{number(straight)} per step." in second
    means = [float(np.mean(gate.mean)) for gate in found.gates]
    said = PLOTS["gates"].sentences([Entry("x", found)])
    assert [sentence.partition("; ")[0] for sentence in said[:4]] == [
        f"x: the gate {label} is {number(mean)} on average over all 6 steps"
        for label, mean in zip("ifgo", means, strict=True)
    ]
    assert PLOTS["gates"].sentences([Entry("x", report(h=[1.0]))]) == ["x: no gate has a name."]


def test_of_several_layers_every_sentence_names_the_one_it_is_about():
    tg.manual_seed(0)
    x = tg.randn(6, 2, 3, dtype="float64")
    flows = [
        gradient_flow(nn.GRU(3, 4, num_layers=2, dtype="float64").unroll(x)[0][-1].sum(axis=1), statistics=True)
        for _ in range(2)
    ]
    a, b = [
        Entry(name, flow, cell="gru", history=[(0, flow), (3, flow)]) for name, flow in zip("ab", flows, strict=True)
    ]
    for said in (PLOTS[name].sentences for name in ("attenuation", "gates", "loss_maps", "singular_values")):
        assert all(sentence.startswith("a (layer 1): ") for sentence in said([a]))
    assert PLOTS["over_training"].sentences([a])[0].startswith("gru (layer 1): ")
    judged = PLOTS["through_time"].sentences([a, b])
    assert [sentence.partition(" ")[2][:9] for sentence in judged[:-1]] == (["(layer 1)"] * 2 + ["(layer 0)"] * 2) * 2
    assert "(layer 1) keeps the most of its gradient" in judged[-1]


def test_an_explosion_keeps_no_gradient():
    entries = [Entry("big", report(h=RISING)), Entry("a", report(h=FALLING)), Entry("b", report(h=LASTING))]
    last = PLOTS["through_time"].sentences(entries)[-1]
    assert last == (
        "At lag 3 b keeps the most of its gradient, 0.5, a the least, 0.001, apart from those that explode; "
        "judged by h."
    )
    assert not any("keeps" in said for said in PLOTS["through_time"].sentences([entries[0], entries[2]]))


def test_alt_texts_have_the_numbers_of_the_picture():
    entry = Entry(
        "x", report(h=FALLING, weight=[1.0, 2.0, 3.0, 4.0]), flow_map=by_hand([[2.0]]), jacobians=jacobians_by_hand(),
        history=[(3, report(h=LASTING))], updates=[Update(1.0, 4.0, 1.0)],
    )  # fmt: skip
    assert "x h from 1 at lag 0 to 0.001 at lag 3" in PLOTS["through_time"].alt([entry])
    assert "x from 1 to 4 of 10 in all" in PLOTS["contributions"].alt([entry])
    assert "x from 1 to 1" in PLOTS["loss_maps"].alt([entry])
    assert "largest of x from 1 at lag 0 to 0.25 at lag 2" in PLOTS["singular_values"].alt([entry])
    assert "after 3 updates x h from 1 at lag 0 to 0.5 at lag 3" in PLOTS["over_training"].alt([entry])
    assert "x from 4 to 4" in PLOTS["clipping"].alt([entry])
    found = measured()
    forget = next(gate for gate in found.gates if gate.label == "f")
    ends = f"x f from {number(forget.mean.min())} to {number(forget.mean.max())}"
    assert ends in PLOTS["gates"].alt([Entry("x", found)])
    assert "into h: gate i from" in PLOTS["attenuation"].alt([Entry("x", found)])
    for name in ("gates", "attenuation", "through_time"):
        assert PLOTS[name].alt([]).endswith(": nothing.")


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "unknown"), (np.nan, "NaN"), (np.inf, "infinite"), (0.0, "0"), (1.0, "1"), (1234.0, "1.2e+03"),
     (1.8e-22, "1.8e-22"), (-0.5, "-0.5"), (-0.0, "0")],
)  # fmt: skip
def test_numbers_are_short(value, said):
    assert number(value) == said


def test_contributions_are_those_of_the_cells_own_direction():
    tg.manual_seed(0)
    outputs, _ = nn.RNN(3, 4, bidirectional=True, dtype="float64").unroll(tg.randn(5, 2, 3, dtype="float64"))
    (said,) = PLOTS["contributions"].sentences([Entry("both", gradient_flow(outputs[-1].sum(axis=1)))])
    assert "reverse" not in said


def test_operations_of_the_same_name_are_all_told():
    a, b = (tg.tensor([[size]], dtype="float64", requires_grad=True) for size in (0.5, 3.0))
    h = tg.tensor([[1.0]], dtype="float64", requires_grad=True)
    for t in range(3):
        with tg.scope("t", t):
            h = (h @ a @ b).named("h")
    (said,) = PLOTS["attenuation"].sentences([Entry("two", gradient_flow(h.sum(axis=1)))])
    assert "3" in said.partition("path")[2]
    assert "0.5" in said.partition("path")[2]


def test_how_few_units_hold_the_gradient_is_said_with_their_gate_and_that_of_all():
    flow = measured()
    found = units_of(flow)
    (said,) = PLOTS["units"].sentences({"mine": flow})
    hold = "holds" if len(found.carriers) == 1 else "hold"
    assert said.startswith(f"mine: {len(found.carriers)} of 3 units {hold} four fifths of the squared gradient of c")
    assert f"f is {number(found.there)} where the gradient is, {number(found.over_all)} over all units." in said
    assert f"lines at {number(found.there)} where" in PLOTS["units"].alt({"mine": flow})
    trained = Entry("mine", flow, history=[(0, flow), (3, flow)])
    assert f"Before training: {len(found.carriers)} of 3 units" in PLOTS["units"].sentences([trained])[0]
    assert PLOTS["units"].sentences({"own": report(h=FALLING)}) == [
        "own: no gate and no tanh′ multiplies a state unit by unit."
    ]


def test_what_a_gate_alone_would_leave_is_told_with_the_units_it_would_be_in():
    flow = measured()
    found = units_of(flow)
    assert PLOTS["gates"].sentences({"mine": flow})[-1] == (
        f"mine: f alone would leave {number(found.cause.gate_alone)} at lag {found.cause.lag}, where "
        f"{number(found.cause.measured)} is measured; it would be in units whose f is {number(found.alone)}. The "
        f"measured gradient is where f is {number(found.there)}: at each step {dict(found.cause.shares)['c']:.0%} of "
        "what arrives comes straight, the rest by other paths and into other units."
    )
