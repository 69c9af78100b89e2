"""Open what was handed in: a zip, a folder, a file or a notebook, of which nothing is trusted and little is read."""

from __future__ import annotations

import codecs
import io
import itertools
import re
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import notebooks

__all__ = ["decoded", "open_submission"]

#: The largest file that is read, in bytes, and the most entries that an archive may have.
_LARGEST, _ENTRIES = 1 << 20, 1000
#: How many files a folder has fewer than.
_FILES = 20_000
#: What a file of Python says of its encoding, in one of its first two lines.
_CODING = re.compile(r"^([ \t\f]*#.*?coding[:=][ \t]*)[-\w.]+", re.ASCII)


def open_submission(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the texts of the files that an assignment asks for, by name; those that are not there are left out.

    Nothing is unpacked: of an archive only the files asked for are read, in memory and to a bound. They may lie in
    folders, as when a folder was zipped, and have got a longer name on their way, as engine (2).py, where no other can
    be meant.

    Raises:
        InputError: it is no archive, or one that is not read; the message says why, in one line.
    """
    wanted = list(names)
    if path.is_symlink():
        raise InputError("it is a link, not a file")
    if not path.is_file() and not path.is_dir():  # a pipe, say, of which nothing ever comes
        raise InputError("it is neither a file nor a folder")
    if path.is_dir():
        files = _inside(path)

        def content_of(name: str, longer: bool) -> bytes | None:
            place = _chosen(files, name, longer, "folder")
            return None if place is None else _read(files[place])

        return _texts(wanted, content_of)
    if (suffix := path.suffix.lower()) in (".py", ".ipynb"):
        alone = wanted[0] if suffix == ".py" else notebooks.of(wanted[0])
        return _texts(wanted[:1], lambda name, _: _read(path) if name == alone else None)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _ENTRIES:
                raise InputError(f"the archive has {len(entries):,} entries; at most {_ENTRIES:,} are looked at")
            return _texts(wanted, lambda *name: _entry(archive, entries, *name))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the archive cannot be read ({str(error)[:100]})") from error


def _texts(wanted: list[str], content_of: Callable[[str, bool], bytes | None]) -> dict[str, str]:
    """Return the texts of the files that are there, as such or as notebooks; whether by a longer name comes last."""
    found = {}
    for name in wanted:
        for longer in (False, True):
            content = content_of(name, longer)
            if name.endswith(".py") and (content is None or content.startswith(notebooks.MADE.encode())):
                whole = content_of(notebooks.of(name), longer)  # newer than the file that a check made from it
                content = content if whole is None else notebooks.code_of(whole, name).encode("utf-8", errors="replace")
            if content is not None:
                found[name] = _text(name, content)
                break
    return found


def _most(name: str) -> int:
    return (notebooks.LARGEST if name.endswith(".ipynb") else _LARGEST) + 1


def _inside(folder: Path) -> dict[str, Path]:
    """Return the files of a folder, by where they are in it; links are among them, to be refused."""
    found = list(itertools.islice(folder.rglob("*.*"), _FILES))
    if len(found) == _FILES:
        raise InputError(f"the folder has {_FILES:,} files or more; hand in what you wrote, and no environment")
    paths = [path for path in sorted(found) if path.is_file() or path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _chosen(places: Iterable[str], name: str, longer: bool, where: str) -> str | None:
    """Return the place of a file, the one that lies in the fewest folders; None if there is none.

    Args:
        places: where files are.
        name: the name of the file.
        longer: look for one that got more to its name, as engine (2).py, Copy of engine.py or ada_engine.py.
        where: what is looked into, for the message.

    Raises:
        InputError: several could be meant.
    """
    stem, dot, suffix = name.rpartition(".")
    named = re.compile(
        rf"([^.].{{,100}}[ _-])?{re.escape(stem)}([ ._(-].{{,100}})?{re.escape(dot + suffix)}"
        if longer else re.escape(name)
    )  # fmt: skip
    found = []
    for place in places:
        *folders, last = place.replace("\\", "/").split("/")
        if named.fullmatch(last) and not {"__MACOSX", ".ipynb_checkpoints"} & {*folders}:
            found.append((len(folders), place))
    least = [place for depth, place in found if depth == min(found)[0]]
    if len(least) > 1:
        raise InputError(f"the {where} has {name} {len(least)} times; which one counts?")
    return least[0] if least else None


def _entry(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], name: str, longer: bool) -> bytes | None:
    chosen = _chosen([each.filename for each in entries], name, longer, "archive")
    if chosen is None:
        return None
    entry = next(each for each in entries if each.filename == chosen)
    parts = entry.filename.replace("\\", "/").split("/")
    if ".." in parts or entry.filename.startswith("/") or ":" in parts[0]:
        raise InputError(f"the archive has a path that leads out of it: {entry.filename[:80]!r}")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(f"{name} is a link, not a file")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Of bzip2 and LZMA zipfile unpacks whole parts, to no bound: two thousand bytes can be gigabytes.
        raise InputError(f"{name} is packed in a way that is not read; zip it as your system does, or with Deflate")
    with archive.open(entry) as stream:
        return stream.read(_most(name))


def _read(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path.name} is a link, not a file")
    try:
        with path.open("rb") as stream:
            return stream.read(_most(path.name))
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror})") from error


def _text(name: str, content: bytes) -> str:
    if len(content) > _LARGEST:
        raise InputError(f"{name} is larger than {_LARGEST:,} bytes")
    return decoded(name, content)


def decoded(name: str, content: bytes) -> str:
    r"""Return the text of a file with the line ends of Python, in the encoding that its first bytes or lines say.

    Args:
        name: its name, for the message.
        content: its bytes.

    Raises:
        InputError: it is not text, or says nothing of its encoding and is not UTF-8.

    >>> decoded("engine.py", "# coding: latin-1\r\nname = 'é'".encode("latin-1"))
    "# coding: utf-8\nname = 'é'"
    """
    try:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else tokenize.detect_encoding(io.BytesIO(content).readline)[0])
    except (UnicodeError, SyntaxError, LookupError) as error:
        raise InputError(f"{name} is not UTF-8; save it with that encoding") from error
    if "\0" in text:
        raise InputError(f"{name} is not text: it has zero bytes")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # It is written as UTF-8 from here on.
    return "\n".join([*(_CODING.sub(r"\1utf-8", line) for line in lines[:2]), *lines[2:]])
