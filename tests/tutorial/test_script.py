"""A tutorial's file: cells, headers, prose; what is wrong in one is said with its line. jupytext reads the same."""

import pytest

from tests.tutorial.conftest import LESSONS, TINY
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tutorial.script import check_places, parse


def test_a_script_becomes_cells_with_their_roles_and_lines():
    text = TINY.read_text(encoding="utf-8")
    cells = parse(text)
    assert [cell.role for cell in cells] == [
        "prose", "question", "hint", "hint", "code", "prose", "question", "code", "exercise", "hint", "solution",
        "solution", "exercise", "solution", "prose",
    ]  # fmt: skip
    assert cells[0].source.startswith("# 01 Half of a half\n\n*How often")
    assert cells[4].keep == ("sizes", "halvings")
    for cell in cells:
        assert text.splitlines()[cell.line - 1].removeprefix("# ") == cell.source.splitlines()[0]
    check_places(cells)


@pytest.mark.parametrize("path", [TINY, LESSONS / "zh" / "01_tiny.py"], ids=["en", "zh"])
def test_jupytext_reads_and_writes_the_same_cells(path):
    jupytext = pytest.importorskip("jupytext")
    text = path.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    read = [(cell.cell_type, cell.source, {k: v for k, v in cell.metadata.items() if k != "lines_to_next_cell"})
            for cell in notebook.cells]  # fmt: skip
    assert read == [(cell.kind, cell.source, cell.attributes) for cell in parse(text)]
    written = jupytext.writes(notebook, fmt="py:percent")  # after a header of its own, and with letters as \\u53d8
    again = parse(written[written.index("# %%") :])
    assert [(c.source, c.attributes) for c in again] == [(c.source, c.attributes) for c in parse(text)]


def test_quotes_in_a_header_are_escaped():
    (cell,) = parse('# %% [markdown] question="number" answer="len(\\"abc\\")"\n# How long?')
    assert cell.question.answer == 'len("abc")'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import numpy\n# %%\n", "begins with a cell"),
        ("", "begins with a cell"),
        ("# %% [markdown] minutes=20\n# x", "line 1: .* is no header"),
        ('# %% [markdown] minuets="20"\n# x', "line 1: a markdown cell has no 'minuets'"),
        ('# %% exercise="1"\nx', "a code cell has no 'exercise'"),
        ("# %% [markdown]\n# x\nprint()", "line 3: a line of prose begins with '# '"),
        ('# %% [markdown] question="text" answer="1"\n# x', 'line 1: question="text" is not known'),
        ('# %% [markdown] question="number"\n# x', "is no Python expression"),
        ('# %% [markdown] question="number" answer="x ="\n# x', "is no Python expression"),
        ('# %% [markdown] question="choice" answer="1" options="one"\n# x', "two or more"),
        ('# %% [markdown] question="number" answer="1" tolerance="2%"\n# x', 'tolerance="2%" is not understood'),
        ('# %% seconds="soon"\nx', "line 1: could not convert"),
        ('# %%\nx\n# %% [markdown] hint="1"\n# x', "line 3: a hint follows a question or an exercise"),
        ('# %%\nx\n\n# %% solution="1"\nx', "line 4: a solution follows an exercise"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_script_is_said_with_its_line(text, said):
    with pytest.raises(InputError, match=said):
        check_places(parse(text))
