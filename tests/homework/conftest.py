"""A small assignment, which is not one of the project's: what homework/ does, it has to do for others' as well."""

from pathlib import Path

import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.homework import building, desk
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.judging import judge

TINY = Path(__file__).parent / "tiny"


@pytest.fixture
def tiny():
    return TINY


@pytest.fixture
def at_desk(tiny, tmp_path, monkeypatch):
    """The tiny assignment, built and started in tiny/."""
    building.build(tiny, tmp_path / "built")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.setattr(desk, "ASSIGNMENTS", tmp_path / "packaged")
    (tmp_path / "built" / "student").rename(tmp_path / "built" / "tiny")
    (tmp_path / "packaged").symlink_to(tmp_path / "built")
    assert main(["homework", "start", "tiny"]) == 0
    return tmp_path / "mine" / "tiny"


@pytest.fixture(scope="session")
def points():
    """Return a function: the points per task of solutions of 1.1, 1.2 and what is a student's own, and the messages."""
    assignment, reference = building.source_of(TINY)
    checks = checks_of(TINY / "hidden.py")
    right = {"1.1": "    return a + b", "1.2": "    return f(f(x))", "YOURS": ""}

    def judged(patience=20.0, only=None, **bodies):
        given = right | {{"add": "1.1", "twice": "1.2", "yours": "YOURS"}[name]: text for name, text in bodies.items()}
        text = (
            f"import numpy as np\n### BEGIN YOURS\n{given['YOURS']}\n### END YOURS\n"
            f"def add(a, b):\n    ### BEGIN SOLUTION 1.1\n{given['1.1']}\n    ### END SOLUTION 1.1\n"
            f"def twice(f, x):\n    ### BEGIN SOLUTION 1.2\n{given['1.2']}\n    ### END SOLUTION 1.2\n"
        )
        results = judge(assignment, reference, {"sums.py": text}, checks, patience=patience, only=only)
        earned = [sum(each.earned for each in results if each.task == task) for task in ("1.1", "1.2")]
        return earned, " | ".join(dict.fromkeys(each.message for each in results if each.message))

    return judged
