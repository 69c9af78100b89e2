"""Docstrings for Sphinx: they are written for who reads the source, so what is special in its markup is made plain."""

import re
from typing import Any

#: A line that is an equation: "h' = o * tanh(c')".
_EQUATION = re.compile(r"[\w'^,./()\[\]{} -]{1,40} = \S.*")
_SECTION = re.compile(r"(Args|Arguments|Attributes|Returns|Yields|Raises|Note):$")
#: An indented line that says what something is: "    steps: T, at least 2".
_ITEM = re.compile(r" {4}[\w*, ]+: ")
_SPECIAL = re.compile(r"[*|\\]|_(?!\w)|(?<!\w)_")


def setup(app: Any) -> None:
    """Have it done before the sections of Google's style are read."""
    app.connect("autodoc-process-docstring", _plain, priority=400)


def _plain(app: Any, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    described = as_markup(lines)
    if what in ("attribute", "data", "property"):
        described[:0] = ["..", ""]  # an empty comment, or what stands before a colon would be taken for the type
    lines[:] = described


def as_markup(lines: list[str]) -> list[str]:
    """Return a docstring's lines so that Sphinx shows what they say: code in backticks, equations line by line.

    >>> as_markup(["Clip `x` in place, as clip_ does.", "", "h' = o * x"])
    ['Clip ``x`` in place, as clip\\\\_ does.', '', '::', '', "    h' = o * x", '', '']
    """
    done: list[str] = []
    in_section = False
    for block in _blocks(lines):
        if block[0].lstrip().startswith(">>>"):
            in_section = False
            done += block
        elif _SECTION.match(block[0]):
            in_section = True
            done += [block[0], *_escaped(block[1:])]
        elif in_section and all(line.startswith("    ") for line in block):
            done += _escaped(block)
        else:
            in_section = False
            done += _prose(block)
        done.append("")
    return done


def _blocks(lines: list[str]) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if not line.strip():
            blocks.append([])
        elif _SECTION.match(line) and blocks[-1]:
            blocks.append([line])
        else:
            blocks[-1].append(line)
    return [block for block in blocks if block]


def _prose(block: list[str]) -> list[str]:
    if block[0].startswith(("- ", "1. ")):
        return _escaped(block)
    if _ITEM.match(block[0]):
        return _escaped([f"- {line[4:]}" if line[4:5] != " " else f"  {line.strip()}" for line in block])
    if _EQUATION.match(block[0]) or any(line.startswith(" ") for line in block):
        return ["::", "", *[f"    {line}" for line in block], ""]
    listed = next((at for at, line in enumerate(block) if line.startswith("- ")), None)
    if listed is not None:
        return [*_prose(block[:listed]), "", *_prose(block[listed:])]
    return _escaped(block)


def _escaped(lines: list[str]) -> list[str]:
    """Return lines of prose whose stars and underscores are only that; what is between backticks becomes code."""
    parts = "\n".join(lines).replace("``", "`").split("`")
    if len(parts) % 2 == 0:  # one backtick is alone
        parts = ["'".join(parts)]
    parts[::2] = [_SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2]]
    for at in range(2, len(parts), 2):  # code ends at a space, or at one that is not shown
        parts[at] = f"\\ {parts[at]}" if parts[at][:1].isalnum() else parts[at]
    return "``".join(parts).split("\n")
