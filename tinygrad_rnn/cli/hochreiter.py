"""`tinygrad-rnn reproduce hochreiter`: the experiments of 1997, each a line, with the paper's numbers beside ours."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from tinygrad_rnn.cli.files import only_of_this_run, writable_folder, write_json
from tinygrad_rnn.cli.problem import say, seeds_of
from tinygrad_rnn.cli.summary import Output
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train.measure import versions
from tinygrad_rnn.train.reproduce import setting1997
from tinygrad_rnn.train.reproduce.trial1997 import Outcome, Summary, train1997

__all__ = ["SEEDS", "cells_of", "markdown", "run", "sentences", "told"]

SCHEMA = "tinygrad_rnn.reproduce.hochreiter/1"
NAMES = ("hochreiter.json", "hochreiter.md")
AS_MANY = "The numbers of weights are those of the paper."
#: Trials of each experiment, unless others are asked for.
SEEDS = 3
HEADINGS = ("experiment", "about", "weights", "solved", "sequences", "paper", "wrong", "paper", "s")
#: Of the document, which has room.
ALL_HEADINGS = (
    "experiment", "about", "weights", "paper", "solved", "sequences", "from-to", "paper", "wrong", "paper", "seconds",
)  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for; see `tinygrad-rnn reproduce --help`."""
    settings = setting1997.chosen(options.only)
    seeds = seeds_of(options, options.seeds or SEEDS)
    folder = Path(options.out)
    writable_folder(folder, "--out", NAMES)
    with only_of_this_run(folder, "reproduce hochreiter", NAMES):
        outcomes: list[Outcome] = []
        for setting in settings:
            for seed in seeds:
                outcomes.append(train1997(setting, seed, options.updates))
                say(told(outcomes[-1]))
        rows = Summary.of(outcomes)
        summary = _to_json(rows, seeds, options, [shown(folder / name) for name in NAMES])
        write_json(folder / NAMES[0], summary)
        write_whole(folder / NAMES[1], markdown(rows, seeds, summary["command"]).encode())
    if options.json:
        print(json.dumps(summary, indent=2, allow_nan=False))
    else:
        _print(rows)
        print(f"written: {', '.join(summary['files'])}")
    return 0


def told(outcome: Outcome) -> str:
    """Return a line about a trial: whether and when it met the criterion."""
    if outcome.reached is not None:
        what = f"criterion met after {plural(outcome.reached, 'sequence')}"
    else:
        what = f"criterion not met in {plural(outcome.sequences, 'sequence')}"
    return f"{outcome.setting.name}, seed {outcome.seed}: {what}, {outcome.seconds:.1f} s"


def cells_of(row: Summary, everything: bool = False) -> list[str]:
    """Return what the table says about an experiment, or the document, which says more."""
    setting, reached = row.setting, row.reached
    found = [
        setting.name, setting.what, f"{row.outcomes[0].weights:,}", f"{setting.weights:,}",
        f"{len(reached)} of {len(row.outcomes)}",
        "-" if row.sequences is None else f"{row.sequences:,.0f}",
        f"{min(reached):,}-{max(reached):,}" if reached else "-",
        f"{setting.published:,}", _share(row.wrong), _share(setting.wrong), f"{row.seconds:.0f}",
    ]  # fmt: skip
    return found if everything else [cell for place, cell in enumerate(found) if place not in (3, 6)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def sentences(rows: Sequence[Summary]) -> list[str]:
    """Return what came out, in words that follow from the rows alone."""
    other = [f"{row.setting.name} has {row.outcomes[0].weights}" for row in rows if not _same_weights(row)]
    found = [f"Other numbers of weights than in the paper: {', '.join(other)}."] if other else [AS_MANY]
    never = [row for row in rows if not row.reached]
    for row in never:
        most = max(outcome.sequences for outcome in row.outcomes)
        found.append(f"{row.setting.name}: the criterion was not met by any trial, in {plural(most, 'sequence')} each.")
    some = [row for row in rows if row.reached and len(row.reached) < len(row.outcomes)]
    for row in some:
        missed = len(row.outcomes) - len(row.reached)
        found.append(f"{row.setting.name}: {missed} of {len(row.outcomes)} trials did not meet the criterion.")
    inside = [row.setting.name for row in rows if _ratio(row) is not None and 0.5 <= (_ratio(row) or 0) <= 2]
    if inside:
        found.append(f"Within a factor of 2 of the paper's number of sequences: {', '.join(inside)}.")
    for row in rows:
        ratio = _ratio(row)
        if ratio is not None and not 0.5 <= ratio <= 2:
            found.append(f"{row.setting.name}: {ratio:.2g} times the sequences of the paper.")
    return found


def _same_weights(row: Summary) -> bool:
    return row.outcomes[0].weights == row.setting.weights


def _ratio(row: Summary) -> float | None:
    return None if row.sequences is None else row.sequences / row.setting.published


def _notes() -> list[str]:
    fresh = f"{setting1997.FRESH:,}"
    return [
        "solved: trials that met the criterion. sequences: the mean to it, of these trials. paper: what it prints.",
        f"wrong: the share of {fresh} new sequences answered wrong, of these trials. s: of the processor, all trials.",
    ]


def _print(rows: Sequence[Summary]) -> None:
    console = Output.wide()
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("experiment", "about") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, cells_of(row)))
    console.print(f"{setting1997.QUESTION} {setting1997.PAPER}", highlight=False)
    console.print(table)
    for line in (*_notes(), "", *sentences(rows), "", "What differs here, or had to be guessed:"):
        console.print(escape(line), highlight=False)
    for line in setting1997.DIFFERS:
        console.print(escape(f"  - {line}"), highlight=False)


def markdown(rows: Sequence[Summary], seeds: Sequence[int], command: str) -> str:
    """Return the table as a document, with the command that gave it."""
    lines = [ALL_HEADINGS, ["---"] * len(ALL_HEADINGS), *(cells_of(row, everything=True) for row in rows)]
    blocks = [
        f"# hochreiter: {setting1997.QUESTION}",
        f"After {setting1997.PAPER}. Written by `{command}`: seeds {', '.join(map(str, seeds))}; {_machine()}.",
        "\n".join(f"| {' | '.join(line)} |" for line in lines),
        "\n".join(f"- {line}" for line in (*_notes(), *sentences(rows))),
        "A trial ends when of its sequences:",
        "\n".join(f"- {row.setting.name}: {row.setting.stop}; rate {row.setting.rate:g}" for row in rows),
        "What differs here, or had to be guessed:",
        "\n".join(f"- {line}" for line in setting1997.DIFFERS),
    ]
    return "\n\n".join(blocks) + "\n"


def _machine() -> str:
    load = f", {os.getloadavg()[0]:.1f} programs at work" if hasattr(os, "getloadavg") else ""
    return f"one of {plural(os.cpu_count() or 1, 'core')}{load}"


def _to_json(
    rows: Sequence[Summary], seeds: Sequence[int], options: argparse.Namespace, files: list[str]
) -> dict[str, Any]:
    words = f"tinygrad-rnn reproduce hochreiter --seeds {len(seeds)} --seed {options.seed}"
    words += "" if options.updates is None else f" --updates {options.updates}"
    words += "" if options.only is None else f" --only {shlex.join(options.only)}"
    return {
        "schema": SCHEMA,
        "experiment": "hochreiter",
        "paper": setting1997.PAPER,
        "seeds": list(seeds),
        "versions": versions(),
        "command": words,
        "results": [row.to_dict() for row in rows],
        "claims": sentences(rows),
        "differs": list(setting1997.DIFFERS),
        "files": files,
    }
