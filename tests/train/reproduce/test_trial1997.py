"""Trials of 1997 end when their criterion is met, exactly there, and their networks count as the paper does."""

import dataclasses

import numpy as np
import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train.loop import TRAINING
from tinygrad_rnn.train.reproduce import SETTINGS, Summary, train1997
from tinygrad_rnn.train.reproduce import trial1997 as module
from tinygrad_rnn.train.reproduce.setting1997 import Looks, Streak

SMALL = dataclasses.replace(SETTINGS["4"], steps=12)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_network_has_as_many_weights_as_the_paper_says(name):
    setting = SETTINGS[name]
    assert setting.network(seed=0).weights == setting.weights


def test_gates_begin_as_the_paper_says():
    hidden = SETTINGS["3a-n3"].network(seed=1).hidden
    assert hidden[:3, -1].tolist() == [-1, -3, -5]
    assert hidden[-3:, -1].tolist() == [-2, -4, -6]
    assert 0 < abs(hidden[3:6, -1]).max() <= 0.1
    assert abs(hidden[:, :-1]).max() <= 0.1


def one_by_one(setting, seed, count):
    """What a trial learns from, one sequence at a time: the network, and whether each was answered right before."""
    network, task, right = setting.network(seed), setting.make()[0], []
    batch = task.batch(500, (seed, TRAINING, 0))
    for place in range(count):
        targets = batch.targets[place : place + 1, None]
        answers = network.learn(batch.inputs[:, place : place + 1], batch.lengths[place : place + 1], targets, 0.5)
        right.append(abs(answers - targets).max() < setting.stop.right)
    return network, right


def test_it_stops_at_the_first_run_of_right_answers_and_learns_from_no_more(monkeypatch):
    setting = dataclasses.replace(SMALL, stop=Streak(0.2, 8))
    _, right = one_by_one(setting, 3, 400)
    first = next(end for end in range(8, 400) if all(right[end - 8 : end]))
    assert first > 8
    networks = []
    monkeypatch.setattr(module, "_looked_at", lambda network, *_: (networks.append(network), np.zeros((2, 1)))[1])
    found = train1997(setting, 3)
    assert found.reached == found.sequences == first
    np.testing.assert_allclose(networks[0].hidden, one_by_one(setting, 3, first)[0].hidden, atol=1e-12)


def test_a_mean_error_that_is_too_large_keeps_it_going():
    loose, strict = (dataclasses.replace(SMALL, stop=Streak(1.0, 5, error=error)) for error in (None, 1e-9))
    assert train1997(loose, 0, most=20).reached == 5
    assert train1997(strict, 0, most=20).reached is None


def test_some_wrong_answers_may_be_allowed():
    assert train1997(dataclasses.replace(SMALL, stop=Streak(0.0, 6, wrong=6)), 0, most=20).reached == 6
    assert train1997(dataclasses.replace(SMALL, stop=Streak(0.0, 6, wrong=5)), 0, most=20).reached is None


def test_looks_come_after_so_many_sequences():
    setting = dataclasses.replace(SETTINGS["3a-n3"], steps=8, stop=Looks(2.0, 7, 5))
    assert train1997(setting, 0).reached == 7
    assert train1997(dataclasses.replace(setting, stop=Looks(0.0, 7, 5)), 0, most=20).reached is None


def test_a_task_with_answers_at_every_step_is_judged_by_its_own_scores():
    setting = dataclasses.replace(SETTINGS["1-3x2"], task="embedded_reber:strings=4", steps=9)
    found = train1997(dataclasses.replace(setting, stop=Looks(None, 5, 4, both=True)), 0, most=10)
    assert (found.reached, found.wrong) == (None, 1.0)


def test_weights_that_are_no_numbers_end_a_trial():
    wild = dataclasses.replace(SETTINGS["4-linear"], steps=12, rate=1e9)
    found = train1997(wild, 0, most=2000)
    assert (found.reached, found.sequences) == (None, 500)
    assert Summary(wild, (found,)).to_dict()["trials"][0]["error"] is None


def test_the_same_seed_gives_the_same_numbers():
    first, again, other = (train1997(dataclasses.replace(SMALL, stop=Streak(0, 9)), s, most=9) for s in (1, 1, 2))
    assert first.error == again.error != other.error


def test_a_summary_has_means_of_those_that_met_the_criterion():
    outcome = train1997(SMALL, 0, most=1)
    parts = [dataclasses.replace(outcome, reached=reached, wrong=wrong) for reached, wrong in ((8, 0.5), (None, 1.0))]
    found = Summary(SMALL, tuple(parts))
    assert (found.sequences, found.wrong, found.reached) == (8, 0.5, [8])
    assert Summary(SMALL, tuple(parts[1:])).sequences is None
    with pytest.raises(InputError, match="at least one trial"):
        Summary(SMALL, ())


@pytest.mark.slow
def test_6a_takes_about_as_many_sequences_as_in_the_paper():
    found = Summary(SETTINGS["6a"], tuple(train1997(SETTINGS["6a"], seed) for seed in range(3)))
    assert len(found.reached) == 3
    assert 0.5 < found.sequences / 31_390 < 2


@pytest.mark.parametrize("name", ["1-4x1", "1-3x2"])
def test_a_look_at_the_strings_of_experiment_1_sees_all_of_both_sets(name):
    setting = SETTINGS[name]
    assert setting.stop.both
    seen = set()
    for task in setting.make():
        inputs = task.batch(setting.stop.judged, seed=(0, 1, 2)).inputs.argmax(axis=-1)
        seen |= {tuple(string) for string in inputs.T}
    assert len(seen) == 2 * 256
