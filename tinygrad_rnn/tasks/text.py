"""Character-level language modelling: given the text so far, which character is next?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.task import Batch, Task, enough_steps
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
        stateful: whether training reads the text from its beginning to its end, as B streams side by side, T characters
            an update, and carries the state on: truncated back-propagation on a stream. Else it draws windows at
            random, each from a state of zeros, as those are that the model is validated and measured on.

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

    def __init__(self, text: str, steps: int, vocabulary: Vocabulary | None = None, stateful: bool = False) -> None:
        steps = enough_steps(steps, 1, "at least one character is read")
        if len(text) < steps + 1:
            raise InputError(
                f"the text has {len(text)} characters; {steps} steps need at least {steps + 1}, as the target of each "
                "step is the next character: take a longer text, or fewer --steps"
            )
        self.steps, self.text, self.stateful = steps, text, stateful
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

    def continued(self, size: int, update: int, dtype: Any = "float32") -> Batch:
        """Return the T characters that come next in each of B parts of the text, which are equally long.

        At the end all parts begin again, from a state of zeros; what is left over of a part, less than T, is not read.

        Raises:
            InputError: a part has no T + 1 characters.

        >>> task = TextTask("to be or not to be", steps=4, stateful=True)
        >>> first, second, third = (task.continued(2, update) for update in range(3))
        >>> [["".join(task.input_labels(batch.inputs[:, row])) for row in (0, 1)] for batch in (first, second)]
        [['to b', ' not'], ['e or', ' to ']]
        >>> [batch.continues.tolist() for batch in (first, second, third)]
        [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
        """
        length = (len(self._tokens) - 1) // size
        chunks = length // self.steps
        if not chunks:
            raise InputError(
                f"the text has {len(self.text)} characters, too few for {size} streams of {self.steps + 1}: take a "
                "longer text, a smaller --batch or fewer --steps"
            )
        chunk = update % chunks
        starts = np.arange(size) * length + chunk * self.steps
        windows = self._tokens[np.arange(self.steps + 1)[:, None] + starts]
        continues = np.full(size, float(chunk > 0), dtype)
        return Batch(self.one_hot(windows[:-1], dtype), windows[1:], continues=continues)

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
        learned, held_out = (type(self)(part, self.steps, self.vocabulary, self.stateful) for part in parts)
        learned.chosen = held_out.chosen = self.chosen
        return learned, held_out


def split(text: str, steps: int) -> tuple[str, str] | None:
    """Return the beginning of a text and its end, which is held out; None if a part would have no T + 1 characters."""
    cut = int(len(text) * (1 - HELD_OUT))
    return None if min(cut, len(text) - cut) <= steps else (text[:cut], text[cut:])
