"""How training is getting on: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

#: The loss shown is the mean over this many updates.
SMOOTHED = 20

#: Without a terminal, one line after the first update and this many more.
LINES = 3


@contextmanager
def training_progress(label: str, total: int, unit: str, first: int = 0) -> Iterator[Callable[[float], None]]:
    """Show the progress of `total` updates, of which `first` were made before.

    The block gets a function to call with the loss of each update.
    """
    console = Console(stderr=True)
    recent: deque[float] = deque(maxlen=SMOOTHED)
    done = first

    def shown() -> str:
        return f"{sum(recent) / len(recent):.3f} {unit}"

    if not console.is_terminal:
        marks = {first + 1, *(first + (total - first) * line // LINES for line in range(1, LINES + 1))}

        def line(loss: float) -> None:
            nonlocal done
            recent.append(loss)
            done += 1
            if done in marks:
                console.print(f"{label}: update {done}/{total}, {shown()}", highlight=False, soft_wrap=True)

        yield line
        return

    label_of, loss_of = TextColumn("{task.description:<5}"), TextColumn("{task.fields[loss]}")
    columns = (label_of, BarColumn(), MofNCompleteColumn(), loss_of, TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task(label, total=total, completed=first, loss="")

        def advance(loss: float) -> None:
            recent.append(loss)
            bars.update(bar, advance=1, loss=shown())

        yield advance
