"""Characters as numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tinygrad_rnn.errors import InputError

#: Stands for every character that is not in a vocabulary which had to leave some out (U+FFFD, as decoders write it).
REPLACEMENT = "\ufffd"


class Vocabulary:
    """The characters a model knows, in the order of their numbers.

    Raises:
        InputError: there is no character, or one comes twice.

    >>> vocabulary = Vocabulary.of("hello")
    >>> vocabulary.characters
    'ehlo'
    >>> vocabulary.encode("hole").tolist()
    [1, 3, 2, 0]
    >>> vocabulary.decode([1, 0])
    'he'
    """

    #: One-hot inputs and a softmax over every character ever seen get slow; this is enough for alphabets.
    LARGEST = 512

    def __init__(self, characters: str) -> None:
        if len(set(characters)) != len(characters) or not characters:
            raise InputError("a vocabulary needs at least one character, and each of them once")
        self.characters = characters
        self._number = {character: number for number, character in enumerate(characters)}

    @classmethod
    def of(cls, text: str, largest: int = LARGEST) -> Vocabulary:
        """Return the characters of a text, sorted; beyond `largest` the rare ones share the number of U+FFFD."""
        counts = Counter(text)
        if len(counts) > largest:
            counts.pop(REPLACEMENT, None)
            kept = sorted(counts, key=lambda character: (-counts[character], character))[: largest - 1]
            return cls("".join(sorted([*kept, REPLACEMENT])))
        return cls("".join(sorted(counts)))

    def __len__(self) -> int:
        return len(self.characters)

    @property
    def replaces(self) -> bool:
        """Whether characters outside are read as U+FFFD instead of refused."""
        return REPLACEMENT in self._number

    def encode(self, text: str) -> np.ndarray:
        """Return the number of every character, int64; InputError names those that are not in the vocabulary."""
        unknown = sorted(set(text) - self._number.keys())
        if unknown and not self.replaces:
            shown = ", ".join(repr(character) for character in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
            raise InputError(f"the model was trained on a text without {shown}; leave them out")
        other = self._number.get(REPLACEMENT, -1)
        return np.array([self._number.get(character, other) for character in text], dtype=np.int64)

    def decode(self, numbers: np.ndarray | list[int]) -> str:
        """Return the text of a sequence of numbers."""
        return "".join(self.characters[number] for number in numbers)
