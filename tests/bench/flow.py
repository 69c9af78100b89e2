"""Time measuring the gradient flow beside a plain backward pass: `python -m tests.bench.flow --help`.

Every figure is the median, over rounds, of the ratio of two times taken one right after the other, so that a slow
moment of the machine hits both.
"""

from __future__ import annotations

import argparse
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

import tinygrad_rnn as tg
from tests.bench.models import CELLS, SIZES, VOCABULARY, Size, make_data
from tinygrad_rnn import functional, nn
from tinygrad_rnn.engine.autograd import Leaves, topological, walk
from tinygrad_rnn.flow import gradient_flow

LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

MEASUREMENTS: dict[str, Callable[[tg.Tensor], object]] = {
    "nodes": lambda losses: gradient_flow(losses, edges=False),
    "edges": lambda losses: gradient_flow(losses, links=False),
    "links": gradient_flow,
    "statistics": lambda losses: gradient_flow(losses, links=False, statistics=True),
}


def losses_of(cell: str, size: Size, unrolled: bool, every_step: bool) -> tg.Tensor:
    """Return the losses (B,) of a language model: of the last step, or the sum over all steps."""
    data = make_data(cell, size)
    embedding, head = nn.Embedding(VOCABULARY, size.hidden), nn.Linear(size.hidden, VOCABULARY)
    recurrent = LAYERS[cell](size.hidden, size.hidden)
    w = data.weights
    embedding.load_state_dict({"weight": w["embedding"]})
    recurrent.load_state_dict({f"{name}_l0": w[name] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")})
    head.load_state_dict({"weight": w["weight_out"], "bias": w["bias_out"]})
    output, _ = (recurrent.unroll if unrolled else recurrent)(embedding(tg.tensor(data.tokens)))
    targets = tg.tensor(data.targets)
    if not every_step:
        return functional.cross_entropy(head(output[-1]), targets[-1], reduction="none")
    logits = head(output).reshape(-1, VOCABULARY)
    each = functional.cross_entropy(logits, targets.reshape(-1), reduction="none")
    return each.reshape(size.steps, size.batch).sum(axis=0)


def plain(losses: tg.Tensor) -> object:
    """Run a backward pass that watches nothing, keeps its results to itself and frees nothing."""
    return walk(topological([losses._node]), [(losses.edge, losses._like(1.0))], Leaves())


def measure(losses: tg.Tensor, rounds: int) -> tuple[float, dict[str, float]]:
    """Return the median milliseconds of a plain pass, and how many times as long each measurement takes."""
    plain_times: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in MEASUREMENTS}
    for timed in (False, *[True] * rounds):  # the first round compiles kernels
        for name, run in MEASUREMENTS.items():
            before, took = _seconds(plain, losses), _seconds(run, losses)
            if timed:
                plain_times.append(before)
                ratios[name].append(took / before)
    return 1e3 * statistics.median(plain_times), {name: statistics.median(found) for name, found in ratios.items()}


def _seconds(run: Callable[[tg.Tensor], object], losses: tg.Tensor) -> float:
    start = time.perf_counter()
    run(losses)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="timed rounds per model (default 40)")
    parser.add_argument("--size", choices=[size.name for size in SIZES], default="char", help="(default char)")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads (default 1)")
    parser.add_argument("--write", type=Path, help="also write the table as Markdown to this file")
    arguments = parser.parse_args()

    size = next(size for size in SIZES if size.name == arguments.size)
    rows = {}
    with threadpool_limits(arguments.threads):
        for cell in CELLS:
            for unrolled in (False, True):
                for every_step in (False, True):
                    model = f"{cell}, {'unrolled' if unrolled else 'hoisted'}, loss at {'all' if every_step else 'T'}"
                    rows[model] = measure(losses_of(cell, size, unrolled, every_step), arguments.rounds)
                    print(f"measured {model}", flush=True)
    report(rows, size, arguments.threads, arguments.write)


def report(rows: dict[str, tuple[float, dict[str, float]]], size: Size, threads: int, path: Path | None) -> None:
    """Print the table, and write it as Markdown if asked to."""
    headings = (f"{size.name} model", "plain pass, ms", *MEASUREMENTS)
    lines = [
        [model, f"{ms:.1f}", *(f"{ratio:.2f}" for ratio in ratios.values())] for model, (ms, ratios) in rows.items()
    ]
    means = [statistics.geometric_mean(ratios[name] for _, ratios in rows.values()) for name in MEASUREMENTS]
    lines.append(["geometric mean", "", *(f"{mean:.2f}" for mean in means)])
    table = Table(title="time of gradient_flow over that of a plain backward pass (medians)")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == headings[0] else "right")
    for line in lines:
        table.add_row(*line)
    Console(width=120).print(table)
    if path is not None:
        marks = "|" + "|".join(["---", *("---:" for _ in headings[1:])]) + "|"
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        path.write_text(
            f"# Measuring gradient flow\n\n{date.today()}, {platform.processor() or platform.machine()}, "
            f"Python {platform.python_version()}, NumPy {np.__version__}, {threads} BLAS thread(s). How many times as "
            "long as a plain backward pass over the same graph\n"
            f"(H = {size.hidden}, B = {size.batch}, T = {size.steps}) `gradient_flow` takes: medians of ratios of "
            "neighbouring runs; written by\n`python -m tests.bench.flow --write tests/bench/flow.md`.\n\n"
            "| " + " | ".join(headings) + " |\n" + marks + "\n" + body + "\n\n"
            "- nodes: the size of every gradient (`edges=False`).\n"
            "- edges: also size and share of all messages, and what every step adds to the weights (`links=False`).\n"
            "- links: also what flows between named nodes, past all others.\n"
            "- statistics: edges, and the statistics of all values and gradients.\n"
        )
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
