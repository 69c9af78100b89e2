"""Convolution over images, as far as a decoder needs it to have something to look at: no strides, no dilation."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import stack, zeros
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import ShapeError
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.layers import check_sizes, check_tensor
from tinygrad_rnn.nn.module import Module, Parameter

__all__ = ["Conv2d", "max_pool2d"]


class Conv2d(Module):
    """Every place of an image and its neighbours through the same weights, with a step of one place.

    y_o(i, j) = sum_{c, k, l} W_ockl x_c(i + k, j + l) + b_o,   x being padded by zeros

    (LeCun et al. 1989; as in PyTorch, a cross-correlation.) The neighbours of every place are laid out side by side, so
    that it is a matrix product.

    Args:
        in_channels, out_channels: C and O.
        kernel_size: K, the height and width of a neighbourhood.
        padding: rows and columns of zeros around the image, by name: in PyTorch a stride comes before it.
        bias: whether there is a b.
        dtype, device: of the parameters: weight (O, C, K, K), bias (O,).

    Both start from U(-1/sqrt(C K K), 1/sqrt(C K K)), as in PyTorch.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.nn.conv import Conv2d
    >>> Conv2d(3, 5, kernel_size=3, padding=1)(tg.zeros(2, 3, 8, 64)).shape
    (2, 5, 8, 64)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        padding: int = 0,
        bias: bool = True,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        sizes = check_sizes("Conv2d", in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size)
        self.in_channels, self.out_channels, self.kernel_size = sizes
        self.padding = arguments.whole("Conv2d: padding", padding, least=0)
        shape = self.out_channels, self.in_channels, self.kernel_size, self.kernel_size
        self.weight = Parameter(zeros(*shape, dtype=dtype, device=device))
        has_bias = arguments.flag("Conv2d: bias", bias)
        self.bias = Parameter(zeros(self.out_channels, dtype=dtype, device=device)) if has_bias else None
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, O, Y + 2 padding - K + 1, X + 2 padding - K + 1) from images (B, C, Y, X).

        Raises:
            InputError, DTypeError, DeviceError: x is no tensor, or does not fit the parameters.
            ShapeError: it is not (B, C, Y, X), or has no room for a neighbourhood.
        """
        check_tensor("Conv2d", x, self.weight)
        size, around = self.kernel_size, self.padding
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) + 2 * around < size:
            raise ShapeError(
                f"Conv2d: the input must be (B, {self.in_channels}, Y, X), Y and X at least {size - 2 * around}, not "
                f"{x.shape}"
            )
        x = x.pad([(0, 0), (0, 0), (around, around), (around, around)]) if around else x
        batch, channels, high, wide = x.shape
        rows, columns = high - size + 1, wide - size + 1
        neighbours = stack([x[..., k : k + rows, j : j + columns] for k in range(size) for j in range(size)], axis=2)
        laid_out = neighbours.reshape(batch, channels * size * size, rows * columns)
        y = self.weight.reshape(self.out_channels, -1) @ laid_out
        y = y if self.bias is None else y + self.bias.unsqueeze(-1)
        return y.reshape(batch, self.out_channels, rows, columns)

    def extra_repr(self) -> str:
        shown = f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, padding={self.padding}"
        return shown + ("" if self.bias is not None else ", bias=False")


def max_pool2d(x: Tensor, size: int) -> Tensor:
    """Return the largest of every square of size * size places of images (..., Y, X): (..., Y / size, X / size).

    Largest ones that are equal share the gradient, where PyTorch gives it to one of them.

    Raises:
        InputError: the size is no positive whole number.
        ShapeError: it does not divide Y and X.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.nn.conv import max_pool2d
    >>> max_pool2d(tg.arange(8).reshape(1, 2, 4), 2).tolist()
    [[[5, 7]]]
    """
    size = arguments.whole("max_pool2d: size", size)
    if x.ndim < 2 or x.shape[-1] % size or x.shape[-2] % size:
        raise ShapeError(f"max_pool2d: the last two axes must be multiples of {size}, not {x.shape}")
    *leading, high, wide = x.shape
    return x.reshape(*leading, high // size, size, wide // size, size).max(axis=(-3, -1))
