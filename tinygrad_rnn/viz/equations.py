"""Ops written as equations: `f * c`, `x[0]`, `sum(y, axis=1)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_rnn.flow import FlowReport

SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "matmul": "@"}


def applied(op: str, inputs: Sequence[str], attrs: Mapping[str, Any] | None = None) -> str:
    """Return the right side of an equation: an op applied to inputs; without attrs it does not tell them.

    >>> applied("add", ["t1_mul", "t1_mul_2"])
    't1_mul + t1_mul_2'
    """
    if op in SYMBOLS and len(inputs) == 2:
        return f"{inputs[0]} {SYMBOLS[op]} {inputs[1]}"
    if op == "getitem":
        return f"{inputs[0]}[{'…' if attrs is None else _index(attrs['index'])}]"
    given = [f"{name}={value}" for name, value in (attrs or {}).items() if value is not False]
    return f"{op}({', '.join([*inputs, *given])})"


def equations(report: FlowReport) -> list[str | None]:
    """Return for every node of a report how it is computed: "t3_c = t3_mul + t3_mul_2"; None for a leaf, or where that
    is not in the report."""
    inputs: list[dict[int, str]] = [{} for _ in report.nodes]
    for edge in report.edges:
        if edge.position is not None:
            inputs[edge.child][edge.position] = report.nodes[edge.parent].name
    found: list[str | None] = []
    for node, given in zip(report.nodes, inputs, strict=True):
        given |= {position: f"{value:g}" for position, value in node.constants}
        read = [given[position] for position in sorted(given)]
        found.append(f"{node.name} = {applied(node.op, read)}" if node.op is not None and read else None)
    return found


def _index(index: tuple[Any, ...]) -> str:
    def part(entry: Any) -> str:
        if not isinstance(entry, slice):
            return "..." if entry is Ellipsis else str(entry)
        ends = ["" if end is None else str(end) for end in (entry.start, entry.stop, entry.step)]
        return ":".join(ends if entry.step not in (None, 1) else ends[:2])

    return ", ".join(part(entry) for entry in index)
