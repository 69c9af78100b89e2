"""Whether a folder for students holds something of a solution: in files, archives, notebooks, bytecode or history."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.checks import PUBLIC, text_of
from tinygrad_rnn.homework.packing import MADE
from tinygrad_rnn.homework.stubs import leaks
from tinygrad_rnn.tasks.corpus import shown

__all__ = ["hidden_lines", "leaks_of_folder"]

#: Archives in archives are opened so deep, and so much of them is read.
_DEPTH, _LARGEST = 3, 1 << 26
_SECRET = (building.HIDDEN, "rubric.md", "mutants.toml")
#: Made of an engine of its own, which has a few of the same lines; it is looked at by name only.
_PACKAGE = "tinygrad_rnn/"


def hidden_lines(source: Path) -> str:
    """Return what is in the hidden checks of an assignment, and not in the public ones.

    Raises:
        InputError: they cannot be read.
    """
    public, hidden = (text_of(source / name).splitlines() for name in (PUBLIC, building.HIDDEN))
    seen = {line.strip() for line in public}
    return "\n".join(line for line in hidden if line.strip() not in seen)


def leaks_of_folder(folder: Path, source: Path) -> list[str]:
    """Return what of the solutions or of the hidden checks is in a folder, a sentence each; hidden files count.

    Args:
        folder: what is to be handed out.
        source: the folder of the assignment, with its reference.

    Raises:
        InputError: there is no such folder, or a file of it cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder; give the one that you want to hand out")
    sources, secrets = list(building.source_of(source)[1].values()), [hidden_lines(source)]
    found = []
    for name, content in _contents(folder):
        last = name.rsplit("/", 1)[-1]
        if last in _SECRET:
            found.append(f"{name}: a file that only instructors have")
        if last.endswith(MADE) or content.startswith(importlib.util.MAGIC_NUMBER):
            found.append(f"{name}: bytecode, of which a solution can be made again; leave it out")
        elif not re.search(rf"\.whl: {_PACKAGE}", name):
            found += [f"{name}: {line.partition(': ')[2]}" for line in leaks(sources, secrets, {"text.py": content})]
    return found


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if ".git" in name.split("/")[:-1] or not path.is_file():
            continue
        try:
            yield from _opened(name, path.read_bytes(), 0)
        except OSError as error:
            raise InputError(f"cannot read {shown(path)}: {error}") from error
    for room in sorted(folder.rglob(".git")):
        yield from _history(room.parent, room.relative_to(folder).as_posix())


def _opened(name: str, content: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    """Yield a file as text to be looked through: the files of an archive, all texts of a notebook."""
    if depth < _DEPTH and zipfile.is_zipfile(io.BytesIO(content)):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield name, archive.comment
                for entry in archive.infolist():
                    with archive.open(entry) as stream:
                        yield f"{name}: {entry.filename}", entry.comment
                        yield from _opened(f"{name}: {entry.filename}", stream.read(_LARGEST), depth + 1)
            return
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError):
            pass  # then as bytes
    if name.endswith((".ipynb", ".json")):
        try:
            yield name, "\n".join(_words(json.loads(content))).encode("utf-8", errors="replace")
            return
        except (ValueError, RecursionError):
            pass
    yield name, content


def _words(told: Any) -> Iterator[str]:
    """Yield every text in JSON, of cells as of metadata and outputs."""
    if isinstance(told, str):
        yield told
    elif isinstance(told, list):
        if told and all(isinstance(each, str) for each in told):
            yield "".join(told)  # lines of a cell, with their ends
        for each in told:
            yield from _words(each)
    elif isinstance(told, dict):
        for key, value in told.items():
            yield from _words(key)
            yield from _words(value)


def _history(repository: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield all that a repository remembers: every version of every file, messages, what no branch holds any more."""
    git = ("git", "-C", str(repository), "cat-file", "--batch-all-objects")
    try:
        listed = subprocess.run([*git, "--batch-check"], capture_output=True, check=True, text=True)
        for line in listed.stdout.splitlines():
            number, kind, _ = line.split(" ", 2)
            if kind != "tree":
                words = ("git", "-C", str(repository), "cat-file", kind, number)
                done = subprocess.run(words, capture_output=True, check=True)
                yield f"{name}: {kind} {number[:10]}", done.stdout
            else:
                words = ("git", "-C", str(repository), "ls-tree", "--name-only", number)
                for each in subprocess.run(words, capture_output=True, check=True, text=True).stdout.splitlines():
                    yield f"{name}: tree {number[:10]}/{each}", b""
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"cannot look through the history in {shown(repository)}: {error}; take .git out") from error
