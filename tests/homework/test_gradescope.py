"""The zip for Gradescope: it grades there with nothing but what is in it, and says so in Gradescope's words."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.homework import building, gradescope
from tinygrad_rnn.homework.assignment import load
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.desk import available
from tinygrad_rnn.homework.packing import wheel

#: What Gradescope's documentation says of results.json.
NUMBER = {"type": "number", "minimum": 0}
SEEN = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
WRITTEN_AS = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
TEST = {
    "type": "object", "additionalProperties": False, "required": ["name", "score", "max_score", "output", "visibility"],
    "properties": {
        "score": NUMBER, "max_score": NUMBER, "status": {"enum": ["passed", "failed"]}, "name": {"type": "string"},
        "name_format": WRITTEN_AS, "number": {"type": "string"}, "output": {"type": "string"},
        "output_format": WRITTEN_AS, "tags": {"type": "array"}, "visibility": SEEN, "extra_data": {"type": "object"},
    },
}  # fmt: skip
RESULTS = {
    "type": "object", "additionalProperties": False, "required": ["score", "tests"],
    "properties": {
        "score": NUMBER, "execution_time": NUMBER, "output": {"type": "string"}, "output_format": WRITTEN_AS,
        "test_output_format": WRITTEN_AS, "test_name_format": WRITTEN_AS, "visibility": SEEN,
        "stdout_visibility": SEEN, "extra_data": {"type": "object"}, "tests": {"type": "array", "items": TEST},
        "leaderboard": {"type": "array"},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def archive():
    tiny = Path(__file__).parent / "tiny"
    return gradescope.autograder(tiny, seed=3, visibility="visible")


@pytest.fixture
def machine(archive, tmp_path):
    """Gradescope's folders, with the package unpacked where setup.sh would install it."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(tmp_path / "source")
    packed = next((tmp_path / "source").glob("*.whl"))
    with zipfile.ZipFile(packed) as opened:
        opened.extractall(tmp_path / "installed")
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "installed"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for name in ("submission", "results"):
        (tmp_path / name).mkdir()
    return tmp_path


def graded(machine):
    """Run the grader as Gradescope does: a copy of it, outside of the folder of sources."""
    shutil.copy(machine / "source" / "run_autograder", machine / "run_autograder")
    environment = {"AUTOGRADER_ROOT": str(machine), "PATH": os.defpath}
    words = ["bash", "run_autograder"]
    done = subprocess.run(words, cwd=machine, env=environment, capture_output=True, text=True, check=False)
    return json.loads((machine / "results" / "results.json").read_text()), done.stderr


def valid(found):
    import jsonschema

    jsonschema.validate(found, RESULTS)
    return found


def test_the_zip_has_its_scripts_at_the_top_and_nothing_that_is_not_needed(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = opened.namelist()
        modes = {name: stat.S_IMODE(opened.getinfo(name).external_attr >> 16) for name in names}
    assert names == [
        "assignment/assignment.toml", "assignment/hidden.py", "assignment/sums.py", "run_autograder", "setup.sh",
        wheel()[0],
    ]  # fmt: skip
    assert modes["run_autograder"] == modes["setup.sh"] == 0o755
    assert modes["assignment/hidden.py"] == 0o644


@pytest.mark.parametrize("name", [each.name for each in available()])
def test_all_checks_are_over_before_gradescope_ends_them_also_where_none_comes_to_an_end(name):
    checks = checks_of(building.find_source(name) / "hidden.py")
    patience = gradescope.patience_for(checks)
    again = [max(each.times for each in checks if each.task == task) for task in {each.task for each in checks}]
    assert patience >= 5
    assert patience * (sum(each.times for each in checks) + 3 * sum(again)) < 10 * 60


def test_the_zip_has_the_same_bytes_each_time(archive, tiny, tmp_path):
    assert gradescope.autograder(tiny, seed=3, visibility="visible") == archive
    assert main(["homework", "build", str(tiny), "--out", str(tmp_path), "--seed", "3", "--visibility", "visible"]) == 0
    assert (tmp_path / "autograder.zip").read_bytes() == archive


@pytest.mark.process
def test_a_submission_gets_its_points_and_messages_there(machine, tiny):
    text = (tiny / "sums.py").read_text().replace("np.add", "np.subtract")
    (machine / "submission" / "mine").mkdir()  # as when a folder was zipped
    (machine / "submission" / "mine" / "sums.py").write_text(text)
    found, said = graded(machine)
    assert valid(found)["score"] == 6, said
    assert [(each["number"], each["score"], each["max_score"], each["status"]) for each in found["tests"]] == [
        ("1.1", 0, 2, "failed"), ("1.1", 0, 2, "failed"), ("1.2", 6, 6, "passed"),
    ]  # fmt: skip
    assert "this is what comes of: the difference" in found["tests"][0]["output"]
    assert found["tests"][0]["visibility"] == "visible"
    assert stat.S_IMODE((machine / "source").stat().st_mode) & 0o077 == 0


@pytest.mark.process
def test_what_is_no_submission_and_a_grader_that_fails_are_told(machine, tiny):
    found, said = graded(machine)
    assert valid(found)["score"] == 0
    assert found["output"] == "there is no sums.py in it", said
    (machine / "source" / "assignment" / "hidden.py").write_text("(")
    found, _ = graded(machine)
    assert valid(found | {"tests": []})["score"] == 0
    assert "the grader itself failed" in found["output"]


def test_points_of_a_person_are_not_among_the_results(tiny):
    told = {"note": "", "results": [], "points": {"1.1": 1.25, "1.2": 0.0}}
    assert valid(gradescope.results(load(tiny), told, "hidden", 1.0))["score"] == 1.25


def test_the_wheel_is_one(tmp_path):
    name, content = wheel()
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        names = opened.namelist()
        about = next(each for each in names if each.endswith("/RECORD"))
        listed = [line.rsplit(",", 2)[0] for line in opened.read(about).decode().splitlines()]
        assert b"Requires-Dist: numpy" in opened.read(about.replace("RECORD", "METADATA"))
    assert sorted(listed) == names
    assert "tinygrad_rnn/homework/worker.py" in names
    assert not [each for each in names if each.endswith((".pyc", "hidden.py", "rubric.md"))]
    (tmp_path / name).write_bytes(content)
    words = ["install", "--no-deps", "--no-index", "--target", str(tmp_path / "at"), str(tmp_path / name)]
    subprocess.run([sys.executable, "-m", "pip", "-q", *words], check=True, capture_output=True)
    assert (tmp_path / "at" / "tinygrad_rnn" / "homework" / "assignments" / "hw1" / "engine.py").is_file()
