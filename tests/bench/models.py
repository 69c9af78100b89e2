"""The language models of the speed table, written once per engine.

One training step of every model: embedding, cell, linear layer, cross entropy at every time step, and the backward
pass. All engines start from the same weights and see the same tokens, so their losses must agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

CELLS = ("rnn", "lstm", "gru")
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
VOCABULARY = 65

#: One training step: forward and backward, returning the mean loss in nats per token.
Step = Callable[[], float]


@dataclass(frozen=True)
class Size:
    """The sizes of a model: hidden (and embedding) features, batch, time steps."""

    name: str
    hidden: int
    batch: int
    steps: int


SIZES = (Size("tiny", 100, 1, 25), Size("char", 128, 32, 50))


@dataclass(frozen=True)
class Data:
    """Weights in PyTorch's layout and tokens (T, B) with their successors (T, B)."""

    weights: dict[str, np.ndarray]
    tokens: np.ndarray
    targets: np.ndarray


def make_data(cell: str, size: Size) -> Data:
    """Return the data every engine gets for a cell and a size."""
    rng = np.random.default_rng(0)
    rows, hidden, bound = GATES[cell] * size.hidden, size.hidden, 1 / math.sqrt(size.hidden)
    shapes = {
        "embedding": (VOCABULARY, hidden), "weight_ih": (rows, hidden), "weight_hh": (rows, hidden), "bias_ih": (rows,),
        "bias_hh": (rows,), "weight_out": (VOCABULARY, hidden), "bias_out": (VOCABULARY,),
    }  # fmt: skip
    weights = {name: rng.uniform(-bound, bound, shape).astype("float32") for name, shape in shapes.items()}
    tokens, targets = rng.integers(0, VOCABULARY, (2, size.steps, size.batch))
    return Data(weights, tokens, targets)


def tinygrad_rnn_step(cell: str, size: Size, data: Data, device: str = "cpu") -> Step:
    """The model as a user of this library writes it: modules, whole sequences."""
    import tinygrad_rnn as tg
    from tinygrad_rnn import functional, nn

    embedding = nn.Embedding(VOCABULARY, size.hidden)
    recurrent = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](size.hidden, size.hidden)
    head = nn.Linear(size.hidden, VOCABULARY)
    w = data.weights
    embedding.load_state_dict({"weight": w["embedding"]})
    recurrent.load_state_dict({f"{name}_l0": w[name] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")})
    head.load_state_dict({"weight": w["weight_out"], "bias": w["bias_out"]})
    for module in (embedding, recurrent, head):
        module.to(device)
    tokens, targets = tg.tensor(data.tokens, device=device), tg.tensor(data.targets, device=device)

    def step() -> float:
        for module in (embedding, recurrent, head):
            module.zero_grad()
        output, _ = recurrent(embedding(tokens))
        logits = head(output)
        loss = functional.cross_entropy(logits.reshape(-1, VOCABULARY), targets.reshape(-1))
        loss.backward()
        return loss.item()

    return step


def _torch_cell(cell: str, projected: Any, h: Any, c: Any, w: dict[str, Any]) -> tuple[Any, Any]:
    """One step from the projected input, in PyTorch's primitive ops."""
    recurrent = h @ w["weight_hh"].T + w["bias_hh"]
    if cell == "rnn":
        return (projected + recurrent).tanh(), c
    if cell == "lstm":
        i, f, g, o = (projected + recurrent).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
    x_r, x_z, x_n = projected.chunk(3, -1)
    h_r, h_z, h_n = recurrent.chunk(3, -1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return (1 - z) * n + z * h, c


def _torch_weights(data: Data, device: str) -> tuple[dict[str, Any], Any, Any]:
    import torch

    w = {name: torch.tensor(value, device=device, requires_grad=True) for name, value in data.weights.items()}
    return w, torch.tensor(data.tokens, device=device), torch.tensor(data.targets, device=device)


def torch_by_step(cell: str, size: Size, data: Data, device: str = "cpu") -> Step:
    """PyTorch eager, primitive ops, everything inside the loop over time: how the cell is usually written by hand."""
    import torch

    w, tokens, targets = _torch_weights(data, device)

    def step() -> float:
        for parameter in w.values():
            parameter.grad = None
        h = c = torch.zeros(size.batch, size.hidden, device=device)
        losses = []
        for t in range(size.steps):
            x = w["embedding"][tokens[t]]
            h, c = _torch_cell(cell, x @ w["weight_ih"].T + w["bias_ih"], h, c, w)
            logits = h @ w["weight_out"].T + w["bias_out"]
            losses.append(torch.nn.functional.cross_entropy(logits, targets[t]))
        loss = torch.stack(losses).mean()
        loss.backward()
        return loss.item()

    return step


def torch_hoisted(cell: str, size: Size, data: Data, device: str = "cpu") -> Step:
    """PyTorch eager, primitive ops, with all that can be taken out of the loop over time taken out."""
    import torch

    w, tokens, targets = _torch_weights(data, device)

    def step() -> float:
        for parameter in w.values():
            parameter.grad = None
        h = c = torch.zeros(size.batch, size.hidden, device=device)
        outputs = []
        for projected in (w["embedding"][tokens] @ w["weight_ih"].T + w["bias_ih"]).unbind(0):
            h, c = _torch_cell(cell, projected, h, c, w)
            outputs.append(h)
        logits = torch.stack(outputs) @ w["weight_out"].T + w["bias_out"]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), targets.reshape(-1))
        loss.backward()
        return loss.item()

    return step


def torch_modules(cell: str, size: Size, data: Data, device: str = "cpu") -> Step:
    """PyTorch's own nn.RNN, nn.LSTM, nn.GRU, whose loops over time are written in C++: what eager code cannot reach."""
    import torch

    w, tokens, targets = _torch_weights(data, device)
    recurrent = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](size.hidden, size.hidden)
    recurrent.load_state_dict(
        {f"{name}_l0": w[name].detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    )
    recurrent.to(device)

    def step() -> float:
        recurrent.zero_grad()
        for parameter in w.values():
            parameter.grad = None
        output, _ = recurrent(w["embedding"][tokens])
        logits = output @ w["weight_out"].T + w["bias_out"]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), targets.reshape(-1))
        loss.backward()
        return loss.item()

    return step


def autograd_hoisted(cell: str, size: Size, data: Data) -> Step:
    """HIPS autograd, with the same work taken out of the loop."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    rows = np.arange(size.steps * size.batch)
    targets = data.targets.reshape(-1)

    def sigmoid(x: Any) -> Any:
        return 0.5 * (anp.tanh(0.5 * x) + 1)

    def loss(w: dict[str, Any]) -> Any:
        h = c = np.zeros((size.batch, size.hidden), "float32")
        projected = anp.dot(w["embedding"][data.tokens], w["weight_ih"].T) + w["bias_ih"]
        outputs, n = [], size.hidden
        for t in range(size.steps):
            x, r = projected[t], anp.dot(h, w["weight_hh"].T) + w["bias_hh"]
            if cell == "rnn":
                h = anp.tanh(x + r)
            elif cell == "lstm":
                a = x + r
                i, f, g, o = a[:, :n], a[:, n : 2 * n], a[:, 2 * n : 3 * n], a[:, 3 * n :]
                c = sigmoid(f) * c + sigmoid(i) * anp.tanh(g)
                h = sigmoid(o) * anp.tanh(c)
            else:
                reset, z = sigmoid(x[:, :n] + r[:, :n]), sigmoid(x[:, n : 2 * n] + r[:, n : 2 * n])
                candidate = anp.tanh(x[:, 2 * n :] + reset * r[:, 2 * n :])
                h = (1 - z) * candidate + z * h
            outputs.append(h)
        logits = anp.dot(anp.reshape(anp.stack(outputs), (-1, n)), w["weight_out"].T) + w["bias_out"]
        shifted = logits - anp.max(logits, axis=1, keepdims=True)
        picked = (shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True)))[rows, targets]
        return -anp.mean(picked)

    differentiate = value_and_grad(loss)

    def step() -> float:
        value, _ = differentiate(data.weights)
        return float(value)

    return step
