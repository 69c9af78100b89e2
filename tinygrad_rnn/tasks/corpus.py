"""Where text comes from: a file, or a grammar."""

from __future__ import annotations

import codecs
import hashlib
import re
import shlex
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import grammar


@dataclass(frozen=True)
class Corpus:
    """A text and a few words on where it is from, for people to read."""

    text: str
    source: str

    @cached_property
    def sha256(self) -> str:
        """What tells this text from any other, in hexadecimal: a seed gives the same numbers on the same text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_corpus(path: str | Path) -> Corpus:
    """Return the text of a UTF-8 file.

    Raises:
        InputError: the file is missing, empty, not text, or cannot be read.
    """
    path = Path(path)
    name = shown(path)
    try:
        endless = stat.S_ISCHR(path.stat().st_mode)
        data = b"" if endless else path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"the text file {name} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{name} is a folder; name a text file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"the text file {name} cannot be read: {reason}") from None
    if endless:
        raise InputError(f"{name} is a device, not a text file")
    if not data.strip():
        raise InputError(f"the text file {name} is empty")
    try:
        if encoding := _wide(data):
            raise InputError(_advice(path, data, f"{name} looks like {encoding[:6].upper()} text", encoding))
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"{name} is not UTF-8 text (byte {error.start} is 0x{data[error.start]:02x})"
        raise InputError(_other(path, data, place)) from None
    if "\0" in text:
        raise InputError(f"{name} is a binary file (character {text.index(chr(0))} is NUL), not text")
    if not text.strip():
        raise InputError(f"the text file {name} is empty")
    return Corpus(text.replace("\r\n", "\n"), name)


# ---- text that is not UTF-8 ----------------------------------------------------------------------------------------

#: The marks at the beginning of a file; those of UTF-32 first, as one of them begins with one of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: What iconv calls an encoding; Python's name with - for _ unless it is here.
_ICONV = {"euc_jis_2004": "euc-jp", "euc_jisx0213": "euc-jp"}
#: The letters and marks beyond ASCII of most languages of Western Europe, as cp1252 has them.
_WESTERN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿœŒ«»“”\u2018\u2019„–—…€£°·¿¡©§ \xa0")
#: So many bytes are looked at.
_LOOKED_AT = 1_000_000


def _wide(data: bytes) -> str | None:
    """Return UTF-16 or UTF-32, told by the mark at the beginning or by the zeros of text with few other letters."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return encoding
    for encoding, width, places in (
        ("utf-32-le", 4, (0,)), ("utf-32-be", 4, (3,)), ("utf-16-le", 2, (0,)), ("utf-16-be", 2, (1,)),
    ):  # fmt: skip
        zeros = [data[:4000][place::width].count(0) / max(len(data[:4000][place::width]), 1) for place in range(width)]
        letters = all(zeros[place] == 0 for place in places)
        others = all(share > 0.9 for place, share in enumerate(zeros) if place not in places)
        if len(data) % width == 0 and letters and others:
            return encoding
    return None


def _other(path: Path, data: bytes, place: str) -> str:
    """Return what is to be said about a file that is not UTF-8."""
    encoding = _likely(data[:_LOOKED_AT])
    if encoding is not None:
        return _advice(path, data, f"{place}, but most likely {encoding}", encoding)
    strange = sum(data[:_LOOKED_AT].count(byte) for byte in range(32) if byte not in b"\t\n\r\f\v\b\x1b")
    if strange:
        return f"{place}, and looks like a binary file; name a text file"
    return f"{place}; find out its encoding and convert it: iconv -f ENCODING -t utf-8 {_quoted(path)} > converted.txt"


def _likely(data: bytes) -> str | None:
    """Return the encoding in which the bytes read like a language; None if none does, or nothing here can tell."""
    if b"\0" not in data and _reads_western(data):
        return "cp1252"
    try:
        from charset_normalizer import from_bytes  # noqa: PLC0415  (slow to load, and hardly ever needed)
    except ImportError:  # an installation from before it was needed
        return None
    found = from_bytes(data[: data.rfind(b"\n") + 1] if len(data) == _LOOKED_AT else data).best()
    return None if found is None or found.encoding in ("utf_8", "ascii") else str(found.encoding)


def _reads_western(data: bytes) -> bool:
    """Whether all that is not ASCII becomes letters of Western Europe, now and then one, as in French or German."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    foreign = [character for character in text if character > "\x7f"]
    letters = sum(map(str.isalpha, text))
    readable = not any(character < " " and character not in "\t\n\r\f\v" for character in text)
    return readable and set(foreign) <= _WESTERN and 4 * sum(map(str.isalpha, foreign)) <= letters


def _advice(path: Path, data: bytes, what: str, encoding: str) -> str:
    """Return what to do about a text in another encoding: a command that is right, and what it reads like then."""
    text = data[:20_000].decode(encoding, "ignore").lstrip("\ufeff")
    words = next((line.strip() for line in text.splitlines() if not line.isascii()), text.strip())[:30]
    name = _ICONV.get(encoding, re.sub(r"[-_]([lb]e)$", r"\1", encoding).replace("_", "-"))
    command = f"iconv -f {name} -t utf-8 {_quoted(path)} > converted.txt"
    return f"{what}, in which it reads {words!r}; save it as UTF-8, or convert it: {command}"


def _quoted(path: Path) -> str:
    return shlex.quote(shown(path))


def shown(name: object) -> str:
    """Return the name of a file, or a text with such names, for people and for pages: U+FFFD for what is no UTF-8.

    Python keeps such bytes as characters that nothing can write; also those of UTF-8 where the locale is ASCII.
    """
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def default_corpus() -> Corpus:
    """Return the text that is there offline, the same characters on every machine; see `tasks.grammar`."""
    return Corpus(grammar.text(), "the text of tinygrad_rnn.tasks.grammar, the same everywhere")
