"""A training from its first update to its last."""

import json
import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import DivergenceError, InputError
from tinygrad_rnn.tasks import AddingTask, Criterion, TextTask
from tinygrad_rnn.tasks.code import TokensTask
from tinygrad_rnn.tasks.series import SeriesTask
from tinygrad_rnn.train import SequenceModel, Trainer, assess, fit, load_checkpoint, save_checkpoint, updates_per_epoch
from tinygrad_rnn.train import trainer as trainer_module
from tinygrad_rnn.train.trainer import VALIDATED


class Remembering:
    """A keeper that keeps what it is told, and the checkpoints as files."""

    def __init__(self, folder=None):
        self.lines, self.saved, self.folder = [], [], folder

    def record(self, line):
        self.lines.append(json.loads(json.dumps(line)))

    def save(self, trainer):
        self.saved.append(trainer.made)
        if self.folder is not None:
            place = self.folder / str(trainer.made)
            save_checkpoint(place, trainer.model, trainer.optimizer, trainer.settings())


def fresh(task, updates, lr=0.02, dropout=0.0, **options):
    tg.manual_seed(1)
    sizes = task.input_size, 6, task.output_size
    model = SequenceModel("gru", *sizes, num_layers=2, dropout=dropout, dtype="float64")
    return Trainer(model, task, optim.Adam(model.parameters(), lr=lr), updates, **{"batch": 4, **options})


def values(trainer):
    return np.concatenate([value.numpy().ravel() for value in trainer.model.state_dict().values()])


def test_it_records_every_update_and_validates_at_the_beginning_now_and_then_and_at_the_end():
    trainer, keeper = fresh(AddingTask(5), 7, validate_every=3), Remembering()
    assert trainer.train(keeper, every=4) == "done"
    assert keeper.saved == [4, 7]
    made = [line["update"] for line in keeper.lines if "loss" in line]
    validated = [line["update"] for line in keeper.lines if "validation" in line]
    assert (made, validated) == ([1, 2, 3, 4, 5, 6, 7], [0, 3, 6, 7])
    assert keeper.lines[-1]["validation"] == assess(trainer.model, trainer.held_out, VALIDATED)
    assert keeper.lines[-1]["solved"] is False


def test_it_validates_on_what_is_held_out():
    task, held_out = TextTask("the quick brown fox " * 30, steps=5).held_out()
    trainer = fresh(task, 1, held_out=held_out)
    trainer.train()
    assert trainer.scores() == assess(trainer.model, held_out, VALIDATED)
    assert trainer.scores() != assess(trainer.model, task, VALIDATED)


@pytest.mark.parametrize(("examples", "judged"), [(3, VALIDATED), (VALIDATED + 44, VALIDATED + 44)])
def test_it_validates_on_as_many_examples_as_the_criterion_speaks_of(examples, judged):
    task = AddingTask(5)
    task.criterion = Criterion("wrong", at_most=0.0, examples=examples)
    trainer = fresh(task, 1)
    assert trainer.scores() == assess(trainer.model, task, judged)


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path, stop):
    whole, told = fresh(AddingTask(5), 7, dropout=0.5, validate_every=3), Remembering()
    whole.train(told, every=100)
    first, keeper = fresh(AddingTask(5), 7, dropout=0.5, validate_every=3, about={"note": "é"}), Remembering(tmp_path)
    pressed = iter([False] * (stop - 1) + [True])
    assert first.train(keeper, every=100, interrupted=lambda: next(pressed)) == "interrupted"
    assert keeper.saved == [stop]
    tg.manual_seed(99)  # as in another process

    again = Trainer.resumed(load_checkpoint(tmp_path / str(stop)), AddingTask(5))
    assert (again.made, again.updates, again.about) == (stop, 7, {"note": "é"})
    assert again.train(keeper, every=100) == "done"
    assert keeper.lines == told.lines
    np.testing.assert_array_equal(values(again), values(whole))


def test_it_ends_when_the_task_is_solved_and_not_before(monkeypatch):
    losses = iter([0.9, 0.5, 0.01, 0.009])
    monkeypatch.setattr(trainer_module, "assess", lambda *_: {"loss": 1.0, "wrong": next(losses)})
    trainer, keeper = fresh(AddingTask(5), 100, validate_every=2, until_solved=True), Remembering()
    assert trainer.train(keeper) == "solved"
    assert (trainer.made, keeper.saved) == (4, [4])
    assert [line["solved"] for line in keeper.lines if "solved" in line] == [False, False, True]


def test_a_training_that_was_solved_and_is_resumed_makes_no_further_update(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, "assess", lambda *_: {"loss": 1.0, "wrong": 0.0})
    keeper = Remembering(tmp_path)
    trainer = fresh(AddingTask(5), 9, validate_every=2, until_solved=True)
    assert (trainer.train(keeper), trainer.made, keeper.saved) == ("solved", 0, [0])
    trainer = fresh(AddingTask(5), 9, validate_every=2, until_solved=True, made=4)
    assert (trainer.train(keeper), trainer.made) == ("solved", 4)


def test_what_nobody_can_say_is_refused():
    with pytest.raises(InputError, match="nobody can say when the task text is solved"):
        fresh(TextTask("abcabc", steps=2), 3, until_solved=True)
    for wrong in ({"validate_every": 0}, {"batch": 2.5}, {"seed": -1}, {"clip": 0}, {"made": -1}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be"):
            fresh(AddingTask(4), 3, **wrong)
    with pytest.raises(InputError, match="every must be"):
        fresh(AddingTask(4), 3).train(every=0)
    with pytest.raises(InputError, match="3 updates have been made already"):
        fresh(AddingTask(4), 3, made=3).train()


def test_an_optimizer_of_another_model_is_refused_where_nothing_would_be_learned():
    trainer, other = fresh(AddingTask(4), 3), fresh(AddingTask(4), 3)
    with pytest.raises(InputError, match="none of the model's"):
        Trainer(trainer.model, trainer.task, other.optimizer, 3)
    with pytest.raises(InputError, match="none of the model's"):
        next(fit(trainer.model, trainer.task, other.optimizer, 3, batch=2))


def test_the_validation_at_an_end_that_is_none_later_says_nothing_to_a_schedule():
    def rate(*ends):
        trainer = fresh(AddingTask(5), ends[0], validate_every=4, schedule="plateau:patience=1:by=0.5")
        trainer.scores = lambda: {"loss": 1.0, "wrong": 1.0}
        for trainer.updates in ends:
            trainer.train()
        return trainer.optimizer.lr.item()

    assert rate(3, 5, 9) == rate(9) == 2 * rate(12)


def test_divergence_is_told_with_the_update_the_last_norms_and_advice():
    trainer, keeper = fresh(AddingTask(5), 9), Remembering()
    real, calls = trainer.task.loss, []

    def loss(outputs, batch):
        calls.append(1)
        return real(outputs, batch) * (float("nan") if len(calls) == 7 else 1.0)

    trainer.task.loss = loss
    trainer.scores = lambda: {"loss": 1.0, "wrong": 1.0}
    with pytest.raises(DivergenceError) as raised:
        trainer.train(keeper, every=2)
    norms = ", ".join(f"{line['norm']:.3g}" for line in keeper.lines if line["update"] in (4, 5, 6))
    said = f"the loss is nan at update 7 after norms of the gradient of {norms}: training diverged; take a smaller"
    assert str(raised.value).startswith(said)
    assert keeper.lines[-1] == {"update": 7, "diverged": str(raised.value)}
    assert keeper.saved == [2, 4, 6]
    assert np.isfinite(values(trainer)).all()


def test_a_gradient_that_is_not_finite_is_divergence_before_the_weights_follow():
    trainer = fresh(AddingTask(5), 9)
    real = trainer.task.loss
    trainer.task.loss = lambda outputs, batch: real(outputs, batch) + (outputs * 0.0).sum().sqrt()
    before = values(trainer)
    with pytest.raises(DivergenceError, match=r"the norm of the gradient is (nan|inf) at update 1: training diverged"):
        trainer.train()
    np.testing.assert_array_equal(values(trainer), before)


def test_an_epoch_sees_as_many_characters_as_the_text_has():
    task = TextTask("x" * 101, steps=10)
    assert [updates_per_epoch(task, batch) for batch in (1, 3, 10, 99)] == [10, 4, 1, 1]
    tokens = TokensTask("x = 1  # one\n" * 20, steps=30)
    assert updates_per_epoch(tokens, 1) == math.ceil(len(tokens.text) / 30)
    series = SeriesTask(steps=60)
    assert updates_per_epoch(series, 2) == math.ceil(math.ceil((len(series._fed) - 1) / 60) / 2)
    with pytest.raises(InputError, match="adding makes new examples for every update, so it has no epochs"):
        updates_per_epoch(AddingTask(4), 2)
