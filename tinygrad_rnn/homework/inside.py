"""Checks inside a student's own process, as nbgrader and Otter run them: what `grade` keeps apart is together here.

Nothing is bounded or hidden from the student's code, and tasks use each other. To grade in processes of their own, hand
the notebooks to `tinygrad-rnn homework grade`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn.homework.building import read_files
from tinygrad_rnn.homework.checks import PUBLIC, Check, checks_in

__all__ = ["points", "require"]


class _Names:
    """Stands for the module that a check asks: its attributes are the names of a notebook."""

    def __init__(self, names: dict[str, Any]) -> None:
        object.__setattr__(self, "_names", names)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._names[name]
        except KeyError:
            raise AttributeError(f"{name} is not there; run the cell in which it is written") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._names[name] = value


def points(task: str, names: dict[str, Any], checks: str | None = None, seed: int = 0) -> float:
    """Run the checks of a task, print what is wrong, and return the points.

    Args:
        task: its number.
        names: what the notebook has defined, `globals()`.
        checks: the text of the checks; that of the file public.py beside the notebook, unless given.
        seed: what the checks draw from.

    Raises:
        InputError: the checks cannot be read or run.
    """
    text = read_files(Path(), [PUBLIC])[PUBLIC] if checks is None else checks
    earned = 0.0
    for each in checks_in(text):
        if each.task == task:
            try:
                _run(each, names, seed)
                earned += each.points
            except Exception as error:  # a student's code raises what it likes
                print(f"{each.name}: {error if isinstance(error, AssertionError) else _words(error)}")
    return round(earned, 6)


def require(name: str, names: Mapping[str, Any], checks: str, seed: int = 0) -> None:
    """Run one check; it returns where all is right.

    Args:
        name: what the check is called.
        names: what the notebook has defined.
        checks: the text of the checks.
        seed: what the checks draw from.

    Raises:
        AssertionError: something is wrong; the message says what.
    """
    (found,) = [each for each in checks_in(checks) if each.name == name]
    try:
        _run(found, dict(names), seed)
    except AssertionError:
        raise
    except Exception as error:  # a student's code raises what it likes
        raise AssertionError(_words(error)) from error


def _run(check: Check, names: dict[str, Any], seed: int) -> None:
    draw = np.random.default_rng([seed, zlib.crc32(f"{check.task} {check.name}".encode())])
    check.run(_Names(names), draw)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, NotImplementedError) else f"{type(error).__name__}: {error}"
