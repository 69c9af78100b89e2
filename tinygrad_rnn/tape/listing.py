"""A tape as text: what is given, and then instruction by instruction what the step does."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.engine.graph import Op
from tinygrad_rnn.engine.modes import scope_text, step_of
from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.tape.records import EFFECTS, MAKE, Contents, Kind, name_of, paths, slots

#: What a part of a step is called, by the outermost scope of what it runs; all else is the forward pass.
SECTIONS = {"grad": "backward", "zero_grad": "zero_grad", "clipping": "clipping", "optimizer": "optimizer"}


class Line(NamedTuple):
    """One line of a listing.

    Attributes:
        section: the part of the step it belongs to, or the heading above it.
        step: the time step, None outside any.
        text: the line.
    """

    section: str
    step: int | None
    text: str


class Row(NamedTuple):
    """A line before it is set in columns; a heading has none."""

    section: str
    step: int | None = None
    columns: tuple[str, ...] = ()


def lines(contents: Contents) -> Iterator[Line]:
    """Yield the lines of the listing of a tape, those with as many columns set below each other."""
    rows = [*_given(contents), *_instructions(contents), *_result(contents)]
    widths: dict[tuple[int, int], int] = {}
    for row in rows:
        for position, part in enumerate(row.columns):
            place = (len(row.columns), position)
            widths[place] = min(max(widths.get(place, 0), len(part)), _WIDEST)
    for row in rows:
        columns = [part.ljust(widths[len(row.columns), i]) for i, part in enumerate(row.columns)]
        yield Line(row.section, row.step, ("  " + "  ".join(columns)).rstrip() if columns else row.section)


_WIDEST = 60  # a longer column pushes its own line only


def _given(contents: Contents) -> Iterator[Row]:
    """Yield what is there before the first instruction."""
    heads: list[tuple[str, list[tuple[str, ...]]]] = [
        ("inputs", [_value(contents, number) for number in slots(contents.arguments)]),
        ("state, read anew at every replay", [_value(contents, number) for number in contents.state]),
        ("gradients found, checked at every replay", [_found(contents, leaf) for leaf in contents.gradients]),
        ("numbers of the program, the same at every replay", _wrapped(_constants(contents))),
        ("settings, checked at every replay", [(text,) for text in _settings(contents)]),
    ]
    for heading, rows in heads:
        if rows:
            yield Row(heading)
            yield from (Row(heading, None, row) for row in rows)


def _instructions(contents: Contents) -> Iterator[Row]:
    section = ""
    for op, reads, makes, attrs, scope in contents.instructions:
        here, place = _placed(scope)
        if here != section:
            section = here
            yield Row(section)
        kind = _shown_kind(contents.kinds[makes[0]]) if makes else ""
        names = ", ".join(filter(None, (_named(contents, number) for number in makes)))
        yield Row(section, step_of(scope), (_range(makes), place, _call(contents, op, reads, attrs), kind, names))


def _result(contents: Contents) -> Iterator[Row]:
    found = paths(contents.result, "result")
    if found:
        yield Row("result")
    for number, path in found:
        yield Row("result", None, (f"%{number}", _shown_kind(contents.kinds[number]), path))


def _value(contents: Contents, number: int) -> tuple[str, ...]:
    learns = number in contents.state and contents.state[number].requires_grad
    name = _named(contents, number) + (", requires grad" if learns else "")
    return (f"%{number}", _shown_kind(contents.kinds[number]), name.removeprefix(", "))


def _found(contents: Contents, leaf: int) -> tuple[str, ...]:
    number = contents.gradients[leaf]
    name = f"{contents.name_of(leaf)}.grad"
    return ("", "none", name) if number is None else (f"%{number}", "there", name)


def _settings(contents: Contents) -> list[str]:
    return list(dict.fromkeys(setting.text for setting in contents.settings if setting.text))


def _constants(contents: Contents) -> list[str]:
    return list(dict.fromkeys(_number(contents, number) for number in contents.constants))


def _number(contents: Contents, number: int) -> str:
    """Return a Python number as it is written, and not with the digits that its dtype adds."""
    return str(contents.kinds[number][0].type(contents.constants[number]))


def _wrapped(words: list[str]) -> list[tuple[str, ...]]:
    return [(line,) for line in textwrap.wrap(", ".join(words), 100)]


def _placed(scope: Scope) -> tuple[str, str]:
    """Return the part of the step that a scope belongs to, and the rest of the scope as text."""
    section = SECTIONS.get(scope[0][0]) if scope else None
    return (section, scope_text(scope[1:])) if section else ("forward", scope_text(scope))


def _call(contents: Contents, op: type[Op] | str, reads: tuple[int, ...], given: Mapping[str, Any]) -> str:
    """Return what an instruction does, as a call."""
    operands = [
        f"const {_number(contents, number)}" if number in contents.constants else f"%{number}" for number in reads
    ]
    if op in EFFECTS and operands and reads[0] in contents.names:  # what it is done to
        operands[0] += f" {contents.name_of(reads[0])}"
    if len(operands) > _MOST_SHOWN:
        operands[2:-1] = [f"... {len(operands)} in all ..."]
    attrs, name = dict(given), name_of(op)
    if op == MAKE:
        name = attrs.pop("function")
        attrs = attrs["arguments"]
    operands += [f"{key}={_shown(value)}" for key, value in attrs.items() if value is not None]
    return f"{name}({', '.join(operands)})"


def _shown(value: Any) -> str:
    """Return an attribute as it is written in a program."""
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop, value.step)]
        return ":".join(ends if value.step is not None else ends[:2])
    if value is Ellipsis:
        return "..."
    if isinstance(value, tuple | list):
        if len(value) > _MOST_SHOWN:
            return f"[{len(value)} of them]"
        if any(isinstance(part, slice) or part is Ellipsis for part in value):
            return f"[{', '.join(map(_shown, value))}]"
        inside = ", ".join(map(_shown, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return str(value) if isinstance(value, np.dtype) else repr(value)


_MOST_SHOWN = 8


def _named(contents: Contents, number: int) -> str:
    name, role = contents.names.get(number, ("", None))
    return f"{name} [{role}]" if role else name


def _range(numbers: tuple[int, ...]) -> str:
    if len(numbers) < 2:
        return f"%{numbers[0]}" if numbers else ""
    return f"%{numbers[0]}-%{numbers[-1]}"


def _shown_kind(kind: Kind) -> str:
    dtype, shape, device = kind
    return ("" if dtype == "float32" else f"{dtype} ") + str(shape) + ("" if device == "cpu" else f" {device}")
