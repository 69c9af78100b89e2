"""Backends: one module of kernels per way of computing; `get(device)` hands over the right one."""

from __future__ import annotations

import os
from types import ModuleType

from tinygrad_rnn.backends import locks
from tinygrad_rnn.errors import DeviceError

#: Which module serves device "cpu": "cpu" (Numba kernels, the default) or "reference" (plain NumPy).
CPU_BACKEND_VARIABLE = "TINYGRAD_RNN_BACKEND"

_loaded: dict[str, ModuleType] = {}
_loading = locks.lock()


def get(device: str) -> ModuleType:
    """Return the backend module that serves a device name; DeviceError if there is none."""
    backend = _loaded.get(device)
    if backend is None:
        with _loading:  # two threads must not open one GPU at the same time
            backend = _loaded.get(device)
            if backend is None:
                backend = _loaded[device] = _load(device)
    return backend


def _load(device: str) -> ModuleType:
    if device == "cuda:0":
        return get("cuda")
    if device == "cuda":
        from tinygrad_rnn.backends import cuda  # noqa: PLC0415  (it imports Numba, and needs a GPU)

        cuda.driver.device()  # raises where there is none
        return cuda
    if device != "cpu":
        raise DeviceError(f"unknown device {device!r}; use 'cpu' or 'cuda' (the first GPU)")
    chosen = os.environ.get(CPU_BACKEND_VARIABLE, "cpu")
    if chosen == "reference":
        from tinygrad_rnn.backends import reference  # noqa: PLC0415  (only the chosen backend is loaded)

        return reference
    if chosen == "cpu":
        from tinygrad_rnn.backends import cpu  # noqa: PLC0415

        return cpu
    raise DeviceError(f"{CPU_BACKEND_VARIABLE}={chosen!r} names no backend; use 'cpu' or 'reference'")
