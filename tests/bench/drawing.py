"""Time pictures of an unrolled LSTM: `python -m tests.bench.drawing`. Every figure is a median of several rounds.

"places of our own" renders the text as it is; "dot's layout" has Graphviz make a layout of the same text.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

#: Seconds after which a layout of Graphviz is given up.
PATIENCE = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    tg.manual_seed(0)
    cell = nn.LSTMCell(8, options.hidden, dtype="float64")
    outputs, _ = nn.unroll(cell, tg.randn(options.steps, 4, 8, dtype="float64"))
    report = viz.gradient_flow((outputs[-1] * outputs[-1]).sum(axis=1))
    for level in ("ops", "cell"):
        for name, window in (("all steps", (0, options.steps)), ("folded", None)):
            write = partial(viz.dot_source, report, level, window=window)
            dot = write()
            print(f"LSTM, {options.steps} steps, {level} level, {name}: {len(dot) / 1e3:.0f} kB of DOT text")
            _print("text", median(write, options.rounds))
            for engine, arguments in (("places of our own", []), ("dot's layout", ["-Glayout=dot"])):
                _print(f"SVG, {engine}", rendering(dot, arguments, options.rounds))


def rendering(dot: str, arguments: list[str], rounds: int) -> float | None:
    """Return the seconds that Graphviz takes to make an SVG; None if it is not there, or takes too long."""
    program = shutil.which("dot")
    if program is None:
        return None
    command = [program, "-Tsvg", *arguments]

    def render() -> None:
        subprocess.run(command, input=dot.encode(), capture_output=True, check=True, timeout=PATIENCE)

    try:
        return median(render, rounds)
    except subprocess.TimeoutExpired:
        return None


def median(run: Callable[[], object], rounds: int) -> float:
    """Return the median of the seconds that something takes."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _print(what: str, seconds: float | None) -> None:
    print(f"  {what}: " + ("no result" if seconds is None else f"{seconds:.2f} s"), flush=True)


if __name__ == "__main__":
    main()
