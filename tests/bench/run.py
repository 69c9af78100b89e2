"""Time eager training steps beside PyTorch and HIPS autograd: `make bench`, or `python -m tests.bench.run --help`.

Every figure is a median; the engines take turns within each round, so that a slow moment of the machine hits all of
them. All run with the same number of BLAS threads.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from tests.bench import models
from tests.bench.models import CELLS, SIZES, Data, Size, Step

OURS = "tinygrad_rnn"
BY_STEP, HOISTED, AUTOGRAD = "torch by step", "torch hoisted", "autograd"
Builder = Callable[[str, Size, Data], Step]
PEERS: dict[str, tuple[str, Builder]] = {
    BY_STEP: ("torch", models.torch_by_step),
    HOISTED: ("torch", models.torch_hoisted),
    "torch.nn": ("torch", models.torch_modules),
    AUTOGRAD: ("autograd", models.autograd_hoisted),
}


def measure(cell: str, size: Size, engines: dict[str, Builder], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of one training step per engine, after checking that their losses agree."""
    data = models.make_data(cell, size)
    steps = {name: build(cell, size, data) for name, build in engines.items()}
    losses = {name: step() for name, step in steps.items()}
    for name, loss in losses.items():
        if not np.isclose(loss, losses[OURS], rtol=1e-4):
            raise SystemExit(f"{size.name} {cell}: {name} computes a loss of {loss}, {OURS} {losses[OURS]}")
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="timed rounds per model (default 40)")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads of every engine (default 1)")
    parser.add_argument("--write", type=Path, help="also write the table as Markdown to this file")
    arguments = parser.parse_args()

    engines = {OURS: models.tinygrad_rnn_step}
    engines |= {name: build for name, (package, build) in PEERS.items() if importlib.util.find_spec(package)}
    missing = sorted({package for package, _ in PEERS.values() if not importlib.util.find_spec(package)})
    if missing:
        print(f"not installed, so left out: {', '.join(missing)} (pip install -e '.[bench]')")
    if "torch" not in missing:
        import torch

        torch.set_num_threads(arguments.threads)

    rows = {}
    with threadpool_limits(arguments.threads):
        for size in SIZES:
            for cell in CELLS:
                rounds = arguments.rounds if size.batch == 1 else max(5, arguments.rounds // 2)
                rows[f"{size.name} {cell}"] = measure(cell, size, engines, rounds)
                print(f"measured {size.name} {cell}", flush=True)
    report(rows, list(engines), arguments.threads, arguments.write)


def report(rows: dict[str, dict[str, float]], engines: list[str], threads: int, path: Path | None) -> None:
    """Print the table and the ratios, and write both as Markdown if asked to."""
    table = Table(title="milliseconds per training step (median)")
    for heading in ("model", *engines, *(f"{OURS} / {peer}" for peer in engines[1:])):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    lines = []
    for model, times in rows.items():
        ratios = [times[OURS] / times[peer] for peer in engines[1:]]
        lines.append([model, *(f"{times[name]:.2f}" for name in engines), *(f"{ratio:.2f}" for ratio in ratios)])
    means = [statistics.geometric_mean(t[OURS] / t[peer] for t in rows.values()) for peer in engines[1:]]
    lines.append(["geometric mean", *("" for _ in engines), *(f"{mean:.2f}" for mean in means)])
    for line in lines:
        table.add_row(*line)
    Console(width=160).print(table)
    if path is not None:
        headings = [str(column.header) for column in table.columns]
        marks = "|" + "|".join(["---", *("---:" for _ in headings[1:])]) + "|"
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        path.write_text(
            f"# Eager training steps\n\n{date.today()}, {platform.processor() or platform.machine()}, "
            f"Python {platform.python_version()}, NumPy {np.__version__}, {threads} BLAS thread(s) each. Median "
            "milliseconds of one step (forward and backward), engines in turns; written by\n"
            "`python -m tests.bench.run --write tests/bench/eager.md`.\n\n"
            "| " + " | ".join(headings) + " |\n" + marks + "\n" + body + "\n\n"
            "- torch by step: primitive ops, everything inside the loop over time.\n"
            "- torch hoisted: primitive ops; input projection, output layer and loss are taken out of the loop.\n"
            "- torch.nn: PyTorch's fused layers.\n- autograd: HIPS autograd, hoisted.\n"
        )
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
