"""hw6a: what its training finds does not hang on the luck of a draw."""

from pathlib import Path

import pytest

from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.judging import judge

FOLDER = Path(__file__).parents[2] / "tutorials" / "homework" / "hw6a"


@pytest.mark.slow
@pytest.mark.process
def test_a_right_training_with_bad_luck_once_begins_with_another_model():
    assignment, reference = building.source_of(FOLDER)
    checks = [each for each in checks_of(FOLDER / "hidden.py") if each.name == "dates_on_its_own"]
    (found,) = judge(assignment, reference, reference, checks, only="6.4", seed=6)
    assert found.message == ""
