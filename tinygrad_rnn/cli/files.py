"""Where results go: checked before the work begins, and without what an earlier run has left there."""

from __future__ import annotations

import json
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown

#: Which files of a folder are ours: for each command their names, sizes and times. What is not in it is never removed.
MANIFEST = ".tinygrad_rnn.json"


def write_json(path: str | Path, content: Any) -> None:
    """Write numbers and words as JSON, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def writable_folder(folder: Path, option: str, names: Iterable[str]) -> None:
    """Make a folder and make sure that files of these names can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = "there is a file of that name" if isinstance(error, FileExistsError) else error.strerror or error
        raise InputError(f"{option}: cannot write into {shown(folder)}: {reason}") from None
    for name in names:
        try:
            is_folder = stat.S_ISDIR((folder / name).stat().st_mode)
        except FileNotFoundError:
            continue
        except OSError as error:  # a name that is too long
            raise InputError(f"{option}: cannot write {shown(folder / name)}: {error.strerror or error}") from None
        if is_folder:
            taken = shown(folder / name)
            raise InputError(f"{option}: {taken} is a folder, so the file of that name cannot be written")


@contextmanager
def only_of_this_run(folder: Path, command: str, names: Collection[str]) -> Iterator[None]:
    """Write files inside; afterwards those are gone that an earlier run of the command wrote and this one did not.

    They would look as if they belonged to this one. Files that somebody else wrote or changed stay.

    Args:
        names: of the files that may be written.
    """
    ours = _read_manifest(folder)
    before = {name: _mark(folder / name) for name in names}
    done = False
    try:
        yield
        done = True
    finally:
        now = {name: _mark(folder / name) for name in names}
        written = {name: mark for name, mark in now.items() if mark is not None and mark != before[name]}
        for files in ours.values():
            for name in written:
                files.pop(name, None)
        earlier = ours.get(command, {})
        if done:
            for name, mark in earlier.items():
                if _mark(folder / name) == mark:
                    with suppress(OSError):
                        (folder / name).unlink()
            earlier = {}
        ours[command] = earlier | written
        write_whole(folder / MANIFEST, json.dumps(ours, indent=1).encode())


def _mark(path: Path) -> list[int] | None:
    """Return size and times of a file, which tell whether it is still the one that was written; None without one."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _read_manifest(folder: Path) -> dict[str, dict[str, list[int]]]:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        return {
            str(command): {name: list(mark) for name, mark in files.items() if name == Path(name).name}
            for command, files in found.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}  # then nothing there is known to be ours
