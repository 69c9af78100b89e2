"""Is a review kind? Adjectives say so, and a "not" some words before turns it round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.tasks.answers import LastClassTask
from tinygrad_rnn.tasks.symbols import names, one_hot, one_of, padded
from tinygrad_rnn.tasks.task import Batch, Criterion, enough_steps

#: What somebody says about the claim that follows; the second half denies it.
_OPENINGS = (("i", "think", "that"), ("they", "say", "that"), ("i", "doubt", "that"), ("nobody", "says", "that"))
_SUBJECTS = ("film", "book", "song", "play", "soup", "hotel")
_VERBS = (("was",), ("seemed",), ("was", "not"), ("was", "never"))
_BETWEEN = ("really", "truly", "by", "all", "means", "in", "the", "end", "so", "very")
_ADJECTIVES = ("good", "lovely", "brilliant", "charming", "bad", "boring", "awful", "dull")
#: Whether the opening and the verb deny: half of the sentences have one negation, and one in twelve has two.
_NEGATIONS = ((0, 0),) * 4 + ((1, 0), (0, 1)) * 2 + ((1, 0), (0, 1), (1, 1), (0, 0))


class SentimentTask(LastClassTask):
    """Is a sentence of a small grammar kind (1) or not (0)? Many to one, with negations at a distance.

    "nobody says that the film was not very truly by means awful ___": each of "doubt", "nobody", "not" and "never"
    turns the adjective's polarity round, so two of them leave it. Words are the symbols, and sentences end at different
    places.

    Args:
        steps: T, the words of the longest sentence; at least 8, as "they say that the film was not good" has.

    Raises:
        InputError: there is no room for a sentence.

    >>> task = SentimentTask(steps=12)
    >>> batch = task.batch(50, seed=0)
    >>> batch.inputs.shape[:2], int(batch.lengths.min()) >= 7, int(batch.lengths.max()) <= 12
    ((12, 50), True, True)
    """

    name = "sentiment"
    output_size = 2
    criterion = Criterion("wrong", at_most=0.02)
    words = tuple(
        dict.fromkeys(
            word
            for group in ((word for part in _OPENINGS + _VERBS for word in part), _SUBJECTS, _BETWEEN, _ADJECTIVES)
            for word in group
        )
    )
    input_size = len(words)
    #: Words without any in between, in the longest form: opening, "the", subject, a verb of two words, adjective.
    least = 3 + 2 + 2 + 1

    def __init__(self, steps: int) -> None:
        self.steps = enough_steps(steps, self.least, f"a sentence with 'was not' has {self.least} words or more")

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return one-hot words (T, B, I), whether they are kind (B,), and lengths (B,). Same seed, same ones."""
        return self._batch(size, seed, dtype, full=False)

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sentences of T words each."""
        return self._batch(size, seed, dtype, full=True)

    def _batch(self, size: int, seed: int | Sequence[int], dtype: Any, full: bool) -> Batch:
        random = np.random.default_rng(seed)
        number = {word: place for place, word in enumerate(self.words)}
        sentences, kind = [], np.zeros(size, dtype=np.int64)
        for example in range(size):
            words, kind[example] = self._sentence(random, full)
            sentences.append([number[word] for word in words])
        numbers, lengths = padded(sentences, self.steps)
        return Batch(one_hot(numbers, self.input_size, dtype), kind, None if full else lengths)

    def _sentence(self, random: np.random.Generator, full: bool) -> tuple[list[str], int]:
        far, near = _NEGATIONS[random.integers(0, len(_NEGATIONS))]
        opening = 2 * far + random.integers(0, 2)
        verb = 2 * near + random.integers(0, 2)
        adjective = random.integers(0, len(_ADJECTIVES))
        said = [*_OPENINGS[opening], "the", one_of(random, _SUBJECTS), *_VERBS[verb]]
        room = self.steps - len(said) - 1
        between = room if full else random.integers(0, room, endpoint=True)
        said += [one_of(random, _BETWEEN) for _ in range(between)]
        said.append(_ADJECTIVES[adjective])
        bad = adjective >= len(_ADJECTIVES) // 2
        return said, 1 - (int(bad) + far + near) % 2

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the words that one example (T, I) reads; "" after its end."""
        return names(x, self.words)
