"""Character-level language modelling: given the text so far, which character is next?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.task import Batch, Task
from tinygrad_rnn.tasks.vocabulary import Vocabulary

__all__ = ["TextTask", "split"]

#: The share of a text, at its end, that is not learned but evaluated on.
HELD_OUT = 0.1


class TextTask(Task):
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
    #: What a model that learned it writes unless told otherwise: it begins with the first of these that it knows, ...
    begins: ClassVar[tuple[str, ...]] = ("The ", "\n", " ")
    #: ... and goes on for so many characters.
    goes_on: ClassVar[int] = 300

    def __init__(self, text: str, steps: int, vocabulary: Vocabulary | None = None) -> None:
        if len(text) < steps + 1:
            raise InputError(
                f"the text has {len(text)} characters; {steps} steps need at least {steps + 1}, as the target of each "
                "step is the next character: take a longer text, or fewer --steps"
            )
        self.steps, self.text = steps, text
        self.vocabulary = vocabulary or Vocabulary.of(text)
        self.input_size = self.output_size = len(self.vocabulary)
        self._tokens = self.vocabulary.encode(text)

    @property
    def data_size(self) -> int:
        """How many windows cover the text once."""
        return -(-(len(self.text) - 1) // self.steps)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return windows at random places: one-hot inputs (T, B, V), next characters (T, B) int64.

        The same seed gives the same windows.
        """
        last = len(self._tokens) - self.steps - 1
        starts = np.random.default_rng(seed).integers(0, last, size=size, endpoint=True)
        windows = self._tokens[np.arange(self.steps + 1)[:, None] + starts]
        return Batch(self.one_hot(windows[:-1], dtype), windows[1:])

    def one_hot(self, numbers: np.ndarray, dtype: Any = "float32") -> np.ndarray:
        """Return numbers of any shape as vectors with a single 1."""
        return np.eye(len(self.vocabulary), dtype=dtype)[numbers]

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the characters that one example (T, V) reads."""
        return list(self.vocabulary.decode(x.argmax(axis=-1)))

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean cross entropy over all steps, outputs (T, B, V)."""
        return F.cross_entropy(outputs.reshape(-1, self.output_size), tensor(batch.targets.reshape(-1)))

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's cross entropy at a step, from the output (B, V) there."""
        return F.cross_entropy(output, tensor(batch.targets[step]), reduction="none")

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return the cross entropy of each window in bits per character, mean over its steps."""
        flat, targets = outputs.reshape(-1, self.output_size), tensor(batch.targets.reshape(-1))
        losses = F.cross_entropy(flat, targets, reduction="none").numpy().reshape(outputs.shape[:-1])
        return {"bits/char": losses.mean(axis=0) / np.log(2)}

    def held_out(self) -> tuple[TextTask, TextTask]:
        """Return the task on the beginning of the text and on its end; twice itself if the text is too short to cut."""
        parts = split(self.text, self.steps)
        if parts is None:
            return self, self
        learned, held_out = (type(self)(part, self.steps, self.vocabulary) for part in parts)
        return learned, held_out


def split(text: str, steps: int) -> tuple[str, str] | None:
    """Return the beginning of a text and its end, which is held out; None if a part would have no T + 1 characters."""
    cut = int(len(text) * (1 - HELD_OUT))
    return None if min(cut, len(text) - cut) <= steps else (text[:cut], text[cut:])
