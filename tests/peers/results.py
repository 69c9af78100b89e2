"""Counting what was equal, checking it against the list of differences, and writing the table."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

from tests.peers import differences
from tests.peers.comparing import described
from tests.peers.differences import Difference, Sample

COUNTS = ("samples", "equal", "errors", "refused")
TABLE = Path(__file__).with_name("RESULTS.md")


@dataclass
class Row:
    """What was counted for one entry, and the reasons of what is listed."""

    samples: int = 0
    equal: int = 0
    errors: int = 0
    refused: int = 0
    reasons: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    used: set[int] = field(default_factory=set)


class Tally:
    """Counts the samples of one room (ops, modules or another library) per entry."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = defaultdict(Row)

    def sample(self, name: str, sample: Sample, difference: str) -> None:
        """Count a sample that gave this difference ("" for none)."""
        row = self.rows[name]
        row.samples += 1
        row.equal += not difference
        self._check(name, sample, difference, differences.RESULTS)

    def error_input(self, name: str, sample: Sample, difference: str) -> None:
        """Count a call that has to be refused, and was unless a difference says what happened."""
        row = self.rows[name]
        row.errors += 1
        row.refused += not difference
        self._check(name, sample, difference, differences.ERRORS)

    def _check(self, name: str, sample: Sample, difference: str, listed: list[Difference]) -> None:
        row = self.rows[name]
        found = [known for known in listed if known.of(name) and known.where(sample)]
        for known in found:
            row.used.add(id(known))
            if known.reason not in row.reasons:
                row.reasons.append(known.reason)
        if difference and not any(known.seen in difference for known in found):
            row.problems.append(f"{difference}\n    {described(sample)}")
        if found and not difference and not found[0].by_chance:
            row.problems.append(f"listed as different, but equal: {found[0].reason}\n    {described(sample)}")

    def finish(self, name: str) -> None:
        """Fail unless every sample was equal or listed, and every listed difference was seen."""
        self._finish(name, differences.RESULTS)

    def finish_errors(self, name: str) -> None:
        """Fail unless every error input was refused or listed, and every listed one was seen."""
        self._finish(name, differences.ERRORS)

    def _finish(self, name: str, listed: list[Difference]) -> None:
        row = self.rows[name]
        for known in listed:
            if known.of(name) and id(known) not in row.used:
                row.problems.append(f"listed, but no sample is of this kind: {known.reason}")
        problems, row.problems = row.problems, []
        assert not problems, f"{name}: {len(problems)} of {row.samples + row.errors}\n  " + "\n  ".join(problems)


TITLES = {
    "test_torch_ops": "Ops: the samples of PyTorch's `OpInfo`",
    "test_torch_modules": "Modules: the samples of PyTorch's `ModuleInfo`",
    "test_hips_autograd": "HIPS autograd: value, first and second derivative on drawn shapes",
    "test_onnx": "ONNX: random operators RNN, GRU and LSTM, and the node tests of ONNX itself, in float32",
}


def write(tallies: dict[str, Tally]) -> None:
    """Write one table per room, with the versions compared."""
    packages = ("torch", "autograd", "onnx", "onnxruntime", "numpy")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    lines = [
        "# Other people's tests",
        "",
        f"Written by `make test-peers PYTEST_ARGS=--write-table` on {date.today()}, with {versions}.",
        "Everything is equal, or listed with its reason in `differences.py`; the reasons stand here beside the counts.",
    ]
    for room, title in TITLES.items():
        if room in tallies:
            lines += ["", f"## {title}", "", *table(tallies[room].rows)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(rows: dict[str, Row]) -> list[str]:
    """Return the counts of the entries, and their sum in the first line, as a table in Markdown."""
    total = Row(*(sum(getattr(row, column) for row in rows.values()) for column in COUNTS))
    lines = [
        "| | samples | equal | listed | error inputs | refused | listed | reasons |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, row in {f"**all {len(rows)}**": total, **dict(sorted(rows.items()))}.items():
        counts = [row.samples, row.equal, row.samples - row.equal, row.errors, row.refused, row.errors - row.refused]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} | {'; '.join(row.reasons)} |")
    return lines
