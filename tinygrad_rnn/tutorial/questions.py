"""What a tutorial asks: a number or one of several options, how a reader's answer is read, and whether it fits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinygrad_rnn.errors import InputError

__all__ = ["Question", "shown_number"]

#: How far a number may be from the answer, relative to it, unless the question says.
TOLERANCE = "0.02"


@dataclass(frozen=True)
class Question:
    """A question of a tutorial.

    Attributes:
        kind: "number" or "choice".
        answer: a Python expression of the tutorial's names; for a choice it gives the option's place, from 1.
        tolerance: how far a number may be from the answer.
        absolute: whether that is a distance, or else a share of the answer.
        options: what can be chosen.
    """

    kind: str
    answer: str
    tolerance: float = 0.0
    absolute: bool = False
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, attributes: Mapping[str, str]) -> Question:
        """Return the question that the header of a cell describes.

        Args:
            attributes: question, answer, and tolerance ("0.02", a share of the answer, or "0.5abs") or options
                ("a | b").

        Raises:
            InputError: something is missing, or cannot be read.

        >>> Question.of({"question": "choice", "answer": "2", "options": "it grows | it shrinks"}).options
        ('it grows', 'it shrinks')
        """
        kind, answer = attributes["question"], attributes.get("answer", "")
        if kind not in ("number", "choice"):
            raise InputError(f'question="{kind}" is not known; write question="number" or question="choice"')
        try:
            compile(answer.strip(), "answer", "eval")
        except SyntaxError as error:
            raise InputError(f'answer="{answer}" is no Python expression ({error.msg})') from None
        options = tuple(part.strip() for part in attributes.get("options", "").split("|") if part.strip())
        if (kind == "choice") != (len(options) > 1):
            raise InputError('question="choice" needs options="this | that", two or more; a number has none')
        text = attributes.get("tolerance", TOLERANCE)
        try:
            tolerance = float(text.removesuffix("abs"))
        except ValueError:
            raise InputError(f'tolerance="{text}" is not understood; write "0.02" (a share) or "0.5abs"') from None
        return cls(kind, answer.strip(), tolerance, text.endswith("abs"), options)

    @property
    def mark(self) -> str:
        """What tells whether a guess was about this question, in whatever language it was asked."""
        return f"{self.kind} {len(self.options)} {self.answer}"

    def read(self, text: str) -> float | None:
        """Return what a reader typed as a number: "0.25", "25%", "1/4", or the place of an option; None if it is none.

        >>> Question("number", "1").read("1/4")
        0.25
        """
        number = _number(text)
        if number is None or (self.kind == "choice" and number not in range(1, len(self.options) + 1)):
            return None
        return number

    def result(self, names: dict[str, Any]) -> float:
        """Return the answer, computed with the names of the tutorial.

        Raises:
            InputError: it is no number, or no option's place.
        """
        found = eval(compile(self.answer, "<answer>", "eval", dont_inherit=True), names)
        found = found.item() if hasattr(found, "item") else found
        if not isinstance(found, int | float):
            raise InputError(f'answer="{self.answer}" gave {type(found).__name__}; it must give a number')
        if self.kind == "choice" and found not in range(1, len(self.options) + 1):
            raise InputError(f'answer="{self.answer}" gave {found}; there are options 1 to {len(self.options)}')
        return float(found)

    def fits(self, guess: float, result: float) -> bool:
        """Return whether a guess is the answer, as closely as the question wants it."""
        if self.kind == "choice":
            return guess == result
        allowed = self.tolerance if self.absolute else self.tolerance * abs(result)
        return abs(guess - result) <= allowed + 1e-12 * abs(result)

    def shown(self, value: float) -> str:
        """Return a guess or an answer as people read it."""
        return self.options[round(value) - 1] if self.kind == "choice" else shown_number(value)


def shown_number(value: float) -> str:
    """Return a number in a few digits.

    >>> shown_number(28.0), shown_number(1 / 3), shown_number(1.42724e-05)
    ('28', '0.3333', '1.427e-05')
    """
    return f"{value:.0f}" if value == round(value, 0) and abs(value) < 1e7 else f"{value:.4g}"


def _number(text: str) -> float | None:
    text = text.strip().replace("−", "-")
    share = text.endswith(("%", "％"))  # noqa: RUF001  (as a Chinese keyboard has it)
    above, slash, below = text.rstrip("%％ ").partition("/")  # noqa: RUF001
    try:
        number = float(above) / (float(below) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        return None
    return (number / 100 if share else number) if math.isfinite(number) else None
