"""What plots are made of: losses at every step, Jacobians, and measurements in the course of a training."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask, TextTask
from tinygrad_rnn.train import (
    SequenceModel,
    backward_graph_of,
    fit,
    flow_map_of,
    jacobians_of,
    measure,
    training_flow,
)
from tinygrad_rnn.train.loop import MEASURED

T = 6


def text():
    return TextTask("the quick brown fox " * 4, T)


def fresh(task, cell="lstm", layers=2):
    tg.manual_seed(4)
    return SequenceModel(cell, task.input_size, 5, task.output_size, num_layers=layers, dtype="float64")


@pytest.mark.parametrize("make", [text, lambda: AddingTask(T)])
def test_the_last_row_of_the_map_is_the_flow_that_is_measured(make):
    task = make()
    model = fresh(task)
    norms = flow_map_of(model, task, batch=3, seed=1).norms
    assert norms.shape == (T, T)
    np.testing.assert_allclose(norms[-1], measure(model, task, 3, seed=1).report.hidden_grad, rtol=1e-12)


@pytest.mark.parametrize("make", [text, lambda: AddingTask(T)])
def test_the_diagonal_of_the_map_is_the_gradient_of_each_loss_at_its_own_state(make):
    task = make()
    model = fresh(task)
    inputs, targets = task.batch(3, (1, MEASURED), "float64")
    states = model.rnn(tg.tensor(inputs))[0].numpy()
    w, b = model.output.weight.numpy(), model.output.bias.numpy()
    for step, norm in enumerate(np.diag(flow_map_of(model, task, batch=3, seed=1).norms)):
        outputs = states[step] @ w.T + b
        if task.name == "text":
            slope = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
            slope[range(3), targets[step]] -= 1
        else:
            slope = 2 * (outputs - targets[:, None])
        assert norm == pytest.approx(np.sqrt(((slope @ w) ** 2).sum() / 3), rel=1e-10)


def test_the_threshold_given_decides_how_far_back_the_gradient_reaches():
    task = text()
    model = fresh(task, "rnn", layers=1)
    state = measure(model, task, 3).report.state("h")
    assert 0.9 > state.relative(1) > state.relative(3)  # so that each of both thresholds has a horizon of its own
    for lag in (1, 3):
        report = measure(model, task, 3, threshold=state.relative(lag) * 1.01).report
        assert (report.threshold, report.horizon.steps) == (state.relative(lag) * 1.01, lag)
    *_, (_, measurement) = training_flow(
        model, task, optim.SGD(model.parameters(), lr=0.1), updates=1, batch=3, threshold=0.5
    )
    assert measurement.report.threshold == 0.5


def test_all_outputs_step_by_step_are_those_of_the_whole():
    task = text()
    model = fresh(task)
    x = tg.tensor(task.batch(3, 0, "float64").inputs)
    found = [output.numpy() for output in model.outputs_by_step(x, model.initial_state(3))]
    np.testing.assert_allclose(found, model(x)[0].numpy(), rtol=1e-12)


def test_the_jacobian_of_an_irnn_lets_pass_what_is_above_zero():
    task = AddingTask(T)
    model = fresh(task, "irnn")
    model.rnn.bias_ih_l1.assign_(np.array([-1.0, 1.0, -2.0, 0.5, 1.0]))
    states = model.rnn(tg.tensor(task.batch(3, (2, MEASURED), "float64").inputs))[0].numpy()
    report = jacobians_of(model, task, batch=3, seed=2)
    for t in range(1, T):
        for example in range(3):
            expected = np.diag((states[t, example] > 0).astype(float))
            np.testing.assert_array_equal(report.one_step[t - 1, example], expected)
    assert (report.layer, jacobians_of(model, task, batch=3, layer=0).layer) == (1, 0)


def test_measuring_on_the_way_is_measuring_after_so_many_updates_and_disturbs_nothing():
    task = text()
    updates = []
    model = fresh(task, "gru", 1)
    adam = optim.Adam(model.parameters(), lr=0.02)
    found = dict(training_flow(model, task, adam, 5, 4, seed=3, at=(0, 2, 5), clip=0.1, on_update=updates.append))
    assert list(found) == [0, 2, 5]
    for made, measurement in found.items():
        again = fresh(task, "gru", 1)
        alone = list(fit(again, task, optim.Adam(again.parameters(), lr=0.02), made, 4, seed=3, clip=0.1))
        assert alone == updates[:made]
        expected = measure(again, task, 4, seed=3)
        np.testing.assert_array_equal(measurement.report.hidden_grad, expected.report.hidden_grad)
        assert measurement.settings == expected.settings


def test_without_moments_to_measure_at_it_measures_the_end_and_others_must_be_reached():
    task = AddingTask(T)
    model = fresh(task, "rnn", 1)
    adam = optim.Adam(model.parameters())
    assert [made for made, _ in training_flow(model, task, adam, 2, 3)] == [2]
    with pytest.raises(InputError, match=r"after 0 to 2 updates, not after \[1, 3\]"):
        next(training_flow(model, task, adam, 2, 3, at=(1, 3)))
    with pytest.raises(InputError, match=r"after 0 to 2 updates, not after \[1\.5\]"):
        next(training_flow(model, task, adam, 2, 3, at=(1.5,)))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"updates": 2.5}, "updates must be a whole number >= 0, not 2.5"),
        ({"batch": 0}, "batch must be a positive whole number, not 0"),
        ({"seed": -1}, "seed must be a whole number >= 0, not -1"),
    ],
)
def test_numbers_of_a_training_that_cannot_be_are_refused(sizes, message):
    model = fresh(AddingTask(T), "rnn", 1)
    with pytest.raises(InputError, match=message):
        next(training_flow(model, AddingTask(T), optim.Adam(model.parameters()), **{"updates": 2, "batch": 3, **sizes}))


@pytest.mark.parametrize("measured", [measure, flow_map_of, jacobians_of, backward_graph_of])
def test_a_batch_or_a_seed_to_measure_that_cannot_be_is_refused(measured):
    task = AddingTask(T)
    model = fresh(task, "rnn", 1)
    for batch in (0, -1, 2.5, "3"):
        with pytest.raises(InputError, match="batch must be a positive whole number"):
            measured(model, task, batch)
    with pytest.raises(InputError, match="seed must be a whole number >= 0"):
        measured(model, task, 2, seed=-1)


def test_a_float32_model_is_measured_in_float64():
    task = AddingTask(T)
    model = SequenceModel("rnn", 2, 5, 1)
    ((_, measurement),) = training_flow(model, task, optim.Adam(model.parameters()), 1, 3)
    assert measurement.settings["dtype"] == "float64"
    assert model.dtype == "float32"


def test_statistics_are_measured_when_asked_for():
    task = AddingTask(T)
    model = fresh(task)
    assert all(node.values is None for node in measure(model, task, 3).report.nodes)
    assert all(node.values is not None for node in measure(model, task, 3, statistics=True).report.nodes)


def test_the_threshold_given_is_the_one_that_counts():
    task = text()
    model = fresh(task, cell="rnn", layers=1)
    reports = [measure(model, task, 3, threshold=share).report for share in (0.9999, 1e-9)]
    assert [report.threshold for report in reports] == [0.9999, 1e-9]
    assert [report.horizon.steps for report in reports] == [1, None]
    adam = optim.Adam(model.parameters())
    ((_, measurement),) = training_flow(model, task, adam, 1, 3, threshold=0.25)
    assert measurement.report.threshold == 0.25
