"""Random operators RNN, GRU and LSTM of ONNX, and what they compute by the equations of ONNX's text, in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

Arrays = dict[str, np.ndarray]

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
#: How many functions an operator has in one direction.
FUNCTIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}

#: The function, and whether it takes an alpha and a beta.
ACTIVATIONS: dict[str, tuple[Callable[..., Any], bool, bool]] = {
    "Relu": (lambda x: np.maximum(x, 0), False, False),
    "Tanh": (np.tanh, False, False),
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), False, False),
    "Affine": (lambda x, alpha, beta: alpha * x + beta, True, True),
    "LeakyRelu": (lambda x, alpha: np.where(x >= 0, x, alpha * x), True, False),
    "ThresholdedRelu": (lambda x, alpha: np.where(x >= alpha, x, 0), True, False),
    "ScaledTanh": (lambda x, alpha, beta: alpha * np.tanh(beta * x), True, True),
    "HardSigmoid": (lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1), True, True),
    "Elu": (lambda x, alpha: np.where(x >= 0, x, alpha * (np.exp(x) - 1)), True, False),
    "Softsign": (lambda x: x / (1 + np.abs(x)), False, False),
    "Softplus": (lambda x: np.log(1 + np.exp(x)), False, False),
}


@dataclass
class Case:
    """An operator: its inputs by ONNX's names (X, W, R, B, sequence_lens, initial_h, initial_c, P), and attributes."""

    op_type: str
    inputs: Arrays
    attributes: dict[str, Any]

    def module(self) -> nn.OnnxRecurrent:
        """Return the operator as a module."""
        weights = {name: self.inputs[name] for name in ("W", "R", "B", "P") if name in self.inputs}
        return nn.from_onnx(self.op_type, **weights, **self.attributes)

    def run(self, module: nn.Module) -> list[np.ndarray]:
        """Return what a module makes of the other inputs: Y, Y_h and Y_c."""
        given = {name: tg.tensor(self.inputs[name]) for name in ("initial_h", "initial_c") if name in self.inputs}
        lengths = self.inputs.get("sequence_lens")
        with tg.no_grad():
            return [y.numpy() for y in module(tg.tensor(self.inputs["X"]), **given, sequence_lens=lengths)]


def random_case(rng: np.random.Generator, dtype: str = "float32", **chosen: Any) -> Case:
    """Return a random operator; everything about it is drawn, but what is chosen."""

    def some(name: str, share: float) -> bool:
        return bool(chosen.get(name, rng.random() < share))

    def drawn(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) * scale).astype(dtype)

    op_type = chosen.get("op_type") or str(rng.choice(list(GATES)))
    direction = chosen.get("direction") or str(rng.choice(["forward", "reverse", "bidirectional"]))
    activations = some("activations", 0.5)
    scale = 0.25 if activations else 0.5  # most activations have no bound, and what explodes has no digits in common
    D, G = 2 if direction == "bidirectional" else 1, GATES[op_type]
    T, B, I, H = (int(rng.integers(1, most)) for most in (9, 5, 7, 9))  # noqa: E741
    inputs = {"X": drawn(T, B, I) * 3, "W": drawn(D, G * H, I), "R": drawn(D, G * H, H)}
    attributes: dict[str, Any] = {"hidden_size": H, "direction": direction}
    if some("B", 0.7):
        inputs["B"] = drawn(D, 2 * G * H)
    if some("initial_h", 0.5):
        inputs["initial_h"] = drawn(D, B, H)
    if op_type == "LSTM":
        attributes["input_forget"] = int(some("input_forget", 0.3))
        if some("initial_c", 0.5):
            inputs["initial_c"] = drawn(D, B, H)
        if some("P", 0.5):
            inputs["P"] = drawn(D, 3 * H)
    if some("sequence_lens", 0.5):
        # What a state is after no step ONNX does not say: only where it is 0 before.
        least = 0 if {"initial_h", "initial_c"}.isdisjoint(inputs) else 1
        inputs["sequence_lens"] = rng.integers(least, T + 1, size=B).astype("int32")
    if op_type == "GRU":
        attributes["linear_before_reset"] = int(some("linear_before_reset", 0.5))
    if some("clip", 0.4):
        attributes["clip"] = _single(rng.uniform(0.3, 2))
    if activations:
        names = [str(name) for name in rng.choice(list(ACTIVATIONS), size=FUNCTIONS[op_type] * D)]
        attributes["activations"] = names
        for k, which in ((1, "activation_alpha"), (2, "activation_beta")):
            if values := [_single(rng.uniform(0.2, 0.9)) for name in names if ACTIVATIONS[name][k]]:
                attributes[which] = values
    return Case(op_type, inputs, attributes)


def _single(value: float) -> float:
    """Return the nearest float32: ONNX's attributes hold no others."""
    return float(np.float32(value))


def by_the_equations(case: Case) -> list[np.ndarray]:
    """Return Y, Y_h and, for the LSTM, Y_c: one example after the other, one step after the other."""
    X = case.inputs["X"]
    lengths = case.inputs.get("sequence_lens", np.full(X.shape[1], len(X)))
    directions = {"forward": [1], "reverse": [-1], "bidirectional": [1, -1]}[case.attributes["direction"]]
    H, states = case.attributes["hidden_size"], 2 if case.op_type == "LSTM" else 1
    Y = np.zeros((len(X), len(directions), X.shape[1], H))
    last = np.zeros((states, len(directions), X.shape[1], H))
    for d, (order, functions) in enumerate(zip(directions, _functions(case, len(directions)), strict=True)):
        weights = {name: case.inputs[name][d] for name in ("W", "R", "B", "P") if name in case.inputs}
        for b, length in enumerate(lengths):
            state = [case.inputs[name][d, b] if name in case.inputs else np.zeros(H)
                     for name in ("initial_h", "initial_c")[:states]]  # fmt: skip
            for t in range(length)[::order]:
                state = STEPS[case.op_type](X[t, b], *state, weights, functions, case.attributes)
                Y[t, d, b] = state[0]
            last[:, d, b] = state
    return [Y, *last]


def _functions(case: Case, directions: int) -> list[list[Callable[[Any], Any]]]:
    """Return f, g and h of each direction, f and g with the bound on what they see."""
    usual = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[case.op_type]
    names = case.attributes.get("activations", usual * directions)
    alphas, betas = (iter(case.attributes.get(f"activation_{which}", ())) for which in ("alpha", "beta"))
    clip = case.attributes.get("clip", np.inf)
    found = []
    for k, name in enumerate(names):
        function, takes_alpha, takes_beta = ACTIVATIONS[name]
        extra = [next(values) for values, takes in ((alphas, takes_alpha), (betas, takes_beta)) if takes]
        bound = np.inf if k % len(usual) == 2 else clip
        found.append(lambda x, f=function, extra=extra, bound=bound: f(np.clip(x, -bound, bound), *extra))
    return [found[: len(usual)], found[len(usual) :]][:directions]


def _rnn(x: Any, h: Any, w: Arrays, functions: Any, attributes: Any) -> list[Any]:
    (f,) = functions
    Wb, Rb = np.split(w["B"], 2) if "B" in w else (0, 0)
    return [f(w["W"] @ x + w["R"] @ h + Wb + Rb)]


def _gru(x: Any, h: Any, w: Arrays, functions: Any, attributes: Any) -> list[Any]:
    f, g = functions
    (Wz, Wr, Wh), (Rz, Rr, Rh) = np.split(w["W"], 3), np.split(w["R"], 3)
    Wbz, Wbr, Wbh, Rbz, Rbr, Rbh = np.split(w["B"], 6) if "B" in w else [0] * 6
    z = f(Wz @ x + Rz @ h + Wbz + Rbz)
    r = f(Wr @ x + Rr @ h + Wbr + Rbr)
    if attributes.get("linear_before_reset"):
        n = g(Wh @ x + r * (Rh @ h + Rbh) + Wbh)
    else:
        n = g(Wh @ x + Rh @ (r * h) + Rbh + Wbh)
    return [(1 - z) * n + z * h]


def _lstm(x: Any, h: Any, c: Any, w: Arrays, functions: Any, attributes: Any) -> list[Any]:
    f_, g_, h_ = functions
    (Wi, Wo, Wf, Wc), (Ri, Ro, Rf, Rc) = np.split(w["W"], 4), np.split(w["R"], 4)
    Wbi, Wbo, Wbf, Wbc, Rbi, Rbo, Rbf, Rbc = np.split(w["B"], 8) if "B" in w else [0] * 8
    Pi, Po, Pf = np.split(w["P"], 3) if "P" in w else [0] * 3
    i = f_(Wi @ x + Ri @ h + Pi * c + Wbi + Rbi)
    f = 1 - i if attributes.get("input_forget") else f_(Wf @ x + Rf @ h + Pf * c + Wbf + Rbf)
    c = f * c + i * g_(Wc @ x + Rc @ h + Wbc + Rbc)
    o = f_(Wo @ x + Ro @ h + Po * c + Wbo + Rbo)
    return [o * h_(c), c]


STEPS: dict[str, Callable[..., list[Any]]] = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}
