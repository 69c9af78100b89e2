"""Before students see it: the reference is right, the stub is empty, nothing leaks, and every known mistake is seen."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.assignment import Assignment
from tinygrad_rnn.homework.checks import PUBLIC, Check, checks_of
from tinygrad_rnn.homework.judging import Result, judge, judge_alone
from tinygrad_rnn.homework.leaking import hidden_lines
from tinygrad_rnn.homework.marks import lines_of, regions_of, task_of
from tinygrad_rnn.homework.stubs import leaks
from tinygrad_rnn.tasks.corpus import shown

__all__ = ["verify"]

#: What stands in a stub in place of a solution.
_RAISED = re.compile(r"^( +)raise NotImplementedError\(.*\)$", re.MULTILINE)


def verify(folder: Path, seed: int = 0, patience: float = 20.0) -> Iterator[tuple[str, str]]:
    """Yield what was looked at, and what is wrong with it: "" where nothing is.

    A mutant and an alternative are judged task by task with the reference around them, as a student's file is: what a
    mutant does to other tasks can only come from lines outside its own region, and those are compared.

    Args:
        folder: where the assignment is.
        seed: what the checks draw from.
        patience: the seconds that a check may take.

    Raises:
        InputError: the assignment cannot be read, or its marks are wrong.
    """
    assignment, reference = building.source_of(folder)
    hidden, public = (checks_of(folder / name) for name in (building.HIDDEN, PUBLIC))
    yield "points of the checks", "; ".join(_points(assignment, hidden) + _points(assignment, public))
    yield (
        "the reference has all points",
        _lost(judge_alone(assignment, reference, hidden, seed=seed, patience=patience)),
    )
    yield "the reference passes the public checks", _lost(judge_alone(assignment, reference, public, patience=patience))

    student = building.student_files(folder)
    stub = {name: student[name].decode() for name in assignment.files}
    yield "the stub has none", _not_missing(judge(assignment, reference, stub, hidden, seed=seed, patience=patience))

    empty = {name: _RAISED.sub(r"\1return None", text) for name, text in stub.items()}
    found = judge(assignment, reference, empty, hidden, seed=seed, patience=patience, more=1.0)
    earned = [f"{each.task} {each.check} passes" for each in found if each.earned]
    yield "an answer that is always None has none", "; ".join(earned)

    yield "nothing leaks", "; ".join(leaks(reference.values(), [hidden_lines(folder)], student))

    for name, task, files in _mutants(folder, reference):
        own = judge(assignment, reference, files, hidden, seed=seed, patience=patience, only=task, more=1.0)
        problem = "" if any(not each.earned for each in own) else "it keeps all its points: no check sees it"
        yield f"mistake of {task}: {name}", problem or _elsewhere(reference, files, task)
    for place in sorted((folder / "alternatives").glob("*/")):
        files = building.read_files(place, assignment.files)
        yield (
            f"another right solution: {place.name}",
            _lost(judge(assignment, reference, files, hidden, seed=seed, patience=patience)),
        )


def _points(assignment: Assignment, checks: list[Check]) -> list[str]:
    wrong = []
    for task in assignment.tasks:
        points = sum(each.points for each in checks if each.task == task.id)
        if task.kind == "code" and abs(points - task.points) > 1e-9:
            wrong.append(f"{task.id} is worth {task.points:g}, and its checks {points:g}")
    known = {task.id for task in assignment.tasks}
    return wrong + [
        f"{each.name} is about task {each.task}, which is none" for each in checks if each.task not in known
    ]


def _lost(results: list[Result]) -> str:
    return "; ".join(f"{each.task} {each.check}: {each.message}" for each in results if not each.earned)


def _not_missing(results: list[Result]) -> str:
    wrong = [
        f"{each.task} {each.check}: {each.message or 'passed'}"
        for each in results
        if each.status != "missing" or not each.message.startswith(f"Task {each.task}: ")
    ]
    return "; ".join(wrong)


def _mutants(folder: Path, reference: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield the mistakes of an assignment: in words, the task, and the files with it.

    Raises:
        InputError: the list cannot be read, or a mistake does not fit the reference any more.
    """
    path = folder / "mutants.toml"
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise InputError(f"cannot read the mistakes in {shown(path)}: {error}") from error
    for each in told:
        yield each["mistake"], each["task"], _mutated(each, reference)


def _mutated(told: Mapping[str, Any], reference: Mapping[str, str]) -> dict[str, str]:
    files = dict(reference)
    for name, text in reference.items():
        regions = regions_of(text)
        if "body" in told and told["region"] in regions:
            region = regions[told["region"]]
            lines = lines_of(text)
            lines[region.begin + 1 : region.end] = [told["body"].strip("\n") + "\n"]
            files[name] = "".join(lines)
            return files
        if "find" in told and text.count(told["find"]) == 1:
            files[name] = text.replace(told["find"], told["replace"])
            return files
    raise InputError(f"mistake {told['mistake']!r}: what it changes is not in the reference exactly once")


def _elsewhere(reference: Mapping[str, str], files: Mapping[str, str], task: str) -> str:
    for name, text in reference.items():
        before, after = regions_of(text), regions_of(files[name])
        changed = [each for each in before if after[each].text != before[each].text and task_of(each) != task]
        if changed:
            return f"it changes {changed[0]}, too"
    return ""
