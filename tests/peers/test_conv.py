"""Convolution and pooling beside PyTorch's: outputs and all gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tinygrad_rnn as tg
from tinygrad_rnn.nn.conv import Conv2d, max_pool2d

pytestmark = pytest.mark.peers


@pytest.mark.parametrize(("size", "padding"), [(1, 0), (3, 1), (4, 2)])
def test_convolution_and_pooling_are_those_of_pytorch(size: int, padding: int) -> None:
    tg.manual_seed(0)
    ours = Conv2d(3, 4, size, padding=padding, dtype="float64")
    theirs = torch.nn.Conv2d(3, 4, size, padding=padding, dtype=torch.float64)
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    given = np.random.default_rng(0).normal(size=(2, 3, 7 + size % 2, 11 + size % 2))
    x, their_x = tg.tensor(given, requires_grad=True), torch.tensor(given, requires_grad=True)
    y, their_y = max_pool2d(ours(x), 2), torch.nn.functional.max_pool2d(theirs(their_x), 2)
    y.square().sum().backward()
    their_y.square().sum().backward()
    pairs = [(y, their_y), (x.grad, their_x.grad)]
    pairs += [(p.grad, q.grad) for p, q in zip(ours.parameters(), theirs.parameters(), strict=True)]
    for mine, right in pairs:
        np.testing.assert_allclose(mine.numpy(), right.detach().numpy(), rtol=1e-9, atol=1e-12)
