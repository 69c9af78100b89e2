"""What the values of options are: numbers in bounds, cells, tasks, stretches of steps, formats of files."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.optim import parse_optimizer, parse_schedule
from tinygrad_rnn.specs import Spec
from tinygrad_rnn.tasks import parse_task

#: Of pictures.
FORMATS = ("svg", "dot", "png", "pdf", "html")
#: The same of plots.
PLOT_FORMATS = ("svg", "png", "pdf")
#: Beyond this no size makes sense here, and some would be too large to ask the memory for.
LARGEST = 10**7


def _number(convert: Callable[[str], float], wanted: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    def value(text: str) -> float:
        try:
            number = convert(text) if text.isascii() and "_" not in text else math.nan  # Python reads 1_000 and ٣, too
        except ValueError:
            number = math.nan
        if not fits(number):
            shown = text if len(text) <= 40 else f"{text[:40]}..."
            raise argparse.ArgumentTypeError(f"{shown!r} is not {wanted}")
        return number

    return value


positive_int = _number(int, f"a whole number from 1 to {LARGEST}", lambda n: 1 <= n <= LARGEST)
#: So many texts a beam keeps at most, and so many examples are written about: beyond these neither time nor memory do.
beam_width = _number(int, "a whole number from 1 to 1000", lambda n: 1 <= n <= 1000)
few = _number(int, "a whole number from 1 to 10000", lambda n: 1 <= n <= 10_000)
whole_number = _number(int, "a whole number from 0 to 2**63 - 1", lambda n: 0 <= n < 2**63)
share = _number(float, "a number above 0 and at most 1", lambda x: 0 < x <= 1)
share_below_1 = _number(float, "a number from 0 to below 1", lambda x: 0 <= x < 1)
positive_float = _number(float, "a number above 0", lambda x: 0 < x < math.inf)
non_negative_float = _number(float, "a number of at least 0", lambda x: 0 <= x < math.inf)


def _read(parse: Callable[[str], Spec], part: Callable[[Spec], str]) -> Callable[[str], str]:
    """Return what reads a specification, and hands on a part of it."""

    def value(text: str) -> str:
        try:
            return part(parse(text))
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return value


def _text(spec: Spec) -> str:
    return spec.text


def _name(spec: Spec) -> str:
    return spec.name


#: Specifications in their shortest form, like "lstm:forget_bias=3", or only the name that they begin with.
cell, cell_name = _read(parse_cell, _text), _read(parse_cell, _name)
task, optimizer, schedule = (_read(parse, _text) for parse in (parse_task, parse_optimizer, parse_schedule))


def cells(text: str) -> tuple[str, ...]:
    """Return the specifications in a comma-separated list, each once."""
    return tuple(dict.fromkeys(cell(part) for part in text.split(",")))


def zoneout(text: str) -> float | dict[str, float]:
    """Return a share of all states, or the shares of some given as "c=0.5,h=0.05"."""
    if "=" not in text:
        return share_below_1(text)
    shares: dict[str, float] = {}
    for name, _, value in (part.partition("=") for part in text.split(",")):
        if name.strip() in shares:
            raise argparse.ArgumentTypeError(f"{text!r} says {name.strip()} twice")
        shares[name.strip()] = share_below_1(value)
    return shares


def window(text: str) -> tuple[int, int]:
    """Return the bounds of a stretch of steps given as "A:B"."""
    first, colon, last = text.partition(":")
    digits = text.isascii() and first.isdecimal() and last.isdecimal() and len(last) <= len(str(LARGEST))
    if not colon or not digits or len(first) > len(last) or not int(first) < int(last) <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a stretch of steps A:B with A < B, such as 90:100")
    return int(first), int(last)


def steps_or_window(text: str) -> float | tuple[int, int]:
    """Return a number of steps, or the bounds of a stretch of them."""
    return window(text) if ":" in text else positive_int(text)


def formats(text: str, known: tuple[str, ...] = FORMATS) -> tuple[str, ...]:
    """Return the file formats of a comma-separated list, each once."""
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of formats out of {', '.join(known)}")
    return chosen


def plot_formats(text: str) -> tuple[str, ...]:
    """Return the formats of plots in a comma-separated list, each once."""
    return formats(text, PLOT_FORMATS)


def k1_and_k2(text: str) -> tuple[int, int]:
    """Return the two numbers of truncated back-propagation, given as "K1,K2"."""
    first, _, last = text.partition(",")
    found = int(positive_int(first)), int(positive_int(last))
    if found[1] < found[0]:
        raise argparse.ArgumentTypeError(f"{text!r} goes back less than the K1 steps whose losses go back")
    return found
