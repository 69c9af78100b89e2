"""`tinygrad-rnn reproduce hochreiter`: the table beside the paper's, and what is said of what was not met."""

import dataclasses
import json
import shlex

import pytest

from tests.cli.conftest import visible
from tinygrad_rnn.cli import hochreiter, main
from tinygrad_rnn.train.reproduce import Outcome, Summary
from tinygrad_rnn.train.reproduce.setting1997 import SETTINGS, SHORT, Streak


@pytest.fixture
def quick(monkeypatch):
    """Two experiments that end at once: one with a criterion that any sequence meets, one that none meets."""
    met = dataclasses.replace(SETTINGS["6a"], steps=10, stop=Streak(2.0, 3))
    never = dataclasses.replace(SETTINGS["4"], steps=11, stop=Streak(0.0, 3))
    for setting in (met, never):
        monkeypatch.setitem(SETTINGS, setting.name, setting)
    return ["--only", "6a", "4", "--seeds", "2", "--updates", "5"]


def test_it_prints_the_table_and_writes_it(quick, tmp_path, capsys):
    assert main(["reproduce", "hochreiter", "--out", str(tmp_path / "out"), *quick]) == 0
    captured, folder = capsys.readouterr(), tmp_path / "out"
    assert {path.name for path in visible(folder)} == {"hochreiter.json", "hochreiter.md"}
    found = json.loads((folder / "hochreiter.json").read_text())
    assert [(row["name"], row["solved"], row["of"], row["sequences"]) for row in found["results"]] == [
        ("6a", 2, 2, 3),
        ("4", 0, 2, None),
    ]
    assert [row["paper"]["sequences"] for row in found["results"]] == [31_390, 74_000]
    text = (folder / "hochreiter.md").read_text()
    for said in ("31,390", "The numbers of weights are those of the paper.", "4: the criterion was not met by any"):
        assert said in captured.out
        assert said in text
    assert "| 6a | order of 2 symbols | 156 | 156 | 2 of 2 | 3 | 3-3 | 31,390 |" in text
    assert "6a, seed 1: criterion met after 3 sequences" in captured.err
    assert "4, seed 0: criterion not met in 5 sequences" in captured.err


def test_json_is_all_that_is_on_stdout_and_its_command_gives_the_same_numbers(quick, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out"), "--json"]
    assert main(["reproduce", "hochreiter", *quick, *out]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main([*shlex.split(found["command"])[1:], *out]) == 0
    again = json.loads(capsys.readouterr().out)
    for summary in (found, again):
        for row in summary["results"]:
            for trial in row["trials"]:
                del trial["seconds"]
    assert again == found


def test_the_table_of_all_experiments_fits(capsys):
    outcomes = [
        Outcome(setting, seed, setting.weights, setting.most, setting.most, 0.01234, 0.1, 333.3)
        for setting in SETTINGS.values()
        for seed in range(2)
    ]
    hochreiter._print(Summary.of(outcomes))
    printed = capsys.readouterr().out
    assert "…" not in printed
    for setting in SETTINGS.values():
        assert f"{setting.name} " in printed
        assert f"{setting.what} " in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_other_numbers_of_weights_and_of_sequences_are_told():
    setting = SETTINGS["6a"]
    rows = [Summary(setting, (Outcome(setting, 0, 155, 10 * setting.published, 1, 0.0, 0.0, 1.0),))]
    assert hochreiter.sentences(rows) == [
        "Other numbers of weights than in the paper: 6a has 155.",
        "6a: 10 times the sequences of the paper.",
    ]


def test_an_experiment_that_there_is_not_is_one_line(refused, tmp_path):
    message = refused("reproduce", "hochreiter", "--only", "7", "--out", str(tmp_path / "out"))
    assert "there is no experiment '7' of 1997; there are 1-4x1," in message
    assert not list(tmp_path.iterdir())


def test_those_done_unless_others_are_named_are_there():
    assert set(SHORT) <= set(SETTINGS)
