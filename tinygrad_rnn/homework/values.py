"""Values on their way between a check and a student's process: data as data, everything else as a number for it.

Never pickle: what comes from a student's process is read as JSON, and its arrays as npy without objects. Both processes
load this file, so it imports nothing of the package.
"""

from __future__ import annotations

import base64
import io
import json
import math
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["LARGEST", "BadValueError", "dump", "frame", "load", "size_of_frame"]

#: The largest message in bytes that is read.
LARGEST = 1 << 23
#: How deep lists may lie in lists.
_DEPTH = 40
_LENGTH = struct.Struct(">I")


class BadValueError(ValueError):
    """A message that is none of ours."""


def dump(value: Any, other: Callable[[Any], list[Any]], depth: int = 0) -> list[Any]:
    """Return a value as JSON has it; of what is derived from lists, tuples and dicts, what they hold: it is not asked.

    Args:
        value: what to send.
        other: called for what is no data; returns how it is sent.
        depth: how many lists are around it.

    Raises:
        BadValueError: lists lie too deep in each other.
    """
    if depth > _DEPTH:
        raise BadValueError("lists in lists in lists, too deep to send")
    kind = type(value)
    if value is None or kind in (bool, str):
        return ["plain", value]
    if kind is int:
        return ["int", hex(value)]
    if kind is float:
        return ["float", value.hex()]
    for base in (list, tuple, deque):
        if issubclass(kind, base):
            name = "tuple" if base is tuple else "list"
            return [name, [dump(each, other, depth + 1) for each in base.__iter__(value)]]
    if issubclass(kind, dict):
        items = dict.items(value)
        return ["dict", [[dump(key, other, depth + 1), dump(each, other, depth + 1)] for key, each in items]]
    if (
        kind is np.ndarray or (isinstance(value, np.generic) and kind.__module__ == "numpy")
    ) and not value.dtype.hasobject:
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(value), allow_pickle=False)
        return ["array" if kind is np.ndarray else "scalar", base64.b64encode(buffer.getvalue()).decode()]
    return other(value)


def load(told: Any, other: Callable[[str, Any], Any]) -> Any:
    """Return what `dump` was given.

    Args:
        told: what arrived, of which nothing is trusted.
        other: called with the kind and the content of what is no data.

    Raises:
        BadValueError: it is nothing that `dump` returns.
    """
    try:
        return _load(told, other, 0)
    except Exception as error:  # whatever a forged message makes JSON's or NumPy's readers raise
        raise BadValueError(f"no value: {error}") from error


def _load(told: Any, other: Callable[[str, Any], Any], depth: int) -> Any:
    kind, content = told
    if depth > _DEPTH:
        raise BadValueError("lists in lists in lists")
    if kind == "plain" and (content is None or type(content) in (bool, str)):
        return content
    if kind == "int":
        return int(content, 16)
    if kind == "float":
        return float.fromhex(content)
    if kind in ("list", "tuple"):
        items = [_load(each, other, depth + 1) for each in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {_load(key, other, depth + 1): _load(each, other, depth + 1) for key, each in content}
    if kind in ("array", "scalar"):
        data = io.BytesIO(base64.b64decode(content, validate=True))
        array = np.lib.format.read_array(data, allow_pickle=False)
        # Entries without bytes, and rows without entries, are as many as a header says: who lists them never ends.
        if not array.itemsize or math.prod(length or 1 for length in array.shape) > LARGEST:
            raise BadValueError(f"an array of {array.dtype} with shape {array.shape}")
        return array if kind == "array" else array[()]
    return other(kind, content)


def frame(message: Any) -> bytes:
    """Return a message with its length before it."""
    content = json.dumps(message).encode()
    return _LENGTH.pack(len(content)) + content


def size_of_frame(head: bytes) -> int:
    """Return how many bytes follow the first four of a message.

    Raises:
        BadValueError: more than is read.
    """
    size: int = _LENGTH.unpack(head)[0]
    if size > LARGEST:
        raise BadValueError(f"a message of {size:,} bytes; at most {LARGEST:,} are read")
    return size
