"""What a model wrote about each thing that it was given, as a table for people and as JSON for programs."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from tinygrad_rnn.cli.summary import Output
from tinygrad_rnn.flow.sentences import number
from tinygrad_rnn.train import Hypothesis


@dataclass(frozen=True)
class Written:
    """What a model wrote about one thing.

    Attributes:
        given: what the thing is called.
        known: what it should have written; None if nobody can say.
        answers: what it wrote, with the probability that it gives it; the likeliest first.
    """

    given: str
    known: str | None
    answers: Sequence[tuple[str, float]]

    @classmethod
    def of(
        cls, given: str, known: str | None, beam: Sequence[Hypothesis], said: Callable[[Sequence[int]], str]
    ) -> Self:
        """Return what a beam search found, put into words."""
        return cls(given, known, [(said(each.numbers), math.exp(each.log_probability)) for each in beam])

    @property
    def right(self) -> bool | None:
        """Whether the likeliest is right; None if nobody can say."""
        return None if self.known is None else self.answers[0][0] == self.known


def print_or_json(
    schema: str,
    heading: str,
    written: Sequence[Written],
    about: Mapping[str, Any],
    files: Sequence[str],
    options: argparse.Namespace,
) -> None:
    """Print a row for each answer, and how many of those that can be judged are right; or the same as JSON.

    Args:
        heading: of what was given, as in "read".
        about: what else is known: "claims" are printed, too.
        files: that were written.
    """
    if options.json:
        said = {"schema": schema, "model": options.model, "beam": options.beam, "results": list(map(_to_json, written))}
        print(json.dumps({**said, **about, "files": list(files)}, indent=2, allow_nan=False))
        return
    console = Output.wide()
    table = Table(heading, "written", "right", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("probability", justify="right", no_wrap=True)
    for each in written:
        head, right = escape(each.given), _right(each)
        for text, probability in each.answers:
            table.add_row(head, escape(text), right, number(probability))
            head = right = ""
    console.print(table)
    judged = [each.right for each in written if each.right is not None]
    if judged:
        print(f"{sum(judged)} of {len(judged)} right")
    for line in about.get("claims", ()):
        print(line)
    for name in files:
        print(f"written: {name}")


def _right(each: Written) -> str:
    if each.right is None:
        return "-"
    return "yes" if each.right else f"no: {escape(each.known or '')}"


def _to_json(each: Written) -> dict[str, Any]:
    answers = [{"text": text, "probability": probability} for text, probability in each.answers]
    return {"given": each.given, "known": each.known, "right": each.right, "answers": answers}
