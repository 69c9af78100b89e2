"""`tinygrad-rnn reproduce`: experiments of papers again, and what came out beside what was published."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli import hochreiter
from tinygrad_rnn.cli.files import only_of_this_run, writable_folder, write_json
from tinygrad_rnn.cli.problem import say
from tinygrad_rnn.cli.summary import Output
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train.measure import versions
from tinygrad_rnn.train.reproduce import EXPERIMENTS, Experiment, Row, Trial

SCHEMA = "tinygrad_rnn.reproduce/1"
HEADINGS = ("learner", "weights", "trained by", "solved", "updates", "from-to", "score", "s")


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for; see `tinygrad-rnn reproduce --help`."""
    if options.name == "hochreiter":
        return hochreiter.run(options)
    experiment = EXPERIMENTS[options.name].asked(options.updates).of(options.only)
    seeds = range(options.seed, options.seed + (options.seeds or experiment.seeds))
    folder = Path(options.out)
    names = [f"{experiment.name}.{kind}" for kind in ("json", "md")]
    writable_folder(folder, "--out", names)
    with (
        only_of_this_run(folder, f"reproduce {experiment.name}", names),
        threadpool_limits(limits=1, user_api="blas"),  # two threads lose to one on products this small
    ):
        trials: list[Trial] = []
        for found in experiment.trials(seeds):
            say(told(found))
            trials.append(found)
        rows = Row.of(trials)
        summary = _to_json(experiment, rows, seeds, options, [shown(folder / name) for name in names])
        write_json(folder / names[0], summary)
        write_whole(folder / names[1], markdown(experiment, rows, seeds).encode())
    if options.json:
        print(json.dumps(summary, indent=2, allow_nan=False))
    else:
        _print(experiment, rows)
        print(f"written: {', '.join(summary['files'])}")
    return 0


def told(trial: Trial) -> str:
    """Return a line about a trial: whether and when it reached the criterion."""
    if trial.reached is not None:
        what = f"criterion reached after {plural(trial.reached, 'update')}"
    else:
        what = f"criterion not reached in {plural(trial.updates, 'update')}"
        what += f": {trial.ended}" if trial.ended else ""
    return f"{trial.learner.name}, seed {trial.seed}: {what}, {trial.seconds:.0f} s"


def cells_of(row: Row, score: str) -> list[str]:
    """Return what the table says about a learner."""
    spread = row.spread
    return [
        row.learner.name,
        f"{row.trials[0].parameters:,}",
        row.learner.how,
        f"{row.solved} of {len(row.trials)}",
        "-" if row.updates is None else f"{row.updates:,.0f}",
        "-" if spread is None else f"{spread[0]:,}-{spread[1]:,}",
        f"{row.score(score):.3g}",
        f"{row.seconds:.0f}",
    ]


def sentences(experiment: Experiment, rows: Sequence[Row]) -> list[str]:
    """Return what was reached, in words that follow from the rows alone."""
    unreached = [row for row in rows if not row.solved]
    found = []
    if unreached:
        most = plural(experiment.plan.updates, "update")
        found.append(f"The criterion was not reached in {most} by: {', '.join(row.learner.name for row in unreached)}.")
    ended = [trial for row in rows for trial in row.trials if trial.ended]
    found += [f"{trial.learner.name}, seed {trial.seed}: {trial.ended}." for trial in ended]
    return found or ["Every learner reached the criterion with at least one seed."]


def _notes(experiment: Experiment) -> list[str]:
    _, judged, criterion = experiment.plan.tasks()
    plan = experiment.plan
    looks = f"looked at after every {plural(plan.every, 'update')}"
    return [
        f"solved: trials that met the criterion, {criterion}, on {max(plan.judged, criterion.examples):,} examples of "
        f"{judged.name}, {looks}, "
        f"{plan.updates:,} at most.",
        "updates: the median of those that solved it; from-to: the fewest and the most.",
        f"score: the median of {criterion.score} on as many examples that no look had shown; s: seconds of all trials.",
    ]


def _print(experiment: Experiment, rows: Sequence[Row]) -> None:
    console = Output.wide()
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in HEADINGS:
        left = heading in ("learner", "trained by")
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    score = experiment.plan.tasks()[2].score
    for row in rows:
        table.add_row(*map(escape, cells_of(row, score)))
    console.print(f"{experiment.question}; {experiment.paper}", highlight=False)
    console.print(table)
    for line in (*_notes(experiment), "", *sentences(experiment, rows), "", "The paper says:"):
        console.print(escape(line), highlight=False)
    for each in experiment.published:
        console.print(escape(f"  {each.what}: {each.value} ({each.source})"), highlight=False)
    console.print("What differs here:", highlight=False)
    for line in experiment.differs:
        console.print(escape(f"  - {line}"), highlight=False)


def markdown(experiment: Experiment, rows: Sequence[Row], seeds: Sequence[int]) -> str:
    """Return the table as a document, with what the paper says beside it."""
    score = experiment.plan.tasks()[2].score
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(cells_of(row, score) for row in rows)]
    blocks = [
        f"# {experiment.name}: {experiment.question}",
        f"After {experiment.paper}. Seeds {', '.join(map(str, seeds))}.",
        "\n".join(f"| {' | '.join(line)} |" for line in lines),
        "\n".join(f"- {line}" for line in (*_notes(experiment), *sentences(experiment, rows))),
        "The paper says:",
        "\n".join(f"- {each.what}: {each.value} ({each.source})" for each in experiment.published),
        "What differs here:",
        "\n".join(f"- {line}" for line in experiment.differs),
    ]
    return "\n\n".join(blocks) + "\n"


def _to_json(
    experiment: Experiment, rows: Sequence[Row], seeds: Sequence[int], options: argparse.Namespace, files: list[str]
) -> dict[str, Any]:
    plan = experiment.plan
    words = f"tinygrad-rnn reproduce {experiment.name} --seeds {len(seeds)} --seed {options.seed}"
    if options.only is not None:
        words += f" --only {shlex.join(options.only)}"
    return {
        "schema": SCHEMA,
        "experiment": experiment.name,
        "paper": experiment.paper,
        "task": plan.task,
        "steps": plan.tasks()[0].steps,
        "batch": plan.batch,
        "updates": plan.updates,
        "every": plan.every,
        "judged": plan.judged,
        "criterion": str(plan.tasks()[2]),
        "seeds": list(seeds),
        "versions": versions(),
        "command": f"{words} --updates {plan.updates}",
        "results": [row.to_dict() for row in rows],
        "claims": sentences(experiment, rows),
        "published": [vars(each) for each in experiment.published],
        "differs": list(experiment.differs),
        "files": files,
    }
