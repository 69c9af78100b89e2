"""Saving and loading tensors by name, in the safetensors format: a JSON header and raw numbers, nothing to execute."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError
from tinygrad_rnn.state import StateDict

__all__ = ["LARGEST_HEADER", "READ", "load", "load_metadata", "save", "sweep", "write_whole"]


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__


PathLike = str | os.PathLike[str]


def save(path: PathLike, state: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors by name to a safetensors file, which PyTorch, JAX and others can read, too.

    The file appears whole or not at all: it is written beside its place and then moved there.

    Args:
        path: where to; an existing file is replaced.
        state: tensors or NumPy arrays by name, for example `module.state_dict()`.
        metadata: texts to keep with them; `load_metadata` reads them. Of which cells a `state_dict` is goes with them,
            as "tinygrad_rnn.cells", so that it does not load into another cell unnoticed.

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
    target = _path(path)
    arrays = {name: _array(name, value) for name, value in state.items()}
    if not isinstance(metadata, Mapping | None):
        raise InputError(f"save: metadata must be a dict of texts by name, not {type(metadata).__name__}")
    cells = state.cells if isinstance(state, StateDict) else {}
    texts = ({CELLS: json.dumps(cells)} if cells else {}) | dict(metadata or {})
    for key, text in texts.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise InputError(
                f"save: metadata must be texts by name, but {key!r} is {type(text).__name__}; use str(...)"
            )
        if not (_is_unicode(key) and _is_unicode(text)):
            raise InputError(f"save: metadata {key!r} holds characters that no file can hold (lone surrogates)")
    content = safetensors.numpy.save(arrays, texts or None)
    if int.from_bytes(content[:8], "little") > LARGEST_HEADER:
        raise InputError(
            f"save: names and metadata take {int.from_bytes(content[:8], 'little'):,} bytes, and no reader of "
            f"safetensors takes more than {LARGEST_HEADER:,}; use shorter ones"
        )
    write_whole(target, content)


#: Under which name of the metadata a file says of which cells its tensors are.
CELLS = "tinygrad_rnn.cells"

#: Bytes of a header, the limit that the format's readers share.
LARGEST_HEADER = 100_000_000


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _path(path: PathLike | bytes) -> Path:
    """Return where a file is or shall be; InputError unless there can be one."""
    try:
        name = os.fsdecode(path)
        if "\0" in name:
            raise ValueError("it holds a zero character")
        os.fsencode(name)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path!r} cannot be the name of a file ({error}); give a text or a Path") from None
    return Path(name)


def _shown(path: Path) -> str:
    """Return a path as text that can be printed: what is not UTF-8 in it is replaced."""
    return os.fsencode(path).decode(errors="replace")


def write_whole(path: PathLike, content: bytes) -> None:
    """Write a file so that it appears whole or not at all: beside its place first, then moved there.

    Raises:
        InputError: the file cannot be written there.
    """
    target = _path(path)
    place = Path(os.path.realpath(target))  # a link stays one
    beside = place.parent / f"{_beside(place)}{uuid.uuid4().hex}.tmp"
    try:
        if place.exists() and not place.is_file() and not place.is_dir():
            raise InputError(f"cannot write {_shown(target)}: it is no regular file; choose another place")
        try:
            with open(beside, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # or a power cut after the move could leave an empty file in its place
            os.replace(beside, place)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {_shown(target)}: {error.strerror or error}; choose another place") from error


def sweep(path: PathLike) -> None:
    """Remove what a process that was killed while it wrote a file has left beside it. Nobody may be writing it now."""
    place = Path(os.path.realpath(_path(path)))
    for left in place.parent.glob(f"{_beside(place)}*.tmp"):
        left.unlink(missing_ok=True)


def _beside(place: Path) -> str:
    """Return how the names begin under which a file is written before it is moved to its place.

    They are not longer than a name that is as long as names may be.
    """
    return f".{hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]}-"


def _array(name: Any, value: Any) -> np.ndarray:
    """Return a value of a state as the contiguous array that safetensors needs (it writes the raw memory)."""
    if not isinstance(name, str) or name == "__metadata__" or not _is_unicode(name):
        raise InputError(
            f"save: {name!r} cannot be the name of a tensor; use a text other than '__metadata__', without lone "
            "surrogates"
        )
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
    """Return the tensors of a safetensors file by name; those of a `state_dict` know of which cells they are.

    Raises:
        InputError: there is no such file, it cannot be read, or it is not a safetensors file of float32, float64, int64
            (or narrower integers) and bool tensors.
    """
    with _opened(path) as file:
        names = list(file.keys())
        for name in names:  # all of them, before the first is read
            if (kind := file.get_slice(name).get_dtype()) not in READ:
                raise InputError(
                    f"cannot load {_shown(_path(path))}: {name!r} is of dtype {kind}, which is none of "
                    f"{', '.join(READ)}; convert it before you save it, for example array.astype('float32')"
                )
        found = {name: tensor(file.get_tensor(name)) for name in names}
        return StateDict(found, _cells((file.metadata() or {}).get(CELLS, "{}")))


def _cells(text: str) -> dict[str, str]:
    """Return of which cells a file says its tensors are; of none if that is not readable."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {path: str(cell) for path, cell in found.items()} if isinstance(found, dict) else {}


#: The dtypes that can be read, in the words of the format.
READ = "F32", "F64", "I64", "I32", "I16", "I8", "U8", "U16", "U32", "U64", "BOOL"


def load_metadata(path: PathLike) -> dict[str, str]:
    """Return the texts that `save` kept in a safetensors file; an empty dict if there are none.

    Raises:
        InputError: there is no such file, it cannot be read, or it is not a safetensors file.
    """
    with _opened(path) as file:
        return dict(file.metadata() or {})


@contextmanager
def _opened(path: PathLike) -> Iterator[Any]:
    """Open a safetensors file; it has been checked then, as far as it can be without reading a tensor.

    Raises:
        InputError: the file cannot be read, or is not such a file, or one that is damaged.
    """
    place = _path(path)
    try:
        with open(place, "rb"):  # for the errors: safe_open has its own for a missing file and a folder
            pass
        with safetensors.safe_open(os.fspath(place), framework="numpy") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot read {_shown(place)}: {error.strerror or error}") from error
    except DTypeError as error:
        raise InputError(f"cannot load {_shown(place)}: {error}") from None
    except InputError:
        raise
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{_shown(place)} is not a safetensors file this library can load ({error}); write one with tg.save"
        ) from error
