"""Dates as people write them, to be written as ISO 8601 has them."""

from __future__ import annotations

import datetime
import itertools
import re
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.symbols import names, one_hot, padded
from tinygrad_rnn.tasks.task import Batch, Criterion, Task

__all__ = ["DatesTask", "read_date", "written"]

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: How dates are written. Names are given here and not by the system, whose language may be another.
FORMATS = (
    "{day} {month} {year}",
    "{day:02}.{number:02}.{year}",
    "{month} {day}, {year}",
    "{weekday}, {day} {month} {year}",
    "{short} {day} {year}",
    "{year}/{number:02}/{day:02}",
    "{day}-{short}-{year}",
    "{weekday}, {month} {day}, {year}",
)
_FIRST, _LAST = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()


def written(ordinal: int, form: str) -> str:
    """Return a day, counted as `date.toordinal` does, in one of the formats.

    >>> written(datetime.date(2026, 3, 1).toordinal(), FORMATS[3])
    'Sunday, 1 March 2026'
    """
    date = datetime.date.fromordinal(ordinal)
    month = _MONTHS[date.month - 1]
    return form.format(
        day=date.day, number=date.month, year=date.year, month=month, short=month[:3], weekday=_DAYS[date.weekday()]
    )


def read_date(text: str) -> str | None:
    """Return a date in one of the formats as ISO 8601 has it; None for any other text, however close.

    >>> read_date("Sunday, 1 March 2026"), read_date("Monday, 1 March 2026"), read_date("31.02.2026")
    ('2026-03-01', None, None)
    """
    if len(text) > DatesTask.steps:  # of many numbers there are too many dates to try
        return None
    numbers = [int(found) for found in re.findall(r"[0-9]{1,4}", text)]
    months = {*numbers, *[month for month, name in enumerate(_MONTHS, start=1) if name[:3] in text]}
    for year, month, day in itertools.product(numbers, sorted(months), numbers):
        try:
            ordinal = datetime.date(year, month, day).toordinal()
        except ValueError:
            continue
        if any(written(ordinal, form) == text for form in FORMATS):
            return datetime.date(year, month, day).isoformat()
    return None


class DatesTask(Task):
    """Read "Tuesday, 3 March 1987", write "1987-03-03": two sequences, an encoder and a decoder.

    Eight ways of writing, days of 1900 to 2099, drawn evenly. Characters are the symbols; replies are digits and "-",
    and the decoder begins with a vector of zeros. What is measured is the loss of the last digit.

    Args:
        attention: of the model that learns it; see `train.EncoderDecoder`.

    >>> task = DatesTask()
    >>> batch = task.batch(2, seed=0)
    >>> batch.inputs.shape == (task.steps, 2, task.input_size), batch.targets.shape, batch.replies.shape
    (True, (10, 2), (10, 2, 11))
    >>> task.read(batch.inputs[:, 0]), task.said(batch.targets[:, 0])
    ('2070/02/15', '2070-02-15')
    """

    name = "dates"
    unit = "nats/char"
    model = "encoder_decoder"
    criterion = Criterion("wrong", at_most=0.02)
    symbols = "-0123456789"
    characters = "".join(sorted({*" ,./-0123456789", *"".join((*_MONTHS, *_DAYS))}))
    replies = 10
    input_size = len(characters)
    output_size = len(symbols)
    #: A date of the last form can be as long as any; a year has every day of the week in every month.
    steps = max(len(written(_FIRST + day, FORMATS[-1])) for day in range(365))

    def __init__(self, attention: str = "none") -> None:
        self.attention = attention

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return dates as one-hot characters (T, B, I) with lengths (B,), their ISO form (10, B), and replies.

        The same seed gives the same ones.
        """
        return self._batch(size, seed, dtype, full=False)

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return dates that all have T characters."""
        return self._batch(size, seed, dtype, full=True)

    def _batch(self, size: int, seed: int | Sequence[int], dtype: Any, full: bool) -> Batch:
        random = np.random.default_rng(seed)
        texts: list[str] = []
        isos: list[str] = []
        while len(texts) < size:
            ordinal, form = int(random.integers(_FIRST, _LAST, endpoint=True)), int(random.integers(0, len(FORMATS)))
            text = written(ordinal, FORMATS[-1 if full else form])
            if not full or len(text) == self.steps:
                texts.append(text)
                isos.append(datetime.date.fromordinal(ordinal).isoformat())
        inputs, lengths = self._inputs(texts, self.steps, dtype)
        targets = np.array([[self.symbols.index(symbol) for symbol in iso] for iso in isos], dtype=np.int64).T
        replies = np.zeros((self.replies, size, self.output_size), dtype)
        replies[1:] = one_hot(targets[:-1], self.output_size, dtype)
        return Batch(inputs, targets, None if full else lengths, replies=replies)

    def _inputs(self, texts: Sequence[str], steps: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        number = {character: place for place, character in enumerate(self.characters)}
        numbers, lengths = padded([[number[character] for character in text] for text in texts], steps)
        return one_hot(numbers, self.input_size, dtype), lengths

    def encode(self, texts: Sequence[str], dtype: Any = "float32") -> Batch:
        """Return texts as a model reads them, dates or not: one-hot characters (T, B, I) with lengths (B,).

        T is the longest of them. Nothing says what they should become: the targets are None.

        Raises:
            InputError: a text is empty, or has characters that no date of the task has.

        >>> DatesTask().encode(["1 May 2000"]).inputs.shape == (10, 1, DatesTask.input_size)
        True
        """
        for text in texts:
            if not text:
                raise InputError("there is nothing to read in an empty text; give a date, like '3 March 1987'")
            if unknown := sorted(set(text) - set(self.characters)):
                letters = ", ".join(map(repr, unknown))
                raise InputError(
                    f"{reprlib.repr(text)} has {letters}, which the model has never read; it knows {self.characters!r}"
                )
        inputs, lengths = self._inputs(texts, max(map(len, texts), default=0), dtype)
        return Batch(inputs, None, lengths)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean cross entropy of all replies, outputs (10, B, 11)."""
        return F.cross_entropy(outputs.reshape(-1, self.output_size), tensor(batch.targets.reshape(-1)))

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's cross entropy at a step of the decoder, from the output (B, 11) there."""
        return F.cross_entropy(output, tensor(batch.targets[step]), reduction="none")

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return whether any character of the date is wrong, and the share of the characters that are."""
        wrong = outputs.numpy().argmax(axis=-1) != np.asarray(batch.targets)
        return {"wrong": wrong.any(axis=0), "wrong characters": wrong.mean(axis=0)}

    def read(self, x: np.ndarray) -> str:
        """Return the text that one example (T, I) is."""
        return "".join(self.input_labels(x))

    def said(self, numbers: Sequence[int] | np.ndarray) -> str:
        """Return the text of the symbols with these numbers, at most ten."""
        return "".join(self.symbols[number] for number in numbers)

    @property
    def measured_steps(self) -> int:
        """T + S: from the last reply to the first character read."""
        return self.steps + self.replies

    def reply_labels(self, replies: np.ndarray) -> list[str]:
        """Return the symbols that the decoder reads of one example (S, 11), "" before the first."""
        return [self.symbols[step.argmax()] if step.any() else "" for step in replies]

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the characters that one example (T, I) reads, "" after its end."""
        return names(x, self.characters)
