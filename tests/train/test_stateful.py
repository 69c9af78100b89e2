"""Training on a stream: the state goes from batch to batch, and through a checkpoint."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, TextTask, parse_task
from tinygrad_rnn.train import Cures, SequenceModel, Trainer, fit, load_checkpoint, save_checkpoint

TEXT = "to be or not to be, that is the question: whether tis nobler in the mind to suffer"


def made(cell="lstm", layers=2, steps=5, batch=3):
    tg.manual_seed(1)
    task = TextTask(TEXT, steps, stateful=True)
    return task, SequenceModel.for_task(task, cell, 4, layers, dtype="float64")


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "lstm97"])
def test_the_outputs_of_pieces_are_those_of_the_whole(cell):
    task, model = made(cell)
    pieces = [task.continued(3, update, "float64") for update in range(5)]
    written = np.concatenate([model.outputs(piece.to("cpu")).numpy() for piece in pieces])
    whole, state = model(tg.tensor(np.concatenate([piece.inputs for piece in pieces])))
    np.testing.assert_allclose(written, whole.numpy(), rtol=1e-12)
    parts = state if isinstance(state, tuple) else (state,)
    for found, wanted in zip(model.carried().values(), parts, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-12)
        assert not found.requires_grad
    again = model.outputs(task.continued(3, 5, "float64").to("cpu")).numpy()  # all parts from their beginning
    np.testing.assert_allclose(again, written[:5], rtol=1e-12)


def test_examples_that_begin_do_so_with_zeros_beside_others_that_go_on():
    task, model = made()
    first, second = (task.continued(3, update, "float64") for update in (0, 1))
    model.outputs(first.to("cpu"))
    mixed = Batch(second.inputs, second.targets, continues=np.array([1.0, 0.0, 1.0])).to("cpu")
    written = model.outputs(mixed).numpy()
    fresh = model(tg.tensor(second.inputs))[0].numpy()
    whole = model(tg.tensor(np.concatenate([first.inputs, second.inputs])))[0].numpy()[5:]
    np.testing.assert_allclose(written[:, 1], fresh[:, 1], rtol=1e-12)
    np.testing.assert_allclose(written[:, [0, 2]], whole[:, [0, 2]], rtol=1e-12)


def test_the_streams_cover_the_text_in_its_order():
    task, _ = made()
    read = ["", "", ""]
    for update in range(5):
        batch = task.continued(3, update)
        for row in range(3):
            read[row] += "".join(task.input_labels(batch.inputs[:, row]))
            ahead = task.vocabulary.decode(batch.targets[:, row])
            assert ahead[:-1] == read[row][-4:]
    length = (len(TEXT) - 1) // 3
    assert read == [TEXT[row * length : row * length + 25] for row in range(3)]


def test_no_gradient_goes_back_into_the_batch_before():
    task, model = made("rnn", 1)
    first, second = (task.continued(3, update, "float64") for update in (0, 1))
    model.outputs(first.to("cpu"))
    state = model.carried()["h"].numpy().copy()
    task.loss(model.outputs(second.to("cpu")), second).backward()
    found = model.rnn.weight_hh_l0.grad.numpy()
    model.zero_grad()
    task.loss(model(tg.tensor(second.inputs), tg.tensor(state))[0], second).backward()
    np.testing.assert_allclose(found, model.rnn.weight_hh_l0.grad.numpy(), rtol=1e-12)


def test_a_training_that_stops_in_between_ends_with_the_same_numbers_to_the_bit(tmp_path):
    def trained(model, adam, first, updates):
        return [update.loss for update in fit(model, task, adam, updates, batch=3, first=first)]

    task, model = made()
    whole = trained(model, optim.Adam(model.parameters(), lr=0.05), 0, 8)
    task, part = made()
    adam = optim.Adam(part.parameters(), lr=0.05)
    losses = trained(part, adam, 0, 3)
    save_checkpoint(tmp_path / "m", part, adam, {})
    found = load_checkpoint(tmp_path / "m")
    assert losses + trained(found.model, found.resume(), 3, 8) == whole
    for a, b in zip(model.parameters(), found.model.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    task, other = made()  # without its state it would not: the test can fail
    adam = optim.Adam(other.parameters(), lr=0.05)
    trained(other, adam, 0, 3)
    other.carry({})
    assert losses + trained(other, adam, 3, 8) != whole


def test_it_is_an_option_of_the_task_and_validates_as_without():
    spec = parse_task("text:stateful=true")
    assert spec.text == "text:stateful=true"
    learned, held_out = spec.make(5, TEXT * 3).held_out()
    assert (learned.stateful, learned.specification) == (True, "text:stateful=true")
    np.testing.assert_array_equal(
        held_out.batch(4, 1).inputs, parse_task("text").make(5, TEXT * 3).held_out()[1].batch(4, 1).inputs
    )
    assert held_out.batch(4, 1).continues is None
    assert parse_task("code:stateful=false").make(5, TEXT).stateful is False
    with pytest.raises(InputError, match="'yes' is neither true nor false"):
        parse_task("text:stateful=yes")


@pytest.mark.parametrize(
    "remedies",
    [{"truncate": (2, 3)}, {"recompute": True}, {"omega": 1.0}, {"teacher": "linear"}],
)
def test_what_begins_every_batch_anew_is_refused(remedies):
    task, model = made("rnn", 1)
    with pytest.raises(InputError, match=f"{next(iter(remedies))} begins every batch with a state of zeros"):
        Trainer(model, task, optim.Adam(model.parameters()), 3, batch=3, cures=Cures(**remedies))
    with pytest.raises(InputError, match="out, or the option stateful"):
        next(fit(model, task, optim.Adam(model.parameters()), 3, 3, cures=Cures(**remedies)))


def test_what_cannot_go_on_is_refused():
    task, model = made()
    with pytest.raises(InputError, match="too few for 20 streams of 6"):
        Trainer(model, task, optim.Adam(model.parameters()), 3, batch=20)
    model.outputs(task.continued(3, 0, "float64").to("cpu"))
    with pytest.raises(InputError, match="the state of lstm has the parts h, c, not h"):
        model.carry({"h": tg.zeros(2, 3, 4)})
    with pytest.raises(InputError, match="carried is of 3 examples, the batch has 2"):
        model.outputs(task.continued(2, 1, "float64").to("cpu"))
