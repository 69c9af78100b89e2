"""Where results go, checked before the work begins."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tinygrad_rnn.errors import InputError


def shown(name: object) -> str:
    """Return a name of a file for people to read and for pages: what is no UTF-8 in it becomes U+FFFD."""
    return os.fsencode(str(name)).decode("utf-8", "replace")


def previous_of(path: Path) -> Path:
    """Return where the file that was there before is kept."""
    return path.with_name(f"{path.name}.prev")


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
