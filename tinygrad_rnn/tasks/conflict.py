"""A bit to be stored and a bit to be handed out: where one weight of a carousel is asked for two things at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.tasks.task import Batch, Task, enough_steps

#: What is asked for: to store the first bit among others, to hand it out at the last step only, or both.
KINDS = ("store", "retrieve", "both")
#: The feature of the input that is the bit; the two others mark the first step and the last.
BIT = 0


class ConflictTask(Task):
    """The first of T bits is asked at the last step; what makes it hard is chosen.

    After Hochreiter and Schmidhuber (1997), section 3.2, on the two conflicts of a unit that stores:

    - store: other bits follow, and the unit must not take them in (input weight conflict). Before the last step nothing
      is asked.
    - retrieve: no bits follow, but at every step before the last the answer must be 0 (output weight conflict).
    - both: bits follow, and the answer before the last step must be 0.

    Bits are 1 or -1, equally often. The loss is the squared error, summed over the steps at which an answer is asked.
    Always answering 0 has a loss of 1. The naive carousel, whose answer at step t is u v (x_0 + ... + x_t) plus what no
    bit has a part in, has one of (u v)^2 T - 2 u v + 1 in the first two, so at best 1 - 1/T, with u v = 1/T.

    Args:
        steps: T, at least 2.
        kind: "store", "retrieve" or "both".

    Raises:
        InputError: there are fewer than two whole steps, or kind is another word.

    >>> inputs, targets = ConflictTask(4, "retrieve").batch(2, seed=0)
    >>> inputs.shape, targets.shape, inputs[:, 0, 1].tolist(), inputs[:, 0, 2].tolist()
    ((4, 2, 3), (2,), [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0])
    """

    name = "conflict"
    unit = "squared error"
    input_size = 3
    output_size = 1

    def __init__(self, steps: int, kind: str = "both") -> None:
        self.kind = arguments.one_of("ConflictTask: kind", kind, KINDS)
        self.steps = enough_steps(steps, 2, "the bit of the first step is asked at another")

    @property
    def least_of_a_carousel(self) -> float:
        """The lowest loss that a naive carousel can have."""
        return 1 - (2 / (self.steps * (self.steps + 1)) if self.kind == "both" else 1 / self.steps)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return sequences of (bit, first, last), (T, B, 3), and the first bits (B,). The same seed gives the same."""
        random = np.random.default_rng(seed)
        inputs = np.zeros((self.steps, size, 3), dtype)
        inputs[:, :, BIT] = random.choice([-1.0, 1.0], (self.steps, size))
        if self.kind == "retrieve":
            inputs[1:, :, BIT] = 0.0
        inputs[0, :, 1] = inputs[-1, :, 2] = 1.0
        return Batch(inputs, inputs[0, :, BIT].copy())

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the bits that one example (T, 3) reads, the first with a star and the last with a question mark."""
        return [f"{bit:+.0f}".replace("+0", "0") + "*" * int(first) + "?" * int(last) for bit, first, last in x]

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises, from the outputs (T, B, 1) of all steps."""
        asked = self.last_losses(outputs[-1], batch).mean()
        if self.kind == "store":
            return asked
        early = outputs[:-1]
        return asked + (early * early).sum(axis=0).mean()

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's squared error if the bit were asked at this step, from the output (B, 1) there."""
        error = output.reshape(-1) - tensor(batch.targets, device=output.device)
        return error * error
