"""What is taken off for being late: a table of percents, or a due date, times and steps."""

from __future__ import annotations

import csv
import datetime
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.corpus import shown

__all__ = ["deductions"]

_TABLES = ("due", "late", "submitted", "extra_hours")


def deductions(path: Path, names: Iterable[str]) -> tuple[dict[str, float], list[str]]:
    """Return the percents that submissions lose, by their names, and what is to be known about them.

    A .csv has the columns `submission` and `percent`. A .toml says when they were handed in, and what that means:

        due = 2026-11-20T23:59:00+01:00
        late = [{ hours = 0, percent = 10 }, { hours = 24, percent = 30 }]
        [submitted]
        "hw1-ada.zip" = 2026-11-21T10:00:00+01:00
        [extra_hours]
        "hw1-bob.zip" = 48

    Of the steps in `late` the last one counts whose hours are exceeded. Whoever has extra hours is late later.

    Args:
        path: the file.
        names: the names of the submissions.

    Raises:
        InputError: the file cannot be read, or something in it is wrong; the message says what.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {shown(path)}: {error}") from error
    percents = _from_toml(text, shown(path)) if path.suffix == ".toml" else _from_csv(text, shown(path))
    for name, percent in percents.items():
        if not 0 <= percent <= 100:
            raise InputError(f"{shown(path)}: {name} loses {percent:g} percent; it can be 0 to 100")
    known = set(names)
    notes = [f"{name} is in {path.name}, but was not handed in" for name in sorted(percents.keys() - known)]
    notes += [f"{name} is not in {path.name}: it counts as in time" for name in sorted(known - percents.keys())]
    return {name: percents.get(name, 0.0) for name in sorted(known)}, notes


def _from_csv(text: str, where: str) -> dict[str, float]:
    rows = csv.DictReader(text.splitlines())
    if not {"submission", "percent"} <= set(rows.fieldnames or ()):
        raise InputError(f"{where}: its first line has to name the columns submission and percent")
    percents: dict[str, float] = {}
    for row in rows:
        name = row["submission"]
        if name in percents:
            raise InputError(f"{where}: {name} is there twice")
        try:
            percents[name] = float(row["percent"])
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: {name} loses {row['percent']!r}; write a number of percent") from error
    return percents


def _from_toml(text: str, where: str) -> dict[str, float]:
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML: {error}") from error
    if unknown := sorted(told.keys() - set(_TABLES)):
        raise InputError(f"{where}: {unknown[0]} is not known; there can be {', '.join(_TABLES)}")
    try:
        due = _time(told["due"])
        steps = sorted((float(step["hours"]), float(step["percent"])) for step in told["late"])
        extra = {name: float(hours) for name, hours in told.get("extra_hours", {}).items()}
        late = {name: (_time(time) - due).total_seconds() / 3600 for name, time in told["submitted"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{where}: {error}; it needs due = TIME, late = [{{ hours = 0, percent = 10 }}] and a table [submitted] of "
            "times, all of them with a zone or none, as in 2026-11-20T23:59:00+01:00"
        ) from error
    return {
        name: ([0.0] + [percent for least, percent in steps if hours - extra.get(name, 0.0) > least])[-1]
        for name, hours in late.items()
    }


def _time(value: Any) -> datetime.datetime:
    if not isinstance(value, datetime.datetime):
        raise ValueError(f"{value} is no time")
    return value
