"""Learn Python source character by character, and count n-grams of it: `python -m tests.bench.characters --help`.

Trained is by the command that a user has; judged is all of what was held out, read once from its beginning.
"""

from __future__ import annotations

import argparse
import os
import platform
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn.cli import main as command
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.tasks.code import CodeTask
from tinygrad_rnn.tasks.ngrams import NGrams
from tinygrad_rnn.train import SequenceModel, load_checkpoint

PATH = Path("tutorials/CHARACTERS.md")
SEEDS = 3
#: What is learned: so many characters of the modules of Python's own library, in the order of their names.
CHARACTERS = 1_000_000
#: Of the baseline.
ORDERS = (0, 1, 2, 3, 4, 5, 6)
STEPS = 60
#: Held-out text is read as so many streams side by side, in windows of so many characters.
STREAMS, WINDOW = 64, 100

#: By what they are called: the options of `train`, beside those that all have in common.
SETTINGS = {
    "about twenty seconds": "--cell gru --hidden 128 --batch 64 --updates 200 --lr 0.01 --schedule cosine:updates=200",
    "about a minute": "--cell gru --hidden 128 --batch 64 --updates 600 --lr 0.01 --schedule cosine:updates=600",
    "about ten minutes": "--cell gru --hidden 256 --batch 64 --updates 3000 --lr 0.005 --schedule cosine:updates=3000",
}


def python_source(characters: int = CHARACTERS) -> str:
    """Return the beginning of Python's own library: the modules that are no packages, one after the other."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)[:characters]


def bits_of(model: SequenceModel, task: CodeTask) -> float:
    """Return the bits per character of a model on all of a text, which it reads once, its state carried on."""
    numbers = task.vocabulary.encode(task.text)
    length = (len(numbers) - 1) // STREAMS
    streams = np.stack([numbers[first * length : (first + 1) * length + 1] for first in range(STREAMS)], axis=1)
    state, total = None, 0.0
    with tg.no_grad():
        for begin in range(0, length, WINDOW):
            read, asked = streams[begin : begin + WINDOW + 1][:-1], streams[begin + 1 : begin + WINDOW + 1]
            outputs, state = model(tg.tensor(task.one_hot(read)), state)
            flat = outputs.reshape(-1, task.output_size)
            total += F.cross_entropy(flat, tg.tensor(asked.reshape(-1)), reduction="sum").item()
    return total / (length * STREAMS) / float(np.log(2))


def trained(options: str, seed: int, text: Path, source: str) -> tuple[float, float]:
    """Train by the command, and return the bits per held-out character and the seconds of the processor."""
    out = text.parent / f"model-{seed}.safetensors"
    words = f"--task code --text {text} --steps {STEPS} {options} --seed {seed} --validate-every 100000 --out {out}"
    began = time.process_time()
    if command(["train", *words.split()]):
        raise SystemExit("training failed")
    seconds = time.process_time() - began
    _, held_out = CodeTask(source, STEPS).held_out()
    model = load_checkpoint(out).model
    assert isinstance(model, SequenceModel)
    out.unlink()
    return bits_of(model, held_out), seconds


def counted(order: int, source: str) -> tuple[float, float]:
    """Return the bits per held-out character of n-grams, and the seconds of the processor."""
    learned, held_out = CodeTask(source, STEPS).held_out()
    began = time.process_time()
    found = NGrams(learned.text, order, learned.output_size).bits(held_out.text)
    return found, time.process_time() - began


def text_of(rows: Sequence[Sequence[str]], source: str) -> str:
    """Return the document."""
    headings = ("what", "bits/char", "from-to", "perplexity", "seconds")
    lines = [headings, ("---", "---:", "---:", "---:", "---:"), *rows]
    trained_any = any("`" in row[0] for row in rows)
    networks = (
        "the median of the seeds, and the fewest and most bits." if trained_any else "none were trained for this."
    )
    load = f", {os.getloadavg()[0]:.0f} programs at work at the end" if hasattr(os, "getloadavg") else ""
    return f"""# Python source, character by character

Written by `python -m tests.bench.characters`, {date.today()}, one thread of {plural(os.cpu_count() or 1, "core")} \
shared with other work{load},
{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}.

Text: the first {len(source):,} characters of the modules of Python's library ({len(set(source))} different ones). The
last tenth is held out; bits and perplexity (2^bits, of a character) are of all of it. Networks: {networks}

{chr(10).join(f"| {' | '.join(line)} |" for line in lines)}

- order n: n-grams, what followed the last n characters, interpolated with shorter ones (`tasks/ngrams.py`).
- seconds: of the processor, of one training or count; other work on the machine makes them more.
- The options are those of `python -m tinygrad_rnn train --task code --text FILE --steps {STEPS}`.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, count, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, default=PATH, help=f"where to (default {PATH})")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"of each network (default {SEEDS})")
    parser.add_argument("--only", choices=SETTINGS, nargs="*", help="which networks (default: all)")
    options = parser.parse_args(arguments)
    source, rows = python_source(), []
    for order in ORDERS:
        bits, seconds = counted(order, source)
        rows.append((f"order {order}", f"{bits:.3f}", "-", f"{2**bits:.2f}", f"{seconds:.0f}"))
        print(*rows[-1], flush=True)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(limits=1, user_api="blas"):
        text = Path(folder) / "source.py"
        text.write_text(source, encoding="utf-8")
        for name in SETTINGS if options.only is None else options.only:
            found = []
            for seed in range(options.seeds):
                found.append(trained(SETTINGS[name], seed, text, source))
                print(name, seed, *found[-1], flush=True)
                all_bits = [bits for bits, _ in found]
                middle, seconds = median(all_bits), median(seconds for _, seconds in found)
                spread = f"{min(all_bits):.3f}-{max(all_bits):.3f}" if len(found) > 1 else "-"
                row = (
                    f"{name}, {plural(len(found), 'seed')}: `{SETTINGS[name]}`", f"{middle:.3f}", spread,
                    f"{2**middle:.2f}", f"{seconds:.0f}",
                )  # fmt: skip
                options.write.write_text(text_of([*rows, row], source), encoding="utf-8")
            rows.append(row)
    print(f"wrote {options.write}")


if __name__ == "__main__":
    main()
