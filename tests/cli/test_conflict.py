"""`tinygrad-rnn conflict`: the plot, the table, the numbers."""

import importlib
import json
import shlex
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tests.cli.conftest import visible
from tinygrad_rnn.cli import conflict as command
from tinygrad_rnn.cli import main

SMALL = ("--steps", "4", "--batch", "4", "--train", "6", "--seeds", "2")


@pytest.fixture
def conflict(tmp_path):
    """Run `conflict` on small sizes and return the folder with the files."""

    def run(*options, out="out"):
        assert main(["conflict", *SMALL, "--out", str(tmp_path / out), *options]) == 0
        return tmp_path / out

    return run


def test_it_writes_a_plot_and_the_numbers_and_prints_what_they_say(conflict, capsys):
    folder = conflict("--cells", "carousel,lstm97:input_bias=-1")
    captured = capsys.readouterr()
    assert {path.name for path in visible(folder)} == {"conflict.svg", "conflict.png", "conflict.json"}
    assert ElementTree.parse(folder / "conflict.svg").getroot().tag.endswith("svg")
    found = json.loads((folder / "conflict.json").read_text())
    assert found["schema"] == "tinygrad_rnn.conflict/1"
    kinds = [(result["task"], result["cell"], result["seed"]) for result in found["results"]]
    cells = ("carousel", "lstm97:input_bias=-1")
    assert kinds == [(task, cell, seed) for task in ("store", "retrieve") for cell in cells for seed in (0, 1)]
    for result in found["results"]:
        assert [moment["updates"] for moment in result["contributions"]] == [0, 1, 6]
        assert len(result["losses"]) == 6
        for moment in result["contributions"]:
            for weight, share in moment["cancelled"].items():
                each = np.array(moment[weight])
                assert each.shape == (4,)
                assert share == pytest.approx(1 - abs(each.sum()) / np.abs(each).sum())
    for said in found["claims"]:
        assert said in captured.out
    table = captured.out.partition("store, carousel:")[0]
    assert max(map(len, table.splitlines())) <= 100
    assert "…" not in table
    assert "lstm97:input_bias=-1" in table
    assert "retrieve, carousel, seed 1: loss" in captured.err


def test_the_numbers_say_how_to_get_them_again(conflict):
    folder = conflict("--cells", "lstm97_nog", "--seed", "5", "--format", "png", "--theme", "dark", "--no-legend")
    before = {path.name: path.read_bytes() for path in visible(folder)}
    assert before.keys() == {"conflict.png", "conflict.json"}
    found = json.loads(before["conflict.json"])
    assert [result["seed"] for result in found["results"]] == [5, 6] * 2
    program, *arguments = shlex.split(found["command"])
    assert program == "tinygrad-rnn"
    assert {"--theme", "dark", "--no-legend", "png"} <= set(arguments)
    for path in visible(folder):
        path.unlink()
    assert main(arguments) == 0
    assert {path.name: path.read_bytes() for path in visible(folder)} == before


def test_json_is_all_that_is_on_stdout_and_what_an_earlier_run_left_goes(conflict, capsys):
    conflict("--cells", "carousel", "--format", "pdf")
    capsys.readouterr()
    folder = conflict("--cells", "carousel", "--format", "svg", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((folder / "conflict.json").read_text())
    assert sorted(found["files"]) == sorted(str(path) for path in visible(folder))
    assert not (folder / "conflict.pdf").exists()


def test_without_training_there_is_what_each_step_wants_at_the_start(conflict, capsys):
    found = json.loads((conflict("--cells", "rnn", "--train", "0") / "conflict.json").read_text())
    printed, said = capsys.readouterr()
    assert "store, rnn, seed 1: loss" in said
    assert "after" not in said
    assert "->" not in printed
    assert "after" not in printed
    assert "learned (" not in printed
    assert [moment["updates"] for moment in found["results"][0]["contributions"]] == [0]
    assert found["results"][0]["losses"] == []


def test_without_matplotlib_the_numbers_are_written(conflict, monkeypatch, capsys):
    real = importlib.import_module

    def refuse(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError("no module of that name")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", refuse)
    folder = conflict("--cells", "carousel")
    assert {path.name for path in visible(folder)} == {"conflict.json"}
    assert "pip install 'tinygrad-rnn[plots]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cells", "carrousel"], "unknown cell 'carrousel'; did you mean carousel?"),
        (["--cells", "lstm_joined"], "no weight of its own from the input"),
        (["--cells", "gates_from_input"], "input_size must equal hidden_size"),
        (["--steps", "10000000"], "GB of memory"),
        (["--steps", "1"], "take at least 2"),
        (["--seeds", "0"], "is not a whole number from 1"),
        (["--format", "html"], "is not a list of formats out of svg, png, pdf"),
    ],
)
def test_wrong_usage_is_one_line_and_nothing_is_begun(refused, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "conflict_of", lambda *_: pytest.fail("it began to train"))
    assert message in refused("conflict", *arguments)
    assert not list(tmp_path.iterdir())
