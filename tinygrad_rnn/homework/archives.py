"""Open what was handed in: a zip, a folder, a file or a notebook, of which nothing is trusted and little is read."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import notebooks

__all__ = ["open_submission"]

#: The largest file that is read, in bytes, and the most entries that an archive may have.
_LARGEST, _ENTRIES = 1 << 20, 1000


def open_submission(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the texts of the files that an assignment asks for, by name; those that are not there are left out.

    Nothing is unpacked: of an archive only the files asked for are read, in memory and to a bound. They may lie in
    folders, as when a folder was zipped.

    Raises:
        InputError: it is no archive, or one that is not read; the message says why, in one line.
    """
    wanted = list(names)
    if path.is_symlink():
        raise InputError("it is a link, not a file")
    if not path.is_file() and not path.is_dir():  # a pipe, say, of which nothing ever comes
        raise InputError("it is neither a file nor a folder")
    if path.is_dir():
        return _texts(wanted, lambda name: _read(file) if (file := _inside(path, name)) is not None else None)
    if path.suffix in (".py", ".ipynb"):
        alone = wanted[0] if path.suffix == ".py" else notebooks.of(wanted[0])
        return _texts(wanted[:1], lambda name: _read(path) if name == alone else None)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _ENTRIES:
                raise InputError(f"the archive has {len(entries):,} entries; at most {_ENTRIES:,} are looked at")
            return _texts(wanted, lambda name: _entry(archive, entries, name))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the archive cannot be read ({str(error)[:100]})") from error


def _texts(wanted: list[str], content_of: Callable[[str], bytes | None]) -> dict[str, str]:
    """Return the texts of the files that are there, as such or as notebooks."""
    found = {}
    for name in wanted:
        content = content_of(name)
        if name.endswith(".py") and (content is None or content.startswith(notebooks.MADE.encode())):
            whole = content_of(notebooks.of(name))  # newer than the file that a check made from it
            content = content if whole is None else notebooks.code_of(whole, name).encode("utf-8", errors="replace")
        if content is not None:
            found[name] = _text(name, content)
    return found


def _most(name: str) -> int:
    return (notebooks.LARGEST if name.endswith(".ipynb") else _LARGEST) + 1


def _inside(folder: Path, name: str) -> Path | None:
    found = [path for path in (folder / name, *sorted(folder.glob(f"*/{name}"))) if path.is_file() or path.is_symlink()]
    if len(found) > 1 and found[0].parent != folder:
        raise InputError(f"the folder has {name} {len(found)} times; which one counts?")
    if found and found[0].parent.is_symlink():  # what another handed in, or the reference
        raise InputError(f"the folder of {name} is a link, not a folder")
    return found[0] if found else None


def _entry(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], name: str) -> bytes | None:
    found = [
        each for each in entries
        if each.filename.replace("\\", "/").rsplit("/", 1)[-1] == name and not each.filename.startswith("__MACOSX")
    ]  # fmt: skip
    if not found:
        return None
    if len(found) > 1:
        raise InputError(f"the archive has {name} {len(found)} times; which one counts?")
    entry = found[0]
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
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8; save it with that encoding") from error
    if "\0" in text:
        raise InputError(f"{name} is not text: it has zero bytes")
    return text.replace("\r\n", "\n").replace("\r", "\n")
