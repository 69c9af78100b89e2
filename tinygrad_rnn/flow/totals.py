"""Sums of messages that are gathered while a walk passes."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from tinygrad_rnn.engine.autograd import Message, Sums
from tinygrad_rnn.engine.graph import Edge
from tinygrad_rnn.engine.tensor import Tensor


class Total:
    """A sum of arrays, none of which it ever writes into, and its norm."""

    def __init__(self, backend: ModuleType) -> None:
        self.backend = backend
        self.values: Any = None
        self._own = False
        self._norm: float | None = None

    def add(self, values: Any, size: float | None = None) -> None:
        """Add an array, whose norm may be known."""
        if self.values is None:
            self.values, self._norm = values, size
        elif self._own:
            self.backend.add_into(self.values, values)
            self._norm = None
        else:
            self.values, self._norm, self._own = self.backend.binary("add", self.values, values), None, True

    def add_at(self, index: Any, values: np.ndarray, shape: tuple[int, ...]) -> None:
        """Add a NumPy array to the part at an index of a sum of some shape, in float64, on the CPU."""
        if self.values is None:
            self.values, self._own = np.zeros(shape), True
        self.values[index] += values
        self._norm = None

    def norm(self) -> float:
        if self._norm is None:
            self._norm = self.backend.norm(self.values)
        return self._norm


def dense(edge: Edge, message: Message) -> Tensor:
    """Return a message as a whole gradient of its parent."""
    if isinstance(message, Tensor):
        return message
    sums = Sums(in_place=False)
    sums.add(edge, message)
    return sums.pop(edge)  # type: ignore[return-value]  # something was added
