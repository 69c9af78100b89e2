"""Locks that a fork does not leave locked.

A child process has the one thread that forked. A lock that another thread held at that moment stays locked in the
child, where nobody is left to release it: the first who asks for it hangs. So the child makes all of these anew.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

_made: weakref.WeakSet[Any] = weakref.WeakSet()


def lock() -> Any:
    """Return a lock that its own thread may take again, and that is free in a forked child."""
    made = threading.RLock()
    _made.add(made)
    return made


def _make_anew() -> None:
    for each in list(_made):
        each._at_fork_reinit()  # what the standard library calls for its own locks


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_make_anew)
