"""Time the CUDA backend beside the hardware's limits and PyTorch: `make bench-gpu`.

Bandwidths and rates are medians over launches timed by events on the GPU, on fresh random inputs larger than its
cache; the card's own ceilings (a device copy, cuBLAS without tensor cores) are measured in the same run. Training
steps are timed on the CPU, from one `.item()` to the next, the engines in turns.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench import models
from tests.bench.models import Size
from tinygrad_rnn import backends
from tinygrad_rnn.errors import DeviceError

SIZES = (Size("H=256, B=64, T=100", 256, 64, 100), Size("H=1024, B=128, T=100", 1024, 128, 100))
_SQUARE = 2048


def on_gpu(work: Callable[[], Any], rounds: int = 30) -> float:
    """Return the median seconds the GPU takes for what a function queues."""
    from cuda.core import EventOptions

    stream = backends.get("cuda").driver.device()._stream
    timing = EventOptions(timing_enabled=True)
    for _ in range(3):
        work()
    taken = []
    for _ in range(rounds):
        start = stream.record(options=timing)
        work()
        end = stream.record(options=timing)
        end.sync()
        taken.append((end - start) / 1e3)
    return statistics.median(taken)


def torch_on_gpu(work: Callable[[], Any], rounds: int = 30) -> float:
    """The same for PyTorch."""
    import torch

    for _ in range(3):
        work()
    taken = []
    for _ in range(rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        end.synchronize()
        taken.append(start.elapsed_time(end) / 1e3)
    return statistics.median(taken)


# ---- bandwidth ---------------------------------------------------------------------------------------------


def bandwidth(elements: int) -> list[list[str]]:
    """Return GB/s of kernels over float32, counting bytes read and written, and the share of a copy's."""
    from cuda.bindings import driver as cu

    backend = backends.get("cuda")
    device = backend.driver.device()
    rng = np.random.default_rng(0)
    columns = 4096
    shape = (elements // columns, columns)
    x, y = (backend.from_numpy(rng.standard_normal(shape, "float32")) for _ in range(2))
    row = backend.from_numpy(rng.standard_normal(columns, "float32"))
    column = backend.from_numpy(rng.standard_normal((shape[0], 1), "float32"))
    target = backend.copy(x)
    size = x.size * 4

    def copied() -> None:
        (status,) = cu.cuMemcpyDtoDAsync(target.address, x.address, size, device._queue)
        assert status == cu.CUresult.CUDA_SUCCESS, status

    work: dict[str, tuple[Callable[[], Any], int]] = {
        "device copy": (copied, 2 * size),
        "x + y": (lambda: backend.binary("add", x, y), 3 * size),
        "tanh(x)": (lambda: backend.unary("tanh", x), 2 * size),
        "exp(x)": (lambda: backend.unary("exp", x), 2 * size),
        "x + row": (lambda: backend.binary("add", x, row), 2 * size),
        "x + column": (lambda: backend.binary("add", x, column), 2 * size),
        "fill": (lambda: backend.fill(shape, 0.0, x.dtype), size),
        "copy of x.T": (lambda: backend.copy(backend.permute(x, (1, 0))), 2 * size),
        "sum of all": (lambda: backend.reduce("sum", x, (0, 1), False), size),
        "sum of rows": (lambda: backend.reduce("sum", x, (1,), False), size),
        "sum of columns": (lambda: backend.reduce("sum", x, (0,), False), size),
        "max of rows": (lambda: backend.reduce("max", x, (1,), False), size),
    }
    rates = {name: nbytes / on_gpu(function) / 1e9 for name, (function, nbytes) in work.items()}
    return [[name, f"{rate:.0f}", f"{rate / rates['device copy']:.0%}"] for name, rate in rates.items()]


# ---- matrix products ---------------------------------------------------------------------------------------


def products() -> list[list[str]]:
    """Return GFLOP/s of the matrix products, and their share of cuBLAS's without tensor cores."""
    backend = backends.get("cuda")
    rng = np.random.default_rng(0)
    n = _SQUARE
    shapes = [(n, n, n), (n - 1, n + 1, n - 3), (64, 1024, 256), (6400, 1024, 256), (256, 1024, 6400), (2 * n,) * 3]
    peer = _cublas()
    lines = []
    for dtype in ("float32", "float64"):
        for m, columns, k in shapes if dtype == "float32" else shapes[:1]:
            a = backend.from_numpy(rng.standard_normal((m, k)).astype(dtype))
            b = backend.from_numpy(rng.standard_normal((k, columns)).astype(dtype))
            at = backend.permute(backend.copy(backend.permute(a, (1, 0))), (1, 0))
            bt = backend.permute(backend.copy(backend.permute(b, (1, 0))), (1, 0))
            work = 2 * m * columns * k / 1e9
            best = peer(m, columns, k, dtype) if peer else None
            forms = {"a @ b": (a, b), "a @ b.T": (a, bt), "a.T @ b": (at, b), "a.T @ b.T": (at, bt)}
            for form, (left, right) in forms.items() if (m, dtype) == (n, "float32") else [("a @ b", (a, b))]:
                for variant in (None, "naive", "tiled") if (m, form, dtype) == (n, "a @ b", "float32") else (None,):
                    seconds = on_gpu(functools.partial(backend.matmul, left, right, variant), 20)
                    share = f"{best / seconds:.0%}" if best else "not measured"
                    name = f"{dtype} {form} ({m} x {k}) ({k} x {columns})"
                    lines.append([name, variant or "as chosen", f"{work / seconds:.0f}", share])
    return lines


def _cublas() -> Callable[[int, int, int, str], float] | None:
    """Return a function that gives cuBLAS's seconds for a product, through PyTorch, or None without it."""
    if not importlib.util.find_spec("torch"):
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False

    def seconds(m: int, n: int, k: int, dtype: str) -> float:
        a = torch.randn(m, k, device="cuda", dtype=getattr(torch, dtype))
        b = torch.randn(k, n, device="cuda", dtype=getattr(torch, dtype))
        return torch_on_gpu(lambda: a @ b, 20)

    return seconds


# ---- training steps ----------------------------------------------------------------------------------------


class Launches:
    """Counts the launches of a block."""

    def __enter__(self) -> Launches:
        from tinygrad_rnn.backends.cuda import compiling

        self.count, self._original = 0, compiling.Kernel.launch
        original = self._original

        def counted(kernel: Any, *arguments: Any) -> None:
            self.count += 1
            original(kernel, *arguments)

        compiling.Kernel.launch = counted  # type: ignore[method-assign]
        return self

    def __exit__(self, *error: object) -> None:
        from tinygrad_rnn.backends.cuda import compiling

        compiling.Kernel.launch = self._original  # type: ignore[method-assign]


def training_steps(rounds: int, cells: tuple[str, ...] = ("lstm",)) -> list[list[str]]:
    """Return milliseconds of a training step beside PyTorch's, the launches of ours and microseconds of each."""
    lines = []
    for size in SIZES:
        for cell in cells:
            data = models.make_data(cell, size)
            steps = {"tinygrad_rnn": models.tinygrad_rnn_step(cell, size, data, "cuda")}
            if _cublas() is not None:
                steps["torch eager, hoisted"] = models.torch_hoisted(cell, size, data, "cuda")
                steps["torch eager, by step"] = models.torch_by_step(cell, size, data, "cuda")
                steps["cuDNN"] = models.torch_modules(cell, size, data, "cuda")
            losses = {name: step() for name, step in steps.items()}
            for name, loss in losses.items():
                if not np.isclose(loss, losses["tinygrad_rnn"], rtol=1e-4):
                    raise SystemExit(f"{cell}: {name} computes a loss of {loss}, tinygrad_rnn {losses['tinygrad_rnn']}")
            times: dict[str, list[float]] = {name: [] for name in steps}
            for turn in range(rounds + 1):
                for name, step in steps.items():
                    start = time.perf_counter()
                    step()
                    if turn:  # the first round warms up
                        times[name].append(time.perf_counter() - start)
            with Launches() as launches:
                steps["tinygrad_rnn"]()
            ours = statistics.median(times["tinygrad_rnn"])
            for name, values in times.items():
                taken = statistics.median(values)
                each = f"{launches.count} launches, {1e6 * taken / launches.count:.1f} us each"
                each = each if name == "tinygrad_rnn" else ""
                lines.append([f"{cell} {size.name}", name, f"{1e3 * taken:.2f}", f"{ours / taken:.2f}", each])
    return lines


def host_side(rounds: int) -> list[list[str]]:
    """Return what a training step costs on the CPU, from Python to the driver: a driver that runs nothing is enough.

    Below this no GPU, however fast, can make an eager step. The real driver's own time for a launch comes on top.
    """
    lines = []
    for cell in models.CELLS:
        step = models.tinygrad_rnn_step(cell, SIZES[0], models.make_data(cell, SIZES[0]), "cuda")
        step()
        taken = []
        for _ in range(rounds):
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
        with Launches() as launches:
            step()
        median, least = (f"{1e3 * seconds:.1f}" for seconds in (statistics.median(taken), min(taken)))
        each = f"{1e6 * min(taken) / launches.count:.1f}"
        lines.append([f"{cell} {SIZES[0].name}", str(launches.count), median, least, each])
    return lines


def on_stand_in() -> int:
    """Run this file again on the tests' stand-in for NVIDIA's driver, and return its exit status."""
    from tests.backends.cuda.stub import ROOT, build

    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"LD_LIBRARY_PATH": str(build(Path(folder))), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.bench.gpu", "--on-stand-in"]
        return subprocess.run(command, env=environment, check=False).returncode


# ---- report ------------------------------------------------------------------------------------------------


def show(title: str, headings: list[str], lines: list[list[str]]) -> None:
    """Print a table."""
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading)
    for line in lines:
        table.add_row(*line)
    Console(width=160).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=2**26, help="elements for the bandwidths (default 64M)")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds of the training steps (default 15)")
    parser.add_argument("--write", type=Path, help="also write the tables as Markdown to this file")
    parser.add_argument("--host", action="store_true", help="only what training steps cost on the CPU; needs no GPU")
    parser.add_argument("--on-stand-in", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.host:
        sys.exit(on_stand_in())
    if arguments.on_stand_in:
        headings = ["model", "launches", "ms (median)", "ms (least)", "us per launch (least)"]
        show("Training steps on the CPU's side", headings, host_side(arguments.rounds))
        return
    try:
        backends.get("cuda")
    except DeviceError as error:
        sys.exit(str(error))
    sections = {
        f"Bandwidth, {arguments.elements} float32": (
            ["kernel", "GB/s", "share of a device copy"],
            bandwidth(arguments.elements),
        ),
        "Matrix products": (["product", "kernel", "GFLOP/s", "share of cuBLAS without tensor cores"], products()),
        "Training steps (forward and backward)": (
            ["model", "engine", "ms (median)", "tinygrad_rnn / it", ""],
            training_steps(arguments.rounds),
        ),
    }
    device = backends.get("cuda").driver.device()
    text = [f"# Measured on {device.name}, {date.today()}", "", "Written by `make bench-gpu`; see tests/bench/gpu.py."]
    for title, (headings, lines) in sections.items():
        show(title, headings, lines)
        text += ["", f"## {title}", "", "| " + " | ".join(headings) + " |", "|---" * len(headings) + "|"]
        text += ["| " + " | ".join(line) + " |" for line in lines]
    if arguments.write is not None:
        arguments.write.write_text("\n".join(text) + "\n", encoding="utf-8")
        print(f"wrote {arguments.write}")


if __name__ == "__main__":
    main()
