"""Every command in README.md, CONTRIBUTING.md and the site's pages is run, as written, by a test or a script here.

A command that is new in a document fails the first test until it is said here who runs it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOW_TO = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tutorials" / "site").rglob("*.md"))
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *HOW_TO)

#: Commands that are run here, those that take long as slow tests.
QUICK = tuple(
    f"python -m tinygrad_rnn {name}"
    for name in ("doctor", "homework list", "tasks", "tasks adding", "tutorial", "cells", "cells lstm97")
)
SLOW = (
    "python -m tinygrad_rnn graph --cell lstm",
    "python -m tinygrad_rnn flow --cells rnn,irnn,lstm:forget_bias=0,lstm:forget_bias=3,gru --steps 100",
    "python -m tinygrad_rnn flow --cells rnn,lstm,gru --seeds 5",
    "python -m tinygrad_rnn flow --theme dark --size 16:9 --format png,pdf",
    "python -m tinygrad_rnn conflict",
    "python -m tinygrad_rnn reproduce greff",
    "python -m tinygrad_rnn graph --level ops --steps 90:100",
    "python -m tinygrad_rnn graph --level rolled",
    "python -m tinygrad_rnn graph --backward",
    "python -m tinygrad_rnn graph --lang zh",
    "python -m tinygrad_rnn graph --tape --cell lstm --steps 6",
    "python -m tinygrad_rnn train --updates 2",
    ".venv/bin/pytest tests/engine -k slice",
)
#: Run one after the other, in one folder.
MODEL = (
    "python -m tinygrad_rnn train --cell gru --updates 500",
    "python -m tinygrad_rnn train --resume --updates 600",
    "python -m tinygrad_rnn sample --length 200",
    "python -m tinygrad_rnn flow --model runs/text-gru",
    "python -m tinygrad_rnn train --task adding --steps 20 --seeds 5 --until-solved",
    "python -m tinygrad_rnn runs --plot",
)
#: The same: train, and see what was learned.
LEARNED = (
    "python -m tinygrad_rnn train --task dates:attention=dot --cell gru --updates 700 --name dates",
    'python -m tinygrad_rnn translate runs/dates "Tuesday, 3 March 1987" --attention build/dates.json',
    "python -m tinygrad_rnn train --task strips:digits=3 --cell gru --updates 700 --name strips",
    "python -m tinygrad_rnn caption runs/strips --attention build/strips.json",
    "python -m tinygrad_rnn train --task series:of=co2:feed=difference --cell gru --hidden 16 --updates 400 --name co2",
    "python -m tinygrad_rnn train --task series:of=co2:feed=level --cell gru --hidden 16 --updates 400 --name level",
    "python -m tinygrad_rnn forecast runs/co2 runs/level",
    "python -m tinygrad_rnn train --task text:stateful=true --cell gru --updates 300 --name stream",
    "python -m tinygrad_rnn sample --model runs/stream --evaluate",
    "python -m tinygrad_rnn sample --model runs/stream --top-k 5",
)
#: Run where a text is called my.txt.
OWN_TEXT = (
    "python -m tinygrad_rnn graph --text my.txt",
    "python -m tinygrad_rnn train --text my.txt --updates 500",
)
#: Run with those of the page's next block, in a copy of the repository.
CLASSROOM = ('python -m pip wheel --wheel-dir wheelhouse ".[plots,render]"', "python -m venv classroom")
#: Run one after the other in a fresh environment, in a copy of the repository.
WITHOUT_MAKE = ('pip install ".[plots,render]"', "python -m tinygrad_rnn graph")
#: Needs a GPU; without one it has to say so.
ON_A_GPU = "python -m tinygrad_rnn train --device cuda"

#: Who runs a target of the Makefile.
CI = ".ci/run"
TARGETS = {
    "test": CI,
    "lint": CI,
    "test-reference": CI,
    "test-sim": CI,
    "test-ptx": CI,
    "graph": "test_make_graph_runs_from_nothing",
    "test-fast": "who works on the engine; make test runs all of it",
    "test-slow": "who releases: it runs this file, too",
    "test-peers": "who releases",
    "test-wheel": "who releases",
    "test-gpu": "who has a GPU",
    "bench": "who measures",
    "cells-table": "who adds a cell: tests/nn/test_cells_table.py finds what is missing",
    "results": "who adds a task",
    "flow": "test_a_slow_command_runs runs the command that it is",
    "docs": "who releases: tests/tutorial/test_site.py makes a small one",
    "notebooks": "who releases: tests/tutorial/test_notebooks.py makes a small one",
    "bench-gpu": "who measures on a GPU",
}
#: Who runs what else.
OTHERS = {
    'pip install ".[cuda13]"': "make test-ptx, with the tools of development",
    "make": "tests/test_makefile_help.py",
    "python -m tinygrad_rnn tutorial 01": "tests/tutorial, and each script alone as a slow test",
    "python -m tinygrad_rnn tutorial --copy mine": "tests/tutorial/test_lessons.py, and make test-wheel",
    "python -m tinygrad_rnn tutorial --notebooks build/notebooks": "make notebooks",
    "python -m tinygrad_rnn homework start hw1": "tests/homework/test_desk.py",
    "python -m tinygrad_rnn homework start hw1 --notebook": "tests/homework/test_notebooks.py",
    "python -m tinygrad_rnn homework check": "tests/homework/test_desk.py",
    "python -m tinygrad_rnn homework hint 1.2": "tests/homework/test_desk.py",
    "python -m tinygrad_rnn homework status": "tests/homework/test_desk.py",
    "python -m tinygrad_rnn homework submit --name ada": "tests/homework/test_desk.py",
    "python -m tinygrad_rnn homework build hw1 --out build/hw1": "tests/homework/test_building.py",
    "python -m tinygrad_rnn homework export hw1 --format nbgrader --out build/nbgrader": (
        "tests/homework/test_exporting.py"
    ),
    "python -m tinygrad_rnn homework verify hw1": "tests/homework/test_hw1.py",
    "python -m tinygrad_rnn homework verify hw1 --handed-out build/hw1/student": "tests/homework/test_leaking.py",
    "python -m tinygrad_rnn homework grade submissions --out grades.csv --seed 7 --late late.toml": (
        "tests/homework/test_grading.py"
    ),
    "python -m tinygrad_rnn homework grade submissions --out grades.csv --seed 7 --regrade": (
        "tests/homework/test_grading.py"
    ),
    "python -m tinygrad_rnn homework similar submissions": "tests/homework/test_similar.py",
    "python -m tinygrad_rnn homework grade submissions --out grades.csv --jobs 4 --seed 7 --require-sandbox": (
        "tests/homework/test_grading.py"
    ),
    "make graph TEXT=my.txt": "tests/test_makefile_help.py",
    "make docs DOCS_FAST=": "make docs, with the long runs of tests/tutorial",
    "python -m tinygrad_rnn flow": "test_a_slow_command_runs, with options",
    "python -m venv .venv": "make setup",
    "python -m pip wheel --no-deps .": "make test-wheel",
    'pip install ".[notebooks]"': "make notebooks",
}


def commands(document):
    """Return the commands of a document: those of its blocks, and those between backticks."""
    text = (ROOT / document).read_text(encoding="utf-8")
    fenced = re.findall(r"^```\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in fenced for line in block.splitlines()]
    lines += re.findall(r"^    (\S.*)$", prose, flags=re.MULTILINE)
    lines += re.findall(r"`([^`\n]+)`", prose)
    found = [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    return [line for line in found if re.match(r"(make|pip|python|pytest|\.venv/bin/\S+|\.ci/run)( |$)", line)]


ALL = {command: document for document in reversed(DOCUMENTS) for command in commands(document)}


def targets(command):
    return [word for word in command.split()[1:] if "=" not in word] if command.startswith("make ") else []


def test_documents_have_commands():
    assert len(ALL) > 15
    assert {"make graph", "make lint", *SLOW, *MODEL, *LEARNED, *OWN_TEXT, *CLASSROOM, *WITHOUT_MAKE} <= ALL.keys()


@pytest.mark.parametrize("command", ALL)
def test_somebody_runs_every_command_of_the_documents(command):
    run_here = {*QUICK, *SLOW, *MODEL, *LEARNED, *OWN_TEXT, *CLASSROOM, *WITHOUT_MAKE, ON_A_GPU, CI}
    if command in run_here or command in OTHERS:
        return
    assert targets(command), f"{command!r} in {ALL[command]} is run by nobody: add it to this file"
    for target in targets(command):
        assert target in TARGETS, f"make {target} in {ALL[command]} is run by nobody: add it to this file"


def test_what_is_said_to_be_run_by_the_script_is():
    script = (ROOT / CI).read_text(encoding="utf-8")
    assert set(re.findall(r"^make (\S+)$", script, re.MULTILINE)) == {name for name, by in TARGETS.items() if by == CI}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_makefile_has_every_target_that_the_documents_name():
    named = sorted({target for command in ALL for target in targets(command)})
    done = subprocess.run(["make", "--dry-run", *named], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def outside():
    """The environment of somebody who is not inside make, or inside a test of this package."""
    inherited = ("MAKE", "MFLAGS", "PYTHONPATH", "TINYGRAD_RNN")
    return {name: value for name, value in os.environ.items() if not name.startswith(inherited)}


def with_this_package():
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def run(command, folder, python=sys.executable):
    """Run a command as it is written, but for the place of Python; return what it printed."""
    words = shlex.split(command)
    places = {"python": [python], "pip": [python, "-m", "pip"], ".venv/bin/pytest": [python, "-m", "pytest"]}
    environment = with_this_package() if python == sys.executable else outside()
    done = subprocess.run(
        [*places[words[0]], *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("command", QUICK)
def test_a_quick_command_runs(tmp_path, command):
    assert run(command, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("command", SLOW)
def test_a_slow_command_runs(tmp_path, command):
    printed = run(command, ROOT if "pytest" in command else tmp_path)
    assert "written:" in printed or " passed" in printed


@pytest.mark.slow
def test_a_model_is_trained_resumed_and_used(tmp_path):
    printed = [run(command, tmp_path) for command in MODEL]
    assert "written: runs/text-gru\n" in printed[0]
    assert "written: runs/text-gru\n" in printed[1]
    assert printed[2].startswith("The ")
    assert "gru, 600 updates" in printed[3]
    assert printed[4].count("written: runs/adding-lstm.seed-") == 15
    assert "written: runs/adding.png" in printed[5]
    assert "written: runs/text.png" in printed[5]


@pytest.mark.slow
def test_what_models_learned_is_as_the_readme_says(tmp_path):
    printed = [run(command, tmp_path) for command in LEARNED]
    assert re.search(r"1987-03-03 +yes", printed[1])
    assert "1 of 1 right" in printed[1]
    assert "written: build/dates.png" in printed[1]
    assert int(re.search(r"(\d+) of 10 right", printed[3])[1]) >= 6
    assert re.search(r"gru, difference: 1 step ahead .*: below last value", printed[6])
    assert re.search(r"gru, level: 1 step ahead .*not below last value", printed[6])
    assert re.search(r"which it has not learned: [12]\.\d+ bits/char", printed[8])
    assert printed[9].startswith("The ")


@pytest.mark.slow
def test_a_text_of_ones_own_is_read(tmp_path):
    (tmp_path / "my.txt").write_text("the cat sat on the mat, and the dog sat on the cat. " * 200, encoding="utf-8")
    for command in OWN_TEXT:
        assert "written:" in run(command, tmp_path)


@pytest.mark.slow
def test_training_on_a_gpu_works_or_says_what_is_missing(tmp_path):
    words = [sys.executable, *shlex.split(ON_A_GPU)[1:], "--updates", "2"]
    done = subprocess.run(words, cwd=tmp_path, env=with_this_package(), capture_output=True, text=True, check=False)
    assert done.returncode == 0 or (done.returncode == 2 and "cuda" in done.stderr)


@pytest.fixture
def copy(tmp_path):
    """The files of the repository as somebody gets them who clones it."""
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis")
    return shutil.copytree(ROOT, tmp_path / "tinygrad_rnn", ignore=ignored)


@pytest.mark.slow
def test_the_way_without_make_works_in_a_fresh_environment(copy, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "fresh")], check=True)
    python = str(tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python")
    for command in WITHOUT_MAKE:
        printed = run(command, copy, python)
    assert "flow.html" in printed
    for name in ("lstm.svg", "stepper.html", "flow.html", "gates.png"):
        assert (copy / "build" / "graph" / name).stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the page says what differs on Windows")
def test_a_classroom_is_set_up_without_network(copy, tmp_path):
    collect, set_up = re.findall(
        r"^```\n(.*?)^```", (ROOT / "tutorials/site/howto/offline_classroom.md").read_text(), re.MULTILINE | re.DOTALL
    )
    run(collect.strip(), copy)
    room = shutil.copytree(copy / "wheelhouse", tmp_path / "room" / "wheelhouse").parent
    for line in set_up.splitlines():
        words = [str(room / word) if word.startswith("classroom/bin") else word for word in shlex.split(line)]
        words[0] = sys.executable if words[0] == "python" else words[0]
        done = subprocess.run(words, cwd=room, env=outside(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (room / "mine" / "01_a_slope_for_every_number.py").is_file()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_graph_runs_from_nothing(copy):
    done = subprocess.run(["make", "graph"], cwd=copy, env=outside(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (copy / "build" / "graph" / "flow.html").exists()
