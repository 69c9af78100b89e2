"""Code that a reader changes in an editor of their own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinygrad_rnn.errors import InputError, MissingToolError

__all__ = ["chosen_here", "edit", "editor", "is_vi"]

#: Tried where nothing says which editor is wanted.
EDITORS = ("nano", "vim", "vi", "notepad")


def chosen_here() -> bool:
    """Return whether the reader has not said which editor is wanted."""
    return not (os.environ.get("VISUAL") or os.environ.get("EDITOR"))


def editor() -> list[str]:
    """Return the words that start an editor: $VISUAL, $EDITOR, or one that is there.

    Raises:
        MissingToolError: there is none.
    """
    wanted = os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, EDITORS), "")
    words = shlex.split(wanted, posix=os.name != "nt")
    if not words or shutil.which(words[0]) is None:
        raise MissingToolError(f"no editor: {wanted or 'neither VISUAL nor EDITOR is set'}")
    return words


def is_vi(name: str) -> bool:
    """Return whether an editor is one that beginners do not find out of.

    >>> is_vi("/usr/bin/vim"), is_vi("nano")
    (True, False)
    """
    return Path(name).stem in ("vi", "vim", "nvim")


def edit(source: str) -> str:
    """Return code as the reader leaves it in an editor.

    Args:
        source: what the editor shows at first.

    Raises:
        MissingToolError: there is no editor.
        InputError: it ended with an error; the code then counts as unchanged.
    """
    words = editor()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cell.py"
        path.write_text(source + "\n" * bool(source), encoding="utf-8")
        with _left_to_the_editor(signal.SIGINT):
            done = subprocess.run([*words, str(path)], check=False)
        if done.returncode:
            raise InputError(f"exit status {done.returncode}")
        try:
            return path.read_text(encoding="utf-8").strip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(str(error)) from None


@contextmanager
def _left_to_the_editor(key: signal.Signals) -> Iterator[None]:
    """Inside, Ctrl-C is what the editor takes it for, and does not end this program behind it."""
    before = signal.signal(key, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(key, before)
