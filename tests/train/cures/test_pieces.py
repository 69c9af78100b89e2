"""Back-propagation through time in pieces: what is cut off, and what is not."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.engine.creation import default_generator
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask, TextTask
from tinygrad_rnn.tasks.dates import DatesTask
from tinygrad_rnn.train import EncoderDecoder, SequenceModel, recomputed, truncated

T = 7
TASKS = {"text": TextTask("the quick brown fox " * 4, steps=T), "adding": AddingTask(T)}


def model_of(task, cell, layers=2, **options):
    tg.manual_seed(3)
    return SequenceModel(cell, task.input_size, 5, task.output_size, layers, dtype="float64", **options)


def batch_of(task, size=3):
    return task.batch(size, seed=1, dtype="float64").to("cpu")


def gradients(model):
    found = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = None
    return found


def agree(found, expected, tolerance=1e-12):
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance, err_msg=name)


def with_edges_cut(model, task, batch, k1, k2):
    """Leave the gradients of whole graphs, one for each block, in which one edge is cut, that from step t - k2."""
    ends = list(range(T, 0, -k1))[::-1]
    for number, end in enumerate(ends):
        first, state, outputs = ends[number - 1] if number else 0, None, []
        for t in range(T):
            if t == end - k2 and t > 0:
                state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
            output, state = model(batch.inputs[t : t + 1], state)
            outputs.append(output if first <= t < end else output.detach())
        task.loss(tg.concat(outputs), batch).backward()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (1, 2), (1, T - 1), (1, T), (2, 3), (3, 3), (3, 5), (T, T), (9, 12)])
def test_the_gradient_is_that_of_the_whole_graph_with_the_edge_k2_steps_back_cut(kind, cell, k1, k2):
    task = TASKS[kind]
    model, batch = model_of(task, cell), batch_of(task)
    loss = truncated(model, task, batch, k1, k2)
    found = gradients(model)
    with_edges_cut(model, task, batch, k1, k2)
    agree(found, gradients(model))
    assert loss.item() == pytest.approx(task.loss(model.outputs(batch), batch).item(), rel=1e-14)


def test_what_is_cut_off_makes_a_difference_and_all_steps_make_none():
    task = TASKS["text"]
    model, batch = model_of(task, "rnn"), batch_of(task)
    task.loss(model.outputs(batch), batch).backward()
    whole = gradients(model)
    truncated(model, task, batch, T, T)
    agree(gradients(model), whole)
    truncated(model, task, batch, 1, 2)
    assert np.abs(gradients(model)["rnn.weight_hh_l0"] - whole["rnn.weight_hh_l0"]).max() > 1e-4


def test_a_truncation_that_cannot_be_is_refused():
    task = TASKS["adding"]
    model, batch = model_of(task, "rnn"), batch_of(task)
    with pytest.raises(InputError, match="k2 = 2 is below k1 = 3"):
        truncated(model, task, batch, 3, 2)
    with pytest.raises(InputError, match="dropout or zoneout would be another the second time"):
        truncated(model_of(task, "rnn", dropout=0.5), task, batch, 1, 2)
    dates = DatesTask()
    reader = EncoderDecoder.for_task(dates, "gru", 4, dtype="float64")
    for cure in (lambda *given: truncated(*given, 1, 2), recomputed):
        with pytest.raises(InputError, match="is for models of one sequence"):
            cure(reader, dates, batch_of(dates))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("piece", [None, 1, 2, T, 30])
def test_recomputing_leaves_the_gradients_of_the_whole_sequence(kind, cell, piece):
    task = TASKS[kind]
    model, batch = model_of(task, cell), batch_of(task)
    loss = recomputed(model, task, batch, piece)
    found = gradients(model)
    expected = task.loss(model.outputs(batch), batch)
    expected.backward()
    agree(found, gradients(model))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-14)


def test_dropout_is_the_same_the_second_time_and_the_generator_goes_on():
    task = TASKS["text"]
    model, batch = model_of(task, "gru", dropout=0.5), batch_of(task)
    tg.manual_seed(8)
    loss = recomputed(model, task, batch, 3)
    stood, found = default_generator.counter.item(), gradients(model)
    tg.manual_seed(8)
    outputs, state = [], None
    for start in range(0, T, 3):
        output, state = model(batch.inputs[start : start + 3], state)
        outputs.append(output)
    expected = task.loss(tg.concat(outputs), batch)
    expected.backward()
    agree(found, gradients(model))
    assert (loss.item(), stood) == (pytest.approx(expected.item()), default_generator.counter.item())


def peak(steps, cure):
    task = AddingTask(steps)
    model = SequenceModel("lstm", 2, 32, 1)
    batch = task.batch(8, seed=0).to("cpu")
    tracemalloc.start()
    try:
        cure(model, task, batch)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def whole(model, task, batch):
    task.loss(model.outputs(batch), batch).backward()


def test_the_memory_of_recomputing_grows_as_the_root_of_the_steps():
    short, long = peak(50, recomputed), peak(200, recomputed)
    assert peak(200, whole) > 3 * peak(50, whole)
    assert long < 2.6 * short
    assert peak(200, whole) > 4 * long


def test_variational_dropout_is_refused():
    task = TASKS["adding"]
    model = model_of(task, "rnn")
    model.rnn.variational = 0.5
    with pytest.raises(InputError, match="variational dropout is one draw for all"):
        recomputed(model, task, batch_of(task))
    model.eval()
    recomputed(model, task, batch_of(task))


def test_an_optimizer_steps_on_what_is_left():
    task = TASKS["text"]
    model = model_of(task, "lstm")
    adam = optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(12):
        adam.zero_grad()
        losses.append(truncated(model, task, batch_of(task, 8), 2, 4).item())
        adam.step()
    assert losses[-1] < 0.95 * losses[0]
