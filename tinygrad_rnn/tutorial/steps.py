"""A tutorial's cells in the steps in which they are shown: prose stands above the code or the question it leads to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinygrad_rnn.tutorial.script import Cell

__all__ = ["Step", "questions_before", "steps_of"]


@dataclass
class Step:
    """What is shown at a time.

    Attributes:
        kind: "prose", "question", "code" or "exercise".
        prose: cells to read.
        cell: the one that asks, or the code; of prose the last one.
        hints: for who asks for them.
        solutions: of an exercise.
    """

    kind: str
    prose: list[Cell]
    cell: Cell
    hints: list[Cell] = field(default_factory=list)
    solutions: list[Cell] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The number of its first cell."""
        return self.prose[0].number if self.prose else self.cell.number


def steps_of(cells: Sequence[Cell]) -> list[Step]:
    """Return the steps of a tutorial."""
    steps: list[Step] = []
    prose: list[Cell] = []
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if cell.role == "hint":
            steps[-1].hints.append(cell)
        elif cell.role == "solution":
            steps[-1].solutions.append(cell)
        elif cell.role == "prose":
            prose.append(cell)
            if following is None or following.role not in ("code", "question"):
                steps.append(Step("prose", prose, cell))
                prose = []
        else:
            steps.append(Step(cell.role, prose if cell.is_code else [*prose, cell], cell))
            prose = []
    return steps


def questions_before(steps: list[Step], at: int) -> list[Step]:
    """Return the questions that the code of a step answers: those since the code before it."""
    found: list[Step] = []
    for step in reversed(steps[:at]):
        if step.kind == "code":
            break
        if step.kind == "question":
            found.insert(0, step)
    return found
