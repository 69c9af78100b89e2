"""Work in a notebook: the same file comes out as was put in, and what is only tried in it does no harm."""

import json
import zipfile
from pathlib import Path

import nbformat
import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import building, desk, notebooks
from tinygrad_rnn.homework.archives import open_submission
from tinygrad_rnn.homework.marks import regions_of

ROOT = Path(__file__).parents[2]
STUB = 'raise NotImplementedError("Task 1.1: what is a sum?")'
ASSIGNMENTS = sorted(path.parent for path in (ROOT / "tutorials" / "homework").glob("*/assignment.toml"))


def bare(text):
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("folder", ASSIGNMENTS, ids=lambda folder: folder.name)
def test_a_file_comes_out_of_its_notebook_as_it_went_in(folder):
    for name, text in building.source_of(folder)[1].items():
        cells = notebooks.cells_of(text, name)
        made = notebooks.notebook(cells)
        nbformat.validate(nbformat.reads(made.decode(), as_version=4))
        assert bare(notebooks.code_of(made, name))[1:] == bare(text)
        regions = regions_of(text)
        for each in cells:  # each function to write is a cell of its own, or of its class
            assert (
                each["source"].count("\ndef ") + each["source"].startswith("def ") <= 1
                or "SOLUTION" not in each["source"]
            )
        assert sum(f"BEGIN SOLUTION {each}\n" in cell["source"] for each in regions for cell in cells) == len(
            regions.keys() - {"YOURS"}
        )


def fill(place, old, new):
    """Change a cell of a notebook as a student does, and add one that she tries things in."""
    told = json.loads(place.read_text())
    for cell in told["cells"]:
        cell["source"] = "".join(cell["source"]).replace(old, new).splitlines(keepends=True)  # as Jupyter saves it
    told["cells"].append(notebooks.cell("code", "%matplotlib inline\n1 / 0") | {"id": "mine"})
    place.write_text(json.dumps(told))


@pytest.fixture
def in_notebook(at_desk, capsys):
    for path in at_desk.iterdir():
        path.unlink()
    assert main(["homework", "start", "tiny", "--notebook"]) == 0
    said = capsys.readouterr().out
    assert "written: tiny/sums.ipynb" in said
    assert "sums.py" not in said
    return at_desk


def test_the_methods_of_a_class_stay_in_one_cell_with_the_last_ones_mark():
    bodies = [
        f"    def m{each}(self):\n        ### BEGIN SOLUTION {each}.1\n        pass\n        ### END SOLUTION {each}.1"
        for each in (1, 2)
    ]
    source = "class C:\n" + "\n\n".join(bodies) + "\n\n\nC()\n"
    assert notebooks.split(source) == [source[: source.index("\n\n\nC()")], "C()"]


@pytest.mark.process
def test_from_start_to_submit_in_a_notebook(in_notebook, capsys):
    assert main(["homework", "check"]) == 1
    assert "not written yet" in capsys.readouterr().out
    fill(in_notebook / "sums.ipynb", STUB, "return np.add(a, b) + nobody")
    assert main(["homework", "check", "1.1"]) == 1
    said = capsys.readouterr().out
    assert "name 'nobody' is not defined (line " in said
    line = int(said.split("(line ")[1].split(")")[0])
    assert "nobody" in (in_notebook / "sums.py").read_text().splitlines()[line - 1]

    fill(in_notebook / "sums.ipynb", " + nobody", "")
    assert main(["homework", "check", "1.1"]) == 0
    assert main(["homework", "status"]) == 0
    assert "note:" not in capsys.readouterr().out
    assert main(["homework", "submit", "--name", "ada"]) == 0
    assert capsys.readouterr().err == "note: not written: 1.2\n"
    with zipfile.ZipFile(in_notebook / "tiny-ada.zip") as archive:
        assert archive.namelist() == ["sums.py"]
        assert "return np.add(a, b)\n" in archive.read("sums.py").decode()


def test_a_file_beside_its_notebook_is_not_overwritten(in_notebook, capsys):
    (in_notebook / "sums.py").write_text("mine = 1")
    assert main(["homework", "check"]) == 2
    assert "both here: which one counts?" in capsys.readouterr().err
    assert (in_notebook / "sums.py").read_text() == "mine = 1"


def test_lines_outside_the_marks_are_noted_in_a_notebook_too(in_notebook, capsys):
    fill(in_notebook / "sums.ipynb", "import numpy as np", "import numpy as np\nimport math")
    assert main(["homework", "submit", "--name", "a"]) == 0
    assert "lines outside the marks were changed" in capsys.readouterr().err


@pytest.fixture
def made(tiny):
    """Return a function: the bytes of a notebook with the reference and with other cells in it."""
    cells = notebooks.cells_of((tiny / "sums.py").read_text(), "sums.py")
    return lambda more: notebooks.notebook([*cells, *more])


def test_a_notebook_is_found_wherever_a_file_is(made, tmp_path):
    content = made([notebooks.cell("code", "!rm -rf everything")])
    expected = {"sums.py": notebooks.code_of(content, "sums.py")}
    (tmp_path / "ada.ipynb").write_bytes(content)
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "sums.ipynb").write_bytes(content)
    (tmp_path / "bob" / "sums.py").write_text("# Made from sums.ipynb, some time ago\n")
    with zipfile.ZipFile(tmp_path / "eve.zip", "w") as archive:
        archive.writestr("hw/sums.ipynb", content)
    for name in ("ada.ipynb", "bob", "eve.zip"):
        assert open_submission(tmp_path / name, ["sums.py"]) == expected
    assert "rm -rf" not in expected["sums.py"]
    (tmp_path / "bob" / "sums.py").write_text("x = 1\n")
    assert open_submission(tmp_path / "bob", ["sums.py"]) == {"sums.py": "x = 1\n"}


@pytest.mark.parametrize("tagged", [(True, True), (True, False), (False, True), (False, False)])
def test_a_cell_that_was_split_inside_a_region_is_whole_in_the_file(tiny, tagged):
    source = (tiny / "sums.py").read_text()
    cells = notebooks.cells_of(source, "sums.py")
    place = next(number for number, each in enumerate(cells) if "SOLUTION 1.2" in each["source"])
    first, last = cells[place]["source"].split("    once = f(x)\n")
    parts = (first.rstrip(), "    once = f(x)", last.rstrip())
    tags = ({"homework": "sums.py"} if tagged[0] else {}, {}, {"homework": "sums.py"} if tagged[1] else {})
    split = [notebooks.cell("code", part, **tag) for part, tag in zip(parts, tags, strict=True)]
    tried = [notebooks.cell("code", text) for text in (cells[place]["source"].replace("1.2", "1.1"), "1 / 0")]
    made = notebooks.notebook([tried[1], *cells[:place], *split, *tried, *cells[place + 1 :]])
    assert bare(notebooks.code_of(made, "sums.py"))[1:] == bare(source)


def test_without_our_cells_all_code_counts_and_lines_for_the_shell_are_comments(tmp_path):
    made = notebooks.notebook([notebooks.cell("code", "%time\n!ls\nx = 7\\\n % 2"), notebooks.cell("markdown", "y")])
    text = notebooks.code_of(made, "sums.py")
    assert text.splitlines()[1:] == ["# %time", "# !ls", "x = 7\\", " % 2"]


def test_a_notebook_with_outputs_of_100_mb_is_refused_in_one_line_and_little_of_it_is_read(made, tmp_path):
    printed = {"output_type": "stream", "name": "stdout", "text": "x" * 10**8}
    content = made([notebooks.cell("code", "print()") | {"outputs": [printed]}])
    (tmp_path / "ada.ipynb").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "eve.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sums.ipynb", content)
    for name in ("ada.ipynb", "eve.zip"):
        with pytest.raises(
            InputError, match=r"sums\.ipynb is larger than 16,777,216 bytes; clear its outputs"
        ) as caught:
            open_submission(tmp_path / name, ["sums.py"])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"cells": 3}', b'{"cells": [3]}', b'{"cells": [{"cell_type": "code"}]}', b"[" * 10**5,
     b'{"cells": [{"cell_type": "code", "metadata": [], "source": ""}]}', b"\xff\xfe",
     b'{"cells": [{"cell_type": "code", "metadata": {}, "source": 3}]}'],
)  # fmt: skip
def test_what_is_no_notebook_is_said_in_one_line(content, tmp_path):
    (tmp_path / "ada.ipynb").write_bytes(content)
    with pytest.raises(InputError, match=r"sums\.ipynb is no notebook") as caught:
        open_submission(tmp_path / "ada.ipynb", ["sums.py"])
    assert "\n" not in str(caught.value)


def test_start_opens_every_assignment_as_a_notebook(tmp_path):
    for each in desk.available():
        written = desk.start(each.name, tmp_path / each.name, notebook=True)
        assert {path.suffix for path in written} >= {".ipynb", ".toml"}
        for path in written:
            if path.suffix == ".ipynb":
                nbformat.validate(nbformat.read(path, as_version=4))
