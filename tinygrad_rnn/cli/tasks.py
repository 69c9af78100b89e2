"""`tinygrad-rnn tasks`: what models can learn, and what can be chosen about each."""

from __future__ import annotations

import argparse
import inspect
import json
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tinygrad_rnn import specs
from tinygrad_rnn.cli.summary import Output
from tinygrad_rnn.tasks import TASKS, TaskSpec, parse_task
from tinygrad_rnn.train.trainer import VALIDATED

SCHEMA = "tinygrad_rnn.tasks/1"


def run(options: argparse.Namespace) -> int:
    """Print the table of tasks, or all that is known of one; return 0."""
    chosen = [parse_task(text) for text in (TASKS if options.name is None else [options.name])]
    if options.json:
        print(json.dumps({"schema": SCHEMA, "tasks": [_as_json(spec) for spec in chosen]}, indent=2))
    elif options.name is not None:
        print(_described(chosen[0]))
    else:
        _print_table(chosen)
    return 0


def _as_json(spec: TaskSpec) -> dict[str, Any]:
    entry = spec.entry
    return {
        "name": spec.name,
        "summary": entry.summary,
        "reference": entry.reference,
        "options": list(entry.options),
        "values": {option: specs.values(reader) for option, reader in entry.options.items()},
        "defaults": _defaults(spec),
        "steps": entry.steps,
        "solved": _solved(spec),
        "reads_text": entry.reads is not None,
    }


def _described(spec: TaskSpec) -> str:
    """Return what a task is, what can be chosen about it, and how it is learned."""
    entry, defaults, solved = spec.entry, _defaults(spec), _solved(spec)
    facts = [
        ("reference", entry.reference),
        ("length", "fixed" if entry.steps is None else f"{entry.steps} steps, or --steps T"),
        ("text", "--text FILE, or one that is there" if entry.reads else ""),
        ("solved", f"{solved}; judged on {VALIDATED} unseen examples, or as many as it names" if solved else "unknown"),
        ("options", "" if entry.options else "none"),
    ]
    lines = [f"  {word + ':':<10} {said}".rstrip() for word, said in facts if said or word == "options"]
    words = {f"{spec.name}:{option}=...": option for option in entry.options}
    for word, option in words.items():
        usual = "the task decides" if defaults[option] is None else defaults[option]
        values = specs.values(entry.options[option])
        lines.append(f"    {word:<{max(map(len, words))}}  {values} (default: {usual})")
    until = " --until-solved" if solved else ""
    return "\n".join(
        [f"{spec.text}: {entry.summary}", *lines, f"  to learn it: tinygrad-rnn train --task {spec.text}{until}"]
    )


def _print_table(chosen: list[TaskSpec]) -> None:
    table = Table("task", "what it is", "steps", "solved", "reference", box=SIMPLE_HEAD)
    for spec in chosen:
        entry = spec.entry
        words = "\n".join([spec.name, *[f"  :{option}=..." for option in entry.options]])
        steps = "fixed" if entry.steps is None else str(entry.steps)
        table.add_row(words, entry.summary, steps, _solved(spec) or "-", entry.reference)
    Output.wide().print(table)


def _defaults(spec: TaskSpec) -> dict[str, Any]:
    """Return what holds of each option that nobody chooses; None where the task decides."""
    known = inspect.signature(spec.entry.task).parameters
    return {option: known[option].default for option in spec.entry.options}


def _solved(spec: TaskSpec) -> str | None:
    """Return when a task counts as solved."""
    task: Any = spec.entry.task
    if spec.entry.reads is None and getattr(task, "criterion", None) is None:  # then the options say
        task = spec.make()
    return None if task.criterion is None else str(task.criterion)
