"""Pictures, listings and gradient flow of an engine that is not this library's."""

import math

import pytest

import tinygrad_rnn as tg
from tests import scalar_engine
from tests.scalar_engine import Value
from tinygrad_rnn import viz
from tinygrad_rnn.errors import InputError

STEPS, W, U, B = 5, 0.6, 1.5, -0.25
INPUTS = [0.5, -1.0, 0.25, 2.0, -0.75]


def run(make, scope, product):
    """Return the loss of an Elman network with one unit, and its states."""
    w, u, b = make(W).named("w"), make(U).named("u"), make(B).named("b")
    h, states = make(0.1).named("h0"), []
    for t, x in enumerate(INPUTS):
        with scope("t", t):
            h = product(w, h, u, x, b).tanh().named("h")
            states.append(h)
    return h * h, states


def on_numbers():
    return run(Value, scalar_engine.scope, lambda w, h, u, x, b: w * h + u * x + b)


def on_tensors():
    def make(x):
        return tg.tensor(x, dtype="float64", requires_grad=True)

    return run(make, tg.scope, lambda w, h, u, x, b: w * h + u * x + b)


def state_gradients():
    """Return h_t and dL/dh_t of every step by hand: dL/dh_{t-1} = dL/dh_t * (1 - h_t**2) * w."""
    h, states = 0.1, []
    for x in INPUTS:
        h = math.tanh(W * h + U * x + B)
        states.append(h)
    grads = [2 * states[-1]]
    for h in reversed(states[1:]):
        grads.append(grads[-1] * (1 - h * h) * W)
    return states, grads[::-1]


def test_the_flow_through_its_states_is_that_of_the_formula():
    loss, _ = on_numbers()
    report = viz.gradient_flow(loss, statistics=True)
    states, grads = state_gradients()
    assert report.hidden_grad.tolist() == pytest.approx([abs(g) for g in grads], rel=1e-12)
    (flow,) = report.states
    assert (flow.kind, flow.steps) == ("h", tuple(range(STEPS)))
    inside = [g * (1 - h * h) for h, g in zip(states, grads, strict=True)]
    before = [0.1, *states[:-1]]
    parts = {
        "w": [g * h for g, h in zip(inside, before, strict=True)],
        "u": [g * x for g, x in zip(inside, INPUTS, strict=True)],
        "b": inside,
    }
    for name, steps in parts.items():
        weight = report.weights[name]
        assert weight.per_step.tolist() == pytest.approx([abs(part) for part in steps], rel=1e-12)
        assert weight.total == pytest.approx(abs(sum(steps)), rel=1e-12)
        assert weight.running[0] == pytest.approx(weight.total, rel=1e-12)


def test_every_number_of_the_report_is_that_of_the_same_graph_of_tensors():
    ours, theirs = viz.gradient_flow(on_numbers()[0]), viz.gradient_flow(on_tensors()[0])
    assert [node.name for node in ours.nodes] == [node.name for node in theirs.nodes]
    for mine, other in zip(ours.nodes, theirs.nodes, strict=True):
        assert (mine.op, mine.step, mine.role, mine.parameter) == (other.op, other.step, other.role, other.parameter)
        assert mine.value == pytest.approx(other.value, rel=1e-12)
        assert (mine.norm or 0) == pytest.approx(other.norm or 0, rel=1e-12)
    for mine, other in zip((*ours.edges, *ours.links), (*theirs.edges, *theirs.links), strict=True):
        assert (mine.child, mine.position, mine.parent) == (other.child, other.position, other.parent)
        assert (mine.norm or 0) == pytest.approx(other.norm or 0, rel=1e-12)
    assert ours.crossings == pytest.approx(theirs.crossings, rel=1e-12)
    assert (ours.verdict, ours.horizon, ours.loss) == (theirs.verdict, theirs.horizon, pytest.approx(theirs.loss))
    assert str(viz.draw(ours)) == str(viz.draw(theirs))


def test_it_is_drawn_without_being_measured():
    loss, _ = on_numbers()
    assert str(viz.draw(loss)) == str(viz.draw(on_tensors()[0]))


def test_its_listing_shows_every_equation_and_the_gradients_it_keeps():
    w, x = Value(3.0).named("w"), Value(2.0, requires_grad=False)
    y = (w * x + w).named("y")
    w.grad = Value(3.0)
    lines = [line.split() for line in viz.listing(y).splitlines()]
    assert ["v1", "=", "w", "*", "data", "()", "6"] in lines
    assert ["y", "=", "v1", "+", "w", "()", "9"] in lines
    assert ["w_bar", "from", "y,", "v1", "()", "3"] in lines


def test_what_is_no_value_is_refused():
    for wrong in (3.0, "loss", None):
        with pytest.raises(InputError):
            viz.gradient_flow(wrong)
        with pytest.raises(InputError):
            viz.listing(wrong)
