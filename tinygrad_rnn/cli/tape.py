"""The tape of one training step, in files and on the terminal."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tinygrad_rnn import optim
from tinygrad_rnn.cli.entries import CLIP
from tinygrad_rnn.cli.options import LEARNING_RATE
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tape import Line
from tinygrad_rnn.tasks import Task
from tinygrad_rnn.train import Model, training_tape

#: How the files about the tape of a cell end.
TAPE = ("tape.txt", "tape.json")
#: Parts of a step that do the same for every parameter.
REPETITIVE = ("zero_grad", "clipping", "optimizer")
#: Fewer lines than this are shown.
WORTH_FOLDING = 4
#: The colours of the parts of a step.
COLOURS = {"forward": "cyan", "backward": "magenta", "clipping": "yellow", "optimizer": "green"}


def write_tape(folder: Path, cell: str, model: Model, task: Task, options: argparse.Namespace) -> None:
    """Record one training step of a model that is changed by it; write it, and show it if somebody looks."""
    adam = optim.Adam(model.parameters(), lr=LEARNING_RATE)
    tape = training_tape(model, task, adam, options.batch, options.seed, CLIP)
    listing, exported = (folder / f"{parse_cell(cell).file_name}.{kind}" for kind in TAPE)
    write_whole(listing, (tape.listing() + "\n").encode())
    write_whole(exported, tape.to_json().encode())
    if sys.stdout.isatty() and not options.json:
        console = Console(highlight=False, soft_wrap=True)
        console.rule(f"one training step of {cell}")
        for line in folded(tape.lines(), task.steps):
            bold = "" if line.text.startswith(" ") else "bold "
            console.print(Text(line.text, style=bold + COLOURS.get(line.section, "default")))


def folded(lines: Iterable[Line], steps: int) -> Iterator[Line]:
    """Yield lines with those of all time steps but the first two and the last counted only, and so what repeats itself.

    An optimizer does the same for every parameter: the first is shown.
    """
    for section, part in itertools.groupby(lines, lambda line: line.section):
        found = list(part)
        yield from _repetition(found) if section in REPETITIVE else _middle(found, steps)


def _middle(lines: list[Line], steps: int) -> Iterator[Line]:
    middle = range(2, steps - 1)
    for between, part in itertools.groupby(lines, lambda line: line.step in middle):
        found = list(part)
        if not between or len(found) < WORTH_FOLDING:
            yield from found
            continue
        first, last = found[0].step, found[-1].step
        which = f"step t={first}" if first == last else f"the steps t={first} to t={last}"
        yield _instead_of(found, f"of {which}")


def _repetition(lines: list[Line]) -> Iterator[Line]:
    keys = [_what_it_does(line) for line in lines]
    at = 0
    while at < len(lines):
        period, times = _period(keys[at:])
        yield from lines[at : at + period]
        repeated = lines[at + period : at + period * times]
        if repeated:
            yield _instead_of(repeated, f"do the same {times - 1} more time{'s' * (times > 2)}")
        at += period * times


def _period(keys: list[str]) -> tuple[int, int]:
    """Return how many lines at the beginning are repeated and how often they stand there; 1 line once if none are."""
    for period in range(1, len(keys) // 2 + 1):
        times = 1
        while keys[period * times : period * (times + 1)] == keys[:period]:
            times += 1
        if period * (times - 1) >= WORTH_FOLDING:
            return period, times
    return 1, 1


def _what_it_does(line: Line) -> str:
    """Return the op of a line with its constants, whatever it is done to."""
    return " ".join(re.findall(r"\w+\(|const [^,)]+", line.text)) or line.text


def _instead_of(lines: list[Line], what: str) -> Line:
    return Line(lines[0].section, None, f"  ... {plural(len(lines), 'line')} {what}: see the file")
