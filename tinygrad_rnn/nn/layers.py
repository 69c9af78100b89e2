"""Layers without time: Linear, Embedding, Dropout, LayerNorm, and activations as modules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import ones, zeros
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DeviceError, DTypeError, InputError
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.module import Module, Parameter


def check_sizes(what: str, **sizes: int) -> None:
    """Raise InputError unless every size is a positive whole number."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
            raise InputError(f"{what}: {name} must be a positive whole number, not {size!r}")


def check_flags(what: str, **flags: bool) -> None:
    """Raise InputError unless every flag is True or False: the text "False" would count as True."""
    for name, flag in flags.items():
        if not isinstance(flag, bool | np.bool_):
            raise InputError(f"{what}: {name} must be True or False, not {flag!r}")


def check_tensor(what: str, x: Any, weight: Tensor | None = None) -> None:
    """Raise an error unless the input of a module is a tensor, beside the weight, and of its dtype if it holds floats.

    Raises:
        InputError: x is a list, an array or anything else.
        DTypeError: x is float64 and the weight float32, or the other way round.
        DeviceError: x is on another device than the weight.
    """
    if not isinstance(x, Tensor):
        kind = "an array" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise InputError(f"{what}: the input must be a tensor, not {kind}; pass tg.tensor(...) of it")
    if weight is None:
        return
    if x.dtype is not weight.dtype and dtypes.is_float(x.dtype) and x.dtype != weight.dtype:
        raise DTypeError(
            f"{what}: the input is {x.dtype} and the parameters are {weight.dtype}; convert one of them: "
            f"x.cast('{weight.dtype}'), or {what}(..., dtype='{x.dtype}')"
        )
    if x.device != weight.device:
        raise DeviceError(
            f"{what}: the input is on {x.device} and the parameters are on {weight.device}; move one of them: "
            f"x.to('{weight.device}'), or module.to('{x.device}')"
        )


class Linear(Module):
    """y = x @ weight.T + bias.

    Args:
        in_features, out_features: sizes of the last axis of x (..., in_features) and y (..., out_features).
        bias: whether to add one.
        dtype, device: of the parameters: weight (out_features, in_features), bias (out_features,).

    Both start from U(-1/sqrt(in_features), 1/sqrt(in_features)), as in PyTorch.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Linear(3, 5)(tg.zeros(2, 3)).shape
    (2, 5)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = "float32", device: str = "cpu"
    ) -> None:
        check_sizes("Linear", in_features=in_features, out_features=out_features)
        check_flags("Linear", bias=bias)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(zeros(out_features, in_features, dtype=dtype, device=device))
        self.bias = Parameter(zeros(out_features, dtype=dtype, device=device)) if bias else None
        bound = 1 / math.sqrt(in_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return x @ weight.T + bias.

        Raises:
            InputError, DTypeError, ShapeError: x is no tensor, or not of the parameters' dtype, or does not fit.
        """
        check_tensor("Linear", x, self.weight)
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")


class Embedding(Module):
    """A table of num_embeddings vectors, looked up by integer ids: (...) -> (..., embedding_dim).

    The weight (num_embeddings, embedding_dim) starts from N(0, 1), as in PyTorch.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Embedding(65, 16)(tg.tensor([[1, 2, 3]])).shape
    (1, 3, 16)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, dtype: Any = "float32", device: str = "cpu") -> None:
        check_sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(zeros(num_embeddings, embedding_dim, dtype=dtype, device=device))
        init.normal_(self.weight)

    def forward(self, ids: Any) -> Tensor:
        """Return the rows of the table at the ids."""
        return F.embedding(ids, self.weight)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(Module):
    """In training, zero each element with probability p and scale the others by 1 / (1 - p) (Srivastava et al. 2014).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Dropout(0.5).eval()(tg.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        F.check_probability(p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return x with a fresh random mask applied, or x itself outside training."""
        check_tensor("Dropout", x)
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class LayerNorm(Module):
    """Normalise the last axes to mean 0 and variance 1, then scale and shift (Ba et al. 2016).

    Args:
        normalized_shape: their sizes; a whole number stands for the last axis.
        eps: keeps a constant row from dividing by 0.
        elementwise_affine: whether there is a weight, and a bias, of the normalized shape.
        bias: whether there is a bias beside the weight.
        dtype, device: of weight (ones) and bias (zeros).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> [round(value, 3) for value in nn.LayerNorm(2)(tg.tensor([1.0, 3.0])).tolist()]
    [-1.0, 1.0]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        shape = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (normalized_shape,)
        check_sizes("LayerNorm", **{f"normalized_shape[{i}]": size for i, size in enumerate(shape)})
        check_flags("LayerNorm", elementwise_affine=elementwise_affine, bias=bias)
        self.normalized_shape, self.eps = shape, eps
        self.weight = Parameter(ones(shape, dtype=dtype, device=device)) if elementwise_affine else None
        self.bias = Parameter(zeros(shape, dtype=dtype, device=device)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - mean) / sqrt(var + eps) * weight + bias."""
        check_tensor("LayerNorm", x, self.weight)
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


class Tanh(Module):
    """The hyperbolic tangent as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """Return tanh(x)."""
        check_tensor("Tanh", x)
        return x.tanh()


class Sigmoid(Module):
    """The logistic function as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """Return 1 / (1 + exp(-x))."""
        check_tensor("Sigmoid", x)
        return x.sigmoid()


class ReLU(Module):
    """max(0, x) as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(0, x)."""
        check_tensor("ReLU", x)
        return x.relu()
