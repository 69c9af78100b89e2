"""One scale of colours and widths for the size of gradients, shared by every picture.

Colours run from dark (as large as the reference) to pale (1e-12 of it, or less): the lightness alone tells, so they
read in grey print and for every kind of colour vision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinygrad_rnn.flow.records import EXPLODED

#: The decades below the reference that have colours of their own; what is smaller has the last one.
DECADES = 12
#: At equal distances over the decades.
_ANCHORS = ("#081d58", "#225ea8", "#1d91c0", "#41b6c4", "#7fcdbb", "#bde3a8", "#e3ec9a")


@dataclass(frozen=True)
class Look:
    """How a gradient is drawn; `kind` names the reason."""

    kind: str  # "finite", "exploded", "zero", "nonfinite", "not computed" or "not required"
    colour: str
    text: str  # the number in the label; empty if there is none
    width: float  # of an arrow, in points

    @property
    def ink(self) -> str:
        """The colour in which text can be read on it."""
        linear = [(c / 255 + 0.055) ** 2.4 / 1.055**2.4 for c in _channels(self.colour)]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        return "#000000" if luminance > 0.18 else "#ffffff"  # 0.18 contrasts as much with black as with white


def look(norm: float | None, requires_grad: bool, reference: float, decades: int = DECADES) -> Look:
    """Return how a gradient of this size is drawn, compared with a reference size, on a scale of so many decades."""
    if not requires_grad:
        return Look("not required", "#ffffff", "", 0.7)
    if norm is None:
        return Look("not computed", "#ffffff", "not computed", 0.7)
    if not math.isfinite(norm):
        return Look("nonfinite", "#c1121f", "NaN" if math.isnan(norm) else "Inf", 3.0)
    if norm == 0:
        return Look("zero", "#ffffff", "0", 0.7)
    ratio = norm / reference
    lost = -math.log10(ratio) if 0 < ratio < math.inf else (-decades if norm > reference else decades)
    share = min(max(lost, 0.0), decades) / decades
    return Look("exploded" if ratio > EXPLODED else "finite", colour(share), f"{norm:.2g}", round(4 - 3.4 * share, 2))


def colour(share: float) -> str:
    """Return the colour at a place of the scale, from 0 (the reference, or more) to 1 (its end), as "#rrggbb"."""
    place = min(max(share, 0.0), 1.0) * (len(_ANCHORS) - 1)
    low = min(int(place), len(_ANCHORS) - 2)
    pairs = zip(_channels(_ANCHORS[low]), _channels(_ANCHORS[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (place - low)):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
