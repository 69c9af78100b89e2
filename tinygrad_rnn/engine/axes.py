"""How methods read their arguments: axes and sizes in all the ways in which people give them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar

import numpy as np

from tinygrad_rnn.errors import DTypeError, ShapeError

if TYPE_CHECKING:
    from tinygrad_rnn.engine.tensor import Tensor

Axes = int | Sequence[int] | None
_Function = TypeVar("_Function", bound=Callable[..., Any])


def accepts_dim(function: _Function) -> _Function:
    """Let a function take torch's keyword names, `dim` or `dims` and `keepdim`, for `axis` and `keepdims`."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if "dim" in kwargs or "keepdim" in kwargs or "dims" in kwargs:
            _rename(kwargs, function.__name__)
        return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]  # a wrapper with the signature of what it wraps


def accepts_unbiased(function: _Function) -> _Function:
    """Let `var` and `std` take `unbiased`, by keyword or as the first argument, and NumPy's `ddof`: the correction."""

    @wraps(function)
    def wrapper(x: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], bool):
            kwargs["unbiased"] = args[0]
            args = (None, *args[1:])
        for name in ("unbiased", "ddof"):
            if name in kwargs:
                if "correction" in kwargs or len(args) > 1:
                    raise TypeError(f"{function.__name__}() got both 'correction' and {name!r}: give one of them")
                kwargs["correction"] = int(kwargs.pop(name))
        return function(x, *args, **kwargs)

    return wrapper  # type: ignore[return-value]  # a wrapper with the signature of what it wraps


def _rename(kwargs: dict[str, Any], what: str) -> None:
    for torch_name, name in (("dim", "axis"), ("dims", "axis"), ("keepdim", "keepdims")):
        if torch_name in kwargs:
            if name in kwargs:
                raise TypeError(f"{what}() got both {name!r} and {torch_name!r}: give one of them")
            kwargs[name] = kwargs.pop(torch_name)


def one_axis(axis: SupportsIndex, ndim: int, what: str) -> int:
    """Return an axis as a non-negative int.

    Raises:
        DTypeError: it is no whole number.
        ShapeError: the tensor has no such axis.
    """
    try:
        axis = operator.index(axis)
    except TypeError:
        raise DTypeError(f"{what}: axis must be a whole number, not {axis!r}") from None
    if not -ndim <= axis < ndim:
        raise ShapeError(f"{what}: axis {axis} is out of range for a tensor with {ndim} axes")
    return axis % ndim


def all_axes(axis: Axes, ndim: int, what: str) -> tuple[int, ...]:
    """Return axes as a sorted tuple of distinct non-negative ints; None means all of them.

    A number has no axes, yet takes 0 and -1 for all of them, as in NumPy and torch.

    Raises:
        DTypeError: an axis is no whole number.
        ShapeError: the tensor has no such axis, or one is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, int | np.integer):
        return (one_axis(axis, ndim, what),) if ndim else _no_axes((axis,), what)
    if not isinstance(axis, Iterable):
        return (one_axis(axis, ndim, what),)  # which says what is wrong with it
    if not ndim:
        return _no_axes(tuple(axis), what)
    axes = tuple(sorted(one_axis(a, ndim, what) for a in axis))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{what}: axis {tuple(axis)} names one axis twice")
    return axes


def _no_axes(axis: tuple[SupportsIndex, ...], what: str) -> tuple[int, ...]:
    for a in axis:
        one_axis(a, 1, what)
    return ()


def one_tuple(given: tuple[Any, ...]) -> tuple[int, ...]:
    """Accept f(2, 3), f((2, 3)) and f([2, 3]); DTypeError unless all of them are whole numbers."""
    if len(given) == 1 and isinstance(given[0], tuple | list):
        given = tuple(given[0])
    try:
        return tuple([operator.index(size) for size in given])
    except TypeError:
        raise DTypeError(f"sizes and axes must be whole numbers, not {', '.join(map(repr, given))}") from None


def inferred(shape: tuple[int, ...], x: Tensor) -> tuple[int, ...]:
    """Replace the single -1 of a shape by the size that keeps the number of elements.

    Raises:
        ShapeError: no size does, several do, or more than one size is negative.
    """
    known = 1
    for size in shape:
        known *= 1 if size == -1 else size
    if shape.count(-1) > 1 or min(shape) < -1 or known == 0 or x.size % known:
        raise ShapeError(f"reshape: shape {x.shape} does not determine the negative size in {shape}")
    return tuple(x.size // known if size == -1 else size for size in shape)


def dtype_and_device(where: Sequence[Any], dtype: Any, device: str | None) -> tuple[Any, str | None]:
    """Return the dtype and the device that the arguments of a `to` name, by position or keyword."""
    for given in where:
        if isinstance(given, str) and given.partition(":")[0] in ("cpu", "cuda"):
            device = given
        else:
            dtype = given
    return dtype, device
