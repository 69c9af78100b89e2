"""Where results go, checked before the work begins."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tinygrad_rnn.errors import InputError


def writable_folder(folder: Path, option: str, names: Iterable[str]) -> None:
    """Make a folder and make sure that files of these names can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = "there is a file of that name" if isinstance(error, FileExistsError) else error.strerror or error
        raise InputError(f"{option}: cannot write into {folder}: {reason}") from None
    for name in names:
        if (folder / name).is_dir():
            raise InputError(f"{option}: {folder / name} is a folder, so the file of that name cannot be written")
