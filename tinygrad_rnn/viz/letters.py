"""How large letters are in pictures, and how much room they take."""

from __future__ import annotations

from tinygrad_rnn.viz.languages import letter_width

#: Sizes in points.
FONT = 11.0
SMALL = 10.0  # of what is written on arrows
LINE = 13.0  # from line to line
CHARACTER = 0.56  # the width of a letter of Helvetica, of its size


def text_width(text: str, size: float = FONT) -> float:
    """Return about how wide a line of text is, in points."""
    return letter_width(text) * CHARACTER * size
