"""What changes would do, against the same changes made by hand and measured."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import CELLS, CellEntry
from tinygrad_rnn.tasks import AddingTask
from tinygrad_rnn.train import SequenceModel, measure, remedies_of

TASK, BATCH, H = AddingTask(steps=12), 3, 4


def model(cell, layers=1):
    tg.manual_seed(0)
    return SequenceModel(cell, 2, H, 1, layers, dtype="float64")


def by_hand(changed):
    """What `measure` says of a model that was changed by hand."""
    report = measure(changed, TASK, BATCH).report
    state = report.state(report.horizon.state)
    return report.verdict, report.horizon.steps, report.decay.per_step, state.relative(11), report.loss


def same(found, measured):
    assert (found.verdict, found.horizon) == measured[:2]
    assert (found.per_step, found.left, found.loss) == pytest.approx(measured[2:], rel=1e-9)


@pytest.mark.parametrize(("cell", "rows"), [("lstm", slice(H, 2 * H)), ("gru", slice(H, 2 * H))])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_bias_moved_by_hand_gives_the_same(cell, rows, layers):
    start = model(cell, layers)
    found = remedies_of(start, TASK, BATCH)
    for at, by in enumerate((1.0, 2.0, 3.0, 5.0)):
        changed = model(cell, layers)
        for layer in range(layers):
            bias = getattr(changed.rnn, f"bias_hh_l{layer}")  # the other one: their sum is what counts
            values = np.array(bias.numpy())
            values[rows] += by
            bias.assign_(tg.tensor(values))
        same(found[at], by_hand(changed))
    assert by_hand(start) == by_hand(model(cell, layers)), "the model itself stays as it was"


def test_a_recurrent_weight_changed_by_hand_gives_the_same():
    found = {each.what: each for each in remedies_of(model("rnn"), TASK, BATCH)}
    twice, irnn = model("rnn"), model("rnn:nonlinearity=relu")
    twice.rnn.weight_hh_l0.assign_(2 * twice.rnn.weight_hh_l0.detach())
    same(found["W_hh times 2"], by_hand(twice))
    report = measure(twice, TASK, BATCH).report
    (cause,) = report.causes()
    assert dict(found["W_hh times 2"].factors) == pytest.approx(dict(cause.factors), rel=1e-9)
    assert {"tanh", "matmul"} <= dict(cause.factors).keys()
    assert found["W_hh times 2"].largest == pytest.approx(max(report.hidden_grad) / report.hidden_grad[-1], rel=1e-9)
    irnn.load_state_dict(dict(model("rnn").state_dict()))  # a plain dict does not mind that the cell is another one
    for name, value in (("weight_hh", tg.eye(H, dtype="float64")), ("bias_ih", 0.0), ("bias_hh", 0.0)):
        parameter = getattr(irnn.rnn, f"{name}_l0")
        parameter.assign_(value if name == "weight_hh" else tg.zeros(H, dtype="float64"))
    same(found["relu, W_hh the identity and biases 0 (IRNN)"], by_hand(irnn))


def test_the_random_numbers_of_a_training_stay_the_same():
    start = model("rnn")
    before = tg.randn(3).tolist()
    tg.manual_seed(0)
    SequenceModel("rnn", 2, H, 1, dtype="float64")
    remedies_of(start, TASK, BATCH)
    assert tg.randn(3).tolist() == before


def test_a_measurement_with_statistics_knows_them_and_the_singular_values():
    start = model("gru", 2)
    measurement = measure(start, TASK, BATCH, statistics=True)
    assert measurement.report.remedies == remedies_of(start, TASK, BATCH)
    weights = [getattr(start.rnn, f"weight_hh_l{layer}").numpy() for layer in (0, 1)]
    largest = [float(np.linalg.svd(weight)[1][0]) for weight in weights]
    assert dict(measurement.report.sigma_max) == pytest.approx({"weight_hh_l0": largest[0], "weight_hh_l1": largest[1]})
    found = measurement.flow_json()
    assert found["sigma_max"] == dict(measurement.report.sigma_max)
    assert found["remedies"][1] == {
        "what": "the bias of the update gate z raised by 2", "verdict": "survives", "state": "h", "horizon": None,
        "per_step": measurement.report.remedies[1].per_step, "lag": 11, "left": measurement.report.remedies[1].left,
        "loss": measurement.report.remedies[1].loss, "largest": measurement.report.remedies[1].largest, "factors": [],
    }  # fmt: skip
    assert measure(start, TASK, BATCH).report.remedies == ()


def test_nothing_is_tried_where_numbers_are_not_finite():
    broken = model("rnn")
    broken.rnn.weight_hh_l0.assign_(tg.full((H, H), float("inf"), dtype="float64"))
    assert measure(broken, TASK, BATCH, statistics=True).report.remedies == ()


def test_a_cell_whose_entry_lacks_an_option_is_measured_without_it(monkeypatch):
    class Plain(nn.RNNCell):
        def remedies(self):
            yield from super().remedies()
            yield nn.Remedy("nothing", {})

    monkeypatch.setitem(CELLS, "plain", CellEntry(Plain, "an Elman network", "here"))
    found = remedies_of(model("plain"), TASK, BATCH)
    assert not any("IRNN" in each.what for each in found)
    same(found[-1], by_hand(model("plain")))
