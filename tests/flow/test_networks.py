"""The flow through the library's own cells, layer upon layer and in both directions; and beside PyTorch's."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.flow import gradient_flow

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
T, B, INPUTS, H = 6, 4, 3, 5


def unrolled(kind, seed=0):
    tg.manual_seed(seed)
    net = CELLS[kind](INPUTS, H, dtype="float64")
    x = tg.randn(T, B, INPUTS, dtype="float64")
    steps, _ = nn.unroll(net.cell(), x)
    return net, x, gradient_flow((steps[-1] * steps[-1]).sum(axis=1))


@pytest.mark.parametrize("kind", CELLS)
def test_step_contributions_add_up_to_the_gradient_that_backward_leaves(kind):
    net, x, report = unrolled(kind)
    steps, _ = nn.unroll(net.cell(), x)
    (steps[-1] * steps[-1]).sum(axis=1).mean().backward()
    assert report.weights.keys() == dict(net.named_parameters()).keys()
    for name, parameter in net.named_parameters():
        expected = np.linalg.norm(parameter.grad.numpy())
        assert report.weights[name].total == pytest.approx(expected, rel=1e-10)
        assert report.weights[name].running[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kind", CELLS)
def test_the_hoisted_network_has_the_same_state_flow_but_no_input_contributions_per_step(kind):
    net, x, expected = unrolled(kind)
    output, _ = net(x)
    report = gradient_flow((output[-1] * output[-1]).sum(axis=1))
    assert report.hidden_grad == pytest.approx(expected.hidden_grad, rel=1e-10)
    for name, weight in report.weights.items():
        assert weight.total == pytest.approx(expected.weights[name].total, rel=1e-10)
    recurrent = report.weights["weight_hh_l0"].per_step
    assert recurrent == pytest.approx(expected.weights["weight_hh_l0"].per_step, rel=1e-10)
    assert report.weights["weight_ih_l0"].per_step is None


@pytest.mark.parametrize("kind", CELLS)
def test_the_state_flow_is_that_of_the_same_network_in_pytorch(kind):
    torch = pytest.importorskip("torch")
    net, x, report = unrolled(kind)
    cell = getattr(torch.nn, f"{kind.upper()}Cell")(INPUTS, H).double()
    values = {name.removesuffix("_l0"): value.numpy().copy() for name, value in net.state_dict().items()}
    cell.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    kept = {"h": [], "c": []}
    state = None
    for step in torch.from_numpy(x.numpy().copy()):
        state = cell(step, state)
        for name, part in zip("hc", state if kind == "lstm" else (state,), strict=False):
            part.retain_grad()
            kept[name].append(part)
    h = state[0] if kind == "lstm" else state
    (h * h).sum().backward()

    def flow(parts):
        return [float((part.grad**2).sum(dim=1).mean().sqrt()) for part in parts]

    assert report.hidden_grad == pytest.approx(flow(kept["h"]), rel=1e-9)
    if kind == "lstm":
        assert report.cell_grad == pytest.approx(flow(kept["c"]), rel=1e-9)
    else:
        assert report.cell_grad is None


def test_layers_and_directions_are_told_apart_and_the_last_forward_layer_is_the_cell():
    tg.manual_seed(0)
    net = nn.LSTM(INPUTS, H, num_layers=2, bidirectional=True, dtype="float64")
    with tg.scope("encoder"):
        output, _ = net.unroll(tg.randn(T, B, INPUTS, dtype="float64"))
    report = gradient_flow(output[T - 1, :, :H].sum(axis=1))
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    lanes = [(e["layer"], e["direction"]) for e in found["layers"]]
    assert lanes == [(0, "forward"), (0, "reverse"), (1, "forward"), (1, "reverse")]
    assert found["hidden_grad"] == found["layers"][2]["hidden_grad"] != found["layers"][3]["hidden_grad"]
    assert found["layers"][3]["cell_grad"] == [0.0] * T, "the loss reads the forward half alone"
    assert {len(e[k]) for e in found["layers"] for k in ("hidden_grad", "cell_grad")} == {T}
    assert {n.name for n in report.nodes} > {"t0_layer0_h", "t3_layer0_reverse_forget_gate_f", "t5_layer1_h"}


def test_lags_of_the_reverse_direction_count_from_the_first_position():
    tg.manual_seed(0)
    cell = nn.RNN(INPUTS, H, bidirectional=True, dtype="float64").cell(reverse=True)
    steps, _ = nn.unroll(cell, tg.randn(T, B, INPUTS, dtype="float64"), reverse=True)
    report = gradient_flow(steps[0].sum(axis=1))
    (state,) = report.cell
    assert state.direction == "reverse"
    assert state.by_lag.tolist() == state.norms.tolist()
    assert report.hidden_grad[0] == pytest.approx(H**0.5)
    running = report.weights["weight_hh_l0_reverse"].running
    assert running[-1] == pytest.approx(report.weights["weight_hh_l0_reverse"].total)


def test_a_module_prefix_is_left_out_of_the_names_unless_it_tells_two_apart():
    class Net(nn.Module):
        def __init__(self):
            self.first, self.second = nn.RNNCell(2, 2), nn.Linear(2, 1)

        def forward(self, x):
            return self.second(self.first(x)).sum(axis=1)

    names = {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight", "bias"}
    assert set(gradient_flow(Net()(tg.ones(3, 2))).weights) == names
    two = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    assert set(gradient_flow(two(tg.ones(3, 2)).sum(axis=1)).weights) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_leaves_of_the_same_name_are_told_apart():
    x, y = (tg.tensor([value], requires_grad=True).named("w") for value in (1.0, 2.0))
    report = gradient_flow(x * y)
    assert {name: weight.total for name, weight in report.weights.items()} == {"w": 2.0, "w_2": 1.0}
    assert [report.nodes[weight.node].name for weight in report.weights.values()] == ["w", "w_2"]


def test_the_running_sum_of_a_weight_of_which_a_single_step_of_a_reverse_lane_counts():
    x = tg.randn(4, 1, 2, dtype="float64")
    forward, backward = nn.GRUCell(2, 3, dtype="float64"), nn.GRUCell(2, 3, dtype="float64")
    nn.ModuleDict({"f": forward, "b": backward})
    last, _ = nn.unroll(forward, x)
    with tg.scope("reverse"):
        first, _ = nn.unroll(backward, x, reverse=True)
    report = gradient_flow(tg.concat([last[-1], first[-1]], axis=-1).sum(axis=-1))
    weight = report.weights["b.weight_ih"]
    assert weight.per_step[:3].tolist() == [0.0] * 3
    assert weight.running.tolist() == weight.per_step.tolist()
