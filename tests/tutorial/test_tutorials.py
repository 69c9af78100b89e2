"""Every tutorial: runs alone, keeps to the form that the others have, is translated, and can be left and taken up."""

import builtins
import os
import subprocess
import symtable
import sys
from pathlib import Path

import pytest

from tests.tutorial.conftest import TINY
from tests.tutorial.resuming import left_and_taken_up
from tinygrad_rnn.tutorial import all_lessons, find
from tinygrad_rnn.tutorial.lessons import open_lesson
from tinygrad_rnn.tutorial.steps import steps_of

ROOT = Path(__file__).parents[2]
#: Seconds that a tutorial may take in a hurry, on a machine that does other things as well.
PATIENCE = 300
LESSONS = {lesson.name: lesson for lesson in all_lessons()}
each = pytest.mark.parametrize("name", LESSONS)

#: Of a cell of code; of a tutorial without its exercises.
MOST_LINES, MOST_STEPS = 34, 18


@each
def test_a_tutorial_has_the_form_of_all(name):
    lesson = LESSONS[name]
    first, *cells = lesson.cells
    title, _, rest = first.source.partition("\n\n")
    assert title.startswith(f"# {name[:2]} ")
    assert rest.startswith("*")
    assert rest.partition("\n\n")[0].endswith("?*"), "below the title is the question of the tutorial"
    assert lesson.minutes > 0
    assert first.seconds > 0
    roles = [cell.role for cell in cells]
    assert roles.count("exercise") == 2
    assert "question" in roles
    assert len(steps_of(lesson.cells)) - 2 <= MOST_STEPS
    for cell in cells:
        if cell.is_code:
            assert "assert " in cell.source, f"the code in line {cell.line} checks nothing"
            assert len(cell.source.splitlines()) <= MOST_LINES, f"the code in line {cell.line} is long"
        if cell.role == "exercise":
            following = [each.role for each in cells[cell.number - 1 :]]
            assert next(role for role in following if role != "hint") == "solution"


def tables(source):
    """Return the tables of names of some code: its own first, then those of the functions in it."""
    waiting = [symtable.symtable(source, "cell", "exec")]
    for table in waiting:
        waiting += table.get_children()
    return waiting


def bound(source):
    """Return the names that code binds for the cells after it."""
    symbols = tables(source)[0].get_symbols()
    return {each.get_name() for each in symbols if each.is_assigned() or each.is_imported() or each.is_namespace()}


def read(source):
    """Return the names that code takes from elsewhere, or from itself."""
    own, *inside = tables(source)
    found = {each.get_name() for each in own.get_symbols() if each.is_referenced()}
    found |= {each.get_name() for table in inside for each in table.get_symbols() if each.is_global()}
    return found - set(dir(builtins))


@each
def test_answers_are_there_when_they_are_needed(name):
    known, asked, solved = set(), [], set()
    for cell, following in zip(LESSONS[name].cells, [*LESSONS[name].cells[1:], None], strict=True):
        if cell.question is not None:
            asked.append(cell)
        if cell.role == "code":
            known |= bound(cell.source)
        elif cell.is_code:
            solved |= bound(cell.source)
        if cell.role == "code" or (cell.role == "solution" and (following is None or following.role != "solution")):
            for each in asked:
                missing = read(each.question.answer) - known - solved
                assert not missing, f"line {each.line - 1}: {missing} is not there after the cell of code that follows"
            asked, solved = [], set()


@each
def test_what_later_cells_need_is_kept(name):
    code = [cell for cell in LESSONS[name].cells if cell.is_code]
    for at, cell in enumerate(code):
        if not cell.keep:
            continue
        made = bound(cell.source)
        assert set(cell.keep) <= made, f"the code in line {cell.line} does not make what it keeps"
        lost = made - set(cell.keep)
        for later in code[at + 1 :]:
            needed = (read(later.source) - bound(later.source)) & lost
            assert not needed, f"{needed}, needed in line {later.line}, is not kept by the code in line {cell.line}"


@each
def test_a_translation_has_the_same_cells(name):
    translated = open_lesson(LESSONS[name].path, "zh")
    if translated.missing == "untranslated":
        pytest.skip("is not translated yet")
    assert translated.missing is None


def run_alone(folder, *words):
    """Run Python in a hurry, in a process and a folder of its own; nothing may fail."""
    settings = {"TINYGRAD_RNN_FAST": "1", "TINYGRAD_RNN_PICTURES": str(folder / "pictures"), "MPLBACKEND": "agg"}
    settings["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
@pytest.mark.process
@each
def test_a_tutorial_runs_alone(name, tmp_path):
    done = run_alone(tmp_path, str(LESSONS[name].path))
    assert done.stdout.count("picture: ") == LESSONS[name].path.read_text(encoding="utf-8").count("viz.show(")
    assert [path.name for path in tmp_path.iterdir()] in ([], ["pictures"])


@pytest.mark.slow
@pytest.mark.process
@each
def test_a_tutorial_can_be_left_and_taken_up_again(name, tmp_path):
    run_alone(tmp_path, "-m", "tests.tutorial.resuming", str(LESSONS[name].path))


def test_the_small_one_can(monkeypatch):
    assert "thirds" not in left_and_taken_up(find(str(TINY))).names
