"""`tinygrad-rnn tasks`: what models can learn, and what can be chosen about each."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tinygrad_rnn.cli.summary import WIDTH, Output
from tinygrad_rnn.tasks import TASKS, TaskEntry

SCHEMA = "tinygrad_rnn.tasks/1"


def run(options: argparse.Namespace) -> int:
    """Print the table of tasks; return 0."""
    if options.json:
        listed = [
            {
                "name": name,
                "summary": entry.summary,
                "reference": entry.reference,
                "options": list(entry.options),
                "steps": entry.steps,
                "solved": _solved(entry),
                "reads_text": entry.reads is not None,
            }
            for name, entry in TASKS.items()
        ]
        print(json.dumps({"schema": SCHEMA, "tasks": listed}, indent=2))
        return 0
    table = Table("task", "what it is", "steps", "solved", "reference", box=SIMPLE_HEAD)
    for name, entry in TASKS.items():
        words = "\n".join([name, *[f"  :{option}=..." for option in entry.options]])
        steps = "fixed" if entry.steps is None else str(entry.steps)
        table.add_row(words, entry.summary, steps, _solved(entry) or "-", entry.reference)
    console = Output()
    (console if console.is_terminal else Output(width=WIDTH)).print(table)
    return 0


def _solved(entry: TaskEntry) -> str | None:
    """Return when a task counts as solved."""
    task: Any = entry.task
    if entry.reads is None and getattr(task, "criterion", None) is None:  # then the options say
        task = task(**{} if entry.steps is None else {"steps": entry.steps})
    return None if task.criterion is None else str(task.criterion)
