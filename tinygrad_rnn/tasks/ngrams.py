"""What counting reaches: the next character from how often it followed the last few, with no network at all."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from tinygrad_rnn.errors import InputError

__all__ = ["NGrams"]


class NGrams:
    """The baseline of a character model: counts of what followed the last 0, 1, ... characters of a text, interpolated.

    With c(x) how often a character came after a context, n all that came and d how many different ones, the estimate
    of a context leans on that of the context without its first character, the more the less is known:

        p(x | context) = (c(x) + d p(x | shorter context)) / (n + d)

    (Witten & Bell 1991, method C). The shortest context is none at all, and below it all characters are as likely.

    Args:
        text: what is counted.
        order: the characters of the longest context.
        characters: how many different ones there may be; those of the text unless given.

    Raises:
        InputError: an order below 0, or an empty text.

    >>> model = NGrams("abababab", order=1)
    >>> round(model.probability("a", "b"), 3), round(model.probability("a", "a"), 3)
    (0.9, 0.1)
    """

    def __init__(self, text: str, order: int, characters: int | None = None) -> None:
        if order < 0 or not text:
            raise InputError(
                f"n-grams of order {order} of a text of {len(text)} characters: take 0 or more of some text"
            )
        self.order = order
        self.characters = characters or len(set(text))
        self._after: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(order + 1)]
        for length, after in enumerate(self._after):
            for place in range(length, len(text)):
                after[text[place - length : place]][text[place]] += 1
        self._totals = [{context: found.total() for context, found in after.items()} for after in self._after]

    def probability(self, context: str, character: str) -> float:
        """Return how likely a character is after a context, of which the last characters count."""
        found = 1 / self.characters
        for length in range(min(self.order, len(context)) + 1):
            last = context[len(context) - length :]
            total = self._totals[length].get(last)
            if total is None:
                break  # nor has any longer context been seen
            seen = self._after[length][last]
            found = (seen[character] + len(seen) * found) / (total + len(seen))
        return found

    def bits(self, text: str) -> float:
        """Return the bits per character of a text: the mean of -log2 of what the characters were given."""
        total = 0.0
        for place, character in enumerate(text):
            total -= math.log2(self.probability(text[max(0, place - self.order) : place], character))
        return total / len(text)
