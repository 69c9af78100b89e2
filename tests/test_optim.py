"""Optimizers take PyTorch's steps; clipping replaces gradients and scales each exactly once."""

from __future__ import annotations

import copy
import json
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn import cases, reference_values
from tests.recording import recorded, recorded_ops
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import InputError, StateError


def check_steps(name: str, arrays: dict[str, np.ndarray], rtol: float = 1e-12, dtype: str = "float64") -> None:
    kind, options = cases.OPTIMIZERS[name]
    params = [tg.tensor(arrays[f"0.p{i}"], dtype, requires_grad=True) for i in range(2)]
    optimizer = getattr(optim, kind)(params, **options)
    for t in range(1, cases.OPTIMIZER_STEPS + 1):
        for i, p in enumerate(params):
            p.grad = tg.tensor(arrays[f"{t}.g{i}"], dtype)
        optimizer.step()
        for i, p in enumerate(params):
            np.testing.assert_allclose(p.numpy(), arrays[f"{t}.p{i}"], rtol=rtol, atol=rtol, err_msg=f"step {t}")
            assert p.dtype == dtype


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_every_step_equals_the_reference_values(name: str) -> None:
    check_steps(name, reference_values.values("optim", name))


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_float32_parameters_stay_float32_and_close_to_the_reference_values(name: str) -> None:
    check_steps(name, reference_values.values("optim", name), rtol=1e-5, dtype="float32")


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_every_step_equals_pytorch(name: str) -> None:
    pytest.importorskip("torch")
    from tests.nn import make_reference

    check_steps(name, make_reference.optimizer(name, np.random.default_rng(11)))


def quadratic(seed: int = 0) -> tuple[tg.Tensor, Any]:
    rng = np.random.default_rng(seed)
    w = tg.tensor(rng.normal(size=5), requires_grad=True)

    def loss() -> tg.Tensor:
        return (w * w * np.arange(1.0, 6.0)).sum()

    return w, loss


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_a_config_survives_json_and_makes_the_same_optimizer(name: str) -> None:
    kind, options = cases.OPTIMIZERS[name]
    w = tg.ones(1, requires_grad=True)
    config = getattr(optim, kind)([w], **options).config()
    assert json.loads(json.dumps(config)) == config
    again = getattr(optim, config["kind"])([w], 0.5, **{key: config[key] for key in config if key != "kind"})
    assert again.config() == config
    assert config["kind"] == kind
    for key, value in options.items():
        assert key == "lr" or config[key] == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_an_optimizer_resumed_from_its_state_continues_as_if_it_had_not_stopped(name: str) -> None:
    kind, options = cases.OPTIMIZERS[name]
    runs = []
    for interrupted in (False, True):
        w, loss = quadratic()
        optimizer = getattr(optim, kind)([w], **options)
        optimizer.lr.assign_(0.07)
        for t in range(6):
            if interrupted and t == 3:
                state = {key: value.numpy().copy() for key, value in optimizer.state_dict().items()}
                optimizer = getattr(optim, kind)([w], **options)
                optimizer.load_state_dict(state)
                assert optimizer.lr.item() == 0.07
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        runs.append(w.numpy().copy())
    np.testing.assert_array_equal(*runs)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    w, _ = quadratic()
    adam = optim.Adam([w], lr=0.5)
    state = {**adam.state_dict(), "lr": tg.tensor(0.25), "average.0": tg.zeros(2), "other": tg.zeros(1)}
    del state["steps"]
    with pytest.raises(StateError) as caught:
        adam.load_state_dict(state)
    for text in ("missing: steps", "unexpected: other", "average.0: has shape (2,) in the state, (5,) here"):
        assert text in str(caught.value)
    assert adam.lr.item() == 0.5


def trained_adam() -> tuple[list[tg.Tensor], optim.Adam]:
    params = [tg.ones(2, dtype="float64", requires_grad=True) for _ in range(2)]
    adam = optim.Adam(params, lr=0.5)
    for p in params:
        p.grad = tg.tensor([1.0, -2.0], "float64")
    adam.step()
    return params, adam


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("lr", -7.0, "must not be negative, but holds -7.0"),
        ("lr", float("nan"), "holds NaN or infinity"),
        ("lr", float("inf"), "holds NaN or infinity"),
        ("lr", "0.1", "is not numeric"),
        ("lr", None, "is not numeric"),
        ("lr", 1j, "is not numeric"),
        ("lr", [0.1, 0.2], "has shape"),
        ("steps", [-1.0, 1.0], "must not be negative"),
        ("steps", [0.5, 1.0], "must be whole numbers"),
        ("steps", [float("nan"), 1.0], "holds NaN"),
        ("square_average.1", [1.0, -1e-9], "must not be negative"),
        ("square_average.1", [1.0, float("inf")], "holds NaN or infinity"),
        ("average.1", [float("nan"), 0.0], "holds NaN or infinity"),
        ("average.1", [[1.0, 2.0]], r"has shape \(1, 2\)"),
        ("average.1", 1.0, "has shape"),
        ("average.1", [[1.0], [2.0, 3.0]], "is no array"),
        ("average.1", {"a": 1}, "is not numeric"),
        ("average.1", ["1", "2"], "is not numeric"),
        ("average.1", [True, False], "is not numeric"),
        ("lr", True, "is not numeric"),
    ],
)
def test_a_state_no_optimizer_can_come_to_is_refused_and_changes_nothing(key: str, value: Any, text: str) -> None:
    _, adam = trained_adam()
    before = {name: kept.numpy().copy() for name, kept in adam.state_dict().items()}
    state = {name: kept * 0.5 if name not in ("lr", "steps") else kept for name, kept in before.items()}
    with pytest.raises(StateError, match=rf"(?s){key}: .*{text}|{key}: {text}"):
        adam.load_state_dict(state | {key: value})
    for name, kept in adam.state_dict().items():
        np.testing.assert_array_equal(kept.numpy(), before[name])
    adam.load_state_dict(state)


@pytest.mark.parametrize("state", [None, [("lr", 0.1)], "adam.safetensors", 3])
def test_a_state_that_is_no_mapping_is_said_so(state: Any) -> None:
    with pytest.raises(StateError, match=r"the state of Adam must be a dict .* not"):
        trained_adam()[1].load_state_dict(state)


def test_the_state_of_another_kind_of_optimizer_is_named() -> None:
    w = tg.ones(2, requires_grad=True)
    made = {
        "Adam or AdamW": optim.Adam([w]), "SGD without momentum": optim.SGD([w], 0.1),
        "SGD with momentum": optim.SGD([w], 0.1, momentum=0.9), "RMSprop without momentum": optim.RMSprop([w]),
        "RMSprop with momentum": optim.RMSprop([w], momentum=0.5),
    }  # fmt: skip
    for name, optimizer in made.items():
        for other in made.values():
            if other is optimizer:
                other.load_state_dict(optimizer.state_dict())
            else:
                with pytest.raises(StateError, match=f"it is of {name}, not of {type(other).__name__}"):
                    other.load_state_dict(optimizer.state_dict())


def test_a_state_of_unequal_steps_is_taken_up_also_when_all_have_gradients_next() -> None:
    runs = []
    for interrupted in (False, True):
        params, adam = trained_adam()
        params[1].grad = None
        adam.step()
        if interrupted:
            state = {key: value.numpy().copy() for key, value in adam.state_dict().items()}
            adam = optim.Adam(params)
            adam.load_state_dict(state)
        for p in params:
            p.grad = tg.tensor([1.0, 3.0], "float64")
        adam.step()
        runs.append([p.tolist() for p in params])
    assert runs[0] == runs[1]


#: For every step, which of three parameters have a gradient.
SOME_GRADIENTS = [(1, 0, 1), (1, 0, 0), (1, 1, 1), (0, 0, 0), (1, 1, 0), (1, 1, 1)]


def with_some_gradients(optimizer: Any, params: list[Any], make: Any, steps: Any = range(6)) -> None:
    for t in steps:
        for i, p in enumerate(params):
            p.grad = make(np.array([1.0, -0.5]) * (i + 1) * (t - 1.75)) if SOME_GRADIENTS[t][i] else None
        optimizer.step()


def our_tensor(values: np.ndarray) -> tg.Tensor:
    return tg.tensor(values, "float64")


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_parameters_that_miss_gradients_take_the_steps_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    kind, options = cases.OPTIMIZERS[name]
    ours = [tg.ones(2, dtype="float64", requires_grad=True) for _ in range(3)]
    theirs = [torch.ones(2, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    with_some_gradients(getattr(optim, kind)(ours, **options), ours, our_tensor)
    with_some_gradients(getattr(torch.optim, kind)(theirs, **options), theirs, torch.tensor)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-12)


def test_adam_corrects_its_bias_by_the_steps_a_parameter_took() -> None:
    early, late = (tg.zeros(1, dtype="float64", requires_grad=True) for _ in range(2))
    adam = optim.Adam([early, late], lr=0.5, betas=(0.5, 0.75), eps=0.0)
    early.grad = our_tensor(np.array([2.0]))
    adam.step()
    late.grad = our_tensor(np.array([2.0]))
    adam.step()
    # A first step is lr * g / |g|; so is every step with the same gradient.
    assert (early.item(), late.item()) == pytest.approx((-1.0, -0.5), rel=1e-12)
    late.grad = our_tensor(np.array([-4.0]))
    adam.step()
    average, square = (0.5 * 1.0 + 0.5 * -4.0) / (1 - 0.5**2), (0.75 * 1.0 + 0.25 * 16.0) / (1 - 0.75**2)
    assert late.item() == pytest.approx(-0.5 - 0.5 * average / square**0.5, rel=1e-12)
    assert adam.steps.tolist() == [3.0, 2.0]


def test_the_numbers_of_a_step_are_computed_once_for_all_parameters() -> None:
    params = [tg.ones(2, requires_grad=True) for _ in range(3)]
    adam = optim.Adam(params)
    for p in params[1:]:
        p.grad = tg.ones(2)
    together = recorded_ops(adam.step)
    params[0].grad = tg.ones(2)
    apart = recorded_ops(adam.step)
    assert together.count("pow") == 2  # one for each beta, however many parameters
    assert apart.count("pow") == 2  # and however many steps each of them took


def test_an_optimizer_resumed_among_missing_gradients_continues() -> None:
    runs = []
    for interrupted in (False, True):
        params = [tg.ones(2, dtype="float64", requires_grad=True) for _ in range(3)]
        adam = optim.Adam(params, lr=0.1)
        with_some_gradients(adam, params, our_tensor, range(3))
        if interrupted:
            state = {key: value.numpy().copy() for key, value in adam.state_dict().items()}
            adam = optim.Adam(params)
            adam.load_state_dict(state)
        with_some_gradients(adam, params, our_tensor, range(3, 6))
        runs.append([p.numpy() for p in params])
    np.testing.assert_array_equal(*runs)


def test_an_even_optimizer_continues_from_the_state_of_one_whose_parameters_took_different_numbers_of_steps() -> None:
    a, b = (tg.ones(1, dtype="float64", requires_grad=True) for _ in range(2))
    adam = optim.Adam([a, b], lr=0.1)
    state = adam.state_dict() | {"steps": tg.tensor([5.0, 1.0], dtype="float64")}
    adam.load_state_dict(state)
    a.grad, b.grad = (tg.ones(1, dtype="float64") for _ in range(2))
    adam.step()
    for p, taken in ((a, 6), (b, 2)):  # fresh averages, but corrected as those of so many steps
        average, square = 0.1 / (1 - 0.9**taken), 0.001 / (1 - 0.999**taken)
        assert p.item() == pytest.approx(1 - 0.1 * average / (square**0.5 + 1e-8), rel=1e-12)


def test_parameters_without_a_gradient_are_skipped() -> None:
    used, unused = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    for kind in (optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW):
        optimizer = kind([used, unused], lr=0.1)
        (used * used).sum().backward()
        optimizer.step()
        assert unused.tolist() == [1.0, 1.0]
        assert used.grad is not None
        optimizer.zero_grad()
        assert used.grad is None


def test_the_learning_rate_changes_by_assign() -> None:
    w = tg.tensor([1.0], requires_grad=True)
    sgd = optim.SGD([w], lr=1.0)
    sgd.lr.assign_(0.25)
    w.sum().backward()
    sgd.step()
    assert w.item() == 0.75


def test_the_learning_rate_can_be_set() -> None:
    w = tg.tensor([1.0], requires_grad=True)
    sgd = optim.SGD([w], lr=1.0)
    kept = sgd.lr
    sgd.lr = 0.5
    sgd.lr *= 0.5
    assert sgd.lr is kept
    assert kept.item() == 0.25
    w.sum().backward()
    sgd.step()
    assert w.item() == 0.75
    for wrong in (-1.0, float("nan"), tg.tensor(-1.0), True, "0.1", None, [0.1], tg.tensor([0.1]), tg.ones(2), 1j):
        with pytest.raises(InputError, match="lr must be a number >= 0"):
            sgd.lr = wrong
    assert kept.item() == 0.25
    for right in (1, np.float32(1.0), np.int64(1), np.array(1.0), tg.tensor(1), Fraction(1)):
        sgd.lr = 0.5
        sgd.lr = right
        assert kept.item() == 1.0


def test_a_step_leaves_no_graph_and_keeps_parameters_leaves() -> None:
    w, loss = quadratic()
    adam = optim.Adam([w], lr=0.1)
    loss().backward()
    assert not any(in_graph for _, in_graph in recorded(lambda: optim.clip_grad_norm_([w], 1.0)))
    assert not any(in_graph for _, in_graph in recorded(adam.step))
    assert w.is_leaf
    assert w.requires_grad
    assert all(not value.requires_grad for value in adam.state_dict().values())


def test_plain_sgd_takes_two_ops_and_an_assign_per_parameter() -> None:
    params = [tg.ones(2, requires_grad=True) for _ in range(3)]
    for p in params:
        p.grad = tg.ones(2)
    ran = recorded_ops(optim.SGD(params, lr=0.1).step)
    assert ran == ["add", "assign", "cast", *["mul", "sub", "assign"] * 3]


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_what_changes_between_steps_is_tensors_so_every_step_runs_the_same_ops(name: str) -> None:
    kind, options = cases.OPTIMIZERS[name]
    w, loss = quadratic()
    optimizer = getattr(optim, kind)([w], **options)
    loss().backward()
    assert recorded_ops(optimizer.step) == recorded_ops(optimizer.step)


def test_moving_the_module_after_making_its_optimizer_is_explained() -> None:
    layer = nn.Linear(1, 1)
    adam = optim.Adam(layer.parameters())
    layer.to("float64")(tg.ones(1, dtype="float64")).sum().backward()
    with pytest.raises(StateError, match=r"weight became float64.*make the optimizer after"):
        adam.step()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda w: optim.SGD([], lr=0.1), "no parameters"),
        (lambda w: optim.SGD([w], lr=-0.1), "lr must be a number >= 0, not -0.1"),
        (lambda w: optim.Adam([w], lr=float("nan")), "lr"),
        (lambda w: optim.SGD([w], lr=0.1, momentum=-1), "momentum"),
        (lambda w: optim.SGD([w], lr=0.1, nesterov=True), "nesterov needs a momentum"),
        (lambda w: optim.SGD([w], lr=0.1, weight_decay=-1), "weight_decay"),
        (lambda w: optim.RMSprop([w], alpha=1.0), "alpha must be at least 0 and below 1"),
        (lambda w: optim.RMSprop([w], eps=-1.0), "eps"),
        (lambda w: optim.Adam([w], betas=(0.9, 1.0)), r"betas\[1\]"),
        (lambda w: optim.AdamW([w], betas=(-0.1, 0.9)), r"betas\[0\]"),
        (lambda w: optim.SGD([w * 2.0], lr=0.1), "only leaves"),
        (lambda w: optim.SGD([w, w], lr=0.1), "comes twice"),
        (lambda w: optim.SGD([("w", w)], lr=0.1), "not tuple; pass module.parameters"),
        (lambda w: optim.SGD(w, lr=0.1), r"must come in a list, as \[w\]"),
        (lambda w: optim.SGD(nn.Linear(1, 1), lr=0.1), r"not Linear; pass module.parameters\(\)"),
        (lambda w: optim.SGD(nn.Sequential(nn.Tanh()), lr=0.1), r"not Sequential; pass module.parameters\(\)"),
        (lambda w: optim.SGD(nn.Linear, lr=0.1), "pass module.parameters"),
        (lambda w: optim.SGD(3, lr=0.1), "not int"),
        (lambda w: optim.SGD("w", lr=0.1), "not str"),
        (lambda w: optim.SGD([w, {"params": [w]}], lr=0.1), "not dict; .* a dict with params for each group"),
        (lambda w: optim.SGD([tg.tensor(1)], lr=0.1), "only floats"),
        (lambda w: optim.SGD(nn.Tanh().parameters(), lr=0.1), "nn.ModuleList and nn.ModuleDict"),
        (lambda w: optim.SGD([w], lr=True), "lr must be a number >= 0, not True"),
        (lambda w: optim.SGD([w], lr="0.1"), "lr must be a number >= 0, not '0.1'"),
        (lambda w: optim.SGD([w], lr=10**400), "lr"),
        (lambda w: optim.SGD([w], lr=0.1, momentum=float("inf")), "momentum"),
        (lambda w: optim.SGD([w], lr=0.1, momentum=np.array([0.9])), "momentum"),
        (lambda w: optim.SGD([w], 0.1, 0.9, 0.01), "nesterov must be True or False, not 0.01"),
        (lambda w: optim.SGD([w], 0.1, 0.9, "no"), "nesterov"),
        (lambda w: optim.Adam([w], betas=0.9), "betas must be two numbers"),
        (lambda w: optim.Adam([w], betas=(0.9,)), "betas must be two numbers"),
        (lambda w: optim.Adam([w], betas=(0.9, 0.99, 0.999)), "betas must be two numbers"),
        (lambda w: optim.Adam([w], betas="ab"), "betas must be two numbers"),
        (lambda w: optim.Adam([w], betas=("0.9", 0.99)), r"betas\[0\]"),
        (lambda w: optim.Adam([w], eps=None), "eps"),
        (lambda w: optim.clip_grad_norm_([w], "1"), "max_norm"),
        (lambda w: optim.clip_grad_norm_([w], True), "max_norm"),
        (lambda w: optim.clip_grad_norm_(nn.Linear(1, 1), 1.0), "pass module.parameters"),
        (lambda w: optim.clip_grad_value_(["w"], 1.0), "not str"),
        (lambda w: optim.clip_grad_norm_([w], -1.0), "max_norm"),
        (lambda w: optim.clip_grad_norm_([w], float("nan")), "max_norm"),
        (lambda w: optim.clip_grad_value_([w], float("nan")), "clip_value"),
    ],
)
def test_bad_hyper_parameters_are_named(make: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make(tg.ones(1, requires_grad=True))


# ---- clipping -------------------------------------------------------------------------------------------------


def with_gradients(*gradients: list[float]) -> list[tg.Tensor]:
    params = [tg.zeros(len(g), dtype="float64", requires_grad=True) for g in gradients]
    for p, g in zip(params, gradients, strict=True):
        p.grad = tg.tensor(g, "float64")
    return params


def test_clip_grad_norm_scales_all_gradients_by_one_factor_and_returns_the_norm_before() -> None:
    params = [*with_gradients([3.0], [0.0, 4.0]), tg.ones(1, requires_grad=True)]
    assert optim.clip_grad_norm_(params, 2.5).item() == 5.0
    np.testing.assert_allclose(params[0].grad.numpy(), [1.5], rtol=1e-6)
    np.testing.assert_allclose(params[1].grad.numpy(), [0.0, 2.0], rtol=1e-6)
    assert params[2].grad is None


def test_the_factor_of_clip_grad_norm_is_that_of_pytorch_to_the_last_digits() -> None:
    params = with_gradients([3.0], [0.0, 4.0])
    optim.clip_grad_norm_(params, 2.5)
    factor = 2.5 / (5.0 + 1e-6)
    np.testing.assert_allclose(params[0].grad.numpy(), [3.0 * factor], rtol=1e-14)
    np.testing.assert_allclose(params[1].grad.numpy(), [0.0, 4.0 * factor], rtol=1e-14)


@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 3e20), ("float32", 1e-30), ("float64", 1e200), ("float64", 1e-200)]
)
def test_squares_beyond_the_dtype_do_no_harm(dtype: str, size: float) -> None:
    params = [tg.zeros(2, 3, dtype=dtype, requires_grad=True) for _ in range(2)]
    for p in params:
        p.grad = tg.full((2, 3), size, dtype)
    norm = optim.clip_grad_norm_(params, 0.5)
    np.testing.assert_allclose(norm.item(), size * 12**0.5, rtol=1e-6)
    expected = size * min(1.0, 0.5 / (size * 12**0.5 + 1e-6))
    for p in params:
        assert p.grad.dtype == dtype
        np.testing.assert_allclose(p.grad.numpy(), np.full((2, 3), expected), rtol=1e-5)


def test_the_norm_of_many_gradients_may_be_beyond_their_dtype() -> None:
    p, q = tg.zeros(100, requires_grad=True), tg.zeros(1, dtype="float64", requires_grad=True)
    p.grad, q.grad = tg.full(100, 3e38), tg.tensor([4e39], "float64")
    norm = optim.clip_grad_norm_([p, q], 10.0)
    assert norm.dtype == "float64"
    np.testing.assert_allclose(norm.item(), 5e39, rtol=1e-6)
    np.testing.assert_allclose(p.grad.numpy(), np.full(100, 0.6), rtol=1e-3)  # the factor is nearly 0 in float32
    np.testing.assert_allclose(q.grad.numpy(), [8.0], rtol=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_norm_that_is_not_finite_can_be_an_error_and_changes_nothing_then(bad: float) -> None:
    params = with_gradients([3.0], [1.0, bad])
    with pytest.raises(InputError, match=r"the norm of the gradients is (nan|inf)"):
        optim.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert params[0].grad.tolist() == [3.0]
    assert optim.clip_grad_norm_(with_gradients([3.0], [4.0]), 1.0, error_if_nonfinite=True).item() == 5.0


def test_gradients_without_elements_have_no_length() -> None:
    assert optim.clip_grad_norm_(with_gradients([], [3.0]), 1.0).item() == 3.0


def test_an_infinite_max_norm_only_measures() -> None:
    params = with_gradients([3.0], [0.0, 4.0])
    assert optim.clip_grad_norm_(params, float("inf")).item() == 5.0
    assert [p.grad.tolist() for p in params] == [[3.0], [0.0, 4.0]]
    params = with_gradients([float("inf"), 1.0])
    assert optim.clip_grad_norm_(params, float("inf")).item() == float("inf")
    assert params[0].grad.tolist() == [float("inf"), 1.0]


def test_clip_grad_norm_leaves_small_gradients_alone() -> None:
    params = with_gradients([3.0], [0.0, 4.0])
    assert optim.clip_grad_norm_(params, 5.1).item() == 5.0
    assert [p.grad.tolist() for p in params] == [[3.0], [0.0, 4.0]]


def test_clip_grad_norm_equals_pytorch() -> None:
    torch = pytest.importorskip("torch")
    gradients = [[3.0, -1.0], [0.5]]
    theirs = [torch.zeros(len(g), dtype=torch.float64, requires_grad=True) for g in gradients]
    for p, g in zip(theirs, gradients, strict=True):
        p.grad = torch.tensor(g, dtype=torch.float64)
    ours = with_gradients(*gradients)
    expected = torch.nn.utils.clip_grad_norm_(theirs, 0.7).item()
    np.testing.assert_allclose(optim.clip_grad_norm_(ours, 0.7).item(), expected, rtol=1e-12)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12)


def test_biases_that_receive_the_same_gradient_are_clipped_once_each() -> None:
    tg.manual_seed(0)
    lstm = nn.LSTM(2, 3, dtype="float64")
    (lstm(tg.ones(2, 1, 2, dtype="float64"))[0].sum() * 100.0).backward()
    before = lstm.bias_ih_l0.grad.numpy().copy()
    norm = optim.clip_grad_norm_(lstm.parameters(), 1.0).item()
    assert norm > 1.0
    for bias in (lstm.bias_ih_l0, lstm.bias_hh_l0):
        np.testing.assert_allclose(bias.grad.numpy(), before / norm, rtol=1e-5)
    total = sum(float((p.grad * p.grad).sum().item()) for p in lstm.parameters())
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)


def test_clipping_replaces_gradients_and_never_writes_into_them() -> None:
    for clip in (lambda p: optim.clip_grad_norm_([p], 1.0), lambda p: optim.clip_grad_value_([p], 1.0)):
        (p,) = with_gradients([3.0, -4.0])
        kept = p.grad
        clip(p)
        assert kept.tolist() == [3.0, -4.0]
        assert p.grad.tolist() != [3.0, -4.0]


def test_clip_grad_norm_has_no_branch() -> None:
    small, large = with_gradients([0.1]), with_gradients([100.0])
    assert recorded_ops(lambda: optim.clip_grad_norm_(small, 1.0)) == recorded_ops(
        lambda: optim.clip_grad_norm_(large, 1.0)
    )


def test_a_non_finite_norm_shows_in_the_result() -> None:
    assert np.isinf(optim.clip_grad_norm_(with_gradients([float("inf")]), 1.0).item())
    assert np.isnan(optim.clip_grad_norm_(with_gradients([float("nan")]), 1.0).item())
    assert optim.clip_grad_norm_([tg.ones(1, requires_grad=True)], 1.0).item() == 0.0


def test_mixed_dtypes_keep_theirs() -> None:
    a, b = tg.ones(1, requires_grad=True), tg.ones(1, dtype="float64", requires_grad=True)
    (a * 30.0 + b * 40.0).sum().backward()
    np.testing.assert_allclose(optim.clip_grad_norm_([a, b], 5.0).item(), 50.0)
    assert (a.grad.dtype, b.grad.dtype) == ("float32", "float64")
    np.testing.assert_allclose([a.grad.item(), b.grad.item()], [3.0, 4.0], rtol=1e-6)
    optim.SGD([a, b], lr=0.1).step()


def test_clip_grad_value_limits_every_element() -> None:
    (p,) = with_gradients([3.0, -4.0, 0.5])
    optim.clip_grad_value_([p], 1.0)
    assert p.grad.tolist() == [1.0, -1.0, 0.5]


def test_a_small_network_learns_the_sine() -> None:
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    x = tg.tensor(np.linspace(-3, 3, 64, dtype=np.float32).reshape(-1, 1))
    adam = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        adam.zero_grad()
        loss = nn.MSELoss()(model(x), x.sin())
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
    assert loss.item() < 0.01


# ---- on another device --------------------------------------------------------------------------------------------


@pytest.mark.host
@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_steps_with_missing_gradients_are_the_same_there_and_look_at_nothing(name: str, fake_cuda) -> None:
    kind, options = cases.OPTIMIZERS[name]
    runs = []
    for device in ("cpu", "cuda"):
        params = [tg.ones(2, dtype="float64", device=device, requires_grad=True) for _ in range(3)]
        optimizer = getattr(optim, kind)(params, **options)
        fake_cuda.reads = 0
        with_some_gradients(optimizer, params, lambda values, device=device: tg.tensor(values, "float64", device))
        assert fake_cuda.reads == 0
        assert {value.device for value in optimizer.state_dict().values()} == {device}
        runs.append([p.numpy() for p in params])
    np.testing.assert_allclose(*runs, rtol=1e-12)


@pytest.mark.host
def test_the_state_follows_the_parameters(fake_cuda) -> None:
    layer, other = nn.Linear(2, 1), nn.Linear(2, 1)
    other.load_state_dict(layer.state_dict())
    adam, reference = optim.Adam(layer.parameters(), lr=0.1), optim.Adam(other.parameters(), lr=0.1)
    for step in range(4):
        if step == 2:
            layer.to("cuda")
        device = layer.weight.device
        for module, optimizer, where in ((layer, adam, device), (other, reference, "cpu")):
            optimizer.zero_grad()
            module(tg.ones(3, 2, device=where)).square().sum().backward()
            optimizer.step()
    assert {value.device for value in adam.state_dict().values()} == {"cuda"}
    assert adam.steps.tolist() == [4.0, 4.0]
    np.testing.assert_allclose(layer.weight.numpy(), other.weight.numpy(), rtol=1e-6)
    layer.to("cpu")
    adam.load_state_dict(reference.state_dict())
    assert {value.device for value in adam.state_dict().values()} == {"cpu"}


@pytest.mark.host
def test_states_and_learning_rates_go_from_device_to_device(fake_cuda) -> None:
    w, there = tg.ones(2, requires_grad=True), tg.ones(2, device="cuda", requires_grad=True)
    (w * w).sum().backward()
    adam, copy = optim.Adam([w], lr=0.5), optim.Adam([there])
    adam.step()
    copy.load_state_dict(adam.state_dict())
    assert {value.device for value in copy.state_dict().values()} == {"cuda"}
    assert (copy.lr.item(), copy.steps.item()) == (0.5, 1.0)
    np.testing.assert_array_equal(copy.state["average"][0].numpy(), adam.state["average"][0].numpy())
    copy.lr = tg.tensor(0.25)
    assert (copy.lr.device, copy.lr.item()) == ("cuda", 0.25)


@pytest.mark.host
def test_clipping_stays_there(fake_cuda) -> None:
    w = tg.tensor([3.0, 4.0], device="cuda", requires_grad=True)
    assert optim.clip_grad_norm_([w], 1.0).device == "cuda"
    (w * w).sum().backward()
    fake_cuda.reads = 0
    norm = optim.clip_grad_norm_([w], 1.0)
    assert fake_cuda.reads == 0
    assert (norm.device, w.grad.device, norm.item()) == ("cuda", "cuda", 10.0)
    np.testing.assert_allclose(w.grad.numpy(), [0.6, 0.8], rtol=1e-6)


def test_a_parameter_that_never_had_a_gradient_makes_no_nan() -> None:
    used, unused = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    adam = optim.Adam([used, unused])
    used.grad = tg.ones(2)
    with tg.detect_anomaly():
        adam.step()


def test_copies_of_a_model_and_its_optimizer_belong_together() -> None:
    layer = nn.Linear(2, 1)
    adam = optim.Adam(layer.parameters(), lr=0.1)
    pairs = [(layer, adam)]
    for pair in (copy.deepcopy(pairs[0]), pickle.loads(pickle.dumps(pairs[0]))):
        assert pair[1].params[0] is pair[0].weight
        pairs.append(pair)
    for module, optimizer in pairs:
        for _ in range(2):
            optimizer.zero_grad()
            module(tg.ones(3, 2)).sum().backward()
            optimizer.step()
    assert [module.weight.tolist() for module, _ in pairs] == [layer.weight.tolist()] * 3
    assert {optimizer.steps.tolist()[0] for _, optimizer in pairs} == {2.0}


def test_what_an_optimizer_lacks_is_said_with_what_there_is() -> None:
    class Unfinished(optim.Optimizer):
        def __init__(self) -> None:
            pass

    with pytest.raises(AttributeError, match=r"Unfinished.__init__ call super\(\).__init__\(params, lr\)"):
        Unfinished().step()
    adam = optim.Adam([tg.ones(1, requires_grad=True)], lr=0.5)
    with pytest.raises(AttributeError, match=r"set optimizer.lr = "):
        adam.param_groups[0]["lr"] = 0.1
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        adam.nothing()
    assert repr(adam) == "Adam(lr=0.5, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)"


# ---- groups of parameters -------------------------------------------------------------------------------------


def grouped(kind: str, make: Any, leaf: Any, **options: Any) -> tuple[list[Any], Any]:
    params = [leaf(np.array([1.0, -2.0]) * (i + 1)) for i in range(3)]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.03, "weight_decay": 0.3}]
    return params, getattr(make, kind)(groups, lr=0.01, **options)


@pytest.mark.parametrize("kind", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"])
def test_groups_take_the_steps_of_pytorch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    ours, optimizer = grouped(kind, optim, lambda v: tg.tensor(v, requires_grad=True), weight_decay=0.1)
    theirs, other = grouped(kind, torch.optim, lambda v: torch.tensor(v, requires_grad=True), weight_decay=0.1)
    rng = np.random.default_rng(0)
    for _ in range(20):
        for mine, its in zip(ours, theirs, strict=True):
            g = rng.normal(size=2)
            mine.grad, its.grad = tg.tensor(g), torch.tensor(g)
        optimizer.step()
        other.step()
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), its.detach().numpy(), rtol=1e-12)


def test_the_learning_rates_of_groups_stay_in_proportion() -> None:
    (first, second, _), sgd = grouped("SGD", optim, lambda v: tg.tensor(v, requires_grad=True))
    sgd.lr = 0.5
    first.grad = second.grad = tg.tensor([1.0, 1.0], "float64")
    before = first.numpy().copy(), second.numpy().copy()
    sgd.step()
    np.testing.assert_allclose(first.numpy(), before[0] - 0.5)
    np.testing.assert_allclose(second.numpy(), before[1] - 1.5 * (1 + 0.3 * before[1]))


@pytest.mark.parametrize(
    ("groups", "lr", "text"),
    [
        ([{"params": []}], 0.1, "no parameters"),
        ([{"params": 0, "momentun": 0.9}], 0.1, "a group has params, lr, momentum, .* and no momentun"),
        ([{"params": 0, "momentum": 0.9}], 0.1, "momentum is for all groups or for none"),
        ([{"params": 0, "weight_decay": -1}], 0.1, "weight_decay"),
        ([{"params": 0, "lr": 0.1}], 0.0, "lr must be above 0"),
        ([{"params": 0}, {"params": 0}], 0.1, "comes twice"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups: Any, lr: float, text: str) -> None:
    w = tg.ones(1, requires_grad=True)
    with pytest.raises(InputError, match=text):
        optim.SGD([{**group, "params": [w] if group["params"] == 0 else group["params"]} for group in groups], lr=lr)
