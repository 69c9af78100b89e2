"""Ctrl-C while the command is still being imported ends it as it does later: with one line, and exit code 130.

`python -m tinygrad_rnn` and the script of that name import this package, for a second or two, before a line of the
command itself runs. Programs that import the library keep Python's way.
"""

import os
import signal
import sys
from pathlib import PurePath
from types import FrameType

__all__ = ["INTERRUPTED", "interrupts_as_usual"]

#: What people are told.
INTERRUPTED = "interrupted; the files written so far are whole"


def _is_the_command() -> bool:
    """Return whether this process was started as the command; `-m` is what Python calls a module it is looking for."""
    return (sys.argv[:1] == ["-m"] and __package__ in sys.orig_argv) or any(
        PurePath(word).stem.startswith("tinygrad-rnn") for word in sys.argv[:1]
    )


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, f"tinygrad-rnn: {INTERRUPTED}\n".encode())
    os._exit(130)


def interrupts_as_usual() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, if it was changed here."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _is_the_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)
