"""How far a reader is in a tutorial: a small file for each, written anew at every step, so that nothing is lost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.viz.pictures import data_folder

__all__ = ["Progress", "load", "save"]

SCHEMA = "tinygrad_rnn.tutorial/1"


@dataclass
class Progress:
    """What is known of a reader's way through a tutorial.

    Attributes:
        cell: where it goes on, from 1; 0 if it was not begun.
        cells: how many there were.
        done: whether its end was reached.
        guesses: what was answered, by the number of the cell that asks: guess, result, fits.
        skipped: numbers of the code cells that the reader went past.
        edited: code that the reader has put in place of that of a cell, by its number.
    """

    cell: int = 0
    cells: int = 0
    done: bool = False
    guesses: dict[int, dict[str, Any]] = field(default_factory=dict)
    skipped: list[int] = field(default_factory=list)
    edited: dict[int, str] = field(default_factory=dict)


def load(script: Path) -> Progress:
    """Return how far the reader is in a tutorial; a beginning if nothing is known, or what is there cannot be read."""
    try:
        read = json.loads(_file(script).read_text(encoding="utf-8"))
        if read.pop("schema") != SCHEMA:
            return Progress()
        read["guesses"] = {int(number): dict(guess) for number, guess in read["guesses"].items()}
        read["edited"] = {int(number): str(code) for number, code in read["edited"].items()}
        found = Progress(**read)
        return found if isinstance(found.cell, int) and isinstance(found.skipped, list) else Progress()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Progress()


def save(script: Path, progress: Progress) -> None:
    """Write how far the reader is, whole or not at all.

    Raises:
        InputError: it cannot be written there.
    """
    path = _file(script)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"schema": SCHEMA, **asdict(progress)}, indent=1, ensure_ascii=False).encode())


def _file(script: Path) -> Path:
    return data_folder() / "tutorials" / f"{script.stem}.json"
