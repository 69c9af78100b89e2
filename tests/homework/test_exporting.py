"""Exports are what other graders' documentation asks for, and these graders take them where they are installed."""

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import building, exporting, inside, notebooks
from tinygrad_rnn.homework.assignment import load
from tinygrad_rnn.homework.checks import checks_in, checks_of, checks_of_task
from tinygrad_rnn.homework.formats import FORMATS
from tinygrad_rnn.homework.judging import judge_alone
from tinygrad_rnn.homework.stubs import leaks

HW1 = Path(__file__).parents[2] / "tutorials" / "homework" / "hw1"
TINY = Path(__file__).parent / "tiny"
#: A mistake in tiny.
WRONG = ("np.add", "np.subtract")


@pytest.fixture(params=[HW1, TINY], ids=["hw1", "tiny"])
def folder(request):
    return request.param


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_has_the_same_bytes_each_time(tiny, format, tmp_path):
    files = exporting.export(tiny, format, seed=3)
    words = ["homework", "export", str(tiny), "--format", format, "--seed", "3", "--out", str(tmp_path)]
    assert main(words) == 0
    written = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert written == files == exporting.export(tiny, format, seed=3)


def test_the_repository_for_classroom_gives_points_for_the_public_checks_of_each_task(folder):
    yaml = pytest.importorskip("yaml")
    files = exporting.export(folder, "classroom")
    assignment = load(folder)
    code = [task for task in assignment.tasks if task.kind == "code"]
    tests = json.loads(files[".github/classroom/autograding.json"])["tests"]
    for test, task in zip(tests, code, strict=True):
        assert set(test) == {"name", "setup", "run", "input", "output", "comparison", "timeout", "points"}
        assert (test["points"], test["comparison"]) == (task.points, "included")
        assert test["run"].endswith(f"homework check {task.id}")
        assert test["setup"].rsplit("/")[-1] in files
    workflow = yaml.safe_load(files[".github/workflows/classroom.yml"])
    assert set(workflow) == {"name", True, "permissions", "jobs"}  # YAML reads `on` as true
    *_, report = steps = workflow["jobs"]["run-autograding-tests"]["steps"]
    graders = [step for step in steps if "command-grader@v1" in step.get("uses", "")]
    for step, task in zip(graders, code, strict=True):
        assert set(step["with"]) == {"test-name", "command", "timeout", "max-score"}
        assert step["with"]["max-score"] == task.points
        assert report["env"][step["id"].upper() + "_RESULTS"] == f"${{{{steps.{step['id']}.outputs.result}}}}"
    assert report["with"]["runners"].split(",") == [step["id"] for step in graders]
    assert files["assignment.toml"] == (folder / "assignment.toml").read_bytes()


@pytest.mark.process
def test_what_classroom_runs_in_a_students_repository_ends_as_it_asks(tiny, tmp_path):
    for name, content in exporting.export(tiny, "classroom").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    shutil.copy(tiny / "sums.py", tmp_path)
    text = (tmp_path / "sums.py").read_text()
    (tmp_path / "sums.py").write_text(text.replace("f(once)", "once"))
    runs = [each["run"] for each in json.loads((tmp_path / ".github/classroom/autograding.json").read_text())["tests"]]
    codes = [subprocess.run([sys.executable, *run.split()[1:]], cwd=tmp_path, check=False).returncode for run in runs]
    assert codes == [0, 1]


def nbgrader_notebook(folder):
    files = exporting.export(folder, "nbgrader", seed=3)
    name = load(folder).name
    content = files[f"source/{name}/{name}.ipynb"]
    return nbformat.reads(content.decode(), as_version=4), files


def test_the_notebook_for_nbgrader_has_the_metadata_that_it_asks_for(folder):
    notebook, files = nbgrader_notebook(folder)
    nbformat.validate(notebook)
    cells = [(cell, cell.metadata["nbgrader"]) for cell in notebook.cells if "nbgrader" in cell.metadata]
    for cell, told in cells:
        assert told["schema_version"] == 3
        assert told["cell_type"] == cell.cell_type
        assert {type(told[each]) for each in ("grade", "locked", "solution", "task")} == {bool}
        assert told["grade"] == ("points" in told)
        assert told["locked"] != told["solution"]
        assert ("BEGIN REFERENCE" in cell.source) <= told["solution"]
        assert ("BEGIN HIDDEN TESTS" in cell.source) == (told["grade"] and cell.cell_type == "code")
    names = [told["grade_id"] for _, told in cells]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)
    points = {task.id: task.points for task in load(folder).tasks}
    assert [told["points"] for _, told in cells if told["grade"]] == list(points.values())
    assert notebook.metadata.kernelspec.language == "python"
    assert "nbgrader_config.py" in files
    assert notebooks.code_of(nbformat.writes(notebook).encode(), load(folder).files[0]).count("BEGIN SOLUTION") > 1


def test_checks_of_a_task_are_those_and_what_they_share():
    text = (HW1 / "hidden.py").read_text()
    for task in load(HW1).tasks:
        part = checks_of_task(text, task.id) if task.kind == "code" else ""
        if part:
            own = [each.name for each in checks_of(HW1 / "hidden.py") if each.task == task.id]
            assert [each.name for each in checks_in(part)] == own
            assert "def judge_order" in part
    with pytest.raises(InputError, match="not Python"):
        checks_of_task("(", "1.1")
    with pytest.raises(InputError, match="this text has no checks"):
        checks_in("x = 1")


def namespace(text):
    names = {"__name__": "notebook"}
    exec(compile(text, "notebook", "exec"), names)
    return names


@pytest.mark.process
@pytest.mark.parametrize("folder", [pytest.param(HW1, marks=pytest.mark.slow, id="hw1"), pytest.param(TINY, id="tiny")])
def test_checks_inside_give_the_points_that_a_process_apart_gives(folder):
    """Of the reference, and of one in which a mistake was made."""
    assignment, reference = building.source_of(folder)
    hidden = (folder / "hidden.py").read_text()
    name = assignment.files[0]
    changed = reference[name].replace(*WRONG).replace("return 1 - y * y", "return 1 - x * x")
    assert changed != reference[name]
    for text in (reference[name], changed):
        apart = judge_alone(assignment, {name: text}, checks_of(folder / "hidden.py"), seed=5)
        for task in {each.task for each in apart}:
            earned = inside.points(task, namespace(text), hidden, seed=5)
            assert earned == pytest.approx(sum(each.earned for each in apart if each.task == task)), task


def test_checks_inside_say_what_is_wrong(tiny, capsys, monkeypatch):
    hidden = (tiny / "hidden.py").read_text()
    wrong = namespace((tiny / "sums.py").read_text().replace(*WRONG))
    assert inside.points("1.1", wrong, hidden) == 0
    said = capsys.readouterr().out
    assert said.startswith("drawn_sums[1]: the sum (shape 1): 1 of 1 entries differ")
    assert "this is what comes of: the difference" in said
    with pytest.raises(AssertionError, match="the sum"):
        inside.require("drawn_sums[3]", wrong, hidden)
    inside.require("drawn_functions", wrong, hidden)
    stub = namespace(building.student_files(tiny)["sums.py"].decode())
    with pytest.raises(AssertionError, match=r"^Task 1\.1: "):
        inside.require("drawn_sums[1]", stub, hidden)
    with pytest.raises(AssertionError, match="run the cell in which it is written"):
        inside.require("drawn_sums[1]", {}, hidden)
    monkeypatch.chdir(tiny)
    assert inside.points("1.2", wrong) == 6


def test_the_tests_for_otter_are_one_for_each_check_with_its_points(folder):
    files = exporting.export(folder, "otter", seed=3)
    name = load(folder).name
    nbformat.validate(nbformat.reads(files[f"student/{name}.ipynb"].decode(), as_version=4))
    for room, source in (("student", "public.py"), ("autograder", "hidden.py")):
        checks = checks_of(folder / source)
        for task in {each.task for each in checks}:
            text = files[f"{room}/tests/task-{task.replace('.', '-')}.py"].decode()
            own = [each for each in checks if each.task == task]
            assert text.count("@test_case(") == len(own)
            for each in own:
                assert f"@test_case(name={each.name!r}, points={each.points:g}, hidden={room == 'autograder'})" in text
            assert "OK_FORMAT = False" in text
            compile(text, "test", "exec")
    assert json.loads(files["autograder/otter_config.json"]) == {"lang": "python", "show_hidden": False}
    requirement = files["autograder/requirements.txt"].decode().strip()
    assert f"autograder/{requirement.rsplit('/')[-1]}" in files


def test_nothing_of_a_solution_is_in_what_students_get_of_an_export(folder):
    _, reference = building.source_of(folder)
    hidden = {each.function.__name__ for each in checks_of(folder / "hidden.py")}
    otter = {name: text for name, text in exporting.export(folder, "otter").items() if name.startswith("student/")}
    classroom = exporting.export(folder, "classroom")
    for name, content in (otter | classroom).items():
        text = content.decode("utf-8", errors="replace").replace("\\n", "\n").replace('\\"', '"')
        if not name.endswith(".whl"):  # an engine of its own has a few of the same lines
            assert not leaks(reference.values(), [], {"a.py": text.encode()}), name
        assert not [each for each in hidden if f"def {each}(" in text], name


def test_an_assignment_of_two_files_is_no_notebook(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "two")
    told = (folder / "assignment.toml").read_text()
    (folder / "assignment.toml").write_text(told.replace('["sums.py"]', '["sums.py", "more.py"]'))
    (folder / "more.py").write_text("")
    for format in ("nbgrader", "otter"):
        with pytest.raises(InputError, match=r"written in sums\.py and more\.py"):
            exporting.export(folder, format)


def tool(name, *words, cwd):
    """Run a grader's command, where it is installed beside this Python."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    program = Path(sys.executable).parent / name
    done = subprocess.run([program, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.process
def test_nbgrader_itself_makes_the_assignment_and_grades_it(tiny, tmp_path):
    notebook, files = nbgrader_notebook(tiny)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "nbgrader_config.py").open("a") as config:
        config.write('c.CourseDirectory.course_id = "course"\n')
    tool("nbgrader", "generate_assignment", "tiny", cwd=tmp_path)
    released = nbformat.read(tmp_path / "release" / "tiny" / "tiny.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in released.cells)
    assert "### BEGIN SOLUTION 1.1" in text
    assert "raise NotImplementedError()" in text
    assert not any(each in text for each in ("np.add", "drawn_sums", "HIDDEN", "REFERENCE"))

    wrong = nbformat.writes(notebook).replace(*WRONG)
    for name, content in {"ada": nbformat.writes(notebook), "bob": wrong, "eve": nbformat.writes(released)}.items():
        shutil.copytree(tmp_path / "release" / "tiny", tmp_path / "submitted" / name / "tiny")
        (tmp_path / "submitted" / name / "tiny" / "tiny.ipynb").write_text(content)
    tool("nbgrader", "autograde", "tiny", cwd=tmp_path)
    tool("nbgrader", "export", cwd=tmp_path)
    with (tmp_path / "grades.csv").open() as table:
        points = {
            row["student_id"]: (float(row["raw_score"]), float(row["max_score"])) for row in csv.DictReader(table)
        }
    assert points == {"ada": (10, 12), "bob": (6, 12), "eve": (0, 12)}


@pytest.mark.slow
@pytest.mark.process
def test_otter_itself_makes_its_grader_and_grades(tiny, tmp_path):
    for name, content in exporting.export(tiny, "otter", seed=3).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    room = tmp_path / "autograder"
    (wheel,) = [path.name for path in room.glob("*.whl")]
    words = ("-t", "tests", "-c", "otter_config.json", "-r", "requirements.txt", "-o", "autograder.zip")
    tool("otter", "generate", *words, wheel, cwd=room)
    given = (tmp_path / "student" / "tiny.ipynb").read_text()
    stub = [building.student_files(tiny)["sums.py"].decode(), (tiny / "sums.py").read_text()]
    told = json.loads(given)
    parts = [{part.split("(")[0]: part for part in notebooks.split(text)} for text in stub]
    for cell in told["cells"]:
        cell["source"] = parts[1].get(cell["source"].split("(")[0], cell["source"])
    right = json.dumps(told)
    points = {}
    for name, content in {"right": right, "wrong": right.replace(*WRONG), "stub": given}.items():
        (tmp_path / "student" / f"{name}.ipynb").write_text(content)
        tool("otter", "run", f"{name}.ipynb", "-a", str(room / "autograder.zip"), cwd=tmp_path / "student")
        results = json.loads((tmp_path / "student" / "results.json").read_text())["tests"]
        points[name] = sum(each.get("score", 0) for each in results)
    assert points == {"right": 10, "wrong": 6, "stub": 0}
