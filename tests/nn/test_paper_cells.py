"""Every cell of the table: the numbers of its paper, exact derivatives, and the same use as the LSTM."""

from __future__ import annotations

import copy
import itertools
import re
from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn import papers
from tinygrad_rnn import nn
from tinygrad_rnn.engine.check import gradcheck
from tinygrad_rnn.errors import InputError, StateError
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
    "layernorm_lstm": ("ifgo", papers.layer_norm_lstm),
    "grid": ("ifgoIFGO", papers.grid_lstm),
}

#: Specification: the letters of its blocks of rows, and its sequence there and back, derived by hand.
DERIVED = {
    "peephole": ("ifgo", papers.graves_backward),
    "gru": ("rzn", papers.gru_backward),
    "gru:update=renew": ("rzn", partial(papers.gru_backward, update="renew")),
    "gru:reset=before": ("rzn", partial(papers.gru_backward, reset="before")),
    "gru:reset=before:update=renew": ("rzn", partial(papers.gru_backward, reset="before", update="renew")),
    "mgu": ("fn", papers.mgu_backward),
    "rnn": ("h", papers.elman_backward),
    "rnn:nonlinearity=relu": ("h", partial(papers.elman_backward, phi="relu")),
    "rnn:nonlinearity=sigmoid": ("h", partial(papers.elman_backward, phi="sigmoid")),
    "rnn:nonlinearity=identity": ("h", partial(papers.elman_backward, phi="identity")),
}

#: All cells, with those of their options that change the equations.
OTHERS = ("lstm:proj_size=1", "gates_from_input:nonlinearity=tanh", "lstm97:block_size=2", "lstm97_nog:block_size=2")
CELLS = tuple(dict.fromkeys([*nn.CELLS, *PAPERS, *DERIVED, *OTHERS]))

#: Those whose derivatives are meant to be others than those of their equations.
TRUNCATED = ("lstm97:gradient=truncated", "lstm97_nog:block_size=2:gradient=truncated")


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


@pytest.mark.parametrize("text", DERIVED)
def test_all_gradients_are_those_derived_by_hand(text):
    letters, backward = DERIVED[text]
    cell = cell_of(text)
    xs = tg.randn(5, B, I, dtype="float64", requires_grad=True)
    start = start_of(cell)
    errors = np.random.default_rng(0).normal(size=(5, B, H))
    w = papers.weights(letters, parameters_of(cell))
    compare(cell, xs, start, errors, backward(w, xs.numpy(), tuple(part.numpy() for part in start), errors))


def compare(cell, xs, start, errors, derived):
    """Compare outputs and all gradients with those that were derived by hand."""
    outputs, grads, d_xs, d_start = derived
    ours, _ = nn.unroll(cell, xs, single(start))
    np.testing.assert_allclose(tg.stack(ours).numpy(), outputs, rtol=1e-13, atol=1e-14)
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


@pytest.mark.parametrize("reset", ["after", "before"])
def test_an_update_gate_that_renews_is_one_that_keeps_with_its_rows_negated(reset):
    cell = cell_of(f"gru:reset={reset}:update=renew")
    mirrored = parameters_of(cell)
    for value in mirrored.values():
        value[H : 2 * H] *= -1
    same(cell, with_weights(f"gru:reset={reset}", **mirrored))


def test_the_place_of_the_reset_gate_matters_once_the_recurrent_weights_are_more_than_a_diagonal():
    before = cell_of("gru:reset=before")
    after = with_weights("gru", **parameters_of(before))
    xs, h = tg.randn(T, B, I, dtype="float64"), tg.randn(B, H, dtype="float64")
    one, other = nn.unroll(before, xs, h)[0], nn.unroll(after, xs, h)[0]
    assert all(np.abs(a.numpy() - b.numpy()).max() > 0.01 for a, b in zip(one, other, strict=True))
    for cell in (before, after):
        w, b = np.array(cell.weight_hh.numpy()), np.array(cell.bias_hh.numpy())
        w[2 * H :], b[2 * H :] = np.diag([0.5, -1.0, 2.0, 0.3]), 0.0
        cell.weight_hh.assign_(w)
        cell.bias_hh.assign_(b)
    same(before, after)


def test_an_mgu_is_a_gru_whose_gates_have_the_same_weights():
    mgu = cell_of("mgu")
    tied = {name: np.concatenate([f, f, n]) for name, (f, n) in (
        (name, np.split(value, 2)) for name, value in parameters_of(mgu).items()
    )}  # fmt: skip
    same(mgu, with_weights("gru:reset=before:update=renew", **tied))


def test_layer_normalisation_makes_the_size_of_the_weights_immaterial():
    cell = cell_of("layernorm_lstm")
    values = parameters_of(cell)
    larger = values | {"weight_ih": 1e3 * values["weight_ih"], "weight_hh": 1e3 * values["weight_hh"]}
    xs, state = tg.randn(T, B, I, dtype="float64"), single(start_of(cell))
    both = cell, with_weights("layernorm_lstm", **larger)
    plain, other = (nn.unroll(each, xs, state)[0][-1].numpy() for each in both)
    np.testing.assert_allclose(plain, other, atol=1e-4)


def test_layer_normalisation_begins_with_gains_of_1_and_biases_of_0():
    for name, value in nn.Recurrent("layernorm_lstm", I, H).named_parameters():
        if not name.startswith("weight"):
            assert (value.numpy() == name.startswith("gain")).all()


@pytest.mark.parametrize("text", ["rnn", "rnn:nonlinearity=sigmoid", "lstm"])
def test_one_weight_on_state_and_input_is_two_weights_side_by_side(text):
    two = cell_of(text)
    name, *options = text.split(":")
    weight = np.concatenate([two.weight_hh.numpy(), two.weight_ih.numpy()], axis=1)
    joined = ":".join([f"{name}_joined", *options])
    one = with_weights(joined, weight=weight, bias_ih=two.bias_ih.numpy() + two.bias_hh.numpy())
    same(two, one)
    x, h = np.random.default_rng(0).normal(size=I), np.random.default_rng(1).normal(size=H)
    state = tuple(tg.tensor(h) for _ in one.state_names)
    if name == "rnn":
        net = one.weight.numpy() @ np.concatenate([h, x]) + one.bias_ih.numpy()
        expected = 1 / (1 + np.exp(-net)) if options else np.tanh(net)
        np.testing.assert_allclose(one(tg.tensor(x), single(state)).numpy(), expected, rtol=0, atol=1e-14)


def test_the_carousel_hands_the_error_back_as_it_is_and_keeps_the_sum_of_what_enters():
    cell = cell_of("carousel")
    xs = tg.randn(50, B, I, dtype="float64")
    h0 = tg.randn(B, H, dtype="float64", requires_grad=True)
    outputs, _ = nn.unroll(cell, xs, h0)
    entered = xs.numpy() @ cell.weight_ih.numpy().T + cell.bias_ih.numpy()
    np.testing.assert_allclose(outputs[-1].numpy(), h0.numpy() + entered.sum(axis=0), rtol=1e-12)
    error = np.random.default_rng(0).normal(size=(B, H))
    (outputs[-1] * error).sum().backward()
    np.testing.assert_array_equal(h0.grad.numpy(), error)
    report = gradient_flow(nn.unroll(cell, xs)[0][-1].square().sum(axis=1))
    assert report.verdict == "survives"
    assert np.ptp(report.states[0].norms) == 0


@pytest.mark.parametrize("nonlinearity", ["identity", "tanh"])
def test_the_jacobian_of_gates_from_the_input_is_the_forget_gate_on_the_diagonal(nonlinearity):
    cell = cell_of(f"gates_from_input:nonlinearity={nonlinearity}", H)
    x, s = tg.randn(H, dtype="float64"), tg.randn(H, dtype="float64")
    net = cell.weight_ih.numpy() @ x.numpy() + cell.bias_ih.numpy()
    f, i = papers.sigmoid(net[:H]), papers.sigmoid(net[H:])
    new = f * s.numpy() + i * x.numpy()
    slope = 1.0
    if nonlinearity == "tanh":
        new = np.tanh(new)
        slope = 1 - new**2
    np.testing.assert_allclose(cell(x, s).numpy(), new, rtol=0, atol=1e-15)
    jacobian = tg.jacobian(lambda state: cell(x, state), s).numpy()
    np.testing.assert_allclose(np.diag(jacobian), f * slope, rtol=1e-14)
    np.testing.assert_array_equal(jacobian - np.diag(np.diag(jacobian)), 0)


def lstm97(block_size, **options):
    """Return a cell, its weights, a sequence, a start, and errors at all steps."""
    hidden = 3 * block_size
    text = ":".join(["lstm97", f"block_size={block_size}", *[f"{name}={value}" for name, value in options.items()]])
    cell = cell_of(text, I, hidden)
    w = papers.lstm97_weights(parameters_of(cell), 3, hidden)
    xs = tg.randn(6, B, I, dtype="float64", requires_grad=True)
    return cell, w, xs, start_of(cell), np.random.default_rng(0).normal(size=(6, B, hidden))


@pytest.mark.parametrize("block_size", [1, 2])
def test_the_lstm_of_1997_has_the_derivatives_of_full_backpropagation(block_size):
    cell, w, xs, start, errors = lstm97(block_size)
    compare(cell, xs, start, errors, papers.lstm97_backward(
        w, xs.numpy(), tuple(part.numpy() for part in start), errors, block_size
    ))  # fmt: skip


@pytest.mark.parametrize("block_size", [1, 2])
def test_its_truncated_gradient_is_the_one_the_paper_computes_forward_in_time(block_size):
    cell, w, xs, start, errors = lstm97(block_size, gradient="truncated")
    values = tuple(part.numpy() for part in start)
    outputs, grads = papers.lstm97_forward_in_time(w, xs.numpy(), values, errors, block_size)
    ours, _ = nn.unroll(cell, xs, start)
    np.testing.assert_allclose(tg.stack(ours).numpy(), outputs, rtol=0, atol=1e-14)
    (tg.stack(ours) * errors).sum().backward()
    for name, parameter in cell.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), grads[name], rtol=0, atol=1e-12, err_msg=name)


def test_its_truncated_gradient_is_the_full_one_with_the_recurrent_vector_detached():
    full, _, xs, start, errors = lstm97(2)
    truncated = full.sharing({})
    truncated.gradient = "truncated"
    h, c, r = start
    outputs = []
    for x in xs:
        h, c, r = full(x, (h.detach(), c, r.detach()))
        outputs.append(h)
    wanted = tg.grad((tg.stack(outputs) * errors).sum(), [xs, *full.parameters()])
    found = tg.grad((tg.stack(nn.unroll(truncated, xs, start)[0]) * errors).sum(), [xs, *truncated.parameters()])
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=1e-14)
    complete = tg.grad((tg.stack(nn.unroll(full, xs, start)[0]) * errors).sum(), [full.weight_hh])[0]
    assert np.abs(complete.numpy() - wanted[2].numpy()).max() > 1e-3


def test_an_error_stays_in_the_carousels_of_the_truncated_lstm_of_1997_as_it_is():
    cell, _, xs, (h, c, r), errors = lstm97(2, gradient="truncated")
    _, (_, last, _) = nn.unroll(cell, xs, (h, c, r))
    (last * errors[0]).sum().backward()
    np.testing.assert_array_equal(c.grad.numpy(), errors[0])
    assert (h.grad, r.grad) == (None, None)


def test_no_forget_gate_and_half_a_candidate_is_the_lstm_of_1997_without_weights_between_gates():
    nfg = cell_of("nfg")
    values = parameters_of(nfg)
    wide = np.concatenate([values["weight_hh"], np.zeros((3 * H, 2 * H))], axis=1)
    lstm97 = with_weights("lstm97", **{n: values[n] for n in ("weight_ih", "bias_ih", "bias_hh")} | {"weight_hh": wide})
    for name, value in values.items():
        if name.startswith("peephole"):
            nn.init.zeros_(getattr(nfg, name))
        else:
            value[H : 2 * H] /= 2  # the rows of g
            getattr(nfg, name).assign_(value)
    xs = tg.randn(T, B, I, dtype="float64")
    h, c = tg.randn(B, H, dtype="float64"), tg.randn(B, H, dtype="float64")
    ours, (_, s, _) = nn.unroll(lstm97, xs, (h, 2 * c, tg.zeros(B, 2 * H, dtype="float64")))
    theirs, (_, half) = nn.unroll(nfg, xs, (h, c))
    np.testing.assert_allclose(tg.stack(ours).numpy(), tg.stack(theirs).numpy(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(s.numpy(), 2 * half.numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("block_size", [1, 2])
def test_the_lstm_of_1997_without_output_gate_has_the_numbers_of_its_equations(block_size):
    cell = cell_of(f"lstm97_nog:block_size={block_size}")
    w = papers.lstm97_weights(parameters_of(cell), H // block_size, H)
    xs, start = tg.randn(T, B, I, dtype="float64"), start_of(cell)
    outputs, _ = nn.unroll(cell, xs, start)
    state = tuple(part.numpy() for part in start)
    for x, ours in zip(xs.numpy(), outputs, strict=True):
        state = papers.lstm97_without_output_gate(w, x, state, block_size)
        np.testing.assert_allclose(ours.numpy(), state[0], rtol=0, atol=1e-14)


def test_the_gates_of_later_blocks_begin_with_multiples_of_the_bias():
    cell = nn.Recurrent("lstm97:block_size=2:input_bias=-1:output_bias=-3", I, 6).cell()
    bias = cell.bias_ih.numpy() + cell.bias_hh.numpy()
    assert bias[:3].tolist() == [-1.0, -2.0, -3.0]
    assert bias[-3:].tolist() == [-3.0, -6.0, -9.0]


def test_the_networks_of_experiment_1_have_as_many_weights_as_the_paper_counts():
    cell = nn.LSTM97Cell(7, 4)  # 4 blocks of 1 cell; the 7 output units read the cells: 4 * 7 weights
    assert cell.weight_ih.size + cell.weight_hh.size + 2 * 4 + 4 * 7 == 264
    larger = nn.LSTM97Cell(7, 6, block_size=2)
    assert larger.weight_ih.size + larger.weight_hh.size + 2 * 3 + 6 * 7 == 276


@pytest.mark.parametrize("text", [name for name, entry in nn.CELLS.items() if "forget_bias" in entry.options])
def test_a_forget_bias_opens_the_forget_gate(text):
    layers = nn.Recurrent(f"{text}:forget_bias=3", H, H, dtype="float64")
    for name, value in layers.named_parameters():
        if not name.startswith("bias"):
            nn.init.zeros_(value)
    losses = layers.unroll(tg.randn(4, B, H, dtype="float64"))[0][-1].square().sum(axis=1)
    (f,) = [gate for gate in gradient_flow(losses, statistics=True).gates if gate.label == "f"]
    np.testing.assert_allclose(f.mean, 1 / (1 + np.exp(-3.0)), rtol=1e-12)


@pytest.mark.parametrize("priority", ["depth", "none"])
def test_two_layers_of_a_grid_hand_on_both_vectors_as_they_are(priority):
    layers = nn.Recurrent(f"grid:priority={priority}", I, H, num_layers=2, dtype="float64")
    assert [name for name in layers.state_dict() if "_in" in name] == ["weight_in_l0", "bias_in_l0"]
    xs = tg.randn(T, B, I, dtype="float64")
    output, final = layers(xs)
    steps = list(xs.numpy())
    for layer in range(2):
        w = papers.weights("ifgoIFGO", parameters_of(layers.cell(layer)))
        state = tuple(np.zeros(shape) for shape in layers.cell().state_shapes((B,)))
        for t, x in enumerate(steps):
            state = papers.grid_lstm(w, x, state, priority)
            steps[t] = state[0]
        for ours, theirs in zip(final, state, strict=True):
            np.testing.assert_allclose(ours[layer].numpy(), theirs, rtol=0, atol=1e-14)
    np.testing.assert_allclose(output.numpy(), np.stack(steps), rtol=0, atol=1e-14)


def test_an_error_goes_down_the_layers_of_a_grid_by_the_forget_gates_alone():
    layers = nn.Recurrent("grid", 2 * H, H, num_layers=12, dtype="float64")
    for name, value in layers.named_parameters():
        nn.init.zeros_(value)
        if name.startswith("bias_ih"):
            value.assign_(np.repeat([0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0], H))  # the rows of f in depth
    x = tg.randn(1, B, 2 * H, dtype="float64", requires_grad=True)
    layers(x)[0][:, :, H:].sum().backward()
    np.testing.assert_allclose(x.grad[:, :, H:].numpy(), papers.sigmoid(2.0) ** 12, rtol=1e-12)


# ---- used as the LSTM is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*CELLS, *TRUNCATED])
def test_flow_finds_every_state_and_every_gate(text):
    layers = nn.Recurrent(text, H, H, dtype="float64")
    losses = layers.unroll(tg.randn(5, B, H, dtype="float64"))[0][-1].square().sum(axis=1)
    report = gradient_flow(losses, statistics=True)
    reached = ["h", "c"] if text == TRUNCATED[0] else ["c"] if text in TRUNCATED else list(layers.cell().state_names)
    assert sorted(state.kind for state in report.states) == sorted(reached)
    assert {gate.label for gate in report.gates} == set(layers.cell().gate_names)
    assert report.verdict != "withheld"
    assert report.notes == ()


@pytest.mark.parametrize("text", [*CELLS, *TRUNCATED])
def test_layers_both_ways_give_the_same_step_by_step_and_as_a_whole(text):
    stacked = 1 if text.startswith("gates_from_input") else 2  # whose input cannot be both directions side by side
    layers = nn.Recurrent(text, H, H, num_layers=stacked, bidirectional=True, dtype="float64")
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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.GRUCell(I, H, reset="inside"), "GRUCell: reset must be one of after, before, not 'inside'"),
        (lambda: nn.GRUCell(I, H, update=1), "GRUCell: update must be one of keep, renew, not 1"),
        (lambda: nn.Recurrent("gru:reset=inside", I, H), "'gru:reset=inside': 'inside' is none of after, before"),
        (lambda: nn.Recurrent("gru", I, H, update="never"), "'never' is none of keep, renew"),
        (lambda: nn.Recurrent("rnn:nonlinearity=sine", I, H), "use one of tanh, relu, sigmoid, identity"),
        (lambda: nn.GatesFromInputCell(I, I, nonlinearity="relu"), "must be one of identity, tanh, not 'relu'"),
        (lambda: nn.GatesFromInputCell(3, 4), "must equal hidden_size, .* are 3 and 4; choose hidden_size=3"),
        (lambda: nn.Recurrent("gates_from_input", 3, 3, 2, bidirectional=True), "are 6 and 3; choose hidden_size=6"),
        (lambda: nn.LSTM97Cell(I, 12, block_size=5), r"12 cells .* blocks of 5; block_size can be 1, 2, 3, 4, 6, 12"),
        (lambda: nn.LSTM97NOGCell(I, 12, block_size=0), "block_size must be a positive whole number, not 0"),
        (lambda: nn.LSTM97Cell(I, 12, gradient="cut"), "gradient must be one of full, truncated, not 'cut'"),
        (lambda: nn.Recurrent("lstm97:block_size=2.5", I, H), "'2.5' is no whole number"),
        (lambda: nn.Recurrent("lstm97:block_size=3", I, H), "4 cells .* blocks of 3; block_size can be 1, 2, 4"),
        (lambda: nn.Recurrent("mgu:reset=after", I, H), "'reset=after' is no option of mgu, which has none"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_cell_shows_the_options_that_are_not_the_usual_ones():
    assert repr(nn.GRUCell(I, H, bias=False, reset="before")) == "GRUCell(3, 4, bias=False, reset='before')"
    assert repr(nn.RNNCell(I, H)) == "RNNCell(3, 4)"


@pytest.mark.parametrize(
    ("into", "of", "names", "sizes"),
    [
        ("lstm", "peephole_full", ["peephole_full"], (I, H)),
        ("lstm", "peephole", ["peephole", "niaf", "noaf"], (5, 6)),
        ("lstm", "gru", ["coupled", "gru"], (I, H)),
        ("gru", "mgu", ["mgu"], (5, 6)),
        ("rnn", "lstm_joined", ["lstm_joined"], (I, H)),
        ("lstm97", "lstm97:block_size=2", ["lstm97:block_size=2", "lstm97_nog", "rnn"], (I, H)),
        ("lstm97", "lstm97_nog:block_size=4", ["lstm97_nog:block_size=4", "rnn"], (I, H)),
    ],
)
def test_the_state_of_another_cell_is_told_by_its_name(into, of, names, sizes):
    state = dict(nn.Recurrent(of, *sizes, num_layers=2, bias=False).state_dict())  # which does not know its cell
    module = nn.Recurrent(into, I, H, num_layers=2, bias=False)
    named = " or ".join(f"nn.Recurrent({name!r}, ...)" for name in names)
    unsure = "; nothing in it tells which of them" if len(names) > 1 else ""
    said = f"its names and shapes are those of another cell: {named}{unsure}\n"
    with pytest.raises(StateError, match=re.escape(f"\n  {said}")):
        module.load_state_dict(state)
    with pytest.raises(StateError, match=re.escape(f"\n  0: {said}")):
        nn.Sequential(module).load_state_dict({f"0.{name}": value for name, value in state.items()})


#: Specifications whose parameters are alike for these sizes, as `load_state_dict` lists them.
ALIKE = [
    (("rnn", "irnn", "rnn:nonlinearity=relu"), H),
    (("peephole", "niaf", "noaf"), H),
    (("nfg", "cifg"), H),
    (("coupled", "gru", "gru:reset=before", "gru:update=renew"), H),
    (("lstm", "np"), H),
    (("lstm97", "lstm97:gradient=truncated"), H),
    (("grid", "grid:priority=none"), H),
    (("gates_from_input", "gates_from_input:nonlinearity=tanh"), I),
]
#: Those that compute the same.
ONE = [{"irnn", "rnn:nonlinearity=relu"}, {"lstm", "np"}, {"lstm97", "lstm97:gradient=truncated"}]


@pytest.mark.parametrize(("specs", "hidden"), ALIKE, ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_a_state_knows_of_which_cell_it_is_also_in_a_file_and_is_refused_by_another(specs, hidden, tmp_path):
    modules = {spec: nn.Sequential(nn.Recurrent(spec, I, hidden), nn.Linear(hidden, 1)) for spec in specs}

    def shown(cell):
        return repr(cell).replace(f"({I}, {hidden})", "").replace(f"{I}, {hidden}, ", "")

    for of, into in itertools.permutations(specs, 2):
        state = modules[of].state_dict()
        tg.save(tmp_path / "x", state)
        for known in (state, tg.load(tmp_path / "x")):
            if {of, into} in ONE:
                modules[into].load_state_dict(known)
                continue
            told = ", and this is ".join(shown(modules[each][0].cell()) for each in (of, into))
            with pytest.raises(StateError, match=re.escape(f"\n  0: it is the state of another cell, {told}\n")):
                modules[into].load_state_dict(known)
            modules[into].load_state_dict(known, strict=False)
        modules[into].load_state_dict(dict(state))


def test_a_state_of_other_blocks_is_refused_where_as_many_rows_come_of_them():
    one, other = nn.LSTM97Cell(I, 4), nn.LSTM97Cell(I, 6, block_size=2)
    with pytest.raises(StateError, match=r"of another cell, LSTM97Cell\(block_size=2\), and this is LSTM97Cell\n"):
        one.load_state_dict(other.state_dict())


def test_options_are_told_in_words_that_do_not_depend_on_the_process_nor_on_the_kind_of_number():
    class Scaled(nn.RNNCell):
        def __init__(self, *sizes, bias=True, dtype="float32", device="cpu", scale=1.0, squash=None):
            nn.Cell.__init__(self, *sizes, bias, dtype, device, scale=scale, squash=squash)

    class Squash:
        def __init__(self, name):
            self.name = name

    state = Scaled(I, H, scale=2, squash=Squash("a")).state_dict()
    for scale in (2.0, np.int64(2), np.float32(2)):
        Scaled(I, H, scale=scale, squash=Squash("b")).load_state_dict(state)
    with pytest.raises(StateError, match=r"Scaled\(scale=2, squash=.*Squash\), and this is Scaled\(scale=0.5"):
        Scaled(I, H, scale=0.5, squash=Squash("a")).load_state_dict(state)
    assert " at 0x" not in repr(Scaled(I, H, squash=lambda x: x).state_dict().cells)
    weights = np.ones((1, 12, 3), "float32"), np.ones((1, 12, 3), "float32")
    hard, soft = (nn.from_onnx("LSTM", *weights, activations=[name, "Tanh", "Tanh"]) for name in ("HardSigmoid", "Elu"))
    with pytest.raises(StateError, match=r"cells.0: .* OnnxLSTMCell\(activations=\(Activation\(name='HardSigmoid'"):
        soft.load_state_dict(hard.state_dict())
    assert copy.deepcopy(state).cells == copy.copy(state).cells == state.cells


def test_what_a_file_says_of_its_cells_in_another_way_is_not_believed(tmp_path):
    module = nn.GRU(I, H)
    for text in ("", "[]", '{"": 3}', "{", "[" * 100_000):
        tg.save(tmp_path / "x", dict(module.state_dict()), {"tinygrad_rnn.cells": text})
        if text != '{"": 3}':
            module.load_state_dict(tg.load(tmp_path / "x"))
        else:
            with pytest.raises(StateError, match="another cell, 3, and"):
                module.load_state_dict(tg.load(tmp_path / "x"))


def test_a_cell_that_only_knows_its_sizes_knows_its_gate_that_keeps():
    for update, sign in (("keep", 1), ("renew", -1)):
        assert nn.GRUCell.without_parameters(I, H, update=update).keeping == ("z", "update gate", sign)


def test_blocks_of_no_cells_are_refused_wherever_they_are_given():
    for size in (0, -1, 1.0, "2"):
        with pytest.raises(InputError, match="LSTM97Cell: block_size must be a positive whole number"):
            nn.LSTM97Cell.shapes(I, H, block_size=size)


def test_the_state_of_an_lstm_with_a_projection_is_told_by_its_size():
    state = dict(nn.LSTM(I, H, proj_size=2).state_dict())
    with pytest.raises(StateError, match=r"\n  its weight_hr is that of a projection: nn.LSTM\(..., proj_size=2\)\n"):
        nn.LSTM(I, H).load_state_dict(state)


def test_a_state_of_other_sizes_is_not_said_to_be_of_another_cell():
    with pytest.raises(StateError) as raised:
        nn.LSTM(I, H).load_state_dict(nn.LSTM(I, H + 1).state_dict())
    assert "another cell" not in str(raised.value)
    with pytest.raises(StateError) as raised:
        nn.LSTM(I, H).load_state_dict({})
    assert "another cell" not in str(raised.value)


def test_no_summary_has_square_brackets_which_tables_in_a_terminal_take_for_markup():
    assert not [name for name, entry in nn.CELLS.items() if "[" in entry.summary + entry.reference]
