"""Marks: which lines of a file belong to which task, and how the lines of one file are put into another.

A solution stands between `### BEGIN SOLUTION 1.2` and `### END SOLUTION 1.2`, each alone on its line. A task of several
functions has several regions, told apart by a letter: `1.5a`, `1.5b`. Between `### BEGIN YOURS` and `### END YOURS` a
student keeps imports and functions of her own. Programs that tidy a file up may leave one # of a mark, or indent it
otherwise.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tinygrad_rnn.errors import InputError

__all__ = ["YOURS", "Region", "lenient_regions", "lines_of", "regions_of", "splice", "task_of", "words_of"]

#: The region that travels with every task.
YOURS = "YOURS"
_MARK = re.compile(r"#+\s*(BEGIN|END)\s+(?:SOLUTION\s+(\S+)|(YOURS))\s*$")
_NAME = re.compile(r"(\d+\.\d+)[a-z]?$")


@dataclass(frozen=True)
class Region:
    """The lines between two marks."""

    name: str
    #: The index of the line with its BEGIN, and of that with its END.
    begin: int
    end: int
    #: The lines in between, with their ends.
    text: str
    #: How far the marks are moved to the right.
    indent: str


def task_of(region: str) -> str:
    """Return the task that a region belongs to.

    >>> task_of("1.5b"), task_of("1.2")
    ('1.5', '1.2')
    """
    found = _NAME.match(region)
    return found[1] if found else region


def regions_of(source: str, known: Collection[str] | None = None) -> dict[str, Region]:
    r"""Return the regions of a file, in their order.

    Args:
        source: the text of the file.
        known: the names of the regions that there may be; any, unless given.

    Raises:
        InputError: a mark without its other half, inside another region, used twice, unknown, or inside a string.

    >>> list(regions_of("### BEGIN SOLUTION 1.1\nx = 1\n### END SOLUTION 1.1\n"))
    ['1.1']
    """
    lines = lines_of(source)
    try:
        marks = _marks_by_tokens(source, lines)
    except (tokenize.TokenError, SyntaxError):  # not Python: a mistake inside a region is no mistake of its marks
        marks = _marks_by_lines(lines)
    return _pair(lines, marks, known)


def lenient_regions(source: str) -> dict[str, Region]:
    r"""Return the regions of a student's file whose own marks are right, whatever is wrong with the rest of the file.

    It need not be Python, and other marks may be missing, doubled or inside each other.

    >>> list(lenient_regions("### BEGIN SOLUTION 1.1\nx = (\n### END SOLUTION 1.1\n### BEGIN SOLUTION 1.2\n"))
    ['1.1']
    """
    lines = lines_of(source)
    try:
        marks = _marks_by_tokens(source, lines)
    except (tokenize.TokenError, SyntaxError, InputError):
        marks = _marks_by_lines(lines)
    words = [_word(found) for _, found in marks]
    counts = Counter(words)
    regions: dict[str, Region] = {}
    for (word, name), first, second in zip(words, marks, marks[1:], strict=False):
        follows = _word(second[1]) == ("END", name)
        if word == "BEGIN" and follows and counts["BEGIN", name] == counts["END", name] == 1:
            regions |= _pair(lines, [first, second], {name})
    return regions


def words_of(text: str) -> list[tuple[str, str]]:
    r"""Return the marks of a part of a file, of which the other halves may be elsewhere.

    >>> words_of("x = 1\n### END SOLUTION 1.1\n### BEGIN YOURS\n")
    [('END', '1.1'), ('BEGIN', 'YOURS')]
    """
    return [_word(found) for _, found in _marks_by_lines(lines_of(text))]


def splice(base: str, regions: Mapping[str, Region]) -> str:
    r"""Return a file in which some regions are those of another, moved to where its own were.

    >>> base = "### BEGIN SOLUTION 1.1\nx = 1\n### END SOLUTION 1.1\n"
    >>> other = "### BEGIN SOLUTION 1.1\nx = 2\n### END SOLUTION 1.1\n"
    >>> splice(base, regions_of(other)) == other
    True
    """
    lines = lines_of(base)
    for name, region in reversed(regions_of(base).items()):
        if name in regions:
            lines[region.begin + 1 : region.end] = [_ended(_moved(regions[name].text, region.indent))]
    return "".join(lines)


def _moved(text: str, indent: str) -> str:
    """Return the lines of a region for a place with another indent, as in a file with tabs, or two spaces a step."""
    lines = lines_of(text)
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    own = code[0][: len(code[0]) - len(code[0].lstrip())] if code else indent
    if own == indent:
        return text
    return "".join(indent + line[len(own) :] if line.strip() and line.startswith(own) else line for line in lines)


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a file with their ends, as Python counts them: a form feed, say, ends none.

    >>> lines_of("a\x0cb\nc")
    ['a\x0cb\n', 'c']
    """
    return list(io.StringIO(text))


def _word(found: re.Match[str]) -> tuple[str, str]:
    return found[1], found[2] or found[3]


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _marks_by_lines(lines: list[str]) -> list[tuple[int, re.Match[str]]]:
    return [(number, found) for number, line in enumerate(lines) if (found := _MARK.match(line.strip()))]


def _marks_by_tokens(source: str, lines: list[str]) -> list[tuple[int, re.Match[str]]]:
    """Return the marks that are comments, alone on their lines; raise where a string holds one."""
    marks = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        number = token.start[0] - 1
        if token.type == tokenize.COMMENT and (found := _MARK.match(token.string)):
            if lines[number].strip() != token.string.strip():
                raise InputError(f"line {number + 1}: a mark stands alone on its line: {token.string.strip()}")
            marks.append((number, found))
        elif token.type != tokenize.COMMENT and token.type != tokenize.NL and "#" in token.string:
            for offset, line in enumerate(token.string.splitlines()):
                if _MARK.match(line.strip()):
                    raise InputError(f"line {number + offset + 1}: a mark inside a text is none; take it out")
    return marks


def _pair(lines: list[str], marks: list[tuple[int, re.Match[str]]], known: Collection[str] | None) -> dict[str, Region]:
    regions: dict[str, Region] = {}
    open_name, open_line = "", 0
    for number, found in marks:
        word, name = _word(found)
        where, said = f"line {number + 1}: ", found[0].strip()
        if name != YOURS and not _NAME.match(name):
            raise InputError(f"{where}{said}: a task is called 1.2, or 1.2a, not {name}")
        if known is not None and name not in known:
            raise InputError(f"{where}{said}: there is no task {name}; there are {', '.join(sorted(known))}")
        if word == "BEGIN":
            if open_name:
                raise InputError(f"{where}{said}: the region {open_name}, from line {open_line + 1}, has not ended yet")
            if name in regions:
                first = regions[name].begin + 1
                raise InputError(f"{where}{said}: there is one already, in line {first}; keep one of them")
            open_name, open_line = name, number
        elif name != open_name:
            missing = f"the region that is open is {open_name}" if open_name else "it has no BEGIN"
            raise InputError(f"{where}{said}: {missing}")
        else:
            line = lines[open_line]
            text = "".join(lines[open_line + 1 : number])
            regions[name] = Region(name, open_line, number, text, line[: len(line) - len(line.lstrip())])
            open_name = ""
    if open_name:
        raise InputError(f"line {open_line + 1}: the region {open_name} has no END; put its mark back")
    return regions
