"""Letting a model continue a sequence: each output is drawn, and read as the next input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train.loop import in_use
from tinygrad_rnn.train.models import SequenceModel


def sample(
    model: SequenceModel, prompt: Sequence[int] | np.ndarray, length: int, temperature: float = 1.0, seed: int = 0
) -> Iterator[int]:
    """Yield `length` numbers that continue a prompt.

    Args:
        model: one that reads one-hot vectors and puts out a logit for each number.
        prompt: the numbers to read first, at least one.
        temperature: divides the logits; below 1 the likely gets likelier, and 0 always takes the likeliest.
        seed: same seed, same numbers.

    Raises:
        InputError: the prompt is empty, or the model's outputs are not finite.
    """
    if not len(prompt):
        raise InputError("the prompt is empty; the model needs at least one character to continue")
    random = np.random.default_rng(seed)
    read, state = np.asarray(prompt, dtype=np.int64), None
    for _ in range(length):
        with no_grad(), in_use(model):
            inputs = F.one_hot(tensor(read[:, None]), model.rnn.input_size, model.dtype)
            outputs, state = model(inputs.to(model.device), state)
        number = _draw(outputs[-1, 0].numpy(), temperature, random)
        yield number
        read = np.array([number])


def _draw(logits: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    if not np.isfinite(logits).all():
        raise InputError("the model's outputs are not finite numbers: its training diverged; train it again")
    uniform = random.random()
    if temperature == 0:
        return int(logits.argmax())
    with np.errstate(over="ignore"):  # a tiny temperature sends all but the likeliest to minus infinity
        weights = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    cumulative = weights.cumsum()
    return int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
