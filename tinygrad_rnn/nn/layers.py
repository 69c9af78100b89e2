"""Layers without time: Linear, Maxout, Embedding, Dropout, LayerNorm."""

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

__all__ = ["Dropout", "Embedding", "LayerNorm", "Linear", "Maxout", "check_sizes", "check_tensor"]


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


class Maxout(Module):
    """Units that are the largest of k linear pieces each (Goodfellow et al. 2013, equation 2).

    h_i = max_j z_ij,  z_ij = x^T W_ij + b_ij

    Args:
        in_features, out_features: sizes of the last axis of x (..., in_features) and h (..., out_features).
        pieces: k; a unit is convex in x, and with enough pieces any convex function.
        bias: whether there is a b.
        dropout: in training, the probability of dropping each element of x; it acts before the weights, as in the
            paper, so that no piece of a maximum is dropped.
        dtype, device: of the parameters: weight (out_features * pieces, in_features), bias (out_features * pieces,),
            the pieces of a unit one after the other.

    Both start as those of `Linear`. PyTorch has no such layer.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Maxout(3, 5, pieces=2)(tg.zeros(4, 3)).shape
    (4, 5)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        pieces: int = 2,
        bias: bool = True,
        dropout: float = 0.0,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        sizes = check_sizes("Maxout", in_features=in_features, out_features=out_features, pieces=pieces)
        in_features, out_features, pieces = self.in_features, self.out_features, self.pieces = sizes
        self.dropout = F.check_probability("Maxout: dropout", dropout)
        self.linear = Linear(in_features, out_features * pieces, bias, dtype, device)

    def forward(self, x: Tensor) -> Tensor:
        """Return h (..., out_features).

        Raises:
            InputError, DTypeError, ShapeError: x is no tensor, or not of the parameters' dtype, or does not fit.
        """
        check_tensor("Maxout", x, self.linear.weight)
        return F.maxout(self.linear(F.dropout(x, self.dropout, self.training)), self.pieces)

    def extra_repr(self) -> str:
        shown = f"{self.in_features}, {self.out_features}, pieces={self.pieces}"
        return shown + (f", dropout={self.dropout}" if self.dropout else "")


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
        except InputError as error:
            raise InputError(f"Embedding: {str(error).removeprefix('embedding: ')}") from None

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
