"""The committed reference values, and the module of this library that a set of them belongs to."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import safetensors.numpy

import tinygrad_rnn as tg
from tests.nn import cases
from tinygrad_rnn import nn

Arrays = dict[str, np.ndarray]


@cache
def content(name: str) -> Arrays:
    """Return a whole file: arrays by "case/what"."""
    return safetensors.numpy.load_file(Path(__file__).parent / "reference" / f"{name}.safetensors")


def values(file: str, case: str) -> Arrays:
    """Return the arrays of one case by "what"."""
    found = {key.removeprefix(case + "/"): value for key, value in content(file).items() if key.startswith(case + "/")}
    assert found, f"{file} has no case {case}: run python -m tests.nn.make_reference"
    return found


def leaf(array: np.ndarray) -> tg.Tensor:
    return tg.tensor(array, requires_grad=True)


def load_parameters(module: nn.Module, arrays: Arrays) -> None:
    """Give a module the parameters among the inputs of a case."""
    module.load_state_dict({name: arrays[f"in.{name}"] for name, _ in module.named_parameters()})


def recurrent_module(case: cases.Recurrent) -> nn.Recurrent:
    return getattr(nn, case.kind)(cases.INPUT, cases.HIDDEN, dtype="float64", **case.options)


def weighted_sum(outputs: dict[str, tg.Tensor], arrays: Arrays) -> tg.Tensor:
    """Return the scalar whose gradients the reference values hold."""
    parts = [(value * arrays[f"cotangent.{name}"]).sum() for name, value in outputs.items()]
    return tg.stack(parts).sum()


def check(outputs: dict[str, tg.Tensor], leaves: dict[str, tg.Tensor], arrays: Arrays) -> None:
    """Compare outputs and the gradients of all leaves with the reference values, to 1e-12."""
    for name, value in outputs.items():
        np.testing.assert_allclose(value.numpy(), arrays[f"out.{name}"], rtol=0, atol=1e-12, err_msg=name)
    weighted_sum(outputs, arrays).backward()
    for name, x in leaves.items():
        np.testing.assert_allclose(x.grad.numpy(), arrays[f"grad.{name}"], rtol=0, atol=1e-12, err_msg=f"d/d {name}")


def recurrent_outputs(output: tg.Tensor, final: object, case: cases.Recurrent) -> dict[str, tg.Tensor]:
    finals = final if isinstance(final, tuple) else (final,)
    return {"output": output, **{f"{name}_n": value for name, value in zip(case.states, finals, strict=True)}}
