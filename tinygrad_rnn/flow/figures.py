"""How numbers and ops are written in sentences."""

from __future__ import annotations

import math

#: What ops are called as factors of a gradient.
OPERATIONS = {"tanh": "tanh′", "relu": "relu′", "sigmoid": "sigmoid′", "matmul": "W_hh"}


def number(value: float | None) -> str:
    """Return a number in few digits, or what it is instead."""
    if value is None:
        return "unknown"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinite"
    if value == 0:
        return "0"  # and not "-0"
    return f"{value:.3g}" if 0.001 <= abs(value) < 1000 else f"{value:.1e}"


def percent(share: float) -> str:
    """Return a share of what arrives: a negative one points against the sum."""
    return f"{share:.0%}".replace("-", "−")


def plural(count: int, noun: str) -> str:
    """Return "1 step" or "2 steps"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
