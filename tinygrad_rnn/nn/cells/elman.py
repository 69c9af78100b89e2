"""The simple recurrent network, and the naive constant error carousel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.cells.remedies import Remedy, as_irnn, recurrent_changes

__all__ = ["CarouselCell", "RNNCell", "activation"]


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": F.tanh,
    "relu": F.relu,
    "sigmoid": F.sigmoid,
    "identity": lambda x: x,
}


#: How steep each is at most; the logistic function so at 0, tanh with 1 there.
MAX_SLOPES = {"tanh": 1.0, "relu": 1.0, "sigmoid": 0.25, "identity": 1.0}


class RNNCell(Cell):
    """One step of the simple recurrent network (Elman 1990).

    h' = phi(W_ih x + b_ih + W_hh h + b_hh), with phi = tanh, relu, sigmoid or identity (`nonlinearity`).

    Shapes: x (B, I) or (I,), h (B, H) or (H,). The same as PyTorch's, which has tanh and relu only; see `Cell` for the
    arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.RNNCell(3, 5)(tg.zeros(2, 3)).shape
    (2, 5)
    """

    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        activation(nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype, device, nonlinearity=nonlinearity)

    @property
    def max_slope(self) -> float:
        """The largest phi'(a) there is: with W_hh it bounds what is left of a gradient (`flow.elman_bound`)."""
        return MAX_SLOPES[self.nonlinearity]

    def remedies(self) -> Iterable[Remedy]:
        """Return other recurrent weights to try, and what makes an IRNN of it."""
        return (*recurrent_changes(self), *as_irnn(self, self.nonlinearity))

    def step(self, projected: Tensor, state: Tensor, prepared: Tensor) -> Tensor:
        """Return h' (..., H)."""
        h, phi = state, ACTIVATIONS[self.nonlinearity]
        return phi(projected + h @ prepared).named("h")


class CarouselCell(Cell):
    """One step of the naive constant error carousel (Hochreiter & Schmidhuber 1997, section 3.2).

    h' = phi(w h + W_ih x + b_ih), with w = 1 and phi(a) = a, so that phi'(a) w = 1: h' = h + W_ih x + b_ih

    The error reaches h from h' as it is, at every lag; but nothing protects what is stored, and nothing keeps it from
    being read. Shapes: x (B, I) or (I,), h (B, H) or (H,). The 1 is no parameter, so it is not learned. PyTorch has no
    such cell. See `Cell` for the arguments.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> [name for name, _ in nn.CarouselCell(3, 5).named_parameters()]
    ['weight_ih', 'bias_ih']
    """

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what the input meets."""
        found: dict[str, tuple[int, ...]] = {"weight_ih": (hidden_size, input_size)}
        return found | {"bias_ih": (hidden_size,)} if bias else found

    def prepare(self) -> None:
        """Return nothing: the recurrence has no weight."""

    def step(self, projected: Tensor, state: Tensor, prepared: None) -> Tensor:
        """Return h' (..., H)."""
        h = state
        return (h + projected).named("h")


def activation(nonlinearity: str) -> Callable[[Tensor], Tensor]:
    """Return the activation of an RNN by name; InputError if there is no such."""
    if not isinstance(nonlinearity, str) or nonlinearity not in ACTIVATIONS:
        raise InputError(f"nonlinearity {nonlinearity!r} is unknown; use one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[nonlinearity]
