"""What a model with a decoder writes on its own: the likeliest symbol at each step, or the likeliest text by a beam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch
from tinygrad_rnn.train.models import Captioner, EncoderDecoder
from tinygrad_rnn.train.models.base import in_use

__all__ = ["Alignment", "Gaze", "Hypothesis", "Writer", "beam_search"]

#: Models that write one reply after the other.
Writer = EncoderDecoder | Captioner


@dataclass(frozen=True)
class Hypothesis:
    """Something a model may write.

    Attributes:
        numbers: of the symbols, the end symbol included if it came.
        log_probability: the natural logarithm of what the model gives it, the sum over its symbols.
        weights: (symbols, T) what was looked at for each; None without attention.
        ended: whether the end symbol came.
    """

    numbers: tuple[int, ...] = ()
    log_probability: float = 0.0
    weights: np.ndarray | None = None
    ended: bool = False


@dataclass(frozen=True)
class Alignment:
    """What of a text a model looked at for each letter that it wrote.

    Attributes:
        read: the letters read, T of them.
        written: the letters written, S of them.
        weights: (S, T) of the attention, 1 in all for each letter written.
    """

    read: str
    written: str
    weights: np.ndarray


@dataclass(frozen=True)
class Gaze:
    """Where on an image a model looked for each letter that it wrote.

    Attributes:
        image: (Y, X), 0 where there is nothing.
        written: the letters, S of them.
        weights: (S, columns) of the attention, 1 in all for each letter; the places of a column of the feature map
            together, each X / columns pixels wide.
    """

    image: np.ndarray
    written: str
    weights: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        """(S,) the centre of attention of each letter, in pixels from the left edge."""
        columns = self.weights.shape[1]
        found: np.ndarray = self.weights @ (np.arange(columns) + 0.5) * (self.image.shape[1] / columns)
        return found

    @classmethod
    def of(cls, image: np.ndarray, written: str, weights: np.ndarray, places: int) -> Gaze:
        """Return it from weights (S, rows * places) of a feature map, row by row, as a `Captioner` has them.

        Args:
            places: of a row of the map.

        >>> import numpy as np
        >>> from tinygrad_rnn.train import Gaze
        >>> found = Gaze.of(np.zeros((8, 16)), "7", np.array([[0, 0.5, 0, 0, 0, 0, 0.5, 0]]), places=4)
        >>> found.weights.tolist(), found.centres.tolist()
        ([[0.0, 0.5, 0.5, 0.0]], [8.0])
        """
        return cls(image, written, weights.reshape(len(weights), weights.shape[1] // places, places).sum(axis=1))


def beam_search(model: Writer, batch: Batch, width: int, end: int | None = None) -> list[Hypothesis]:
    """Return what a model writes about one example: the best of a beam, the likeliest first.

    At each step every text of the beam is continued by every symbol, and the `width` likeliest of all these are kept
    (Graves 2012, algorithm 1; Sutskever, Vinyals & Le 2014, section 3.2). Width 1 takes the likeliest symbol at each
    step. As wide as there are texts, it finds the likeliest of all. Texts of any length compete by their probability.

    Args:
        batch: of one example, as a task draws it; its targets and replies are not read.
        width: how many are kept, at least 1.
        end: the number of the symbol behind which nothing comes; None if all texts have as many symbols as the model
            has replies.

    Returns:
        At most `width` of them; fewer if there are no more texts.

    Raises:
        InputError: the width is no positive whole number, there are several examples, or the model's outputs are not
            finite.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.tasks import Batch
    >>> from tinygrad_rnn.train import EncoderDecoder, beam_search
    >>> model = EncoderDecoder("gru", 3, 4, output_size=2, replies=3, attention="dot")
    >>> found = beam_search(model, Batch(tg.zeros(5, 1, 3).numpy(), targets=None), width=8)
    >>> len(found), found[0].weights.shape, round(sum(2.718281828**each.log_probability for each in found), 6)
    (8, (3, 5), 1.0)
    """
    width = arguments.whole("beam_search: width", width)
    beam = [Hypothesis()]
    with no_grad(), in_use(model):
        memory: Any
        memory, states = model.begin(_copies(model, batch, width))
        reply = np.zeros((width, model.output.out_features))  # the beam has as many rows as it can have at any step
        for t in range(model.replies):
            read = tensor(reply, dtype=model.dtype, device=model.device)
            output, weights, states = model.write(read, memory, states, t)
            logits = output.numpy().astype(np.float64)
            if not np.isfinite(logits).all():
                raise InputError("the model's outputs are not finite numbers: its training diverged; train it again")
            looked = None if weights is None else weights.numpy()
            beam, parents = _grown(beam, _log_softmax(logits), looked, width, end)
            if all(each.ended for each in beam):
                break
            rows = np.resize(parents, width)
            states = [_rows(state, rows) for state in states]
            reply = np.eye(reply.shape[1])[np.resize([each.numbers[-1] for each in beam], width)]
    return beam


def _grown(
    beam: list[Hypothesis], log_probabilities: np.ndarray, weights: np.ndarray | None, width: int, end: int | None
) -> tuple[list[Hypothesis], list[int]]:
    """Return the likeliest continuations of a beam, and which of it each continues; what has ended stays as it is."""

    def continued() -> Iterator[tuple[float, int, int | None]]:
        for row, each in enumerate(beam):
            if each.ended:
                yield each.log_probability, row, None
                continue
            for number, further in enumerate(log_probabilities[row]):
                yield each.log_probability + float(further), row, number

    best = sorted(continued(), key=lambda found: -found[0])[:width]
    grown = []
    for log_probability, row, number in best:
        before = beam[row]
        if number is None:
            grown.append(before)
            continue
        looked = None
        if weights is not None:
            looked = weights[row][None] if before.weights is None else np.vstack([before.weights, weights[row]])
        grown.append(Hypothesis((*before.numbers, number), log_probability, looked, number == end))
    return grown, [row for _, row, _ in best]


def _copies(model: Writer, batch: Batch, width: int) -> Batch:
    """Return a batch with the only example of another as often as the beam is wide; replies are left out."""
    inputs, axis = np.asarray(batch.inputs), model.batch_axis
    if inputs.shape[axis] != 1:
        raise InputError(f"beam_search: the batch must be of one example, not of {inputs.shape[axis]}")
    lengths = None if batch.lengths is None else np.repeat(np.asarray(batch.lengths), width)
    copied = replace(batch, inputs=np.repeat(inputs, width, axis=axis), lengths=lengths, replies=None)
    return copied.to(model.device)


def _rows(state: Any, rows: np.ndarray) -> Any:
    """Return a state of some of the texts, in another order."""
    return tuple(part[rows] for part in state) if isinstance(state, tuple) else state[rows]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
