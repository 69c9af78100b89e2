"""One scale of colours and widths for the size of gradients, the same in every picture, page, plot and map.

It has two sides and three edges. Sizes are compared with a reference, usually the gradient at the last step:

- from 1 down to the threshold it is blue, and takes half of that side, however small the threshold is;
- below the threshold, where a gradient counts as vanished, it is a ghost: pale and grey;
- above 1 it is hot: violet, red at 100, where a gradient counts as exploding and half of that side is used, then black.

All the way lightness falls as the size grows (on dark pages it rises), so the scale reads in grey print and for every
kind of colour vision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import lru_cache

from tinygrad_rnn.flow.records import EXPLODED

#: The decades above and below the reference that have colours of their own; what lies further has the last one.
DECADES = 12
# At equal distances, from 1 to the threshold. In between is the grey on which neither black nor white stands out
# well: the first decade passes it fast.
_KEPT = ("#0f4a8a", "#74b0e4", "#a9cdea")
_GHOST = ("#e1e5ea", "#fafbfc")  # from the threshold to the end
_HOT = ("#57358f", "#6c0818", "#26000a")  # just above 1, at 100, at the end
_KEPT_IN_DARK = ("#5fb0f0", "#2b5f8e", "#1f4265")
_GHOST_IN_DARK = ("#2a313b", "#1d222a")
_HOT_IN_DARK = ("#b79bf0", "#ff9d8a", "#fff0e0")
NONFINITE = "#ffd400"
#: Gradients that have a number, and so a place on the scale.
SIZED = ("exploded", "grown", "finite", "vanished")


@dataclass(frozen=True)
class Look:
    """How a gradient is drawn; `kind` names the reason.

    "finite" is from the threshold to the reference; the others are "vanished", "grown", "exploded" (more than 100
    times the reference), "zero", "underflow", "nonfinite", "not computed" and "not required".
    """

    kind: str
    colour: str
    text: str  # the number in the label; empty if there is none
    width: float  # of an arrow, in points
    place: float = 0.0  # on the scale: 0 is the reference, 1/2 the threshold, 1 the pale end, -1 the hot end
    share: float | None = None  # the size beside the reference
    against: str = ""  # what the reference is, as "h_T"; empty where a gradient is compared with itself

    @property
    def ink(self) -> str:
        """The colour in which text can be read on it."""
        return ink(self.colour)


@dataclass(frozen=True)
class Scale:
    """Where the edges of the scale lie."""

    threshold: float = 0.01  # below this share of the reference a gradient counts as vanished
    decades: int = DECADES

    def look(
        self,
        norm: float | None,
        requires_grad: bool,
        reference: float,
        calm: float = 1.0,
        underflow: bool = False,
        against: str = "",
    ) -> Look:
        """Return how a gradient of this size is drawn, compared with a reference size.

        Args:
            calm: up to so many times the reference counts as no growth, where growth says nothing.
            underflow: whether a zero is only what was too small for the dtype.
            against: what the reference is called.
        """
        if not requires_grad:
            return Look("not required", "#ffffff", "", 0.7)
        if norm is None:
            return Look("not computed", "#ffffff", "not computed", 0.7)
        if not math.isfinite(norm):
            return Look("nonfinite", NONFINITE, "NaN" if math.isnan(norm) else "Inf", 2.0)
        if norm == 0:
            return Look("underflow", _GHOST[-1], "underflow", 0.5) if underflow else Look("zero", "#ffffff", "0", 0.7)
        place = self.place(norm, reference, calm)
        return Look(_kind(place), colour(place), f"{norm:.2g}", _width(place), place, norm / reference, against)

    def place(self, norm: float, reference: float, calm: float = 1.0) -> float:
        """Return where a size above 0 lies on the scale: see `Look.place`."""
        lost = math.log10(reference) - math.log10(norm)
        if norm > calm * reference:
            place = _half(-lost, math.log10(EXPLODED), self.decades)
            return -max(place, 0.5 + _STEP if norm > EXPLODED * reference else _STEP)
        if norm < self.threshold * reference:
            return max(_half(lost, self._edge, self.decades), 0.5 + _STEP)
        return min(max(_half(lost, self._edge, self.decades), 0.0), 0.5)

    def ratio(self, place: float) -> float:
        """Return the size at a place of the scale, compared with the reference."""
        if place < 0:
            return 10.0 ** _distance(-place, math.log10(EXPLODED), self.decades)
        return 10.0 ** -_distance(place, self._edge, self.decades)

    @property
    def _edge(self) -> float:
        """The decades from 1 to the threshold."""
        return -math.log10(self.threshold) if self.threshold > 0 else float(self.decades)

    def legend(self, kinds: Set[str]) -> list[tuple[str, Look]]:
        """Return texts with how they look: the parts of the scale that occur, from the hot end to the pale, then the
        kinds that have no place on it."""
        places: list[float] = []
        if kinds & {"grown", "exploded"}:
            places += [-1.0, -0.5 - _STEP] * ("exploded" in kinds) + [-_STEP]
        if kinds & {*SIZED}:
            places += [0.0, 0.25, 0.5]
        if "vanished" in kinds:
            places += [0.5 + _STEP, 0.75, 1.0]
        rows: dict[str, Look] = {}
        for place in places:
            text = self._text(place)
            rows.setdefault(text, Look(_kind(place), colour(place), text, _width(place), place))
        return [*rows.items(), *((text, look) for text, look in self._others() if look.kind in kinds)]

    def axis(self, kinds: Set[str]) -> list[tuple[float, str]]:
        """Return the places of numbers on the scale and what they are, as far as it occurs, from the hot end."""
        places = [0.0, 0.25, 0.5]
        if kinds & {"grown", "exploded"}:
            places = [-1.0, -0.75, -0.5, *places]
        if "vanished" in kinds:
            places += [0.75, 1.0]
        return [(place, self._text(place)) for place in places]

    def _text(self, place: float) -> str:
        words = {
            -0.5 - _STEP: f"more than {EXPLODED:g}: exploded",
            -_STEP: "more than 1: grown",
            0.5 + _STEP: f"below {self.threshold:g}: vanished",
        }
        return words.get(place) or {-1.0: "≥ ", 1.0: "≤ "}.get(place, "") + short(self.ratio(place))

    def _others(self) -> Iterable[tuple[str, Look]]:
        yield "exactly 0", self.look(0.0, True, 1.0)
        yield "0 by underflow", self.look(0.0, True, 1.0, underflow=True)
        yield "NaN or Inf", self.look(math.nan, True, 1.0)
        yield "not computed", self.look(None, True, 1.0)
        yield "no gradient required", self.look(None, False, 1.0)


def colour(place: float, dark: bool = False) -> str:
    """Return the colour at a place of the scale as "#rrggbb", on a light page or a dark one."""
    if place < 0:
        return _between(_HOT_IN_DARK if dark else _HOT, -place)
    if place <= 0.5:
        return _between(_KEPT_IN_DARK if dark else _KEPT, 2 * place)
    return _between(_GHOST_IN_DARK if dark else _GHOST, 2 * place - 1)


def ink(colour: str) -> str:
    """Return the colour in which text can be read on another."""
    linear = [(c / 255 + 0.055) ** 2.4 / 1.055**2.4 for c in _channels(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.18 else "#ffffff"  # 0.18 contrasts as much with black as with white


def short(number: float) -> str:
    """Return a number as it stands on an axis: 100, 0.1, 1e-7."""
    if 1e-3 <= number <= 1e3:
        return f"{float(f'{number:.2g}'):g}"
    mantissa, _, power = f"{number:.1e}".partition("e")
    return f"{float(mantissa):g}e{int(power)}"


#: How far beside an edge its other side begins.
_STEP = 1e-9


def _kind(place: float) -> str:
    if place < 0:
        return "exploded" if place < -0.5 else "grown"
    return "finite" if place <= 0.5 else "vanished"


def _width(place: float) -> float:
    """Return the width of an arrow: the threshold is a step, and growth is wide."""
    width = 4 - 2.5 * place if place < 0 else 4 - 4.4 * place if place <= 0.5 else 1.4 - 0.9 * place
    return round(width, 2)


def _half(distance: float, edge: float, end: float) -> float:
    """Return a place on one side: half of it reaches to the edge, the other half from there to the end."""
    if distance <= edge:
        return 0.5 * distance / edge if edge else 0.0
    return 0.5 + 0.5 * min((distance - edge) / (end - edge), 1.0) if end > edge else 1.0


def _distance(place: float, edge: float, end: float) -> float:
    """Return the decades at a place of one side; the reverse of `_half`."""
    return 2 * place * edge if place <= 0.5 else edge + (2 * place - 1) * max(end - edge, 0.0)


def _between(anchors: tuple[str, ...], share: float) -> str:
    place = min(max(share, 0.0), 1.0) * (len(anchors) - 1)
    low = min(int(place), len(anchors) - 2)
    part = place - low
    (r, g, b), (r1, g1, b1) = _channels(anchors[low]), _channels(anchors[low + 1])
    return f"#{round(r + (r1 - r) * part):02x}{round(g + (g1 - g) * part):02x}{round(b + (b1 - b) * part):02x}"


@lru_cache(256)
def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
