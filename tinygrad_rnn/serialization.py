"""Saving and loading tensors by name, in the safetensors format: a JSON header and raw numbers, nothing to execute."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError

PathLike = str | os.PathLike[str]


def save(path: PathLike, state: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors by name to a safetensors file, which PyTorch, JAX and others can read, too.

    The file appears whole or not at all: it is written beside its place and then moved there.

    Args:
        path: where to; an existing file is replaced.
        state: tensors or NumPy arrays by name, for example `module.state_dict()`.
        metadata: texts to keep with them; `load_metadata` reads them.

    Raises:
        InputError: the file cannot be written there, or something in `state` or `metadata` cannot be saved.

    >>> import tempfile, tinygrad_rnn as tg
    >>> from tinygrad_rnn.serialization import load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/x.safetensors", {"x": tg.tensor([1.0, 2.0])})
    ...     load(f"{folder}/x.safetensors")["x"].tolist()
    [1.0, 2.0]
    """
    if not isinstance(state, Mapping):
        raise InputError(
            f"save: the second argument must be a dict of tensors, not {type(state).__name__}; for a module pass "
            "module.state_dict()"
        )
    arrays = {name: _array(name, value) for name, value in state.items()}
    for key, text in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise InputError(
                f"save: metadata must be texts by name, but {key!r} is {type(text).__name__}; use str(...)"
            )
    content = safetensors.numpy.save(arrays, dict(metadata) if metadata else None)
    write_whole(path, content)


def write_whole(path: PathLike, content: bytes) -> None:
    """Write a file so that it appears whole or not at all: beside its place first, then moved there.

    Raises:
        InputError: the file cannot be written there.
    """
    target = Path(path)
    beside = target.with_name(f".{uuid.uuid4().hex}.tmp")  # not longer than names may be, as with the target's
    try:
        try:
            with open(beside, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # or a power cut after the move could leave an empty file in its place
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}; choose another place") from error


def _array(name: Any, value: Any) -> np.ndarray:
    """Return a value of a state as the contiguous array that safetensors needs (it writes the raw memory)."""
    if not isinstance(name, str) or name == "__metadata__":
        raise InputError(f"save: {name!r} cannot be the name of a tensor; use a text other than '__metadata__'")
    if isinstance(value, Tensor):
        value = value.numpy()
    if not isinstance(value, np.ndarray | np.generic):
        raise InputError(f"save: {name!r} is {type(value).__name__}; only tensors and NumPy arrays can be saved")
    try:
        dtype = dtypes.of_array(np.asarray(value))
    except DTypeError as error:
        raise InputError(f"save: {name!r}: {error}") from None
    return np.array(value, dtype=dtype, order="C")


def load(path: PathLike) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name.

    Raises:
        InputError: there is no such file, it cannot be read, or it is not a safetensors file of float32, float64, int64
            (or narrower integers) and bool tensors.
    """
    content = _content(path)
    try:
        arrays = safetensors.numpy.load(content)
        return {name: tensor(array) for name, array in arrays.items()}
    except DTypeError as error:
        raise InputError(f"cannot load {path}: {error}") from None
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def load_metadata(path: PathLike) -> dict[str, str]:
    """Return the texts that `save` kept in a safetensors file; an empty dict if there are none.

    Raises:
        InputError: there is no such file, it cannot be read, or it is not a safetensors file.
    """
    _content(path)  # for the errors: safe_open has its own for a missing file and a folder
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            return dict(file.metadata() or {})
    except safetensors.SafetensorError as error:
        raise _damaged(path, error) from error


def _content(path: PathLike) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _damaged(path: PathLike, error: Exception) -> InputError:
    return InputError(f"{path} is not a safetensors file this library can load ({error}); write one with tg.save")
