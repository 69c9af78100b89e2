"""Standard input, output and error that were closed, are full, or whose reader has gone."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class Notes:
    """Standard error, as far as somebody reads it: what cannot be written there must not end the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or do without from now on."""
        try:
            return self._stream.write(text)
        except OSError:
            silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, or do without from now on."""
        try:
            self._stream.flush()
        except OSError:
            silence(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def usable_streams() -> Iterator[None]:
    """Inside, whatever is printed goes where it belongs or nowhere."""
    # A closed descriptor would be given to the next file opened, and what is printed would end up in it.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, this one
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    # With None, print(..., file=sys.stderr) would print to standard output.
    sys.stdout, sys.stderr = (io.StringIO() if stream is None else stream for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a text may hold characters that this terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = Notes(sys.stderr)  # a stream as far as print, argparse and rich need one
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def silence(stream: Any) -> None:
    """Send what is still to be written to nowhere, so that Python does not fail on it again at its end."""
    with contextlib.suppress(OSError, ValueError):  # no descriptor: a stream that somebody has put in its place
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
