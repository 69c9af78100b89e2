"""`graph --tape`: the listing and the tape of one training step, in files and on a terminal."""

import json
import sys

import pytest

import tinygrad_rnn as tg
from tests.cli.conftest import visible
from tinygrad_rnn import optim, tape
from tinygrad_rnn.cli.tape import folded
from tinygrad_rnn.tape import Line
from tinygrad_rnn.tasks import AddingTask
from tinygrad_rnn.train import SequenceModel, fit, training_tape


def test_the_tape_of_every_cell_is_written_and_can_be_replayed(graph, capsys):
    folder = graph("--tape", "--cell", "rnn,lstm", "--task", "adding", text=False)
    names = {path.name for path in visible(folder)}
    for cell in ("rnn", "lstm"):
        assert {f"{cell}.tape.txt", f"{cell}.tape.json"} <= names
        listing = (folder / f"{cell}.tape.txt").read_text()
        headings = [line for line in listing.splitlines() if not line.startswith(" ")]
        assert headings[-6:] == ["zero_grad", "forward", "backward", "clipping", "optimizer", "result"]
        taped = tape.from_json((folder / f"{cell}.tape.json").read_text())
        loss, norm = taped.replay(tg.rand(6, 3, 2), tg.rand(3))
        assert loss.item() > 0
        assert norm.item() > 0
    out = capsys.readouterr().out
    assert ",tape.txt,tape.json}" in out
    assert "set_grad" not in out, "no terminal looks on"


def test_it_leaves_training_and_measurement_as_they_were(graph):
    plain, taped = graph("--cell", "lstm"), graph("--cell", "lstm", "--tape", out="taped")
    assert (plain / "lstm.flow.json").read_text() == (taped / "lstm.flow.json").read_text()


def test_a_later_run_without_it_removes_the_files(graph):
    graph("--cell", "rnn", "--tape")
    folder = graph("--cell", "rnn")
    assert not [path for path in visible(folder) if "tape" in path.name]


def test_a_terminal_shows_the_listing_in_colours_with_the_middle_counted(graph, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    graph("--cell", "rnn", "--tape")
    out = capsys.readouterr().out
    assert "one training step of rnn" in out
    assert "\x1b[35m" in out, "the backward pass is magenta"
    assert "of the steps t=2 to t=4: see the file" in out
    assert "t=3" not in out
    assert out.count("more times: see the file") >= 4, "the optimizer, clipping and zero_grad repeat themselves"


def test_only_the_middle_is_folded():
    steps = (None, 0, 1, *[2] * 3, *[3] * 2, 4, None, 4, *[3] * 3, 0, *[3] * 4, 0)
    shown = [line.text.strip() for line in folded([Line("forward", step, f"  {step}") for step in steps], 5)]
    assert shown == [
        "None", "0", "1", "... 5 lines of the steps t=2 to t=3: see the file", "4", "None", "4",
        "3", "3", "3", "0", "... 4 lines of step t=3: see the file", "0",
    ]  # fmt: skip


def test_what_an_optimizer_does_to_every_parameter_is_shown_for_the_first():
    one = ["mul(const 0.9, %{0})", "sub(%{0}, %4)", "assign_(%{0} w{0}, %5)"]
    ops = ["add(%1, const 1.0)", *one * 3, "cast(%9)"]
    lines = [Line("optimizer", None, f"  {op.format(i)}") for i, op in enumerate(ops)]
    shown = [line.text.strip() for line in folded(lines, 5)]
    assert shown == [
        *(op.format(i) for i, op in enumerate(ops[:4])),
        "... 6 lines do the same 2 more times: see the file",
        "cast(%9)",
    ]
    assert len(list(folded(lines[:7], 5))) == 7, "3 lines are not worth it"
    assert len(list(folded([line._replace(section="forward") for line in lines], 5))) == len(lines)


def test_json_lists_its_files(graph, capsys):
    folder = graph("--cell", "rnn", "--tape", "--backward", "--json", formats="dot")
    results = json.loads(capsys.readouterr().out)["results"]
    assert sorted(name for result in results for name in result["files"]) == sorted(map(str, visible(folder)))


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_replays_of_the_training_tape_are_the_training(cell):
    def world():
        tg.manual_seed(0)
        model = SequenceModel(cell, 2, 5, 1)
        return model, optim.Adam(model.parameters(), lr=0.01)

    task = AddingTask(steps=6)
    model, adam = world()
    trained = [update.loss for update in fit(model, task, adam, updates=5, batch=3, seed=4)]
    model, adam = world()
    recorded = training_tape(model, task, adam, batch=3, seed=4)
    losses = [recorded.result[0].item()]
    for update in range(1, 5):
        inputs, targets = task.batch(3, (4, 0, update))
        losses.append(recorded.replay(tg.tensor(inputs), tg.tensor(targets))[0].item())
    assert losses == trained
