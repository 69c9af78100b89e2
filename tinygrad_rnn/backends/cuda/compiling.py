"""Kernels by name and dtype, each compiled when it is first launched and kept on disk for the next process."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.backends import kernels, locks, scalar
from tinygrad_rnn.backends.cuda.driver import device, simulated

Function = Callable[..., Any]
_F = TypeVar("_F", bound=Function)

#: What a kernel calls the elements of a dtype; a bool is stored as a byte.
CLASSES: dict[str, type] = {"float32": np.float32, "float64": np.float64, "int64": np.int64, "bool": np.uint8}


def _own_dtype(kernel: str, dtype: str) -> str:
    return dtype


@dataclass(frozen=True)
class Kind:
    """Kernels of one shape: one Python function per entry and dtype.

    Attributes:
        name: what the kernels are called, together with their entry and dtype.
        build: build(entry, dtype_class) returns the kernel as a Python function.
        arguments: a letter per parameter. Pointers: x to the kernel's dtype, o to the result's, k to int64, c to uint8;
            numbers: i int64, u uint64, d float64.
        entries: kernel name -> dtype name -> what `build` is given (a scalar function, or constants).
        result: result(kernel, dtype) names the dtype of the result.
    """

    name: str
    build: Callable[[Any, type], Function]
    arguments: str
    entries: Mapping[str, Mapping[str, Any]]
    result: Callable[[str, str], str] = _own_dtype


class Kernel:
    """One kernel for one dtype."""

    __slots__ = ("_arity", "_compiled", "_launch", "dtype", "kind", "name", "result")

    def __init__(self, kind: Kind, name: str, dtype: str) -> None:
        self.kind = kind
        self.name = name
        self.dtype = dtype
        self.result = kind.result(name, dtype)
        self._arity = len(kind.arguments)
        self._compiled: Any = None
        self._launch: Any = None

    def function(self) -> Function:
        """Return the kernel as a Python function, named so that no two kernels share a file of the cache."""
        function = self.kind.build(self.kind.entries[self.name][self.dtype], CLASSES[self.dtype])
        function.__qualname__ = f"{self.kind.name}_{self.name}_{self.dtype}_{_stamp()}"
        function.__name__ = f"{self.kind.name}_{self.name}_{self.dtype}"
        return function

    def signature(self) -> Any:
        """Return the types of the parameters for Numba."""
        from numba import types  # noqa: PLC0415  (the simulator has no types)

        numbers = {"float32": types.float32, "float64": types.float64, "int64": types.int64, "bool": types.uint8}
        parameter = {
            "x": types.CPointer(numbers[self.dtype]),
            "o": types.CPointer(numbers[self.result]),
            "k": types.CPointer(types.int64),
            "c": types.CPointer(types.uint8),
            "i": types.int64,
            "u": types.uint64,
            "d": types.float64,
        }
        return types.void(*(parameter[letter] for letter in self.kind.arguments))

    def launch(self, blocks: Any, threads: Any, *arguments: Any) -> None:
        """Queue the kernel on the stream: blocks and threads are an int, or a tuple of up to three."""
        if self._launch is None:
            self._compile()
        if len(arguments) != self._arity:  # the driver would read whatever follows in memory
            raise TypeError(f"{self.kind.name} takes {self._arity} arguments, not {len(arguments)}")
        self._launch(self._compiled, blocks, threads, arguments)

    def _compile(self) -> None:
        with _compile_lock:
            if self._launch is None:
                register_scalar_functions()
                self._compiled = device().compile(self.function(), None if simulated else self.signature())
                self._launch = device().launch


class Kernels(dict[tuple[str, np.dtype], Kernel | None]):
    """The kernels of a kind by (name, dtype); None where there is none for a dtype."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind

    def __missing__(self, key: tuple[str, np.dtype]) -> Kernel | None:
        name, dtype = key
        entry = kernels.called(name, self.kind.entries, self.kind.name.partition("_")[0])
        self[key] = Kernel(self.kind, name, dtype.name) if dtype.name in entry else None
        return self[key]


def every(kinds: tuple[Kind, ...]) -> Iterator[Kernel]:
    """Return every kernel there is, for tests that compile them all."""
    for kind in kinds:
        for name, entry in kind.entries.items():
            for dtype in entry:
                yield Kernel(kind, name, dtype)


# ---- what kernels call -----------------------------------------------------------------------------------------

_compile_lock = locks.lock()
_device_functions: list[Function] = []
_registered: list[bool] = []


def device_function(function: _F) -> _F:
    """Let kernels call a plain Python function."""
    _device_functions.append(function)
    if _registered:
        _register(function)
    return function


def register_scalar_functions() -> None:
    """Tell numba.cuda, once, about the functions of scalar.py and those marked `device_function`."""
    if simulated or _registered:
        return
    for function in vars(scalar).values():
        if isinstance(function, FunctionType) and function.__module__ == scalar.__name__:
            _register(function)
    for function in _device_functions:
        _register(function)
    _registered.append(True)


def _register(function: Function) -> None:
    from numba.cuda import extending  # noqa: PLC0415  (the simulator has no such module)

    extending.register_jitable(function)  # type: ignore[attr-defined]  # numba-cuda has it


_stamps: list[str] = []


def _stamp() -> str:
    """Return a fingerprint of scalar.py and of this package: the disk cache sees changes of one file only."""
    if not _stamps:
        texts = [Path(scalar.__file__), *sorted(Path(__file__).parent.glob("*.py"))]
        _stamps.append(f"{zlib.crc32(b''.join(text.read_bytes() for text in texts)):08x}")
    return _stamps[0]


def result_dtype(kernel: Kernel) -> np.dtype:
    """Return the dtype of an array a kernel writes."""
    return dtypes.resolve(kernel.result)
