"""Variational dropout: one mask for a whole sequence, on what a layer reads and on what its recurrent weights see."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.variational import dropout_factors

T, B = 4, 6


def linear(**weights: float) -> nn.Recurrent:
    """Return h' = W_ih x + W_hh h, both weights multiples of the identity."""
    module = nn.Recurrent("rnn:nonlinearity=identity", 8, 8, bias=False, variational=0.5, dtype="float64")
    for name, factor in weights.items():
        getattr(module, f"{name}_l0").assign_(factor * np.eye(8))
    return module


@pytest.mark.parametrize("way", ["forward", "unroll"])
def test_the_same_elements_of_the_state_are_dropped_at_every_step(way: str) -> None:
    module = linear(weight_ih=0.0, weight_hh=1.0)
    _, h = getattr(module, way)(tg.zeros(T, B, 8, dtype="float64"), tg.ones(1, B, 8, dtype="float64"))
    assert set(h.numpy().ravel()) == {0.0, 2.0**T}  # another mask at another step would leave less
    assert (h[0, 0] != h[0, 1]).any()  # every example has its own


@pytest.mark.parametrize("way", ["forward", "unroll"])
def test_the_same_elements_of_the_input_are_dropped_at_every_step(way: str) -> None:
    module = linear(weight_ih=1.0, weight_hh=0.0)
    output, _ = getattr(module, way)(tg.ones(T, B, 8, dtype="float64"))
    assert set(output[0].numpy().ravel()) == {0.0, 2.0}
    np.testing.assert_array_equal(output.numpy(), np.broadcast_to(output[0].numpy(), output.shape))


@pytest.mark.parametrize("way", ["forward", "unroll"])
def test_every_layer_and_direction_follows_the_equations(way: str) -> None:
    p, sizes = 0.3, {"num_layers": 2, "bidirectional": True}
    module = nn.Recurrent("lstm", 3, 4, variational=p, dtype="float64", **sizes)
    x = tg.randn(T, B, 3, dtype="float64")
    tg.manual_seed(7)
    output, _ = getattr(module, way)(x)
    tg.manual_seed(7)
    steps = list(x)
    for layer in range(2):
        drop_x = dropout_factors(x, (B, steps[0].shape[-1]), p)
        sides = []
        for reverse in (False, True):
            cell = module.cell(layer, reverse)
            drop_h = dropout_factors(x, (B, 4), p)
            h = c = tg.zeros(B, 4, dtype="float64")
            found = {}
            for t in range(T)[:: -1 if reverse else 1]:
                net = cell.project(steps[t] * drop_x) + (h * drop_h) @ cell.weight_hh.T
                i, f, g, o = net.chunk(4, axis=-1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = found[t] = o.sigmoid() * c.tanh()
            sides.append(found)
        steps = [tg.concat([side[t] for side in sides], axis=-1) for t in range(T)]
    np.testing.assert_allclose(output.numpy(), tg.stack(steps).numpy(), rtol=0, atol=1e-14)


def test_what_a_gru_keeps_is_not_dropped() -> None:
    module = nn.Recurrent("gru:update_bias=60", 3, 4, variational=0.5, dtype="float64")
    for weight in (module.weight_ih_l0, module.weight_hh_l0):
        nn.init.zeros_(weight)
    h = tg.randn(1, B, 4, dtype="float64")
    np.testing.assert_allclose(module(tg.randn(20, B, 3, dtype="float64"), h)[1].numpy(), h.numpy(), atol=1e-12)


@pytest.mark.parametrize(
    "cell", ["lstm", "gru:reset=before", "mgu", "fgr", "peephole_full", "lstm97", "lstm:proj_size=2"]
)
def test_in_evaluation_nothing_is_dropped(cell: str) -> None:
    module = nn.Recurrent(cell, 3, 4, variational=0.5)
    x = tg.randn(T, B, 3)
    assert (module(x)[0] != module(x)[0]).any()
    module.eval()
    plain = nn.Recurrent(cell, 3, 4)
    plain.load_state_dict(module.state_dict())
    np.testing.assert_array_equal(module(x)[0].numpy(), plain(x)[0].numpy())


def test_a_single_example_and_whole_numbers_are_fine() -> None:
    module = nn.Recurrent("lstm", 3, 4, num_layers=2, variational=0.5)
    assert module(tg.ones(T, 3, dtype="int64"))[0].shape == (T, 4)


class Transposing(nn.Cell):
    def prepare(self):
        return self.weight_hh

    def step(self, projected, state, prepared):
        return (projected + state @ prepared.T).tanh()


class Biased(nn.Cell):
    def prepare(self):
        return self.weight_hh.T, self.bias_hh

    def step(self, projected, state, prepared):
        return (projected + state @ prepared[0] + prepared[1]).tanh()


def test_a_cell_of_ones_own_that_does_not_multiply_with_its_weights_is_told_how() -> None:
    with pytest.raises(AttributeError, match="`state @ weights`, and asks for their 'T'"):
        nn.Recurrent(Transposing, 3, 4, variational=0.5)(tg.zeros(T, B, 3))
    with pytest.raises(InputError, match="Biased: variational dropout needs a cell whose `prepare` returns matrices"):
        nn.Recurrent(Biased, 3, 4, variational=0.5)(tg.zeros(T, B, 3))
