"""Every cell of the table is drawn, measured and trained by the same commands, and its training goes on from a file."""

import json

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.cli import main
from tinygrad_rnn.nn import CELLS, parse_cell
from tinygrad_rnn.tasks import AddingTask
from tinygrad_rnn.train import SequenceModel, evaluate, fit, load_checkpoint, save_checkpoint

#: With the option that changes the sizes of the states.
EVERY = [*CELLS, "lstm:proj_size=1"]

#: The adding task has two inputs, and some cells need as many units.
SMALL = ["--task", "adding", "--steps", "4", "--hidden", "2", "--batch", "2", "--train", "5"]


@pytest.mark.parametrize("cell", EVERY)
def test_it_is_drawn_and_measured(cell, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["graph", "--cell", cell, "--format", "dot", "--out", "g", *SMALL]) == 0
    spec = parse_cell(cell)
    found = json.loads((tmp_path / "g" / f"{spec.file_name}.flow.json").read_text(encoding="utf-8"))
    assert set(found["states"]) == set(spec.cell_class.state_names)
    assert found["verdict"] != "withheld"
    drawn = (tmp_path / "g" / f"{spec.file_name}.dot").read_text(encoding="utf-8")
    assert all(f"_{gate}\"" in drawn for gate in spec.cell_class.gate_names)


@pytest.mark.parametrize("cell", EVERY)
def test_it_learns_and_goes_on_from_a_file_as_if_it_had_never_stopped(cell, tmp_path):
    task = AddingTask(5)

    def made():
        tg.manual_seed(1)
        model = SequenceModel(cell, task.input_size, task.input_size, task.output_size, num_layers=2)
        return model, optim.Adam(model.parameters(), 0.01)

    model, adam = made()
    before = {name: np.array(value.numpy()) for name, value in model.state_dict().items()}
    losses = [update.loss for update in fit(model, task, adam, 4, 8)]
    for name, value in model.state_dict().items():
        assert (value.numpy() != before[name]).any(), f"{name} learned nothing"
    first, optimizer = made()
    assert [update.loss for update in fit(first, task, optimizer, 2, 8)] == losses[:2]
    save_checkpoint(tmp_path / "m.safetensors", first, optimizer, {})
    loaded = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded.model.cell_name == cell
    assert evaluate(loaded.model, task, 8) == evaluate(first, task, 8)
