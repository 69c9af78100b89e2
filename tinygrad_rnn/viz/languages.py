"""Pictures, plots and pages in another language: what is written in them, translated as it is drawn.

All that is drawn is written in English, in many files. Here a finished text is looked up in the table of a language, as
a whole, by its pattern, or sentence by sentence; what the table does not have stays English. So nothing that draws or
counts knows of languages, and a new one is a table.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from tinygrad_rnn.viz.chinese import CHINESE

__all__ = [
    "LANGUAGES", "Pattern", "broken", "for_scripts", "letter_width", "patterns", "translated", "translated_html",
]  # fmt: skip

#: English, and the languages there is a table for.
LANGUAGES = ("en", "zh")
_TABLES: Mapping[str, Mapping[str, str]] = {"zh": CHINESE}

_HOLE = re.compile(r"\{(\w+)\}")
#: What a hole holds: one of one letter a word, one with a longer name what lies within a sentence, "rest" anything.
_WORD, _PHRASE, _REST = r"(\S+?)", r"((?:(?![.?!;:] ).)+?)", "(.+)"
#: Where a sentence ends, and then parts of one that can stand alone.
_ENDS = (re.compile(r"(?<=[.?!]) |(?<=[.?!]\)) "), re.compile(r"(?<=;) "), re.compile(r"(?<=:) "))
_STOPS = {".": "。", ";": "；", ":": "："}
#: What is never at the beginning of a line, in Chinese.
_CLOSING = "，。；：、！？）》”’…"
_TEXT = re.compile(r"(?s)(<(?:style|script|pre|title)\b.*?</(?:style|script|pre|title)>|<[^>]*>)")
_SAID = re.compile(r'(\b(?:title|alt|aria-label)=")([^"]*)(")')


class Pattern(NamedTuple):
    """A sentence with holes: what matches it, and what is written in its place, "$1" where the first hole is."""

    matches: re.Pattern[str]
    written: str


@cache
def patterns(language: str) -> list[Pattern]:
    """Return the sentences with holes of a language, those that say most first."""
    found = []
    for english, other in _TABLES[language].items():
        holes = _HOLE.findall(english)
        if not holes:
            continue
        parts = _HOLE.split(english)
        source = "".join(re.escape(part) if i % 2 == 0 else _held_by(part) for i, part in enumerate(parts))
        written = _HOLE.sub(lambda hole, order=holes: f"${order.index(hole[1]) + 1}", other)  # type: ignore[misc]
        found.append((len(_HOLE.sub("", english)), Pattern(re.compile(f"^{source}$"), written)))
    return [pattern for _, pattern in sorted(found, key=lambda pair: -pair[0])]


def _held_by(hole: str) -> str:
    return _WORD if len(hole) == 1 else _REST if hole.startswith("rest") else _PHRASE


@cache
def translated(text: str, language: str) -> str:
    """Return a text in another language, as far as its table goes.

    Args:
        text: English, as it is drawn; what is around it in the way of blanks stays.
        language: one of `LANGUAGES`.

    >>> translated("forget gate f", "zh"), translated("forget gate f", "en")
    ('遗忘门 f', 'forget gate f')
    """
    if language not in _TABLES or not text.strip():
        return text
    inner = " ".join(text.split())
    head, tail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    said = _said(inner, language)
    return text if said == inner else f"{head}{said}{tail}"


def _said(text: str, language: str) -> str:
    """Return one line without blanks around it in a language, or as it is."""
    if (known := _known(text, language)) is not None:
        return known
    if "$" in text:  # a formula
        return text
    for end in _ENDS:
        parts = end.split(text)
        if len(parts) > 1:
            return _joined(translated(part, language) for part in parts)
        stop = _STOPS.get(text[-1])  # of one sentence: without it, it may be known
        if stop and (known := _known(text[:-1], language)) is not None:
            return known + stop
    return text


def _known(text: str, language: str) -> str | None:
    """Return what the table has for a text as a whole, or for its pattern."""
    if (exact := _TABLES[language].get(text)) is not None:
        return exact
    for pattern in patterns(language):
        if found := pattern.matches.match(text):
            inner = [translated(part, language) for part in found.groups()]
            return re.sub(r"\$(\d+)", lambda hole: inner[int(hole[1]) - 1], pattern.written)  # noqa: B023
    return None


def _joined(parts: Iterator[str]) -> str:
    """Return sentences one after the other: without a blank behind the punctuation of Chinese, which is wide."""
    said = ""
    for part in parts:
        said += part if not said or said[-1] in _CLOSING else f" {part}"
    return said


def translated_html(text: str, language: str) -> str:
    """Return HTML in another language: its text, and what its attributes say; not its styles, scripts and commands."""
    if language not in _TABLES:
        return text
    parts = _TEXT.split(text)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = _in_html(part, language)
        elif part.startswith("<title"):
            parts[i] = f"<title>{_in_html(part[7:-8], language)}</title>"
        elif not part.startswith(("<style", "<script", "<pre")):
            parts[i] = _SAID.sub(lambda said: said[1] + _in_html(said[2], language) + said[3], part)
    return "".join(parts).replace('<html lang="en">', f'<html lang="{language}">', 1)


def _in_html(text: str, language: str) -> str:
    plain = html.unescape(text)
    said = translated(plain, language)
    return text if said == plain else html.escape(said)


def for_scripts(language: str) -> dict[str, object] | None:
    """Return the table of a language as the scripts of a page read it; None for English."""
    if language not in _TABLES:
        return None
    whole = {english: other for english, other in _TABLES[language].items() if not _HOLE.search(english)}
    return {
        "whole": whole,
        "patterns": [(pattern.matches.pattern, pattern.written) for pattern in patterns(language)],
        "closing": _CLOSING,
        "stops": _STOPS,
    }


_FORMULA = re.compile(r"\$[^$]+\$")


# ---- room ----------------------------------------------------------------------------------------------------------


def letter_width(text: str) -> int:
    """Return how many Latin letters are about as wide as a text: a Chinese one counts twice.

    >>> letter_width("gate 门")
    7
    """
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in _FORMULA.sub("--------", text))


def broken(text: str, width: int) -> list[str]:
    """Return Chinese in lines of so many Latin letters: between any two of its own, but no line begins with a stop.

    >>> broken("梯度消失了，完了。", 10)
    ['梯度消失', '了，完了。']
    """
    lines, line = [], ""
    for piece in re.findall(rf"(?:\$[^$]+\$|[!-#%-~‖∂φσΣ²ᵀ·×÷√≥≤→∞αβγ]+|.)[{_CLOSING}]*", text):
        if line.strip() and letter_width(line + piece) > width:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()]
