"""Which of the colours of lines a cell has: the same on every page and in every plot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

#: Cells that most pages show; the others get the numbers after these, as they come.
_KNOWN = {"rnn": 0, "lstm": 1, "gru": 2}


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
