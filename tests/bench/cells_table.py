"""Measure how the gradient flows through every cell as it starts: `python -m tests.bench.cells_table --help`.

The numbers are those of `tinygrad-rnn flow --cells NAME --seeds 3 --train 0`; nothing about a cell is known beforehand.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import tinygrad_rnn as tg
from tinygrad_rnn import errors
from tinygrad_rnn.cli.entries import TRAINING_DTYPE
from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.flow.sentences import number
from tinygrad_rnn.nn import CELLS
from tinygrad_rnn.tasks import TextTask, default_corpus
from tinygrad_rnn.train import SequenceModel, measure

PATH = Path("tinygrad_rnn/nn/cells/README.md")
STEPS, HIDDEN, BATCH, SEEDS = 100, 64, 16, 3

HEADINGS = ("cell", "class", "H", "parameters", "state", "horizon", "× per step", "verdict")


def row(name: str) -> list[str]:
    """Return a line of the table."""
    task = TextTask(default_corpus().text, STEPS)
    hidden = HIDDEN
    try:
        CELLS[name].cell.shapes(task.input_size, hidden)
    except errors.InputError:  # a cell that keeps its input as it is needs a unit for each of the features
        hidden = task.input_size
    reports: list[FlowReport] = []
    for seed in range(SEEDS):
        tg.manual_seed(seed)
        model = SequenceModel(name, task.input_size, hidden, task.output_size, dtype=TRAINING_DTYPE)
        reports.append(measure(model.converted("float64"), task, BATCH, seed).report)
    size = sum(parameter.size for parameter in model.rnn.parameters())
    cell = CELLS[name].cell
    return [
        f"`{name}`",
        f"[{cell.__name__}]({cell.__module__.rpartition('.')[2]}.py)",
        str(hidden),
        f"{size:,}",
        _each(report.horizon.state if report.horizon else "-" for report in reports),
        _each(_horizon(report) for report in reports),
        number(median(_per_step(report) for report in reports)),
        _each(str(report.verdict) for report in reports),
    ]


def _horizon(report: FlowReport) -> str:
    found = report.horizon
    return "-" if found is None else f">{STEPS - 1}" if found.steps is None else str(found.steps)


def _per_step(report: FlowReport) -> float:
    state = report.state(report.horizon.state) if report.horizon else None
    decay = state.decay(report.threshold) if state else None
    return decay.per_step if decay else float("nan")


def _each(words: Iterable[str]) -> str:
    """Return what was found with each seed, once if it is always the same."""
    found = list(words)
    return found[0] if len(set(found)) == 1 else ", ".join(found)


def text_of(rows: Iterable[Sequence[str]]) -> str:
    """Return the document."""
    right = {"H", "parameters", "horizon", "× per step"}
    marks = "|".join("---:" if heading in right else "---" for heading in HEADINGS)
    lines = [f"| {' | '.join(line)} |" for line in (HEADINGS, *rows)]
    states = ", ".join(sorted({name for entry in CELLS.values() for name in entry.cell.state_names}))
    table = "\n".join([lines[0], f"|{marks}|", *lines[1:]])
    return f"""# The cells, and how the gradient flows through each as it starts

Written by `make cells-table`. The equations are in the classes' docstrings; `tinygrad-rnn cells NAME` prints them, with
the reference and the options.

Measured on the default text: {STEPS} steps, hidden size {HIDDEN} (of a cell that stores its input as it is, the size of
that), batch {BATCH}, {SEEDS} seeds, initial weights, float64, one loss at the last step. The same, with plots:
`tinygrad-rnn flow --cells NAME --hidden H --seeds {SEEDS} --train 0`. What differs between the seeds is given for each.

{table}

- parameters: of the recurrent layer alone.
- state: of those of the cell (some of {states}) the one whose gradient reaches furthest; the rest goes by it.
- horizon: the first lag at which less than 1% of the gradient at the last step is left.
- × per step: the mean factor down to the horizon, or to the last lag; the median over the seeds.
- verdict: explodes where some lag has more than 100 times the gradient of the last step; otherwise vanishes where there
  is a horizon, and survives where there is none.

Options change this, and so does training: compare `lstm` with `lstm:forget_bias=3`.
"""


def rows_of(text: str) -> dict[str, list[str]]:
    """Return the lines of the table in a document, by the name of the cell."""
    lines = [re.split(r" *\| *", line.strip("| \n")) for line in text.splitlines() if line.startswith("| `")]
    return {line[0].strip("`"): line for line in lines}


def main() -> None:
    """Measure every cell and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, default=PATH, help=f"where to (default {PATH})")
    arguments = parser.parse_args()
    rows = []
    for name in CELLS:
        rows.append(row(name))
        print(" ".join(rows[-1]), flush=True)
    arguments.write.write_text(text_of(rows), encoding="utf-8")
    print(f"wrote {arguments.write}")


if __name__ == "__main__":
    main()
