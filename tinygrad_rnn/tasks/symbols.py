"""Symbols as vectors with a single 1, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

#: Stands for no symbol, after the end of an example: its vector is 0.
NOTHING = -1


def one_hot(numbers: np.ndarray, symbols: int, dtype: Any = "float32") -> np.ndarray:
    """Return numbers of symbols, of any shape, as vectors: 1 at the number, all 0 for `NOTHING`.

    >>> one_hot(np.array([1, NOTHING]), 3).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    rows = np.eye(symbols + 1, symbols, dtype=dtype)  # the last, which -1 finds, is 0
    return np.take(rows, numbers, axis=0)


def padded(sequences: Sequence[Sequence[int]], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of numbers side by side, (T, B), `NOTHING` after their ends, and their lengths (B,), int64.

    >>> numbers, lengths = padded([[4, 5], [6]], steps=3)
    >>> numbers.T.tolist(), lengths.tolist()
    ([[4, 5, -1], [6, -1, -1]], [2, 1])
    """
    numbers = np.full((steps, len(sequences)), NOTHING, dtype=np.int64)
    for example, sequence in enumerate(sequences):
        numbers[: len(sequence), example] = sequence
    return numbers, np.array([len(sequence) for sequence in sequences], dtype=np.int64)


def dealt(random: np.random.Generator, kinds: int, size: int) -> np.ndarray:
    """Return numbers below `kinds`, (B,), in a random order; none comes twice before all have come.

    >>> np.bincount(dealt(np.random.default_rng(0), kinds=4, size=8)).tolist()
    [2, 2, 2, 2]
    """
    rounds = np.tile(np.arange(kinds), (-(-size // kinds), 1))
    return random.permuted(rounds, axis=1).ravel()[:size]


def one_of(random: np.random.Generator, words: Sequence[str]) -> str:
    """Return any of some words."""
    return words[int(random.integers(0, len(words)))]


def names(vectors: np.ndarray, symbols: Sequence[str]) -> list[str]:
    """Return the symbols that vectors (T, I) stand for, "" for nothing.

    >>> names(one_hot(np.array([1, NOTHING]), 3), "abc")
    ['b', '']
    """
    return [symbols[vector.argmax()] if vector.any() else "" for vector in vectors]
