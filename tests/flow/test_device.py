"""Gradient flow on a second device, where no value is at hand."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.train.test_device import same
from tinygrad_rnn import viz
from tinygrad_rnn.flow import gradient_flow, state_jacobians

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("fake_cuda")]


def gated(w, h):
    z = (h @ w).sigmoid().named("z")
    return z * (h @ w.T).tanh() + (1 - z) * h


#: How a step reads the weight: the same way each time, in parts that overlap, or twice.
USES = {
    "as it is": lambda w, h: (h @ w.T).tanh(),
    "in parts": lambda w, h: (h @ w.T + w[0] * h + tg.concat([w[1:], w[:1]]).sum(axis=0)).tanh(),
    "gated": gated,
}


def losses(use, device, weight_on=None, at_once=False):
    rng = np.random.default_rng(0)
    w = tg.tensor(rng.normal(0, 0.7, (3, 3)), device=weight_on or device, requires_grad=True).named("W")
    if at_once:
        w = w.to(device)
    h = tg.tensor(rng.normal(size=(2, 3)), device=device)
    for t in range(4):
        with tg.scope("t", t):
            h = USES[use](w.to(device), h).named("h")
    return (h * rng.normal(size=3)).sum(axis=1)


@pytest.mark.parametrize("use", USES)
def test_the_report_is_the_same_there(use):
    here, there = (gradient_flow(losses(use, device), statistics=True) for device in ("cpu", "cuda"))
    same(here.to_dict(), there.to_dict())
    assert [node.name for node in here.nodes] == [node.name for node in there.nodes]
    same([node.norm for node in here.nodes], [node.norm for node in there.nodes])
    assert [carry.gate for carry in there.carries] == (["1 - z"] if use == "gated" else [])
    same([carry.norms for carry in here.carries], [carry.norms for carry in there.carries])


@pytest.mark.parametrize("at_once", [True, False])
def test_moving_a_weight_is_no_computation(at_once):
    here = gradient_flow(losses("as it is", "cpu")).to_dict()["weights"]
    moved = gradient_flow(losses("as it is", "cuda", "cpu", at_once))
    same(here, moved.to_dict()["weights"])
    assert sum(node.op == "to" for node in moved.nodes) == (1 if at_once else 4)


def test_jacobians_are_the_same_there():
    here, there = (state_jacobians(losses("in parts", device)).one_step for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there, here, rtol=1e-12)


def test_graphs_are_listed_and_drawn():
    x = tg.tensor(3.0, device="cuda", requires_grad=True).named("x")
    y = (x * 2.0 + 1.0).to("cpu").named("y")
    y.backward(retain_graph=True)
    text = viz.listing(y)
    for line in ("= x * 2 ", "= to(v2, device=cpu)", "x_bar"):
        assert line in text
    assert "to" in viz.draw(y).source
