"""Compute the reference values in `reference/` with PyTorch: `python -m tests.nn.make_reference`.

They let the tests compare with PyTorch where it is not installed. Every file holds float64 arrays (and int64 ids) under
"case/what". Inputs and weights come from NumPy's generator, seeded by the case, so that the files can be made again.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.nn import cases

FOLDER = Path(__file__).parent / "reference"

Arrays = dict[str, np.ndarray]


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _leaf(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(rng.normal(size=shape), requires_grad=True)


def _fill(module: torch.nn.Module, rng: np.random.Generator) -> None:
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.tensor(rng.normal(scale=0.7, size=p.shape)))


def _results(outputs: dict[str, torch.Tensor], leaves: dict[str, torch.Tensor], rng: np.random.Generator) -> Arrays:
    """Return outputs, the random cotangents they are weighted with, the leaves, and their gradients."""
    found: Arrays = {}
    loss = torch.zeros((), dtype=torch.float64)
    for name, value in outputs.items():
        cotangent = rng.normal(size=tuple(value.shape))
        loss = loss + (value * torch.tensor(cotangent)).sum()
        found[f"out.{name}"], found[f"cotangent.{name}"] = value.detach().numpy(), np.asarray(cotangent)
    loss.backward()
    for name, leaf in leaves.items():
        found[f"in.{name}"], found[f"grad.{name}"] = leaf.detach().numpy(), leaf.grad.numpy()
    return found


def recurrent(case: cases.Recurrent, rng: np.random.Generator) -> Arrays:
    """Return inputs, outputs and gradients of a recurrent network."""
    module = getattr(torch.nn, case.kind)(cases.INPUT, cases.HIDDEN, **case.options).double()
    _fill(module, rng)
    leaves = {"x": _leaf(rng, case.x_shape)}
    states = {f"{name}0": _leaf(rng, case.state_shape(name)) for name in case.states} if case.given_state else {}
    state: Any = tuple(states.values())
    given = [state if case.kind == "LSTM" else state[0]] if case.given_state else []
    if case.lengths is None:
        output, final = module(leaves["x"], *given)
    else:
        batch_first = bool(case.options.get("batch_first"))
        packed = pack_padded_sequence(leaves["x"], torch.tensor(case.lengths), batch_first, enforce_sorted=False)
        output, final = module(packed, *given)
        output, _ = pad_packed_sequence(output, batch_first, total_length=cases.STEPS)
    finals = final if isinstance(final, tuple) else (final,)
    outputs = {"output": output, **{f"{name}_n": value for name, value in zip(case.states, finals, strict=True)}}
    return _results(outputs, leaves | states | dict(module.named_parameters()), rng)


def cell(kind: str, batched: bool, bias: bool, rng: np.random.Generator) -> Arrays:
    """Return inputs, outputs and gradients of one step of a cell."""
    module = getattr(torch.nn, kind)(cases.INPUT, cases.HIDDEN, bias=bias).double()
    _fill(module, rng)
    batch = (cases.BATCH,) if batched else ()
    names = ("h", "c") if kind == "LSTMCell" else ("h",)
    leaves = {"x": _leaf(rng, (*batch, cases.INPUT))}
    states = {f"{name}0": _leaf(rng, (*batch, cases.HIDDEN)) for name in names}
    state: Any = tuple(states.values())
    final = module(leaves["x"], state if kind == "LSTMCell" else state[0])
    outputs = dict(zip(names, final if isinstance(final, tuple) else (final,), strict=True))
    return _results(outputs, leaves | states | dict(module.named_parameters()), rng)


def loss(case: str, rng: np.random.Generator) -> Arrays:
    """Return input, target, the loss under every reduction, and the gradient of the mean."""
    name, options, shape, kind = cases.LOSSES[case]
    function = getattr(torch.nn.functional, name)
    x = _leaf(rng, shape)
    if kind == "ids":
        target = torch.tensor(rng.integers(0, shape[1], size=(shape[0], *shape[2:])))
    else:
        target = torch.tensor(rng.normal(size=shape) if kind == "values" else rng.uniform(size=shape))
    found = {"in.x": x.detach().numpy(), "target": target.numpy()}
    for reduction in ("none", "sum", "mean"):
        value = function(x, target, reduction=reduction, **options)
        found[f"out.{reduction}"] = value.detach().numpy()
    value.backward()
    return found | {"grad.x": x.grad.numpy()}


def layer_norm(rng: np.random.Generator) -> Arrays:
    """Return inputs, outputs and gradients of a layer norm over the last axis of size 4."""
    module = torch.nn.LayerNorm(4).double()
    _fill(module, rng)
    x = _leaf(rng, (2, 3, 4))
    return _results({"y": module(x)}, {"x": x} | dict(module.named_parameters()), rng)


def optimizer(case: str, rng: np.random.Generator) -> Arrays:
    """Return two parameters before and after every step, and the gradients of every step."""
    name, options = cases.OPTIMIZERS[case]
    params = [_leaf(rng, (2, 3)), _leaf(rng, (4,))]
    found = {f"0.p{i}": p.detach().numpy().copy() for i, p in enumerate(params)}
    steps = getattr(torch.optim, name)(params, **options)
    for t in range(1, cases.OPTIMIZER_STEPS + 1):
        for i, p in enumerate(params):
            p.grad = torch.tensor(rng.normal(size=tuple(p.shape)))
            found[f"{t}.g{i}"] = p.grad.numpy().copy()
        steps.step()
        found |= {f"{t}.p{i}": p.detach().numpy().copy() for i, p in enumerate(params)}
    return found


def everything() -> dict[str, Arrays]:
    """Return the content of every file."""
    files: dict[str, dict[str, Arrays]] = {
        "recurrent": {name: recurrent(case, _generator(name)) for name, case in cases.RECURRENT.items()},
        "cells": {name: cell(*case, _generator(name)) for name, case in cases.CELLS.items()},
        "losses": {name: loss(name, _generator(name)) for name in cases.LOSSES},
        "layers": {"layer_norm": layer_norm(_generator("layer_norm"))},
        "optim": {name: optimizer(name, _generator(name)) for name in cases.OPTIMIZERS},
    }
    return {
        file: {f"{name}/{key}": value for name, values in found.items() for key, value in values.items()}
        for file, found in files.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, arrays in everything().items():
        path = FOLDER / f"{name}.safetensors"
        safetensors.numpy.save_file(
            {key: np.array(value, order="C") for key, value in arrays.items()},
            path,
            {"made_with": f"PyTorch {torch.__version__}"},
        )
        print(f"{path} ({path.stat().st_size:,} bytes)")
