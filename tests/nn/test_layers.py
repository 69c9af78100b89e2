"""Linear, Embedding, Dropout, LayerNorm and the losses as modules."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn import reference_values
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import IndexRangeError, InputError


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


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        nn.Dropout(p)


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


def test_activations_are_modules_too() -> None:
    x = tg.tensor([-1.0, 2.0])
    for module, method in ((nn.Tanh(), x.tanh), (nn.Sigmoid(), x.sigmoid), (nn.ReLU(), x.relu)):
        np.testing.assert_array_equal(module(x).numpy(), method().numpy())


@pytest.mark.parametrize("make", [lambda: nn.Linear(0, 1), lambda: nn.Embedding(2, 1.5), lambda: nn.LayerNorm(True)])
def test_sizes_must_be_positive_whole_numbers(make) -> None:
    with pytest.raises(InputError, match="positive whole number"):
        make()


LOSSES = {
    nn.CrossEntropyLoss: F.cross_entropy,
    nn.NLLLoss: F.nll_loss,
    nn.MSELoss: F.mse_loss,
    nn.L1Loss: F.l1_loss,
    nn.HuberLoss: F.huber_loss,
    nn.BCEWithLogitsLoss: F.binary_cross_entropy_with_logits,
}


@pytest.mark.parametrize("reduction", F.REDUCTIONS)
@pytest.mark.parametrize("module", LOSSES)
def test_losses_as_modules_equal_the_functions(module: type[nn.Module], reduction: str) -> None:
    x = tg.randn(3, 2)
    target = tg.tensor([0, 1, 1]) if module in (nn.CrossEntropyLoss, nn.NLLLoss) else tg.rand(3, 2)
    expected = LOSSES[module](x, target, reduction)
    np.testing.assert_array_equal(module(reduction)(x, target).numpy(), expected.numpy())
    with pytest.raises(InputError, match="mean, sum, none"):
        module("average")


def test_the_delta_of_the_huber_loss_is_used() -> None:
    assert nn.HuberLoss(delta=2.0)(tg.tensor([10.0]), tg.tensor([0.0])).item() == 18.0
