"""Encoders and decoders: the same numbers by every way, what attention looks at, and what gets measured."""

from dataclasses import replace

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.engine.check import gradcheck
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, parse_task
from tinygrad_rnn.train import MODELS, EncoderDecoder, assess, fit, load_checkpoint, measure, save_checkpoint

KINDS = ("none", "dot", "general", "additive")


def example(attention, cell="gru", layers=1, lengths=None, dtype="float64", **options):
    tg.manual_seed(0)
    model = EncoderDecoder(cell, 3, 4, 5, replies=6, num_layers=layers, attention=attention, dtype=dtype, **options)
    random = np.random.default_rng(0)
    inputs = random.normal(size=(7, 2, 3))
    replies = np.eye(5)[random.integers(0, 5, (6, 2))]
    return model, Batch(inputs, random.integers(0, 5, (6, 2)), lengths, replies=replies)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("attention", KINDS)
def test_outputs_measured_and_stepwise_are_the_same_numbers(attention, cell, layers):
    model, batch = example(attention, cell, layers)
    moved = batch.to("cpu")
    outputs = model.outputs(moved)
    step_by_step = model.measured(moved, model.initial_state(2))
    np.testing.assert_allclose(np.stack([each.numpy() for each in step_by_step]), outputs.numpy(), rtol=1e-12)


@pytest.mark.parametrize("attention", KINDS)
def test_a_shorter_example_is_read_as_if_it_were_alone(attention):
    model, batch = example(attention, lengths=np.array([7, 4]))
    outputs = model.outputs(batch.to("cpu")).numpy()
    alone = Batch(batch.inputs[:4, 1:], batch.targets[:, 1:], replies=batch.replies[:, 1:])
    np.testing.assert_allclose(outputs[:, 1:], model.outputs(alone.to("cpu")).numpy(), rtol=1e-12)


@pytest.mark.parametrize("attention", KINDS)
def test_on_its_own_the_decoder_reads_what_it_wrote(attention):
    model, batch = example(attention)
    answers = model.answers(batch.to("cpu"))
    fed = np.zeros((6, 2, 5))
    fed[1:] = np.eye(5)[answers.numpy()[:-1].argmax(axis=-1)]
    taught = model.outputs(replace(batch, replies=fed).to("cpu"))
    np.testing.assert_allclose(answers.numpy(), taught.numpy(), rtol=1e-12)


@pytest.mark.parametrize("attention", KINDS[1:])
def test_attention_looks_at_what_is_there(attention):
    model, batch = example(attention, lengths=np.array([7, 4]))
    weights = model.looked_at(batch.to("cpu")).numpy()
    assert weights.shape == (6, 2, 7)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)
    assert (weights[:, 1, 4:] == 0).all()
    with pytest.raises(InputError, match="no attention"):
        example("none")[0].looked_at(batch.to("cpu"))


@pytest.mark.parametrize("attention", KINDS)
def test_gradients_are_those_of_central_differences(attention):
    tg.manual_seed(0)
    model = EncoderDecoder("rnn", 2, 2, 3, replies=3, attention=attention, dtype="float64")
    random = np.random.default_rng(0)
    moved = Batch(random.normal(size=(4, 2, 2)), None, replies=random.normal(size=(3, 2, 3))).to("cpu")
    assert gradcheck(lambda *given: model.outputs(moved).tanh().sum(), list(model.parameters()))


@pytest.mark.parametrize("attention", KINDS)
def test_a_model_comes_back_from_its_file_and_says_its_shapes(attention, tmp_path):
    model, batch = example(attention, "lstm:forget_bias=1", layers=2, zoneout=0.25)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    assert EncoderDecoder.shapes(model.config()) == shapes
    save_checkpoint(tmp_path / "m", model, optim.Adam(model.parameters()), {})
    again = load_checkpoint(tmp_path / "m").model
    assert type(again) is EncoderDecoder
    assert again.config() == model.config()
    outputs = [each.eval().outputs(batch.to("cpu")).numpy() for each in (again, model)]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("attention", KINDS)
def test_with_zoneout_states_stay_in_training_and_in_use_they_are_the_expectation(attention):
    model, batch = example(attention, "lstm", layers=2, zoneout=0.4)
    moved = batch.to("cpu")
    first, second = (model.outputs(moved).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    measured = np.stack([each.numpy() for each in model.measured(moved, model.initial_state(2))])
    assert model.training
    np.testing.assert_allclose(measured, model.eval().outputs(moved).numpy(), rtol=1e-12)
    plain = example(attention, "lstm", layers=2)[0].outputs(moved).numpy()
    assert np.abs(measured - plain).max() > 1e-4


@pytest.mark.parametrize("attention", KINDS)
def test_variational_dropout_drops_the_same_at_every_step_whichever_way_the_decoder_goes(attention):
    model, batch = example(attention, "lstm", layers=2, variational=0.4)
    moved = batch.to("cpu")
    tg.manual_seed(3)
    outputs = model.outputs(moved).numpy()
    assert np.abs(outputs - model.outputs(moved).numpy()).max() > 1e-3
    tg.manual_seed(3)  # step by step, and told every reply
    np.testing.assert_allclose(model.taught(moved, 1 - 1e-12).numpy(), outputs, rtol=1e-12)
    memory, states = model.begin(moved)
    with pytest.raises(InputError, match="same at every step"):
        model.write(moved.replies[0], memory, states, 0)
    plain = example(attention, "lstm", layers=2)[0].outputs(moved).numpy()
    np.testing.assert_array_equal(model.eval().outputs(moved).numpy(), plain)


def test_in_variational_dropout_an_element_of_a_reply_is_dropped_for_good():
    model, batch = example("additive", variational=0.5)
    told = replace(batch, replies=np.ones((6, 2, 5)))
    dropped = []
    for _ in range(4):  # what is dropped at every step gets no gradient at any
        moved = told.to("cpu")
        moved = replace(moved, replies=tg.tensor(told.replies, requires_grad=True))
        model.outputs(moved).square().sum().backward()
        there = (moved.replies.grad.numpy() != 0)[:-1]
        assert (there == there[0]).all()
        dropped.append(~there[0])
    assert 0 < np.mean(dropped) < 1


def test_nothing_is_dropped_while_a_model_is_measured():
    model, batch = example("dot", layers=2, dropout=0.5)
    moved, plain = batch.to("cpu"), example("dot", layers=2)[0]
    found, expected = (each.measured(moved, each.initial_state(2))[-1].numpy() for each in (model, plain))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("attention", KINDS)
def test_the_flow_reaches_from_the_last_reply_to_the_first_character_read(attention):
    task = parse_task(f"dates:attention={attention}").make()
    tg.manual_seed(1)
    model = MODELS[task.model].for_task(task, "lstm", 8, dtype="float64")
    measured = measure(model, task, 3, seed=2)
    drawn = task.measured(3, (2, 1), "float64")
    for state in measured.report.states:
        assert len(state.norms) == task.steps + task.replies
    eps = 1e-6
    h0, c0 = (np.zeros((1, 3, 8)) for _ in range(2))

    def loss(h):
        with tg.no_grad():
            start = {"h": tg.tensor(h), "c": tg.tensor(c0)}
            return task.last_losses(model.measured(drawn.to("cpu"), start)[-1], drawn).numpy()

    slopes = np.zeros((3, 8))
    for unit in range(8):
        step = np.zeros((1, 3, 8))
        step[0, :, unit] = eps
        slopes[:, unit] = (loss(h0 + step) - loss(h0 - step)) / (2 * eps)
    assert np.isfinite(slopes).all()
    assert np.abs(slopes).max() > 0  # what is read first reaches the loss of the last reply


def test_an_unknown_attention_is_refused():
    with pytest.raises(InputError, match="none, dot, general, additive"):
        EncoderDecoder("gru", 3, 4, 5, replies=6, attention="soft")


@pytest.mark.slow
@pytest.mark.parametrize(("attention", "updates"), [("dot", 600), ("additive", 600)])
def test_dates_are_normalised_with_attention_and_hardly_without(attention, updates):
    found = {}
    for kind in (attention, "none"):
        task = parse_task(f"dates:attention={kind}").make()
        tg.manual_seed(0)
        model = MODELS[task.model].for_task(task, "gru", 64)
        for _ in fit(model, task, optim.Adam(model.parameters(), lr=0.004), updates, 64):
            pass
        found[kind] = assess(model, task, 500)["wrong"]
    assert found[attention] <= 0.02, found
    assert found["none"] > 0.3, found
