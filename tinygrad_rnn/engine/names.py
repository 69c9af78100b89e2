"""The names that people bring along from PyTorch and NumPy: thin ones for what is there, an answer for what is not.

`float`, `int`, `bool` and `type` are methods here and not in `Tensor`, in whose body they would hide Python's own.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn, cast

from tinygrad_rnn import arguments, dtypes
from tinygrad_rnn.engine import axes, methods
from tinygrad_rnn.errors import ShapeError

if TYPE_CHECKING:
    from typing import Self

    from tinygrad_rnn.engine.tensor import Tensor


class Size(int):
    """The number of elements, as NumPy's `x.size`; called, it is torch's `x.size()`: the shape, or one axis of it."""

    shape: tuple[int, ...]

    def __call__(self, axis: int | None = None, *, dim: int | None = None) -> Any:
        axis = dim if axis is None else axis
        return self.shape if axis is None else self.shape[axes.one_axis(axis, len(self.shape), "size")]

    def __reduce__(self) -> Any:
        return int, (int(self),)


class Names:
    """What `Tensor` inherits; the methods behind these names are in `Tensor` and `methods.py`."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in INSTEAD]

    # ---- what it is --------------------------------------------------------------------------------------------

    def dim(self) -> int:
        """Return the number of axes: `ndim`."""
        return _tensor(self).ndim

    def numel(self) -> int:
        """Return the number of elements: `size`."""
        return int(_tensor(self).size)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad`; returns itself."""
        _tensor(self).requires_grad = requires_grad
        return self

    # ---- shapes ------------------------------------------------------------------------------------------------

    def view(self, *shape: Any) -> Tensor:
        """Return `reshape(*shape)`, which copies where a view cannot be had."""
        return _tensor(self).reshape(*shape)

    def ravel(self) -> Tensor:
        """Return `flatten()`."""
        return methods.flatten(_tensor(self))

    def swapaxes(self, axis1: Any, axis2: Any) -> Tensor:
        """Return `transpose(axis1, axis2)`."""
        return _tensor(self).transpose(axis1, axis2)

    def t(self) -> Tensor:
        """Return the transpose of a matrix; a vector or a number stays as it is.

        Raises:
            ShapeError: there are more than two axes.
        """
        x = _tensor(self)
        if x.ndim > 2:
            raise ShapeError(f"t: shape {x.shape} has {x.ndim} axes; use permute, transpose(dim0, dim1) or .T")
        return x.T

    def expand(self, *shape: Any) -> Tensor:
        """Return `broadcast_to(*shape)`, where -1 keeps a size.

        Raises:
            ShapeError: the tensor does not broadcast to that shape, or -1 stands for an axis that it does not have.
        """
        x, sizes = _tensor(self), _sizes(shape)
        new = len(sizes) - x.ndim
        if new < 0 or any(size < -1 or (size == -1 and i < new) for i, size in enumerate(sizes)):
            raise ShapeError(f"expand: shape {x.shape} cannot become {sizes}; -1 keeps the size of an axis it has")
        return x.broadcast_to(tuple(x.shape[i - new] if size == -1 else size for i, size in enumerate(sizes)))

    def repeat(self, *times: Any) -> Tensor:
        """Return so many copies along every axis, one after the other as in torch (NumPy calls it `tile`).

        Raises:
            ShapeError: there are fewer numbers than axes, or one is negative.
        """
        x, counts = _tensor(self), _sizes(times)
        new = len(counts) - x.ndim
        if new < 0 or any(count < 0 for count in counts):
            raise ShapeError(f"repeat: give a number of copies for each axis of shape {x.shape}, not {counts}")
        shape = (1,) * new + x.shape
        apart = x.reshape(tuple(size for pair in zip((1,) * len(shape), shape, strict=True) for size in pair))
        copies = apart.broadcast_to(tuple(size for pair in zip(counts, shape, strict=True) for size in pair))
        return copies.reshape(tuple(count * size for count, size in zip(counts, shape, strict=True)))

    # ---- dtypes ------------------------------------------------------------------------------------------------

    def type(self, dtype: Any) -> Tensor:
        """Return `cast(dtype)`."""
        return _tensor(self).cast(dtype)

    astype = type

    def float(self) -> Tensor:
        """Return `cast("float32")`."""
        return _tensor(self).cast(dtypes.float32)

    def double(self) -> Tensor:
        """Return `cast("float64")`."""
        return _tensor(self).cast(dtypes.float64)

    def long(self) -> Tensor:
        """Return `cast("int64")`."""
        return _tensor(self).cast(dtypes.int64)

    int = long

    def bool(self) -> Tensor:
        """Return `cast("bool")`."""
        return _tensor(self).cast(dtypes.bool_)

    # ---- values ------------------------------------------------------------------------------------------------

    def clone(self) -> Tensor:
        """Return `copy()`: a copy that stays in the graph."""
        return _tensor(self).copy()

    def masked_fill(self, mask: Any, value: Any) -> Tensor:
        """Return the value where mask (bool) holds and the elements elsewhere."""
        x = _tensor(self)
        return x._operand(value).where(mask, x)

    def pow(self, exponent: Any) -> Tensor:
        """Return `self ** exponent`."""
        return _tensor(self) ** exponent

    def clamp(self, min: Any = None, max: Any = None) -> Tensor:
        """Return `clip(min, max)`."""
        return methods.clip(_tensor(self), min, max)


def _tensor(x: Names) -> Tensor:
    return cast("Tensor", x)


def _sizes(given: tuple[Any, ...]) -> tuple[int, ...]:
    sizes = given[0] if len(given) == 1 and isinstance(given[0], tuple | list) else given
    return tuple(operator.index(size) for size in sizes)


# ---- what is not there ---------------------------------------------------------------------------------------------

_NEW_TENSOR = "tensors are not changed in place: write x = x.{name}(...), or overwrite a leaf with x.assign_(value)"
_OVERWRITE = "tensors are not changed in place: overwrite a leaf with x.assign_({value})"

#: What `Tensor` leaves out on purpose, and what to write instead.
INSTEAD = {
    "data": "x.detach() shares its memory without history, x.numpy() is a read-only view of it, and x.assign_(value) "
    "overwrites a leaf",
    "cuda": 'write x.to("cuda")',
    "cpu": 'write x.to("cpu")',
    "is_cuda": 'write x.device == "cuda"',
    "grad_fn": "x.is_leaf tells whether an op made it; tinygrad_rnn.viz.listing(x) shows how",
    "half": "there are float32 and float64; write x.float()",
    "contiguous": "no function here asks for it; x.copy() is contiguous",
    "scatter_add": "x.take(index, axis) reads at positions, and its gradient adds there",
    "values": "max and min return the values alone; see x.argmax(axis) and x.argmin(axis)",
    "indices": "max and min return the values alone; see x.argmax(axis) and x.argmin(axis)",
    **dict.fromkeys(("mm", "bmm", "mv", "dot"), "write x @ y"),
    **{
        operation: f"write x {sign} y"
        for operation, sign in {
            "add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">",
            "ge": ">=",
        }.items()
    },
    "zero_": _OVERWRITE.format(value="tg.zeros_like(x)"),
    "fill_": _OVERWRITE.format(value="tg.full(x.shape, value)"),
    "copy_": _OVERWRITE.format(value="value"),
    "normal_": "see tinygrad_rnn.nn.init, or overwrite a leaf with x.assign_(tg.randn(*x.shape))",
    "uniform_": "see tinygrad_rnn.nn.init, or overwrite a leaf with x.assign_(tg.rand(*x.shape))",
    "detach_": "write x = x.detach()",
    **{
        f"{operation}_": f"tensors are not changed in place: write x = x {sign} y, or x.assign_(x {sign} y) for a leaf"
        for operation, sign in {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}.items()
    },
    **{
        f"{name}_": _NEW_TENSOR.format(name=name)
        for name in (
            "abs", "clamp", "clip", "cos", "exp", "expm1", "floor", "log", "log1p", "masked_fill", "neg", "reciprocal",
            "relu", "sigmoid", "sign", "sin", "sqrt", "square", "squeeze", "tanh", "transpose", "tril", "triu",
            "unsqueeze",
        )
    },
}  # fmt: skip


class _Missing:
    """An attribute that is not there: `hasattr` says so, and reading or setting it tells what to write instead.

    (A `__getattr__` would make every attribute of every tensor twice as slow to read.)
    """

    def __init__(self, name: str, instead: str) -> None:
        self.message = f"a Tensor has no {name!r}: {instead}"

    def __get__(self, x: Any, kind: Any = None) -> NoReturn:
        raise AttributeError(self.message)

    def __set__(self, x: Any, value: Any) -> NoReturn:
        raise AttributeError(self.message)


for _name, _instead in INSTEAD.items():
    setattr(Names, _name, _Missing(_name, _instead))


#: What the modules of this package do not have, and what to write instead.
ELSEWHERE = {
    "device": "a device is a text: tg.zeros(2, device='cuda')",
    "cuda": "tensors and modules take device='cuda'; python -m tinygrad_rnn doctor says what is there",
    "functional": "write from tinygrad_rnn import functional as F",
    "lr_scheduler": "schedules are in optim itself, optim.StepLR and others; or set optimizer.lr = ... between steps",
    "Tensor": "write from tinygrad_rnn import Tensor",
}


def no_such_name(module: str, name: str, there: Iterable[str]) -> AttributeError:
    """Return the error for a name that a module does not have, with the nearest of those there are."""
    hint = f": {ELSEWHERE[name]}" if name in ELSEWHERE else arguments.suggestion(name, there, most=3)
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint}")
