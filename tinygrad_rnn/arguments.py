"""Numbers that people hand over as sizes, rates and options: checked, and made plain Python numbers.

NumPy's numbers, and arrays and tensors without axes, are numbers too. Texts and bools are none where a number is due.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from numbers import Real
from typing import Any

from tinygrad_rnn.errors import InputError

__all__ = ["flag", "fraction", "not_negative", "number", "one_of", "suggestion", "whole"]

#: Longer values are shown by their type.
LONGEST_SHOWN = 60


def number(
    name: str, value: Any, wanted: str = "a finite number", fits: Callable[[float], bool] = math.isfinite
) -> float:
    """Return an option as a float.

    Args:
        name: what it is called in the error.
        value: what was given.
        wanted: what it must be, in words.
        fits: whether a number is that.

    Raises:
        InputError: it is no number, or does not fit.

    >>> import numpy as np
    >>> from tinygrad_rnn import arguments
    >>> arguments.number("gain", np.int64(2))
    2.0
    """
    found = value if type(value) is float else _plain(value, float)
    if found is None or not fits(found):
        raise InputError(f"{name} must be {wanted}, not {_shown(value)}")
    return found


def not_negative(name: str, value: Any) -> float:
    """Return an option that must be finite and at least 0 as a float; InputError otherwise."""
    return number(name, value, "a number >= 0", lambda found: 0 <= found < math.inf)


def fraction(name: str, value: Any) -> float:
    """Return an option that must be in [0, 1) as a float; InputError otherwise."""
    return number(name, value, "at least 0 and below 1", lambda found: 0 <= found < 1)


def whole(name: str, value: Any, least: float = 1) -> int:
    """Return a size or a count as an int; InputError if it is no whole number or below the least.

    A least of -inf is for numbers of axes, which may be counted from the end.

    >>> import numpy as np
    >>> from tinygrad_rnn import arguments
    >>> arguments.whole("hidden_size", np.int64(8))
    8
    >>> arguments.whole("hidden_size", 8.0)
    Traceback (most recent call last):
    tinygrad_rnn.errors.InputError: hidden_size must be a positive whole number, not 8.0
    """
    found = _plain(value, operator.index)
    if found is None or found < least:
        wanted = "a positive whole number" if least == 1 else f"a whole number >= {least}"
        wanted = wanted.removesuffix(" >= -inf")
        raise InputError(f"{name} must be {wanted}, not {_shown(value)}")
    return found


def flag(name: str, value: Any) -> bool:
    """Return an option that is on or off as a bool; InputError unless it is True or False, as in PyTorch."""
    if isinstance(value, bool):
        return value
    if getattr(value, "dtype", None) != "bool" or value.ndim:
        raise InputError(f"{name} must be True or False, not {_shown(value)}")
    return bool(value)


def one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    """Return an option that is one of some words; InputError otherwise.

    >>> from tinygrad_rnn import arguments
    >>> arguments.one_of("reset", "after", ("after", "before"))
    'after'
    """
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, not {_shown(value)}{suggestion(value, known)}")
    return value


def suggestion(value: Any, known: Iterable[str], most: int = 1) -> str:
    """Return "; did you mean ...?" with what there is that looks most like a word; "" where nothing does.

    >>> from tinygrad_rnn import arguments
    >>> arguments.suggestion("lsmt", ["GRU", "LSTM"])
    '; did you mean LSTM?'
    """
    names = {each.lower(): each for each in known}
    near = get_close_matches(str(value).lower(), names, most)
    return f"; did you mean {' or '.join(names[each] for each in near)}?" if near else ""


def _plain(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Return a number of any kind converted, or None if it is none."""
    dtype = getattr(value, "dtype", None)
    if isinstance(value, bool) or not (
        isinstance(value, Real) if dtype is None else getattr(dtype, "kind", "") in ("f", "i", "u") and not value.ndim
    ):
        return None
    try:
        return convert(value)
    except (TypeError, OverflowError):  # a float where an int is due; an int beyond all floats
        return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({type(value).__name__})"
