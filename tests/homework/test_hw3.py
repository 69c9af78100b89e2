"""Homework 3: its script draws what the student's functions send back, and asks an engine of homework 1 as well."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_rnn.homework import building

ROOT = Path(__file__).parents[2]
HW1, HW3 = (ROOT / "tutorials" / "homework" / name for name in ("hw1", "hw3"))


@pytest.mark.slow
@pytest.mark.process
def test_what_the_students_step_sends_back_is_drawn_and_compared_with_the_engine_of_homework_1(tmp_path):
    for name, content in building.student_files(HW3).items():
        (tmp_path / name).write_bytes(content)

    def show():
        return subprocess.run([sys.executable, "show.py"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert show().stderr.startswith("it takes all functions: Task 3.")
    shutil.copy(HW3 / "bptt.py", tmp_path)
    done = show()
    assert "after 100 updates it writes hello" in done.stdout, done.stderr
    assert "trained: the gradient of the last of 30 letters vanishes" in done.stdout
    assert "homework 1" not in done.stdout
    picture = (tmp_path / "hello.svg").read_text()
    assert picture.count("h = step") == 4
    assert (tmp_path / "vanishing.svg").stat().st_size > 1000

    shutil.copy(HW1 / "engine.py", tmp_path)
    assert "by your engine of homework 1: dh is the same" in show().stdout
    assert (tmp_path / "ops.svg").read_text().count("h = tanh") == 4
    wrong = (HW3 / "bptt.py").read_text().replace("da @ W.T", "da @ W")
    (tmp_path / "bptt.py").write_text(wrong)
    assert "one of the two is wrong" in show().stdout
