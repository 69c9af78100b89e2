"""Time the stepper in headless Chromium: `python -m tests.bench.page`. Every figure is a median of several loads."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import tinygrad_rnn as tg
from tests.viz import browser
from tinygrad_rnn import nn, viz

#: Time until the first frame is painted, from the start of the load.
LOADED = """
() => new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))
"""
#: Milliseconds of one key press: its script with style and layout, and until the frame is painted.
PRESSED = """
async (keys) => {
  const times = [];
  for (const [key, shiftKey] of keys) {
    const start = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
    document.body.getBoundingClientRect();
    const drawn = performance.now() - start;
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    times.push([drawn, performance.now() - start]);
  }
  return times;
}
"""
MOVES = {
    "one box": [["ArrowLeft", False]] * 60 + [["ArrowRight", False]] * 60,
    "one time step": [["PageUp", False]] * 30 + [["PageDown", False]] * 30,
    "start to end": [["Home", False], ["End", False]] * 5,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if reason := browser.missing():
        raise SystemExit(f"no browser to measure with: {reason}")
    tg.manual_seed(0)
    outputs, _ = nn.unroll(nn.LSTMCell(8, 16), tg.randn(options.steps, 4, 8))
    report = viz.gradient_flow((outputs[-1] * outputs[-1]).sum(axis=1), statistics=True)
    with tempfile.TemporaryDirectory() as folder, browser.launched() as running:
        for name, window in (("all steps", (0, options.steps)), ("the last ten", (options.steps - 10, options.steps))):
            path = viz.write_page(Path(folder) / "page.html", report, level="cell", window=window)
            print(f"LSTM, {options.steps} steps, cell level, {name}: {path.stat().st_size / 1e3:.0f} kB")
            _time(running, path, options.rounds)


def _time(running: Any, path: Path, rounds: int) -> None:
    loads, moves = [], {name: [] for name in MOVES}
    for _ in range(rounds):
        page = running.new_page(viewport={"width": 1400, "height": 900})
        page.goto(path.as_uri(), wait_until="commit")
        page.wait_for_load_state("load")
        loads.append(page.evaluate(LOADED))
        boxes, elements = page.evaluate(
            "() => [document.querySelectorAll('[data-box]').length, document.querySelectorAll('*').length]"
        )
        for name, keys in MOVES.items():
            moves[name] += page.evaluate(PRESSED, keys)
        page.close()
    print(f"  {boxes} boxes, {elements} elements; opens in {statistics.median(loads):.0f} ms")
    for name, times in moves.items():
        drawn, painted = zip(*times, strict=True)
        print(
            f"  {name}: {statistics.median(drawn):.1f} ms for script, style and layout (at most {max(drawn):.0f}), "
            f"{statistics.median(painted):.0f} ms until painted (at most {max(painted):.0f})"
        )


if __name__ == "__main__":
    main()
