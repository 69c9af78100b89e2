"""What `graph` found, as a table for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tinygrad_rnn.flow import StateFlow, changes, reasons
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import Measurement
from tinygrad_rnn.viz.plots import Entry
from tinygrad_rnn.viz.sheet import lags

SCHEMA = "tinygrad_rnn.graph/1"
#: Wide enough for every row; a pipe has no width of its own.
WIDTH = 100


class Output(Console):
    """Leaves a reader that went away to `main`; rich would exit with 1, which here means that a check failed."""

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught."""
        raise BrokenPipeError

    @classmethod
    def wide(cls) -> Self:
        """Return one as wide as the terminal, or, where there is none, as every row needs."""
        console = cls()
        return console if console.is_terminal else cls(width=WIDTH)


@dataclass(frozen=True)
class Result:
    """One cell before or after training.

    Attributes:
        when: "initial", "trained" or, with no updates between both, "untrained".
        training_loss: the mean loss that training minimises, on the batch measured.
        stem: how the paths of its files begin; `kinds` is how they go on.
        entry: for the sheet of plots.
        ended: what is to be said about its training if that diverged.
    """

    cell: str
    when: str
    measurement: Measurement
    training_loss: float
    stem: Path
    kinds: tuple[str, ...]
    entry: Entry | None = None
    ended: str | None = None

    @property
    def files(self) -> list[str]:
        """What was written about it."""
        return [f"{shown(self.stem)}.{kind}" for kind in self.kinds]


def print_table(results: Sequence[Result], unit: str) -> None:
    """Print a row for every cell, before and after training, and kind of state."""
    console = Output.wide()
    shown = lags(results[0].measurement.settings["steps"])
    threshold = results[0].measurement.report.threshold
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("cell", "weights", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in [*(f"lag {lag}" for lag in shown), "horizon"]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for result in results:
        head = result.cell, result.when
        verdicts = {lane.scope: lane.verdict for lane in result.measurement.report.lanes}
        for label, state in _states(result):
            sizes = (_size(state, lag) for lag in shown)
            table.add_row(*head, label, *sizes, _horizon(state, threshold), verdicts.pop(state.scope, ""))
            head = "", ""
    console.print(table)
    console.print(
        "lag d: gradient of the loss at step T that reaches the state at step T-d,\n"
        "relative to the gradient at the state of step T itself.\n"
        f"horizon: the first lag with less than {threshold:.3g} of it. The verdict goes by the state\n"
        f"whose gradient reaches furthest: explodes where it is anywhere more than {EXPLODED:g}\n"
        "times that of step T, survives where there is no horizon, which says that the\n"
        "gradient reaches the first step, and not that anything is learned from there.\n",
        highlight=False,
    )
    console.print(f"loss in {unit}:", highlight=False)
    width = max(len(result.cell) for result in results)
    for cell in dict.fromkeys(result.cell for result in results):
        losses = [f"{result.training_loss:.3f}" for result in results if result.cell == cell]
        console.print(f"  {cell:<{width}}  {' -> '.join(losses)}", highlight=False)


def _states(result: Result) -> Iterator[tuple[str, StateFlow]]:
    """Yield the states, those of the last layer first, as they are called in the table."""
    report = result.measurement.report
    for state in sorted(report.states, key=lambda state: -state.layer):
        yield f"{report.place(state)} {state.kind}".strip(), state


def _size(state: StateFlow, lag: int) -> str:
    value = state.relative(lag)
    if value == 0:
        return "underflow" if state.underflows(lag) else "0"
    if value is None or not math.isfinite(value):
        return "-" if value is None else "not finite"
    return f"{value:.1e}" if value < 0.01 or value >= 100 else f"{value:.2g}"


def _horizon(state: StateFlow, threshold: float) -> str:
    if not state.measurable:
        return "-"
    lag = state.horizon(threshold)
    return f">{len(state.norms) - 1}" if lag is None else str(lag)


def to_json(results: Sequence[Result], source: str | None, unit: str) -> dict[str, Any]:
    """Return the summary: what was run, and for every cell and state of it the numbers of the table and the files."""
    own = ("cell", "updates", "when")
    shared = {key: value for key, value in results[0].measurement.settings.items() if key not in own}
    return {"schema": SCHEMA, **shared, "text": source, "unit": unit, "results": [_entry(result) for result in results]}


def _entry(result: Result) -> dict[str, Any]:
    report = result.measurement.report
    return {
        "cell": result.cell,
        "when": result.when,
        "updates": result.measurement.settings["updates"],
        "status": report.status,
        "training_loss": finite(result.training_loss),
        "loss": finite(report.loss),
        "verdict": report.verdict,
        "verdict_reason": report.verdict_reason,
        "why": reasons.why(report),
        "change": changes.remedy(report),
        "states": [
            {
                "state": state.kind,
                "layer": state.layer,
                "relative": {str(lag): finite(state.relative(lag)) for lag in lags(len(state.norms))},
                "horizon": state.horizon(report.threshold),
            }
            for state in report.states
        ],
        "ended": result.ended,
        "files": result.files,
    }


def finite(value: float | None) -> float | None:
    """Return a number as JSON can hold it."""
    return value if value is not None and math.isfinite(value) else None
