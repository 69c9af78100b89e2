"""`tinygrad-rnn cells`: the list, one cell, the equations."""

import inspect
import json
import re
from dataclasses import replace

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.nn import CELLS


def test_the_list_has_every_cell_with_its_options_and_what_stands_in_brackets(capsys, monkeypatch):
    entry = replace(CELLS["mgu"], summary="a [bold] h", reference="[1]")
    monkeypatch.setitem(CELLS, "mgu", entry)
    assert main(["cells"]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = [line.split()[0] for line in lines if line.strip()]
    at = [starts.index(name) for name in CELLS]
    assert at == sorted(at)
    for name, entry in CELLS.items():
        below = starts[starts.index(name) + 1 :]
        assert below[: len(entry.options)] == [f":{option}=..." for option in entry.options]
    (last,) = [line for line in lines if line.strip().startswith("mgu")]
    assert last.split() == ["mgu", "a", "[bold]", "h", "[1]"]


def test_one_cell_is_told_with_its_equations_and_all_are_by_v(capsys):
    assert main(["cells", "lstm_joined:forget_bias=3"]) == 0
    one = capsys.readouterr().out
    assert one.splitlines()[0] == f"lstm_joined: {CELLS['lstm_joined'].summary}"
    assert "    (net_i, net_f, net_g, net_o) = W [h; x] + b" in one
    assert "lstm_joined:forget_bias=..." in one
    assert main(["cells", "-v"]) == 0
    every = capsys.readouterr().out
    assert one.rstrip() in every
    assert re.findall(r"^(\w+): ", every, re.MULTILINE) == list(CELLS)
    assert main(["cells", "irnn"]) == 0
    assert "nonlinearity = relu" in capsys.readouterr().out


@pytest.mark.parametrize("name", CELLS)
def test_the_equations_are_those_of_the_docstring_and_say_how_each_state_is_renewed(name):
    entry = CELLS[name]
    assert entry.equations
    assert "\n".join(entry.equations) in inspect.getdoc(entry.cell)
    for line in entry.equations:
        assert " = " in line
    if name == "lstm_joined":
        return  # all but the product is said in LSTMCell
    left = [line.partition(" = ")[0] for line in entry.equations]
    for state in entry.cell.state_names:
        recurrent = state == "r" and any(line.startswith("u = ") for line in entry.equations)
        assert recurrent or any(f"{state}'" in renewed for renewed in left)


def test_json_has_the_equations_and_one_cell_if_one_is_asked_for(capsys):
    assert main(["cells", "--json"]) == 0
    every = json.loads(capsys.readouterr().out)["cells"]
    assert [cell["name"] for cell in every] == list(CELLS)
    assert main(["cells", "gru", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["cells"]
    assert one in every
    assert one["equations"] == list(CELLS["gru"].equations)
    assert one["options"] == ["update_bias", "chrono", "reset", "update"]


def test_a_name_that_is_none_brings_the_nearest_to_mind(refused):
    assert "unknown cell 'lsmt'; did you mean lstm?" in refused("cells", "lsmt")


@pytest.mark.parametrize("command", ["graph", "flow"])
@pytest.mark.parametrize(
    ("cell", "advice"),
    [("gates_from_input", "choose hidden_size=66"), ("lstm97:block_size=3", "block_size can be 1, 2, 4")],
)
def test_a_size_that_a_cell_cannot_have_is_refused_before_another_is_measured(refused, tmp_path, command, cell, advice):
    said = refused(command, "--cells", f"rnn,{cell}", "--hidden", "8", "--out", tmp_path / "out")
    assert f"{cell} cannot have --hidden 8" in said
    assert advice in said
    assert not (tmp_path / "out").exists()
