"""A tutorial's file as cells: a Python script in the percent format, which jupytext and editors read, too.

A cell begins with `# %% [markdown]` or `# %%`; what belongs to it follows as key="value". These few lines read it,
since jupytext takes a second to import, and knows nothing of questions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tutorial.questions import Question

__all__ = ["ATTRIBUTES", "Cell", "check_places", "parse"]

#: What the header of a cell may say, by the kind of the cell.
ATTRIBUTES = {
    "markdown": {
        "minutes", "seconds", "question", "answer", "tolerance", "options", "exercise", "hint", "solution",
    },
    "code": {"seconds", "keep", "solution"},
}  # fmt: skip
_HEADER = re.compile(r"# %%(?P<markdown> \[markdown\])?(?P<attributes>( \w+=\"(?:[^\"\\]|\\.)*\")*) *$")
_ATTRIBUTE = re.compile(r" (\w+)=(\"(?:[^\"\\]|\\.)*\")")


@dataclass(frozen=True)
class Cell:
    """A cell of a tutorial.

    Attributes:
        number: its place, from 1.
        kind: "markdown" or "code".
        attributes: what its header says.
        source: its prose, without the comment signs, or its code.
        line: where the source begins in the file, from 1.
    """

    number: int
    kind: str
    attributes: dict[str, str]
    source: str
    line: int

    @property
    def role(self) -> str:
        """What it is for: "code", "solution", "hint", "exercise", "question" or "prose"."""
        for role in ("solution", "hint", "exercise", "question"):
            if role in self.attributes:
                return role
        return "code" if self.kind == "code" else "prose"

    @property
    def is_code(self) -> bool:
        """Whether it is code, that of a solution included."""
        return self.kind == "code"

    @property
    def seconds(self) -> float:
        """How long it says that it takes; 0 unless it says so."""
        return float(self.attributes.get("seconds", 0))

    @property
    def keep(self) -> tuple[str, ...]:
        """The names whose values are kept in a file."""
        return tuple(self.attributes.get("keep", "").split())

    @cached_property
    def question(self) -> Question | None:
        """What it asks, if it asks; InputError if the header says so in a way that cannot be understood."""
        if "question" not in self.attributes:
            return None
        return Question.of(self.attributes)


def parse(text: str, name: str = "the tutorial") -> tuple[Cell, ...]:
    """Return the cells of a script.

    Args:
        text: of the file.
        name: of the file, for errors.

    Raises:
        InputError: it does not begin with a cell, a header is not understood, or prose is not commented out.

    >>> parse('# %% [markdown] minutes="5"\\n# # 01 Sums\\n\\n# %%\\nassert 1 + 1 == 2\\n')[1].source
    'assert 1 + 1 == 2'
    """
    cells: list[Cell] = []
    lines = text.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("# %%")]
    if not starts or any(line.strip() for line in lines[: starts[0]]):
        raise InputError(f'{name}: a tutorial begins with a cell, as in # %% [markdown] minutes="20"')
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        kind, attributes = _header(lines[start], f"{name}, line {start + 1}")
        first, last = start + 1, end
        while first < last and not lines[first].strip():
            first += 1
        while last > first and not lines[last - 1].strip():
            last -= 1
        body = lines[first:last]
        if kind == "markdown":
            body = [_prose(line, f"{name}, line {at + 1}") for at, line in enumerate(body, first)]
        cell = Cell(len(cells) + 1, kind, attributes, "\n".join(body), first + 1)
        try:
            _ = cell.question, cell.seconds
        except ValueError as error:
            raise InputError(f"{name}, line {start + 1}: {error}") from None
        cells.append(cell)
    return tuple(cells)


def _header(line: str, where: str) -> tuple[str, dict[str, str]]:
    found = _HEADER.match(line)
    if found is None:
        raise InputError(
            f'{where}: {line!r} is no header; write # %% or # %% [markdown], then key="value" for each key'
        )
    kind = "markdown" if found["markdown"] else "code"
    attributes = {key: str(json.loads(value)) for key, value in _ATTRIBUTE.findall(found["attributes"])}
    for key in attributes.keys() - ATTRIBUTES[kind]:
        raise InputError(f"{where}: a {kind} cell has no {key!r}; it may have {', '.join(sorted(ATTRIBUTES[kind]))}")
    return kind, attributes


def _prose(line: str, where: str) -> str:
    if line.rstrip() == "#":
        return ""
    if not line.startswith("# "):
        raise InputError(f"{where}: a line of prose begins with '# ', an empty one is '#', but this is {line!r}")
    return line[2:].rstrip()


def check_places(cells: Sequence[Cell], name: str = "the tutorial") -> None:
    """Make sure that hints and solutions have something to belong to.

    Raises:
        InputError: one has not; says where it belongs.
    """
    allowed = {
        "hint": ({"question", "exercise", "hint"}, "a question or an exercise"),
        "solution": ({"exercise", "hint", "solution"}, "an exercise and its hints"),
    }
    before = ""
    for cell in cells:
        roles, words = allowed.get(cell.role, ({before}, ""))
        if before not in roles:
            raise InputError(f"{name}, line {cell.line - 1}: a {cell.role} follows {words}; put it there")
        before = cell.role
