"""A thing of a table and what was chosen about it, in a few words: "gru", "lstm:forget_bias=3", "copy:symbols=4"."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

from tinygrad_rnn import arguments
from tinygrad_rnn.errors import InputError

__all__ = [
    "Entry", "Spec", "Value", "Words", "flag", "number", "read", "shown", "values", "whole", "word",
]  # fmt: skip

#: Beyond this an option's number would be infinite in float32.
LARGEST = 1e38

Value = float | str | bool


class Entry(Protocol):
    """A line of a table: it says which options there are, and how the text of a value is read."""

    @property
    def options(self) -> Mapping[str, Callable[[str], Value]]: ...


def number(text: str) -> float:
    """Read the value of an option that is a number; InputError unless it is a finite one."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not abs(found) < LARGEST:
        raise InputError(f"{text!r} is not a number")
    return found + 0.0  # -0 is 0


def whole(text: str) -> int:
    """Read the value of an option that is a whole number from 1; InputError unless it is one."""
    if not re.fullmatch("[0-9]{1,9}", text) or not int(text):
        raise InputError(f"{text!r} is no whole number from 1 to 999999999")
    return int(text)


def flag(text: str) -> bool:
    """Read the value of an option that is chosen or not; InputError unless it is "true" or "false"."""
    if text not in ("true", "false"):
        raise InputError(f"{text!r} is neither true nor false")
    return text == "true"


@dataclass(frozen=True)
class Words:
    """Reads the value of an option that is one of some words; InputError unless it is one."""

    known: tuple[str, ...]

    def __call__(self, text: str) -> str:
        if text not in self.known:
            near = arguments.suggestion(text, self.known)
            raise InputError(f"{text!r} is none of {', '.join(self.known)}{near}")
        return text


def word(*known: str) -> Words:
    """Return what reads the value of an option that is one of some words."""
    return Words(known)


def values(reader: Callable[[str], Value]) -> str:
    """Return which values a reader of an option takes.

    >>> from tinygrad_rnn import specs
    >>> specs.values(specs.word("yes", "no")), specs.values(specs.whole)
    ('yes or no', 'a whole number')
    """
    if isinstance(reader, Words):
        *others, last = reader.known
        return " or ".join([", ".join(others), last] if others else [last])
    if reader is flag:
        return "true or false"
    return "a whole number" if reader is whole else "a number"


@dataclass(frozen=True)
class Spec:
    """A name of a table, and options.

    Attributes:
        name: in the table.
        options: by name, in the order of the table.
    """

    name: str
    options: tuple[tuple[str, Value], ...] = ()

    @property
    def text(self) -> str:
        """The specification in its shortest form, equal for equal things."""
        return ":".join([self.name, *[f"{name}={shown(value)}" for name, value in self.options]])

    @property
    def file_name(self) -> str:
        """The specification as a part of a file's name: "lstm-forget_bias-3"."""
        return re.sub("[:=]", "-", self.text)


def shown(value: Value) -> str:
    """Return the value of an option as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


def read(
    what: str, text: str, table: Mapping[str, Entry], more: Mapping[str, Any] | None = None
) -> tuple[str, tuple[tuple[str, Value], ...]]:
    """Return the name and the options of a specification: a name, then `:option=value` as often as needed.

    Args:
        what: the table holds, as in "unknown cell".
        text: the specification.
        table: what there is, by name.
        more: options given beside it, with their values.

    Raises:
        InputError: an unknown name or option, a value that is none, or an option given twice.
    """
    if not isinstance(text, str):
        raise InputError(f"a {what} is named by a text like {next(iter(table))!r}, not by a {type(text).__name__}")
    name, *parts = [*text.strip().split(":"), *[f"{option}={value}" for option, value in (more or {}).items()]]
    if name not in table:
        near = arguments.suggestion(name, table) or ";"
        raise InputError(f"unknown {what} {name!r}{near} use one of {', '.join(table)}")
    known = table[name].options
    given: dict[str, Value] = {}
    for part in parts:
        option, equals, value = part.partition("=")
        if option not in known or not equals:
            has = " and ".join(f"{name}:{each}=..." for each in known) or "none"
            meant = " or ".join(f"{name}:{each}" for each in _meant(option, equals, value, known))
            hint = f"; did you mean {meant}?" if meant else ""
            raise InputError(f"{text!r}: {part!r} is no option of {name}, which has {has}{hint}")
        if option in given:
            raise InputError(f"{text!r}: {option} is given twice")
        try:
            given[option] = known[option](value)
        except InputError as error:
            raise InputError(f"{text!r}: {error}") from None
    return name, tuple([(option, given[option]) for option in known if option in given])


def _meant(option: str, equals: str, value: str, known: Mapping[str, Callable[[str], Value]]) -> list[str]:
    """Return the options that a part of a specification may stand for: a value without its option, or a slip."""
    if option in known:  # its value is missing
        return []
    if equals:
        return [f"{each}={value or '...'}" for each in get_close_matches(option, known, 1)]
    return [f"{each}={option}" for each, reader in known.items() if _takes(reader, option)]


def _takes(reader: Callable[[str], Value], value: str) -> bool:
    try:
        reader(value)
    except InputError:
        return False
    return True
