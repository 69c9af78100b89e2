"""What can look on as ops run: the base class of recorders, and what they are told."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_rnn.errors import IndexRangeError

if TYPE_CHECKING:
    import numpy as np

    from tinygrad_rnn.engine.graph import Node, Op
    from tinygrad_rnn.engine.tensor import Tensor


class Recorder:
    """Sees all that its thread does with tensors, in order and whatever the grad mode; this one lets everything pass.

    A node that is made while a recorder listens has a serial number of its own, also a leaf.
    """

    def op(self, node: Node, inputs: tuple[Tensor, ...], op: type[Op], attrs: dict[str, Any]) -> None:
        """Take an op that has run, and its result."""

    def leaf(self, node: Node, made: Made | None) -> None:
        """Take a leaf that was made: the call that would make it again, or None of data from outside."""

    def detached(self, node: Node, source: Tensor) -> None:
        """Take a leaf that lies in the memory of a tensor."""

    def assigned(self, target: Tensor, value: Tensor) -> None:
        """Take an `assign_` that is about to run."""

    def grad_set(self, x: Tensor, value: Tensor | None) -> None:
        """Take the new gradient of a tensor, None if it is forgotten."""

    def grad_asked(self, x: Tensor, found: Tensor | None) -> None:
        """Take what was found as the gradient of a tensor, on which it depends what happens next."""

    def named(self, node: Node, index: int, name: str, role: str | None) -> None:
        """Take the name of an output."""

    def read(self, x: Tensor) -> None:
        """Take a tensor whose values are about to leave for Python."""

    def changed(self, x: Tensor, what: str) -> None:
        """Take a tensor of which something else is about to change than its values; `what` is a verb with "of"."""

    def outside(self, what: str) -> None:
        """Take what is about to come in from outside, or to happen, that no list of ops can hold."""

    def checked(self, ids: Tensor, within: Range) -> None:
        """Take int64 numbers that lie in a range."""

    def used(self, owner: Any) -> None:
        """Take a module or an optimizer whose settings say what runs next."""


class Made(NamedTuple):
    """A call that makes a tensor from numbers of the program alone, such as `arange(0, 8)`."""

    function: str
    arguments: dict[str, Any]

    @classmethod
    def full(cls, shape: tuple[int, ...], value: Any, dtype: np.dtype) -> Made:
        """Return the call that fills a shape with a number."""
        return cls("full", {"shape": shape, "value": value, "dtype": dtype})


class Range(NamedTuple):
    """Which whole numbers are fine: those from low to below high, and `but`. The message has {} for one that is not."""

    low: int
    high: int
    but: int | None
    message: str

    def check(self, numbers: np.ndarray) -> None:
        """Raise IndexRangeError if a number is outside."""
        if not numbers.size or (numbers.min() >= self.low and numbers.max() < self.high):
            return
        wrong = numbers[((numbers < self.low) | (numbers >= self.high)) & (numbers != self.but)]
        if wrong.size:
            worst = wrong.min() if wrong.min() < self.low else wrong.max()
            raise IndexRangeError(self.message.replace("{}", str(worst)))


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def users_line() -> str:
    """Return file:line of the innermost frame outside this package."""
    frame, _ = _users_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def users_call() -> str:
    """Return the name of the function of this package that this line calls."""
    return _users_frame()[1]


def _users_frame() -> tuple[FrameType, str]:
    frame, called = sys._getframe(1), ""
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, called = frame.f_back, frame.f_code.co_name
    return frame, called
