"""Time recording and replaying a training step beside the step itself: `python -m tests.bench.tape --help`.

Every figure is the median, over rounds, of the ratio of two times taken one right after the other, so that a slow
moment of the machine hits both. Memory is what is alive afterwards, as `tracemalloc` and NumPy count it.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import tinygrad_rnn as tg
from tests.bench.models import CELLS, SIZES, VOCABULARY, Size, make_data
from tinygrad_rnn import functional, nn, optim, tape

LONG = Size("T=100", 64, 16, 100)


class Model(nn.Module):
    def __init__(self, cell: str, size: Size) -> None:
        self.embedding = nn.Embedding(VOCABULARY, size.hidden)
        self.layers = nn.Recurrent(cell, size.hidden, size.hidden)
        self.output = nn.Linear(size.hidden, VOCABULARY)

    def forward(self, tokens: tg.Tensor) -> tg.Tensor:
        return self.output(self.layers(self.embedding(tokens))[0])


def training_step(cell: str, size: Size) -> tuple[Callable[..., tg.Tensor], list[tg.Tensor]]:
    """Return a step with Adam and clipping, and its inputs."""
    tg.manual_seed(0)
    model, data = Model(cell, size), make_data(cell, size)
    adam = optim.Adam(model.parameters())

    def step(tokens: tg.Tensor, targets: tg.Tensor) -> tg.Tensor:
        adam.zero_grad()
        logits = model(tokens).reshape(-1, VOCABULARY)
        loss = functional.cross_entropy(logits, targets.reshape(-1))
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        return loss

    return step, [tg.tensor(data.tokens), tg.tensor(data.targets)]


def measure(cell: str, size: Size, rounds: int) -> tuple[int, float, float, float]:
    """Return the instructions, the milliseconds of the step, and the ratios of recording and of replaying to it."""
    step, inputs = training_step(cell, size)
    for _ in range(3):
        step(*inputs)
    recorded = tape.record(step, *inputs)
    recorded.replay(*inputs)
    runs = (lambda: step(*inputs), lambda: tape.record(step, *inputs), lambda: recorded.replay(*inputs))
    times: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        for run, found in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            found.append(time.perf_counter() - start)
    record, replay = (statistics.median(b / a for a, b in zip(times[0], other, strict=True)) for other in times[1:])
    return len(recorded), 1e3 * statistics.median(times[0]), record, replay


def memory(cell: str, size: Size) -> tuple[int, int]:
    """Return the bytes that a tape takes beside the state, and those of the arrays that the step computes."""
    step, inputs = training_step(cell, size)
    step(*inputs)
    tape.record(step, *inputs)  # what is made once is made now
    gc.collect()
    tracemalloc.start()
    recorded = tape.record(step, *inputs)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken, computed(recorded)


def computed(recorded: Any) -> int:
    """Return the bytes of all arrays that the instructions of a tape make, views apart."""
    contents = recorded._contents
    views = {"detach", "transpose", "reshape", "getitem", "split", "unbind", "broadcast_to"}
    kinds = [
        contents.kinds[number]
        for op, _, makes, _, _ in contents.instructions
        for number in makes
        if op != "detach" and getattr(op, "name", op) not in views
    ]
    return sum(int(np.prod(shape)) * dtype.itemsize for dtype, shape, _ in kinds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="timed rounds per model (default 30)")
    parser.add_argument("--write", type=Path, help="also write the table as Markdown to this file")
    options = parser.parse_args()
    heads = (
        "model",
        "instructions",
        "step, ms",
        "record / step",
        "replay / step",
        "tape, MB",
        "arrays of the step, MB",
    )
    table, rows = Table(*heads), [heads, ("---",) * len(heads)]
    with threadpool_limits(limits=1, user_api="blas"):
        for size in (*SIZES, LONG):
            for cell in CELLS:
                count, step, record, replay = measure(cell, size, options.rounds)
                taken, arrays = memory(cell, size)
                megabytes = f"{taken / 1e6:.2f}", f"{arrays / 1e6:.2f}"
                row = (f"{size.name} {cell}", f"{count:,}", f"{step:.1f}", f"{record:.2f}", f"{replay:.2f}", *megabytes)
                table.add_row(*row)
                rows.append(row)
    Console().print(table)
    if options.write:
        about = f"{date.today()}, {platform.machine()}, Python {platform.python_version()}, one BLAS thread."
        lines = [f"| {' | '.join(row)} |" for row in rows]
        text = f"# Recording and replaying a training step\n\n`python -m tests.bench.tape`, {about}\n\n"
        options.write.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
