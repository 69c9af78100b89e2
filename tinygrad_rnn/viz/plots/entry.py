"""What the plots of a sheet are about: a cell with all that was measured of it, and a plot with its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_rnn.flow import FlowMap, FlowReport, JacobianReport, StateFlow
from tinygrad_rnn.flow.sentences import left, number
from tinygrad_rnn.train import Update

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tinygrad_rnn.viz.styles import Style


@dataclass(frozen=True)
class Entry:
    """One cell of a sheet, and what was measured of it.

    Attributes:
        name: what it is called, different from all others.
        report: measured with statistics.
        cell: its specification, "lstm:forget_bias=0"; None for a cell of one's own.
        updates_made: how long it had been trained when the report was made.
        jacobians, bound, flow_map: None where they were not measured; the bound by lag, for Elman's cell only.
        history: while it was trained on, (updates made, report); the first before any.
        updates: of that training.
        clip: the largest norm in it.
        ended: what is to be said about that training if it diverged.
        repeats: the same as the report from other seeds.
    """

    name: str
    report: FlowReport
    cell: str | None = None
    updates_made: int = 0
    jacobians: JacobianReport | None = None
    bound: np.ndarray | None = None
    flow_map: FlowMap | None = None
    history: Sequence[tuple[int, FlowReport]] = ()
    updates: Sequence[Update] = ()
    clip: float = 1.0
    ended: str | None = None
    repeats: Sequence[FlowReport] = ()

    def called(self, name: str | None = None) -> str:
        """Return the name, with the layer and direction of the cell where there are several: what is measured of it."""
        place = self.report.place(self.report.cell[0]) if self.report.cell else ""
        return f"{name or self.name} ({place})" if place else name or self.name


Found = Sequence[Entry] | Mapping[str, FlowReport] | FlowReport


@dataclass(frozen=True)
class Plot:
    """A plot with its words: what a page shows of it, and a reader who does not see it is told."""

    name: str  # of its files
    heading: str
    about: str  # how to read it
    draw_entries: Callable[[Sequence[Entry], Style | None], Figure]
    sentences_of: Callable[[Sequence[Entry]], list[str]]
    alt_of: Callable[[Sequence[Entry]], str]
    there: Callable[[Entry], object] = bool  # whether an entry has what it takes
    missing: str = ""  # what to say if none has

    def draw(self, found: Found, style: Style | None = None) -> Figure:
        """Return the figure."""
        return self.draw_entries(entries_of(found), style)

    def sentences(self, found: Found) -> list[str]:
        """Return what it shows in sentences, worked out from the numbers: none says what should have come out."""
        return self.sentences_of(entries_of(found))

    def alt(self, found: Found) -> str:
        """Return in words what can be seen, for those who do not see it."""
        return self.alt_of(entries_of(found))


def entries_of(found: Found) -> Sequence[Entry]:
    """Return entries, of reports by name or of a single report where there are none yet."""
    if isinstance(found, FlowReport):
        found = {"network": found}
    return [Entry(name, report) for name, report in found.items()] if isinstance(found, Mapping) else found


def reports(entries: Sequence[Entry]) -> dict[str, FlowReport | None]:
    """Return the reports by name."""
    return {entry.name: entry.report for entry in entries}


# ---- alt texts -----------------------------------------------------------------------------------------------------


def alt_text(kind: str, parts: Iterable[str]) -> str:
    """Return what kind of plot it is, and what its parts show."""
    return f"{kind}: {'; '.join(parts) or 'nothing'}."


def ends(name: str, values: Sequence[str]) -> str:
    """Return how a line by lag begins and ends."""
    if not len(values):
        return f"{name} without values"
    if len(values) == 1:
        return f"{name} {values[0]} at the only lag"
    return f"{name} from {values[0]} at lag 0 to {values[-1]} at lag {len(values) - 1}"


def state_lines(reports: Iterable[tuple[str, FlowReport]]) -> list[str]:
    """Return how the line of each state begins and ends."""
    return [ends(f"{name} {state.kind}", _shares(state)) for name, report in reports for state in report.cell]


def _shares(state: StateFlow) -> list[str]:
    sizes = state.by_lag
    if not state.measurable:
        return [number(float(size)) for size in sizes]
    return [left(state, lag) for lag in range(len(sizes))]


def extent(values: np.ndarray) -> str:
    """Return the smallest and the largest of some values."""
    known = np.asarray(values)[np.isfinite(values)]
    if not len(known):
        return "without finite values"
    return f"from {number(float(known.min()))} to {number(float(known.max()))}"
