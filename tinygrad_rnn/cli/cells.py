"""`tinygrad-rnn cells`: which recurrent cells there are, and what can be chosen about each."""

from __future__ import annotations

import argparse
import json

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tinygrad_rnn.nn import CELLS

SCHEMA = "tinygrad_rnn.cells/1"


def run(options: argparse.Namespace) -> int:
    """Print the table of cells; return 0."""
    if options.json:
        listed = [
            {
                "name": name,
                "summary": entry.summary,
                "reference": entry.reference,
                "options": list(entry.options),
                "states": list(entry.cell.state_names),
                "gates": list(entry.cell.gate_names),
            }
            for name, entry in CELLS.items()
        ]
        print(json.dumps({"schema": SCHEMA, "cells": listed}, indent=2))
        return 0
    table = Table("cell", "what it is", "reference", box=SIMPLE_HEAD)
    for name, entry in CELLS.items():
        words = "\n".join([name, *[f"  :{option}=..." for option in entry.options]])
        table.add_row(words, entry.summary, entry.reference)
    Console().print(table)
    return 0
