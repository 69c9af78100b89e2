"""Verbs that agree with a subject some words back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.tasks.answers import LastClassTask
from tinygrad_rnn.tasks.symbols import names, one_hot, one_of
from tinygrad_rnn.tasks.task import Batch, Criterion, enough_steps

_SINGULAR = ("key", "dog", "lamp", "sister", "boat", "king", "writer", "cloud")
_PLURAL = tuple(f"{noun}s" for noun in _SINGULAR)
_BETWEEN = ("near", "behind", "above", "beside")
_ADJECTIVES = ("old", "small", "red", "quiet", "tall")
_ADVERBS = ("again", "today", "there", "now")


class AgreementTask(LastClassTask):
    """Is the verb that comes next singular or plural? It agrees with the first noun, and others stand between.

    "the keys near the old lamp behind the dog ___": number agreement across attractors, after Linzen, Dupoux &
    Goldberg (2016), section 2, with sentences from a small grammar instead of a corpus. Words are the symbols.

    Args:
        steps: T, the words from the first noun on, all told; every sentence has as many. At least 2.

    Raises:
        InputError: there are fewer than two words.

    >>> task = AgreementTask(steps=6)
    >>> batch = task.batch(3, seed=0)
    >>> batch.inputs.shape == (6, 3, task.input_size), batch.targets.shape
    (True, (3,))
    """

    name = "agreement"
    output_size = 2
    criterion = Criterion("wrong", at_most=0.02)
    words = ("the", *_SINGULAR, *_PLURAL, *_BETWEEN, *_ADJECTIVES, *_ADVERBS)
    input_size = len(words)

    def __init__(self, steps: int) -> None:
        self.steps = enough_steps(steps, 2, "a sentence needs 'the' and a noun before its verb")

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sentences as one-hot words (T, B, I), and (B,) whether the verb is plural. Same seed, same ones."""
        random = np.random.default_rng(seed)
        number = {word: place for place, word in enumerate(self.words)}
        plural = random.integers(0, 2, size)
        sentences = []
        for many in plural:
            said = ["the", one_of(random, _PLURAL if many else _SINGULAR)]
            while len(said) < self.steps:
                said += self._phrase(random, self.steps - len(said))
            sentences.append([number[word] for word in said])
        return Batch(one_hot(np.array(sentences).T, self.input_size, dtype), plural)

    def _phrase(self, random: np.random.Generator, room: int) -> list[str]:
        """Return "near the old dogs": a preposition, an article, perhaps an adjective, a noun; adverbs at the end."""
        if room < 3:
            return [one_of(random, _ADVERBS) for _ in range(room)]
        adjective = [one_of(random, _ADJECTIVES)] if room != 3 and random.integers(0, 2) else []
        noun = one_of(random, _PLURAL if random.integers(0, 2) else _SINGULAR)
        return [one_of(random, _BETWEEN), "the", *adjective, noun]

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the words that one example (T, I) reads."""
        return names(x, self.words)
