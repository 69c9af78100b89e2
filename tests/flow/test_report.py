"""Horizon and verdict from given sizes; what goes into JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import FlowReport, StateFlow, WeightFlow, gradient_flow


def state(kind, by_lag, layer=0, direction="forward"):
    norms = np.array(by_lag if direction == "reverse" else by_lag[::-1], dtype=float)
    scope = (("layer", layer), *([("reverse", None)] if direction == "reverse" else []))
    return StateFlow(kind, layer, direction, scope, tuple(range(len(norms))), norms)


def report(*states, threshold=0.01, weights=None, loss=1.0):
    return FlowReport(
        batch=1, loss=loss, steps=states[0].steps if states else (), nodes=(), edges=(), links=(), crossings={},
        states=states, weights=weights or {}, threshold=threshold, notes=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("by_lag", "horizon", "verdict"),
    [
        ([1, 0.5, 0.2], None, "survives"),
        ([1, 0.01, 0.01], None, "survives"),
        ([1, 0.5, 0.009, 2], 2, "vanishes"),
        ([2, 0.5, 0.019], 2, "vanishes"),
        ([1, 0, 1], 1, "vanishes"),
        ([1, 100, 100], None, "survives"),
        ([1, 0.001, 101], 1, "explodes"),
        ([0, 0, 0], None, "zero"),
        ([0, 5, 5], None, "zero"),
        ([1, math.nan, 1000], None, "nonfinite"),
        ([math.inf, 1, 1], None, "nonfinite"),
        ([1], None, "withheld"),
        ([math.nan], None, "withheld"),
    ],
)
def test_horizon_and_verdict_of_one_state(by_lag, horizon, verdict):
    found = report(state("h", by_lag))
    assert found.verdict == verdict
    if verdict not in ("nonfinite", "withheld"):
        assert (found.horizon.state, found.horizon.steps) == ("h", horizon)


def test_the_first_lag_above_a_hundredfold_is_named():
    assert report(state("h", [1, 2, 200, 300]), state("c", [1, 200, 1, 1])).explodes_at == 1


@pytest.mark.parametrize(
    ("h", "c", "kind", "steps"),
    [
        ([1, 0, 0, 0], [1, 0.9, 0.001, 0], "c", 2),
        ([1, 0.9, 0, 0], [1, 0, 0, 0], "h", 2),
        ([1, 0, 0, 0], [1, 0.9, 0.8, 0.7], "c", None),
        ([1, 0.9, 0.9, 0.9], [1, 0.5, 0.4, 0.3], "h", None),
        ([1, 0.5, 0, 0], [0, 0, 0, 0], "h", 2),
    ],
    ids=["c lasts", "h lasts", "c survives", "both survive", "c has no gradient"],
)
def test_the_horizon_of_a_cell_is_that_of_the_state_that_lasts(h, c, kind, steps):
    horizon = report(state("h", h), state("c", c)).horizon
    assert (horizon.state, horizon.steps) == (kind, steps)


def test_the_threshold_can_be_set():
    assert report(state("h", [1, 0.5, 0.2]), threshold=0.3).horizon.steps == 2


def test_only_the_last_forward_layer_decides():
    found = report(
        state("h", [1, 0, 0]), state("h", [1, 0, 0], layer=1, direction="reverse"), state("h", [1, 0.5, 0.5], layer=1)
    )
    assert found.verdict == "survives"
    assert found.hidden_grad.tolist() == [0.5, 0.5, 1]


def test_relative_sizes_by_lag():
    h = state("h", [4, 2, 1])
    assert [h.relative(lag) for lag in (0, 1, 2, 3, -1)] == [1, 0.5, 0.25, None, None]
    assert state("h", [0, 1]).relative(1) is None


def test_json_has_null_for_what_is_not_finite_and_says_so():
    weights = {
        "w": WeightFlow(0, np.array([1.0, math.inf]), np.array([1.0, 1.0]), math.nan),
        "v": WeightFlow(1, None, None, 3.0),
    }
    found = json.loads(json.dumps(report(state("h", [1, 0.5]), weights=weights).to_dict(), allow_nan=False))
    assert found["status"] == "nonfinite"
    assert found["weights"] == {"w": {"per_step": [1.0, None], "total": None}, "v": {"per_step": None, "total": 3.0}}
    assert found["hidden_grad"] == [0.5, 1.0]
    assert found["cell_grad"] is None
    assert found["horizon"] == {"threshold": 0.01, "state": "h", "steps": None}
    assert found["verdict"] == "survives"
    assert (found["verdict_reason"], found["explodes_at"], found["per_step"]) == (None, None, 0.5)
    (lane,) = found["layers"]
    assert lane.pop("why") == {
        "gates": {},
        "states": {
            "h": {
                "lag": 1, "left": 0.5, "shares": {}, "straight": None, "factors": [], "gate": None, "rule": "",
                "gate_mean": None, "gate_units": None, "gate_alone": None, "carriers": None, "carriers_mean": None,
            }
        },
    }  # fmt: skip
    assert lane == {
        "layer": 0, "direction": "forward", "part": "", "hidden_grad": [0.5, 1.0], "cell_grad": None,
        "states": {"h": [0.5, 1.0]}, "horizon": found["horizon"], "verdict": "survives", "explodes_at": None,
        "per_step": {"h": 0.5}, "line": {"h": pytest.approx(0.5)}, "zero_at": {"h": None}, "underflows_at": {"h": None},
    }  # fmt: skip
    assert report(state("h", [1, 0.5])).status == "ok"


def test_pictures_compare_with_the_last_state_that_has_a_gradient():
    assert report(state("h", [4, 2])).reference == ("h_T", 4.0)
    assert report(state("h", [0, 0]), state("c", [3, 2])).reference == ("c_T", 3.0)
    assert report().reference == ("L", 1.0)


def test_an_unknown_node_is_not_found():
    with pytest.raises(KeyError, match="no node is called 'x'"):
        report().node("x")


# ---- which lane is the cell, and on which scale ---------------------------------------------------------------------


@pytest.mark.parametrize("with_data", [False, True])
def test_states_have_a_batch_axis_also_where_only_a_leaf_leads_to_them(with_data):
    h = tg.tensor(np.linspace(1, 2, 100)[:, None], requires_grad=True)
    for t in range(3):
        with tg.scope("t", t):
            h = (h * 0.5).named("h")
    losses = (h - tg.tensor(np.zeros((100, 1)))) if with_data else h
    np.testing.assert_allclose(gradient_flow(losses.sum(axis=1)).hidden_grad, [0.25, 0.5, 1.0])


def test_of_two_cells_in_a_row_the_last_is_followed():
    h = tg.tensor([[1.0]], requires_grad=True)
    for part, factor in (("encoder", 0.5), ("decoder", 0.25)):
        with tg.scope(part):
            for t in range(3):
                with tg.scope("t", t):
                    h = (h * factor).named("h")
    report = gradient_flow(h.sum(axis=1))
    assert report.cell[0].scope[0] == ("decoder", None)
    np.testing.assert_allclose(report.hidden_grad, [0.0625, 0.25, 1.0])


@pytest.mark.parametrize("threshold", [-1, 2, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(threshold):
    with pytest.raises(InputError, match="use 0 to 1"):
        gradient_flow(tg.ones(2, requires_grad=True), threshold)
