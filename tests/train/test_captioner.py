"""The model that describes images: its parameters, its penalty, what it looks at, and its steps on their own."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.train import Captioner, input_flow, load_checkpoint, measure, save_checkpoint


def made(attention="soft", cell="lstm", layers=1, **rest):
    tg.manual_seed(2)
    task = parse_task(f"strips:attention={attention}:digits=2").make()
    return task, Captioner.for_task(task, cell, 6, layers, dtype="float64", **rest)


@pytest.mark.parametrize(("attention", "cell", "layers"), [("soft", "lstm", 1), ("none", "gru", 2), ("soft", "rnn", 2)])
def test_shapes_tell_of_the_parameters_without_making_them_and_a_file_has_them(attention, cell, layers, tmp_path):
    task, model = made(attention, cell, layers)
    assert Captioner.shapes(model.config()) == {name: value.shape for name, value in model.state_dict().items()}
    save_checkpoint(tmp_path / "model", model, optim.Adam(model.parameters()), {})
    again = load_checkpoint(tmp_path / "model").model
    batch = task.batch(3, 0, "float64").to("cpu")
    np.testing.assert_array_equal(again.answers(batch).numpy(), model.answers(batch).numpy())


def test_the_penalty_counts_how_often_each_place_was_looked_at_until_the_end():
    task, model = made(penalty=0.3)
    batch = task.batch(5, 0, "float64").to("cpu")
    memory, states = model.begin(batch)
    looked = np.zeros((5, memory.values.shape[1]))
    for step in range(task.replies):
        _, weights, states = model.write(batch.replies[step], memory, states, step)
        np.testing.assert_allclose(weights.numpy().sum(axis=1), 1, rtol=1e-12)
        looked += batch.mask[step][:, None] * weights.numpy()
    wanted = task.loss(model.outputs(batch), batch).item() + 0.3 * ((1 - looked) ** 2).sum(axis=1).mean()
    assert model.loss(task, batch).item() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("attention", ["soft", "none"])
def test_the_derivatives_of_the_training_loss_agree_with_finite_differences(attention):
    task, model = made(attention, "gru", penalty=0.1)
    batch = task.batch(2, 0, "float64").to("cpu")
    chosen = [value for name, value in model.named_parameters() if "bias" in name or name.startswith("output")]
    assert tg.gradcheck(lambda *_: model.loss(task, batch), chosen)


@pytest.mark.parametrize("attention", ["soft", "none"])
def test_the_flow_goes_through_the_steps_of_the_decoder(attention):
    task, model = made(attention)
    report = measure(model, task, 3).report
    assert {state.kind for state in report.cell} == {"h", "c"}
    assert all(len(state.norms) == task.replies for state in report.cell)
    assert report.verdict in ("vanishes", "survives", "explodes"), report.verdict_reason
    read = input_flow(model, task, 3)
    written = task.said(task.measured(3, (0, 1)).targets[:, 0])
    assert read.labels == ("", *written)
    assert read.products.shape == read.norms.shape == (task.replies,)


def test_where_there_is_no_attention_nothing_is_looked_at():
    task, model = made("none")
    with pytest.raises(InputError, match="looks at no place; take strips:attention=soft"):
        model.looked_at(task.batch(1, 0, "float64").to("cpu"))
    with pytest.raises(InputError, match="multiple of 4"):
        Captioner("lstm", 10, 4, 11, 3)
