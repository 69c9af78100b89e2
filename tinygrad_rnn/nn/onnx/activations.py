"""The activations that ONNX's recurrent operators name, and how an operator's three lists tell which ones it uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError

__all__ = ["DEFAULTS", "NAMES", "Activation", "Kind", "lists", "read"]


@dataclass(frozen=True)
class Kind:
    """A line of the table of activations.

    Attributes:
        function: from x, and alpha and beta if it takes them.
        alpha, beta: what they are unless given: a number, "needed" if there is no default, None if it takes none.
    """

    function: Callable[..., Tensor]
    alpha: float | str | None = None
    beta: float | str | None = None


#: By ONNX's names. alpha and beta are, unless given, those of ONNX's operators of the same name; it has no operator
#: Affine or ScaledTanh any more.
NAMES: dict[str, Kind] = {
    "Relu": Kind(F.relu),
    "Tanh": Kind(F.tanh),
    "Sigmoid": Kind(F.sigmoid),
    "Affine": Kind(lambda x, alpha, beta: x * alpha + beta, "needed", "needed"),
    "LeakyRelu": Kind(F.leaky_relu, 0.01),
    "ThresholdedRelu": Kind(lambda x, alpha: x.where(x >= alpha, 0.0), 1.0),
    "ScaledTanh": Kind(lambda x, alpha, beta: (x * beta).tanh() * alpha, "needed", "needed"),
    "HardSigmoid": Kind(lambda x, alpha, beta: (x * alpha + beta).clip(0.0, 1.0), 0.2, 0.5),
    "Elu": Kind(F.elu, 1.0),
    "Softsign": Kind(lambda x: x / (x.abs() + 1.0)),
    "Softplus": Kind(F.softplus),
}

#: What an operator uses unless told otherwise, in each direction.
DEFAULTS: dict[str, tuple[str, ...]] = {
    "RNN": ("Tanh",),
    "GRU": ("Sigmoid", "Tanh"),
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
}


@dataclass(frozen=True)
class Activation:
    """An activation of ONNX, with its alpha and beta where it takes them.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.nn.onnx.activations import Activation
    >>> Activation("HardSigmoid", 0.5, 0.5)(tg.tensor([-3.0, 0.5, 3.0])).tolist()
    [0.0, 0.75, 1.0]
    """

    name: str
    alpha: float | None = None
    beta: float | None = None

    def __call__(self, x: Tensor) -> Tensor:
        return NAMES[self.name].function(x, *[value for value in (self.alpha, self.beta) if value is not None])


def read(
    op_type: str, directions: int, names: Sequence[str] | None, alphas: Sequence[float] | None,
    betas: Sequence[float] | None,
) -> list[tuple[Activation, ...]]:  # fmt: skip
    """Return the activations of each direction, from the attributes of an operator.

    Each activation that takes an alpha takes the next one of the list, or its default when there are none left; and so
    for beta. An LSTM's f, g and h are those of its gates, its candidate and its output; a GRU has f and g, an RNN f.

    Args:
        op_type: "RNN", "GRU" or "LSTM".
        directions: 1 or 2.
        names, alphas, betas: the attributes activations, activation_alpha and activation_beta; None if not given.

    Raises:
        InputError: an unknown activation, a wrong number of them, or alphas or betas that nobody takes.
    """
    usual = DEFAULTS[op_type]
    given = usual * directions if names is None else tuple(names) if _is_list(names) else ()
    if len(given) != len(usual) * directions:
        both = f", {len(usual)} for each of both directions" if directions == 2 else ""
        raise InputError(
            f"from_onnx: activations must be a list of {len(usual) * directions} names for this {op_type}{both}, such "
            f"as {list(usual * directions)}, not {names!r}"
        )
    for name in given:
        arguments.one_of("from_onnx: an activation", name, tuple(NAMES))
    each = zip(
        _taken("alpha", given, [NAMES[name].alpha for name in given], alphas),
        _taken("beta", given, [NAMES[name].beta for name in given], betas),
        strict=True,
    )
    found = [Activation(name, alpha, beta) for name, (alpha, beta) in zip(given, each, strict=True)]
    return [tuple(found[: len(usual)]), tuple(found[len(usual) :])][:directions]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _taken(
    which: str, names: tuple[str, ...], defaults: list[float | str | None], values: Sequence[float] | None
) -> list[float | None]:
    """Hand the values out to those that take one, in their order."""
    takers = [name for name, default in zip(names, defaults, strict=True) if default is not None]
    if values is not None and not _is_list(values):
        raise InputError(f"from_onnx: activation_{which} must be a list of numbers, not {values!r}")
    given = [] if values is None else [arguments.number(f"from_onnx: activation_{which}", value) for value in values]
    if len(given) > len(takers):
        raise InputError(
            f"from_onnx: activation_{which} has {len(given)} values, but of {', '.join(names)} only {len(takers)} take "
            f"an {which}{': ' + ', '.join(takers) if takers else ''}; give one to each of these, in their order"
        )
    left = iter(given)
    found: list[float | None] = []
    for name, default in zip(names, defaults, strict=True):
        value = default if default is None else next(left, default)
        if isinstance(value, str):
            raise InputError(
                f"from_onnx: {name} needs an alpha and a beta, for which ONNX has no default; give them in "
                "activation_alpha and activation_beta"
            )
        found.append(value)
    return found


def lists(op_type: str, used: Sequence[tuple[Activation, ...]]) -> dict[str, Any]:
    """Return the attributes that tell the activations of each direction; none if they are the usual ones."""
    flat = [activation for each in used for activation in each]
    if [activation.name for activation in flat] == list(DEFAULTS[op_type]) * len(used):
        return {}
    found: dict[str, Any] = {"activations": [activation.name for activation in flat]}
    if alphas := [activation.alpha for activation in flat if activation.alpha is not None]:
        found["activation_alpha"] = alphas
    if betas := [activation.beta for activation in flat if activation.beta is not None]:
        found["activation_beta"] = betas
    return found
