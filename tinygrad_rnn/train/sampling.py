"""Letting a model continue a sequence: each output is drawn, and read as the next input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train.models import SequenceModel
from tinygrad_rnn.train.models.base import in_use

__all__ = ["sample"]


def sample(
    model: SequenceModel,
    prompt: Sequence[int] | np.ndarray,
    length: int,
    temperature: float = 1.0,
    seed: int = 0,
    top_k: int | None = None,
) -> Iterator[int]:
    """Yield `length` numbers that continue a prompt.

    Args:
        model: one that reads one-hot vectors and puts out a logit for each number.
        prompt: the numbers to read first, at least one.
        temperature: divides the logits; below 1 the likely gets likelier, and 0 always takes the likeliest.
        seed: same seed, same numbers.
        top_k: only so many of the likeliest can be drawn; all unless given.

    Raises:
        InputError: the prompt is empty, the temperature is negative or no number, top_k is no positive whole number, or
            the model's outputs are not finite.

    >>> from tinygrad_rnn.train import SequenceModel, sample
    >>> len(list(sample(SequenceModel("gru", 3, 4, 3), prompt=[0, 1], length=5, top_k=2)))
    5
    """
    temperature = arguments.not_negative("sample: temperature", temperature)
    if top_k is not None:
        arguments.whole("sample: top_k", top_k)
    if not len(prompt):
        raise InputError("the prompt is empty; the model needs at least one character to continue")
    random = np.random.default_rng(seed)
    read, state = np.asarray(prompt, dtype=np.int64), None
    for _ in range(length):
        with no_grad(), in_use(model):
            inputs = F.one_hot(tensor(read[:, None]), model.rnn.input_size, model.dtype)
            outputs, state = model(inputs.to(model.device), state)
        number = _draw(outputs[-1, 0].numpy(), temperature, random, top_k)
        yield number
        read = np.array([number])


def _draw(logits: np.ndarray, temperature: float, random: np.random.Generator, top_k: int | None = None) -> int:
    if not np.isfinite(logits).all():
        raise InputError("the model's outputs are not finite numbers: its training diverged; train it again")
    uniform = random.random()
    if temperature == 0:
        return int(logits.argmax())
    with np.errstate(over="ignore"):  # a tiny temperature sends all but the likeliest to minus infinity
        weights = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    if top_k is not None:
        weights[np.argsort(-logits, kind="stable")[top_k:]] = 0.0
    cumulative = weights.cumsum()
    return int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
