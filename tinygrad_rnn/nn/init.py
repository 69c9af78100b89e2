"""Initialisers: each overwrites a tensor with `assign_` and returns it. Random ones follow `tg.manual_seed`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.dtypes import is_float
from tinygrad_rnn.engine.creation import eye, full, rand, randn, tensor
from tinygrad_rnn.engine.modes import no_grad
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError

__all__ = [
    "chrono_", "constant_", "identity_", "normal_", "ones_", "orthogonal_", "uniform_", "xavier_uniform_", "zeros_",
]  # fmt: skip


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__


def constant_(t: Tensor, value: float) -> Tensor:
    """Set every element to one number.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.init.constant_(tg.zeros(2), 3.0).tolist()
    [3.0, 3.0]
    """
    _must_be_floats(t, "constant_")
    return t.assign_(full(t.shape, arguments.number("constant_: value", value), t.dtype, t.device))


def zeros_(t: Tensor) -> Tensor:
    """Set every element to 0."""
    return constant_(t, 0.0)


def ones_(t: Tensor) -> Tensor:
    """Set every element to 1."""
    return constant_(t, 1.0)


@no_grad()
def uniform_(t: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Draw every element from U(low, high).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> bool(nn.init.uniform_(tg.zeros(100), -0.1, 0.1).abs().max() <= 0.1)
    True
    """
    _must_be_floats(t, "uniform_")
    low, high = arguments.number("uniform_: low", low), arguments.number("uniform_: high", high)
    return t.assign_(rand(t.shape, dtype=t.dtype, device=t.device) * (high - low) + low)


@no_grad()
def normal_(t: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Draw every element from the normal distribution N(mean, std**2)."""
    _must_be_floats(t, "normal_")
    mean, std = arguments.number("normal_: mean", mean), arguments.not_negative("normal_: std", std)
    return t.assign_(randn(t.shape, dtype=t.dtype, device=t.device) * std + mean)


@no_grad()
def chrono_(t: Tensor, longest: float) -> Tensor:
    """Draw the bias of a forget gate from log U(1, longest - 1) (Tallec & Ollivier 2018, equation 16).

    A unit whose gate is sigmoid(log(s - 1)) = 1 - 1 / s forgets within s steps: so memories of 2 to `longest` steps are
    there from the start. The input gate's bias is then minus that of the forget gate.

    Raises:
        InputError: `longest` is not above 2.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> b = nn.init.chrono_(tg.zeros(100), 50)
    >>> bool(b.min() >= 0) and bool(b.max() <= tg.tensor(49.0).log())
    True
    """
    _must_be_floats(t, "chrono_")
    longest = arguments.number("chrono_: longest", longest, "a number above 2", lambda n: 2 < n < math.inf)
    return t.assign_((rand(t.shape, dtype=t.dtype, device=t.device) * (longest - 2) + 1.0).log())


def xavier_uniform_(t: Tensor, gain: float = 1.0) -> Tensor:
    """Draw a weight (out, in) from U(-a, a), a = gain * sqrt(6 / (in + out)) (Glorot & Bengio 2010, eq. 16).

    Raises:
        ShapeError: fewer than two axes.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> bool(nn.init.xavier_uniform_(tg.zeros(3, 3)).abs().max() <= 1.0)
    True
    """
    _must_be_matrix(t, "xavier_uniform_")
    bound = arguments.number("xavier_uniform_: gain", gain) * math.sqrt(6 / max(1, t.shape[0] + t.shape[1]))
    return uniform_(t, -bound, bound)


def orthogonal_(t: Tensor, gain: float = 1.0) -> Tensor:
    """Set a matrix to gain times a random one with orthonormal rows or columns, the fewer of both (Saxe et al. 2014).

    Such a recurrent weight keeps the length of what it multiplies: gradients neither vanish nor explode through it.

    Raises:
        ShapeError: not a matrix.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> w = nn.init.orthogonal_(tg.zeros(3, 3, dtype="float64"))
    >>> bool((w @ w.T - tg.eye(3, dtype="float64")).abs().max() < 1e-12)
    True
    """
    _must_be_matrix(t, "orthogonal_")
    gain = arguments.number("orthogonal_: gain", gain)
    rows, columns = t.shape
    q, r = np.linalg.qr(randn(max(rows, columns), min(rows, columns), dtype="float64").numpy())
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # without this QR prefers some rotations (Mezzadri 2007)
    return t.assign_(tensor(gain * (q if rows >= columns else q.T), t.dtype, t.device))


def identity_(t: Tensor, gain: float = 1.0) -> Tensor:
    """Set a matrix to gain times the identity: a ReLU network starts by copying its state (IRNN, Le et al. 2015).

    Raises:
        ShapeError: not a matrix.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.init.identity_(tg.zeros(2, 2), 0.5).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    _must_be_matrix(t, "identity_")
    gain = arguments.number("identity_: gain", gain)
    rows, columns = t.shape
    return t.assign_(eye(rows, columns, t.dtype, t.device) * gain)


def _must_be_floats(t: Any, what: str) -> None:
    if not isinstance(t, Tensor):
        raise InputError(f"{what} overwrites a tensor, such as layer.weight, not a {type(t).__name__}")
    if not is_float(t.dtype):
        raise DTypeError(f"{what} needs a tensor of floats, not of {t.dtype}")


def _must_be_matrix(t: Any, what: str) -> None:
    _must_be_floats(t, what)
    if t.ndim != 2:
        raise ShapeError(f"{what} needs a matrix (out, in), not a tensor of shape {t.shape}")
