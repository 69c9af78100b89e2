"""The training loop."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask, TextTask
from tinygrad_rnn.train import SequenceModel, diverged, evaluate, fit
from tinygrad_rnn.train.loop import TRAINING


def fresh(task, cell="rnn", lr=0.02):
    tg.manual_seed(1)
    model = SequenceModel(cell, task.input_size, 8, task.output_size)
    return model, optim.Adam(model.parameters(), lr=lr)


def values(model):
    return np.concatenate([value.numpy().ravel() for value in model.state_dict().values()])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_text_that_repeats_gets_learned(cell):
    task = TextTask("abcd" * 20, steps=8)
    model, optimizer = fresh(task, cell, lr=0.05)
    losses = [update.loss for update in fit(model, task, optimizer, updates=60, batch=8)]
    assert losses[0] == pytest.approx(np.log(4), abs=0.3)
    assert losses[-1] < 0.5
    assert evaluate(model, task, 16) < 0.5


def test_the_adding_problem_beats_a_constant_answer():
    task = AddingTask(4)
    model, optimizer = fresh(task, "gru", lr=0.05)
    for _ in fit(model, task, optimizer, updates=150, batch=32):
        pass
    assert evaluate(model, task, 256) < 0.5 / 6


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    task = TextTask("the quick brown fox " * 4, steps=5)
    found = []
    for seed in (3, 3, 4):
        model, optimizer = fresh(task)
        list(fit(model, task, optimizer, updates=4, batch=4, seed=seed))
        found.append(values(model))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_training_in_two_parts_is_training_at_once():
    task = TextTask("the quick brown fox " * 4, steps=5)
    model, optimizer = fresh(task)
    whole = list(fit(model, task, optimizer, updates=6, batch=4))
    again, optimizer = fresh(task)
    first = list(fit(again, task, optimizer, updates=2, batch=4))
    assert first + list(fit(again, task, optimizer, updates=6, batch=4, first=2)) == whole
    np.testing.assert_array_equal(values(again), values(model))


def test_gradients_are_clipped():
    task = TextTask("the quick brown fox " * 4, steps=5)
    model, _ = fresh(task)
    before = values(model)
    list(fit(model, task, optim.SGD(model.parameters(), lr=1.0), updates=1, batch=4, clip=1e-3))
    assert np.linalg.norm(values(model) - before) == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e3, np.inf])
def test_an_update_tells_the_norm_of_the_gradient_before_and_after_clipping(clip):
    task = TextTask("the quick brown fox " * 4, steps=5)
    tg.manual_seed(1)
    model = SequenceModel("gru", task.input_size, 8, task.output_size, dtype="float64")
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    batch = task.batch(4, (7, TRAINING, 0), "float64")
    loss = task.loss(model(tg.tensor(batch.inputs))[0], batch)
    loss.backward()
    norm = np.sqrt(sum(np.sum(parameter.grad.numpy() ** 2) for parameter in model.parameters()))
    (update,) = fit(model, task, optimizer, updates=1, batch=4, seed=7, clip=clip)
    used = np.sqrt(sum(np.sum(parameter.grad.numpy() ** 2) for parameter in model.parameters()))
    np.testing.assert_allclose(update, (loss.item(), norm, used), rtol=1e-12)
    assert (update.clipped < update.norm) == (clip < norm)


@pytest.mark.parametrize(("loss", "said"), [(np.inf, "the loss is inf at update 1"), (np.nan, "the loss is nan")])
def test_a_loss_that_is_not_finite_stops_training_before_the_weights_follow(monkeypatch, loss, said):
    task = TextTask("the quick brown fox " * 4, steps=5)
    model, optimizer = fresh(task)
    monkeypatch.setattr(task, "loss", lambda outputs, targets: (outputs * 0.0).sum() + loss)
    before = values(model)
    advice = "training diverged; take a smaller learning rate, a smaller norm to clip at, or fewer updates"
    with pytest.raises(InputError, match=f"{said}.*{advice}"):
        next(fit(model, task, optimizer, updates=3, batch=4))
    np.testing.assert_array_equal(values(model), before)


@pytest.mark.parametrize("wild", [np.inf, -np.inf, np.nan])
def test_a_loss_that_is_infinite_stops_training_as_one_that_is_no_number(wild):
    task = AddingTask(4)
    model, optimizer = fresh(task)
    task.loss = lambda outputs, targets: (outputs * 0.0).sum() + wild
    before = values(model)
    with pytest.raises(InputError, match=f"the loss is {wild} at update 1: training diverged"):
        next(fit(model, task, optimizer, updates=3, batch=4))
    np.testing.assert_array_equal(values(model), before)


def test_a_loss_that_ends_high_or_not_finite_is_said_to_have_diverged():
    assert diverged(4.6, 4.7) is None
    assert diverged(4.6, 0.0) is None
    assert diverged(1e-6, 1.6e-6) is None  # learned, before and after
    assert diverged(0.0, 1e-9) is None
    assert "the loss went from 4.6 to 2.21e+04" in diverged(4.6, 22_096)
    for after in (np.inf, np.nan):
        assert f"from 4.6 to {after}" in diverged(4.6, after)


def test_evaluating_leaves_no_trace_and_is_not_on_training_batches():
    task = TextTask("the quick brown fox " * 4, steps=5)
    model, _ = fresh(task)
    assert evaluate(model, task, 8, seed=2) == evaluate(model, task, 8, seed=2)
    assert all(parameter.grad is None for parameter in model.parameters())
    drawn = []
    task.batch = lambda size, seed, dtype: drawn.append(tuple(seed)) or TextTask.batch(task, size, seed, dtype)
    evaluate(model, task, 4)
    list(fit(model, task, optim.SGD(model.parameters(), lr=0.1), updates=2, batch=4))
    assert len(set(drawn)) == 3


def test_a_loss_may_end_half_as_high_again_as_it_began_and_no_higher():
    assert diverged(2.0, 3.0) is None
    assert diverged(2.0, 3.01) is not None


@pytest.mark.parametrize("training", [False, True])
def test_evaluating_leaves_a_model_in_the_mode_it_was_in(training):
    model = SequenceModel("rnn", 2, 3, 1, dropout=0.5, num_layers=2).train(training)
    evaluate(model, AddingTask(4), batch=2)
    assert [module.training for module in model.modules()] == [training] * len(list(model.modules()))
