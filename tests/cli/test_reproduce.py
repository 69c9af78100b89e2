"""`tinygrad-rnn reproduce`: the table, the numbers, what is said of what was not reached."""

import dataclasses
import json
import shlex

import pytest

from tests.cli.conftest import visible
from tinygrad_rnn.cli import main
from tinygrad_rnn.cli import reproduce as command
from tinygrad_rnn.cli.options import EXPERIMENTS
from tinygrad_rnn.tasks import Criterion
from tinygrad_rnn.train import reproduce
from tinygrad_rnn.train.reproduce import Experiment, Learner, Plan, Published, Row, Trial

TOY = Experiment(
    "greff",
    "does a loss fall below a bound?",
    "Nobody 1900",
    Plan("first_bit", 6, every=3, batch=2, judged=4, steps=3, criterion=Criterion("loss", at_most=10.0)),
    (Learner("[first]", "rnn", 3), Learner("second", "gru", 2, "sgd", 0.1, None)),
    seeds=2,
    published=(Published("loss of all", "1.5", "table 1"),),
    differs=("Everything is smaller.",),
)


def bounded(loss):
    return dataclasses.replace(TOY, plan=dataclasses.replace(TOY.plan, criterion=Criterion("loss", at_most=loss)))


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Run a toy experiment in the place of one and return the folder with the files."""

    def run(*options, experiment=TOY):
        monkeypatch.setitem(reproduce.EXPERIMENTS, "greff", experiment)
        assert main(["reproduce", "greff", "--out", str(tmp_path / "out"), *options]) == 0
        return tmp_path / "out"

    return run


def test_the_options_know_the_experiments_there_are():
    assert (*reproduce.EXPERIMENTS, "hochreiter") == EXPERIMENTS


def test_it_prints_a_table_beside_what_was_published_and_writes_the_same(toy, capsys):
    folder = toy()
    captured = capsys.readouterr()
    assert {path.name for path in visible(folder)} == {"greff.json", "greff.md"}
    found = json.loads((folder / "greff.json").read_text())
    assert found["schema"] == "tinygrad_rnn.reproduce/1"
    assert found["seeds"] == [0, 1]
    assert [(row["name"], row["cell"], row["solved"], row["of"]) for row in found["results"]] == [
        ("[first]", "rnn", 2, 2),
        ("second", "gru", 2, 2),
    ]
    assert all(trial["reached"] == 3 for row in found["results"] for trial in row["trials"])
    text = (folder / "greff.md").read_text()
    for said in ("[first]", "2 of 2", "sgd 0.1", "loss of all: 1.5 (table 1)", "Everything is smaller."):
        assert said in captured.out
        assert said in text
    assert "Every learner reached the criterion" in captured.out
    assert max(map(len, captured.out.partition("written: ")[0].splitlines())) <= 100
    assert "…" not in captured.out
    assert "second, seed 1: criterion reached after 3 updates" in captured.err


@pytest.mark.parametrize("name", reproduce.EXPERIMENTS)
def test_a_table_of_each_experiment_fits(name, capsys):
    experiment = reproduce.EXPERIMENTS[name]
    last = experiment.plan.updates
    trials = [
        Trial(learner, seed, 99_999, reached, last, {experiment.plan.tasks()[2].score: 0.01234567}, 333.3)
        for learner in experiment.learners
        for seed, reached in enumerate((last - 1, last, last))
    ]
    command._print(experiment, Row.of(trials))
    printed = capsys.readouterr().out
    assert "…" not in printed
    for learner in experiment.learners:
        assert f" {learner.name} " in printed
        assert learner.how in printed


def test_what_was_not_reached_is_reported_as_such(toy, capsys):
    folder = toy("--seeds", "1", experiment=bounded(-1.0))
    captured = capsys.readouterr()
    assert "0 of 1" in captured.out
    assert "not reached in 6 updates by: [first], second." in captured.out
    assert "criterion not reached in 6 updates" in captured.err
    found = json.loads((folder / "greff.json").read_text())
    assert [row["updates"] for row in found["results"]] == [None, None]
    assert "not reached in 6 updates by" in (folder / "greff.md").read_text()


def test_a_trial_that_diverged_is_told_and_its_numbers_are_json(toy, capsys):
    wild = Learner("wild", "irnn:gain=3", 3, "sgd", 1e30, None)
    folder = toy("--updates", "40", experiment=dataclasses.replace(bounded(-1.0), learners=(wild,)))
    found = json.loads((folder / "greff.json").read_text())
    (row,) = found["results"]
    assert [trial["ended"] is not None for trial in row["trials"]] == [True, True]
    assert row["trials"][0]["ended"] in " ".join(found["claims"])
    assert row["trials"][0]["scores"]["loss"] is None
    assert "at update" in capsys.readouterr().out


def test_json_is_all_that_is_on_stdout_and_its_command_gives_the_same_numbers(toy, capsys):
    folder = toy("--json", "--seeds", "1", "--seed", "4", "--updates", "2")
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((folder / "greff.json").read_text())
    assert (found["seeds"], found["updates"], found["every"]) == ([4], 2, 2)
    program, name, *arguments = shlex.split(found["command"])
    assert (program, name) == ("tinygrad-rnn", "reproduce")
    assert main([name, *arguments, "--out", str(folder), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for summary in (found, again):
        for row in summary["results"]:
            for trial in row["trials"]:
                del trial["seconds"]
    assert again == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gref"], "invalid choice: 'gref'"),
        (["greff", "--seeds", "0"], "is not a whole number from 1"),
        (["greff", "--updates", "x"], "is not a whole number from 1"),
    ],
)
def test_wrong_usage_is_one_line_and_nothing_is_begun(refused, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "told", lambda *_: pytest.fail("it began to train"))
    assert message in refused("reproduce", *arguments)
    assert not list(tmp_path.iterdir())
