"""Time a forward and backward pass of every cell beside PyTorch's eager mode: `python -m tests.bench.cells --help`.

Each cell runs along a sequence, written the same way in both: the input's share in one product, a loop over time in
Python, primitive ops (`torch_cells.py`). Outputs and all gradients have to agree before anything is timed. Both take
turns within each round, and the ratio is the median over rounds of the two times of a round, so that a slow moment of
the machine hits both.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import tinygrad_rnn as tg
from tests.bench import torch_cells
from tests.bench.models import SIZES, Size
from tinygrad_rnn import nn

Pass = Callable[[], dict[str, Any]]


def passes(text: str, size: Size, dtype: str = "float32") -> tuple[Pass, Pass]:
    """Return what runs the cell forward and backward here and in PyTorch: each gives its outputs and gradients."""
    tg.manual_seed(0)
    layer = nn.Recurrent(text, size.hidden, size.hidden, dtype=dtype)
    rng = np.random.default_rng(0)
    for parameter in layer.parameters():  # what begins as 0 or 1 would hide mistakes
        parameter.assign_(parameter.numpy() + rng.normal(size=parameter.shape).astype(dtype) * 0.01)
    inputs, error = rng.normal(size=(2, size.steps, size.batch, size.hidden)).astype(dtype)
    x, seed = tg.tensor(inputs, requires_grad=True), tg.tensor(error)

    def ours() -> dict[str, Any]:
        layer.zero_grad()
        x.grad = None
        output, _ = layer(x)
        output.backward(seed)
        return {"output": output, "x": x.grad} | {name[:-3]: p.grad for name, p in layer.named_parameters()}

    w = {name[:-3]: torch.tensor(p.numpy(), requires_grad=True) for name, p in layer.named_parameters()}
    their_x, their_seed = torch.tensor(inputs, requires_grad=True), torch.tensor(error)
    shapes = layer.cell().state_shapes((size.batch,))
    start = tuple([torch.zeros(shape, dtype=their_x.dtype) for shape in shapes])

    def theirs() -> dict[str, Any]:
        for value in (their_x, *w.values()):
            value.grad = None
        output, _ = torch_cells.run(text, w, their_x, start)
        output.backward(their_seed)
        return {"output": output.detach(), "x": their_x.grad} | {name: value.grad for name, value in w.items()}

    return ours, theirs


def check_equal(text: str, size: Size) -> None:
    """Raise SystemExit unless output and all gradients are those of PyTorch, in float64."""
    ours, theirs = (run() for run in passes(text, size, "float64"))
    for name, value in ours.items():
        found, expected = value.numpy(), theirs[name].numpy()
        if not np.allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max()):
            raise SystemExit(f"{size.name} {text}: {name} is not that of PyTorch, by {np.abs(found - expected).max()}")


def measure(text: str, size: Size, rounds: int) -> tuple[float, float, float]:
    """Return the median milliseconds here and in PyTorch, and the median of their ratio."""
    runs = passes(text, size)
    for run in runs * 3:
        run()
    times: list[tuple[float, ...]] = []
    for number in range(rounds):
        taken = [0.0, 0.0]
        for which in ((0, 1), (1, 0))[number % 2]:
            start = time.perf_counter()
            runs[which]()
            taken[which] = time.perf_counter() - start
        times.append(tuple(taken))
    ours, theirs = (1e3 * statistics.median(each) for each in zip(*times, strict=True))
    return ours, theirs, statistics.median(a / b for a, b in times)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="timed rounds per cell and size (default 40)")
    parser.add_argument("--cells", nargs="*", default=list(torch_cells.CELLS), help="which (default: all)")
    parser.add_argument("--sizes", nargs="*", default=[size.name for size in SIZES], help="which (default: all)")
    parser.add_argument("--write", type=Path, help="also write the table as Markdown to this file")
    options = parser.parse_args(arguments)
    sizes = [size for size in SIZES if size.name in options.sizes]
    torch.set_num_threads(1)
    heads = ["cell"]
    for size in sizes:
        heads += [f"{size.name}, ms", "PyTorch, ms", "ratio"]
    rows, ratios = [], {size.name: [] for size in sizes}
    with threadpool_limits(1):
        for text in options.cells:
            row = [text]
            for size in sizes:
                check_equal(text, size)
                ours, theirs, ratio = measure(text, size, options.rounds)
                ratios[size.name].append(ratio)
                row += [f"{ours:.2f}", f"{theirs:.2f}", f"{ratio:.2f}"]
            rows.append(row)
            print(*row, flush=True)
    rows.append(["geometric mean", *[e for size in sizes
                                     for e in ("", "", f"{statistics.geometric_mean(ratios[size.name]):.2f}")]])
    report(heads, rows, sizes, options.write)


def report(heads: list[str], rows: list[list[str]], sizes: Sequence[Size], path: Path | None) -> None:
    """Print the table, and write it as Markdown if asked to."""
    table = Table(*heads, title="one forward and backward pass")
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    if path is None:
        return
    described = "; ".join(f"{size.name}: H = I = {size.hidden}, B = {size.batch}, T = {size.steps}" for size in sizes)
    marks = ["---", *["---:"] * (len(heads) - 1)]
    body = "\n".join(f"| {' | '.join(row)} |" for row in [heads, marks, *rows])
    path.write_text(
        f"# Cells beside PyTorch's eager mode\n\n{date.today()}, {platform.processor() or platform.machine()}, Python "
        f"{platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}, one thread each. One "
        "forward and backward pass\nalong a sequence, written the same way in both: the input's share in one product, "
        "then a loop over time in Python, primitive ops.\nMedian milliseconds, and the median of the ratios of rounds "
        "in which both took turns. Outputs and gradients agreed in float64.\n"
        f"{described}. Written by `python -m tests.bench.cells --write tests/bench/cells.md`.\n\n{body}\n",
        encoding="utf-8",
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
