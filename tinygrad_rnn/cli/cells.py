"""`tinygrad-rnn cells`: which recurrent cells there are, what can be chosen about each, and their equations."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from tinygrad_rnn.cli.summary import Output
from tinygrad_rnn.nn import CELLS, CellEntry

SCHEMA = "tinygrad_rnn.cells/1"


def run(options: argparse.Namespace) -> int:
    """Print the table of cells, or all that is known of one or of each; return 0."""
    chosen = CELLS if options.name is None else {options.name: CELLS[options.name]}
    if options.json:
        listed = [_as_json(name, entry) for name, entry in chosen.items()]
        print(json.dumps({"schema": SCHEMA, "cells": listed}, indent=2))
    elif options.verbose or options.name is not None:
        print("\n\n".join(_described(name, entry) for name, entry in chosen.items()))
    else:
        _print_table()
    return 0


def _as_json(name: str, entry: CellEntry) -> dict[str, Any]:
    return {
        "name": name,
        "summary": entry.summary,
        "reference": entry.reference,
        "options": list(entry.options),
        "states": list(entry.cell.state_names),
        "gates": list(entry.cell.gate_names),
        "equations": list(entry.equations),
    }


def _described(name: str, entry: CellEntry) -> str:
    """Return what a cell is, its equations, and how it is called."""
    facts = {
        "reference": entry.reference,
        "states": ", ".join(entry.cell.state_names),
        "gates": ", ".join(entry.cell.gate_names) or "none",
        "fixed": ", ".join(f"{option} = {value}" for option, value in entry.fixed.items()),
        "options": " ".join(f"{name}:{option}=..." for option in entry.options) or "none",
    }
    equations = [f"    {line}" for line in entry.equations]
    lines = [f"  {word + ':':<10} {said}" for word, said in facts.items() if said]
    return "\n".join([f"{name}: {entry.summary}", *equations, *lines])


def _print_table() -> None:
    console = Output.wide()
    table = Table("cell", "what it is", "reference", box=SIMPLE_HEAD)
    for name, entry in CELLS.items():
        words = "\n".join([name, *[f"  :{option}=..." for option in entry.options]])
        table.add_row(escape(words), escape(entry.summary), escape(entry.reference))
    console.print(table)
