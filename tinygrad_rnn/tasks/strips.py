"""Captions: strips of handwritten digits, and what is written on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.digits import HELD_OUT, images
from tinygrad_rnn.tasks.task import Batch, Criterion, Task, mean_of_counted

__all__ = ["StripsTask"]

#: What a model that describes strips looks at: the places of the strip, or their mean.
LOOKS = ("none", "soft")
#: Pixels: of a digit, and the room that there is for one.
SIDE, ROOM = 8, 16
#: Behind the last digit.
END = "."


class StripsTask(Task):
    """Look at a strip with a few digits on it, write them from left to right: "407.".

    Each of 1 to N digits of scikit-learn (see `digits`), 8 x 8 pixels, lies somewhere on a canvas of 8 x 16 N, with
    gaps drawn evenly. Symbols are the digits and the end; the decoder begins with a vector of zeros. A strip counts as
    right if all of it is. Digits that are held out are other images. What is measured is the loss of the last symbol,
    on strips with N digits.

    Whoever knows only which digits there are, not in which order, can be right about 46% of strips with 1 to 4.

    Args:
        attention: of the model that learns it: "soft" looks at places, "none" has their mean; see `train.Captioner`.
        digits: N.
        held: whether the images are those held out.

    Raises:
        InputError: there is no such attention, or no such number of digits.
        MissingToolError: scikit-learn is not installed.

    >>> task = StripsTask(digits=2)
    >>> batch = task.batch(3, seed=0)
    >>> batch.inputs.shape, batch.targets.shape, batch.replies.shape, task.said(batch.targets[:, 0])
    ((3, 8, 32), (3, 3), (3, 3, 11), '...')
    """

    name = "strips"
    unit = "nats/symbol"
    model = "captioner"
    criterion = Criterion("wrong", at_most=0.1)
    symbols = f"0123456789{END}"
    output_size = len(symbols)

    def __init__(self, attention: str = "soft", digits: int = 4, held: bool = False) -> None:
        self.attention = arguments.one_of("StripsTask: attention", attention, LOOKS)
        self.digits, self.held = arguments.whole("StripsTask: digits", digits), held
        self.input_size = ROOM * self.digits
        self.steps = self.replies = self.digits + 1
        pixels, classes = images()
        part = slice(-HELD_OUT, None) if held else slice(-HELD_OUT)
        self._images, self._classes = pixels[part].reshape(-1, SIDE, SIDE), classes[part]

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return strips (B, 8, 16 N), what they say (S, B), which of that counts (S, B), and replies (S, B, 11).

        S is N + 1; behind the end symbol nothing counts. The same seed gives the same ones.
        """
        random = np.random.default_rng(seed)
        return self._batch(random, random.integers(1, self.digits, size=size, endpoint=True), dtype)

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return strips that all have N digits."""
        return self._batch(np.random.default_rng(seed), np.full(size, self.digits), dtype)

    def _batch(self, random: np.random.Generator, counts: np.ndarray, dtype: Any) -> Batch:
        size, end = len(counts), self.symbols.index(END)
        inputs = np.zeros((size, SIDE, self.input_size), dtype)
        targets = np.full((self.replies, size), end, np.int64)
        for example, count in enumerate(counts):
            chosen = random.integers(0, len(self._classes), size=count)
            gaps = np.sort(random.integers(0, self.input_size - SIDE * count, size=count, endpoint=True))
            for place, (image, gap) in enumerate(zip(chosen, gaps, strict=True)):
                left = gap + SIDE * place
                inputs[example, :, left : left + SIDE] = self._images[image]
            targets[:count, example] = self._classes[chosen]
        mask = (np.arange(self.replies)[:, None] <= counts).astype(dtype)
        replies = np.zeros((self.replies, size, self.output_size), dtype)
        replies[1:] = np.eye(self.output_size, dtype=dtype)[targets[:-1]]
        return Batch(inputs, targets, mask=mask, replies=replies)

    def encode(self, images: Sequence[np.ndarray], dtype: Any = "float32") -> Batch:
        """Return images as a model sees them, (B, 8, 16 N), narrower ones with nothing at their right.

        Nothing says what is on them: the targets are None.

        Args:
            images: (8, X) each, X at most 16 N, from 0, nothing, to 1, ink.

        Raises:
            InputError: an image of another height, too wide, or with other numbers.

        >>> StripsTask(digits=2).encode([np.ones((8, 20))]).inputs.shape
        (1, 8, 32)
        """
        inputs = np.zeros((len(images), SIDE, self.input_size), dtype)
        for example, image in enumerate(images):
            if image.ndim != 2 or image.shape[0] != SIDE or not 0 < image.shape[1] <= self.input_size:
                raise InputError(
                    f"a strip of {self.digits} digits is {SIDE} pixels high and at most {self.input_size} wide, one "
                    f"number each; this image has the shape {image.shape}: scale or cut it first"
                )
            if not np.isfinite(image).all():
                raise InputError("the image has NaN or infinity; its numbers lie between 0, nothing, and 1, ink")
            if image.min() < 0 or image.max() > 1:
                raise InputError(
                    f"the numbers of an image lie between 0, nothing, and 1, ink; these go from {image.min():g} to "
                    f"{image.max():g}: divide them by the largest they can be"
                )
            inputs[example, :, : image.shape[1]] = image
        return Batch(inputs, None)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what training minimises: the mean cross entropy of the symbols that count, outputs (S, B, 11)."""
        flat, targets = outputs.reshape(-1, self.output_size), tensor(batch.targets.reshape(-1))
        return mean_of_counted(F.cross_entropy(flat, targets, reduction="none"), batch.mask.reshape(-1))

    def losses_at(self, step: int, output: Tensor, batch: Batch) -> Tensor:
        """Return each example's cross entropy at a step of the decoder, from the output (B, 11) there."""
        return F.cross_entropy(output, tensor(batch.targets[step]), reduction="none")

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return whether anything of the strip up to its end is wrong."""
        wrong = (outputs.numpy().argmax(axis=-1) != np.asarray(batch.targets)) & (np.asarray(batch.mask) > 0)
        return {"wrong": wrong.any(axis=0)}

    def held_out(self) -> tuple[StripsTask, StripsTask]:
        """Return the task with 1,437 of the images, and with the other 360."""
        return self, StripsTask(self.attention, self.digits, held=True)

    def reply_labels(self, replies: np.ndarray) -> list[str]:
        """Return the symbols that the decoder reads of one example (S, 11), "" before the first."""
        return [self.symbols[step.argmax()] if step.any() else "" for step in replies]

    def said(self, numbers: Sequence[int] | np.ndarray) -> str:
        """Return the text of the symbols with these numbers, up to the end."""
        return "".join(self.symbols[number] for number in numbers).partition(END)[0]
