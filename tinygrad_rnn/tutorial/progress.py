"""How far a reader is in a tutorial: a small file for each, written anew at every step, so that nothing is lost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tutorial.lessons import Lesson
from tinygrad_rnn.viz.pictures import data_folder

__all__ = ["Progress", "load", "save"]

SCHEMA = "tinygrad_rnn.tutorial/1"


@dataclass
class Progress:
    """What is known of a reader's way through a tutorial.

    Attributes:
        cell: where it goes on, from 1; 0 if it was not begun.
        cells: how many there were.
        done: whether its last page was seen.
        guesses: what was answered, by the number of the cell that asks: asked (the mark of the question), guess,
            result, fits.
        skipped: numbers of the code cells that the reader went past.
        edited: code that the reader has put in place of that of a cell, by its number.
        script: the digest of the code that all this is about.
    """

    cell: int = 0
    cells: int = 0
    done: bool = False
    guesses: dict[int, dict[str, Any]] = field(default_factory=dict)
    skipped: list[int] = field(default_factory=list)
    edited: dict[int, str] = field(default_factory=dict)
    script: str = ""

    @property
    def at_its_end(self) -> bool:
        """Whether the last page was reached, and no other one since."""
        return self.done and self.cell in (0, self.cells)


def load(lesson: Lesson) -> Progress:
    """Return how far the reader is in a tutorial; a beginning if nothing is known, or what is there cannot be read.

    Where the tutorial has changed since, what was about its old code is left out.
    """
    try:
        read = json.loads(_file(lesson).read_text(encoding="utf-8"))
        if read.pop("schema") != SCHEMA:
            return Progress()
        read["guesses"] = {int(number): dict(guess) for number, guess in read["guesses"].items()}
        read["edited"] = {int(number): str(code) for number, code in read["edited"].items()}
        found = Progress(**read)
        if not isinstance(found.cell, int) or not isinstance(found.skipped, list):
            return Progress()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Progress()
    if found.script != lesson.digest:
        found.skipped, found.edited = [], {}
    asked = {cell.number: cell.question.mark for cell in lesson.cells if cell.question is not None}
    found.guesses = {at: guess for at, guess in found.guesses.items() if guess.get("asked") == asked.get(at, ...)}
    return found


def save(lesson: Lesson, progress: Progress) -> None:
    """Write how far the reader is, whole or not at all.

    Raises:
        InputError: it cannot be written there.
    """
    progress.script = lesson.digest
    path = _file(lesson)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    write_whole(path, json.dumps({"schema": SCHEMA, **asdict(progress)}, indent=1, ensure_ascii=False).encode())


def _file(lesson: Lesson) -> Path:
    return data_folder() / "tutorials" / f"{lesson.key}.json"
