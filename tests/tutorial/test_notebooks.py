"""Tutorials as notebooks: questions are readable, answers follow the code, hints and solutions are folded."""

import importlib.metadata
import json
from email.message import Message

import pytest

from tests.tutorial.conftest import LESSONS, TINY
from tinygrad_rnn.cli import main
from tinygrad_rnn.tutorial import find, notebooks

nbformat = pytest.importorskip("nbformat")


def test_a_notebook_has_all_that_a_script_has():
    notebook = notebooks.as_notebook(find(str(TINY)))
    nbformat.validate(notebook)
    sources = "\n".join(cell.source for cell in notebook.cells)
    for cell in find(str(TINY)).cells:
        assert cell.source in sources
    assert notebook == notebooks.as_notebook(find(str(TINY)))


def test_questions_are_readable_and_answered_after_the_code():
    cells = notebooks.as_notebook(find(str(TINY))).cells
    places = {cell.source: at for at, cell in enumerate(cells)}
    (choice,) = (cell for cell in cells if "What does the number do?" in cell.source)
    assert "1. it grows\n2. it shrinks\n\n*Write down what you expect" in choice.source
    answer = "['it grows', 'it shrinks'][(2 if sizes[1] < sizes[0] else 1) - 1]  # the answer"
    assert cells[places[answer] - 1].source.startswith("factor = ")
    assert cells[places[answer]].metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": False}
    assert cells[places["thirds  # the answer"] - 1].source.startswith("import math")


def test_hints_and_solutions_are_folded():
    cells = notebooks.as_notebook(find(str(TINY))).cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown" and cell.source.startswith("<details>")]
    assert len(prose) == 4
    folded = [cell.source[:11] for cell in cells if cell.metadata.get("tags") == ["hide-cell"]]
    assert folded == ["import math", "thirds  # t", "def half(x)"]


def test_the_first_cell_installs_the_library_where_the_address_of_its_source_is_known(monkeypatch):
    about = Message()
    about["Project-URL"] = "Changelog, https://example.org/changes"
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: about)
    assert "colab" not in notebooks.as_notebook(find(str(TINY))).cells[0].source
    about["Project-URL"] = "Source, https://example.org/source"
    first = notebooks.as_notebook(find(str(TINY))).cells[0]
    assert '%pip install --quiet "tinygrad-rnn[plots,render] @ git+https://example.org/source"' in first.source


@pytest.mark.slow
@pytest.mark.process
def test_a_notebook_is_written_with_its_output_and_a_failure_is_an_error(tmp_path, script, capsys):
    for package in ("nbclient", "ipykernel"):
        pytest.importorskip(package)
    assert main(["tutorial", str(TINY), "--lang", "zh", "--notebooks", str(tmp_path / "made")]) == 0
    made = json.loads((tmp_path / "made" / "01_tiny.ipynb").read_text(encoding="utf-8"))
    shown = [output for cell in made["cells"] for output in cell.get("outputs", [])]
    assert {"name": "stdout", "output_type": "stream", "text": ["sizes: [1.0, 0.5, 0.25]\n"]} in shown
    assert "一半" in made["cells"][0]["source"][0]
    capsys.readouterr()
    assert main(["tutorial", str(script("x = 1", "assert x == 2, 'x is one'")), "--notebooks", str(tmp_path)]) == 2
    assert "09_own failed as a notebook: AssertionError: x is one" in capsys.readouterr().err
    assert not (tmp_path / "09_own.ipynb").exists()


def test_jupyter_reads_what_the_scripts_say_of_their_cells():
    jupytext = pytest.importorskip("jupytext")
    read = jupytext.read(LESSONS / "zh" / "01_tiny.py")
    assert read.cells[1].metadata["question"] == "number"
