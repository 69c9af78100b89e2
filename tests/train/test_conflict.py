"""What each step wants of the weights of a unit that stores."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask, ConflictTask
from tinygrad_rnn.train import SequenceModel, cancelled, conflict_of, measure, step_gradients
from tinygrad_rnn.train.conflict import bit_row
from tinygrad_rnn.train.loop import MEASURED


def model_of(cell, hidden=1, seed=0, sizes=(3, 1)):
    tg.manual_seed(seed)
    return SequenceModel(cell, sizes[0], hidden, sizes[1], dtype="float64")


@pytest.mark.parametrize("cell", ["rnn", "carousel", "lstm97:block_size=2", "lstm97_nog", "gru", "lstm_joined"])
def test_contributions_add_up_to_the_gradient_of_training(cell):
    task, model = ConflictTask(5), model_of(cell, hidden=4)
    loss, found = step_gradients(model, task, batch=6, seed=2)
    batch = task.batch(6, (2, MEASURED), "float64")
    inputs = batch.inputs
    outputs, _ = model(tensor(inputs))
    expected = task.loss(outputs, batch)
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    whole = {name.removeprefix("rnn.").removesuffix("_l0"): value for name, value in model.named_parameters()}
    assert found.keys() == whole.keys()
    for name, each in found.items():
        np.testing.assert_allclose(each.sum(axis=0), whole[name].grad.numpy(), rtol=1e-9, atol=1e-13, err_msg=name)


def test_contributions_are_as_large_as_gradient_flow_says():
    task, model = AddingTask(6), model_of("lstm", hidden=3, sizes=(2, 1))
    _, found = step_gradients(model, task, batch=5)
    report = measure(model, task, batch=5).report
    for name in ("weight_ih", "weight_hh"):
        (flow,) = [flow for known, flow in report.weights.items() if name in known]
        sizes = np.linalg.norm(found[name].reshape(6, -1), axis=1)
        np.testing.assert_allclose(sizes, flow.per_step, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", ["store", "retrieve", "both"])
def test_a_carousel_is_pulled_as_its_derivatives_by_hand_say(kind):
    task, model = ConflictTask(6, kind), model_of("carousel")
    run = conflict_of(model, task, updates=0, batch=4, seed=5)
    (pulls,) = run.pulls
    x, targets = task.batch(4096, (5, MEASURED), "float64")
    w, b = model.rnn.weight_ih_l0.numpy()[0], model.rnn.bias_ih_l0.item()
    v, d = model.output.weight.item(), model.output.bias.item()
    h = np.cumsum(x @ w + b, axis=0)
    error = v * h + d
    error[-1] -= targets
    if kind == "store":
        error[:-1] = 0
    by_state = np.cumsum(2 * error[::-1] * v, axis=0)[::-1]  # what all later steps want
    np.testing.assert_allclose(pulls.outgoing, (2 * error * h).mean(axis=1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pulls.incoming, (by_state * x[:, :, 0]).mean(axis=1), rtol=1e-9, atol=1e-12)
    assert run.product == pytest.approx(w[0] * v, rel=1e-12)
    assert len(run.losses) == 0


def test_a_carousel_comes_to_rest_where_theory_says_and_a_gate_is_what_it_lacks():
    task = ConflictTask(5, "store")
    run, gated = (
        conflict_of(model_of(cell), task, updates=300, batch=32, at=(30,))
        for cell in ("carousel", "lstm97_nog:input_bias=-1")
    )
    assert [pulls.updates for pulls in run.pulls] == [0, 30, 300]
    assert run.product == pytest.approx(1 / 5, rel=0.1)
    assert run.loss == pytest.approx(0.8, rel=0.05)
    at_rest = run.pulls[-1].incoming
    assert (np.sign(at_rest[1:]) == -np.sign(at_rest[0])).all()
    np.testing.assert_allclose(at_rest[1:] / at_rest[0], -1 / 4, atol=0.12)
    assert cancelled(at_rest) > 0.8
    assert gated.loss < 0.05
    assert np.abs(gated.pulls[-1].incoming).sum() < 0.1 * np.abs(at_rest).sum()


def test_training_is_the_same_for_the_same_seed_and_with_a_measurement_in_between():
    task = ConflictTask(4, "retrieve")
    told = []
    first = conflict_of(model_of("lstm97"), task, 6, 4, seed=1, on_update=told.append)
    again = conflict_of(model_of("lstm97"), task, 6, 4, seed=1, at=(2, 3))
    np.testing.assert_array_equal(first.losses, again.losses)
    np.testing.assert_array_equal(first.pulls[-1].incoming, again.pulls[-1].incoming)
    assert told == first.losses.tolist()
    assert len(told) == 6


@pytest.mark.parametrize(
    ("contributions", "share"), [([1, 2, 3], 0), ([-1, -2], 0), ([2, -1, -1], 1), ([3, -1], 0.5), ([0, 0], 0)]
)
def test_the_share_that_cancels(contributions, share):
    assert cancelled(np.array(contributions, dtype=float)) == pytest.approx(share)


def test_the_row_is_that_of_what_is_stored():
    rows = {"carousel": 0, "rnn": 0, "lstm": 2, "lstm97": 1, "nig": 1, "gru:reset=before": 2, "mgu": 1}
    assert {cell: bit_row(cell) for cell in rows} == rows
    with pytest.raises(InputError, match="no weight of its own from the input"):
        bit_row("lstm_joined")
    with pytest.raises(InputError, match="input_size must equal hidden_size"):
        bit_row("gates_from_input")


def test_models_of_several_units_or_layers_and_training_that_diverges_are_refused():
    task = ConflictTask(4)
    with pytest.raises(InputError, match="hidden_size=1"):
        conflict_of(model_of("carousel", hidden=2), task, 1, 2)
    deep = SequenceModel("carousel", 3, 1, 1, num_layers=2)
    with pytest.raises(InputError, match="2 layers"):
        step_gradients(deep, task, 2)
    broken = model_of("carousel")
    broken.output.weight.assign_(np.array([[1e200]]))
    with pytest.raises(InputError, match="at update 1: training diverged"):
        conflict_of(broken, task, 2, 2)


@pytest.mark.parametrize("cell", ["grid", "rnn_joined", "lstm_joined"])
def test_a_cell_without_a_weight_from_the_input_alone_is_refused(cell):
    with pytest.raises(InputError, match="no weight of its own"):
        bit_row(cell)


def test_each_step_contributes_its_term_of_backpropagation_through_time():
    """dL_T/dW = sum_k dL_T/do_T do_T/ds_T (prod_{j=k+1}^T ds_j/ds_{j-1}) ds_k/dW, every term by itself."""
    task, model = ConflictTask(5, "store"), model_of("rnn", hidden=3)
    batch = task.batch(1, (4, MEASURED), "float64")
    w = {name.removeprefix("rnn.").removesuffix("_l0"): value.numpy() for name, value in model.state_dict().items()}
    states, slopes = [np.zeros(3)], []
    for x in batch.inputs[:, 0]:
        states.append(np.tanh(w["weight_ih"] @ x + w["bias_ih"] + w["weight_hh"] @ states[-1] + w["bias_hh"]))
        slopes.append(1 - states[-1] ** 2)
    output = w["output.weight"] @ states[-1] + w["output.bias"]
    _, found = step_gradients(model, task, batch=1, seed=4)
    for k in range(5):
        error = 2 * (output - batch.targets) @ w["output.weight"]  # dL/do do/ds_T
        for j in range(4, k, -1):
            error = error @ (slopes[j][:, None] * w["weight_hh"])  # ds_j/ds_{j-1}
        terms = {"weight_hh": states[k], "weight_ih": batch.inputs[k, 0]}
        for name, before in terms.items():
            np.testing.assert_allclose(found[name][k], np.outer(error * slopes[k], before), rtol=1e-10, atol=1e-15)
