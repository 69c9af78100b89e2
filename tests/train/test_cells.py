"""Cells as they are written on a command line, and the weights they begin with."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn import CELLS, parse_cell
from tinygrad_rnn.specs import number
from tinygrad_rnn.train import SequenceModel

H = 5


def model(cell, layers=2, seed=0):
    tg.manual_seed(seed)
    return SequenceModel(cell, 3, H, 2, num_layers=layers)


def cells(cell):
    rnn = model(cell).rnn
    return [rnn.cell(layer) for layer in range(rnn.num_layers)]


def bias(cell):
    return cell.bias_ih.numpy() + cell.bias_hh.numpy()


@pytest.mark.parametrize(
    ("text", "normal", "file_name", "title"),
    [
        ("gru", "gru", "gru", "GRU"),
        ("lstm:forget_bias=3.0", "lstm:forget_bias=3", "lstm-forget_bias-3", "LSTM (forget bias 3)"),
        ("lstm:forget_bias=-.5", "lstm:forget_bias=-0.5", "lstm-forget_bias--0.5", "LSTM (forget bias -0.5)"),
        ("rnn:nonlinearity=relu:gain=1e0", "rnn:gain=1:nonlinearity=relu", "rnn-gain-1-nonlinearity-relu",
         "RNN (gain 1, nonlinearity relu)"),
        ("gru:update_bias=-0", "gru:update_bias=0", "gru-update_bias-0", "GRU (update bias 0)"),
    ],
)  # fmt: skip
def test_a_specification_is_known_by_its_shortest_form(text, normal, file_name, title):
    spec = parse_cell(text)
    assert (spec.text, spec.file_name, spec.title) == (normal, file_name, title)
    assert parse_cell(spec.text) == spec
    assert model(text).cell_name == normal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("elman", "unknown cell 'elman'; use one of rnn, irnn, carousel, "),
        ("", "unknown cell ''; use one of"),
        ("peepholes", "unknown cell 'peepholes'; did you mean peephole? use one of rnn, "),
        ("lstm:bias=3", "'bias=3' is no option of lstm, which has lstm:forget_bias=..."),
        ("rnn:relu", "'relu' is no option of rnn, which has rnn:gain=... and rnn:nonlinearity=..."),
        ("lstm:", "'' is no option of lstm"),
        ("lstm:forget_bias", "'forget_bias' is no option of lstm"),
        ("lstm:forget_bias=", "'' is not a number"),
        ("lstm:forget_bias=much", "'much' is not a number"),
        ("gru:update_bias=nan", "'nan' is not a number"),
        ("gru:update_bias=1e300", "'1e300' is not a number"),
        ("rnn:nonlinearity=sine", "nonlinearity 'sine' is unknown; use one of tanh, relu"),
        ("rnn:gain=1:gain=2", "gain is given twice"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_known(text, message):
    with pytest.raises(InputError) as raised:
        SequenceModel(text, 3, 4, 2)
    assert message in str(raised.value)


@pytest.mark.parametrize("number", [0.0, 3.0, -1.5])
def test_a_gate_begins_with_exactly_the_bias_asked_for_in_every_layer(number):
    for text, gate in (("lstm:forget_bias", 1), ("gru:update_bias", 1)):
        plain = [bias(cell) for cell in cells(text.partition(":")[0])]
        for cell, before in zip(cells(f"{text}={number}"), plain, strict=True):
            after = bias(cell).reshape(-1, H)
            assert (after[gate] == number).all()
            others = np.arange(len(after)) != gate
            np.testing.assert_array_equal(after[others], before.reshape(-1, H)[others])


def test_the_gates_that_get_a_bias_are_those_that_keep_the_state():
    """With all other weights 0, a large bias hands the state on unchanged."""
    for text, kept in (("lstm:forget_bias=30", 1), ("gru:update_bias=30", 0)):
        (cell,) = [SequenceModel(text, 3, H, 2, dtype="float64").rnn.cell()]
        for weight in (cell.weight_ih, cell.weight_hh):
            weight.assign_(np.zeros(weight.shape))
        start = tuple(tg.randn(4, H, dtype="float64") for _ in cell.state_names)
        state = cell(tg.zeros(4, 3, dtype="float64"), start if len(start) > 1 else start[0])
        state = state if isinstance(state, tuple) else (state,)
        keeps = state[kept].numpy() - start[kept].numpy()
        if text.startswith("lstm"):  # what enters through the input gate comes on top
            i, g = 1 / (1 + np.exp(-bias(cell)[:H])), np.tanh(bias(cell)[2 * H : 3 * H])
            keeps = keeps - i * g
        np.testing.assert_allclose(keeps, 0, atol=1e-10)


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_a_gain_makes_the_recurrent_weights_orthogonal(gain):
    for cell in cells(f"rnn:gain={gain}"):
        w = cell.weight_hh.numpy().astype("float64")
        np.testing.assert_allclose(w @ w.T, gain**2 * np.eye(H), atol=1e-6)
    np.testing.assert_array_equal(cells("rnn:gain=1")[0].weight_ih.numpy(), cells("rnn")[0].weight_ih.numpy())


def test_an_irnn_begins_by_copying_its_state():
    for cell in cells("irnn"):
        np.testing.assert_array_equal(cell.weight_hh.numpy(), np.eye(H))
        np.testing.assert_array_equal(bias(cell), 0)
    tg.manual_seed(0)
    wide = SequenceModel("irnn", 300, 40, 2).rnn
    assert wide.weight_ih_l0.numpy().std() == pytest.approx(0.001, rel=0.05)
    h = tg.tensor([[1.0, 2.0, 0.0, 3.0, 0.5]])
    np.testing.assert_array_equal(cells("irnn")[0](tg.zeros(1, 3), h).numpy(), h.numpy())
    np.testing.assert_array_equal(cells("irnn:gain=0.5")[0].weight_hh.numpy(), 0.5 * np.eye(H))


def test_relu_never_goes_below_zero():
    relu, tanh = (model(f"rnn:nonlinearity={name}", layers=1) for name in ("relu", "tanh"))
    x = tg.randn(6, 4, 3)
    assert relu.rnn(x)[0].numpy().min() == 0
    assert tanh.rnn(x)[0].numpy().min() < 0


NUMBERS = [
    f"{cell}:{option}=0.9" for cell, entry in CELLS.items() for option, read in entry.options.items() if read is number
]


@pytest.mark.parametrize("text", NUMBERS)
def test_options_change_nothing_else(text):
    plain, changed = model(text.partition(":")[0]), model(text)
    np.testing.assert_array_equal(plain.output.weight.numpy(), changed.output.weight.numpy())
