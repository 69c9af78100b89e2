"""A cell of one's own, in a module of its own, with one line in the table: all that works for an LSTM works for it."""

import importlib.util
import json
import sys

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, viz
from tinygrad_rnn.cli import main
from tinygrad_rnn.flow import gradient_flow, state_jacobians
from tinygrad_rnn.nn import CELLS, CellEntry
from tinygrad_rnn.tasks import AddingTask
from tinygrad_rnn.train import SequenceModel, evaluate, fit, load_checkpoint, save_checkpoint

MODULE = '''
"""A network with pockets: what the gate k lets through is kept in two of them, which leak at learned speeds."""

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class PocketCell(nn.Cell):
    """s' = tanh(W_s x + U_s s + b_s + sum_p m_p);  m_p' = sigmoid(leak_p) * m_p + k * s', k = sigmoid(W_k x + ...)."""

    state_names = ("s", "m")
    gate_names = ("k",)
    gates = 2

    @classmethod
    def shapes(cls, input_size, hidden_size, bias=True, **options):
        return super().shapes(input_size, hidden_size, bias) | {"leak": (2, hidden_size)}

    def initial(self, name, shape):
        return tg.ones(*shape) if name == "leak" else super().initial(name, shape)

    def state_shapes(self, batch=()):
        return (*batch, self.hidden_size), (*batch, 2, self.hidden_size)

    def step(self, projected, state, prepared):
        s, m = state
        net_k, net_s = (projected + s @ prepared).chunk(2, axis=-1)
        with tg.scope("pocket_gate"):
            k = net_k.sigmoid().named("k")
        s = (net_s + m.sum(axis=-2)).tanh()
        m = self.leak.sigmoid() * m + (k * s).unsqueeze(-2)
        return s, m
'''


@pytest.fixture
def pockets(tmp_path, monkeypatch):
    path = tmp_path / "pockets.py"
    path.write_text(MODULE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("pockets", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pockets", module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(CELLS, "pockets", CellEntry(module.PocketCell, "keeps in two leaking pockets", "this test"))
    tg.manual_seed(0)
    return module.PocketCell


def test_its_parameters_are_found_named_and_begin_as_it_says(pockets):
    layers = nn.Recurrent("pockets", 3, 4, num_layers=2, bidirectional=True)
    suffixes = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"]
    names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "leak"]
    assert [name for name, _ in layers.named_parameters()] == [n + s for s in suffixes for n in names]
    assert layers.leak_l1_reverse.name == "leak_l1_reverse"
    assert layers.leak_l0.shape == (2, 4)
    assert layers.leak_l0.tolist() == np.ones((2, 4)).tolist()
    assert layers.weight_ih_l1.shape == (8, 8)
    assert layers.cell(1, reverse=True).leak is layers.leak_l1_reverse


@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_stacks_both_ways_and_a_step_at_a_time_gives_the_same(pockets, bidirectional):
    layers = nn.Recurrent(pockets, 3, 4, 2, bidirectional=bidirectional, dtype="float64")
    x = tg.randn(5, 2, 3, dtype="float64")
    output, (s, m) = layers(x)
    directions = 1 + bidirectional
    assert (output.shape, s.shape) == ((5, 2, 4 * directions), (2 * directions, 2, 4))
    assert m.shape == (2 * directions, 2, 2, 4)
    slow, (slow_s, slow_m) = layers.unroll(x)
    for fast, one_by_one in ((output, slow), (s, slow_s), (m, slow_m)):
        np.testing.assert_allclose(fast.numpy(), one_by_one.numpy(), rtol=1e-12)
    again, _ = layers(x, (s, m))
    assert again.shape == output.shape
    leak = tg.tensor(layers.leak_l0.detach(), requires_grad=True)
    assert tg.gradcheck(lambda w: _with(layers, "leak_l0", w)(x)[0], leak)


def _with(layers, name, value):
    vars(layers)[name] = value
    return layers


def test_gradient_flow_finds_its_states_and_its_gate(pockets):
    layers = nn.Recurrent(pockets, 3, 4, dtype="float64")
    output, (_, m) = layers.unroll(tg.randn(6, 2, 3, dtype="float64"))
    losses = output[-1].square().sum(axis=1)
    report = gradient_flow(losses, statistics=True)
    assert [state.kind for state in report.states] == ["s", "m"]
    assert [gate.label for gate in report.gates] == ["k"]
    assert {(path.child, path.parent) for path in report.paths} >= {("s", "m"), ("m", "m"), ("s", "s"), ("k", "s")}
    assert report.weights["leak_l0"].per_step is not None
    assert report.verdict in ("survives", "vanishes")
    assert report.notes == ()
    jacobians = state_jacobians(losses.sum() + m.sum())
    assert jacobians.kinds == ("s", "m")
    assert jacobians.one_step.shape == (5, 2, 12, 12)


def test_one_step_jacobians_of_states_of_different_shapes(pockets):
    cell = pockets(2, 3, dtype="float64")
    x = tg.randn(3, 1, 2, dtype="float64")
    outputs, state = nn.unroll(cell, x)
    found = state_jacobians(outputs[-1].sum() + state[1].sum()).one_step[-1, 0]
    _, before = nn.unroll(cell, x[:2])

    def step(flat):
        s, m = cell(x[2], (flat[:3].reshape(1, 3), flat[3:].reshape(1, 2, 3)))
        return tg.concat([s.reshape(3), m.reshape(6)])

    flat = tg.concat([before[0].reshape(3), before[1].reshape(6)]).detach()
    exact = tg.jacobian(step, flat).numpy()
    # Each state is an input of its own in the measurement: m depends on s' within the step.
    np.testing.assert_allclose(found, exact, atol=1e-12)


def test_it_is_drawn_with_its_states_and_gate(pockets):
    layers = nn.Recurrent(pockets, 3, 4, dtype="float64")
    output, _ = layers.unroll(tg.randn(4, 2, 3, dtype="float64"))
    report = gradient_flow(output[-1].square().sum(axis=1), statistics=True)
    for level in ("rolled", "cell", "ops"):
        assert "s" in str(viz.draw(report, level))
    source = str(viz.draw(report))
    assert all(f'"t{t}_{name}"' in source for t in range(3) for name in ("s", "m", "pocket_gate_k"))
    assert '"t3_m"' not in source, "the loss reads s of the last step, m comes after it"


def test_it_trains_and_goes_on_from_a_file_as_if_it_had_never_stopped(pockets, tmp_path):
    task = AddingTask(6)

    def made():
        tg.manual_seed(1)
        model = SequenceModel("pockets", task.input_size, 4, task.output_size)
        return model, optim.Adam(model.parameters(), 0.01)

    model, adam = made()
    losses = [update.loss for update in fit(model, task, adam, 6, 8)]
    first, optimizer = made()
    assert [update.loss for update in fit(first, task, optimizer, 3, 8)] == losses[:3]
    save_checkpoint(tmp_path / "m.safetensors", first, optimizer, {})
    loaded = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded.model.cell_name == "pockets"
    assert evaluate(loaded.model, task, 8) == evaluate(first, task, 8)
    for name, value in first.state_dict().items():
        np.testing.assert_array_equal(loaded.model.state_dict()[name].numpy(), value.numpy())


@pytest.mark.slow
def test_every_command_takes_it(pockets, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ["--task", "adding", "--steps", "5", "--hidden", "3", "--batch", "2"]
    assert main(["cells", "--json"]) == 0
    listed = {cell["name"]: cell for cell in json.loads(capsys.readouterr().out)["cells"]}
    assert listed["pockets"] == {
        "name": "pockets", "summary": "keeps in two leaking pockets", "reference": "this test", "options": [],
        "states": ["s", "m"], "gates": ["k"], "equations": [],
    }  # fmt: skip
    assert main(["graph", "--cell", "pockets", "--train", "2", "--format", "dot,html", "--out", "g", *small]) == 0
    found = json.loads((tmp_path / "g" / "pockets.flow.json").read_text(encoding="utf-8"))
    assert set(found["states"]) == {"s", "m"}
    assert main(["train", "--cell", "pockets", "--updates", "2", "--out", "m.safetensors", *small]) == 0
    assert main(["train", "--resume", "--updates", "4", "--out", "m.safetensors"]) == 0
    assert main(["flow", "--model", "m.safetensors", "--out", "f"]) == 0
    assert (tmp_path / "f" / "flow.html").exists()
    assert main(["cells"]) == 0
    assert "pockets" in capsys.readouterr().out
