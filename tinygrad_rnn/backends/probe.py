"""What there is of a GPU, and what is in the way of device "cuda", for people who want to know."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from dataclasses import dataclass

from tinygrad_rnn import backends
from tinygrad_rnn.errors import DeviceError

#: Set to 1 before Python starts, it makes Numba run CUDA kernels on the CPU.
SIMULATOR_VARIABLE = "NUMBA_ENABLE_CUDASIM"


@dataclass(frozen=True)
class CudaReport:
    """What was found.

    Attributes:
        library: the NVIDIA driver's library, by the name it was looked for.
        driver: the version of CUDA that the driver is for, "12.8"; None if there is no driver.
        gpus: their names.
        package: the version of numba-cuda; None if it is not installed.
        simulated: whether the environment asks for Numba's simulator.
        problem: what keeps device "cuda" from working; None if it works.
    """

    library: str
    driver: str | None
    gpus: tuple[str, ...]
    package: str | None
    simulated: bool
    problem: str | None


def look_for_cuda() -> CudaReport:
    """Look for driver, GPU and packages; numba.cuda is imported only where it may work."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    driver, gpus = _driver(library)
    package = _version("numba-cuda")
    simulated = os.environ.get(SIMULATOR_VARIABLE, "0").strip() not in ("", "0")
    return CudaReport(library, driver, gpus, package, simulated, _problem(package, simulated))


def _problem(package: str | None, simulated: bool) -> str | None:
    if importlib.util.find_spec("numba") is None:
        return "Numba is not installed"
    if package is None and not simulated:
        return "numba-cuda is not installed"
    try:
        backends.get("cuda")
    except DeviceError as error:
        return str(error)
    except Exception as error:  # whatever it is that a driver or a package does: reporting it is the purpose
        return f"{type(error).__name__}: {error}"
    return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _driver(library: str) -> tuple[str | None, tuple[str, ...]]:
    """Ask the driver itself, which needs no package, for its version and the names of the GPUs."""
    try:
        driver = ctypes.CDLL(library)
        version, count, device = ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(0)
        driver.cuDriverGetVersion(ctypes.byref(version))
        if driver.cuInit(0) == 0:
            driver.cuDeviceGetCount(ctypes.byref(count))
        names = []
        for index in range(count.value):
            name = ctypes.create_string_buffer(100)
            driver.cuDeviceGet(ctypes.byref(device), index)
            driver.cuDeviceGetName(name, len(name), device)
            names.append(name.value.decode(errors="replace"))
    except (OSError, AttributeError):
        return None, ()
    return f"{version.value // 1000}.{version.value % 1000 // 10}", tuple(names)
