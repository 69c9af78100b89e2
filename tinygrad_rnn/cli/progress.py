"""How training is getting on: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import fmean

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tinygrad_rnn.train import Update

#: The loss and the norm shown are means over this many updates.
SMOOTHED = 20

#: Without a terminal, one line after the first update and this many more, and one soon where they are far apart.
LINES, SOON = 3, 10

#: So many updates say nothing about how long the others take: kernels are compiled while they are made.
WARMING = 3


@contextmanager
def training_progress(label: str, total: int, unit: str, first: int = 0) -> Iterator[Callable[[Update], None]]:
    """Show the progress of `total` updates, of which `first` were made before: loss, gradient norm, time left.

    The block gets a function to call with each update.
    """
    console = Console(stderr=True)
    losses: deque[float] = deque(maxlen=SMOOTHED)
    norms: deque[float] = deque(maxlen=SMOOTHED)
    done, begun = first, 0.0

    def note(update: Update) -> str:
        losses.append(update.loss)
        norms.append(update.norm)
        return f"{fmean(losses):.3f} {unit}, gradient norm {fmean(norms):.3g}"

    if not console.is_terminal:
        marks = {first + 1, *(first + (total - first) * line // LINES for line in range(1, LINES + 1))}
        if total - first > 5 * LINES * SOON:
            marks.add(first + SOON)

        def line(update: Update) -> None:
            nonlocal done, begun
            shown = note(update)
            done += 1
            timed = done - first - WARMING
            if not timed:
                begun = time.monotonic()
            if done in marks:
                left = ""
                if timed > 0 and done < total:
                    left = f", {duration((time.monotonic() - begun) / timed * (total - done))} left"
                console.print(f"{label}: update {done}/{total}, {shown}{left}", highlight=False, soft_wrap=True)

        yield line
        return

    label_of, numbers = TextColumn("{task.description:<5}"), TextColumn("{task.fields[numbers]}")
    columns = (label_of, BarColumn(), MofNCompleteColumn(), numbers, TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task(label, total=total, completed=first, numbers="")

        def advance(update: Update) -> None:
            bars.update(bar, advance=1, numbers=note(update))

        yield advance


def duration(seconds: float) -> str:
    """Return a time in words: "0.4 s", "12 s", "3 min", "1.5 h"."""
    if seconds < 1:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
