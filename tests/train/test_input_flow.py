"""What the inputs have to do with the losses, against central differences of the losses themselves."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.tasks import AddingTask, TextTask
from tinygrad_rnn.train import SequenceModel, input_flow, measure
from tinygrad_rnn.train.loop import MEASURED

TEXT = "to be, or not to be: that is the question"


def differences(model, task, batch, eps=1e-6):
    """Return dL_b/dx (T, B, I), one element of the inputs of all examples at a time."""

    def losses(x):
        with tg.no_grad():
            return task.last_losses(model.last_output(tg.tensor(x), model.initial_state(x.shape[1])), batch).numpy()

    inputs = batch.inputs
    found = np.zeros(inputs.shape)
    for t, i in np.ndindex(inputs.shape[0], inputs.shape[2]):
        step = np.zeros(inputs.shape)
        step[t, :, i] = eps
        found[t, :, i] = (losses(inputs + step) - losses(inputs - step)) / (2 * eps)
    return found


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("task", [TextTask(TEXT, steps=5), AddingTask(steps=5)], ids=lambda task: task.name)
def test_products_and_norms_are_those_of_central_differences(cell, task):
    tg.manual_seed(0)
    model = SequenceModel(cell, task.input_size, 4, task.output_size, dtype="float64")
    found = input_flow(model, task, batch=3, seed=1)
    batch = task.batch(3, (1, MEASURED), "float64")
    inputs, gradients = batch.inputs, differences(model, task, batch)
    np.testing.assert_allclose(found.products, (inputs * gradients)[:, 0].sum(axis=1), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.norms, np.sqrt((gradients**2).sum(axis=2).mean(axis=1)), rtol=1e-5, atol=1e-9)
    assert (found.norms > 0).all()


def test_labels_are_what_example_0_reads():
    task = TextTask(TEXT, steps=6)
    model = SequenceModel("gru", task.input_size, 4, task.output_size)
    labels = input_flow(model, task, batch=2, seed=3).labels
    assert "".join(labels) in TEXT
    inputs, _ = task.batch(2, (3, MEASURED))
    assert labels == tuple(task.vocabulary.decode(inputs[:, 0].argmax(axis=1)))


def test_an_added_number_is_short_and_its_mark_a_star():
    assert AddingTask(steps=4).input_labels(np.array([[0.83, 1.0], [0.04, 0.0]])) == [".8*", ".0"]


def test_a_task_that_says_nothing_of_its_inputs_has_no_labels(monkeypatch):
    monkeypatch.delattr(TextTask, "input_labels")
    task = TextTask(TEXT, steps=4)
    found = input_flow(SequenceModel("rnn", task.input_size, 3, task.output_size), task, batch=2)
    assert (found.labels, len(found.norms)) == ((), 4)


def test_a_measurement_with_statistics_has_it():
    task = AddingTask(steps=4)
    model = SequenceModel("rnn", 2, 3, 1, dtype="float64")
    assert measure(model, task, batch=2).inputs is None
    whole = measure(model, task, batch=2, statistics=True)
    np.testing.assert_array_equal(whole.inputs.norms, input_flow(model, task, batch=2).norms)
    assert not any(node.requires_grad for node in whole.report.nodes if node.name == "x"), "pictures show data as data"
