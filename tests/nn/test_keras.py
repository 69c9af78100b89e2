"""Layers from Keras' weights compute what Keras computes, and give the weights back."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn import foreign_cases
from tests.nn.foreign_cases import B, H, I, T
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError


def layer_of(name: str) -> tuple[nn.Recurrent, list[np.ndarray]]:
    """Return the layer of a case, and Keras' weights."""
    kind, options = foreign_cases.KERAS[name]
    weights, _, _ = foreign_cases.keras_reference(name)
    half = len(weights) // 2 if options.get("bidirectional") else len(weights)
    module = nn.from_keras(
        kind, *weights[:half], reset_after=options.get("reset_after", True), backward=weights[half:] or None
    )
    return module, weights


@pytest.mark.parametrize("name", foreign_cases.KERAS)
def test_layers_compute_what_keras_computes(name: str) -> None:
    module, _ = layer_of(name)
    _, x, (expected, *states) = foreign_cases.keras_reference(name)
    output, finals = module(tg.tensor(x))
    assert output.shape == (B, T, module.directions * H) == expected.shape
    np.testing.assert_allclose(output.numpy(), expected, rtol=0, atol=1e-6)
    # Keras has the states of one direction after those of the other: h, c, h, c.
    parts = finals if isinstance(finals, tuple) else (finals,)
    found = [part.numpy()[direction] for direction in range(module.directions) for part in parts]
    for mine, theirs in zip(found, states, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", foreign_cases.KERAS)
def test_the_weights_come_back_as_they_were(name: str) -> None:
    module, weights = layer_of(name)
    (found,) = nn.to_keras(module)
    for mine, theirs in zip(found, weights, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "cell", ["rnn", "rnn_joined", "lstm", "lstm_joined", "gru", "gru:reset=before", "gru:update=renew"]
)
def test_layers_that_went_to_keras_and_back_compute_the_same(cell: str, bias: bool) -> None:
    module = nn.Recurrent(cell, I, H, num_layers=2, bidirectional=True, bias=bias, dtype="float64")
    x = tg.randn(T, B, I, dtype="float64")
    expected, _ = module(x)
    kind = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}[re.split("[_:]", cell)[0]]
    for weights in nn.to_keras(module):
        half = len(weights) // 2
        options: dict[str, Any] = {"reset_after": "before" not in cell, "batch_first": False}
        x, _ = nn.from_keras(kind, *weights[:half], backward=weights[half:], **options)(x)
    np.testing.assert_allclose(x.numpy(), expected.numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("module", [nn.LSTM(I, H), nn.GRU(I, H)])
def test_keras_has_its_own_shapes(module: nn.Recurrent) -> None:
    gates = module.cell().gates
    kernel, recurrent_kernel, bias = nn.to_keras(module)[0]
    assert (kernel.shape, recurrent_kernel.shape) == ((I, gates * H), (H, gates * H))
    assert bias.shape == ((2, 3 * H) if isinstance(module, nn.GRU) else (4 * H,))


LSTM = {"kernel": np.ones((3, 20)), "recurrent_kernel": np.ones((5, 20)), "bias": np.ones(20)}
GRU = {"kernel": np.ones((3, 15)), "recurrent_kernel": np.ones((5, 15)), "bias": np.ones((2, 15))}


@pytest.mark.parametrize(
    ("kind", "weights", "error", "message"),
    [
        ("lstm", LSTM, InputError, "kind must be one of SimpleRNN, GRU, LSTM, not 'lstm'; did you mean LSTM?"),
        (["LSTM"], LSTM, InputError, "kind must be one of SimpleRNN, GRU, LSTM, not ['LSTM']"),
        ("LSTM", LSTM | {"kernel": [[1.0], [1.0, 2.0]]}, InputError, "from_keras: kernel is no array ("),
        ("LSTM", LSTM | {"kernel": "kernel"}, DTypeError, "kernel must be float32 or float64, not <U6"),
        ("LSTM", LSTM | {"backward": 5}, InputError, "backward must be (kernel, recurrent_kernel, bias), not a int"),
        ("LSTM", LSTM | {"kernel": np.ones(20)}, ShapeError, "kernel must have 2 axes"),
        ("LSTM", LSTM | {"kernel": None}, ShapeError, "kernel must have 2 axes, (rows, columns of the gates)"),
        ("LSTM", LSTM | {"kernel": np.ones((20, 3))}, ShapeError, "the kernel of a LSTM with H = 5 and I = 20"),
        ("LSTM", LSTM | {"bias": np.ones(40)}, ShapeError, "must have shape (20,), not (40,)"),
        ("LSTM", GRU, ShapeError, "must have shape (3, 20), not (3, 15)"),
        ("GRU", GRU | {"bias": np.ones(15)}, ShapeError, "a GRU has two biases with reset_after=True, and one without"),
        ("GRU", GRU | {"reset_after": False}, ShapeError, "must have shape (15,), not (2, 15)"),
        ("GRU", GRU | {"reset_after": 1}, InputError, "reset_after must be True or False"),
        ("GRU", GRU | {"bias": np.ones((2, 15), "float32")}, DTypeError, "bias is float32 and kernel is float64"),
        ("GRU", GRU | {"kernel": np.ones((3, 15), int)}, DTypeError, "kernel must be float32 or float64, not int64"),
        ("LSTM", LSTM | {"backward": [np.ones((3, 20))]}, InputError, "backward must be (kernel, "),
        ("LSTM", LSTM | {"backward": [np.ones((3, 20)), np.ones((5, 20))]}, ShapeError, "and a bias or none"),
        ("LSTM", LSTM | {"backward": [np.ones((4, 20)), np.ones((5, 20)), np.ones(20)]}, ShapeError, "the same shapes"),
    ],
)  # fmt: skip
def test_weights_that_are_none_of_keras(
    kind: str, weights: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        nn.from_keras(kind, **weights)


def test_layers_that_keras_does_not_have() -> None:
    with pytest.raises(InputError, match="Keras has no layer for PeepholeLSTMCell"):
        nn.to_keras(nn.Recurrent("peephole", 3, 4))
    with pytest.raises(InputError, match="Keras' LSTM has no place for weight_hr"):
        nn.to_keras(nn.LSTM(3, 4, proj_size=2))
    with pytest.raises(InputError, match="Keras has no zoneout"):
        nn.to_keras(nn.Recurrent("lstm", 3, 4, zoneout=0.1))
    with pytest.raises(InputError, match="a Linear is no recurrent layer"):
        nn.to_keras(nn.Linear(3, 4))
