"""What a training writes down as it goes, a JSON object a line, and the same again as arrays.

A line is one of:

    {"update": 7, "loss": 1.2, "norm": 0.8, "clipped": 0.8}                      what `Update` holds, of the 7th update
    {"update": 100, "validation": {"loss": 1.1, "wrong": 0.9}, "solved": false}  after 100; solved if the task can say
    {"update": 120, "diverged": "the loss is nan ..."}                           why there was no 120th

No times stand here: the same settings give the same file, byte for byte. What JSON cannot hold, NaN and infinity, is
null.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.train.loop import Update


@dataclass(frozen=True)
class History:
    """A training in numbers: N updates, and M validations.

    Attributes:
        updates: (N,) int64, the number of each update, from 1.
        losses, norms, clipped: (N,) float64, what each `Update` held.
        validated: (M,) int64, how many updates had been made at each validation.
        scores: (M,) float64 each, "loss" and the task's scores by name.
        solved: the first of `validated` at which the task was solved; None if it was not, or nobody can say.
        diverged: why the training could not go on; None if it could.
    """

    updates: np.ndarray
    losses: np.ndarray
    norms: np.ndarray
    clipped: np.ndarray
    validated: np.ndarray
    scores: dict[str, np.ndarray]
    solved: int | None = None
    diverged: str | None = None

    @classmethod
    def of(cls, lines: Iterable[Mapping[str, Any]]) -> Self:
        """Return what some lines say.

        Raises:
            InputError: a line that is none of the three kinds.

        >>> from tinygrad_rnn.train import History
        >>> line = {"update": 1, "loss": 2.5, "norm": 0.5, "clipped": 0.5}
        >>> found = History.of([{"update": 0, "validation": {"loss": 3}, "solved": False}, line])
        >>> found.losses.tolist(), found.scores["loss"].tolist(), found.solved
        ([2.5], [3.0], None)
        """
        made, validations, solved, diverged = [], [], None, None
        try:
            for line in lines:
                if "validation" in line:
                    validations.append((line["update"], dict(line["validation"])))
                    solved = line["update"] if line.get("solved") and solved is None else solved
                elif "diverged" in line:
                    diverged = str(line["diverged"])
                else:
                    made.append([line[name] for name in ("update", *Update._fields)])
            numbers = np.array(made, dtype=np.float64).reshape(-1, 4).T
            names = dict.fromkeys(name for _, scores in validations for name in scores)
            scores = {name: np.array([each.get(name) for _, each in validations], np.float64) for name in names}
            validated = np.array([update for update, _ in validations], dtype=np.int64)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"this is no line of the metrics of a training: {error!r}") from None
        updates, losses, norms, clipped = numbers
        return cls(updates.astype(np.int64), losses, norms, clipped, validated, scores, solved, diverged)

    def last(self) -> dict[str, float]:
        """Return the scores of the last validation; nothing if there was none."""
        return {name: float(values[-1]) for name, values in self.scores.items() if len(values)}


class Lines:
    """A file of JSON objects, one a line, that grows.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  (open as long as this lives)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror or error}") from error

    def add(self, line: Mapping[str, Any]) -> None:
        """Append a line, and leave it to the system at once: no end of this process loses it."""
        self._file.write(json.dumps({name: _plain(value) for name, value in line.items()}, allow_nan=False) + "\n")
        self._file.flush()

    def settle(self) -> None:
        """Wait until what was added is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects in a file of `Lines`, none if it is not there. A last line that is not whole does not count.

    Raises:
        InputError: another line is no JSON object, or the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    found = []
    whole, _, _ = content.rpartition(b"\n")  # after a kill the last line may have no end
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            found.append(dict(json.loads(line)))
        except (ValueError, TypeError, RecursionError):
            raise InputError(f"{path} is damaged: line {number} is no JSON object") from None
    return found


def cut_back(path: Path, made: int, updates: int, validate_every: int) -> list[dict[str, Any]]:
    """Leave in a file what a training had written when it had made so many of its updates; return that.

    Without the validation at an end that is none any more, as there are to be more updates.
    """
    kept = [line for line in read_lines(path) if _belongs(line, made, updates, validate_every)]
    write_whole(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
    return kept


def _belongs(line: Mapping[str, Any], made: int, updates: int, validate_every: int) -> bool:
    update = line.get("update")
    if not isinstance(update, int) or update > made or not made:  # nothing was written before the first checkpoint
        return False
    return "validation" not in line or update == updates or update % validate_every == 0


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
