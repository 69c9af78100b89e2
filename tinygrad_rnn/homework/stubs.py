"""From the reference to what a student gets: every solution becomes the error that names its task."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework.assignment import Assignment
from tinygrad_rnn.homework.marks import YOURS, lines_of, regions_of, task_of

__all__ = ["leaks", "make_stub", "region_names"]

#: Shorter lines than this are in every program: `else:`, `return y`.
_TELLING = 16


def region_names(sources: Iterable[str]) -> set[str]:
    """Return the names of the regions of some files.

    Raises:
        InputError: the marks of a file are wrong, or a region is in two files.
    """
    names: set[str] = set()
    for source in sources:
        found = regions_of(source).keys()
        if twice := sorted((names & found) - {YOURS}):
            raise InputError(f"the region {twice[0]} is in two files")
        names |= found
    return names


def make_stub(source: str, assignment: Assignment) -> str:
    """Return a file with each solution replaced by `raise NotImplementedError("Task 1.2: ...")`, and its marks kept.

    Raises:
        InputError: the marks are wrong, a region belongs to no task, or the stub is not Python.
    """
    lines = lines_of(source)
    for name, region in reversed(regions_of(source).items()):
        if name == YOURS:
            continue
        task = assignment.task(task_of(name))
        words = f"Task {task.id}: {task.hints['en'][0]}".replace('"', "'").replace("\\", "/")
        lines[region.begin + 1 : region.end] = [f'{region.indent}raise NotImplementedError("{words}")\n']
    stub = "".join(lines)
    try:
        ast.parse(stub)
    except SyntaxError as error:
        raise InputError(f"a solution is more than the body of a function: the stub is not Python, {error}") from error
    return stub


def leaks(sources: Iterable[str], secrets: Iterable[str], shown: Mapping[str, bytes]) -> list[str]:
    """Return what of the solutions or of the hidden checks can be read in files for students, a sentence each.

    Args:
        sources: the reference files; their regions are secret, what is outside of them is not.
        secrets: texts that are secret as a whole, such as the hidden checks.
        shown: the files for students, by name.
    """
    outside: set[str] = set()
    inside: set[str] = set()
    for source in sources:
        lines = source.splitlines()
        own = [region for name, region in regions_of(source).items() if name != YOURS]
        hidden = {number for region in own for number in range(region.begin + 1, region.end)}
        for number, line in enumerate(lines):
            (inside if number in hidden else outside).add(_plain(line))
    for secret in secrets:
        inside |= {_plain(line) for line in secret.splitlines() if not line.startswith(("import ", "from ", "@check"))}
    telling = {line for line in inside - outside if len(line) >= _TELLING}
    found = []
    for name, content in sorted(shown.items()):
        text = content.decode("utf-8", errors="replace")
        found += [f"{name}: {line}" for line in sorted({_plain(line) for line in text.splitlines()} & telling)]
        if not name.endswith((".py", ".md", ".toml")):
            found.append(f"{name}: a file of this kind cannot be looked into; leave it out")
    return found


def _plain(line: str) -> str:
    """Return a line without spaces and comment: how a copy is recognised that was moved, respaced or commented out."""
    return re.sub(r"[\s#]+", "", line.split("  #")[0])
