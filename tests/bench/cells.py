"""Time a forward and backward pass of every cell beside PyTorch's eager mode: `python -m tests.bench.cells --help`.

Each cell runs along a sequence, as `nn.Recurrent` here and in PyTorch's primitive ops in a loop of Python there
(`torch_cells.py`), once with everything inside the loop and once with all that can be outside taken out, as in this
library. Outputs and all gradients have to agree before anything is timed. The three take turns, each with one thread,
and times are of the processor, which does not count when something else runs; a ratio is the median over rounds.
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

PEERS = {"torch by step": torch_cells.by_step, "torch hoisted": torch_cells.hoisted}


def passes(text: str, size: Size, dtype: str = "float32") -> list[Pass]:
    """Return what runs a cell forward and backward here and in both ways in PyTorch: to its output and gradients."""
    tg.manual_seed(0)
    layer = nn.Recurrent(text, size.hidden, size.hidden, dtype=dtype)
    rng = np.random.default_rng(0)
    for parameter in layer.parameters():  # what begins as 0 or 1 would hide mistakes
        parameter.assign_(parameter.numpy() + rng.normal(size=parameter.shape).astype(dtype) * 0.01)
    inputs, error = (
        rng.normal(size=(size.steps, size.batch, width)).astype(dtype) for width in (size.hidden, layer.output_size)
    )
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

    def theirs(run: Callable[..., Any]) -> Pass:
        def once() -> dict[str, Any]:
            for value in (their_x, *w.values()):
                value.grad = None
            output = run(text, w, their_x, start)
            output.backward(their_seed)
            return {"output": output.detach(), "x": their_x.grad} | {name: value.grad for name, value in w.items()}

        return once

    return [ours, *map(theirs, PEERS.values())]


def check_equal(text: str, size: Size) -> None:
    """Raise SystemExit unless output and all gradients are those of PyTorch, in float64."""
    ours, *others = (run() for run in passes(text, size, "float64"))
    for peer, theirs in zip(PEERS, others, strict=True):
        for name, value in ours.items():
            found, expected = value.numpy(), theirs[name].numpy()
            if not np.allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max()):
                by = np.abs(found - expected).max()
                raise SystemExit(f"{size.name} {text}: {name} differs from that of {peer}, by {by}")


def measure(text: str, size: Size, rounds: int) -> tuple[float, list[float]]:
    """Return the median milliseconds here, and the median of the ratio to each of the others."""
    runs = passes(text, size)
    for run in runs * 3:
        run()
    times = np.empty((rounds, len(runs)))
    for number in range(rounds):
        for turn in range(len(runs)):
            which = (number + turn) % len(runs)  # each is as often the first as the others
            start = time.process_time()
            runs[which]()
            times[number, which] = time.process_time() - start
    return 1e3 * float(np.median(times[:, 0])), [float(r) for r in np.median(times[:, :1] / times[:, 1:], axis=0)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41, help="timed rounds per cell and size (default 41)")
    parser.add_argument("--cells", nargs="*", default=list(torch_cells.CELLS), help="which (default: all)")
    parser.add_argument("--sizes", nargs="*", default=[size.name for size in SIZES], help="which (default: all)")
    parser.add_argument("--write", type=Path, help="also write the table as Markdown to this file")
    options = parser.parse_args(arguments)
    sizes = [size for size in SIZES if size.name in options.sizes]
    torch.set_num_threads(1)
    heads = ["cell"] + [f"{size.name}{head}" for size in sizes for head in (", ms", *(f" / {peer}" for peer in PEERS))]
    rows, ratios = [], []
    with threadpool_limits(1):
        for text in options.cells:
            row, found = [text], []
            for size in sizes:
                check_equal(text, size)
                milliseconds, by_peer = measure(text, size, options.rounds)
                found += by_peer
                row += [f"{milliseconds:.2f}", *(f"{ratio:.2f}" for ratio in by_peer)]
            rows.append(row)
            ratios.append(found)
            print(*row, flush=True)
    means = iter([f"{statistics.geometric_mean(column):.2f}" for column in zip(*ratios, strict=True)])
    rows.append(["geometric mean", *("" if head.endswith(", ms") else next(means) for head in heads[1:])])
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
        f"{platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}, one thread each; "
        f"{described}.\n\nOne forward and backward pass along a sequence: milliseconds of the processor, and ratios to "
        "PyTorch in primitive ops, the median over rounds in\nwhich all took turns. Outputs and gradients agreed in "
        "float64. Written by `python -m tests.bench.cells --write tests/bench/cells.md`.\n\n"
        f"{body}\n\n"
        "- torch by step: the equations of the cell, everything inside the loop over time.\n"
        "- torch hoisted: the input's share and what is prepared of the weights are taken out of the loop, as in this "
        "library.\n\n`layernorm_lstm` has PyTorch's fused `layer_norm` as its peer.\n",
        encoding="utf-8",
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
