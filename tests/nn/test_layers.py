"""Linear, Embedding, Dropout, LayerNorm and the losses as modules."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn import reference_values
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, IndexRangeError, InputError


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 2, 3), (0, 3)])
def test_linear_multiplies_the_last_axis(shape: tuple[int, ...]) -> None:
    layer = nn.Linear(3, 2, dtype="float64")
    x = np.random.default_rng(0).normal(size=shape)
    expected = x @ layer.weight.numpy().T + layer.bias.numpy()
    np.testing.assert_allclose(layer(tg.tensor(x)).numpy(), expected, atol=1e-15)


def test_linear_starts_uniform_within_one_over_the_root_of_its_inputs() -> None:
    tg.manual_seed(0)
    layer = nn.Linear(16, 400)
    for values in (layer.weight.numpy(), layer.bias.numpy()):
        assert np.abs(values).max() <= 0.25
        assert abs(values.std() - 0.25 / np.sqrt(3)) < 0.01


@pytest.mark.host
def test_embedding_looks_rows_up_and_adds_gradients_of_repeated_ids() -> None:
    layer = nn.Embedding(4, 2)
    layer(tg.tensor([[1, 3], [1, 1]])).sum().backward()
    assert layer.weight.grad.tolist() == [[0.0, 0.0], [3.0, 3.0], [0.0, 0.0], [1.0, 1.0]]
    for outside in (4, -1):
        with pytest.raises(IndexRangeError):
            layer(tg.tensor([outside]))


def test_embedding_starts_from_the_standard_normal_distribution() -> None:
    tg.manual_seed(0)
    values = nn.Embedding(100, 50).weight.numpy()
    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05


def test_dropout_keeps_the_mean_and_is_repeated_by_the_seed() -> None:
    layer = nn.Dropout(0.25)
    tg.manual_seed(3)
    first = layer(tg.ones(10_000, dtype="float64")).numpy()
    tg.manual_seed(3)
    np.testing.assert_array_equal(first, layer(tg.ones(10_000, dtype="float64")).numpy())
    assert set(first) == {0.0, 1 / 0.75}
    assert abs((first == 0).mean() - 0.25) < 0.02
    assert abs(first.mean() - 1) < 0.02


def test_the_gradient_of_dropout_has_the_mask_of_its_output() -> None:
    x = tg.ones(100, dtype="float64", requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())


def test_dropout_passes_everything_in_eval_and_nothing_at_one() -> None:
    x = tg.tensor([1.0, float("inf")])
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(1.0)(x).tolist() == [0.0, 0.0]
    assert nn.Dropout(0.0)(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), True, "0.5", None, np.array([0.5])])
def test_dropout_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        nn.Dropout(p)
    with pytest.raises(InputError, match="dropout: p must be a number between 0 and 1"):
        F.dropout(tg.ones(2), p)


def test_layer_norm_equals_the_reference_values() -> None:
    arrays = reference_values.values("layers", "layer_norm")
    layer = nn.LayerNorm(4, dtype="float64")
    reference_values.load_parameters(layer, arrays)
    x = reference_values.leaf(arrays["in.x"])
    reference_values.check({"y": layer(x)}, {"x": x} | dict(layer.named_parameters()), arrays)


def test_layer_norm_adds_its_eps_to_the_variance() -> None:
    layer = nn.LayerNorm(2, eps=3.0, dtype="float64")
    np.testing.assert_allclose(layer(tg.tensor([-1.0, 1.0], dtype="float64")).numpy(), [-0.5, 0.5], rtol=1e-12)


def test_layer_norm_of_a_constant_row_is_finite() -> None:
    x = tg.ones(2, 3, requires_grad=True)
    y = nn.LayerNorm(3, bias=False)(x)
    y.sum().backward()
    assert y.numpy().max() == 0.0
    assert np.isfinite(x.grad.numpy()).all()


def test_the_eps_of_layer_norm_is_used() -> None:
    x = tg.tensor([1.0, 3.0], "float64")
    np.testing.assert_allclose(nn.LayerNorm(2, eps=3.0, dtype="float64")(x).numpy(), [-0.5, 0.5], rtol=1e-15)
    for wrong in (-1.0, float("nan"), "1", True):
        with pytest.raises(InputError, match="LayerNorm: eps"):
            nn.LayerNorm(2, eps=wrong)


MODULES = {
    "Identity": (nn.Identity(), lambda x: x),
    "Tanh": (nn.Tanh(), F.tanh),
    "Sigmoid": (nn.Sigmoid(), F.sigmoid),
    "Sigmoid, slope": (nn.Sigmoid(2.0), lambda x: F.sigmoid(x, 2.0)),
    "ReLU": (nn.ReLU(), F.relu),
    "Hardsigmoid": (nn.Hardsigmoid(), F.hardsigmoid),
    "Hardsigmoid, slope": (nn.Hardsigmoid(0.2), lambda x: F.hardsigmoid(x, 0.2)),
    "LeakyReLU": (nn.LeakyReLU(0.3), lambda x: F.leaky_relu(x, 0.3)),
    "PReLU": (nn.PReLU(init=0.4), lambda x: F.leaky_relu(x, 0.4)),
    "ELU": (nn.ELU(0.7), lambda x: F.elu(x, 0.7)),
    "GELU": (nn.GELU(), F.gelu),
    "GELU, tanh": (nn.GELU("tanh"), lambda x: F.gelu(x, "tanh")),
    "Softplus": (nn.Softplus(2.0, 1.0), lambda x: F.softplus(x, 2.0, 1.0)),
    "Softmax": (nn.Softmax(dim=0), lambda x: F.softmax(x, 0)),
    "LogSoftmax": (nn.LogSoftmax(), F.log_softmax),
}


@pytest.mark.parametrize("name", MODULES)
def test_activations_are_modules_too(name: str) -> None:
    module, function = MODULES[name]
    x = tg.tensor([[-1.0, 2.0, 0.0], [0.5, -3.0, 1.0]])
    np.testing.assert_array_equal(module(x).numpy(), function(x).numpy())
    with pytest.raises(InputError, match=f"{name.partition(',')[0]}: the input must be a tensor"):
        module([1.0])


def test_the_slopes_of_prelu_are_parameters() -> None:
    layer = nn.PReLU(3, dtype="float64", axis=-1)
    layer(tg.tensor(-np.ones((4, 2, 3)))).sum().backward()
    assert layer.weight.tolist() == [0.25] * 3
    assert layer.weight.grad.tolist() == [-8.0] * 3


def test_maxout_is_the_largest_of_linear_pieces_and_drops_its_input_in_training() -> None:
    layer = nn.Maxout(3, 2, pieces=4, dropout=0.5, dtype="float64")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3))
    w, b = layer.linear.weight.numpy().reshape(2, 4, 3), layer.linear.bias.numpy().reshape(2, 4)
    pieces = np.einsum("bd,mkd->bmk", x, w) + b
    np.testing.assert_allclose(layer.eval()(tg.tensor(x)).numpy(), pieces.max(-1), rtol=1e-12)
    tg.manual_seed(0)
    mask = F.dropout(tg.ones(5, 3, dtype="float64"), 0.5).numpy()
    tg.manual_seed(0)
    dropped = np.einsum("bd,mkd->bmk", x * mask, w) + b
    np.testing.assert_allclose(layer.train()(tg.tensor(x)).numpy(), dropped.max(-1), rtol=1e-12)
    assert [name for name, _ in nn.Maxout(3, 2, bias=False).named_parameters()] == ["linear.weight"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.Maxout(3, 2, pieces=0), "Maxout: pieces"),
        (lambda: nn.Maxout(3, 2, dropout=1.5), "Maxout: dropout"),
        (lambda: nn.PReLU(0), "PReLU: num_parameters"),
        (lambda: nn.Sigmoid("1"), "Sigmoid: slope"),
        (lambda: nn.Hardsigmoid(-1.0), "Hardsigmoid: slope must be a positive number"),
        (lambda: nn.GELU("erf"), "GELU: approximate must be one of none, tanh"),
    ],
)
def test_options_of_activations_that_cannot_be_are_named(make, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make()


SIZED = {
    "Linear": nn.Linear, "Embedding": nn.Embedding, "RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU,
    "RNNCell": nn.RNNCell, "LSTMCell": nn.LSTMCell, "GRUCell": nn.GRUCell,
}  # fmt: skip


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", [0, -1, True, 3.0, np.float64(3), "3", None, (3,), np.array([3]), np.bool_(True), 1j])
def test_a_size_that_is_no_positive_whole_number_is_refused(name: str, size) -> None:
    for sizes in ((size, 2), (2, size)):
        with pytest.raises(InputError, match=rf"{name}: \w+ must be a positive whole number, not"):
            SIZED[name](*sizes)


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", [np.int64(3), np.uint8(3), np.array(3), tg.tensor(3)])
def test_sizes_of_numpy_and_of_tensors_become_ints(name: str, size) -> None:
    module = SIZED[name](size, size)
    assert repr(module).startswith(f"{name}(3, 3")
    shapes = [parameter.shape for parameter in module.parameters()]
    assert shapes == [parameter.shape for parameter in SIZED[name](3, 3).parameters()]
    assert all(type(value) is not type(size) for value in vars(module).values())


@pytest.mark.parametrize("option", ["dropout", "bias", "batch_first", "bidirectional", "num_layers", "nonlinearity"])
@pytest.mark.parametrize("value", ["yes", None, float("nan"), [1], -0.5])
def test_options_of_recurrent_layers_that_cannot_be_are_named(option: str, value) -> None:
    with pytest.raises(InputError, match=option):
        nn.RNN(2, 3, **{option: value})


def test_options_of_numpy_become_plain() -> None:
    net = nn.LSTM(2, 3, np.int64(2), np.bool_(True), dropout=np.float32(0.5), bidirectional=np.True_)
    assert (net.num_layers, net.bias, net.dropout, net.bidirectional) == (2, True, 0.5, True)
    assert {type(value) for value in (net.num_layers, net.bias, net.dropout, net.bidirectional)} == {int, bool, float}


@pytest.mark.parametrize("make", [lambda: nn.Linear(0, 1), lambda: nn.Embedding(2, 1.5), lambda: nn.LayerNorm(True)])
def test_sizes_must_be_positive_whole_numbers(make) -> None:
    with pytest.raises(InputError, match="positive whole number"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(2, 1, bias="False"),
        lambda: nn.LayerNorm(2, 1e-5, 4),
        lambda: nn.LSTM(2, 3, batch_first=2),
        lambda: nn.GRU(2, 3, bidirectional="no"),
        lambda: nn.RNN(2, 3, bias=None),
    ],
)
def test_flags_must_be_true_or_false(make) -> None:
    with pytest.raises(InputError, match="must be True or False, not"):
        make()


LOSSES = {
    nn.CrossEntropyLoss: F.cross_entropy,
    nn.NLLLoss: F.nll_loss,
    nn.MSELoss: F.mse_loss,
    nn.L1Loss: F.l1_loss,
    nn.HuberLoss: F.huber_loss,
    nn.SmoothL1Loss: F.smooth_l1_loss,
    nn.BCEWithLogitsLoss: F.binary_cross_entropy_with_logits,
}


@pytest.mark.parametrize("reduction", F.REDUCTIONS)
@pytest.mark.parametrize("module", LOSSES)
def test_losses_as_modules_equal_the_functions(module: type[nn.Module], reduction: str) -> None:
    x = tg.randn(3, 2)
    target = tg.tensor([0, 1, 1]) if module in (nn.CrossEntropyLoss, nn.NLLLoss) else tg.rand(3, 2)
    expected = LOSSES[module](x, target, reduction=reduction)
    np.testing.assert_array_equal(module(reduction=reduction)(x, target).numpy(), expected.numpy())
    with pytest.raises(InputError, match="mean, sum, none"):
        module(reduction="average")


def test_losses_as_modules_hand_their_options_on() -> None:
    logits, ids = tg.randn(3, 2), tg.tensor([0, 1, 1])
    options = {"weight": tg.tensor([1.0, 3.0]), "ignore_index": 0}
    found = nn.CrossEntropyLoss(**options, label_smoothing=0.1)(logits, ids)
    assert found.item() == F.cross_entropy(logits, ids, **options, label_smoothing=0.1).item()
    assert nn.NLLLoss(**options)(logits, ids).item() == F.nll_loss(logits, ids, **options).item()
    weights = {"weight": tg.rand(2), "pos_weight": tg.rand(2)}
    found = nn.BCEWithLogitsLoss(**weights)(logits, tg.ones(3, 2))
    assert found.item() == F.binary_cross_entropy_with_logits(logits, tg.ones(3, 2), **weights).item()
    assert nn.SmoothL1Loss(beta=2.0)(tg.tensor([1.0]), tg.tensor([0.0])).item() == 0.25
    for module in (nn.CrossEntropyLoss, nn.NLLLoss, nn.BCEWithLogitsLoss):
        with pytest.raises(DTypeError, match=f"{module.__name__}: weight .* str; write reduction='sum'"):
            module("sum")


def test_the_delta_of_the_huber_loss_is_used() -> None:
    assert nn.HuberLoss(delta=2.0)(tg.tensor([10.0]), tg.tensor([0.0])).item() == 18.0
