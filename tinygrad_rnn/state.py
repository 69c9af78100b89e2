"""A state by name, and loading it: all values are converted and checked, then all are written, or none is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import GraphError, StateError, TinygradError

__all__ = ["StateDict", "converted", "write"]


class StateDict(dict[str, Tensor]):
    """Tensors by name, and which cells they are of: names and shapes alone do not always tell.

    A copy that is a plain dict does not know the cells any more.

    Attributes:
        cells: the class of each cell with the options that its numbers depend on, by the path of its module.
    """

    def __init__(self, tensors: Mapping[str, Tensor], cells: Mapping[str, str]) -> None:
        super().__init__(tensors)
        self.cells = dict(cells)


def converted(
    state: Any, targets: Mapping[str, Tensor], what: str, strict: bool = True
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the values of a state as new tensors like their targets, and what is wrong with it.

    Args:
        state: tensors, arrays or nested lists by name.
        targets: the tensors to overwrite later. One that has several names may come under any of them.
        what: whose state it is, for the error.
        strict: whether missing and unexpected names are wrong.

    Returns:
        The values that fit, by name; and a line for everything that is wrong.

    Raises:
        StateError: the state is no mapping.
    """
    if not isinstance(state, Mapping):
        raise StateError(
            f"the state of {what} must be a dict of tensors by name, as state_dict() returns, not "
            f"{type(state).__name__}; for the name of a file pass tg.load(name)"
        )
    given = dict(state)
    names: dict[int, list[str]] = {}  # of each target
    for name, target in targets.items():
        names.setdefault(id(target), []).append(name)
    problems = []
    if strict:
        missing = [name for name, target in targets.items() if not any(n in given for n in names[id(target)])]
        unexpected = [str(name) for name in given if name not in targets]
        problems += [f"missing: {', '.join(missing)}"] if missing else []
        problems += [f"unexpected: {', '.join(unexpected)}"] if unexpected else []
    values: dict[str, Tensor] = {}
    for name, target in targets.items():
        if name not in given:
            continue
        try:
            values[name] = _like(target, given[name])
        except StateError as error:
            problems.append(f"{name}: {error}")
            continue
        for other in names[id(target)]:
            if other in values and not _equal(values[other], values[name]):
                problems.append(f"{other} and {name}: one tensor here, but two different ones in the state")
                break
    return values, problems


def _like(target: Tensor, value: Any) -> Tensor:
    """Return a value as a new tensor with the shape, dtype and device of the target; StateError says why not."""
    try:
        array = value if isinstance(value, Tensor) else np.asarray(value)
    except Exception as error:  # ragged lists, other libraries' tensors: whatever they raise
        raise StateError(f"is no array ({type(value).__name__}: {error})") from error
    if array.dtype.kind not in ("fiub" if target.dtype == dtypes.bool_ else "fiu"):
        raise StateError(f"is not numeric ({type(value).__name__}, dtype {array.dtype})")
    if array.shape != target.shape:
        raise StateError(f"has shape {array.shape} in the state, {target.shape} here")
    try:
        with np.errstate(over="ignore"):
            found = tensor(array, target.dtype, target.device)
    except TinygradError as error:
        raise StateError(str(error)) from error
    if dtypes.is_float(found.dtype) and array.dtype.itemsize > found.dtype.itemsize:
        source = array.numpy() if isinstance(array, Tensor) else array
        lost = np.isfinite(source) & ~np.isfinite(found.numpy())
        if lost.any():
            raise StateError(f"{source[lost].flat[0]} does not fit into {found.dtype}")
    return found


def _equal(a: Tensor, b: Tensor) -> bool:
    return a is b or np.array_equal(a.numpy(), b.numpy(), equal_nan=dtypes.is_float(a.dtype))


def write(values: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
    """Overwrite targets with the values of their names. When that fails or is interrupted, all become as they were.

    Raises:
        StateError: the memory of a target cannot be written.
    """
    before: list[tuple[Tensor, Tensor]] = []
    try:
        for name, value in values.items():
            target = targets[name]
            before.append((target, target.detach().copy()))
            try:
                target.assign_(value)
            except GraphError as error:
                raise StateError(f"{name}: {error}") from error
    except BaseException:
        for target, old in reversed(before):
            with suppress(GraphError):  # the one that could not be written
                target.assign_(old)
        raise
