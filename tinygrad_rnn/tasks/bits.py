"""A bit, or a few, to remember: the shortest tasks with a lag as long as you like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.tasks.answers import LastClassTask
from tinygrad_rnn.tasks.task import Batch, Criterion, Task, enough_steps

__all__ = ["AskedBitTask", "FirstBitTask", "MarkedBitTask", "ParityTask"]


def _bits(random: np.random.Generator, *shape: int) -> np.ndarray:
    return 2.0 * random.integers(0, 2, shape) - 1.0


def _sign(bit: float) -> str:
    return "+" if bit > 0 else "-"


class FirstBitTask(LastClassTask):
    """The first step brings a bit, all steps bring noise, and after the last the bit is asked.

    After the latch problem of Bengio, Simard and Frasconi (1994), section II, with the noise on a channel of its own:
    x_0 is ±1 on channel 0, which is 0 afterwards, and channel 1 is N(0, 1). Not knowing costs ln 2.

    Args:
        steps: T, at least 2.

    Raises:
        InputError: there are fewer steps.

    >>> inputs, targets = FirstBitTask(steps=10).batch(3, seed=0)
    >>> inputs.shape, (inputs[0, :, 0] > 0).astype(int).tolist() == targets.tolist()
    ((10, 3, 2), True)
    """

    name = "first_bit"
    input_size = 2
    output_size = 2
    criterion = Criterion("wrong", at_most=0.02)

    def __init__(self, steps: int) -> None:
        self.steps = enough_steps(steps, 2, "the first bit has to be remembered for a step")

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences (T, B, 2), and the bits as classes (B,): 1 for +1. The same seed gives the same ones."""
        random = np.random.default_rng(seed)
        inputs = np.zeros((self.steps, size, 2), dtype)
        inputs[0, :, 0] = bits = _bits(random, size)
        inputs[:, :, 1] = random.standard_normal((self.steps, size))
        return Batch(inputs, (bits > 0).astype(np.int64))

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return what one example (T, 2) reads: the sign of the bit, then the noise."""
        return [_sign(x[0, 0]), *[f"{noise:.1f}" for noise in x[1:, 1]]]


class MarkedBitTask(LastClassTask):
    """Every step brings a bit, one of the first few is marked, and after the last step that bit is asked.

    The step to store is told by the input, as in the adding problem of Hochreiter and Schmidhuber (1997), section 5.4:
    channel 0 is ±1, channel 1 is 1 at the marked step and 0 elsewhere. Not knowing costs ln 2.

    Args:
        steps: T, at least `span`.
        span: the mark lies in the first so many steps, each as likely.

    Raises:
        InputError: there are fewer steps than `span`, or fewer than 2; or `span` is no whole number from 1.

    >>> inputs, targets = MarkedBitTask(steps=10).batch(3, seed=0)
    >>> marked = (inputs[..., 0] * inputs[..., 1]).sum(axis=0)
    >>> inputs.shape, (marked > 0).astype(int).tolist() == targets.tolist()
    ((10, 3, 2), True)
    """

    name = "marked_bit"
    input_size = 2
    output_size = 2
    criterion = Criterion("wrong", at_most=0.02)

    def __init__(self, steps: int, span: int = 5) -> None:
        self.span = arguments.whole("MarkedBitTask: span", span)
        self.steps = enough_steps(steps, max(span, 2), f"the marked bit is one of the first {span}")

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences of (bit, mark), (T, B, 2), and the marked bits as classes (B,): 1 for +1."""
        random = np.random.default_rng(seed)
        marked, examples = random.integers(0, self.span, size), np.arange(size)
        inputs = np.zeros((self.steps, size, 2), dtype)
        inputs[:, :, 0] = _bits(random, self.steps, size)
        inputs[marked, examples, 1] = 1.0
        return Batch(inputs, (inputs[marked, examples, 0] > 0).astype(np.int64))

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the signs of the bits that one example (T, 2) reads, the marked one with a star."""
        return [_sign(bit) + "*" * int(mark) for bit, mark in x]


class AskedBitTask(Task):
    """The first step brings a bit, a later one asks for it; the answer is the bit there, and 0 at all other steps.

    What a memory needs that is to be read at the right time only: the output weight conflict of Hochreiter and
    Schmidhuber (1997), section 3.2. Channel 0 is ±1 at step 0, channel 1 is 1 at the step that asks, from T/4 on; all
    else is 0. A linear memory without gates, which can only answer a constant share of the bit at every step, does
    best with a share of 1/T: its loss is 1 - 1/T, and that of always answering 0 is 1.

    Args:
        steps: T, at least 4.

    Raises:
        InputError: there are fewer steps.

    >>> inputs, targets = AskedBitTask(steps=10).batch(3, seed=0)
    >>> inputs.shape, targets.shape, (targets == inputs[0, :, 0] * inputs[..., 1]).all().item()
    ((10, 3, 2), (10, 3), True)
    """

    name = "asked_bit"
    unit = "squared error"
    input_size = 2
    output_size = 1
    criterion = Criterion("wrong", at_most=0.02)

    def __init__(self, steps: int) -> None:
        self.steps = enough_steps(steps, 4, "the bit is asked for from a quarter of the steps on, and not at once")

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences of (bit, asked), (T, B, 2), and the answers (T, B). The same seed gives the same ones."""
        random = np.random.default_rng(seed)
        return self._asked(random.integers(self.steps // 4, self.steps, size), random, dtype)

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences that ask at the last step."""
        return self._asked(np.full(size, self.steps - 1), np.random.default_rng(seed), dtype)

    def _asked(self, asked: np.ndarray, random: np.random.Generator, dtype: Any) -> Batch:
        examples = np.arange(len(asked))
        inputs, targets = np.zeros((self.steps, len(asked), 2), dtype), np.zeros((self.steps, len(asked)), dtype)
        inputs[0, :, 0] = targets[asked, examples] = _bits(random, len(asked))
        inputs[asked, examples, 1] = 1.0
        return Batch(inputs, targets)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return what one example (T, 2) reads: the sign of the bit, a question mark where it is asked for, else 0."""
        return [_sign(bit) if bit else "?" if asked else "0" for bit, asked in x]

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the sum over the steps of the mean squared error, outputs (T, B, 1)."""
        return self._errors(outputs, batch.targets).sum(axis=0).mean()

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's squared error at a step, from the output (B, 1) there."""
        return self._errors(output, batch.targets[step])

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return which examples are wrong: off by 0.5 or more at some step."""
        return {"wrong": np.any(self._errors(outputs, batch.targets).numpy() >= 0.5**2, axis=0)}

    @staticmethod
    def _errors(outputs: Tensor, targets: Any) -> Tensor:
        error = outputs.squeeze(-1) - tensor(targets, device=outputs.device)
        return error * error


class ParityTask(LastClassTask):
    """Every step brings a bit, and after the last is asked whether the number of +1 was odd.

    Bengio, Simard and Frasconi (1994), section IV, without the noise they add: one channel, ±1. Each bit turns the
    answer, so a network that forgets a single one knows nothing, and not knowing costs ln 2. (They have one logistic
    output with squared error instead of two with cross entropy.)

    Args:
        steps: T, at least 2.

    Raises:
        InputError: there are fewer steps.

    >>> inputs, targets = ParityTask(steps=10).batch(3, seed=0)
    >>> inputs.shape, ((inputs > 0).sum(axis=(0, 2)) % 2).tolist() == targets.tolist()
    ((10, 3, 1), True)
    """

    name = "parity"
    input_size = 1
    output_size = 2
    criterion = Criterion("wrong", at_most=0.02)

    def __init__(self, steps: int) -> None:
        self.steps = enough_steps(steps, 2, "the parity of one bit is the bit itself")

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return bits (T, B, 1), and the parities (B,): 1 for odd. The same seed gives the same ones."""
        bits = _bits(np.random.default_rng(seed), self.steps, size)
        return Batch(bits[:, :, None].astype(dtype), (bits > 0).sum(axis=0) % 2)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the signs of the bits that one example (T, 1) reads."""
        return [_sign(bit) for bit in x[:, 0]]
