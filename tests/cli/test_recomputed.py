"""flow.json computed again from run.safetensors alone, by finite differences in plain NumPy and by PyTorch."""

import json

import numpy as np
import pytest
import safetensors.numpy

EPS = 1e-5


def read(folder, stem):
    return json.loads((folder / f"{stem}.flow.json").read_text()), safetensors.numpy.load_file(
        folder / f"{stem}.run.safetensors"
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(cell, x, h, c, w_ih, w_hh, b_ih, b_hh, nudge_c):
    """One step of a cell, by its equations; `nudge_c` is added to the new c before anything reads it."""
    a, r = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    if cell == "rnn":
        return np.tanh(a + r), c
    if cell == "lstm":
        i, f, g, o = np.split(a + r, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g) + nudge_c
        return sigmoid(o) * np.tanh(c), c
    (a_r, a_z, a_n), (r_r, r_z, r_n) = np.split(a, 3, axis=1), np.split(r, 3, axis=1)
    n, z = np.tanh(a_n + sigmoid(a_r + r_r) * r_n), sigmoid(a_z + r_z)
    return (1 - z) * n + z * h, c


NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def losses(flow, run, nudge=None, at=None, by=None):
    """The losses of all examples, with `by` added to h or c of step `at`, or to a weight in that step only."""
    h, c = run["h0"][0], run["c0"][0] if "c0" in run else None
    for t, x in enumerate(run["inputs"]):
        weights = [run[name] + (by if (nudge, at) == (name, t) else 0) for name in NAMES]
        h, c = step(flow["cell"], x, h, c, *weights, by if (nudge, at) == ("c", t) else 0)
        h = h + (by if (nudge, at) == ("h", t) else 0)
    output = h @ run["output.weight"].T + run["output.bias"]
    if flow["task"] == "adding":
        return (output[:, 0] - run["targets"]) ** 2
    return np.log(np.exp(output).sum(axis=1)) - output[np.arange(len(output)), run["targets"][-1]]


def derivative(flow, run, nudge, at, direction):
    up, down = (losses(flow, run, nudge, at, sign * EPS * direction) for sign in (1, -1))
    return (up - down) / (2 * EPS)


def state_sizes(flow, run, kind):
    """G_t by its definition: sqrt(mean_b ||dL_b/dk_t||^2)."""
    hidden = run["h0"].shape[-1]
    return [
        np.sqrt(sum(np.mean(derivative(flow, run, kind, t, unit) ** 2) for unit in np.eye(hidden)))
        for t in range(len(run["inputs"]))
    ]


@pytest.mark.parametrize("task", ["text", "adding"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_finite_differences_give_the_same_gradient_flow(graph, cell, task):
    folder = graph("--cell", cell, "--task", task, "--format", "dot", text=task == "text")
    for stem in (cell, f"{cell}.init"):
        flow, run = read(folder, stem)
        np.testing.assert_allclose(flow["loss"], losses(flow, run).mean(), rtol=1e-12)
        np.testing.assert_allclose(flow["hidden_grad"], state_sizes(flow, run, "h"), rtol=1e-5, atol=1e-10)
        if cell == "lstm":
            np.testing.assert_allclose(flow["cell_grad"], state_sizes(flow, run, "c"), rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_finite_differences_give_the_same_contributions_to_the_weights(graph, cell):
    flow, run = read(graph("--cell", cell, "--format", "dot", "--hidden", "3", "--steps", "4"), cell)
    for name in ("weight_hh_l0", "bias_ih_l0"):
        shape = run[name].shape
        units = np.eye(run[name].size).reshape(-1, *shape)
        steps = np.array(
            [[derivative(flow, run, name, t, unit).mean() for unit in units] for t in range(len(run["inputs"]))]
        )
        found = flow["weights"][name]
        np.testing.assert_allclose(found["per_step"], np.linalg.norm(steps, axis=1), rtol=1e-5, atol=1e-10)
        np.testing.assert_allclose(found["total"], np.linalg.norm(steps.sum(axis=0)), rtol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_pytorch_gives_the_same_gradient_flow(graph, cell, layers):
    torch = pytest.importorskip("torch")
    size = ("--steps", "15", "--hidden", "16", "--layers", str(layers), "--batch", "4")
    flow, run = read(graph("--cell", cell, "--format", "dot", *size), cell)
    run = {name: torch.tensor(value) for name, value in run.items()}
    whole = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](
        run["inputs"].shape[2], 16, layers, dtype=torch.float64
    )
    whole.load_state_dict({name: value for name, value in run.items() if "_l" in name})

    sequence, kinds = list(run["inputs"]), []
    for layer in range(layers):
        cells = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}
        one = cells[cell](sequence[0].shape[1], 16, dtype=torch.float64)
        suffix = f"_l{layer}"
        one.load_state_dict({n.removesuffix(suffix): v for n, v in whole.state_dict().items() if n.endswith(suffix)})
        state = (run["h0"][layer], run["c0"][layer]) if cell == "lstm" else run["h0"][layer]
        states = []
        for x in sequence:
            state = one(x, state)
            states.append(state if cell == "lstm" else (state,))
            for part in states[-1]:
                part.retain_grad()
        sequence = [parts[0] for parts in states]
        kinds.append(states)
    output = sequence[-1] @ run["output.weight"].T + run["output.bias"]
    torch.testing.assert_close(sequence[-1], whole(run["inputs"])[0][-1])
    loss = torch.nn.functional.cross_entropy(output, run["targets"][-1], reduction="none")
    loss.sum().backward()

    def sizes(layer, kind):
        return [np.sqrt((parts[kind].grad ** 2).sum(1).mean().item()) for parts in kinds[layer]]

    np.testing.assert_allclose(flow["loss"], loss.mean().item(), rtol=1e-12)
    np.testing.assert_allclose(flow["hidden_grad"], sizes(-1, 0), rtol=1e-9)
    for layer, found in enumerate(flow["layers"]):
        np.testing.assert_allclose(found["hidden_grad"], sizes(layer, 0), rtol=1e-9)
        if cell == "lstm":
            np.testing.assert_allclose(found["cell_grad"], sizes(layer, 1), rtol=1e-9)
