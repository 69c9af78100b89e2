"""The one list of what differs from the other libraries, each with its reason.

A sample that differs and is not listed fails, and so does a listed one that does not differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Sample:
    """One call: how an op is called, or a module made (`made_with`) and then called."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    made_with: dict[str, Any]

    @property
    def x(self) -> Any:
        """The first argument."""
        return self.args[0] if self.args else None


@dataclass(frozen=True)
class Difference:
    """Which samples of which entries differ, and how.

    `where` says which samples, and `seen` is part of what a comparison then reports, so that nothing else hides behind
    it. By chance: some of these samples may be equal.
    """

    entries: str
    where: Callable[[Sample], bool]
    seen: str
    reason: str
    by_chance: bool = False

    def of(self, entry: str) -> bool:
        """Return whether it speaks of an entry."""
        return entry in self.entries.split()


def always(sample: Sample) -> bool:
    """Every sample."""
    return True


def given(*names: str) -> Callable[[Sample], bool]:
    """Return a condition: one of the keyword arguments is given."""
    return lambda sample: any(name in sample.kwargs for name in names)


def on_a_number(sample: Sample) -> bool:
    """The first argument is a plain number."""
    return isinstance(sample.x, int | float)


def by_a_number(sample: Sample) -> bool:
    """The second argument is a plain number, the first is a tensor."""
    return not on_a_number(sample) and len(sample.args) > 1 and isinstance(sample.args[1], int | float)


def number_and_tensor(sample: Sample) -> bool:
    """The first argument is a plain number, the second is a tensor."""
    return on_a_number(sample) and isinstance(sample.args[1], torch.Tensor)


def away(sample: Sample) -> bool:
    """The steps lead away from the end."""
    start, stop, step = (*sample.args, 1)[:3]
    return (stop - start) * step < 0


def order(sample: Sample) -> Any:
    """The order of a norm."""
    return sample.args[1] if len(sample.args) > 1 else sample.kwargs.get("p", 2)


COMPARISONS = "eq ne lt le gt ge"
SWAPPED = "__radd__ __rsub__ __rmul__ __rdiv__ __rpow__"

#: Samples whose results differ.
RESULTS = [
    # ---- decided: another result than torch's -----------------------------------------------------------------------
    Difference(
        "max.reduction_with_dim min.reduction_with_dim",
        always,
        "1 outputs instead of 2",
        "values only; their positions: argmax, argmin",
    ),
    Difference("floor sign", always, "does not require grad", "its derivative is 0 everywhere, so it leaves the graph"),
    Difference(
        "nn.functional.hardsigmoid",
        lambda sample: sample.x.ndim > 0 and sample.x.size(0) > 1,
        "gradient 0",
        "torch's derivative in float64 is 1/6 rounded to float32",
        by_chance=True,
    ),
    Difference("nn.functional.one_hot", always, "dtype float32 instead of int64", "float32 unless asked otherwise"),
    Difference("int", lambda sample: not sample.kwargs, "dtype int64", "int64 is the only integer dtype"),
    Difference(
        "randn nn.functional.dropout",
        lambda sample: isinstance(sample.x, tuple) or sample.kwargs in ({}, {"p": 0.5, "training": True}),
        "values: ",
        "random numbers come from this library's own generator",
        by_chance=True,
    ),
    # ---- left out: there is another way to write it -----------------------------------------------------------------
    Difference("add sub", given("alpha"), "keyword", "no alpha: write x + 2 * y"),
    Difference("div.trunc_rounding div.floor_rounding", always, "keyword", "no rounding_mode: write (x / y).floor()"),
    Difference(
        "norm norm.nuc norm.inf",
        lambda sample: order(sample) not in (2, 1, float("inf"), "fro", None),
        "InputError: norm: the order",
        "norms of order 2, 1 and infinity",
    ),
    Difference(
        "cat", lambda sample: len({x.ndim for x in sample.x}) > 1, "ShapeError", "all tensors need the same axes"
    ),
    Difference("index_select", lambda sample: sample.x.ndim == 0, "ShapeError", "a number has no axis to select from"),
    Difference(
        "to bool double float int long", given("memory_format"), "keyword", "no copy, non_blocking, memory_format"
    ),
    Difference("Linear", given("input"), "keyword", "the input is called x"),
]

#: Error inputs that are not refused by an error of this library.
ERRORS = [
    Difference(f"{COMPARISONS} {SWAPPED}", on_a_number, "not refused", "2 < x is Python's, also in torch"),
    Difference("maximum minimum max.binary min.binary", number_and_tensor, "not refused", "a number is a fine operand"),
    Difference("maximum minimum clamp_min clamp_max", by_a_number, "not refused", "a number is a fine operand"),
    Difference("heaviside", by_a_number, "not refused", "the value at 0 may be a number"),
    Difference("arange", away, "not refused", "empty, as Python's range and NumPy's arange"),
    Difference("mean", lambda sample: sample.x.dtype == torch.int64, "not refused", "integers have a mean, a float"),
    Difference(
        "masked_fill",
        lambda sample: isinstance(sample.args[2], torch.Tensor) and sample.args[2].ndim > 0,
        "not refused",
        "a value of several elements broadcasts, as in where",
    ),
    Difference("arange take index_select cat amax amin", given("out"), "keyword", "no out: an op returns a new tensor"),
    Difference("amax amin", lambda sample: sample.x.ndim > 64, "ValueError", "NumPy's arrays have at most 64 axes"),
]
