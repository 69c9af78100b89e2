"""Composed functions: PyTorch's numbers, right derivatives also at 0, finite results where textbook forms overflow."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.nn import cases, reference_values
from tests.recording import recorded_ops
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.engine.check import gradcheck, gradgradcheck
from tinygrad_rnn.errors import DeviceError, DTypeError, IndexRangeError, InputError, ShapeError


def check_loss(name: str, arrays: dict[str, np.ndarray]) -> None:
    function_name, options, _, _ = cases.LOSSES[name]
    function = getattr(F, function_name)
    x, target = reference_values.leaf(arrays["in.x"]), tg.tensor(arrays["target"])
    for reduction in ("none", "sum", "mean"):
        value = function(x, target, reduction=reduction, **options)
        np.testing.assert_allclose(value.numpy(), arrays[f"out.{reduction}"], rtol=0, atol=1e-12)
    value.backward()
    np.testing.assert_allclose(x.grad.numpy(), arrays["grad.x"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", cases.LOSSES)
def test_losses_and_gradients_equal_the_reference_values(name: str) -> None:
    check_loss(name, reference_values.values("losses", name))


@pytest.mark.parametrize("name", cases.LOSSES)
def test_losses_and_gradients_equal_pytorch(name: str) -> None:
    pytest.importorskip("torch")
    from tests.nn import make_reference

    check_loss(name, make_reference.loss(name, np.random.default_rng(5)))


def test_the_committed_reference_values_are_what_the_script_makes() -> None:
    pytest.importorskip("torch")
    from tests.nn import make_reference

    for file, arrays in make_reference.everything().items():
        committed = reference_values.content(file)
        assert committed.keys() == arrays.keys()
        for key, value in arrays.items():
            np.testing.assert_allclose(committed[key], value, rtol=0, atol=1e-12, err_msg=f"{file}: {key}")


ACTIVATIONS = {
    "relu": {},
    "tanh": {},
    "sigmoid": {},
    "leaky_relu": {"negative_slope": 0.2},
    "elu": {"alpha": 0.7},
    "softplus": {},
    "softmax": {"dim": -1},
    "log_softmax": {"dim": -1},
    "logsumexp": {"dim": -1},
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_gradients_equal_pytorch_also_at_zero_and_far_out(name: str) -> None:
    torch = pytest.importorskip("torch")
    options = ACTIVATIONS[name]
    data = np.array([[-800.0, -40.0, -1.5, -1e-9, 0.0], [0.0, 1e-9, 0.5, 30.0, 800.0]])
    theirs = torch.tensor(data, requires_grad=True)
    expected = (torch.logsumexp if name == "logsumexp" else getattr(torch.nn.functional, name))(theirs, **options)
    weights = np.arange(1.0, 1.0 + expected.numel()).reshape(expected.shape)
    (expected * torch.tensor(weights)).sum().backward()
    ours = tg.tensor(data, requires_grad=True)
    value = getattr(F, name)(ours, **options)
    (value * weights).sum().backward()
    np.testing.assert_allclose(value.numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "softplus", "hardsigmoid", "heaviside", "sigmoid"])
def test_activations_pass_nan_on_and_stay_finite_in_float32(name: str) -> None:
    function = getattr(F, name)
    assert np.isnan(function(tg.tensor([float("nan")])).item())
    x = tg.tensor([-1e4, 1e4], requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()
    assert y.dtype == "float32"


def test_the_logistic_function_has_its_slope_and_does_not_overflow() -> None:
    x = np.array([-3.0, -0.1, 0.0, 0.7, 2.0])
    found = F.sigmoid(tg.tensor(x), slope=2.5)
    np.testing.assert_allclose(found.numpy(), 1 / (1 + np.exp(-2.5 * x)), rtol=1e-14)
    assert F.sigmoid(tg.tensor([-1e30, 1e30]), slope=1e8).tolist() == [0.0, 1.0]
    at_zero = tg.tensor(0.0, dtype="float64", requires_grad=True)
    assert tg.grad(F.sigmoid(at_zero, 3.0), at_zero).item() == 0.75


def test_both_hard_sigmoids_are_straight_between_their_bends_and_flat_beyond() -> None:
    x = np.array([-5.0, -3.0, -2.5, -1.0, 0.0, 2.0, 2.5, 3.0, 4.0])
    for slope, edge in ((1 / 6, 3.0), (0.2, 2.5)):
        leaf = tg.tensor(x, requires_grad=True)
        y = F.hardsigmoid(leaf, slope)
        y.sum().backward()
        np.testing.assert_allclose(y.numpy(), np.clip(slope * x + 0.5, 0, 1), rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(leaf.grad.numpy(), np.where(np.abs(x) < edge, slope, 0.0))
    assert F.hardsigmoid(tg.tensor([-float("inf"), float("inf")])).tolist() == [0.0, 1.0]


def test_the_gradient_of_a_threshold_is_exactly_zero_also_at_its_jump_and_for_infinite_numbers() -> None:
    x = tg.tensor([-float("inf"), -1.0, 0.0, 1e-300, float("inf")], dtype="float64", requires_grad=True)
    for at_zero in (1.0, 0.5, 0.0):
        x.grad = None
        y = F.heaviside(x, at_zero)
        assert y.tolist() == [0.0, 0.0, at_zero, 1.0, 1.0]
        y.backward(tg.full((5,), 1e300, "float64"))
        assert x.grad.tolist() == [0.0] * 5


@pytest.mark.parametrize(("shape", "slopes", "axis"), [((3,), 1, 1), ((2, 3), 3, 1), ((4, 2, 3), 3, -1), ((), 1, 1)])
def test_prelu_learns_one_slope_or_one_for_each_place_along_an_axis(shape, slopes: int, axis: int) -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=shape), rng.normal(size=slopes)
    along = weight.reshape(()) if slopes == 1 else weight
    found = F.prelu(tg.tensor(x), tg.tensor(weight), axis)
    np.testing.assert_allclose(found.numpy(), np.where(x > 0, x, along * x), rtol=1e-14)
    leaves = [tg.tensor(x, requires_grad=True), tg.tensor(weight, requires_grad=True)]
    assert gradcheck(lambda x, weight: F.prelu(x, weight, axis), leaves)


def test_prelu_agrees_with_torch_also_at_zero() -> None:
    torch = pytest.importorskip("torch")
    data, slopes = np.array([[-1.0, 0.0, 2.0], [0.0, -3.0, 0.5]]), np.array([0.1, 0.2, -0.3])
    theirs = [torch.tensor(data, requires_grad=True), torch.tensor(slopes, requires_grad=True)]
    torch.nn.functional.prelu(*theirs).sum().backward()
    ours = [tg.tensor(data, requires_grad=True), tg.tensor(slopes, requires_grad=True)]
    F.prelu(*ours).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-15)


@pytest.mark.parametrize(("shape", "axis"), [((6,), -1), ((2, 6), -1), ((6, 2), 0), ((2, 6, 3), 1)])
@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_maxout_is_the_largest_of_its_neighbours(shape: tuple[int, ...], axis: int, pieces: int) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    last = np.moveaxis(x, axis, -1)
    expected = np.stack([last[..., i : i + pieces].max(-1) for i in range(0, 6, pieces)], -1)
    found = F.maxout(tg.tensor(x), pieces, axis)
    np.testing.assert_array_equal(found.numpy(), np.moveaxis(expected, -1, axis))
    assert gradcheck(lambda x: F.maxout(x, pieces, axis), tg.tensor(x, requires_grad=True))


def test_elu_is_accurate_just_below_zero() -> None:
    np.testing.assert_allclose(F.elu(tg.tensor([-1e-5])).item(), np.expm1(np.float32(-1e-5)), rtol=1e-6)


def test_softplus_has_its_first_and_second_derivative_at_zero() -> None:
    x = tg.tensor(0.0, dtype="float64", requires_grad=True)
    first = tg.grad(F.softplus(x), x, create_graph=True)
    assert first.item() == 0.5
    assert tg.grad(first, x).item() == 0.25


def smooth(*shape: int) -> tg.Tensor:
    return tg.randn(*shape, dtype="float64", requires_grad=True)


SMOOTH = {
    "softplus": F.softplus,
    "gelu": F.gelu,
    "gelu, tanh": lambda x: F.gelu(x, "tanh"),
    "elu": F.elu,
    "sigmoid, slope": lambda x: F.sigmoid(x, 2.5),
    "hardsigmoid": F.hardsigmoid,
    "cross_entropy": lambda x: F.cross_entropy(x, tg.tensor([2, 0, 1])),
    "huber_loss": lambda x: F.huber_loss(x, tg.zeros(3, 4, dtype="float64"), delta=0.3),
    "binary_cross_entropy_with_logits": lambda x: F.binary_cross_entropy_with_logits(
        x, tg.full((3, 4), 0.25, "float64"), reduction="sum"
    ),
    "layer_norm": F.layer_norm,
}


@pytest.mark.parametrize("name", SMOOTH)
def test_first_and_second_derivatives_agree_with_finite_differences(name: str) -> None:
    tg.manual_seed(0)
    x = smooth(3, 4)
    assert gradcheck(SMOOTH[name], x)
    assert gradgradcheck(SMOOTH[name], x)


@settings(max_examples=30, deadline=None)
@given(
    examples=st.integers(1, 4),
    classes=st.integers(1, 5),
    rest=st.sampled_from([(), (1,), (2,), (2, 3)]),
    scale=st.sampled_from([1.0, 1e4]),
    seed=st.integers(0, 100),
)
def test_cross_entropy_is_minus_the_log_softmax_of_the_target(
    examples: int, classes: int, rest: tuple[int, ...], scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(examples, classes, *rest)) * scale
    targets = rng.integers(0, classes, size=(examples, *rest))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    picked = np.take_along_axis(log_softmax, targets[:, None], axis=1)[:, 0]
    x = tg.tensor(logits, requires_grad=True)
    found = F.cross_entropy(x, tg.tensor(targets), reduction="none")
    np.testing.assert_allclose(found.numpy(), -picked, rtol=1e-12, atol=1e-12)
    found.sum().backward()
    one_hot = np.moveaxis(np.eye(classes)[targets], -1, 1)
    np.testing.assert_allclose(x.grad.numpy(), np.exp(log_softmax) - one_hot, rtol=0, atol=1e-12)


def test_cross_entropy_of_a_single_example_without_batch_axis() -> None:
    logits = tg.tensor([0.0, 1.0, 2.0], dtype="float64")
    single = F.cross_entropy(logits, tg.tensor(1))
    assert single.shape == ()
    np.testing.assert_allclose(single.item(), F.cross_entropy(logits.reshape(1, 3), tg.tensor([1])).item())


def test_cross_entropy_accepts_classes_that_are_ruled_out() -> None:
    x = tg.tensor([[0.0, float("-inf"), 0.0]], dtype="float64", requires_grad=True)
    loss = F.cross_entropy(x, tg.tensor([0]))
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log(2))
    assert x.grad.tolist() == [[-0.5, 0.0, 0.5]]


def cross_entropies(logits, targets, weight, ignore_index: int, smoothing: float) -> tuple[list[float], list[float]]:
    """Return the loss of every row, and the share in the mean of those that count, by the definition."""
    losses, shares = [], []
    for row, target in zip(logits, targets, strict=True):
        if target == ignore_index:
            losses.append(0.0)
            continue
        surprises = np.log(np.exp(row).sum()) - row
        losses.append((1 - smoothing) * weight[target] * surprises[target] + smoothing * (weight * surprises).mean())
        shares.append(weight[target])
    return losses, shares


@settings(max_examples=30)
@given(
    rest=st.sampled_from([(), (2,), (2, 3)]),
    weighted=st.booleans(),
    ignore_index=st.sampled_from([-100, -1, 0, 2]),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 100),
)
def test_weights_ignored_ids_and_smoothing_follow_their_definition(
    rest: tuple[int, ...], weighted: bool, ignore_index: int, smoothing: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits, targets = rng.normal(size=(4, 3, *rest)), rng.integers(0, 3, size=(4, *rest))
    targets[rng.random(targets.shape) < 0.3] = ignore_index
    targets[0] = 1  # at least one counts
    weight = rng.uniform(0.5, 2, 3) if weighted else np.ones(3)
    options = {
        "weight": tg.tensor(weight) if weighted else None,
        "ignore_index": ignore_index,
        "label_smoothing": smoothing,
    }
    rows = np.moveaxis(logits, 1, -1).reshape(-1, 3)
    losses, shares = cross_entropies(rows, targets.reshape(-1), weight, ignore_index, smoothing)
    x, ids = tg.tensor(logits, requires_grad=True), tg.tensor(targets)
    each = F.cross_entropy(x, ids, reduction="none", **options)
    np.testing.assert_allclose(each.numpy(), np.reshape(losses, targets.shape), rtol=1e-9, atol=1e-12)
    mean = F.cross_entropy(x, ids, **options)
    np.testing.assert_allclose(mean.item(), sum(losses) / sum(shares), rtol=1e-9)
    assert tg.gradcheck(lambda x: F.cross_entropy(x, ids, **options), x)
    if not smoothing:
        del options["label_smoothing"]
        picked = F.nll_loss(F.log_softmax(x, 1), ids, **options)
        np.testing.assert_allclose(picked.item(), mean.item(), rtol=1e-9)


def test_an_ignored_example_costs_nothing_whatever_its_scores() -> None:
    scores = tg.tensor([[0.0, 0.0], [float("-inf"), 0.0]], requires_grad=True)
    for function in (F.cross_entropy, F.nll_loss):
        scores.grad = None
        losses = function(scores, tg.tensor([1, -100]), reduction="none")
        losses.sum().backward()
        assert losses[1].item() == 0.0
        assert scores.grad[1].tolist() == [0.0, 0.0]
    assert np.isnan(F.cross_entropy(scores, tg.tensor([-100, -100])).item())  # the mean of nothing, as in torch


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 3, 2)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_probabilities_as_targets_follow_their_definition(shape: tuple[int, ...], smoothing: float) -> None:
    rng = np.random.default_rng(0)
    axis = min(1, len(shape) - 1)
    logits, weight = rng.normal(size=shape), rng.uniform(0.5, 2, 3)
    targets = rng.dirichlet(np.ones(3), size=np.delete(shape, axis))
    targets = np.moveaxis(targets, -1, axis)
    surprises = np.log(np.exp(logits).sum(axis, keepdims=True)) - logits
    along = weight.reshape([3 if i == axis else 1 for i in range(len(shape))])
    expected = (((1 - smoothing) * targets + smoothing / 3) * along * surprises).sum(axis)
    x, options = tg.tensor(logits, requires_grad=True), {"weight": tg.tensor(weight), "label_smoothing": smoothing}
    each = F.cross_entropy(x, tg.tensor(targets), reduction="none", **options)
    np.testing.assert_allclose(each.numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(F.cross_entropy(x, tg.tensor(targets), **options).item(), expected.mean(), rtol=1e-12)
    probabilities = tg.tensor(targets, requires_grad=True)
    assert tg.gradcheck(lambda x, y: F.cross_entropy(x, y, **options), [x, probabilities])


def test_binary_cross_entropy_weighs_losses_and_positives() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(4, 3)), rng.random((4, 3))
    weight, pos_weight = rng.uniform(0.5, 2, (4, 1)), rng.uniform(0.5, 2, 3)
    p = 1 / (1 + np.exp(-logits))
    expected = -weight * (pos_weight * targets * np.log(p) + (1 - targets) * np.log(1 - p))
    x = tg.tensor(logits, requires_grad=True)
    options = {"weight": tg.tensor(weight), "pos_weight": tg.tensor(pos_weight)}
    each = F.binary_cross_entropy_with_logits(x, tg.tensor(targets), reduction="none", **options)
    np.testing.assert_allclose(each.numpy(), expected, rtol=1e-12)
    assert tg.gradcheck(lambda x: F.binary_cross_entropy_with_logits(x, tg.tensor(targets), **options), x)
    sure = tg.tensor([40.0, -40.0], dtype="float64")
    right = F.binary_cross_entropy_with_logits(
        sure, tg.tensor([1.0, 0.0], dtype="float64"), reduction="none", pos_weight=tg.tensor(2.0, dtype="float64")
    )
    np.testing.assert_allclose(right.numpy(), [2 * np.exp(-40.0), np.exp(-40.0)], rtol=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0])
def test_smooth_l1_is_quadratic_below_beta(beta: float) -> None:
    d = np.array([-3.0, -0.4, 0.0, 0.3, 1.0, 5.0])
    expected = np.where(np.abs(d) < beta, d * d / (2 * beta or 1), np.abs(d) - beta / 2)
    found = F.smooth_l1_loss(tg.tensor(d), tg.zeros(6, dtype="float64"), reduction="none", beta=beta)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_layer_norm_normalises_the_last_axes_together(axes: int) -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(size=(2, 3, 4))
    over = tuple(range(-axes, 0))
    shape = array.shape[-axes:]
    weight, bias = rng.normal(size=shape), rng.normal(size=shape)
    normal = (array - array.mean(over, keepdims=True)) / np.sqrt(array.var(over, keepdims=True) + 0.5)
    found = F.layer_norm(tg.tensor(array), shape, tg.tensor(weight), tg.tensor(bias), 0.5)
    np.testing.assert_allclose(found.numpy(), normal * weight + bias, rtol=1e-12)
    layer = nn.LayerNorm(shape, 0.5, dtype="float64")
    np.testing.assert_allclose(layer(tg.tensor(array)).numpy(), normal, rtol=1e-12)
    assert layer.weight.shape == layer.bias.shape == shape
    assert nn.LayerNorm(4, bias=False).bias is None
    assert not list(nn.LayerNorm(4, elementwise_affine=False).parameters())


def test_gelu_keeps_the_digits_of_its_lower_tail() -> None:
    x = np.array([-30.0, -6.0, -1.0, -1e-8, 0.0, 2.0])
    share = np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x])
    np.testing.assert_allclose(F.gelu(tg.tensor(x)).numpy(), x * share, rtol=1e-12)
    np.testing.assert_allclose(F.gelu(tg.tensor(x, dtype="float32")).numpy()[1:], (x * share)[1:], rtol=1e-5)
    by_tanh = x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    np.testing.assert_allclose(F.gelu(tg.tensor(x), approximate="tanh").numpy(), by_tanh, rtol=1e-7, atol=1e-15)


def test_softplus_bends_as_sharply_as_beta_and_is_straight_above_the_threshold() -> None:
    x = np.array([-2.0, 0.0, 0.4, 0.6, 3.0])
    smooth = np.log1p(np.exp(3 * x)) / 3
    np.testing.assert_allclose(F.softplus(tg.tensor(x), 3.0).numpy(), smooth, rtol=1e-12)
    found = F.softplus(tg.tensor(x), beta=3.0, threshold=1.5)
    np.testing.assert_allclose(found.numpy(), np.where(3 * x > 1.5, x, smooth), rtol=1e-12)


def test_one_hot_counts_the_classes_unless_told() -> None:
    assert F.one_hot(tg.tensor([2, 0])).tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    with pytest.raises(ShapeError, match="num_classes must be given"):
        F.one_hot(tg.zeros(0, dtype="int64"))


def test_cross_entropy_takes_few_ops() -> None:
    logits, targets = tg.zeros(4, 3), tg.tensor([0, 1, 2, 0])
    ran = recorded_ops(lambda: F.cross_entropy(logits, targets))
    kept = ["notequal", "where", "cast"]  # a recorded step may see ids to ignore when it is replayed
    log_sum = ["equal", "cast", "exp", "sub", "sum", "sum", "sub", "add", "log1p"]
    losses = ["reshape", "add", "take", "sub", "mul", "where"]
    assert ran == [*kept, "max", "sub", *log_sum, *losses, "sum", "sum", "div"]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.cross_entropy(tg.zeros(5, 2, 3), tg.zeros(5, 2, dtype="int64")), ShapeError, r"reshape\(-1, C\)"),
        (lambda: F.cross_entropy(tg.zeros(()), tg.tensor(0)), ShapeError, "class axis"),
        (lambda: F.cross_entropy(tg.zeros(2, 3), tg.tensor([0.0, 1.0])), DTypeError, "int64"),
        (
            lambda: F.cross_entropy(tg.zeros(2, 3), tg.tensor([3, 0])),
            IndexRangeError,
            "class id 3 is not within 0 and 2",
        ),
        (lambda: F.nll_loss(tg.zeros(2, 3), tg.tensor([0, -1])), IndexRangeError, "class id -1"),
        (lambda: F.one_hot(tg.tensor([3]), 3), IndexRangeError, "class id 3"),
        (lambda: F.mse_loss(tg.zeros(4, 1), tg.zeros(4)), ShapeError, "must have one shape"),
        (lambda: F.mse_loss(tg.zeros(4), tg.zeros(4), "avg"), InputError, "mean, sum, none"),
        (lambda: F.huber_loss(tg.zeros(4), tg.zeros(4), delta=0.0), InputError, "positive"),
        (lambda: nn.HuberLoss(delta=1j), InputError, "delta must be a positive number, not 1j"),
        (lambda: nn.SmoothL1Loss(beta="1"), InputError, "beta must be a number from 0 on, not '1'"),
        (lambda: F.smooth_l1_loss(tg.zeros(1), tg.zeros(1), beta=float("nan")), InputError, "beta must be"),
        (lambda: F.heaviside([1.0]), DTypeError, "heaviside: x must be a tensor, not list"),
        (lambda: F.hardsigmoid(tg.zeros(4), 0.0), InputError, "slope must be a positive number"),
        (lambda: F.prelu(tg.zeros(2, 3), tg.zeros(2)), ShapeError, r"axis 1 of x \(2, 3\), not shape \(2,\)"),
        (lambda: F.prelu(tg.zeros(3), tg.zeros(3)), ShapeError, "one slope for each place along axis 1"),
        (lambda: F.maxout(tg.zeros(2, 5), 2), ShapeError, "units of 2 pieces"),
        (lambda: F.maxout(tg.zeros(2, 5), 0), InputError, "pieces must be a positive whole number"),
        (lambda: F.gelu(tg.zeros(4), "sigmoid"), InputError, "'none' or 'tanh', not 'sigmoid'"),
        (lambda: F.dropout(tg.zeros(4), 2.0), InputError, "between 0 and 1"),
        (lambda: F.cross_entropy(tg.zeros(2, 3), [0, 1]), DTypeError, r"targets must be a tensor, not list; pass tg\."),
        (lambda: F.cross_entropy([[0.0]], tg.tensor([0])), DTypeError, "logits must be a tensor, not list"),
        (lambda: F.nll_loss(tg.zeros(2, 3), np.array([0, 1])), DTypeError, "nll_loss: targets must be a tensor"),
        (lambda: F.mse_loss(tg.zeros(4), 1.0), DTypeError, r"mse_loss: target must be a tensor, not float"),
        (lambda: F.l1_loss([1.0], tg.zeros(1)), DTypeError, r"l1_loss: prediction must be a tensor, not list"),
        (lambda: F.huber_loss(tg.zeros(1), [1.0]), DTypeError, r"huber_loss: target must be a tensor"),
        (lambda: F.binary_cross_entropy_with_logits(tg.zeros(1), [1.0]), DTypeError, "targets must be a tensor"),
        (lambda: F.one_hot([1], 3), DTypeError, r"one_hot: ids must be a tensor, not list; pass tg.tensor\(ids\)"),
        (lambda: F.embedding(tg.tensor([0, -1]), tg.zeros(2, 3)), IndexRangeError, "id -1 is not within 0 and 1"),
        (lambda: F.embedding([-2], tg.zeros(2, 3)), IndexRangeError, "id -2"),
        (lambda: F.embedding([0], tg.zeros(2)), ShapeError, r"weight must be \(V, E\), .*, not shape \(2,\)"),
        (lambda: F.cross_entropy(tg.zeros(2, 3), tg.tensor([0, 1]), "sum"), DTypeError, "write reduction='sum'"),
        (lambda: F.nll_loss(tg.zeros(2, 3), tg.tensor([0, 1]), tg.ones(2)), ShapeError, "one number for each of 3 cl"),
        (
            lambda: F.nll_loss(tg.zeros(2, 3), tg.tensor([0, 1]), tg.ones(3, dtype="float64")),
            DTypeError,
            "weight is float64 and the scores are float32",
        ),
        (lambda: F.nll_loss(tg.zeros(2, 3), tg.tensor([-1, 5]), ignore_index=-1), IndexRangeError, "class id 5"),
        (
            lambda: F.cross_entropy(tg.zeros(2), tg.tensor(1), label_smoothing="x"),
            InputError,
            "label_smoothing must",
        ),
        (
            lambda: F.cross_entropy(tg.zeros(2), tg.tensor(1), ignore_index="x"),
            InputError,
            "ignore_index must",
        ),
        (lambda: F.nll_loss(tg.zeros(2), tg.tensor(1), ignore_index=0.5), InputError, "ignore_index must"),
        (lambda: F.one_hot(tg.tensor([1]), "3"), InputError, "num_classes must be a whole number >= -1, not '3'"),
        (lambda: F.one_hot(tg.tensor([1]), 2.5), InputError, "num_classes must be a whole number >= -1, not 2.5"),
        (lambda: F.embedding([[1], [1, 2]], tg.zeros(3, 2)), InputError, "embedding: the ids form no array"),
        (lambda: F.softmax(tg.zeros(2), "1"), DTypeError, "axis must be a whole number, not '1'"),
        (lambda: F.log_softmax(tg.zeros(2, 2), 1.0), DTypeError, "axis must be a whole number, not 1.0"),
        (lambda: F.logsumexp(tg.zeros(2, 2), (0, 1.0)), DTypeError, "axis must be a whole number, not 1.0"),
        (lambda: F.cross_entropy(tg.zeros(2), tg.tensor(1), label_smoothing=1.5), InputError, "between 0 and 1"),
        (lambda: F.cross_entropy(tg.zeros(2, 3), tg.zeros(2, 3), ignore_index=1), InputError, "for class ids"),
        (lambda: F.cross_entropy(tg.zeros(2, 3), tg.zeros(2, 3, dtype="int64")), DTypeError, "are probabilities"),
        (lambda: F.cross_entropy(tg.zeros(2, 3), tg.zeros(2, 3), tg.ones(2)), ShapeError, "each of 3 classes"),
        (lambda: F.layer_norm(tg.zeros(2, 3), (4, 3)), ShapeError, r"does not end in the normalized shape \(4, 3\)"),
        (lambda: F.layer_norm(tg.zeros(2, 3), tg.ones(3)), DTypeError, "pass the weight as weight="),
        (lambda: F.layer_norm(tg.zeros(2, 3), 3, tg.ones(2)), ShapeError, r"weight must have the normalized shape"),
        (lambda: F.smooth_l1_loss(tg.zeros(1), tg.zeros(1), beta=-1.0), InputError, "beta must be a number from 0 on"),
        (
            lambda: F.binary_cross_entropy_with_logits(tg.zeros(2, 3), tg.zeros(2, 3), tg.ones(2)),
            ShapeError,
            r"weight of shape \(2,\) does not broadcast to the losses, \(2, 3\)",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(tg.zeros(2), tg.zeros(2), pos_weight=2.0),
            DTypeError,
            r"pos_weight must be a tensor, not float; pass tg.tensor\(pos_weight\)",
        ),
        (lambda: F.embedding([2], tg.zeros(2, 3)), IndexRangeError, "id 2 is not within 0 and 1"),
    ],
)
def test_what_does_not_fit_is_named(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_one_hot_has_the_shape_of_the_ids_and_the_dtype_asked_for() -> None:
    found = F.one_hot(tg.tensor([[0, 2]]), 3, dtype="float64")
    assert found.shape == (1, 2, 3)
    assert found.dtype == "float64"
    assert found.tolist() == [[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]


def test_dropout_is_reproducible_and_unbiased_in_its_gradient() -> None:
    x = tg.ones(50, requires_grad=True)
    tg.manual_seed(0)
    y = F.dropout(x, 0.5)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    assert F.dropout(x, 0.5, training=False) is x


# ---- ids and targets on another device ------------------------------------------------------------------------------


@pytest.mark.host
@pytest.mark.parametrize("name", cases.LOSSES)
def test_losses_are_computed_where_their_inputs_are(name: str, fake_cuda) -> None:
    arrays = reference_values.values("losses", name)
    function_name, options, _, _ = cases.LOSSES[name]
    x, target = reference_values.leaf(arrays["in.x"]), tg.tensor(arrays["target"])
    there = x.detach().to("cuda")
    there.requires_grad = True
    fake_cuda.reads = 0
    value = getattr(F, function_name)(there, target.to("cuda"), **options)
    value.backward()
    assert fake_cuda.reads == 0
    np.testing.assert_allclose(value.numpy(), arrays["out.mean"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(there.grad.numpy(), arrays["grad.x"], rtol=0, atol=1e-12)


@pytest.mark.host
def test_ids_on_the_cpu_are_checked_and_follow(fake_cuda) -> None:
    logits, weight = tg.zeros(2, 3, device="cuda"), tg.ones(4, 2, device="cuda")
    assert F.cross_entropy(logits, tg.tensor([0, 2])).item() == pytest.approx(np.log(3))
    assert F.nll_loss(logits, tg.tensor([0, 2])).device == "cuda"
    assert F.embedding([1, 3], weight).tolist() == F.embedding(tg.tensor([1, 3]), weight).tolist() == [[1.0, 1.0]] * 2
    assert F.one_hot(tg.tensor([1], device="cuda"), 2).device == "cuda"
    with pytest.raises(IndexRangeError, match="cross_entropy: class id 3 is not within 0 and 2"):
        F.cross_entropy(logits, tg.tensor([0, 3]))
    with pytest.raises(IndexRangeError, match="id -1 is not within 0 and 3"):
        F.embedding(tg.tensor([-1]), weight)
    with pytest.raises(DeviceError, match="sub: the inputs are on cuda and cpu"):
        F.mse_loss(logits, tg.zeros(2, 3))
    with pytest.raises(DeviceError, match=r"cuda and cpu|cpu and cuda"):
        F.cross_entropy(logits.to("cpu"), tg.tensor([0, 2], device="cuda"))


@pytest.mark.host
def test_ignored_ids_on_a_device_and_weights_from_elsewhere(fake_cuda) -> None:
    rng = np.random.default_rng(0)
    logits, ids, weight = tg.tensor(rng.normal(size=(3, 2))), tg.tensor([1, -100, 0]), tg.tensor([0.5, 2.0])
    weight = weight.cast("float64")
    expected = F.cross_entropy(logits, ids, weight, label_smoothing=0.1).item()
    there = logits.to("cuda")
    for where in ("cpu", "cuda"):
        moved, ids_there = weight.to(where), ids.to("cuda")
        fake_cuda.reads = 0
        found = F.cross_entropy(there, ids_there, moved, label_smoothing=0.1)
        assert fake_cuda.reads == 0
        assert found.item() == pytest.approx(expected, rel=1e-12)
    assert F.cross_entropy(there, ids, weight, label_smoothing=0.1).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.host
def test_ids_on_the_device_are_not_looked_at_and_wrong_ones_give_nan(fake_cuda) -> None:
    logits = tg.tensor(np.arange(12.0).reshape(4, 3), device="cuda", requires_grad=True)
    weight = tg.ones(4, 2, device="cuda", requires_grad=True)
    ids = tg.tensor([2, 3, -1, 0], device="cuda")
    fake_cuda.reads = 0
    losses = F.cross_entropy(logits, ids, reduction="none")
    rows = F.embedding(ids + 1, weight)
    one_hot = F.one_hot(ids, 3)
    assert fake_cuda.reads == 0
    np.testing.assert_array_equal(np.isnan(losses.numpy()), [False, True, True, False])
    np.testing.assert_array_equal(np.isnan(rows.numpy()).any(axis=1), [False, True, False, False])
    np.testing.assert_array_equal(np.isnan(F.embedding(ids, weight).numpy()).any(axis=1), [False, False, True, False])
    assert one_hot.tolist() == [[0.0, 0.0, 1.0], [0.0] * 3, [0.0] * 3, [1.0, 0.0, 0.0]]
    rows.backward(tg.ones_like(rows))
    assert weight.grad.tolist() == [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize("name", F.__all__)
def test_an_array_is_refused_where_a_tensor_is_due(name: str) -> None:
    function = getattr(F, name)
    if not callable(function) or name in ("check_probability", "check_reduction"):
        return
    x, weight = np.ones((2, 2), "float32"), tg.ones(2, 2)
    arguments: dict[str, tuple] = {"embedding": ([0], x), "linear": (x, weight), "maxout": (x, 2), "prelu": (x, weight)}
    arguments |= {"length_mask": (np.array([1]), 2), "one_hot": (np.array([1]), 2)}
    two = name.endswith(("_loss", "_entropy", "_logits"))
    calls = [arguments.get(name, (x, weight) if two else (x,))] + ([(weight, x)] if two or name == "linear" else [])
    for each in calls:
        with pytest.raises(DTypeError, match=rf"{name}: \w+ must be a tensor, not ndarray; pass tg.tensor"):
            function(*each)


@pytest.mark.parametrize(
    "call", [F.prelu, lambda *given, axis: F.maxout(given[0], 1, axis), lambda *_, axis: nn.PReLU(axis=axis)]
)
def test_an_axis_is_a_whole_number(call) -> None:
    for axis in (1.0, "1", None):
        with pytest.raises(InputError, match=r"(prelu|maxout|PReLU): axis must be a whole number, not"):
            call(tg.ones(2, 3), tg.ones(3), axis=axis)
