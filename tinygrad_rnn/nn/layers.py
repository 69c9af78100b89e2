"""Layers without time: Linear, Embedding, Dropout, LayerNorm, and activations as modules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import arguments, dtypes
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import ones, zeros
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DeviceError, DTypeError, InputError, ShapeError
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.module import Module, Parameter

__all__ = ["Dropout", "Embedding", "LayerNorm", "Linear", "ReLU", "Sigmoid", "Tanh", "check_sizes", "check_tensor"]


def check_sizes(what: str, **sizes: Any) -> list[int]:
    """Return the sizes as ints; InputError unless every one is a positive whole number."""
    return [arguments.whole(f"{what}: {name}", size) for name, size in sizes.items()]


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
        sizes = check_sizes("Linear", in_features=in_features, out_features=out_features)
        in_features, out_features = self.in_features, self.out_features = sizes
        bias = arguments.flag("Linear: bias", bias)
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
        try:
            return F.linear(x, self.weight, self.bias)
        except ShapeError:
            if x.ndim and x.shape[-1] == self.weight.shape[-1]:
                raise
            given = f"{x.shape[-1]}, in the shape {x.shape}" if x.ndim else "without axes"
            raise ShapeError(
                f"Linear: the last axis of the input must be in_features = {self.weight.shape[-1]}, but it is {given}"
            ) from None

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
        sizes = check_sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        num_embeddings, embedding_dim = self.num_embeddings, self.embedding_dim = sizes
        self.weight = Parameter(zeros(num_embeddings, embedding_dim, dtype=dtype, device=device))
        init.normal_(self.weight)

    def forward(self, ids: Any) -> Tensor:
        """Return the rows of the table at the ids.

        Raises:
            IndexRangeError: an id is not within 0 and num_embeddings - 1, where that can be seen without waiting.
            InputError, DTypeError: the ids are no array, or not of integers.
        """
        try:
            return F.embedding(ids, self.weight)
        except DTypeError as error:
            raise DTypeError(f"Embedding: the ids must be integers: {error}") from None
        except ValueError as error:
            raise InputError(f"Embedding: the ids form no array ({error})") from None

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
        self.p = F.check_probability("Dropout: p", p)

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
        given = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (normalized_shape,)
        shape = tuple(arguments.whole(f"LayerNorm: normalized_shape[{i}]", size) for i, size in enumerate(given))
        affine = arguments.flag("LayerNorm: elementwise_affine", elementwise_affine)
        bias = arguments.flag("LayerNorm: bias", bias)
        self.normalized_shape, self.eps = shape, arguments.not_negative("LayerNorm: eps", eps)
        self.weight = Parameter(ones(shape, dtype=dtype, device=device)) if affine else None
        self.bias = Parameter(zeros(shape, dtype=dtype, device=device)) if affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - mean) / sqrt(var + eps) * weight + bias.

        Raises:
            InputError, DTypeError, DeviceError: x is no tensor, or not of the parameters' dtype, or not beside them.
            ShapeError: the last axes of x are not `normalized_shape`.
        """
        check_tensor("LayerNorm", x, self.weight)
        shape = self.normalized_shape
        if x.ndim < len(shape) or x.shape[x.ndim - len(shape) :] != shape:
            axes, sizes = ("axis", shape[0]) if len(shape) == 1 else ("axes", shape)
            raise ShapeError(
                f"LayerNorm: the last {axes} of the input must be normalized_shape = {sizes}, but the input has shape "
                f"{x.shape}"
            )
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
