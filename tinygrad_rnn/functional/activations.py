"""Activations. Several look longer than their textbook formula: that overflows, or has a wrong derivative at 0."""

from __future__ import annotations

import math

from tinygrad_rnn.engine import methods
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError

softmax = methods.softmax
log_softmax = methods.log_softmax
logsumexp = methods.logsumexp


def relu(x: Tensor) -> Tensor:
    """Return max(0, x); its derivative at 0 is 0."""
    return x.relu()


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return x.tanh()


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x))."""
    return x.sigmoid()


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Return x where it is positive and negative_slope * x elsewhere (Maas et al. 2013).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.leaky_relu(tg.tensor([-2.0, 3.0]), 0.5).tolist()
    [-1.0, 3.0]
    """
    return x.where(x > 0, x * negative_slope)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x where it is positive and alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.elu(tg.tensor([-100.0, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 3.0]
    """
    positive = x > 0
    below = x.where(positive.logical_not(), 0.0)  # exp never sees a positive number, which could overflow
    return x.where(positive, alpha * below.expm1())


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Return x times the share of a normal distribution below x (Hendrycks and Gimpel 2016).

    Args:
        x: any shape.
        approximate: "none", or "tanh" for the formula with tanh that the paper gives as a faster one.

    Raises:
        InputError: any other approximation.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> [round(value, 4) for value in F.gelu(tg.tensor([-1.0, 0.0, 3.0])).tolist()]
    [-0.1587, 0.0, 2.996]
    """
    if approximate == "none":
        return x * ((x * -math.sqrt(0.5)).erfc() * 0.5)  # 1 + erf would lose the digits of the lower tail
    if approximate == "tanh":
        # (1 + tanh(y)) / 2, which is sigmoid(2 y)
        return x * ((x + x * x * x * 0.044715) * math.sqrt(8 / math.pi)).sigmoid()
    raise InputError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")


def softplus(x: Tensor, beta: float = 1.0, threshold: float = math.inf) -> Tensor:
    """Return log(1 + exp(beta * x)) / beta, the smooth approximation of relu, without overflow.

    Args:
        x: any shape.
        beta: how sharp the bend at 0 is.
        threshold: where beta * x is above it, return x itself. Torch does so above 20; here nothing overflows, and
            the result is exact without.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.softplus(tg.tensor([-1000.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """
    scaled = x if beta == 1 else x * beta
    smooth = _positive_part(scaled) + log_one_plus_exp_of_minus_abs(scaled)
    if beta != 1:
        smooth = smooth / beta
    return smooth if threshold == math.inf else x.where(scaled > threshold, smooth)


def _positive_part(x: Tensor) -> Tensor:
    """relu(x), with derivative 1 at 0: so that softplus gets 1/2 there, and 1/4 as its second derivative."""
    return x.where(x >= 0, 0.0)


def log_one_plus_exp_of_minus_abs(x: Tensor) -> Tensor:
    magnitude = x.where(x >= 0, -x)  # abs(x), with derivative 1 at 0 (see _positive_part)
    return (-magnitude).exp().log1p()
