"""Initialisers have the distribution they promise and follow the seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.nn import init

RANDOM = [init.uniform_, init.normal_, init.xavier_uniform_, init.orthogonal_]


@pytest.mark.parametrize("initialise", RANDOM)
def test_random_initialisers_overwrite_in_place_and_follow_the_seed(initialise) -> None:
    found = []
    for seed in (1, 1, 2):
        tg.manual_seed(seed)
        t = tg.zeros(3, 4, requires_grad=True)
        assert initialise(t) is t
        assert t.is_leaf
        found.append(t.numpy().copy())
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0


def test_uniform_and_normal_have_their_mean_and_spread() -> None:
    tg.manual_seed(0)
    values = init.uniform_(tg.zeros(100, 100), 1.0, 4.0).numpy()
    assert values.min() >= 1.0
    assert values.max() <= 4.0
    assert abs(values.mean() - 2.5) < 0.05
    values = init.normal_(tg.zeros(100, 100), -1.0, 0.5).numpy()
    assert abs(values.mean() + 1) < 0.02
    assert abs(values.std() - 0.5) < 0.02


def test_xavier_keeps_its_bound() -> None:
    values = init.xavier_uniform_(tg.zeros(100, 50), gain=2.0).numpy()
    assert np.abs(values).max() <= 0.4
    assert abs(values.std() - 0.4 / np.sqrt(3)) < 0.01


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 6), columns=st.integers(1, 6), gain=st.sampled_from([1.0, 0.5]))
def test_orthogonal_rows_or_columns_are_orthonormal(rows: int, columns: int, gain: float) -> None:
    w = init.orthogonal_(tg.zeros(rows, columns, dtype="float64"), gain).numpy() / gain
    product = w @ w.T if rows <= columns else w.T @ w
    np.testing.assert_allclose(product, np.eye(min(rows, columns)), atol=1e-12)


def test_orthogonal_takes_both_signs() -> None:
    tg.manual_seed(0)
    signs = {float(np.sign(init.orthogonal_(tg.zeros(1, 1)).item())) for _ in range(20)}
    assert signs == {-1.0, 1.0}


def test_identity_constant_zeros_and_ones() -> None:
    assert init.identity_(tg.zeros(2, 3), 2.0).tolist() == [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    assert init.constant_(tg.zeros(2, dtype="float64"), 0.1).tolist() == [0.1, 0.1]
    assert init.zeros_(tg.ones(2)).tolist() == [0.0, 0.0]
    assert init.ones_(tg.zeros(())).item() == 1.0


@pytest.mark.parametrize("initialise", [init.xavier_uniform_, init.orthogonal_, init.identity_])
def test_matrix_initialisers_refuse_other_shapes(initialise) -> None:
    with pytest.raises(ShapeError, match="needs a matrix"):
        initialise(tg.zeros(3))


@pytest.mark.parametrize("initialise", [*RANDOM, init.identity_, init.zeros_, init.ones_])
def test_what_is_no_tensor_of_floats_is_refused(initialise) -> None:
    with pytest.raises(InputError, match=r"_ overwrites a tensor, such as layer\.weight, not a ndarray"):
        initialise(np.zeros((2, 2)))
    with pytest.raises(DTypeError, match="floats"):
        initialise(tg.zeros(2, 2, dtype="int64"))


@pytest.mark.parametrize("value", ["1", None, True, float("nan"), float("inf"), [1.0], tg.ones(2)])
def test_gains_and_bounds_must_be_numbers(value) -> None:
    t = tg.zeros(2, 2)
    for initialise in (init.xavier_uniform_, init.orthogonal_, init.identity_, init.constant_, init.uniform_):
        with pytest.raises(InputError, match=r"_: (gain|value|low) must be a finite number"):
            initialise(t, value)
    with pytest.raises(InputError, match="normal_: std must be a number >= 0"):
        init.normal_(t, 0.0, value)
    assert t.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    for right in (np.float32(2.0), np.int64(2), tg.tensor(2.0)):
        assert init.identity_(t, right).tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_chrono_draws_the_logarithms_of_even_lengths() -> None:
    tg.manual_seed(0)
    lengths = np.exp(init.chrono_(tg.zeros(20000, dtype="float64"), 100.0).numpy())
    assert lengths.min() >= 1.0
    assert lengths.max() <= 99.0
    assert abs(lengths.mean() - 50.0) < 1.0
    assert abs(lengths.std() - 98 / 12**0.5) < 0.5
    with pytest.raises(InputError, match="longest must be a number above 2, not 2"):
        init.chrono_(tg.zeros(2), 2)


def biases(text: str) -> np.ndarray:
    tg.manual_seed(3)
    cell = nn.Recurrent(text, 3, 50).cell()
    return (cell.bias_ih + cell.bias_hh).numpy().reshape(-1, 50)


def test_chrono_begins_the_gates_of_an_lstm_with_opposite_biases_and_leaves_the_rest() -> None:
    i, f, g, o = biases("lstm:chrono=200")
    np.testing.assert_array_equal(i, -f)
    assert 0 <= f.min() < 3 < f.max() <= np.log(199)
    np.testing.assert_array_equal([g, o], biases("lstm")[2:])
    with pytest.raises(InputError, match="chrono and forget_bias both say"):
        biases("lstm:chrono=200:forget_bias=1")
    with pytest.raises(InputError, match="no number of steps above 2"):
        biases("lstm:chrono=2")


def test_chrono_begins_the_update_gate_of_a_gru_so_that_it_keeps_whichever_way_it_is_written() -> None:
    r, z, n = biases("gru:chrono=200")
    assert 0 <= z.min() < 3 < z.max() <= np.log(199)
    np.testing.assert_array_equal([r, n], biases("gru")[[0, 2]])
    np.testing.assert_array_equal(biases("gru:chrono=200:update=renew")[1], -z)
