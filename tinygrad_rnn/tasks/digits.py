"""Handwritten digits, read as a whole, row by row, or pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.tasks.answers import LastClassTask
from tinygrad_rnn.tasks.task import Batch, Criterion

#: Steps and numbers at each step, by the way of reading.
READINGS = {"image": (1, 64), "row": (8, 8), "pixel": (64, 1)}
#: Images that are not learned, of 1,797.
HELD_OUT = 360


@cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits of scikit-learn, (1797, 64) in [0, 1], and which they are, (1797,), in an order of our own.

    8 x 8 pixels, from the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998).

    Raises:
        MissingToolError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - not everybody has the extra "data"
    except ImportError:
        raise MissingToolError(
            "the digits come with scikit-learn, which is not installed: pip install 'tinygrad_rnn[data]'"
        ) from None
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.data))  # neighbours are by the same writer
    return found.data[order] / 16.0, found.target[order].astype(np.int64)


class DigitsTask(LastClassTask):
    """Which digit is it? Feed-forward (one step), from the 8 rows, or from the 64 pixels in reading order.

    The pixels one by one are the small sister of Le, Jaitly & Hinton's (2015) pixel-by-pixel MNIST.

    Args:
        by: "image", "row" or "pixel".
        held: whether the images are those held out.

    Raises:
        InputError: by is another word.
        MissingToolError: scikit-learn is not installed.
    """

    name = "digits"
    output_size = 10
    criterion = Criterion("wrong", at_most=0.05)

    def __init__(self, by: str = "row", held: bool = False) -> None:
        self.by, self.held = arguments.one_of("DigitsTask: by", by, tuple(READINGS)), held
        self.steps, self.input_size = READINGS[by]
        pixels, classes = images()
        part = slice(-HELD_OUT, None) if held else slice(-HELD_OUT)
        self._pixels, self._classes = pixels[part], classes[part]

    @property
    def data_size(self) -> int:
        """How many images there are."""
        return len(self._classes)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return images (T, B, 64 / T) and their digits (B,). The same seed gives the same ones; each comes once."""
        random = np.random.default_rng(seed)
        chosen = random.choice(len(self._classes), size, replace=size > len(self._classes))
        read = self._pixels[chosen].reshape(size, self.steps, self.input_size)
        return Batch(np.ascontiguousarray(read.transpose(1, 0, 2), dtype), self._classes[chosen])

    def held_out(self) -> tuple[DigitsTask, DigitsTask]:
        """Return the task on 1,437 of the images, and on the other 360."""
        return self, DigitsTask(self.by, held=True)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return how dark each step of one example (T, I) is, from " " to "█"."""
        return [" ░▒▓█"[round(4 * float(step.mean()))] for step in x]
