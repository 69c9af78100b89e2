"""Tensor: a handle on one output of one node, and its methods."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, ClassVar, Self, SupportsIndex

import numpy as np

from tinygrad_rnn import backends, dtypes
from tinygrad_rnn.engine import autograd, indexing, methods, numpy_calls, ops
from tinygrad_rnn.engine.applying import apply
from tinygrad_rnn.engine.axes import (
    Axes,
    accepts_dim,
    all_axes,
    dtype_and_device,
    inferred,
    one_axis,
    one_tuple,
)
from tinygrad_rnn.engine.constants import constant
from tinygrad_rnn.engine.graph import Edge, HookHandle, Node, Op, Storage, attaching, next_serial
from tinygrad_rnn.engine.modes import ROLES, check_name, modes
from tinygrad_rnn.engine.names import Names, Size
from tinygrad_rnn.engine.recorder import Made
from tinygrad_rnn.errors import (
    DeviceError,
    DTypeError,
    GraphError,
    InputError,
    ShapeError,
)

Scalar = bool | int | float
Operand = "Tensor | Scalar | np.ndarray"


class Tensor(Names):
    """An n-dimensional array that remembers how it was computed.

    Make one with `tinygrad_rnn.tensor` and its kin. Values are immutable but for `assign_` on leaves.

    Raises:
        TypeError: it is called; `tinygrad_rnn.tensor(data)` and its kin make tensors.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_data", "_index", "_node")
    __array_ufunc__ = numpy_calls.ufunc_call  # np.exp(x), and np.ones(2) * x: tensors in the graph
    __array_function__ = numpy_calls.function_call
    __hash__ = object.__hash__  # identity, although == compares elements

    #: What differentiates it; see `engine.protocol`.
    engine: ClassVar[ModuleType] = autograd

    #: Set by viz when it is imported: the graph behind a tensor as SVG, or None; this floor cannot draw.
    shown_as: ClassVar[Callable[[Tensor], str | None] | None] = None

    _node: Node
    _index: int
    _data: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("make tensors with tinygrad_rnn.tensor(data), zeros, ones, randn, ...; Tensor is their type")

    # ---- construction ------------------------------------------------------------------------------------------

    @classmethod
    def _leaf(cls, data: Any, backend: ModuleType, requires_grad: bool = False, made: Made | None = None) -> Self:
        """Wrap an array of a backend as a leaf; `made` says how, if from nothing but numbers of the program."""
        node = Node((data,), backend)
        if modes.recorders:
            node.serial = next_serial()
            for recorder in modes.recorders:
                recorder.leaf(node, made)
        leaf = cls._from_edge(node, 0)
        if requires_grad:
            leaf._require_grad()
        return leaf

    @classmethod
    def _leaf_of(cls, source: Tensor, requires_grad: bool = False) -> Self:
        """Return a leaf in the memory of a tensor."""
        node = Node((source._data,), source._node.backend)
        node.storage = source._node.shared_storage()
        if modes.recorders:
            node.serial = next_serial()
            for recorder in modes.recorders:
                recorder.detached(node, source)
        leaf = cls._from_edge(node, 0)
        if requires_grad:
            leaf._require_grad()
        return leaf

    def _require_grad(self) -> None:
        if not dtypes.is_float(self.dtype):
            raise DTypeError(
                f"only floats can require grad, not {self.dtype}; pass dtype='float32', or write 1.0 for 1"
            )
        self._node.requires_grad = True

    @classmethod
    def _from_edge(cls, node: Node, index: int) -> Self:
        handle = object.__new__(cls)  # a subclass may have a __new__ that wants data
        handle._node = node
        handle._index = index
        handle._data = node.outputs[index]
        return handle

    def _like(self, value: Scalar) -> Tensor:
        """Return a constant tensor with the shape, dtype and device of this one."""
        return self._filled(self.shape, value)

    def _zeros(self, shape: tuple[int, ...]) -> Tensor:
        """Return zeros of a shape with the dtype and device of this one."""
        return self._filled(shape, 0)

    def _filled(self, shape: tuple[int, ...], value: Scalar) -> Tensor:
        backend, dtype = self._node.backend, self.dtype
        made = Made.full(shape, value, dtype) if modes.recorders else None
        return Tensor._leaf(backend.fill(shape, value, dtype), backend, made=made)

    def _beside(self, array: np.ndarray, made: Made | None = None) -> Tensor:
        """Return a copy of an array as a tensor on the device of this one; `made` as in `_leaf`."""
        backend = self._node.backend
        array = np.array(array, dtype=dtypes.of_array(array), order="C")
        return Tensor._leaf(backend.from_numpy(array), backend, made=made)

    @property
    def edge(self) -> Edge:
        """Where it stands in the graph: its node, and which output of the node it is."""
        return (self._node, self._index)

    # ---- what it is --------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> Size:
        """The number of elements; x.size() is the shape and x.size(0) the size of an axis, as in torch."""
        size = Size(self._data.size)
        size.shape = self._data.shape
        return size

    @property
    def dtype(self) -> np.dtype:
        """float32, float64, int64 or bool, as a NumPy dtype (equal to its name as a string)."""
        return self._data.dtype

    @property
    def device(self) -> str:
        """Where the elements are: "cpu", or "cuda" for the GPU."""
        return self._node.backend.device

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user and not by an op that remembers its inputs."""
        return self._node.op is None

    @property
    def scope(self) -> tuple[tuple[str, int | None], ...]:
        """The scopes that were open when it was made."""
        return self._node.scope

    @property
    def name(self) -> str | None:
        """The name given with `named`, or None."""
        return self._node.name_of(self._index)

    def named(self, name: str, role: str | None = None) -> Self:
        """Name this output for drawings, listings and gradient flow; returns itself.

        Args:
            name: what it is called.
            role: "state" for what one time step hands to the next, "gate" for what lets it through, or None. In a
                graph in which nothing has a role, the outputs called "h" and "c" are the states.

        Raises:
            DTypeError, InputError: the name is no text that can be shown, or there is no such role.
        """
        if type(name) is not str or not name.isascii() or not name:
            check_name(name, "named")
        if role is not None and role not in ROLES:
            raise InputError(f"named: a role is one of {', '.join(ROLES)}, or None, not {role!r}")
        self._node.set_name(self._index, name, role)
        return self

    def __contains__(self, value: Any) -> bool:
        return _combines(value) and bool((self.detach() == value).numpy().any())

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("a 0-d tensor has no length; use .item() for its value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.unbind() if len(self) else ())

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.size != 1:
            raise ShapeError(
                f"a tensor of shape {self.shape} is no single number that {spec!r} could format; reduce it first "
                "(.sum(), .mean()), or format its elements: for value in x.tolist()"
            )
        return format(self.item(), spec)

    def __repr__(self) -> str:
        text = np.array2string(self.numpy(), separator=", ", prefix="tensor(")
        if not self.size:
            text += f", shape={self.shape}"
        extra = "" if self.device == "cpu" else f", device={self.device!r}"
        extra += "" if self.dtype in (dtypes.float32, dtypes.int64, dtypes.bool_) else f", dtype={self.dtype}"
        if self._node.op is not None:
            extra += f", op={self._node.op.name}"
        elif self.requires_grad:
            extra += ", requires_grad=True"
        return f"tensor({text}{extra})"

    def _repr_svg_(self) -> str | None:
        return None if Tensor.shown_as is None else Tensor.shown_as(self)

    # ---- values ------------------------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray:
        """Return the values as a read-only NumPy array.

        It shares memory with a tensor on the CPU. From another device it is a copy, and getting it waits until the
        device has computed it; so do `item`, `tolist`, printing, and all that asks for a number (`float`, `bool`).
        """
        for recorder in modes.recorders:
            recorder.read(self)
        view = np.asarray(self._node.backend.to_numpy(self._data)).view()  # an op may have returned a NumPy scalar
        view.flags.writeable = False
        return view

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad:
            raise GraphError("this tensor requires grad and NumPy would leave the graph; call .numpy() or .detach()")
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """Return the value of a tensor with one element as a Python number.

        Raises:
            ShapeError: there are more elements, or none.
        """
        if self.size != 1:
            raise ShapeError(f"item() needs a single element, not a tensor of shape {self.shape}")
        return self.numpy().item()

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers."""
        return self.numpy().tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.item(), digits)

    def __index__(self) -> int:
        if dtypes.is_float(self.dtype):
            raise TypeError(f"a {self.dtype} tensor cannot be an index; use an int64 tensor")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"the truth of a tensor with {self.size} elements is ambiguous; reduce it first, "
                "for example (x == y).sum() == x.size"
            )
        return bool(self.item())

    # ---- gradients ---------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it. Can be set on leaves.

        Raises:
            GraphError: it is set on the result of an op.
            DTypeError: it is set to True on integers or bools.
        """
        return self._node.requires_grad

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if not self.is_leaf:
            raise GraphError("requires_grad can be set on leaves only; use .detach() to cut a result off its graph")
        if flag and not dtypes.is_float(self.dtype):
            raise DTypeError(f"only floats can require grad, not {self.dtype}; use .cast('float32')")
        for recorder in modes.recorders:
            recorder.changed(self, "sets requires_grad of")
        self._node.requires_grad = flag

    @property
    def grad(self) -> Tensor | None:
        """The gradient left here by `backward`: on leaves, and where `retain_grad` was called; None before.

        Raises:
            DTypeError: it is set to something else than a tensor or None.
            ShapeError: it is set to a tensor of another shape or dtype.
            DeviceError: it is set to a tensor on another device.
        """
        node = self._node
        info = node.infos.get(self._index) if node.infos else None
        if node.op is not None and node.requires_grad and not (info and (info.retain or info.grad is not None)):
            warnings.warn(
                f".grad of the result of {node.describe()} is None: backward() leaves gradients on leaves. To update a "
                "leaf, `w = w - lr * w.grad` made a new tensor that is none: write w.assign_(w - lr * w.grad). To see "
                "the gradient of a result, call retain_grad() on it before backward()",
                UserWarning,
                stacklevel=2,
            )
        return node.ask_grad(self._index) if modes.recorders else info.grad if info else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is None:
            if self._node.infos and self._index in self._node.infos:
                self._node.infos[self._index].grad = None
            for recorder in modes.recorders:
                recorder.grad_set(self, None)
            return
        if not isinstance(value, Tensor):
            raise DTypeError(f"a gradient must be a tensor or None, not {type(value).__name__}; use tg.tensor(...)")
        if value.shape != self.shape or value.dtype != self.dtype:
            raise ShapeError(
                f"a gradient of shape {value.shape} and dtype {value.dtype} does not fit a tensor of shape "
                f"{self.shape} and dtype {self.dtype}"
            )
        if value._node.backend is not self._node.backend:
            raise DeviceError(f"a gradient on {value.device} does not fit a tensor on {self.device}; use .to()")
        with attaching:
            self._node.set_grad(self._index, value)

    def backward(self, gradient: Tensor | None = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Accumulate d(self)/d(leaf) into the `.grad` of every leaf that requires grad.

        Args:
            gradient: where to start from, of this tensor's shape; may be left out for a single element (then 1).
            retain_graph: keep the graph, which is otherwise freed, so that backward can be called again.
            create_graph: record the backward pass itself, for higher derivatives (keeps the graph, too).

        Raises:
            GraphError: nothing here requires grad, several elements without `gradient`, or the graph was freed.
            MutationError: a value needed was overwritten by `assign_` after it was used.
        """
        autograd.backward(self, gradient, retain_graph, create_graph)

    def retain_grad(self) -> Self:
        """Let every later backward add the gradient of this non-leaf to its `.grad`; returns itself."""
        self._must_require_grad("retain_grad")
        self._node.info(self._index).retain = True
        return self

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call `hook(gradient)` when this tensor's gradient is complete; a returned tensor replaces it.

        The hook may keep what it is given: a copy of its own.

        Returns:
            A handle: `handle.remove()`, or `handle()`, ends this registration and leaves others of the same hook.

        Raises:
            GraphError: this tensor does not require grad.
            DTypeError: the hook cannot be called.

        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor(3.0, requires_grad=True)
        >>> handle = x.register_hook(lambda gradient: gradient * 10.0)
        >>> (x * x).backward()
        >>> handle.remove()
        >>> x.grad.item()
        60.0
        """
        self._must_require_grad("register_hook")
        if not callable(hook):
            raise DTypeError(f"register_hook: a hook is a function of the gradient, not {type(hook).__name__}")
        for recorder in modes.recorders:
            recorder.changed(self, "registers a hook on")
        return self._node.info(self._index).add_hook(hook)

    def _must_require_grad(self, what: str) -> None:
        if not self.requires_grad:
            raise GraphError(f"{what}: this tensor does not require grad, so no gradient will ever reach it")

    def detach(self) -> Tensor:
        """Return a leaf with the same memory and no history: gradients stop here."""
        return Tensor._leaf_of(self)

    # ---- writing -----------------------------------------------------------------------------------------------

    def assign_(self, value: Any) -> Self:
        """Overwrite the values of a leaf with others of the same shape and dtype; returns itself.

        A backward pass that still needs the old values raises MutationError.

        Raises:
            GraphError: this is no leaf, or its memory is read-only or repeated by `broadcast_to`.
            ShapeError: the value has another shape or dtype.
            DeviceError: the value is on another device.
        """
        if not self.is_leaf:
            raise GraphError("assign_ works on leaves only; this tensor is the result of " + self._node.describe())
        source = value if isinstance(value, Tensor) else self._operand(value)
        if source.shape != self.shape or source.dtype != self.dtype:
            raise ShapeError(
                f"assign_: the value has shape {source.shape} and dtype {source.dtype}, this tensor {self.shape} and "
                f"{self.dtype}; make them equal"
            )
        if source._node.backend is not self._node.backend:
            raise DeviceError(f"assign_: the value is on {source.device}, this tensor on {self.device}; use .to()")
        for recorder in modes.recorders:
            recorder.assigned(self, source)
        try:
            self._node.backend.write(self._data, source._data)
        except ValueError as error:
            raise GraphError(
                f"assign_: the memory of this tensor of shape {self.shape} cannot be written, because broadcast_to "
                f"repeats it or it belongs to a read-only array ({error}); write to a copy: x.copy()"
            ) from error
        self._node.shared_storage().written = next_serial()
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        raise GraphError(
            "tensors have no item assignment, since it would silently change what the graph has used; build the new "
            "tensor with tg.where, tg.concat or tg.stack, or overwrite a whole leaf with assign_"
        )

    def _no_in_place(self, other: Any) -> Any:
        if self.is_leaf and self.requires_grad:
            raise GraphError(
                "an in-place operator would make this leaf that requires grad a result, which gets no gradient. To "
                "update it, write w.assign_(w - lr * w.grad) instead of w -= lr * w.grad; for a new tensor, y = w - z"
            )
        return NotImplemented  # Python then computes x = x + y

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imatmul__ = _no_in_place

    def _move(self, dtype: Any, device: str | None) -> None:
        """Change dtype and device. Handle and node stay: optimizers, tied layers, hooks and graphs see the change."""
        here = self.detach()
        moved = here.to(dtype=dtype, device=device)
        if moved is here:
            return
        for recorder in modes.recorders:
            recorder.outside("module.to(...), which moves a parameter")
        grad, node = self.grad, self._node
        self._data = moved._data
        node.outputs, node.backend = (moved._data,), moved._node.backend
        # The memory is no longer that of older views, which keep their values. An op that read this node itself must
        # not take the new value for the one it read.
        node.storage = Storage()
        node.storage.written = next_serial()
        if grad is not None:
            self.grad = grad.detach().to(dtype=dtype, device=device)

    # ---- copies of the handle ----------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        self._must_be_leaf("deepcopy")
        clone = type(self)._leaf_of(self.detach().copy(), self.requires_grad)
        if self.name is not None:
            clone.named(self.name)
        if self.grad is not None:
            clone.grad = self.grad.detach().copy()
        memo[id(self)] = clone
        return clone

    def __reduce__(self) -> Any:
        self._must_be_leaf("copy or pickle")
        return _unpickle, (type(self), np.array(self.numpy()), self.device, self.requires_grad, self.name)

    def _must_be_leaf(self, what: str) -> None:
        if not self.is_leaf:
            made = self._node.describe()
            raise GraphError(f"{what} would tear the result of {made} off its graph; detach() it first")

    # ---- arithmetic --------------------------------------------------------------------------------------------

    def _operand(self, value: Any) -> Tensor:
        """Turn a Python number or NumPy array into a tensor to combine with this one."""
        if type(value) is float:
            return constant(value, self._data.dtype, self._node.backend)
        if isinstance(value, Tensor):
            return value
        if isinstance(value, dtypes.NUMBERS):
            return constant(value, self.dtype, self._node.backend)
        if isinstance(value, np.ndarray):
            return self._beside(value)
        raise DTypeError(f"a tensor cannot be combined with {type(value).__name__}; use a number or tg.tensor(...)")

    def __add__(self, other: Any) -> Tensor:
        return apply(ops.Add, self, other if type(other) is Tensor else self._operand(other))

    def __radd__(self, other: Any) -> Tensor:
        return apply(ops.Add, self._operand(other), self)

    def __sub__(self, other: Any) -> Tensor:
        return apply(ops.Sub, self, other if type(other) is Tensor else self._operand(other))

    def __rsub__(self, other: Any) -> Tensor:
        return apply(ops.Sub, self._operand(other), self)

    def __mul__(self, other: Any) -> Tensor:
        return apply(ops.Mul, self, other if type(other) is Tensor else self._operand(other))

    def __rmul__(self, other: Any) -> Tensor:
        return apply(ops.Mul, self._operand(other), self)

    def __truediv__(self, other: Any) -> Tensor:
        return _divide(self, self._operand(other))

    def __rtruediv__(self, other: Any) -> Tensor:
        return _divide(self._operand(other), self)

    def __pow__(self, other: Any) -> Tensor:
        return apply(ops.Pow, self, self._operand(other))

    def __rpow__(self, other: Any) -> Tensor:
        return apply(ops.Pow, self._operand(other), self)

    def __matmul__(self, other: Any) -> Tensor:
        if not isinstance(other, Tensor | np.ndarray | np.generic) and hasattr(type(other), "__rmatmul__"):
            return NotImplemented  # Python then asks the other one
        other = self._operand(other)
        if self.dtype != other.dtype:
            dtype = dtypes.promote(self.dtype, other.dtype)
            return apply(ops.MatMul, self.cast(dtype), other.cast(dtype))
        return apply(ops.MatMul, self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return self._operand(other) @ self

    def matmul(self, other: Any) -> Tensor:
        """Return self @ other."""
        return self @ other

    def __neg__(self) -> Tensor:
        return apply(ops.Neg, self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return apply(ops.Abs, self)

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]  # elementwise, as in NumPy
        return apply(ops.Equal, self, self._operand(other)) if _combines(other) else NotImplemented

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]  # elementwise, as in NumPy
        return apply(ops.NotEqual, self, self._operand(other)) if _combines(other) else NotImplemented

    def __lt__(self, other: Any) -> Tensor:
        return apply(ops.Less, self, self._operand(other))

    def __le__(self, other: Any) -> Tensor:
        return apply(ops.LessEqual, self, self._operand(other))

    def __gt__(self, other: Any) -> Tensor:
        return apply(ops.Greater, self, self._operand(other))

    def __ge__(self, other: Any) -> Tensor:
        return apply(ops.GreaterEqual, self, self._operand(other))

    def logical_not(self) -> Tensor:
        """Return True where the element is zero or False."""
        return self == 0

    def isnan(self) -> Tensor:
        """Return True where the element is NaN."""
        return self != self

    def isfinite(self) -> Tensor:
        """Return True where the element is neither NaN nor infinite."""
        return (self - self) == 0 if dtypes.is_float(self.dtype) else self == self

    def __invert__(self) -> Tensor:
        if self.dtype != dtypes.bool_:
            raise DTypeError(f"~ is for bool tensors, not {self.dtype}")
        return self.logical_not()

    def __and__(self, other: Any) -> Tensor:
        return _bools(self, self._operand(other), "&", Tensor.minimum)

    def __or__(self, other: Any) -> Tensor:
        return _bools(self, self._operand(other), "|", Tensor.maximum)

    def __xor__(self, other: Any) -> Tensor:
        return _bools(self, self._operand(other), "^", Tensor.__ne__)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def _no_whole_division(self, other: Any) -> Any:
        raise DTypeError(
            "tensors have no //, % and divmod; write (x / y).floor() for x // y, and x - (x / y).floor() * y for x % y"
        )

    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _no_whole_division

    def maximum(self, other: Any) -> Tensor:
        """Return the larger of both, elementwise; at a tie both get half the gradient."""
        return apply(ops.Maximum, self, self._operand(other))

    def minimum(self, other: Any) -> Tensor:
        """Return the smaller of both, elementwise; at a tie both get half the gradient."""
        return apply(ops.Minimum, self, self._operand(other))

    def where(self, condition: Tensor | np.ndarray, other: Any) -> Tensor:
        """Return self where condition (bool) holds and other elsewhere, as torch.Tensor.where.

        Raises:
            DTypeError: the condition is not of bools.
        """
        chosen = self._operand(condition)
        if chosen.dtype != dtypes.bool_:
            raise DTypeError(f"where: the condition must be a bool tensor, not {chosen.dtype}; write x != 0")
        return apply(ops.Where, chosen, self, self._operand(other))

    # ---- functions of one argument -----------------------------------------------------------------------------

    def exp(self) -> Tensor:
        """Return e to the power of every element."""
        return apply(ops.Exp, self._as_float())

    def expm1(self) -> Tensor:
        """Return exp(x) - 1, which near 0 keeps the digits that the difference would lose."""
        return apply(ops.Expm1, self._as_float())

    def erfc(self) -> Tensor:
        """Return 1 - erf(x) with all its digits where it is small; erf is the integral of the normal distribution."""
        return apply(ops.Erfc, self._as_float())

    def log(self) -> Tensor:
        """Return the natural logarithm."""
        return apply(ops.Log, self._as_float())

    def log1p(self) -> Tensor:
        """Return log(1 + x), which near 0 keeps the digits that the sum would lose."""
        return apply(ops.Log1p, self._as_float())

    def sqrt(self) -> Tensor:
        """Return the square root."""
        return apply(ops.Sqrt, self._as_float())

    def reciprocal(self) -> Tensor:
        """Return 1 / x."""
        return apply(ops.Reciprocal, self._as_float())

    def abs(self) -> Tensor:
        """Return the absolute value; its gradient at 0 is 0."""
        return apply(ops.Abs, self)

    def sign(self) -> Tensor:
        """Return -1, 0 or 1."""
        return apply(ops.Sign, self)

    def floor(self) -> Tensor:
        """Return the largest whole number not above each element."""
        return apply(ops.Floor, self._as_float())

    def tanh(self) -> Tensor:
        """Return the hyperbolic tangent."""
        return apply(ops.Tanh, self._as_float())

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + exp(-x))."""
        return apply(ops.Sigmoid, self._as_float())

    def relu(self) -> Tensor:
        """Return max(0, x)."""
        return apply(ops.Relu, self)

    def sin(self) -> Tensor:
        """Return the sine (radians)."""
        return apply(ops.Sin, self._as_float())

    def cos(self) -> Tensor:
        """Return the cosine (radians)."""
        return apply(ops.Cos, self._as_float())

    def _tanh_grad(self, y: Tensor) -> Tensor:
        return apply(ops.TanhGrad, self, y)

    def _sigmoid_grad(self, y: Tensor) -> Tensor:
        return apply(ops.SigmoidGrad, self, y)

    def _layer_norm(self, eps: float) -> tuple[Tensor, Tensor]:
        return apply(ops.LayerNorm, self._as_float(), eps=eps)

    def _layer_norm_grad(self, y: Tensor, scale: Tensor) -> Tensor:
        return apply(ops.LayerNormGrad, self, y, scale)

    def _as_float(self) -> Tensor:
        return self if self._data.dtype.kind == "f" else self.cast(dtypes.float32)

    # ---- reductions --------------------------------------------------------------------------------------------

    @accepts_dim
    def sum(self, axis: Axes = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
        """Return the sum along the axes (all of them unless given), of the elements in a dtype if one is given."""
        x = self if dtype is None else self.cast(dtype)
        return apply(ops.Sum, x, axes=all_axes(axis, self.ndim, "sum"), keepdims=keepdims)

    @accepts_dim
    def max(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the largest element along the axes; ties share the gradient. (The positions: `argmax`.)"""
        return apply(ops.Max, self, axes=all_axes(axis, self.ndim, "max"), keepdims=keepdims)

    @accepts_dim
    def min(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the smallest element along the axes; ties share the gradient."""
        return apply(ops.Min, self, axes=all_axes(axis, self.ndim, "min"), keepdims=keepdims)

    def _length(self) -> Tensor:
        """Return the L2 norm of all elements, of floats, as a 0-d float64 tensor that no gradient flows from."""
        return apply(ops.Length, self)

    @accepts_dim
    def all(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return a bool tensor that tells whether all elements along the axes are True or not 0."""
        return (self == 0).sum(axis, keepdims) == 0

    @accepts_dim
    def any(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return a bool tensor that tells whether an element along the axes is True or not 0."""
        return (self != 0).sum(axis, keepdims) != 0

    @accepts_dim
    def prod(self, axis: Axes = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
        """Return the product along the axes; its gradient is right also where factors are 0. The dtype is as in `sum`.

        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor([2.0, 0.0, 3.0], requires_grad=True)
        >>> x.prod().backward()
        >>> x.grad
        tensor([0., 6., 0.])
        """
        x = self if dtype is None else self.cast(dtype)
        return apply(ops.Prod, x, axes=all_axes(axis, self.ndim, "prod"), keepdims=keepdims)

    @accepts_dim
    def cumsum(self, axis: int, *, dtype: Any = None) -> Tensor:
        """Return the sums of the first 1, 2, 3, ... elements along an axis, in a dtype if one is given."""
        x = self if dtype is None else self.cast(dtype)
        return x._along(ops.CumSum, axis, "cumsum")

    @accepts_dim
    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Return the position of the first largest element, of the flattened tensor unless an axis is given."""
        return self._position(ops.ArgMax, axis, keepdims, "argmax")

    @accepts_dim
    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Return the position of the first smallest element, of the flattened tensor unless an axis is given."""
        return self._position(ops.ArgMin, axis, keepdims, "argmin")

    def _position(self, op: type[Op], axis: int | None, keepdims: bool, what: str) -> Tensor:
        if axis is None:
            found = apply(op, self.reshape((self._data.size,)), axis=0, keepdims=False)
            return found.reshape((1,) * self.ndim) if keepdims and self.ndim else found
        return self._along(op, axis, what, keepdims=keepdims and self.ndim > 0)

    def _along(self, op: type[Op], axis: SupportsIndex, what: str, **attrs: Any) -> Tensor:
        """Apply an op along an axis; a number takes 0 and -1 for one (see `all_axes`)."""
        if self.ndim:
            return apply(op, self, axis=one_axis(axis, self.ndim, what), **attrs)
        found = apply(op, self.reshape((1,)), axis=one_axis(axis, 1, what), **attrs)
        return found.reshape(()) if found.ndim else found

    # ---- movement ----------------------------------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Tensor:
        """Return the elements in another shape; one size may be -1 and is then inferred."""
        wanted = one_tuple(shape)
        return apply(ops.Reshape, self, shape=inferred(wanted, self) if wanted and min(wanted) < 0 else wanted)

    def permute(self, *axes: Any) -> Tensor:
        """Return the axes in another order.

        Raises:
            ShapeError: an axis is missing or named twice, or there is no such.
        """
        order = tuple(one_axis(a, self.ndim, "permute") for a in one_tuple(axes))
        if sorted(order) != list(range(self.ndim)):
            raise ShapeError(f"permute: {order} is not an order of the {self.ndim} axes of shape {self.shape}")
        return apply(ops.Permute, self, axes=order)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Return the tensor with two axes swapped (as in torch; see `permute` for all axes at once)."""
        order = list(range(self.ndim or 1))  # a number takes 0 and -1 for axes, as in torch
        a, b = one_axis(dim0, len(order), "transpose"), one_axis(dim1, len(order), "transpose")
        order[a], order[b] = b, a
        return apply(ops.Permute, self, axes=tuple(order[: self.ndim]))

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return apply(ops.Permute, self, axes=tuple(reversed(range(self.ndim))))

    def broadcast_to(self, *shape: Any) -> Tensor:
        """Return the tensor repeated along new and size-1 axes, without copying."""
        return apply(ops.BroadcastTo, self, shape=one_tuple(shape))

    def copy(self) -> Tensor:
        """Return a contiguous copy that stays in the graph."""
        return apply(ops.Copy, self)

    def __getitem__(self, index: Any) -> Tensor:
        key = index if type(index) is tuple else (index,)
        for part in key:
            if type(part) is not int and type(part) is not slice and part is not None and part is not Ellipsis:
                return indexing.advanced(self, key)
        return apply(ops.GetItem, self, index=key)

    @accepts_dim
    def take(self, index: Any, axis: int | None = None) -> Tensor:
        """Return the slices along an axis at int64 positions of any shape (negative ones count from the end).

        Without an axis they are positions in the flattened tensor, as in NumPy and torch.

        Raises:
            IndexRangeError: a position is out of range. Those in a tensor on another device than the CPU are not
                looked at, which would wait for the device: what is taken there is NaN, or 0 of an integer or bool.
            DTypeError: the positions are no integers.
        """
        if axis is None:
            return self.reshape((self.size,)).take(index, 0)
        axis = one_axis(axis, self.ndim, "take")
        return self._take(indexing.positions(self, index, axis), axis)

    def _take(self, index: Tensor, axis: int) -> Tensor:
        """Return what `take` does at positions that are known to be fine."""
        return apply(ops.Take, self, index, axis=axis)

    def _scatter_add(self, index: Tensor, axis: int, size: int) -> Tensor:
        return apply(ops.ScatterAdd, self, index, axis=axis, size=size)

    @accepts_dim
    def unbind(self, axis: int = 0) -> tuple[Tensor, ...]:
        """Return the slices along an axis, without that axis: one node with an output for each."""
        axis = one_axis(axis, self.ndim, "unbind")
        return apply(ops.Unbind, self, axis=axis) if self.shape[axis] else ()

    def _split(self, sizes: tuple[int, ...], axis: int) -> tuple[Tensor, ...]:
        return apply(ops.Split, self, sizes=sizes, axis=axis)

    def _put_slices(self, others: Sequence[Tensor], indices: Sequence[Any], shape: tuple[int, ...]) -> Tensor:
        return apply(ops.PutSlices, self, *others, shape=shape, indices=tuple(indices))

    def _concat(self, others: Sequence[Tensor], axis: int) -> Tensor:
        return apply(ops.Concat, self, *others, axis=one_axis(axis, self.ndim, "concat"))

    def _stack(self, others: Sequence[Tensor], axis: int) -> Tensor:
        return apply(ops.Stack, self, *others, axis=one_axis(axis, self.ndim + 1, "stack"))

    # ---- dtype and device --------------------------------------------------------------------------------------

    def cast(self, dtype: Any) -> Tensor:
        """Return the elements in another dtype; itself if it has it. Integers and bools cut the gradient."""
        wanted = dtypes.resolve(dtype)
        if wanted == self.dtype:
            return self
        return apply(ops.Cast, self if dtypes.is_float(wanted) else self.detach(), dtype=wanted)

    def to(self, *where: Any, dtype: Any = None, device: str | None = None) -> Tensor:
        """Return the tensor on a device and/or in a dtype, given by position or keyword; itself if it is there.

        Moving is an op: gradients flow back to the device the tensor came from.

        Args:
            where: "cpu", "cuda" (or "cuda:0", the same), a dtype, or one of each.

        Raises:
            DeviceError: there is no such device here.
            DTypeError: there is no such dtype.
        """
        dtype, device = dtype_and_device(where, dtype, device)
        moved = self
        if device is not None:
            backend = backends.get(device)
            if backend is not self._node.backend:
                moved = apply(ops.To, self, device=backend.device)
        return moved if dtype is None else moved.cast(dtype)

    # ---- composed methods (see methods.py) ---------------------------------------------------------------------

    mean = methods.mean
    var = methods.var
    std = methods.std
    norm = methods.norm
    logsumexp = methods.logsumexp
    softmax = methods.softmax
    log_softmax = methods.log_softmax
    squeeze = methods.squeeze
    unsqueeze = methods.unsqueeze
    flatten = methods.flatten
    flip = methods.flip
    split = methods.split
    chunk = methods.chunk
    pad = methods.pad
    clip = methods.clip
    square = methods.square
    tril = methods.tril
    triu = methods.triu


Node.tensor_type = Tensor


def _combines(value: Any) -> bool:
    """Return whether == compares elements with this value; with anything else it compares identities."""
    return isinstance(value, (Tensor, np.ndarray, *dtypes.NUMBERS))


def _bools(a: Tensor, b: Tensor, sign: str, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Combine two bool tensors; on bools minimum, maximum and != are and, or and exclusive or."""
    if a.dtype != dtypes.bool_ or b.dtype != dtypes.bool_:
        raise DTypeError(f"{sign} is for bool tensors, not {a.dtype} and {b.dtype}: (x > 0) {sign} (y > 0)")
    return combine(a, b)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    """a / b is a float also for integers, as in torch and Python."""
    if not dtypes.is_float(dtypes.promote(a.dtype, b.dtype)):
        a = a.cast(dtypes.float32)
    return apply(ops.Div, a, b)


def _unpickle(kind: type[Tensor], array: np.ndarray, device: str, requires_grad: bool, name: str | None) -> Tensor:
    backend = backends.get(device)
    leaf = kind._leaf(backend.from_numpy(array), backend, requires_grad)
    return leaf.named(name) if name else leaf
