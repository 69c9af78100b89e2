"""The tape of one training step, in files and on the terminal."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tinygrad_rnn import optim
from tinygrad_rnn.cli.entries import CLIP
from tinygrad_rnn.cli.parser import LEARNING_RATE
from tinygrad_rnn.cli.problem import AnyTask
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tape import Line
from tinygrad_rnn.train import SequenceModel, training_tape

#: The colours of the parts of a step.
COLOURS = {"forward": "cyan", "backward": "magenta", "clipping": "yellow", "optimizer": "green"}


def tape_files(stem: str) -> tuple[str, str]:
    """Return the names of the files about the tape of a cell."""
    return f"{stem}.tape.txt", f"{stem}.tape.json"


def write_tape(folder: Path, cell: str, model: SequenceModel, task: AnyTask, options: argparse.Namespace) -> None:
    """Record one training step of a model that is changed by it; write it, and show it if somebody looks."""
    adam = optim.Adam(model.parameters(), lr=LEARNING_RATE)
    tape = training_tape(model, task, adam, options.batch, options.seed, CLIP)
    listing, exported = (folder / name for name in tape_files(parse_cell(cell).file_name))
    write_whole(listing, (tape.listing() + "\n").encode())
    write_whole(exported, tape.to_json().encode())
    if sys.stdout.isatty() and not options.json:
        console = Console(highlight=False, soft_wrap=True)
        console.rule(f"one training step of {cell}")
        for line in folded(tape.lines(), task.steps):
            bold = "" if line.text.startswith(" ") else "bold "
            console.print(Text(line.text, style=bold + COLOURS.get(line.section, "default")))


def folded(lines: Iterator[Line], steps: int) -> Iterator[Line]:
    """Yield lines with those of all time steps but the first two and the last counted only."""
    middle = range(2, steps - 1)
    for between, part in itertools.groupby(lines, lambda line: line.step in middle):
        found = list(part)
        if not between:
            yield from found
            continue
        first, last = found[0].step, found[-1].step
        what = f"{plural(len(found), 'line')} of the steps t={first} to t={last}: see the file"
        yield Line(found[0].section, None, f"  ... {what}")
