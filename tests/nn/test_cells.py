"""One step of a cell gives PyTorch's numbers, for a batch and for a single example."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn import cases, reference_values
from tinygrad_rnn import nn
from tinygrad_rnn.engine.check import gradcheck, gradgradcheck
from tinygrad_rnn.errors import InputError, ShapeError

KINDS = ("RNNCell", "LSTMCell", "GRUCell")


def check_case(kind: str, bias: bool, arrays: dict[str, np.ndarray]) -> None:
    cell = getattr(nn, kind)(cases.INPUT, cases.HIDDEN, bias=bias, dtype="float64")
    reference_values.load_parameters(cell, arrays)
    leaves = {name: reference_values.leaf(arrays[f"in.{name}"]) for name in ("x", "h0", "c0") if f"in.{name}" in arrays}
    state = (leaves["h0"], leaves["c0"]) if kind == "LSTMCell" else leaves["h0"]
    final = cell(leaves["x"], state)
    outputs = dict(zip(cell.state_names, final if isinstance(final, tuple) else (final,), strict=True))
    reference_values.check(outputs, leaves | dict(cell.named_parameters()), arrays)


@pytest.mark.parametrize("name", cases.CELLS)
def test_outputs_and_all_gradients_equal_the_reference_values(name: str) -> None:
    kind, _, bias = cases.CELLS[name]
    check_case(kind, bias, reference_values.values("cells", name))


@pytest.mark.parametrize("name", cases.CELLS)
def test_outputs_and_all_gradients_equal_pytorch(name: str) -> None:
    pytest.importorskip("torch")
    from tests.nn import make_reference

    kind, batched, bias = cases.CELLS[name]
    check_case(kind, bias, make_reference.cell(kind, batched, bias, np.random.default_rng(1)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_omitted_state_is_zero(kind: str) -> None:
    cell = getattr(nn, kind)(2, 3)
    for batch in ((), (4,)):
        x, zeros = tg.ones(*batch, 2), tg.zeros(*batch, 3)
        implicit, explicit = cell(x), cell(x, (zeros, zeros) if kind == "LSTMCell" else zeros)
        for a, b in zip(implicit, explicit, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_first_and_second_derivatives_agree_with_finite_differences(kind: str) -> None:
    tg.manual_seed(0)
    cell = getattr(nn, kind)(2, 2, dtype="float64")
    x = tg.randn(2, 2, dtype="float64", requires_grad=True)
    h = tg.randn(2, 2, dtype="float64", requires_grad=True)
    c = tg.randn(2, 2, dtype="float64", requires_grad=True)
    inputs = (x, h, c) if kind == "LSTMCell" else (x, h)

    def step(x, *state):
        return cell(x, state if len(state) > 1 else state[0])

    assert gradcheck(step, inputs)
    assert gradgradcheck(step, inputs)
    parameters = tuple(cell.parameters())
    assert gradcheck(lambda *_: step(*inputs), parameters)


def test_relu_is_an_alternative_to_tanh() -> None:
    cell = nn.RNNCell(1, 1, nonlinearity="relu", dtype="float64")
    for parameter in cell.parameters():
        nn.init.ones_(parameter)
    assert cell(tg.tensor([3.0], dtype="float64"), tg.tensor([2.0], dtype="float64")).item() == 7.0
    assert cell(tg.tensor([-9.0], dtype="float64"), tg.tensor([2.0], dtype="float64")).item() == 0.0


def test_the_gradient_along_the_cell_path_is_the_forget_gate() -> None:
    cell = nn.LSTMCell(2, 3, dtype="float64")
    nn.init.zeros_(cell.weight_hh)  # h then carries nothing back
    c0 = tg.randn(3, dtype="float64", requires_grad=True)
    _, c = cell(tg.ones(2, dtype="float64"), (tg.zeros(3, dtype="float64"), c0))
    (gradient,) = tg.grad([c.sum()], [c0])
    bias = cell.bias_ih + cell.bias_hh
    forget = (cell.weight_ih @ tg.ones(2, dtype="float64") + bias).sigmoid()[3:6]
    np.testing.assert_allclose(gradient.numpy(), forget.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.LSTMCell(2, 3)(tg.zeros(4, 5)), ShapeError, r"must be \(B, 2\) or \(2,\), not \(4, 5\)"),
        (lambda: nn.GRUCell(2, 3)(tg.zeros(4, 2), tg.zeros(3)), ShapeError, r"initial h must have shape \(4, 3\)"),
        (lambda: nn.LSTMCell(2, 3)(tg.zeros(2), tg.zeros(3)), InputError, r"must be \(h, c\)"),
        (lambda: nn.RNNCell(2, 3)(tg.zeros(2), [0.0]), InputError, "the state must be h"),
        (lambda: nn.RNNCell(2, 3, nonlinearity="sin"), InputError, "tanh, relu"),
        (lambda: nn.RNNCell(2, -3), InputError, "hidden_size must be a positive whole number"),
    ],
)
def test_what_does_not_fit_is_named(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_a_cell_of_ones_own_runs_in_unroll() -> None:
    class Sum(nn.Cell):
        def step(self, projected, state, recurrent):
            return (state + projected).named("h")

    cell = Sum(1, 1, bias=False, dtype="float64")
    nn.init.ones_(cell.weight_ih)
    outputs, final = nn.unroll(cell, tg.tensor([[1.0], [2.0], [4.0]], dtype="float64"))
    assert [h.item() for h in outputs] == [1.0, 3.0, 7.0]
    assert final is outputs[-1]


def test_a_cell_that_says_it_has_no_gates_has_one_block_of_weights() -> None:
    class Plain(nn.Cell):
        gate_names = ()

    assert Plain.shapes(2, 3)["weight_ih"] == (3, 2)


def test_what_a_step_returns_gets_the_name_of_the_state_whatever_it_was_called() -> None:
    class Other(nn.Cell):
        def step(self, projected, state, prepared):
            return (state + projected).named("other")

    assert Other(1, 1)(tg.zeros(1)).name == "h"
