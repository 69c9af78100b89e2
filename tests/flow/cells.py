"""A small LSTM twice: on tensors, written by hand; and on plain arrays, where any value can be nudged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor

#: Changes a value of the plain run: (name, step, value) -> value.
Nudge = Callable[[str, int, np.ndarray], np.ndarray]

GATES = ("i", "f", "g", "o")


def parameters(inputs: int, hidden: int, blocks: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"W": (blocks * hidden, inputs), "U": (blocks * hidden, hidden), "b": (blocks * hidden,)}
    return {name: rng.normal(0, 0.8, shape) for name, shape in shapes.items()}


def tensors(values: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: tg.tensor(value, requires_grad=True).named(name) for name, value in values.items()}


def example(inputs: int = 2, hidden: int = 3, batch: int = 4, steps: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(steps, batch, inputs)), rng.normal(size=hidden)


# ---- on tensors -----------------------------------------------------------------------------------------------------


def rnn_losses(p: dict[str, Tensor], x: np.ndarray, readout: np.ndarray) -> Tensor:
    h = tg.zeros(x.shape[1], p["U"].shape[1], dtype="float64")
    for t in range(len(x)):
        with tg.scope("t", t):
            h = (tg.tensor(x[t]) @ p["W"].T + h @ p["U"].T + p["b"]).tanh().named("h")
    return (h * readout).sum(axis=1)


def lstm_losses(p: dict[str, Tensor], x: np.ndarray, readout: np.ndarray) -> Tensor:
    size = p["U"].shape[1]
    h = c = tg.zeros(x.shape[1], size, dtype="float64")
    for t in range(len(x)):
        with tg.scope("t", t):
            z = tg.tensor(x[t]) @ p["W"].T + h @ p["U"].T + p["b"]
            parts = [z[:, k * size : (k + 1) * size] for k in range(4)]
            i, f, g, o = [
                (part.tanh() if name == "g" else part.sigmoid()).named(name)
                for name, part in zip(GATES, parts, strict=True)
            ]
            c = (f * c + i * g).named("c")
            h = (o * c.tanh()).named("h")
    return (h * readout).sum(axis=1)


# ---- on arrays ------------------------------------------------------------------------------------------------------


def unchanged(name: str, step: int, value: np.ndarray) -> np.ndarray:
    return value


def plain_rnn(p: dict[str, np.ndarray], x: np.ndarray, readout: np.ndarray, nudge: Nudge = unchanged) -> np.ndarray:
    h = np.zeros((x.shape[1], p["U"].shape[1]))
    for t in range(len(x)):
        w, u, b = (nudge(name, t, p[name]) for name in ("W", "U", "b"))
        h = nudge("h", t, np.tanh(x[t] @ w.T + h @ u.T + b))
    return h @ readout


def plain_lstm(p: dict[str, np.ndarray], x: np.ndarray, readout: np.ndarray, nudge: Nudge = unchanged) -> np.ndarray:
    h = c = np.zeros((x.shape[1], p["U"].shape[1]))
    for t in range(len(x)):
        w, u, b = (nudge(name, t, p[name]) for name in ("W", "U", "b"))
        parts = np.split(x[t] @ w.T + h @ u.T + b, 4, axis=1)
        i, f, g, o = [
            nudge(name, t, np.tanh(part) if name == "g" else 1 / (1 + np.exp(-part)))
            for name, part in zip(GATES, parts, strict=True)
        ]
        c = nudge("c", t, f * c + i * g)
        h = nudge("h", t, o * np.tanh(c))
    return h @ readout


def derivative(run: Callable[[Nudge], np.ndarray], name: str, step: int | None, eps: float = 1e-6) -> np.ndarray:
    """Return d L_b / d value, shape (B, *value.shape), by central differences; step None nudges every step at once."""
    shapes: list[tuple[int, ...]] = []

    def record(which: str, t: int, value: np.ndarray) -> np.ndarray:
        if which == name and step in (None, t):
            shapes.append(value.shape)
        return value

    columns = []
    batch = len(run(record))
    for index in np.ndindex(shapes[0]):

        def moved(by: float, index: tuple[int, ...] = index) -> np.ndarray:
            def nudge(which: str, t: int, value: np.ndarray) -> np.ndarray:
                if which != name or step not in (None, t):
                    return value
                value = value.copy()
                value[index] += by
                return value

            return run(nudge)

        columns.append((moved(eps) - moved(-eps)) / (2 * eps))
    return np.stack(columns, axis=1).reshape(batch, *shapes[0])


def size(derivatives: np.ndarray) -> float:
    """sqrt(mean_b ||dL_b/dn||^2)."""
    return float(np.sqrt((derivatives**2).sum() / len(derivatives)))
