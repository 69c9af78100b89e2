"""The model: the same numbers all at once and step by step, and names that PyTorch knows."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.nn import CELLS
from tinygrad_rnn.train import SequenceModel


@pytest.fixture(autouse=True)
def _seeded():
    tg.manual_seed(5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_step_by_step_gives_the_last_output_of_the_whole(cell, layers):
    model = SequenceModel(cell, 4, 4, 2, num_layers=layers, dtype="float64")  # one cell needs as many units as inputs
    x = tg.tensor(np.random.default_rng(0).normal(size=(6, 5, 4)))
    start = model.initial_state(5)
    for part in start.values():
        part.assign_(np.random.default_rng(1).normal(size=part.shape))
    state = tuple(start.values())
    outputs, _ = model(x, state if len(state) > 1 else state[0])
    np.testing.assert_allclose(model.last_output(x, start).numpy(), outputs[-1].numpy(), rtol=1e-12)


def test_parameters_are_called_as_in_pytorch():
    names = [name for name, _ in SequenceModel("lstm", 3, 4, 2).named_parameters()]
    recurrent = ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0"]
    assert names == [*recurrent, "output.weight", "output.bias"]


def test_a_copy_in_another_dtype_has_the_same_values_and_its_own_memory():
    model = SequenceModel("gru", 3, 4, 2, num_layers=2)
    copy = model.converted("float64")
    assert copy.dtype == "float64"
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(copy.state_dict()[name].numpy(), value.numpy())
    model.output.bias.assign_(np.ones(2, "float32"))
    assert (copy.output.bias.numpy() != 1).all()


def test_a_copy_in_another_dtype_costs_no_random_numbers():
    model = SequenceModel("gru", 3, 4, 2)
    tg.manual_seed(5)
    wanted = tg.rand(3).numpy()
    tg.manual_seed(5)
    model.converted("float64")
    np.testing.assert_array_equal(tg.rand(3).numpy(), wanted)


def test_a_converted_copy_is_in_the_mode_of_the_model():
    model = SequenceModel("rnn", 2, 3, 1)
    assert model.converted("float64").training
    assert not model.eval().converted("float64").training
