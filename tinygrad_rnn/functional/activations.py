"""Activations. Several look longer than their textbook formula: that overflows, or has a wrong derivative at 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from tinygrad_rnn import arguments
from tinygrad_rnn.engine import methods
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, ShapeError
from tinygrad_rnn.functional.layers import check_tensors

Composed = TypeVar("Composed", bound=Callable[..., Tensor])


def _of_tensor(function: Composed) -> Composed:
    """Return a function of x that raises DTypeError unless x is a tensor."""

    @wraps(function)
    def checked(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_tensors(function.__name__, x=x)
        return function(x, *args, **kwargs)

    return cast(Composed, checked)


softmax = _of_tensor(methods.softmax)
log_softmax = _of_tensor(methods.log_softmax)
logsumexp = _of_tensor(methods.logsumexp)


@_of_tensor
def relu(x: Tensor) -> Tensor:
    """Return max(0, x); its derivative at 0 is 0."""
    return x.relu()


@_of_tensor
def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return x.tanh()


@_of_tensor
def sigmoid(x: Tensor, slope: float = 1.0) -> Tensor:
    """Return 1 / (1 + exp(-slope * x)), the logistic function; it is steepest at 0, slope / 4.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.sigmoid(tg.tensor([-1000.0, 0.0, 1.0]), slope=1000.0).tolist()
    [0.0, 0.5, 1.0]
    """
    return (x if slope == 1 else x * slope).sigmoid()


@_of_tensor
def hardsigmoid(x: Tensor, slope: float = 1 / 6) -> Tensor:
    """Return slope * x + 0.5, limited to 0 and 1: a logistic function of straight lines.

    Two are in use. PyTorch's, relu6(x + 3) / 6, is the one with the slope 1/6, also in Keras 3. That of Theano, ONNX
    and older versions of Keras, 0.2 x + 0.5, has slope=0.2. Where it is 0 or 1 its derivative is 0, also at the bends.

    Raises:
        InputError: the slope is no positive number.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.hardsigmoid(tg.tensor([-3.0, 0.0, 1.5])).tolist(), F.hardsigmoid(tg.tensor([-2.5, 0.0, 1.25]), 0.2).tolist()
    ([0.0, 0.5, 0.75], [0.0, 0.5, 0.75])
    """
    slope = arguments.number("hardsigmoid: slope", slope, "a positive number", lambda found: 0 < found < math.inf)
    outside = x.abs() >= 0.5 / slope  # False where x is NaN, so that the result is
    return (x > 0).cast(x.dtype).where(outside, x * slope + 0.5)


@_of_tensor
def heaviside(x: Tensor, at_zero: Tensor | float = 1.0) -> Tensor:
    """Return 1 where x > 0, 0 where x < 0 and at_zero at 0: the threshold of a neuron (McCulloch & Pitts 1943).

    It fires from 0 on unless at_zero is 0; F.heaviside(x - theta) fires from theta on. Its gradient is 0 everywhere,
    also at 0, where the function jumps and has no derivative. So backward() runs and leaves zeros: nothing below a
    threshold learns by gradient descent. Use a steep `sigmoid` where it should. Torch's has no gradient, and no value
    at 0 of its own.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> x = tg.tensor([-1.0, 0.0, 3.0], requires_grad=True)
    >>> y = F.heaviside(x)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([0.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    """
    step = (x > 0).cast(x.dtype).where(x != 0, at_zero)
    return x.where(x != x, step)  # x only where it is NaN: an edge of the graph through which zeros go back


@_of_tensor
def prelu(x: Tensor, weight: Tensor, axis: int = 1) -> Tensor:
    """Return x where it is positive and weight * x elsewhere: a leaky relu whose slope is learned (He et al. 2015).

    Args:
        x: any shape.
        weight: (1,) or () for one slope, or (C,) for one along an axis of size C.
        axis: which, axis 1 as in PyTorch unless given; of (T, B, H) the features are axis=-1.

    Raises:
        InputError: the axis is no whole number.
        ShapeError: the weight has another size than the axis, or more than one axis.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.prelu(tg.tensor([[-2.0, -2.0, 3.0]]), tg.tensor([0.5, 0.25, 0.0])).tolist()
    [[-1.0, -0.5, 3.0]]
    """
    check_tensors("prelu", weight=weight)
    axis = arguments.whole("prelu: axis", axis, -math.inf)
    if weight.size != 1 or weight.ndim > 1:
        if weight.ndim != 1 or not -x.ndim <= axis < x.ndim or x.shape[axis] != weight.shape[0]:
            raise ShapeError(
                f"prelu: the weight must be (1,), or have one slope for each place along axis {axis} of x {x.shape}, "
                f"not shape {weight.shape}"
            )
        weight = weight.reshape(tuple([-1 if place == axis % x.ndim else 1 for place in range(x.ndim)]))
    elif weight.ndim:
        weight = weight.reshape(())
    return x.where(x > 0, x * weight)


@_of_tensor
def maxout(x: Tensor, pieces: int, axis: int = -1) -> Tensor:
    """Return the largest of every `pieces` neighbours along an axis (Goodfellow et al. 2013).

    Args:
        x: (..., m * pieces, ...), the pieces z_ij of unit i one after the other; `nn.Maxout` computes them.
        pieces: k, how many there are of each unit. Pieces that tie share the gradient equally.
        axis: where they are.

    Returns:
        (..., m, ...), h_i = max_j z_ij.

    Raises:
        InputError: pieces is no positive whole number, or the axis no whole number.
        ShapeError: the axis does not consist of whole units.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.maxout(tg.tensor([1.0, 3.0, -1.0, -2.0]), 2).tolist()
    [3.0, -1.0]
    """
    pieces, axis = arguments.whole("maxout: pieces", pieces), arguments.whole("maxout: axis", axis, -math.inf)
    if not -x.ndim <= axis < x.ndim or x.shape[axis] % pieces:
        raise ShapeError(f"maxout: axis {axis} of x {x.shape} does not consist of units of {pieces} pieces")
    axis = axis % x.ndim
    units = x.shape[axis] // pieces
    return x.reshape((*x.shape[:axis], units, pieces, *x.shape[axis + 1 :])).max(axis + 1)


@_of_tensor
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Return x where it is positive and negative_slope * x elsewhere (Maas et al. 2013).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.leaky_relu(tg.tensor([-2.0, 3.0]), 0.5).tolist()
    [-1.0, 3.0]
    """
    return x.where(x > 0, x * negative_slope)


@_of_tensor
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


@_of_tensor
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


@_of_tensor
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
