"""The changes that cells suggest: to which rows and weights, and in which direction."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import CELLS

SIZE = H = 3
#: By cell, the rows of the gate that decides what stays, and the direction in which its bias is moved.
GATES = {
    "lstm": (1, 1), "lstm_joined": (1, 1), "layernorm_lstm": (1, 1), "peephole": (1, 1), "peephole_full": (1, 1),
    "nig": (0, 1), "nog": (1, 1), "niaf": (1, 1), "noaf": (1, 1), "np": (1, 1), "fgr": (1, 1), "cifg": (0, -1),
    "coupled": (0, -1), "grid": (1, 1), "gates_from_input": (0, 1), "gru": (1, 1), "mgu": (0, -1),
}  # fmt: skip
ELMAN = ("rnn", "irnn", "rnn_joined")
CAROUSELS = ("carousel", "lstm97", "lstm97_nog", "nfg")


def test_every_cell_is_one_of_these():
    assert {*GATES, *ELMAN, *CAROUSELS} == set(CELLS)


def cell(name, **options):
    return CELLS[name].cell(SIZE, H, dtype="float64", **CELLS[name].fixed, **options)


@pytest.mark.parametrize("name", GATES)
def test_a_gate_is_opened_in_its_own_rows_alone(name):
    made, (block, sign) = cell(name), GATES[name]
    found = list(made.remedies())
    assert len(found) == 4
    for remedy, by in zip(found, (1, 2, 3, 5), strict=True):
        assert remedy.options == {}
        assert list(remedy.values) == ["bias_ih"]
        moved = remedy.values["bias_ih"] - made.bias_ih.numpy()
        expected = np.zeros_like(moved)
        expected[block * H : (block + 1) * H] = sign * by
        np.testing.assert_allclose(moved, expected, atol=1e-12)
        assert remedy.what.endswith(f"{'raised' if sign > 0 else 'lowered'} by {by}")
        assert f" {made.gate_names[block]} " in remedy.what


@pytest.mark.parametrize("name", GATES)
def test_more_of_the_state_stays_with_every_one(name):
    made = cell(name)
    tg.manual_seed(1)
    state = made.initial_state((2,))
    parts = state if isinstance(state, tuple) else (state,)
    at = made.state_names.index("c") if "c" in made.state_names else 0
    parts = [tg.randn(*part.shape, dtype="float64") for part in parts]
    x = tg.randn(2, SIZE, dtype="float64") * 0.1

    def kept(values):
        changed = made.sharing({key: nn.Parameter(tg.tensor(value)) for key, value in values.items()})
        parts[at].requires_grad = True
        out = changed(x, tuple(parts) if len(parts) > 1 else parts[0])
        new = out[at] if isinstance(out, tuple) else out
        return float((tg.grad(new.sum(), parts[at])).numpy().sum())

    sizes = [kept({}), *(kept(remedy.values) for remedy in made.remedies())]
    assert sizes == sorted(sizes), "the derivative of the new state by the old one grows towards 1"
    assert sizes[-1] > 1.2 * sizes[0]


def test_renewing_gates_are_moved_the_other_way():
    (first, *_) = nn.GRUCell(SIZE, H, update="renew").remedies()
    assert first.what == "the bias of the update gate z lowered by 1"


@pytest.mark.parametrize("name", ELMAN)
def test_a_recurrent_weight_is_scaled_or_made_orthogonal(name):
    made = cell(name)
    weight = made.weight_hh.numpy()
    found = {remedy.what: remedy for remedy in made.remedies()}

    def recurrent(what):
        values = found[what].values
        whole = values["weight"][:, :H] if name == "rnn_joined" else values["weight_hh"]
        if name == "rnn_joined":
            np.testing.assert_array_equal(values["weight"][:, H:], made.weight_ih.numpy())
        return whole

    for gain in (0.5, 0.75, 1.25, 1.5, 2):
        np.testing.assert_allclose(recurrent(f"W_hh times {gain:g}"), gain * weight, rtol=1e-15)
    rotation = recurrent("W_hh made orthogonal")
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(H), atol=1e-12)
    symmetric = rotation.T @ weight  # of the nearest one this is symmetric and has no negative eigenvalue
    np.testing.assert_allclose(symmetric, symmetric.T, atol=1e-12)
    assert np.linalg.eigvalsh(symmetric).min() >= -1e-12
    np.testing.assert_allclose(recurrent("W_hh made orthogonal, times 1.5"), 1.5 * rotation, rtol=1e-12)
    irnn = "relu, W_hh the identity and biases 0 (IRNN)"
    if name == "irnn":
        assert irnn not in found
        return
    np.testing.assert_array_equal(recurrent(irnn), np.eye(H))
    assert found[irnn].options == {"nonlinearity": "relu"}
    assert not found[irnn].values["bias_ih"].any()


@pytest.mark.parametrize("name", CAROUSELS)
def test_what_keeps_all_suggests_nothing(name):
    assert list(cell(name).remedies()) == []


def test_without_biases_no_gate_can_be_opened():
    assert list(nn.LSTMCell(SIZE, H, bias=False).remedies()) == []
    assert len(list(nn.RNNCell(SIZE, H, bias=False).remedies())) == 8


def test_a_weight_that_is_not_finite_is_not_decomposed():
    broken = nn.RNNCell(SIZE, H, dtype="float64")
    broken.weight_hh.assign_(tg.full((H, H), float("nan"), dtype="float64"))
    assert not any("orthogonal" in remedy.what for remedy in broken.remedies())


def test_a_cell_of_ones_own_suggests_nothing_unless_it_says_so():
    class Mine(nn.Cell):
        gate_names = ("k",)

        def step(self, projected, state, prepared):
            return (projected + state @ prepared).tanh()

    class Keeping(Mine):
        keeping = ("k", "pocket gate", -1)

    assert list(Mine(SIZE, H).remedies()) == []
    assert next(remedy.what for remedy in Keeping(SIZE, H).remedies()) == "the bias of the pocket gate k lowered by 1"
