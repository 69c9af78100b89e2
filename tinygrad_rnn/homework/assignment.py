"""An assignment as its `assignment.toml` tells it: tasks, points, minutes, hints, and what may be imported."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework.withholding import PACKAGE, unknown_parts
from tinygrad_rnn.tasks.corpus import shown

__all__ = ["Assignment", "Task", "load", "load_text"]

#: What an assignment and a task have to say, and of which kind it is; texts are given as {en = ..., zh = ...}.
_ASSIGNMENT = {
    "name": str,
    "title": dict,
    "hours": (int, float),
    "files": list,
    "given": list,
    "imports": list,
    "task": list,
}
#: What it may say besides.
_OPTIONAL = {"threads": int, "patience": int, "without": list}
_TASK = {"id": str, "title": dict, "points": (int, float), "minutes": int, "kind": str, "hints": dict}
KINDS = ("code", "written")


@dataclass(frozen=True)
class Task:
    """One task of an assignment."""

    id: str
    title: Mapping[str, str]
    points: float
    minutes: int
    #: "code", which checks judge, or "written", which a person reads.
    kind: str
    #: By language the ladder: a question, a pointer, a first line.
    hints: Mapping[str, list[str]]


@dataclass(frozen=True)
class Assignment:
    """What an assignment asks for."""

    name: str
    title: Mapping[str, str]
    hours: float
    #: The files with the marked regions; the first is the module that checks call.
    files: tuple[str, ...]
    #: Files that students get besides, such as a script that uses theirs.
    given: tuple[str, ...]
    #: The modules that a solution may import.
    imports: tuple[str, ...]
    tasks: tuple[Task, ...]
    #: How many threads a solution may start, as a simulated GPU does.
    threads: int = 0
    #: How many seconds one of the checks that students have may take, compiling included.
    patience: int = 10
    #: The modules of tinygrad_rnn that a solution has to do without, such as "tinygrad_rnn.nn.cells".
    without: tuple[str, ...] = ()

    def task(self, name: str) -> Task:
        """Return a task by its number.

        Raises:
            InputError: there is none of this number.
        """
        for task in self.tasks:
            if task.id == name:
                return task
        raise InputError(f"{self.name} has no task {name!r}; it has {', '.join(task.id for task in self.tasks)}")


def load(folder: Path) -> Assignment:
    """Return the assignment of a folder.

    Raises:
        InputError: there is no assignment.toml, it is not readable, or something in it is missing or wrong.
    """
    path = folder / "assignment.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{shown(folder)} is no homework: cannot read its assignment.toml ({error})") from error
    return load_text(text, shown(path))


def load_text(text: str, where: str = "assignment.toml") -> Assignment:
    """Return the assignment that a text in TOML describes.

    Raises:
        InputError: it is not TOML, or something in it is missing or wrong; the message says which.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML: {error}") from error
    _expect(told, _ASSIGNMENT, where, _OPTIONAL)
    tasks = []
    for each in told["task"]:
        here = f"{where}, task {each.get('id', '?')}" if isinstance(each, dict) else where
        _expect(each, _TASK, here)
        if each["kind"] not in KINDS:
            raise InputError(f"{here}: kind is {each['kind']!r}; write one of {', '.join(KINDS)}")
        if not each["points"] > 0:
            raise InputError(f"{here}: points are {each['points']}; they are more than 0")
        tasks.append(Task(**{name: each[name] for name in _TASK}))
    names = [task.id for task in tasks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not tasks or twice:
        raise InputError(f"{where}: " + (f"task {twice[0]} is there twice" if twice else "there is no [[task]]"))
    rest = {name: tuple(told[name]) for name in ("files", "given", "imports")}
    if not rest["files"] or any(Path(name).name != name for name in (*rest["files"], *rest["given"])):
        raise InputError(f"{where}: files are names without folders, such as files = ['engine.py']")
    if not 0 <= (threads := told.get("threads", 0)) <= 64:
        raise InputError(f"{where}: threads are {threads}; a solution may start up to 64")
    if (patience := told.get("patience", 10)) <= 0:
        raise InputError(f"{where}: patience is {patience}; it is more than 0 seconds")
    without = tuple(told.get("without", ()))
    if unknown := unknown_parts(without):
        raise InputError(f"{where}: without has {unknown[0]!r}, which is no module of {PACKAGE}")
    if without and PACKAGE not in rest["imports"]:
        raise InputError(f"{where}: without is about {PACKAGE}, which is not among the imports; take one of them back")
    return Assignment(
        told["name"],
        told["title"],
        told["hours"],
        **rest,
        tasks=tuple(tasks),
        threads=threads,
        patience=patience,
        without=without,
    )


def _expect(told: Any, kinds: Mapping[str, Any], where: str, optional: Mapping[str, Any] | None = None) -> None:
    if not isinstance(told, dict):
        raise InputError(f"{where}: expected a table, got {told!r}")
    for name in kinds:
        if name not in told:
            raise InputError(f"{where}: {name} is missing; there have to be {', '.join(kinds)}")
    kinds = {**kinds, **(optional or {})}
    for name, kind in kinds.items():
        if name in told and not isinstance(told[name], kind):
            raise InputError(f"{where}: {name} = {told[name]!r} is of the wrong kind")
    for name in sorted(told.keys() - kinds.keys()):
        raise InputError(f"{where}: {name} is not known; there can be {', '.join(kinds)}")
    if "en" not in told["title"] or not told.get("hints", {"en": 1}).get("en"):
        raise InputError(f"{where}: title and hints need at least English: {{en = ...}}")
