"""What modules say to inputs that are no tensors, or of another dtype than their parameters."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, IndexRangeError, InputError, ShapeError

WITH_WEIGHTS = {
    "RNN": lambda **options: nn.RNN(3, 4, **options),
    "LSTM": lambda **options: nn.LSTM(3, 4, num_layers=2, bidirectional=True, **options),
    "GRU": lambda **options: nn.GRU(3, 4, bias=False, **options),
    "RNNCell": lambda **options: nn.RNNCell(3, 4, **options),
    "LSTMCell": lambda **options: nn.LSTMCell(3, 4, **options),
    "GRUCell": lambda **options: nn.GRUCell(3, 4, **options),
    "Linear": lambda **options: nn.Linear(3, 4, **options),
    "LayerNorm": lambda **options: nn.LayerNorm(3, **options),
}
MODULES = WITH_WEIGHTS | {"Dropout": nn.Dropout, "Tanh": nn.Tanh, "Sigmoid": nn.Sigmoid, "ReLU": nn.ReLU}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(("given", "kind"), [([[1.0, 2.0, 3.0]], "a list"), (np.ones((2, 3)), "an array")])
def test_what_is_no_tensor_is_refused_with_a_word_on_how_to_make_one(name, given, kind):
    with pytest.raises(InputError, match=rf"{name}: the input must be a tensor, not {kind}; pass tg\.tensor\(\.\.\.\)"):
        MODULES[name]()(given)


@pytest.mark.parametrize("name", WITH_WEIGHTS)
@pytest.mark.parametrize(("dtype", "other"), [("float32", "float64"), ("float64", "float32")])
def test_another_float_dtype_than_that_of_the_parameters_is_refused(name, dtype, other):
    module = WITH_WEIGHTS[name](dtype=dtype)
    with pytest.raises(
        DTypeError, match=rf"{name}: the input is {other} .* x\.cast\('{dtype}'\), or {name}\(.*{other}"
    ):
        module(tg.ones(2, 3, dtype=other))
    module(tg.ones(2, 3, dtype=dtype))
    module(tg.ones(2, 3, dtype="int64"))  # like a number, it takes the dtype of what it meets


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRUCell", "LSTMCell"])
def test_a_state_of_another_dtype_is_refused(name):
    module = WITH_WEIGHTS[name]()
    x = tg.ones(5, 2, 3) if "Cell" not in name else tg.ones(2, 3)
    _, state = module(x) if "Cell" not in name else (None, module(x))
    wrong = tuple(part.cast("float64") for part in state) if isinstance(state, tuple) else state.cast("float64")
    with pytest.raises(DTypeError, match=rf"{name}: the initial h is float64 .* h\.cast\('float32'\)"):
        module(x, wrong)


@pytest.mark.parametrize("name", WITH_WEIGHTS)
@pytest.mark.parametrize("shape", [(), (5,), (2, 5), (6, 2, 5), (2, 1), (6, 2, 1), (2, 2, 2, 5)])
def test_an_input_of_another_size_names_the_layer_its_size_and_the_shape(name, shape):
    size = {"Linear": "in_features = 3", "LayerNorm": "normalized_shape = 3"}.get(name, r"\((T|B), 3\)|\(T, B, 3\)")
    seen = rf".*\({', '.join(map(str, shape))}" if shape else ""
    with pytest.raises(ShapeError, match=rf"{name}: .*({size}){seen}"):
        WITH_WEIGHTS[name]()(tg.ones(shape))


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        (tg.tensor([0.5]), DTypeError), (tg.tensor([True]), DTypeError), ("ab", DTypeError), (None, DTypeError),
        ([[1], [2, 3]], InputError), (tg.tensor([7]), IndexRangeError), ([-1], IndexRangeError),
        ([1.5], DTypeError),
    ],
)  # fmt: skip
def test_ids_that_are_none_name_the_embedding(ids, error):
    with pytest.raises(error, match=r"[Ee]mbedding: "):
        nn.Embedding(5, 2)(ids)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize(
    "state", [3.0, "h", np.zeros((2, 4)), [], (tg.zeros(2, 4),) * 3, tg.zeros(2, 5), (tg.zeros(4), None), {"h": 1}]
)
def test_a_state_that_is_none_names_the_layer(name, state):
    x = tg.ones(2, 3) if "Cell" in name else tg.ones(5, 2, 3)
    with pytest.raises((InputError, ShapeError), match=rf"{name}: the (state|initial h) must"):
        WITH_WEIGHTS[name]()(x, state)
