"""Where numba.cuda comes from (the other modules take it from here), and what may keep it from working."""

from __future__ import annotations

import importlib.util
from typing import Any

from tinygrad_rnn.errors import DeviceError

try:
    import numba.cuda
    from numba import config
except ImportError as error:
    raise DeviceError(
        f"device 'cuda' needs Numba, which cannot be imported ({error}): pip install 'tinygrad-rnn[cuda13]'"
    ) from error

#: numba.cuda, which every module with kernels must have as a global of this name: the simulator replaces it there.
cuda: Any = numba.cuda

#: Whether kernels run in Numba's simulator; the blocks of all kernels are then a few threads small.
simulated = bool(getattr(config, "ENABLE_CUDASIM", False))

INSTALL = "pip install 'tinygrad-rnn[cuda13]' (or [cuda12] for a driver of CUDA 12)"
SIMULATOR_HINT = (
    "Without a GPU, NUMBA_ENABLE_CUDASIM=1 in the environment (set before Python starts) runs the kernels on the CPU, "
    "slowly"
)


def missing() -> str | None:
    """Return what keeps device "cuda" from working here, or None if nothing does."""
    if simulated:
        return None
    if importlib.util.find_spec("numba_cuda") is None:
        return f"the package numba-cuda is not installed: {INSTALL}"
    if not cuda.is_available() or not len(cuda.gpus):
        return f"no NVIDIA GPU can be used: {_why_unavailable()}"
    return None


def _why_unavailable() -> str:
    """Return in the driver's own words why there is no GPU."""
    try:
        if cuda.gpus:  # an error that is_available() swallowed is raised here
            return "the CUDA toolkit's libraries (NVVM) were not found: pip install 'tinygrad-rnn[cuda13]'"
    except Exception as error:  # whatever stands in the way, the user wants to read it
        return " ".join(str(error).split()).rstrip(" :.") or type(error).__name__
    return "the driver lists no device (nvidia-smi shows what it sees)"
