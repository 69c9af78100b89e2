"""Making tensors from data, from shapes, and from random numbers; joining several into one."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from tinygrad_rnn import backends, dtypes
from tinygrad_rnn.backends import locks
from tinygrad_rnn.engine import ops
from tinygrad_rnn.engine.applying import apply
from tinygrad_rnn.engine.axes import accepts_dim, one_tuple
from tinygrad_rnn.engine.modes import modes, unrecorded
from tinygrad_rnn.engine.recorder import Made
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError, StateError

AnyTensor = TypeVar("AnyTensor", bound=Tensor)


def tensor(data: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False) -> Tensor:
    """Return a new tensor with a copy of the data.

    Args:
        data: a number, nested lists, a NumPy array or a tensor (its values).
        dtype: float32, float64, int64 or bool; unless given, Python floats become float32, ints int64, and arrays
            keep their dtype.
        device: where to keep it, "cpu" or "cuda".
        requires_grad: whether `backward` shall leave a gradient in `.grad` (floats only).

    Raises:
        ShapeError: the nested lists are ragged.
        DTypeError: the data is not numeric, or its dtype is not supported, or cannot hold it or require grad.
        DeviceError: there is no such device here.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    backend = backends.get(device)
    if isinstance(data, Tensor):
        wanted = data.dtype if dtype is None else dtypes.resolve(dtype)
        if wanted in (data.dtype, dtypes.float32, dtypes.float64):
            here = data.detach().to(backend.device).cast(wanted)
            return Tensor._leaf_of(here.copy() if here._data is data._data else here, requires_grad)
        data = data.numpy()
    made = Made("tensor", {"data": data}) if isinstance(data, dtypes.NUMBERS) else None
    if isinstance(data, list | tuple):
        data = _without_tensors(data)
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"tensor: the nested lists do not form a rectangular array ({error})") from None
    if dtype is not None:
        wanted = dtypes.resolve(dtype)
    elif isinstance(data, np.ndarray | np.generic):
        wanted = dtypes.of_array(array)
    else:
        wanted = dtypes.float32 if array.dtype.kind == "f" else dtypes.of_array(array)
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"tensor: data of dtype {array.dtype} is not numeric")
    _must_fit(array, wanted)
    return _of_array(array, wanted, device, requires_grad, made)


def _of_array(array: np.ndarray, dtype: Any, device: str, requires_grad: bool, made: Made | None) -> Tensor:
    """Return a tensor with a copy of an array; `made` as in `Tensor._leaf`."""
    backend = backends.get(device)
    copied = np.array(array, dtype=dtypes.resolve(dtype), order="C")
    return Tensor._leaf(backend.from_numpy(copied), backend, requires_grad, made)


def of_backend(array: Any, backend: ModuleType) -> Tensor:
    """Return an array of a backend as a tensor, without copying it."""
    return Tensor._leaf(array, backend)


def literal(numbers: Sequence[Any], dtype: Any, device: str) -> Tensor:
    """Return a tensor of numbers that the program says, and no data: a recorded step keeps them."""
    return _of_array(np.asarray(numbers), dtype, device, False, Made("tensor", {"data": list(numbers)}))


def leaf(kind: type[AnyTensor], data: Any, requires_grad: bool) -> AnyTensor:
    """Return a new leaf of a subclass of Tensor, with a copy of the data: what `nn.Parameter` is made of."""
    return kind._leaf_of(tensor(data, device=data.device if isinstance(data, Tensor) else "cpu"), requires_grad)


def _must_fit(array: np.ndarray, wanted: np.dtype) -> None:
    """Raise DTypeError for values that int64 cannot hold, instead of wrapping around."""
    if wanted != dtypes.int64 or not array.size:
        return
    if array.dtype.kind == "u" and array.max() > np.iinfo(np.int64).max:
        raise DTypeError(f"tensor: {array.max()} does not fit into int64; pass dtype='float64'")
    if array.dtype.kind == "f" and not np.all(np.abs(array) < 2.0**63):  # False for NaN, too
        raise DTypeError("tensor: NaN, infinity and numbers beyond 2**63 do not fit into int64; keep a float dtype")


def _without_tensors(data: Any) -> Any:
    if isinstance(data, list | tuple):
        return [_without_tensors(part) for part in data]
    return data.numpy() if isinstance(data, Tensor) else data


def from_numpy(array: np.ndarray) -> Tensor:
    """Return a CPU tensor that shares memory with a NumPy array: writing to the array changes the tensor unnoticed.

    Other devices have memory of their own: for those use `tensor(array, device=...)`, which copies.

    Raises:
        DTypeError: the array is not float32, float64, int64 or bool, so that a tensor cannot share it.
    """
    if dtypes.of_array(array) != array.dtype:
        raise DTypeError(f"from_numpy shares memory and cannot convert {array.dtype}; use tensor(array) to copy")
    backend = backends.get("cpu")
    return Tensor._leaf(backend.from_numpy(array), backend)


def full(
    shape: Sequence[int] | int, value: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Return a tensor with every element set to a number; its dtype follows the number unless given.

    Raises:
        DTypeError: the value is no number, or int64 cannot hold it.
    """
    if isinstance(value, Tensor):
        value = value.item()
    if not isinstance(value, dtypes.NUMBERS):
        raise DTypeError(f"full: the value must be a number, not {type(value).__name__}; for data use tg.tensor(data)")
    if dtype is None:
        dtype = dtypes.float32 if isinstance(value, float) else dtypes.of_array(np.asarray(value))
    wanted = dtypes.resolve(dtype)
    if wanted == dtypes.int64 and not -(2**63) <= value < 2**63:  # NaN, too
        raise DTypeError(f"full: {value} does not fit into int64; use a float dtype")
    backend, sizes = backends.get(device), _sizes((shape,))
    made = Made.full(sizes, value, wanted) if modes.recorders else None
    return Tensor._leaf(backend.fill(sizes, value, wanted), backend, requires_grad, made)


def _sizes(given: tuple[Any, ...]) -> tuple[int, ...]:
    sizes = one_tuple(given)
    if any(size < 0 for size in sizes):
        raise ShapeError(f"a tensor cannot have the negative size in shape {sizes}")
    return sizes


def zeros(*shape: Any, dtype: Any = "float32", device: str = "cpu", requires_grad: bool = False) -> Tensor:
    """Return zeros: zeros(2, 3) or zeros((2, 3))."""
    return full(one_tuple(shape), 0, dtype or "float32", device, requires_grad)


def ones(*shape: Any, dtype: Any = "float32", device: str = "cpu", requires_grad: bool = False) -> Tensor:
    """Return ones: ones(2, 3) or ones((2, 3))."""
    return full(one_tuple(shape), 1, dtype or "float32", device, requires_grad)


def basis_like(x: Tensor) -> Iterator[Tensor]:
    """Yield the basis vectors of the space in which x lies: 1 at each element in turn, 0 elsewhere."""
    flat = np.zeros(x.size, x.dtype)
    for i in range(x.size):
        flat[i] = 1
        made = Made("basis", {"shape": x.shape, "position": i})
        yield _of_array(flat.reshape(x.shape), x.dtype, x.device, False, made)
        flat[i] = 0


def zeros_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return zeros with the shape of x, and with its dtype and device unless others are given."""
    return _filled_like(_given(x, "zeros_like"), 0, dtype, device, requires_grad)


def ones_like(x: Tensor, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return ones with the shape of x, and with its dtype and device unless others are given."""
    return _filled_like(_given(x, "ones_like"), 1, dtype, device, requires_grad)


def _filled_like(x: Tensor, value: int, dtype: Any, device: str | None, requires_grad: bool) -> Tensor:
    return full(x.shape, value, dtype or x.dtype, device or x.device, requires_grad)


def _given(x: Any, what: str) -> Tensor:
    if not isinstance(x, Tensor):
        raise DTypeError(f"{what}: expected a tensor, not {type(x).__name__}; use tg.tensor(...)")
    return x


def arange(
    start: Any,
    stop: Any = None,
    step: Any = 1,
    dtype: Any = None,
    device: str = "cpu",
    requires_grad: bool = False,
    *,
    end: Any = None,
) -> Tensor:
    """Return start, start + step, ... below stop; arange(n) counts from 0. Whole numbers give int64.

    There is none if stop lies on the other side of start. PyTorch's name for stop, `end`, is understood.

    Raises:
        DTypeError: start, stop or step is no number.
        InputError: the numbers would never end.
    """
    stop = end if stop is None else stop
    if stop is None:
        start, stop = 0, start
    start, stop, step = [value.item() if isinstance(value, Tensor) else value for value in (start, stop, step)]
    for value in (start, stop, step):
        if not isinstance(value, int | float | np.integer | np.floating):
            raise DTypeError(f"arange: start, stop and step must be numbers, not {type(value).__name__}")
    whole = all(isinstance(value, int | np.integer) for value in (start, stop, step))
    if not step or not (whole or np.isfinite([start, stop, step]).all()):
        raise InputError(f"arange: from {start} to {stop} in steps of {step} never ends; use finite numbers, no step 0")
    made = Made("arange", {"start": start, "stop": stop, "step": step})
    numbers, dtype = np.arange(start, stop, step), dtypes.resolve(dtype or ("int64" if whole else "float32"))
    _must_fit(numbers, dtype)
    return _of_array(numbers, dtype, device, requires_grad, made)


def linspace(
    start: float,
    stop: float,
    steps: int = 50,
    dtype: Any = "float32",
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """Return `steps` numbers from start to stop, both included, at equal distances.

    Raises:
        InputError: start or stop is no number, or steps no whole number.
        ShapeError: steps is negative.

    >>> import tinygrad_rnn as tg
    >>> tg.linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    try:
        ends, count = (float(start), float(stop)), operator.index(steps)
    except (TypeError, ValueError) as error:
        raise InputError(f"linspace: needs two numbers and a whole number of steps: {error}") from None
    if count < 0:
        raise ShapeError(f"linspace: the number of steps cannot be {count}")
    made = Made("linspace", {"start": ends[0], "stop": ends[1], "steps": count})
    numbers, dtype = np.linspace(*ends, count), dtypes.resolve(dtype)
    _must_fit(numbers, dtype)
    return _of_array(numbers, dtype, device, requires_grad, made)


def eye(
    rows: int, columns: int | None = None, dtype: Any = "float32", device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Return a matrix with ones on the diagonal."""
    height, width = _sizes((rows, rows if columns is None else columns))
    return _of_array(np.eye(height, width), dtype, device, requires_grad, Made("eye", {"shape": (height, width)}))


# ---- random numbers -------------------------------------------------------------------------------------------------


class Generator:
    """A stream of random numbers: a seed and a counter, both 0-d int64 tensors, of which every draw is a function.

    Numbers are drawn on the device that asks for them, from seed and counter alone: uniform numbers are the same on
    every device, normal ones to rounding. `device` is where seed and counter are.
    """

    def __init__(self, seed: int = 0, device: str = "cpu") -> None:
        self.device = device
        self._first_seed = _key(seed)
        self._state: tuple[Tensor, Tensor] | None = None
        if modes.recorders:  # it belongs to what is recorded, and begins anew in every replay
            self._state = self._begun()

    @property
    def seed(self) -> Tensor:
        """The 0-d int64 tensor that selects the stream."""
        return self._seed_and_counter()[0]

    @property
    def counter(self) -> Tensor:
        """The 0-d int64 tensor that says how far the stream has been used, in blocks of two numbers."""
        return self._seed_and_counter()[1]

    def _seed_and_counter(self) -> tuple[Tensor, Tensor]:
        if self._state is None:  # made on first use, so that importing the package loads no backend
            with drawing, unrecorded():
                if self._state is None:
                    self._state = self._begun()
        return self._state

    def _begun(self) -> tuple[Tensor, Tensor]:
        seed, counter = (tensor(number, "int64", self.device) for number in (self._first_seed, 0))
        return seed.named("random.seed"), counter.named("random.counter")

    def manual_seed(self, seed: int) -> None:
        """Start the stream of a seed (any int; its lowest 63 bits count)."""
        key = tensor(_key(seed), "int64", self.device)
        with drawing:
            self.seed.assign_(key)
            self.counter.assign_(tensor(0, "int64", self.device))

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of seed and counter, ready for `tg.save`: what `load_state_dict` goes back to.

        >>> import tinygrad_rnn as tg
        >>> generator = tg.Generator(3)
        >>> state = generator.state_dict()
        >>> first = tg.rand(2, generator=generator)
        >>> generator.load_state_dict(state)
        >>> tg.rand(2, generator=generator).tolist() == first.tolist()
        True
        """
        with drawing:
            return {"seed": self.seed.detach().copy(), "counter": self.counter.detach().copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the generator stood whose `state_dict` this is.

        Raises:
            StateError: a key is missing or unknown, or no whole number from 0 to 2**63 - 1. Nothing was changed then.
        """
        if not isinstance(state, Mapping) or set(state) != {"seed", "counter"}:
            given = ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise StateError(f"the state of a Generator has the keys seed and counter, not {given or 'none'}")
        found = {name: _whole(name, state[name]) for name in ("seed", "counter")}
        with drawing:
            self.seed.assign_(tensor(found["seed"], "int64", self.device))
            self.counter.assign_(tensor(found["counter"], "int64", self.device))

    def draw(self, kind: str, shape: tuple[int, ...], dtype: Any, device: str | None = None) -> Tensor:
        """Return numbers of a kind ("uniform" in [0, 1) or "normal") and advance the counter.

        They are drawn on a device, this generator's own unless given.

        Raises:
            DTypeError: the dtype is no float.
            InputError: there is no such kind.
        """
        wanted = dtypes.resolve(dtype)
        if not dtypes.is_float(wanted):
            raise DTypeError(
                f"random numbers are floats, not {wanted}; draw float32 or float64 and convert, for example "
                "(tg.rand(3) * 6.0).floor().cast('int64') for whole numbers from 0 to 5, or tg.rand(3) < 0.5 for bools"
            )
        if kind not in ("uniform", "normal"):
            raise InputError(f"there are no random numbers of kind {kind!r}; use 'uniform' or 'normal'")
        with drawing:
            seed, counter = self.seed.to(device=device), self.counter.to(device=device)
            values = apply(ops.Random, seed, counter, kind=kind, shape=shape, dtype=wanted)
            self.counter.assign_(self.counter + (values.size + 1) // 2)
        return values


#: Held from reading a counter to advancing it: two threads must not draw the same numbers.
drawing = locks.lock()


def _key(seed: int) -> int:
    try:
        return operator.index(seed) & (2**63 - 1)
    except TypeError:
        raise DTypeError(f"a seed must be a whole number, not {seed!r}") from None


def _whole(name: str, value: Any) -> int:
    """Return a number of a generator's state as an int."""
    try:
        number = operator.index(value)
    except (TypeError, ShapeError):
        number = -1
    is_bool = isinstance(value, bool) or getattr(value, "dtype", None) == dtypes.bool_
    if is_bool or not 0 <= number < 2**63:
        raise StateError(f"{name} of a Generator must be one whole number from 0 to 2**63 - 1, not {value!r}")
    return number


default_generator = Generator()


def manual_seed(seed: int) -> None:
    """Seed the generator that every random function uses unless given another.

    >>> import tinygrad_rnn as tg
    >>> tg.manual_seed(1); a = tg.rand(3)
    >>> tg.manual_seed(1); bool((a == tg.rand(3)).sum() == 3)
    True
    """
    default_generator.manual_seed(seed)


def rand(
    *shape: Any,
    dtype: Any = "float32",
    device: str = "cpu",
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Return uniform random numbers in [0, 1)."""
    return _drawn("uniform", shape, dtype, device, requires_grad, generator)


def randn(
    *shape: Any,
    dtype: Any = "float32",
    device: str = "cpu",
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Return random numbers of mean 0 and standard deviation 1 (normal distribution)."""
    return _drawn("normal", shape, dtype, device, requires_grad, generator)


def _drawn(
    kind: str, shape: tuple[Any, ...], dtype: Any, device: str, requires_grad: bool, generator: Generator | None
) -> Tensor:
    values = (generator or default_generator).draw(kind, _sizes(shape), dtype, device)
    if requires_grad:
        values.requires_grad = True
    return values


# ---- joining and choosing -------------------------------------------------------------------------------------------


@accepts_dim
def concat(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors along an existing axis; all other sizes must be equal. Dtypes are promoted."""
    first, *others = _of_one_dtype(tensors, "concat")
    return first._concat(others, axis)


cat = concat


@accepts_dim
def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    first, *others = _of_one_dtype(tensors, "stack")
    return first._stack(others, axis)


def _of_one_dtype(tensors: Sequence[Tensor], what: str) -> list[Tensor]:
    if not len(tensors):
        raise ShapeError(f"{what}: give at least one tensor")
    dtype = dtypes.bool_
    for x in tensors:
        dtype = dtypes.promote(dtype, _given(x, what).dtype)
    return [x.cast(dtype) for x in tensors]


def where(condition: Tensor, a: Any, b: Any) -> Tensor:
    """Return a where condition (bool) holds and b elsewhere; one of both must be a tensor."""
    if isinstance(a, Tensor):
        return a.where(condition, b)
    if isinstance(b, Tensor):
        return b._operand(a).where(condition, b)
    return tensor(a, device=condition.device).where(condition, b)


def maximum(a: Any, b: Any) -> Tensor:
    """Return the larger of both, elementwise; one of both must be a tensor."""
    return a.maximum(b) if isinstance(a, Tensor) else _given(b, "maximum")._operand(a).maximum(b)


def minimum(a: Any, b: Any) -> Tensor:
    """Return the smaller of both, elementwise; one of both must be a tensor."""
    return a.minimum(b) if isinstance(a, Tensor) else _given(b, "minimum")._operand(a).minimum(b)
