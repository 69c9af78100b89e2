"""Cures of a whole training: they do what they say, are remembered, and refuse what they are not for."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.engine.creation import default_generator
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask, TextTask
from tinygrad_rnn.tasks.dates import DatesTask
from tinygrad_rnn.train import (
    MODELS,
    Cures,
    EncoderDecoder,
    SequenceModel,
    Trainer,
    fit,
    load_checkpoint,
    parse_teacher,
    pretrain,
    save_checkpoint,
    taught,
)

TEXT, ADDING = TextTask("the quick brown fox " * 4, steps=5), AddingTask(5)


def model_of(task, cell="rnn", **options):
    tg.manual_seed(1)
    return SequenceModel(cell, task.input_size, 6, task.output_size, **{"dtype": "float64", **options})


def values(model):
    return np.concatenate([value.numpy().ravel() for value in model.state_dict().values()])


# ---- scheduled sampling --------------------------------------------------------------------------------------------


def test_teachers_tell_the_shares_of_the_paper():
    assert [parse_teacher("linear:over=10:least=0.3").share(i) for i in (0, 5, 9)] == pytest.approx([1.0, 0.5, 0.3])
    assert parse_teacher("exponential:k=0.9").share(3) == pytest.approx(0.9**3)
    assert parse_teacher("sigmoid:k=5").share(10) == pytest.approx(5 / (5 + np.exp(2)))
    with pytest.raises(InputError, match="'2' is not from 0 to 1"):
        parse_teacher("exponential:k=2")


def test_a_model_of_text_reads_its_own_likeliest_characters_where_it_is_not_told():
    model, batch = model_of(TEXT), TEXT.batch(7, seed=0, dtype="float64").to("cpu")
    np.testing.assert_allclose(taught(model, TEXT, batch, 1.0).numpy(), model.outputs(batch).numpy(), rtol=1e-13)
    found = taught(model, TEXT, batch, 0.0).numpy()
    read = batch.inputs.numpy().copy()
    read[1:] = np.eye(TEXT.input_size)[found[:-1].argmax(axis=-1)]
    np.testing.assert_allclose(found, model(tg.tensor(read))[0].numpy(), rtol=1e-13)
    assert np.abs(read - batch.inputs.numpy()).max() == 1


@pytest.mark.parametrize("attention", ["none", "dot", "additive"])
def test_a_decoder_reads_its_own_replies_where_it_is_not_told(attention):
    tg.manual_seed(0)
    task = DatesTask(attention)
    model, batch = EncoderDecoder.for_task(task, "gru", 6, dtype="float64"), task.batch(3, 0, "float64").to("cpu")
    np.testing.assert_allclose(taught(model, task, batch, 1.0).numpy(), model.outputs(batch).numpy(), rtol=1e-13)
    np.testing.assert_array_equal(taught(model, task, batch, 0.0).numpy(), model.answers(batch).numpy())


def test_about_the_share_that_is_said_is_told():
    model, batch = model_of(TEXT), TEXT.batch(200, seed=0, dtype="float64").to("cpu")
    model.output.bias.assign_(np.eye(TEXT.output_size)[0] * 1e6)  # it always writes the first character
    whole, none = model.outputs(batch).numpy()[1], taught(model, TEXT, batch, 0.0).numpy()[1]
    differ = np.abs(whole - none).max(axis=-1) > 0
    mixed = taught(model, TEXT, batch, 0.3).numpy()[1]
    share = (np.abs(mixed - none).max(axis=-1) > 0)[differ].mean()
    assert 0.2 < share < 0.4


def test_a_task_whose_inputs_a_model_cannot_write_has_no_teacher():
    with pytest.raises(InputError, match="the task adding is none for them"):
        Cures(teacher="linear").check(model_of(ADDING), ADDING)
    with pytest.raises(InputError, match="one draw for all steps"):
        Cures(teacher="linear").check(model_of(TEXT, variational=0.5), TEXT)


# ---- pre-training --------------------------------------------------------------------------------------------------


def test_pre_training_lowers_the_error_of_every_layer_and_leaves_the_output_layer():
    task = TextTask("abcd" * 20, steps=6)
    model = model_of(task, "gru", num_layers=2)
    before = model.output.weight.numpy().copy(), model.rnn.weight_hh_l1.numpy().copy()
    errors = pretrain(model, task, updates=60, batch=8, lr=0.02)
    assert [last < 0.5 * first for first, last in errors] == [True, True]
    np.testing.assert_array_equal(model.output.weight.numpy(), before[0])
    assert np.abs(model.rnn.weight_hh_l1.numpy() - before[1]).max() > 0.01
    assert all(p.grad is None for p in model.parameters())


def test_pre_training_learns_from_batches_of_its_own(monkeypatch):
    def drawn(train):
        seeds = []
        real = AddingTask.batch
        with monkeypatch.context() as patch:
            patch.setattr(
                AddingTask, "batch", lambda task, size, seed, *rest: seeds.append(seed) or real(task, size, seed)
            )
            train(model_of(ADDING, num_layers=2, dtype="float32"))
        return seeds

    own = drawn(lambda model: pretrain(model, ADDING, updates=3, batch=2, seed=5))
    fitted = drawn(lambda model: list(fit(model, ADDING, optim.Adam(model.parameters()), 3, batch=2, seed=5)))
    assert len({*own, *fitted}) == 6 + 3
    assert {seed[:2] for seed in own}.isdisjoint({seed[:2] for seed in fitted})


# ---- in a training -------------------------------------------------------------------------------------------------

CHOICES = [
    {"truncate": (2, 3)}, {"recompute": True}, {"omega": 2.0}, {"teacher": "linear:over=4"}, {"clip_value": 0.01},
]  # fmt: skip


@pytest.mark.parametrize("chosen", CHOICES)
def test_a_remedy_changes_the_training_and_is_remembered_with_the_schedule(tmp_path, chosen):
    def trainer(updates, **options):
        model = model_of(TEXT)
        adam = optim.Adam(model.parameters(), lr=0.05)
        return Trainer(model, TEXT, adam, updates, batch=4, schedule="warmup:updates=6", **options)

    class Keeper:
        def record(self, line):
            pass

        def save(self, given):
            save_checkpoint(tmp_path / "m", given.model, given.optimizer, given.settings())

    plain = trainer(5)
    plain.train()
    whole = trainer(5, cures=Cures(**chosen))
    whole.train()
    part = trainer(2, cures=Cures(**chosen))
    part.train(Keeper())
    tg.manual_seed(99)
    again = Trainer.resumed(load_checkpoint(tmp_path / "m"), TEXT)
    assert again.cures == Cures(**chosen)
    again.updates = 5
    again.train()
    np.testing.assert_array_equal(values(again.model), values(whole.model))
    assert again.optimizer.lr.item() == whole.optimizer.lr.item() == pytest.approx(0.05 * (1 / 3 + 2 / 3 * 5 / 6))
    if "recompute" in chosen:
        np.testing.assert_allclose(values(whole.model), values(plain.model), rtol=1e-8)
    else:
        assert np.abs(values(whole.model) - values(plain.model)).max() > 1e-4


def test_files_that_call_cures_remedies_are_read():
    assert Cures.said_by({"remedies": {"truncate": [1, 2]}}) == Cures.said_by({"cures": {"truncate": [1, 2]}})
    assert Cures.said_by({}) == Cures()


def test_checking_the_cures_leaves_no_gradient_and_costs_no_random_numbers():
    model = model_of(TEXT, "gru", num_layers=2, dropout=0.5)
    before = default_generator.counter.item()
    Cures(recompute=True).check(model, TEXT)
    assert default_generator.counter.item() == before
    assert all(p.grad is None for p in model.parameters())


def test_a_plateau_goes_by_the_validations():
    model = model_of(ADDING)
    adam = optim.Adam(model.parameters(), lr=0.4)
    trainer = Trainer(model, ADDING, adam, 6, batch=4, validate_every=2, schedule="plateau:patience=1:by=0.5")
    trainer.scores = lambda: {"loss": 1.0, "wrong": 1.0}
    trainer.train()
    assert adam.lr.item() == 0.2  # of three validations the first is the best


def test_what_does_not_go_together_is_refused():
    with pytest.raises(InputError, match="choose one of truncate and omega"):
        Cures(truncate=(1, 2), omega=1.0)
    for wrong in (
        lambda: Cures(recompute="no"), lambda: pretrain(model_of(ADDING), ADDING, -1, 2),
        lambda: taught(model_of(TEXT), TEXT, None, 2.0),
    ):  # fmt: skip
        with pytest.raises(InputError, match="must be"):
            wrong()
    with pytest.raises(InputError, match="no cures"):
        Cures.of({"truncate": 3})
    model = model_of(ADDING, "gru")
    with pytest.raises(InputError, match="not for gru"):
        Trainer(model, ADDING, optim.Adam(model.parameters()), 3, cures=Cures(omega=1.0))
    assert Cures.of(json.loads(json.dumps(Cures(truncate=(1, 2)).config()))) == Cures(truncate=(1, 2))


@pytest.mark.parametrize("cell", ["grid", "lstm"])
def test_the_states_of_every_cell_are_recomputed(cell):
    found = []
    for chosen in (Cures(), Cures(recompute=True)):
        model = model_of(ADDING, cell)
        chosen.backward(model, ADDING, ADDING.batch(3, 0, "float64").to("cpu"), 0)
        found.append([p.grad.numpy() for p in model.parameters() if p.grad is not None])
    for recomputed, plain in zip(*found, strict=True):
        np.testing.assert_allclose(recomputed, plain, rtol=1e-9, atol=1e-14)


# ---- zoneout and variational dropout of a model --------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"zoneout": 0.5}, {"variational": 0.5}])
def test_zoneout_and_variational_dropout_are_of_the_training_alone_and_are_kept(tmp_path, options):
    model, plain = model_of(TEXT, "gru", **options), model_of(TEXT, "gru")
    batch = TEXT.batch(4, seed=0, dtype="float64").to("cpu")
    first, second = model.outputs(batch).numpy(), model.outputs(batch).numpy()
    assert np.abs(first - second).max() > 1e-3
    adam = optim.Adam(model.parameters())
    list(fit(model, TEXT, adam, 1, batch=4))
    save_checkpoint(tmp_path / "m", model, adam, {})
    found = load_checkpoint(tmp_path / "m").model
    assert found.config() == model.config() != plain.config()
    np.testing.assert_array_equal(found.eval().outputs(batch).numpy(), model.eval().outputs(batch).numpy())


@pytest.mark.parametrize("task", [TEXT, DatesTask("dot")])
def test_states_may_have_a_zoneout_each_which_a_file_keeps(tmp_path, task):
    kind = MODELS[task.model]
    model = kind.for_task(task, "lstm", 4, zoneout={"c": 0.5, "h": 0.05})
    assert model.config()["zoneout"] == {"h": 0.05, "c": 0.5}
    assert kind.for_task(task, "lstm", 4, zoneout={"c": 0.5, "h": 0.5}).config()["zoneout"] == 0.5
    save_checkpoint(tmp_path / "m", model, optim.Adam(model.parameters()), {})
    again = load_checkpoint(tmp_path / "m").model
    assert again.config() == model.config()
    assert {tuple(part.zoneout.items()) for part in again.recurrent.values()} == {(("h", 0.05), ("c", 0.5))}
    with pytest.raises(InputError, match="has no state 'z'"):
        kind.for_task(task, "lstm", 4, zoneout={"z": 0.5})


def test_with_zoneout_the_expectation_is_measured():
    model = model_of(TEXT, "lstm", zoneout=0.25, num_layers=2)
    batch = TEXT.batch(4, seed=0, dtype="float64").to("cpu")
    found = model.measured(batch, model.initial_state(4))
    np.testing.assert_allclose(found[-1].numpy(), model.eval().outputs(batch).numpy()[-1], rtol=1e-12)
    plain = model_of(TEXT, "lstm", num_layers=2).outputs(batch).numpy()[-1]
    assert np.abs(found[-1].numpy() - plain).max() > 1e-4
