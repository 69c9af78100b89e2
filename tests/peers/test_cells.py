"""Every cell of the table beside the same equations in PyTorch's ops: outputs and all gradients along a sequence."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench import cells, torch_cells
from tests.bench.models import Size
from tinygrad_rnn import nn

pytestmark = pytest.mark.peers


def test_every_cell_is_written_in_torch() -> None:
    assert set(nn.CELLS) <= set(torch_cells.CELLS)


@pytest.mark.parametrize("text", torch_cells.CELLS)
def test_cells_compute_what_the_same_equations_compute_in_torch(text: str) -> None:
    ours, *others = (run() for run in cells.passes(text, Size("small", 6, 3, 5), "float64"))
    for theirs in others:
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            np.testing.assert_allclose(value.numpy(), theirs[name].numpy(), rtol=1e-9, atol=1e-12, err_msg=name)
