"""Pictures that a script shows, as files in one folder for each script, and a line that says where."""

from __future__ import annotations

import os
import re
import sys
from contextvars import ContextVar
from pathlib import Path

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.serialization import write_whole

#: Says where pictures go instead of the folder of this user's data; and where all such data go.
PICTURES, DATA = "TINYGRAD_RNN_PICTURES", "TINYGRAD_RNN_DATA"
#: What this process has written, in this order: who runs a script step by step can open what a step has shown.
written: list[Path] = []
#: What stands before the place of a picture: a tutorial says it in its own language.
called: ContextVar[str] = ContextVar("called", default="picture: ")


def data_folder() -> Path:
    """Return where this user's data are kept: progress in tutorials, their pictures."""
    if os.environ.get(DATA):
        return Path(os.environ[DATA])
    import platformdirs  # noqa: PLC0415  (only those who keep something need it)

    return platformdirs.user_data_path("tinygrad_rnn", appauthor=False)


def picture_folder() -> Path:
    """Return where the pictures of the script that runs now go."""
    if os.environ.get(PICTURES):
        return Path(os.environ[PICTURES])
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return data_folder() / "pictures" / (Path(script).stem if script else "python")


def write_picture(name: str, kind: str, content: bytes) -> Path:
    """Write a picture, say where it is, and return its path.

    Args:
        name: letters, digits, - and _; a picture that is there under this name is replaced.
        kind: how the file's name ends.
        content: of the file.

    Raises:
        InputError: the name cannot be that of a file, or the file cannot be written.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise InputError(f"show: name={name!r} cannot be the name of a file; use letters, digits, - and _")
    path = picture_folder() / f"{name}.{kind}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; set {PICTURES} to another folder") from None
    write_whole(path, content)
    written.append(path)
    say_where(path)
    return path


def say_where(path: Path) -> None:
    """Print where a picture is, as a link where the terminal has such."""
    if not sys.stdout.isatty():
        print(f"{called.get()}{path}", flush=True)
        return
    from rich.console import Console  # noqa: PLC0415  (slow to load, and for terminals only)
    from rich.text import Text  # noqa: PLC0415

    line = Text(called.get()).append(str(path), style=f"link {path.absolute().as_uri()}")
    Console(highlight=False, soft_wrap=True).print(line)
