"""A trial ends at the first look that meets the criterion; the table of experiments is whole."""

import dataclasses

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import ContinualReberTask, Criterion, parse_task
from tinygrad_rnn.train import SequenceModel, assess, fit
from tinygrad_rnn.train.cures import omega
from tinygrad_rnn.train.loop import TRAINING
from tinygrad_rnn.train.reproduce import EXPERIMENTS, Learner, Plan, Row, Trial, trial

RNN = Learner("RNN", "rnn", 4)
NEVER = Criterion("loss", at_most=-1.0)


def test_it_stops_at_the_first_look_that_meets_the_criterion():
    looks = []
    plan = Plan("hello", updates=200, every=10, batch=1, judged=1)
    found = trial(Learner("GRU", "gru", 6), plan, 0, on_look=lambda made, scores: looks.append((made, scores["wrong"])))
    assert [made for made, _ in looks] == list(range(10, found.updates + 1, 10))
    assert [wrong for _, wrong in looks] == [1.0] * (len(looks) - 1) + [0.0]
    assert found.reached == found.updates < 200
    assert found.ended is None


def test_a_criterion_that_is_not_reached_is_none_and_the_last_update_is_looked_at():
    looks = []
    plan = Plan("first_bit", updates=7, every=5, batch=2, judged=3, steps=4, criterion=NEVER)
    found = trial(RNN, plan, 0, on_look=lambda made, scores: looks.append(made))
    assert (found.reached, found.updates, looks) == (None, 7, [5, 7])
    assert found.parameters == 4 * 2 + 4 * 4 + 2 * 4 + 2 * 4 + 2


def test_the_scores_at_the_end_are_those_of_other_examples_than_the_looks():
    looks = []
    plan = Plan("first_bit", updates=4, every=4, batch=2, judged=3, steps=4, criterion=NEVER)
    found = trial(RNN, plan, 0, on_look=lambda made, scores: looks.append(scores["loss"]))
    assert len(looks) == 1
    assert np.isfinite(found.scores["loss"])
    assert found.scores["loss"] != looks[0]


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    plan = Plan("first_bit", updates=6, every=2, batch=2, judged=3, steps=4, criterion=NEVER)
    first, again, other = (trial(RNN, plan, seed) for seed in (1, 1, 2))
    assert first.scores == again.scores
    assert first.scores["loss"] != other.scores["loss"]


@pytest.mark.parametrize(
    ("task", "judged", "examples"), [("first_bit", 4, 0), ("embedded_reber", 4, 3), ("embedded_reber", 1, 4)]
)
def test_it_learns_what_the_training_loop_learns_and_is_judged_by_what_the_criterion_speaks_of(task, judged, examples):
    criterion = dataclasses.replace(NEVER, examples=examples)
    plan = Plan(task, updates=5, every=5, batch=3, judged=judged, steps=9, criterion=criterion)
    losses = []
    trial(RNN, plan, 3, on_look=lambda made, scores: losses.append(scores["loss"]))
    learned = parse_task(task).make(9)
    tg.manual_seed(3)
    model = SequenceModel.for_task(learned, "rnn", 4)
    for _ in fit(model, learned, optim.Adam(model.parameters(), lr=0.01), updates=5, batch=3, seed=3):
        pass
    assert losses == [pytest.approx(assess(model, learned, 4, 3)["loss"], rel=1e-6)]


def test_state_is_carried_from_window_to_window_until_streams_begin_anew():
    plan = Plan("continual_reber", updates=3, every=3, batch=2, judged=2, steps=8, windows=2, criterion=NEVER)
    learner = Learner("LSTM", "lstm", 3, "sgd", 0.5, clip=None)
    losses = []
    trial(learner, plan, 5, on_look=lambda made, scores: losses.append(scores["loss"]))
    task = ContinualReberTask(8)
    tg.manual_seed(5)
    model = SequenceModel.for_task(task, "lstm", 3)
    sgd = optim.SGD(model.parameters(), lr=0.5)
    first, second = task.stream(2, (5, TRAINING, 0)), task.stream(2, (5, TRAINING, 2))
    state = None
    for windows in (first, first, second):
        batch, state = next(windows), None if windows is second else state
        sgd.zero_grad()
        outputs, state = model(batch.to("cpu").inputs, state)
        state = tuple(part.detach() for part in state)
        task.loss(outputs, batch).backward()
        sgd.step()
    assert losses == [pytest.approx(assess(model, task, 2, 5)["loss"], rel=1e-6)]


def test_omega_is_beside_the_loss_before_the_gradient_is_clipped():
    plan = Plan("first_bit", updates=3, every=3, batch=2, judged=3, steps=6, criterion=NEVER)
    learner = Learner("RNN", "rnn", 4, "sgd", 0.5, clip=0.1, omega=4.0)
    losses = []
    trial(learner, plan, 7, on_look=lambda made, scores: losses.append(scores["loss"]))
    task = parse_task("first_bit").make(6)
    tg.manual_seed(7)
    model = SequenceModel.for_task(task, "rnn", 4)
    sgd = optim.SGD(model.parameters(), lr=0.5)
    for update in range(3):
        sgd.zero_grad()
        omega(model, task, task.batch(2, (7, TRAINING, update)).to("cpu"), 4.0)
        optim.clip_grad_norm_(model.parameters(), 0.1)
        sgd.step()
    assert losses == [pytest.approx(assess(model, task, 3, 7)["loss"], rel=1e-6)]
    assert learner.how == "sgd 0.5, clip 0.1, Omega 4"


def test_a_loss_that_is_no_number_ends_the_trial():
    plan = Plan("adding", updates=50, every=10, batch=2, judged=2, steps=6)
    found = trial(Learner("RNN", "irnn:gain=3", 4, "sgd", 1e20, clip=None), plan, 0)
    assert found.reached is None
    assert found.updates < 50
    assert f"at update {found.updates}" in found.ended


def test_what_cannot_be_learned_is_refused():
    with pytest.raises(InputError, match="unknown algorithm 'newton'; there are sgd"):
        trial(dataclasses.replace(RNN, algorithm="newton"), Plan("hello", 1), 0)
    with pytest.raises(InputError, match="has no criterion of its own"):
        trial(RNN, Plan("conflict", 1), 0)
    with pytest.raises(InputError, match="Omega is not there for streams"):
        trial(dataclasses.replace(RNN, omega=1.0), Plan("continual_reber", 1, windows=2), 0)
    with pytest.raises(InputError, match="Omega is for simple recurrent networks"):
        trial(Learner("LSTM", "lstm", 4, omega=1.0), Plan("first_bit", 1, steps=4), 0)
    with pytest.raises(InputError, match="first_bit has no streams"):
        trial(RNN, Plan("first_bit", 1, windows=2, steps=4), 0)


def test_a_row_counts_and_takes_medians_of_those_that_reached_it():
    def one(seed, reached, wrong):
        return Trial(RNN, seed, 42, reached, 500, {"wrong": wrong}, 1.5, None if reached else "because")

    row = Row(RNN, tuple(one(*each) for each in ((0, 300, 0.0), (1, None, 0.8), (2, 100, 0.1), (3, 450, 0.2))))
    assert (row.solved, row.updates, row.spread, row.seconds) == (3, 300.0, (100, 450), 6.0)
    assert row.score("wrong") == pytest.approx(0.15)
    assert row.to_dict()["trials"][1]["ended"] == "because"
    none = Row(RNN, (one(0, None, np.nan),))
    assert (none.solved, none.updates, none.spread, none.reached) == (0, None, None, "not reached")
    assert none.to_dict()["trials"][0]["scores"] == {"wrong": None}
    with pytest.raises(InputError, match="at least one"):
        Row(RNN, ())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_learner_of_every_experiment_can_learn(name):
    experiment = EXPERIMENTS[name].asked(1)
    assert experiment.name == name
    assert len(set(experiment.learners)) == len(experiment.learners)
    short = dataclasses.replace(experiment.plan, judged=2, batch=2, steps=10, judged_steps=None)
    for found in dataclasses.replace(experiment, plan=short).trials([0]):
        assert found.updates == 1
        assert np.isfinite(found.scores["loss"])


def test_another_number_of_updates_is_looked_at_in_time():
    experiment = EXPERIMENTS["greff"]
    assert experiment.asked(None) is experiment
    assert (experiment.asked(10).plan.updates, experiment.asked(10).plan.every) == (10, 10)
