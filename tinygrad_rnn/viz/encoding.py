"""How numbers and looks are written into the data of a page: few digits, and colours by their place on the scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tinygrad_rnn.viz.scale import SIZED, Look, colour, ink
from tinygrad_rnn.viz.styles import recoloured

#: How many colours each side of the scale is divided into; even, so that its edges fall between two.
SHADES = 120


def colours(printed: bool = False) -> list[list[str]]:
    """Return colours from the hot end to the pale one: fill and ink on light pages (or paper), then on dark ones."""
    fills = []
    for place in range(-SHADES, SHADES + 1):
        light = colour(place / SHADES)
        fills.append((recoloured(light, "print") if printed else light, colour(place / SHADES, dark=True)))
    return [[shade for fill in pair for shade in (fill, ink(fill))] for pair in fills]


def shade(look: Look) -> int:
    """Return the number of the colour of something that has a place on the scale, on its side of the edges."""
    number = round(SHADES * look.place)
    if look.kind in ("grown", "exploded"):
        return SHADES + min(number, -SHADES // 2 - 1 if look.kind == "exploded" else -1)
    return SHADES + (max(number, SHADES // 2 + 1) if look.kind == "vanished" else number)


def seen(look: Look, norm: float | None) -> dict[str, Any]:
    """Return how a gradient is drawn; "shade" is its place among the colours, "share" its size as they show it."""
    found: dict[str, Any] = {"look": look.kind}
    if look.kind in SIZED:
        found |= {"norm": number(norm, 9), "shade": shade(look)}
        if look.against not in ("", "L"):
            found |= {"share": number(look.share, 9), "against": look.against}
    elif look.kind in ("zero", "underflow"):
        found["norm"] = 0
    elif look.kind == "nonfinite":
        found["text"] = look.text
    return found


def spot(number: float) -> float:
    """Return a coordinate."""
    return round(float(number), 1)


def numbers(values: Iterable[float], digits: int) -> list[float | None]:
    """Return numbers with so many digits."""
    return [number(float(value), digits) for value in values]


def number(value: float | None, digits: int) -> float | None:
    """Return a number with so many digits; None if it is not finite, which JSON cannot hold."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}")
