"""PyTorch's own samples of its ops (`OpInfo`), for those that this library has too.

Every sample is run in float64 (int64 where the op knows no floats) through both. Values, shapes, dtypes, and the
gradients that random cotangents give to all inputs have to be equal; what PyTorch refuses has to be refused by an
error of this library.
"""

from __future__ import annotations

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

import tinygrad_rnn as tg
from tests.peers import comparing, names
from tests.peers.differences import Sample
from tests.peers.results import Tally

ENTRIES = {
    f"{entry.name}.{entry.variant_test_name}".rstrip("."): entry
    for entry in op_db
    if names.ours(entry.name) is not None
}

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("name", ENTRIES)
def test_ops_compute_what_torch_computes(name: str, tally: Tally) -> None:
    torch.manual_seed(0)
    tg.manual_seed(0)
    entry = ENTRIES[name]
    ours = names.ours(entry.name)
    dtype = torch.float64 if torch.float64 in entry.dtypes else torch.int64
    for given in entry.sample_inputs("cpu", dtype, requires_grad=dtype.is_floating_point and entry.supports_autograd):
        sample = Sample((given.input, *given.args), given.kwargs, {})
        tally.sample(name, sample, comparing.difference(entry.op, lambda: (ours, []), sample))
    tally.finish(name)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.error_inputs_func])
def test_ops_refuse_what_torch_refuses(name: str, tally: Tally) -> None:
    torch.manual_seed(0)
    entry = ENTRIES[name]
    for wrong in entry.error_inputs("cpu"):
        given = wrong.sample_input
        sample = Sample((given.input, *given.args), given.kwargs, {})
        tally.error_input(name, sample, comparing.refusal(comparing.called, names.ours(entry.name), sample))
    tally.finish_errors(name)
