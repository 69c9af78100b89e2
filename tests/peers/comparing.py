"""Run one sample of PyTorch through both libraries and say in a sentence where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import tinygrad_rnn as tg
from tests.peers.differences import Sample
from tinygrad_rnn.errors import TinygradError

#: Both compute in float64, in other orders.
RTOL, ATOL = 1e-8, 1e-10


Pairs = list[tuple[torch.Tensor, tg.Tensor]]


def difference(
    theirs: Callable[..., Any], make_ours: Callable[[], tuple[Callable[..., Any], Pairs]], sample: Sample, seed: int = 0
) -> str:
    """Return where values, shapes, dtypes or gradients of the two functions differ, or "".

    The gradients are those of all inputs that require one, and of the pairs of parameters that come with our function,
    from random cotangents of all outputs.
    """
    expected = list(leaves(theirs(*sample.args, **sample.kwargs)))
    try:
        ours, parameters = make_ours()
        mine: dict[int, tg.Tensor] = {}
        args, kwargs = translated((sample.args, sample.kwargs), mine)
        found = list(leaves(ours(*args, **kwargs)))
        inputs = [(x, mine[id(x)]) for x in leaves((sample.args, sample.kwargs)) if id(x) in mine and x.requires_grad]
        return compared(expected, found) or compared_gradients(expected, found, inputs + parameters, seed)
    except Exception as error:  # whatever happens on our side is a difference
        return f"{type(error).__name__}: {error}".splitlines()[0]


def refusal(call: Callable[..., Any], *arguments: Any) -> str:
    """Return what a call did instead of raising an error of this library, or ""."""
    try:
        result = call(*arguments)
    except TinygradError:
        return ""
    except Exception as error:  # any other error is one that nobody wrote for this
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return f"not refused: {result!r}"


def called(function: Callable[..., Any], sample: Sample) -> Any:
    """Return what our function makes of a sample for torch."""
    args, kwargs = translated((sample.args, sample.kwargs))
    return function(*args, **kwargs)


def translated(value: Any, made: dict[int, tg.Tensor] | None = None) -> Any:
    """Return arguments for torch as arguments for this library; `made` keeps our tensor for each of theirs."""
    made = {} if made is None else made
    if isinstance(value, torch.Tensor):
        if id(value) not in made:
            array = value.detach().resolve_conj().resolve_neg().numpy()
            made[id(value)] = tg.tensor(array, requires_grad=value.requires_grad)
        return made[id(value)]
    if isinstance(value, dict):
        return {key: translated(part, made) for key, part in value.items()}
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, list | tuple):
        return type(value)(translated(part, made) for part in value)
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    return str(value) if isinstance(value, torch.device) else value


def leaves(value: Any) -> Iterator[Any]:
    """Yield what is in nested lists, tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def compared(expected: list[Any], found: list[Any]) -> str:
    """Return how values, shapes or dtypes differ, or ""."""
    if len(expected) != len(found):
        return f"{len(found)} outputs instead of {len(expected)}"
    for theirs, mine in zip(expected, found, strict=True):
        if not isinstance(theirs, torch.Tensor):
            if type(theirs) is not type(mine) or theirs != mine:
                return f"{mine!r} instead of {theirs!r}"
            continue
        if not isinstance(mine, tg.Tensor):
            return f"a {type(mine).__name__} instead of a tensor"
        if mine.shape != tuple(theirs.shape):
            return f"shape {mine.shape} instead of {tuple(theirs.shape)}"
        dtype = str(theirs.dtype).removeprefix("torch.")
        if mine.dtype != dtype:
            return f"dtype {mine.dtype} instead of {dtype}"
        if text := apart(mine.numpy(), theirs.detach().resolve_conj().numpy()):
            return f"values: {text}"
    return ""


def compared_gradients(expected: list[Any], found: list[Any], inputs: Pairs, seed: int) -> str:
    """Return how the gradients that random cotangents of the outputs give to the inputs differ, or ""."""
    rng = np.random.default_rng(seed)
    outputs = [
        (theirs, mine, rng.uniform(-1, 1, mine.shape))
        for theirs, mine in zip(expected, found, strict=True)
        if isinstance(theirs, torch.Tensor) and theirs.requires_grad
    ]
    if not outputs or not inputs:
        return "ours alone requires grad" if any(isinstance(x, tg.Tensor) and x.requires_grad for x in found) else ""
    gradients = torch.autograd.grad(
        [theirs for theirs, _, _ in outputs],
        [x for x, _ in inputs],
        [torch.tensor(cotangent) for _, _, cotangent in outputs],
        allow_unused=True,
    )
    for _, mine, cotangent in outputs:
        mine.backward(tg.tensor(cotangent), retain_graph=True)
    for i, ((_, x), gradient) in enumerate(zip(inputs, gradients, strict=True)):
        wanted = np.zeros(x.shape) if gradient is None else gradient.numpy()
        mine = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
        if text := apart(mine, wanted):
            return f"gradient {i}: {text}"
    return ""


def apart(mine: np.ndarray, wanted: np.ndarray) -> str:
    """Return the first pair of elements that differ if the arrays are not close, or ""."""
    close = np.isclose(mine, wanted, rtol=RTOL, atol=ATOL, equal_nan=True)
    if close.all():
        return ""
    where = tuple(int(i) for i in np.argwhere(~close)[0])
    return f"{mine[where]} instead of {wanted[where]} at {where}"


def described(sample: Sample) -> str:
    """Return the call in one line, tensors as their shapes."""
    made = ", ".join(f"{key}={_short(value)}" for key, value in sample.made_with.items())
    named = [f"{key}={_short(value)}" for key, value in sample.kwargs.items()]
    return (f"({made})" if made else "") + f"({', '.join([*map(_short, sample.args), *named])})"


def _short(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"array{list(value.shape)}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_short(part) for part in value)}]"
    return repr(value)
