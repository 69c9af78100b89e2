"""A small assignment, which is not one of the project's: what homework/ does, it has to do for others' as well."""

from pathlib import Path

import pytest

from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.judging import judge

TINY = Path(__file__).parent / "tiny"


@pytest.fixture
def tiny():
    return TINY


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
