"""Looking up kernels by name: an op of one's own may ask for one that does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from tinygrad_rnn.errors import DeviceError

Kernel = TypeVar("Kernel")


def called(name: str, table: Mapping[str, Kernel], kind: str) -> Kernel:
    """Return a kernel by its name; DeviceError with the names there are if there is none."""
    try:
        return table[name]
    except KeyError:
        raise DeviceError(f"there is no {kind} kernel {name!r}; there are {', '.join(sorted(table))}") from None
