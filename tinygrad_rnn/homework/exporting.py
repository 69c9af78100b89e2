"""An assignment for other people's graders: Gradescope, GitHub Classroom, nbgrader and Otter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import building, gradescope, notebooks
from tinygrad_rnn.homework.assignment import Assignment, Task
from tinygrad_rnn.homework.checks import PUBLIC, checks_in, checks_of_task, text_of
from tinygrad_rnn.homework.marks import YOURS, lines_of, regions_of
from tinygrad_rnn.homework.packing import wheel
from tinygrad_rnn.homework.stubs import make_stub

__all__ = ["export"]


def export(folder: Path, format: str, seed: int = 0) -> dict[str, bytes]:
    """Return the files of an assignment as another grader takes it, by their paths.

    Args:
        folder: where the assignment is.
        format: one of `formats.FORMATS`.
        seed: what hidden checks draw from.

    Raises:
        InputError: something of the assignment is wrong, the format has no room for it, or the package was never
            installed.
    """
    return dict(sorted(_WRITERS[format](folder, seed).items()))


def _gradescope(folder: Path, seed: int) -> dict[str, bytes]:
    return {"autograder.zip": gradescope.autograder(folder, seed)}


_WORKFLOW = """name: Autograding Tests
on:
  - push
  - repository_dispatch
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  run-autograding-tests:
    runs-on: ubuntu-latest
    if: github.actor != 'github-classroom[bot]'
    steps:
      - name: Checkout code
        uses: actions/checkout@v4
      - name: Python
        uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Install
        run: {setup}
"""
_STEP = """      - name: {name}
        id: {id}
        uses: classroom-resources/autograding-command-grader@v1
        with:
          test-name: {name}
          command: {run}
          timeout: 10
          max-score: {points:g}
"""
_REPORT = """      - name: Autograding Reporter
        uses: classroom-resources/autograding-grading-reporter@v1
        env:
{results}
        with:
          runners: {runners}
"""


def _classroom(folder: Path, seed: int) -> dict[str, bytes]:
    """A repository for each student: the public checks in it decide, since all that is in it can be read."""
    assignment, _ = building.source_of(folder)
    name, content = wheel()
    setup = f"python -m pip install ./{name}"
    tests, steps, results = [], [], []
    tasks = [task for task in assignment.tasks if task.kind == "code"]
    for task in tasks:
        title, run = json.dumps(_title(task)), f"python -m tinygrad_rnn homework check {task.id}"
        test = {"name": _title(task), "setup": setup, "run": run, "input": "", "output": "", "comparison": "included"}
        tests.append(
            test | {"timeout": 10, "points": int(task.points) if task.points == int(task.points) else task.points}
        )
        steps.append(_STEP.format(name=title, id=_id(task), run=run, points=task.points))
        results.append(f'          {_id(task).upper()}_RESULTS: "${{{{steps.{_id(task)}.outputs.result}}}}"')
    report = _REPORT.format(results="\n".join(results), runners=",".join(map(_id, tasks)))
    return building.student_files(folder) | {
        name: content,
        ".github/classroom/autograding.json": (json.dumps({"tests": tests}, indent=2) + "\n").encode(),
        ".github/workflows/classroom.yml": (_WORKFLOW.format(setup=setup) + "".join(steps) + report).encode(),
    }


_CONFIG = """# A part of nbgrader_config.py: the marks of solutions stay in what students get, so that
# `tinygrad-rnn homework grade` can take their notebooks, too.
c = get_config()
c.ClearSolutions.begin_solution_delimeter = "BEGIN REFERENCE"
c.ClearSolutions.end_solution_delimeter = "END REFERENCE"
"""


def _nbgrader(folder: Path, seed: int) -> dict[str, bytes]:
    """A source notebook with the reference, hidden tests and points, from which nbgrader makes what students get."""
    assignment, reference, hidden = _single(folder)
    name = assignment.files[0]
    cells = [notebooks.cell("markdown", f"# {assignment.name}: {assignment.title['en']}\n\nRead text.md. {_BETWEEN}")]
    for each in notebooks.cells_of(_doubled(reference), name):
        regions = [found for found in regions_of(each["source"]) if found != YOURS]
        role = _role(f"write-{'-'.join(regions).replace('.', '-')}" if regions else f"given-{len(cells)}")
        own = "### BEGIN " in each["source"]
        each["metadata"]["nbgrader"] = role | {"solution": own, "locked": not own}
        cells.append(each)
    for task in assignment.tasks:  # after all code: what is given may stand below what is to be written
        if task.kind == "code":
            more: dict[str, Any] = {"grade": True, "locked": True, "points": task.points}
            cells.append(notebooks.cell("code", _test(task, hidden, seed), nbgrader=_role(f"test-{_id(task)}") | more))
        else:
            text = f"**{_title(task)}** ({task.points:g} points). The questions are in written.md; answer here."
            more = {"grade": True, "solution": True, "points": task.points, "cell_type": "markdown"}
            cells.append(notebooks.cell("markdown", text, nbgrader=_role(f"answer-{_id(task)}") | more))
    room = f"source/{assignment.name}"
    others = {f"{room}/{each}": content for each, content in building.student_files(folder).items() if each != name}
    return others | {
        f"{room}/{assignment.name}.ipynb": notebooks.notebook(cells),
        "nbgrader_config.py": _CONFIG.encode(),
    }


def _role(name: str) -> dict[str, Any]:
    about = {"schema_version": 3, "grade_id": name, "cell_type": "code", "task": False}
    return about | {"grade": False, "solution": False, "locked": False}


def _doubled(reference: str) -> str:
    """Return the reference with nbgrader's marks inside ours."""
    lines = lines_of(reference)
    for name, region in reversed(regions_of(reference).items()):
        if name != YOURS:
            lines.insert(region.end, f"{region.indent}### END REFERENCE\n")
            lines.insert(region.begin + 1, f"{region.indent}### BEGIN REFERENCE\n")
    return "".join(lines)


def _test(task: Task, hidden: str, seed: int) -> str:
    return (
        f"# {_title(task)}: what is wrong, and the points\n"
        "from tinygrad_rnn.homework.inside import points\n"
        f'earned = points("{task.id}", globals())\n'
        "### BEGIN HIDDEN TESTS\n"
        f'earned = points("{task.id}", globals(), {_quoted(checks_of_task(hidden, task.id))}, seed={seed})\n'
        "### END HIDDEN TESTS\n"
        "earned"
    )


_OTTER_TESTS = """\"\"\"{title}\"\"\"

from otter.test_files import test_case

from tinygrad_rnn.homework.inside import require

OK_FORMAT = False
name = "{id}"
CHECKS = {checks}
"""
_OTTER_CASE = """

@test_case(name={name!r}, points={points:g}, hidden={hidden})
def test_{number}(env):
    require({name!r}, env, CHECKS, seed={seed})
"""


def _otter(folder: Path, seed: int) -> dict[str, bytes]:
    """What students get, with a notebook and the public tests, and what `otter generate` makes a grader of."""
    assignment, reference, hidden = _single(folder)
    stub = make_stub(reference, assignment)
    given = building.student_files(folder)
    public = given[PUBLIC].decode()
    cells = [
        notebooks.cell("markdown", f"# {assignment.name}: {assignment.title['en']}\n\nRead text.md. {_BETWEEN}"),
        notebooks.cell("code", f'import otter\n\ngrader = otter.Notebook("{assignment.name}.ipynb")'),
    ]
    files = {f"student/{each}": content for each, content in given.items() if each not in assignment.files}
    cells += notebooks.cells_of(stub, assignment.files[0])
    for task in assignment.tasks:
        if task.kind == "code":
            cells.append(notebooks.cell("code", f'grader.check("{_id(task)}")'))
            for room, checks, drawn in (("student", public, 0), ("autograder", hidden, seed)):
                text = _otter_tests(task, checks_of_task(checks, task.id), drawn, room == "autograder")
                files[f"{room}/tests/{_id(task)}.py"] = text.encode()
    cells.append(notebooks.cell("code", "grader.export(pdf=False, run_tests=True)"))
    name, content = wheel()
    return files | {
        f"student/{assignment.name}.ipynb": notebooks.notebook(cells),
        "autograder/otter_config.json": b'{\n  "lang": "python",\n  "show_hidden": false\n}\n',
        "autograder/requirements.txt": f"tinygrad-rnn @ file:///autograder/source/files/{name}\n".encode(),
        f"autograder/{name}": content,
    }


def _otter_tests(task: Task, checks: str, seed: int, hidden: bool) -> str:
    text = _OTTER_TESTS.format(title=_title(task).replace('"', "'"), id=_id(task), checks=_quoted(checks))
    for number, each in enumerate(check for check in checks_in(checks) if check.task == task.id):
        text += _OTTER_CASE.format(name=each.name, points=each.points, hidden=hidden, number=number, seed=seed)
    return text


_BETWEEN = "Write between the marks; cells that you add are your own."


def _single(folder: Path) -> tuple[Assignment, str, str]:
    assignment, reference = building.source_of(folder)
    if len(assignment.files) > 1:
        files = " and ".join(assignment.files)
        raise InputError(f"{assignment.name} is written in {files}, and a notebook of this format holds one file")
    return assignment, reference[assignment.files[0]], text_of(folder / building.HIDDEN)


def _title(task: Task) -> str:
    return f"{task.id} {task.title['en']}"


def _id(task: Task) -> str:
    return f"task-{task.id.replace('.', '-')}"


def _quoted(text: str) -> str:
    """Return a text as Python has it, so that it can be read."""
    for quotes in ("'''", '"""'):
        if quotes not in text and not text.endswith(quotes[0]):
            return f"r{quotes}{text}{quotes}"
    return repr(text)


_WRITERS: Mapping[str, Callable[[Path, int], dict[str, bytes]]] = {
    "gradescope": _gradescope,
    "classroom": _classroom,
    "nbgrader": _nbgrader,
    "otter": _otter,
}
