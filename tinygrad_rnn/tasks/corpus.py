"""Where text comes from: a file, or what every Python brings along."""

from __future__ import annotations

import codecs
import importlib
import importlib.util
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from tinygrad_rnn.errors import InputError

#: How much of the standard library's sources is taken where the language reference is missing; about its length.
ENOUGH_CHARACTERS = 465_000


@dataclass(frozen=True)
class Corpus:
    """A text and a few words on where it is from, for people to read."""

    text: str
    source: str


def read_corpus(path: str | Path) -> Corpus:
    """Return the text of a UTF-8 file.

    Raises:
        InputError: the file is missing, empty, not text, or cannot be read.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"the text file {path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name a text file") from None
    except OSError as error:
        raise InputError(f"the text file {path} cannot be read: {error.strerror or error}") from None
    if not data.strip():
        raise InputError(f"the text file {path} is empty")
    if _is_utf16(data):
        raise InputError(
            f"{path} looks like UTF-16 text, as some programs of Windows write it; save it as UTF-8 there, or convert "
            f"it: iconv -f utf-16 -t utf-8 {path} > converted.txt"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text (byte {error.start} is 0x{data[error.start]:02x}); a text in another encoding "
            f"can be converted: iconv -f latin1 -t utf-8 {path} > converted.txt"
        ) from None
    if "\0" in text:
        raise InputError(f"{path} is a binary file (character {text.index(chr(0))} is NUL), not text")
    return Corpus(text.replace("\r\n", "\n"), str(path))


def _is_utf16(data: bytes) -> bool:
    """Tell by the mark at the beginning, or by every second byte being 0, as in text with few other letters."""
    zeros = sorted((data[:1000:2].count(0), data[1:1000:2].count(0)))
    every_second = zeros[0] == 0 and zeros[1] > 0.9 * len(data[:1000:2]) and len(data) % 2 == 0
    return every_second or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def default_corpus() -> Corpus:
    """Return text that is there offline: Python's language reference, or its standard library's sources.

    Some distributions of Python leave `pydoc_data.topics` out.
    """
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError):
        return _standard_library()
    if not topics:
        return _standard_library()
    text = "\n\n".join(topics[name].strip("\n") for name in sorted(topics))
    return Corpus(text, f"pydoc_data.topics, the language reference inside Python {platform.python_version()}")


def _standard_library() -> Corpus:
    """Return the sources of the first public modules of the standard library, by name."""
    sources: list[str] = []
    characters = 0
    for name in sorted(sys.stdlib_module_names):
        source = None if name.startswith("_") else _source_of(name)
        if source:
            sources.append(source.strip("\n"))
            characters += len(sources[-1])
        if characters >= ENOUGH_CHARACTERS:
            break
    if not sources:
        raise InputError("this Python brings neither pydoc_data.topics nor its sources; name a text file with --text")
    described = f"the sources of {len(sources)} standard modules of Python {platform.python_version()}"
    return Corpus("\n\n".join(sources), f"{described} (it has no pydoc_data.topics)")


def _source_of(name: str) -> str | None:
    """Return a module's source without running it, also from a zipped library; None where there is none."""
    try:
        spec = importlib.util.find_spec(name)
        get_source = getattr(spec.loader, "get_source", None) if spec else None
        return get_source(name) if get_source else None
    except (ImportError, ValueError, OSError, SyntaxError):
        return None
