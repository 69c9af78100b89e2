"""Character-level language modelling: given the text so far, which character is next?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.vocabulary import Vocabulary


class TextTask:
    """Windows of a text as one-hot vectors, with the next character as the target at every step.

    Args:
        text: what to draw windows from; longer than `steps`.
        steps: T, the characters in a window.
        vocabulary: the characters to tell apart; those of the text unless given.

    Raises:
        InputError: the text has fewer than T + 1 characters.

    >>> task = TextTask("to be or not to be", steps=4)
    >>> inputs, targets = task.batch(2, seed=0)
    >>> inputs.shape, targets.shape
    ((4, 2, 7), (4, 2))
    """

    name = "text"
    unit = "nats/char"

    def __init__(self, text: str, steps: int, vocabulary: Vocabulary | None = None) -> None:
        if len(text) < steps + 1:
            raise InputError(
                f"the text has {len(text)} characters; {steps} steps need at least {steps + 1}, as the target of each "
                "step is the next character: take a longer text, or fewer --steps"
            )
        self.steps = steps
        self.vocabulary = vocabulary or Vocabulary.of(text)
        self.input_size = self.output_size = len(self.vocabulary)
        self._tokens = self.vocabulary.encode(text)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> tuple[np.ndarray, np.ndarray]:
        """Return windows at random places: one-hot inputs (T, B, V), next characters (T, B) int64.

        The same seed gives the same windows.
        """
        last = len(self._tokens) - self.steps - 1
        starts = np.random.default_rng(seed).integers(0, last, size=size, endpoint=True)
        windows = self._tokens[np.arange(self.steps + 1)[:, None] + starts]
        return self.one_hot(windows[:-1], dtype), windows[1:]

    def one_hot(self, numbers: np.ndarray, dtype: Any = "float32") -> np.ndarray:
        """Return numbers of any shape as vectors with a single 1."""
        return np.eye(len(self.vocabulary), dtype=dtype)[numbers]

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the characters that one example (T, V) reads."""
        return list(self.vocabulary.decode(x.argmax(axis=-1)))

    def loss(self, outputs: Tensor, targets: np.ndarray | Tensor) -> Tensor:
        """Return what training minimises: the mean cross entropy over all steps, outputs (T, B, V)."""
        return F.cross_entropy(outputs.reshape(-1, self.output_size), tensor(targets.reshape(-1)))

    def last_losses(self, output: Tensor, targets: np.ndarray | Tensor) -> Tensor:
        """Return each example's cross entropy at the last step, from the output (B, V) there."""
        return self.losses_at(-1, output, targets)

    def losses_at(self, step: int, output: Tensor, targets: np.ndarray | Tensor) -> Tensor:
        """Return each example's cross entropy at a step, from the output (B, V) there."""
        return F.cross_entropy(output, tensor(targets[step]), reduction="none")
