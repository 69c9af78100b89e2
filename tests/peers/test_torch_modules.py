"""PyTorch's own samples of its modules (`ModuleInfo`), for those that this library has too.

Both modules get the same parameters. Outputs and the gradients of inputs and parameters have to be equal, in float64.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

from tests.peers import comparing
from tests.peers.differences import Sample
from tests.peers.results import Tally
from tinygrad_rnn import nn

ENTRIES = {info.module_cls.__name__: info for info in module_db if hasattr(nn, info.module_cls.__name__)}

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("name", ENTRIES)
def test_modules_compute_what_torch_computes(name: str, tally: Tally) -> None:
    torch.manual_seed(0)
    entry = ENTRIES[name]
    for given in entry.module_inputs_func(entry, "cpu", torch.float64, requires_grad=True, training=False):
        made, called = given.constructor_input, given.forward_input
        sample = Sample(called.args, called.kwargs, _named(made))
        theirs = entry.module_cls(*made.args, **made.kwargs).to(torch.float64).eval()
        tally.sample(name, sample, comparing.difference(theirs, partial(_ours, name, made, theirs), sample))
    tally.finish(name)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.module_error_inputs_func])
def test_modules_refuse_what_torch_refuses(name: str, tally: Tally) -> None:
    torch.manual_seed(0)
    entry = ENTRIES[name]
    for wrong in entry.module_error_inputs_func(entry, "cpu", torch.float64, requires_grad=True, training=False):
        made, called = wrong.module_error_input.constructor_input, wrong.module_error_input.forward_input
        if wrong.error_on is ModuleErrorEnum.CONSTRUCTION_ERROR:
            sample = Sample((), {}, _named(made))
            tally.error_input(name, sample, comparing.refusal(_made, name, made))
        else:
            sample = Sample(called.args, called.kwargs, _named(made))
            tally.error_input(name, sample, comparing.refusal(_made_and_called, name, made, sample))
    tally.finish_errors(name)


def _named(made: Any) -> dict[str, Any]:
    return {**{str(i): value for i, value in enumerate(made.args)}, **made.kwargs}


def _made(name: str, made: Any) -> nn.Module:
    """Return our module, made as theirs was."""
    args, kwargs = comparing.translated((made.args, made.kwargs))
    if name != "LSTM" and kwargs.get("proj_size") == 0:  # torch's word for what is no option of the others
        del kwargs["proj_size"]
    return getattr(nn, name)(*args, **kwargs).to("float64").eval()


def _made_and_called(name: str, made: Any, sample: Sample) -> Any:
    return comparing.called(_made(name, made), sample)


def _ours(name: str, made: Any, theirs: torch.nn.Module) -> tuple[nn.Module, comparing.Pairs]:
    """Return our module with the parameters of theirs, and the pairs of parameters."""
    module = _made(name, made)
    parameters = dict(theirs.named_parameters())
    module.load_state_dict({path: value.detach().numpy() for path, value in theirs.state_dict().items()})
    return module, [(parameters[path], parameter) for path, parameter in module.named_parameters()]
