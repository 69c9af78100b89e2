"""What keeps a student's process from the network, from other processes and from files; found by trying it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["around", "prefix", "told"]

_WAYS = (
    ("bwrap", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc",
     "--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--"),
    ("unshare", "--user", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--"),
)  # fmt: skip


def around(folder: Path) -> tuple[str, ...]:
    """Return the words before a command that may write in one folder; where `unshare` cuts it off, also in others."""
    words = prefix()
    own = ("--bind", str(folder), str(folder))
    return (*words[:-1], *own, "--") if words and Path(words[0]).name == "bwrap" else words


@functools.cache
def prefix() -> tuple[str, ...]:
    """Return the words before a command that cut it off from the network and from other processes; () if none work."""
    for name, *options in _WAYS:
        program = shutil.which(name)
        if program is None:
            continue
        words = (program, *options)
        try:
            done = subprocess.run(
                [*words, sys.executable, "-I", "-S", "-c", ""],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False, env={"PATH": os.defpath},
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return words
    return ()


def told(files_cut: bool) -> str:
    """Return a sentence: what a student's process can reach here.

    Args:
        files_cut: whether a process was kept to its own folder.
    """
    way = prefix()
    network = (
        f"no network and no other process ({Path(way[0]).name})"
        if way
        else "the network and other processes of this user"
    )
    files = "only Python's files and its own folder (Landlock)" if files_cut else "all files of this user"
    word = "sandbox" if way and files_cut else "half a sandbox" if way or files_cut else "no sandbox"
    unbounded = "; as root, the number of processes is not" if not way and os.geteuid() == 0 else ""
    return f"{word}: student code reaches {network}, {files}; time, memory and file size are bounded{unbounded}"
