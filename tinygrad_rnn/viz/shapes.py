"""What a picture is made of: boxes, arrows and frames. `picture.py` chooses them, `layout.py` gives them places."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.viz.scale import SIZED, Look, Scale

Point = tuple[float, float]

#: The width in points of an arrow that brings all that arrives at its tail; others are narrower by their share.
WHOLE = 5.0
#: Of arrows whose share is not known.
UNKNOWN = 1.2
#: Narrower arrows would not be seen; wider ones, where others point against them, would hide what lies beside.
NARROWEST, WIDEST = 0.4, 1.5 * WHOLE
#: A share below is drawn as negative; closer to zero its sign may be that of a rounding error.
AGAINST = -0.005


@dataclass(slots=True)
class Box:
    """A node of the graph, or what stands for several.

    Coordinates are in points, y grows downwards; (x, y) is the centre.
    """

    name: str  # unique
    kind: str  # "op", "state", "gate", "parameter", "total", "copy", "input", "loss" or "fold"
    node: int | None  # its position in the report; None for a fold
    step: int | None  # of time; None outside, and for a fold
    caption: str
    lines: tuple[str, ...]
    norm: float | None
    seen: Look
    tooltip: str
    row: str | None = None  # boxes of different steps with the same row play the same part
    lane: str = ""  # layer and direction, if there are several
    level: float | None = None  # how full it is drawn, 0 to 1: the mean value of a gate, where that is known
    order: float = 0.0  # when it is computed
    fold: tuple[int, int] | None = None  # the first and the last step that a fold stands for
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def filled(self) -> bool:
        """Whether it is drawn as full as a gate is open; that a gradient is not finite must not be hidden by it."""
        return self.level is not None and self.seen.kind != "nonfinite"

    @property
    def requires_grad(self) -> bool:
        """Whether there is a gradient at all."""
        return self.seen.kind != "not required"


@dataclass(slots=True)
class Arrow:
    """A value on its way to where it is read; its size is that of the message that comes back, its width that share.

    `points` are the control points of a Bezier curve from tail to head: the first, then three per piece.
    """

    tail: str
    head: str
    norm: float | None
    seen: Look
    tooltip: str
    share: float | None = None  # of what arrives at the tail; None if it is not known
    text: str = ""  # the factor by which it changes the gradient that it comes from
    loop: bool = False  # leads from one step into the next of the same drawn cell
    tail_row: str | None = None  # where it leaves a fold
    head_row: str | None = None  # and where it enters one
    points: tuple[Point, ...] = ()
    text_at: Point = (0.0, 0.0)

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can come back along it."""
        return self.seen.kind != "not required"

    @property
    def width(self) -> float:
        """In points, linear in the share."""
        if self.seen.kind not in SIZED:
            return self.seen.width
        if self.share is None:
            return UNKNOWN
        return round(min(max(WHOLE * abs(self.share), NARROWEST), WIDEST), 2)

    @property
    def against(self) -> bool:
        """Whether it points against the sum of all that arrives."""
        return self.seen.kind in SIZED and self.share is not None and self.share < AGAINST


@dataclass
class Frame:
    """A rectangle around boxes that belong together; (x, y) is its upper left corner."""

    name: str
    label: str
    step: int | None
    boxes: list[str]
    inner: bool = False  # lies inside the frame of its step
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclass
class Flag:
    """A mark above a step, with a pole down to its frame: where the gradient vanishes or explodes."""

    text: str
    step: int
    x: float = 0.0
    y: float = 0.0  # of the text's centre; the pole ends at `foot`
    foot: float = 0.0


@dataclass
class Picture:
    """A report as a picture, laid out; `timed` tells whether it has an axis of time."""

    report: FlowReport
    level: str
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    timed: bool = False
    scale: Scale = field(default_factory=Scale)
    width: float = 0.0
    height: float = 0.0

    @property
    def kinds(self) -> set[str]:
        """The kinds of looks that occur; see `Look`."""
        boxes = {box.seen.kind for box in self.boxes if box.kind != "fold"}
        return boxes | {arrow.seen.kind for arrow in self.arrows}

    @property
    def has_levels(self) -> bool:
        """Whether gates are drawn as full as they are open."""
        return any(box.filled for box in self.boxes)

    @property
    def has_shares(self) -> bool:
        """Whether widths of arrows tell something: where one alone brings all, all are as wide."""
        shares = [arrow.share for arrow in self.arrows if arrow.share is not None and arrow.seen.kind in SIZED]
        return not all(math.isclose(share, 1) for share in shares)

    @property
    def has_parameters(self) -> bool:
        """Whether there are boxes of parameters."""
        return any(box.kind in ("parameter", "total") for box in self.boxes)
