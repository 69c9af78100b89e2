"""Values that a cell of a tutorial keeps in a file, so that who comes back need not wait for them again.

Arrays and tensors go to a safetensors file, what is around them into its header as JSON: reading executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn import __version__, serialization
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, TinygradError
from tinygrad_rnn.tutorial.lessons import Lesson
from tinygrad_rnn.viz.pictures import data_folder

__all__ = ["digest", "load", "save"]


def digest(sources: Iterable[str]) -> str:
    """Return what tells whether values can still be used: the code up to them, the version, how much is computed."""
    parts = [__version__, os.environ.get("TINYGRAD_RNN_FAST", ""), *sources]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def save(lesson: Lesson, cell: int, digest: str, values: dict[str, Any]) -> None:
    """Keep the values of a cell.

    Args:
        lesson: the tutorial.
        cell: the number of the cell.
        digest: of the code that made them.
        values: by name: numbers, texts, arrays, tensors, and lists, tuples and dicts of these.

    Raises:
        InputError: one of them cannot be kept, or the file cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    told = {name: _told(value, arrays, name) for name, value in values.items()}
    path = _file(lesson, cell)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    serialization.save(path, arrays, {"digest": digest, "values": json.dumps(told)})


def load(lesson: Lesson, cell: int, digest: str) -> dict[str, Any] | None:
    """Return what a cell has kept, by name; None if there is nothing, or something of other code."""
    path = _file(lesson, cell)
    try:
        about = serialization.load_metadata(path)
        if about.get("digest") != digest:
            return None
        arrays = serialization.load(path)
        return {name: _read(value, arrays) for name, value in json.loads(about["values"]).items()}
    except (TinygradError, ValueError, KeyError, TypeError):
        return None


def _file(lesson: Lesson, cell: int) -> Path:
    return data_folder() / "tutorials" / lesson.key / f"cell{cell:02d}.safetensors"


def _told(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """Return a value as JSON, with the arrays in it put aside. Texts, truths and None are themselves."""
    if value is None or isinstance(value, str | bool):
        return value
    if type(value) in (int, float):
        return {type(value).__name__: repr(value)}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_told(each, arrays, name) for each in value]}
    if isinstance(value, dict):
        return {"dict": [[_told(key, arrays, name), _told(each, arrays, name)] for key, each in value.items()]}
    if isinstance(value, np.ndarray | np.generic | Tensor):
        key = str(len(arrays))
        arrays[key] = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        kind = "tensor" if isinstance(value, Tensor) else "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: [key, isinstance(value, Tensor) and value.requires_grad]}
    raise InputError(
        f"{name} holds a {type(value).__name__}, which cannot be kept; keep numbers, texts, arrays, tensors, or lists, "
        "tuples and dicts of these, such as model.state_dict()"
    )


def _read(value: Any, arrays: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inside),) = value.items()
    if kind in ("int", "float"):
        return {"int": int, "float": float}[kind](inside)
    if kind in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[kind](_read(each, arrays) for each in inside)
    if kind == "dict":
        return {_read(key, arrays): _read(each, arrays) for key, each in inside}
    key, requires_grad = inside
    if kind == "tensor":
        return tensor(arrays[key].numpy(), requires_grad=requires_grad)
    found = np.array(arrays[key].numpy())
    return found if kind == "array" else found[()]
