"""What Ctrl-C does: it ends the program at once, or after the update under way, and is never lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interrupt_waits", "no_interrupt_is_lost"]

#: Seconds until an interrupt that was lost comes again.
LATER = 0.05


@contextmanager
def no_interrupt_is_lost() -> Iterator[None]:
    """Interrupt again where Python had to drop an interrupt.

    That is where nobody can catch it: in a function that C calls, as the compiler of kernels does, or in `__del__`.
    """
    before = sys.unraisablehook

    def unraisable(found: Any) -> None:
        if not issubclass(found.exc_type, KeyboardInterrupt):
            before(found)
            return
        again = threading.Timer(LATER, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = unraisable
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def interrupt_waits() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C wait for the update under way, so that no half of it gets saved; a second one does not wait.

    The block gets a function that tells whether it was pressed.
    """
    pressed = False

    def note(signal_number: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
