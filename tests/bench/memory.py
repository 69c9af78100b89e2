"""Measure how memory grows with the steps, the graph kept whole and computed twice: `python -m tests.bench.memory`.

Bytes are those that Python and NumPy ask for while loss and gradient are computed, at the highest; they are the same
on every run, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import platform
import time
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import tinygrad_rnn as tg
from tinygrad_rnn.tasks import AddingTask
from tinygrad_rnn.train import SequenceModel, recomputed

PATH = Path("tests/bench/memory.md")
CELLS = ("rnn", "lstm", "gru")
HIDDEN, BATCH = 32, 16
STEPS = (25, 100, 400, 1600)


def whole(model: SequenceModel, task: AddingTask) -> tg.Tensor:
    """Return the loss after a backward pass through the graph of all steps."""
    batch = task.batch(BATCH, seed=0).to("cpu")
    loss = task.loss(model.outputs(batch), batch)
    loss.backward()
    return loss


def in_pieces(model: SequenceModel, task: AddingTask) -> tg.Tensor:
    """Return the loss after backward passes through the graphs of sqrt(T) steps at a time."""
    return recomputed(model, task, task.batch(BATCH, seed=0).to("cpu"))


def peak_of(run: Callable[[SequenceModel, AddingTask], tg.Tensor], cell: str, steps: int) -> tuple[float, float]:
    """Return the most MB that were held beside the model, and the seconds of the processor without counting them."""
    task = AddingTask(steps)
    tg.manual_seed(0)
    model = SequenceModel.for_task(task, cell, HIDDEN)
    run(model, AddingTask(4))  # compiles, and makes what stays
    began = time.process_time()
    run(model, task)
    seconds = time.process_time() - began
    for parameter in model.parameters():
        parameter.grad = None
    tracemalloc.start()
    run(model, task)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6, seconds


def growth(steps: Sequence[int], peaks: Sequence[float]) -> float:
    """Return p of peak ~ T^p between the last two sizes: 1 is as the steps, 0.5 as their root."""
    return float(np.log(peaks[-1] / peaks[-2]) / np.log(steps[-1] / steps[-2]))


def text_of(rows: Sequence[Sequence[str]], steps: Sequence[int]) -> str:
    """Return the document."""
    headings = ("cell", "graph", *(f"T = {count:,}" for count in steps), "grows as", f"s at T = {steps[-1]:,}")
    lines = [headings, ("---", "---", *["---:"] * (len(steps) + 2)), *rows]
    return f"""# Memory of a backward pass by its steps

Written by `python -m tests.bench.memory`, {date.today()}, {platform.machine()}, Python {platform.python_version()},
NumPy {np.__version__}: the adding problem, H = {HIDDEN}, B = {BATCH}, float32.

{chr(10).join(f"| {' | '.join(line)} |" for line in lines)}

- MB held at the highest while loss and gradient are computed, beside the model.
- whole: the graph of all steps. in pieces: `train --recompute`, the states of every sqrt(T)-th step, and the graph of
  sqrt(T) steps at a time, whose states are computed twice (Chen et al. 2016).
- grows as: T to this power, from the last size but one to the last. seconds: of the processor, on a machine with
  other work.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, default=PATH, help=f"where to (default {PATH})")
    parser.add_argument("--cells", nargs="*", default=CELLS, help=f"which (default {' '.join(CELLS)})")
    parser.add_argument("--steps", nargs="*", type=int, default=STEPS, help="sizes, two at least")
    options = parser.parse_args(arguments)
    rows = []
    with threadpool_limits(limits=1, user_api="blas"):
        for cell in options.cells:
            for name, run in (("whole", whole), ("in pieces", in_pieces)):
                found = [peak_of(run, cell, steps) for steps in options.steps]
                peaks = [peak for peak, _ in found]
                power = f"T^{growth(options.steps, peaks):.2f}"
                rows.append((f"`{cell}`", name, *(f"{peak:.2f}" for peak in peaks), power, f"{found[-1][1]:.1f}"))
                print(*rows[-1], flush=True)
    options.write.write_text(text_of(rows, options.steps), encoding="utf-8")
    print(f"wrote {options.write}")


if __name__ == "__main__":
    main()
