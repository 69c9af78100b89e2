"""Activations as modules, with PyTorch's names and arguments; what they compute is in `functional`."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.axes import accepts_dim
from tinygrad_rnn.engine.creation import full
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.nn.layers import check_tensor
from tinygrad_rnn.nn.module import Module, Parameter

__all__ = [
    "ELU", "GELU", "Hardsigmoid", "Identity", "LeakyReLU", "LogSoftmax", "PReLU", "ReLU", "Sigmoid", "Softmax",
    "Softplus", "Tanh",
]  # fmt: skip


class Identity(Module):
    """x itself: what stands where there is to be no activation."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        check_tensor("Identity", x)
        return x


class Tanh(Module):
    """The hyperbolic tangent as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """Return tanh(x)."""
        check_tensor("Tanh", x)
        return x.tanh()


class Sigmoid(Module):
    """The logistic function as a module; slope is how steep it is, 1 as in PyTorch unless given.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Sigmoid(slope=1000.0)(tg.tensor([-1.0, 0.0, 1.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, slope: float = 1.0) -> None:
        self.slope = arguments.number("Sigmoid: slope", slope)

    def forward(self, x: Tensor) -> Tensor:
        """Return 1 / (1 + exp(-slope * x))."""
        check_tensor("Sigmoid", x)
        return F.sigmoid(x, self.slope)

    def extra_repr(self) -> str:
        return "" if self.slope == 1 else f"slope={self.slope}"


class Hardsigmoid(Module):
    """`functional.hardsigmoid` as a module: slope 1/6 is PyTorch's, 0.2 that of ONNX and of Keras before version 3.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Hardsigmoid()(tg.tensor([-3.0, 0.0, 1.5])).tolist()
    [0.0, 0.5, 0.75]
    """

    def __init__(self, slope: float = 1 / 6) -> None:
        self.slope = arguments.number("Hardsigmoid: slope", slope, "a positive number", lambda s: 0 < s < math.inf)

    def forward(self, x: Tensor) -> Tensor:
        """Return slope * x + 0.5, limited to 0 and 1."""
        check_tensor("Hardsigmoid", x)
        return F.hardsigmoid(x, self.slope)

    def extra_repr(self) -> str:
        return "" if self.slope == 1 / 6 else f"slope={self.slope}"


class ReLU(Module):
    """max(0, x) as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(0, x)."""
        check_tensor("ReLU", x)
        return x.relu()


class LeakyReLU(Module):
    """x where it is positive and negative_slope * x elsewhere (Maas et al. 2013).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.LeakyReLU(0.5)(tg.tensor([-2.0, 3.0])).tolist()
    [-1.0, 3.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = arguments.number("LeakyReLU: negative_slope", negative_slope)

    def forward(self, x: Tensor) -> Tensor:
        """Return max(0, x) + negative_slope * min(0, x)."""
        check_tensor("LeakyReLU", x)
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """A leaky relu whose slope is learned (He et al. 2015).

    Args:
        num_parameters: 1 for a slope that all share, or C for one each along an axis of size C.
        init: what they start from.
        dtype, device: of weight (num_parameters,).
        axis: the axis of size C, 1 as in PyTorch unless given; of (T, B, H) the features are axis=-1.

    The paper says: no weight decay for it, which pushes it to 0, towards the plain relu.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.PReLU()(tg.tensor([-2.0, 3.0])).tolist()
    [-0.5, 3.0]
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, dtype: Any = "float32", device: str = "cpu", axis: int = 1
    ) -> None:
        self.num_parameters = arguments.whole("PReLU: num_parameters", num_parameters)
        self.axis = arguments.whole("PReLU: axis", axis, -math.inf)
        start = arguments.number("PReLU: init", init)
        self.weight = Parameter(full((self.num_parameters,), start, dtype=dtype, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """Return x where it is positive and weight * x elsewhere.

        Raises:
            ShapeError: there is neither one slope nor one for each place along the axis.
        """
        check_tensor("PReLU", x, self.weight)
        return F.prelu(x, self.weight, self.axis)

    def extra_repr(self) -> str:
        return f"{self.num_parameters}" + ("" if self.axis == 1 else f", axis={self.axis}")


class ELU(Module):
    """x where it is positive and alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.ELU(2.0)(tg.tensor([-100.0, 3.0])).tolist()
    [-2.0, 3.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = arguments.number("ELU: alpha", alpha)

    def forward(self, x: Tensor) -> Tensor:
        """Return x, or alpha * (exp(x) - 1) where x is not positive."""
        check_tensor("ELU", x)
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x times the share of a normal distribution below x (Hendrycks & Gimpel 2016); approximate "none" or "tanh".

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> round(nn.GELU()(tg.tensor(1.0)).item(), 4), round(nn.GELU("tanh")(tg.tensor(1.0)).item(), 4)
    (0.8413, 0.8412)
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = arguments.one_of("GELU: approximate", approximate, ("none", "tanh"))

    def forward(self, x: Tensor) -> Tensor:
        """Return x * Phi(x)."""
        check_tensor("GELU", x)
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, the smooth approximation of relu; see `functional.softplus` for the threshold.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Softplus()(tg.tensor([-1000.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    def __init__(self, beta: float = 1.0, threshold: float = math.inf) -> None:
        self.beta = arguments.number("Softplus: beta", beta)
        self.threshold = arguments.number("Softplus: threshold", threshold, "a number", lambda t: t == t)

    def forward(self, x: Tensor) -> Tensor:
        """Return log(1 + exp(beta * x)) / beta."""
        check_tensor("Softplus", x)
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """exp(x) / sum(exp(x)) along an axis, the last one unless given; `dim` is another name for it.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Softmax(dim=0)(tg.tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """

    @accepts_dim
    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Return positive numbers that sum to 1 along the axis."""
        check_tensor("Softmax", x)
        return x.softmax(self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class LogSoftmax(Module):
    """The logarithm of softmax along an axis, the last one unless given, also where that would underflow.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.LogSoftmax()(tg.tensor([0.0, -1000.0])).tolist()
    [0.0, -1000.0]
    """

    @accepts_dim
    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Return x - log(sum(exp(x)))."""
        check_tensor("LogSoftmax", x)
        return F.log_softmax(x, self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"
