"""Which of the colours of lines a cell has, and which a gate or a path: the same on every page and in every plot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

#: Cells that most pages show; the others get the numbers after these, as they come.
_KNOWN = {"rnn": 0, "lstm": 1, "gru": 2}
#: The gates of most cells and the paths from step to step: they have colours of their own, apart from those of cells.
#: What stands in one panel differs in its dashes too, of which there are eight.
_PARTS = {
    "straight": 0, "round": 1, "i": 2, "f": 3, "g": 4, "o": 5, "r": 6, "z": 7, "tanh′": 8, "W_hh": 9, "n": 10,
    "relu′": 11,
}  # fmt: skip


def hues(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each name, by the cell it begins with: "LSTM (forget bias 3)", "gru, 250 updates".

    >>> from tinygrad_rnn.viz.hues import hues
    >>> hues(["gru", "irnn", "LSTM"]), hues(["LSTM", "gru, 3 updates"])
    ({'gru': 2, 'irnn': 3, 'LSTM': 1}, {'LSTM': 1, 'gru, 3 updates': 2})
    """
    found: dict[str, int] = {}
    free = count(len(_KNOWN))
    for name in names:
        if name not in found:
            number = _KNOWN.get(re.split(r"\W", name.lower())[0])
            found[name] = next(free) if number is None or number in found.values() else number
    return found


def part_hues(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each gate, path or op: the same wherever it is drawn.

    >>> from tinygrad_rnn.viz.hues import part_hues
    >>> part_hues(["f", "straight", "mine"])
    {'f': 3, 'straight': 0, 'mine': 12}
    """
    free = count(len(_PARTS))
    return {name: _PARTS[name] if name in _PARTS else next(free) for name in dict.fromkeys(names)}
