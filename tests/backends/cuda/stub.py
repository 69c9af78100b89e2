"""Runs a test in a process of its own, on a stand-in for NVIDIA's driver library (`stub_driver.c`) instead of a GPU.

    @on_stub(STUB_MEMORY=2**20)
    def test_something(stub):
        ...

The body runs in the other process and sees `stub`, a `Stub`. What it prints and raises is shown where the test fails.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: Everything that makes the CPU wait for the GPU; and what makes the GPU wait, or a transfer no better than that.
WAITS = ("cuStreamSynchronize", "cuCtxSynchronize", "cuEventSynchronize", "cuMemcpy", "cuMemcpyHtoD", "cuMemcpyDtoH")
STOPS = (*WAITS, "pageable", "cuMemAlloc", "cuMemFree", "cuMemHostAlloc", "cuMemFreeHost")

ROOT = Path(__file__).parents[3]
_NOT_INHERITED = ("NUMBA_ENABLE_CUDASIM", "NUMBA_DISABLE_CUDA", "CUDA_VISIBLE_DEVICES", "PYTHONPATH", "LD_LIBRARY_PATH")


def build(folder: Path) -> Path:
    """Compile the driver into a folder and return the folder; skips the test where that cannot be done."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the stand-in for NVIDIA's driver is written for Linux")
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("no C compiler (cc, gcc or clang) to build the stand-in for NVIDIA's driver with")
    library = folder / "libcuda.so.1"
    flags = ["-std=gnu11", "-O1", "-fPIC", "-shared"]
    source = Path(__file__).with_name("stub_driver.c")
    subprocess.run([compiler, *flags, "-o", str(library), str(source), "-lpthread"], check=True)
    (folder / "libcuda.so").symlink_to(library)
    return folder


def on_stub(**environment: Any) -> Callable[[Callable[[Stub], None]], Callable[[Path], None]]:
    """Make a test of a function that is called in another process, with more environment variables."""

    def decorate(body: Callable[[Stub], None]) -> Callable[[Path], None]:
        def test(stub_driver: Path) -> None:
            run(stub_driver, [body.__module__, body.__name__], environment)

        functools.update_wrapper(test, body, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        del test.__wrapped__  # type: ignore[attr-defined]  # pytest reads the parameters of what is wrapped
        test.body = body  # type: ignore[attr-defined]
        return test

    return decorate


def run(driver: Path, arguments: list[str], environment: dict[str, Any]) -> None:
    """Call a test's body in a process that finds the stand-in; compiled kernels are kept beside it."""
    own = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    own |= {"LD_LIBRARY_PATH": str(driver), "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(driver / "kernels")}
    own |= {name: str(value) for name, value in environment.items()}
    command = [sys.executable, "-m", "tests.backends.cuda.stub", *arguments]
    result = subprocess.run(command, env=own, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    if result.returncode or "Exception ignored" in result.stderr:
        pytest.fail(f"{' '.join(command)}\n{result.stdout}\n{result.stderr}", pytrace=False)


class Launch(ctypes.Structure):
    """A launch as `stub_driver.c` remembers it."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("parameters", ctypes.c_uint),
        ("offset", ctypes.c_uint16 * 64),
        ("size", ctypes.c_uint16 * 64),
        ("bytes", ctypes.c_ubyte * 1024),
    )

    def values(self) -> list[bytes]:
        """Return the bytes of each parameter as the kernel would see them."""
        everything = bytes(self.bytes)
        return [everything[self.offset[i] : self.offset[i] + self.size[i]] for i in range(self.parameters)]


class Stub:
    """The stand-in, as the process that runs on it sees it."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")
        self._library.stub_calls.restype = ctypes.c_long
        self._library.stub_fail.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_long)
        self._library.stub_used.restype = ctypes.c_size_t
        self._library.stub_on_device.argtypes = (ctypes.c_uint64, ctypes.c_size_t)
        self._library.stub_launch.argtypes = (ctypes.c_long,)
        self._library.stub_launch.restype = ctypes.POINTER(Launch)
        self._library.stub_missing.restype = ctypes.c_char_p

    def calls(self, *names: str) -> int:
        """Return how often driver functions were called since the last reset."""
        counts = [self._library.stub_calls(name.encode()) for name in names]
        assert min(counts) >= 0, f"the stand-in has not all of {names}"
        return sum(counts)

    def reset(self) -> None:
        """Count from 0, forget launches, let nothing fail any more."""
        self._library.stub_reset()

    def fail(self, name: str, error: int, after: int = 0) -> None:
        """Let a driver function return an error, once it has worked a number of times more."""
        self._library.stub_fail(name.encode(), error, after)

    def hold(self, hold: bool) -> None:
        """Let asynchronous work wait until somebody waits for it; or do all that waits."""
        self._library.stub_hold(hold)

    @property
    def used(self) -> int:
        """Bytes of device memory that the driver has given out."""
        return self._library.stub_used()

    def on_device(self, pointer: int, nbytes: int = 1) -> bool:
        """Return whether memory lies inside one allocation on the device."""
        return bool(self._library.stub_on_device(pointer, nbytes))

    def launch(self, age: int = 0) -> Launch | None:
        """Return the latest launch (0), the one before it (1), ...; None beyond."""
        found = self._library.stub_launch(age)
        return found.contents if found else None

    def missing(self) -> list[str]:
        """Return the driver functions that were called and that the stand-in does not have."""
        return self._library.stub_missing().decode().split()


if __name__ == "__main__":
    from tests.backends.cuda.stub import Stub as TheStub  # this file is __main__ here, and not what the test imports

    stub = TheStub()
    getattr(importlib.import_module(sys.argv[1]), sys.argv[2]).body(stub)
    if stub.missing():
        sys.exit(f"stub_driver.c lacks driver functions that were called: {', '.join(stub.missing())}")
