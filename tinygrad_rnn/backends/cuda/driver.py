"""The device that kernels run on: the first GPU, or the simulator.

`device` is where everything below a kernel happens: allocating, copying, launching. It is a `Gpu`, or a `Simulator`
where NUMBA_ENABLE_CUDASIM=1 was set before Python started: then kernels run as plain Python on the CPU, thread by
thread, slowly, and can be stepped through with a debugger.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tinygrad_rnn.backends import locks
from tinygrad_rnn.backends.cuda.toolkit import INSTALL, SIMULATOR_HINT, cuda, missing, simulated
from tinygrad_rnn.errors import DeviceError

if TYPE_CHECKING:
    from tinygrad_rnn.backends.cuda.gpu import Gpu
    from tinygrad_rnn.backends.cuda.simulator import Simulator

__all__ = ["cuda", "device", "missing", "multiprocessors", "simulated"]


_opening = locks.lock()


def device() -> Gpu | Simulator:
    """Return the device all kernels run on; DeviceError that says what was looked for if there is none."""
    with _opening:  # two devices would mean two streams, whose kernels do not wait for each other
        return _opened()


@functools.cache
def _opened() -> Gpu | Simulator:
    reason = missing()
    if reason is not None:
        raise DeviceError(f"device 'cuda' cannot be used: {reason}. {SIMULATOR_HINT}")
    if simulated:
        from tinygrad_rnn.backends.cuda.simulator import Simulator  # noqa: PLC0415  (only the one in use)

        return Simulator()
    try:
        from tinygrad_rnn.backends.cuda.gpu import Gpu  # noqa: PLC0415  (it imports NVIDIA's bindings)
    except ImportError as error:
        raise DeviceError(
            f"device 'cuda' cannot be used: NVIDIA's Python bindings are not whole ({error}): {INSTALL}"
        ) from error
    return Gpu()


def multiprocessors() -> int:
    """Return how many multiprocessors (SMs) share the work of a launch."""
    return device().multiprocessors
