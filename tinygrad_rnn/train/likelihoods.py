"""How well a model knows a text: what it gives each character, having read all those before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.train.models import SequenceModel
from tinygrad_rnn.train.models.base import in_use

__all__ = ["Likelihood", "likelihood"]

#: So many characters are read at once; the state goes on from one piece to the next.
PIECE = 512


@dataclass(frozen=True)
class Likelihood:
    """What a model gives a text.

    Attributes:
        characters: that it had to say: all but the first.
        nats: the mean of -ln p of each; cross entropy.

    >>> found = Likelihood(characters=100, nats=math.log(4))
    >>> found.bits, round(found.perplexity, 6)
    (2.0, 4.0)
    """

    characters: int
    nats: float

    @property
    def bits(self) -> float:
        """Bits per character."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        """e^nats: as uncertain as among so many characters that are all as likely; infinite beyond all floats."""
        return math.exp(self.nats) if self.nats < 700 else math.inf


def likelihood(model: SequenceModel, numbers: Sequence[int] | np.ndarray) -> Likelihood:
    """Return what a model gives a text, read from its first character to its last in one go, from a state of zeros.

    Args:
        model: one that reads one-hot vectors and puts out a logit for each number.
        numbers: of the characters, at least two.

    Raises:
        InputError: there are fewer, or the model's outputs are not finite.

    >>> from tinygrad_rnn.train import SequenceModel, likelihood
    >>> likelihood(SequenceModel("gru", 3, 4, 3), [0, 1, 2, 1]).characters
    3
    """
    read = np.asarray(numbers, dtype=np.int64)
    if len(read) < 2:
        said = plural(len(read), "character")
        raise InputError(f"a text of {said} says nothing: the first is given; take a longer one")
    total, state = 0.0, None
    with no_grad(), in_use(model):
        for start in range(0, len(read) - 1, PIECE):
            piece = read[start : start + PIECE + 1]
            inputs = F.one_hot(tensor(piece[:-1, None]), model.rnn.input_size, model.dtype)
            outputs, state = model(inputs.to(model.device), state)
            losses = F.cross_entropy(outputs[:, 0], tensor(piece[1:], device=model.device), reduction="none")
            total += float(losses.numpy().astype(np.float64).sum())
    if not math.isfinite(total):
        raise InputError("the model's outputs are not finite numbers: its training diverged; train it again")
    return Likelihood(len(read) - 1, total / (len(read) - 1))
