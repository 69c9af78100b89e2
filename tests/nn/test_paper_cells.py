"""Every cell of the table: the numbers of its paper, exact derivatives, and the same use as the LSTM."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn import papers
from tinygrad_rnn import nn
from tinygrad_rnn.engine.check import gradcheck
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import gradient_flow

I, H, B, T = 3, 4, 2, 3  # noqa: E741

#: Specification: the letters of its blocks of rows, and its step in plain NumPy.
PAPERS = {
    "lstm": ("ifgo", papers.lstm),
    "np": ("ifgo", papers.lstm),
    "peephole": ("ifgo", papers.lstm),
    "peephole_full": ("ifgo", papers.full_peepholes),
    "coupled": ("igo", partial(papers.lstm, variant="CIFG")),
    "nig": ("fgo", partial(papers.lstm, variant="NIG")),
    "nfg": ("igo", partial(papers.lstm, variant="NFG")),
    "nog": ("ifg", partial(papers.lstm, variant="NOG")),
    "niaf": ("ifgo", partial(papers.lstm, variant="NIAF")),
    "noaf": ("ifgo", partial(papers.lstm, variant="NOAF")),
    "cifg": ("igo", partial(papers.lstm, variant="CIFG")),
    "fgr": ("ifgo", partial(papers.lstm, variant="FGR")),
}

#: All cells, with those of their options that change the equations.
CELLS = tuple(dict.fromkeys([*nn.CELLS, *PAPERS]))


@pytest.fixture(autouse=True)
def _seeded():
    tg.manual_seed(3)


def cell_of(text: str, inputs: int = I, hidden: int = H) -> nn.Cell:
    cell = nn.Recurrent(text, inputs, hidden, dtype="float64").cell()
    for parameter in cell.parameters():  # what begins as 0 or 1 would hide mistakes
        parameter.assign_(tg.randn(*parameter.shape, dtype="float64") * 0.7)
    return cell


def parameters_of(cell: nn.Cell) -> dict[str, np.ndarray]:
    return {name: np.array(value.numpy()) for name, value in cell.named_parameters()}


def start_of(cell: nn.Cell, batch: tuple[int, ...] = (B,)) -> tuple[tg.Tensor, ...]:
    return tuple([tg.randn(*shape, dtype="float64", requires_grad=True) for shape in cell.state_shapes(batch)])


def single(state: tuple) -> object:
    return state if len(state) > 1 else state[0]


def parts(state: object) -> tuple:
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("text", PAPERS)
def test_the_numbers_are_those_of_the_paper(text):
    letters, step = PAPERS[text]
    cell = cell_of(text)
    w = papers.weights(letters, parameters_of(cell))
    xs = tg.randn(T, B, I, dtype="float64")
    start = start_of(cell)
    outputs, final = nn.unroll(cell, xs, single(start))
    state = tuple(np.array(part.numpy()) for part in start)
    for t in range(T):
        state = parts(step(w, xs.numpy()[t], state))
        np.testing.assert_allclose(outputs[t].numpy(), state[0], rtol=0, atol=1e-14)
    for ours, theirs in zip(parts(final), state, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-14)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("text", CELLS)
def test_derivatives_by_input_state_and_all_parameters_are_exact(text, steps):
    cell = cell_of(text, 2, 2)
    xs = tg.randn(steps, 2, 2, dtype="float64", requires_grad=True)
    start = start_of(cell, (2,))
    names = [name for name, _ in cell.named_parameters()]
    weights = tuple(tg.tensor(value.detach(), requires_grad=True) for value in cell.parameters())

    def run(xs, *given):
        state, values = given[: len(start)], given[len(start) :]
        outputs, final = nn.unroll(cell.sharing(dict(zip(names, values, strict=True))), xs, single(state))
        return tg.concat([*[h.reshape(-1) for h in outputs], *[part.reshape(-1) for part in parts(final)]])

    assert gradcheck(run, (xs, *start, *weights))


def test_the_peephole_lstm_and_all_its_gradients_are_those_that_graves_derived_by_hand():
    cell = cell_of("peephole")
    xs = tg.randn(5, B, I, dtype="float64", requires_grad=True)
    start = start_of(cell)
    errors = np.random.default_rng(0).normal(size=(5, B, H))
    compare(cell, xs, start, errors, papers.graves_backward(
        papers.weights("ifgo", parameters_of(cell)), xs.numpy(), tuple(part.numpy() for part in start), errors
    ))  # fmt: skip


def compare(cell, xs, start, errors, derived):
    outputs, grads, d_xs, d_start = derived
    ours, _ = nn.unroll(cell, xs, single(start))
    np.testing.assert_allclose(tg.stack(ours).numpy(), outputs, rtol=0, atol=1e-14)
    (tg.stack(ours) * errors).sum().backward()
    np.testing.assert_allclose(xs.grad.numpy(), d_xs, rtol=0, atol=1e-12)
    for part, expected in zip(start, d_start, strict=True):
        np.testing.assert_allclose(part.grad.numpy(), expected, rtol=0, atol=1e-12)
    assert set(grads) == {name for name, _ in cell.named_parameters()}
    for name, parameter in cell.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), grads[name], rtol=0, atol=1e-12, err_msg=name)


# ---- what is the same as something else ----------------------------------------------------------------------------


def same(first, other):
    """Compare two cells on one sequence, from the same state."""
    xs, start = tg.randn(T, B, I, dtype="float64"), single(start_of(first))
    np.testing.assert_allclose(
        tg.stack(nn.unroll(first, xs, start)[0]).numpy(), tg.stack(nn.unroll(other, xs, start)[0]).numpy(),
        rtol=0, atol=1e-14,
    )  # fmt: skip


def with_weights(text, **values):
    cell = cell_of(text)
    for name, value in values.items():
        getattr(cell, name).assign_(value)
    return cell


@pytest.mark.parametrize("text", ["peephole", "peephole_full"])
def test_without_its_peepholes_it_is_the_lstm(text):
    cell = cell_of(text)
    for name, value in cell.named_parameters():
        if name.startswith("peephole") or name == "weight_ch":
            nn.init.zeros_(value)
    values = parameters_of(cell)
    same(cell, with_weights("lstm", **{name: values[name] for name, _ in nn.LSTMCell(I, H).named_parameters()}))


def test_fgr_without_its_gate_recurrence_is_the_peephole_lstm():
    cell = cell_of("fgr")
    nn.init.zeros_(cell.weight_rr)
    other = with_weights("peephole", **{n: v for n, v in parameters_of(cell).items() if n != "weight_rr"})
    xs = tg.randn(T, B, I, dtype="float64")
    for ours, theirs in zip(nn.unroll(cell, xs)[0], nn.unroll(other, xs)[0], strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("coupled", "free"), [("cifg", "peephole"), ("coupled", "lstm")])
def test_a_coupled_forget_gate_is_one_whose_weights_are_those_of_the_input_gate_with_the_other_sign(coupled, free):
    cell = cell_of(coupled)
    values = parameters_of(cell)
    tied = {}
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        i, g, o = np.split(values[name], 3)
        tied[name] = np.concatenate([i, -i, g, o])
    if free == "peephole":
        i, o = values["peephole_i"], values["peephole_o"]
        tied |= {"peephole_i": i, "peephole_f": -i, "peephole_o": o}
    same(cell, with_weights(free, **tied))


@pytest.mark.parametrize("text", [name for name, entry in nn.CELLS.items() if "forget_bias" in entry.options])
def test_a_forget_bias_opens_the_forget_gate(text):
    layers = nn.Recurrent(f"{text}:forget_bias=3", I, H, dtype="float64")
    for name, value in layers.named_parameters():
        if not name.startswith("bias"):
            nn.init.zeros_(value)
    losses = layers.unroll(tg.randn(4, B, I, dtype="float64"))[0][-1].square().sum(axis=1)
    (f,) = [gate for gate in gradient_flow(losses, statistics=True).gates if gate.label == "f"]
    np.testing.assert_allclose(f.mean, 1 / (1 + np.exp(-3.0)), rtol=1e-12)


# ---- used as the LSTM is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", CELLS)
def test_flow_finds_every_state_and_every_gate(text):
    layers = nn.Recurrent(text, H, H, dtype="float64")
    losses = layers.unroll(tg.randn(5, B, H, dtype="float64"))[0][-1].square().sum(axis=1)
    report = gradient_flow(losses, statistics=True)
    assert [state.kind for state in report.states] == list(layers.cell().state_names)
    assert {gate.label for gate in report.gates} == set(layers.cell().gate_names)
    assert report.verdict != "withheld"
    assert report.notes == ()


@pytest.mark.parametrize("text", CELLS)
def test_layers_both_ways_give_the_same_step_by_step_and_as_a_whole(text):
    layers = nn.Recurrent(text, H, H, num_layers=2, bidirectional=True, dtype="float64")
    x = tg.randn(T, B, H, dtype="float64")
    output, final = layers(x)
    slow, slow_final = layers.unroll(x)
    assert output.shape == (T, B, 2 * layers.cell().output_size)
    for fast, one_by_one in zip((output, *parts(final)), (slow, *parts(slow_final)), strict=True):
        np.testing.assert_allclose(fast.numpy(), one_by_one.numpy(), rtol=1e-12)
    alone, _ = layers(x[:, 0])
    np.testing.assert_allclose(alone.numpy(), output.numpy()[:, 0], rtol=1e-12)


@pytest.mark.parametrize("text", CELLS)
def test_it_has_no_biases_when_told_so(text):
    layers = nn.Recurrent(text, H, H, bias=False)
    assert not [name for name, _ in layers.named_parameters() if name.startswith("bias")]
    assert layers(tg.randn(T, B, H))[0].shape == (T, B, layers.output_size)


@pytest.mark.parametrize("text", nn.CELLS)
def test_an_option_that_the_class_does_not_know_is_refused(text):
    with pytest.raises((InputError, TypeError), match="'gain'"):
        nn.CELLS[text].cell(H, H, gain=1)
