"""The cells as their papers write them, one matrix for each letter, in plain NumPy, with nothing of this library.

`weights` takes a cell's parameters apart into W[g] (H, I), R[g] (H, H) and b[g] (H,) for every letter g. Forward steps
are functions (weights, x, state) -> state. `*_backward` are derived by hand and go through a whole sequence: from the
weights, xs (T, B, I), the start, and errors (T, B, H), what the loss says about every h_t directly, they return all h_t
and the gradients of the parameters by name, of xs, and of the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


@dataclass
class Weights:
    """Input weights W, recurrent weights R and their biases by letter; what else there is by name."""

    W: dict[str, Array]
    R: dict[str, Array]
    Wb: dict[str, Array]
    Rb: dict[str, Array]
    more: dict[str, Array] = field(default_factory=dict)

    @property
    def b(self) -> dict[str, Array]:
        """The sums of both biases."""
        return {letter: self.Wb[letter] + self.Rb[letter] for letter in self.Wb}


def weights(letters: str, parameters: dict[str, Array]) -> Weights:
    """Take the parameters of a cell apart."""
    usual = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    by_letter = [dict(zip(letters, np.split(parameters[name], len(letters)), strict=True)) for name in usual]
    return Weights(*by_letter, {name: value for name, value in parameters.items() if name not in usual})


def joined(letters: str, found: dict[str, dict[str, Array]]) -> dict[str, Array]:
    """Put gradients by letter together again, as the parameters of a cell."""
    W, R, b = (np.concatenate([found[kind][letter] for letter in letters]) for kind in "WRb")
    return {"weight_ih": W, "weight_hh": R, "bias_ih": b, "bias_hh": b}


# ---- LSTMs: Greff et al. 2015, with its letters z (block input) and y (block output) called g and h ------------------


def lstm(w: Weights, x: Array, state: tuple[Array, ...], variant: str = "V") -> tuple[Array, ...]:
    """Take a step of the vanilla LSTM V, or of a variant with one line changed."""
    h, c, *last = state
    p = {gate: w.more.get(f"peephole_{gate}", 0.0) for gate in "ifo"}

    def net(gate: str) -> Array:
        a = x @ w.W[gate].T + h @ w.R[gate].T + w.b[gate]
        if variant == "FGR" and gate != "g":
            rows = np.split(w.more["weight_rr"], 3)["ifo".index(gate)]
            for seen, R in zip(np.split(last[0], 3, axis=-1), np.split(rows, 3, axis=1), strict=True):
                a = a + seen @ R.T
        return a

    g = net("g") if variant == "NIAF" else np.tanh(net("g"))
    i = np.ones_like(c) if variant == "NIG" else sigmoid(net("i") + p["i"] * c)
    if variant == "NFG":
        f = np.ones_like(c)
    elif variant == "CIFG":
        f = 1 - i
    else:
        f = sigmoid(net("f") + p["f"] * c)
    new = g * i + c * f
    o = np.ones_like(c) if variant == "NOG" else sigmoid(net("o") + p["o"] * new)
    h = (new if variant == "NOAF" else np.tanh(new)) * o
    return (h, new, np.concatenate([i, f, o], axis=-1)) if variant == "FGR" else (h, new)


def full_peepholes(w: Weights, x: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
    """Take a step of the LSTM whose gates all see the old cell state through matrices U."""
    h, c = state
    U = dict(zip("ifo", np.split(w.more["weight_ch"], 3), strict=True))
    f = sigmoid(x @ w.W["f"].T + h @ w.R["f"].T + c @ U["f"].T + w.b["f"])
    i = sigmoid(x @ w.W["i"].T + h @ w.R["i"].T + c @ U["i"].T + w.b["i"])
    o = sigmoid(x @ w.W["o"].T + h @ w.R["o"].T + c @ U["o"].T + w.b["o"])
    candidate = np.tanh(x @ w.W["g"].T + h @ w.R["g"].T + w.b["g"])
    new = f * c + i * candidate
    return o * np.tanh(new), new


Gradients = tuple[Array, dict[str, Array], Array, tuple[Array, ...]]


def graves_backward(w: Weights, xs: Array, start: tuple[Array, ...], errors: Array) -> Gradients:
    """Go through the LSTM with peepholes and back, by the equations of Graves' book (2012, section 4.6)."""
    p = {gate: w.more[f"peephole_{gate}"] for gate in "ifo"}
    T = len(xs)
    s, b_c = {-1: start[1]}, {-1: start[0]}
    a: list[dict[str, Array]] = []
    for t in range(T):
        at = {g: xs[t] @ w.W[g].T + b_c[t - 1] @ w.R[g].T + w.b[g] for g in "ifgo"}
        at["i"] = at["i"] + p["i"] * s[t - 1]
        at["f"] = at["f"] + p["f"] * s[t - 1]
        s[t] = sigmoid(at["f"]) * s[t - 1] + sigmoid(at["i"]) * np.tanh(at["g"])
        at["o"] = at["o"] + p["o"] * s[t]
        b_c[t] = sigmoid(at["o"]) * np.tanh(s[t])
        a.append(at)

    def slope(v: Array) -> Array:
        return sigmoid(v) * (1 - sigmoid(v))

    zero = np.zeros_like(start[1])
    delta = dict.fromkeys("ifgo", zero)  # of the step after
    eps_s, forget = zero, zero
    grads = {kind: dict.fromkeys("ifgo", 0.0) for kind in "WRb"}
    peepholes = dict.fromkeys("ifo", 0.0)
    d_xs = np.zeros_like(xs)
    for t in reversed(range(T)):
        eps_c = errors[t] + sum(delta[g] @ w.R[g] for g in "ifgo")
        now = {"o": slope(a[t]["o"]) * np.tanh(s[t]) * eps_c}
        eps_s = (
            sigmoid(a[t]["o"]) * (1 - np.tanh(s[t]) ** 2) * eps_c
            + forget * eps_s
            + p["i"] * delta["i"]
            + p["f"] * delta["f"]
            + p["o"] * now["o"]
        )
        now["g"] = sigmoid(a[t]["i"]) * (1 - np.tanh(a[t]["g"]) ** 2) * eps_s
        now["f"] = slope(a[t]["f"]) * s[t - 1] * eps_s
        now["i"] = slope(a[t]["i"]) * np.tanh(a[t]["g"]) * eps_s
        for g in "ifgo":
            grads["W"][g] = grads["W"][g] + now[g].T @ xs[t]
            grads["R"][g] = grads["R"][g] + now[g].T @ b_c[t - 1]
            grads["b"][g] = grads["b"][g] + now[g].sum(axis=0)
        for gate, seen in (("i", s[t - 1]), ("f", s[t - 1]), ("o", s[t])):
            peepholes[gate] = peepholes[gate] + (now[gate] * seen).sum(axis=0)
        d_xs[t] = sum(now[g] @ w.W[g] for g in "ifgo")
        delta, forget = now, sigmoid(a[t]["f"])
    d_h = sum(delta[g] @ w.R[g] for g in "ifgo")
    d_c = forget * eps_s + p["i"] * delta["i"] + p["f"] * delta["f"]
    found = joined("ifgo", grads) | {f"peephole_{gate}": value for gate, value in peepholes.items()}
    return np.stack([b_c[t] for t in range(T)]), found, d_xs, (d_h, d_c)


def grid_lstm(w: Weights, x: Array, state: tuple[Array, ...], priority: str = "depth") -> tuple[Array, ...]:
    """Take a step of the 2-D Grid LSTM (Kalchbrenner et al. 2015, equations 1 to 4); depth has capital letters."""
    _, h_time, m_time = state
    if "weight_in" in w.more:
        x = x @ w.more["weight_in"].T + w.more["bias_in"]
    h_depth, m_depth = np.split(x, 2, axis=-1)

    def transform(H: Array, m: Array, letters: str) -> tuple[Array, Array]:
        net = [H @ np.concatenate([w.R[k], w.W[k]], axis=1).T + w.b[k] for k in letters]
        g_u, g_f, g_c, g_o = sigmoid(net[0]), sigmoid(net[1]), np.tanh(net[2]), sigmoid(net[3])
        m = g_f * m + g_u * g_c
        return np.tanh(g_o * m), m

    new, m_time = transform(np.concatenate([h_time, h_depth], axis=-1), m_time, "ifgo")
    seen = new if priority == "depth" else h_time
    depth = transform(np.concatenate([seen, h_depth], axis=-1), m_depth, "IFGO")
    return np.concatenate(depth, axis=-1), new, m_time


def layer_norm_lstm(w: Weights, x: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
    """Take a step of the LSTM with layer normalisation (Ba et al. 2016, supplement)."""
    h, c = state

    def LN(a: Array, alpha: Array) -> Array:
        mu = a.mean(axis=-1, keepdims=True)
        sigma = np.sqrt(((a - mu) ** 2).mean(axis=-1, keepdims=True) + 1e-5)
        return (a - mu) / sigma * alpha

    from_h = np.concatenate([h @ w.R[gate].T for gate in "ifgo"], axis=-1)
    from_x = np.concatenate([x @ w.W[gate].T for gate in "ifgo"], axis=-1)
    b = np.concatenate([w.b[gate] for gate in "ifgo"])
    i, f, g, o = np.split(LN(from_h, w.more["gain_hh"]) + LN(from_x, w.more["gain_ih"]) + b, 4, axis=-1)
    new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(LN(new, w.more["gain_c"]) + w.more["bias_c"]), new


# ---- GRUs ----------------------------------------------------------------------------------------------------------


def gru_backward(
    w: Weights, xs: Array, start: tuple[Array, ...], errors: Array, reset: str = "after", update: str = "keep"
) -> Gradients:
    """Go through a GRU and back, for both places of the reset gate and both meanings of the update gate."""
    hs, steps = [start[0]], []
    for x in xs:
        h = hs[-1]
        r = sigmoid(x @ w.W["r"].T + h @ w.R["r"].T + w.b["r"])
        z = sigmoid(x @ w.W["z"].T + h @ w.R["z"].T + w.b["z"])
        product = h @ w.R["n"].T + w.Rb["n"]
        if reset == "after":
            n = np.tanh(x @ w.W["n"].T + w.Wb["n"] + r * product)
        else:
            n = np.tanh(x @ w.W["n"].T + w.b["n"] + (r * h) @ w.R["n"].T)
        keep = z if update == "keep" else 1 - z
        hs.append(keep * h + (1 - keep) * n)
        steps.append((h, r, z, n, keep, product))
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    grads = {name: dict.fromkeys("rzn", 0.0) for name in names}
    d_xs, d_h = np.zeros_like(xs), np.zeros_like(start[0])
    for t in reversed(range(len(xs))):
        h, r, z, n, keep, product = steps[t]
        e = errors[t] + d_h
        delta = {"n": e * (1 - keep) * (1 - n**2)}
        delta["z"] = e * (h - n) * z * (1 - z) * (1 if update == "keep" else -1)
        if reset == "after":
            delta["r"] = delta["n"] * product * r * (1 - r)
            at_product, seen = delta["n"] * r, h
            through = at_product @ w.R["n"]
        else:
            at_product, seen = delta["n"], r * h
            delta["r"] = delta["n"] @ w.R["n"] * h * r * (1 - r)
            through = at_product @ w.R["n"] * r
        d_h = e * keep + through + delta["r"] @ w.R["r"] + delta["z"] @ w.R["z"]
        d_xs[t] = sum(delta[gate] @ w.W[gate] for gate in "rzn")
        for gate in "rzn":
            error, source = (at_product, seen) if gate == "n" else (delta[gate], h)
            grads["weight_ih"][gate] = grads["weight_ih"][gate] + delta[gate].T @ xs[t]
            grads["weight_hh"][gate] = grads["weight_hh"][gate] + error.T @ source
            grads["bias_ih"][gate] = grads["bias_ih"][gate] + delta[gate].sum(axis=0)
            grads["bias_hh"][gate] = grads["bias_hh"][gate] + error.sum(axis=0)
    return np.stack(hs[1:]), {k: np.concatenate([v[g] for g in "rzn"]) for k, v in grads.items()}, d_xs, (d_h,)


def mgu_backward(w: Weights, xs: Array, start: tuple[Array, ...], errors: Array) -> Gradients:
    """Go through the minimal gated unit of Zhou et al. 2016 and back."""
    hs, steps = [start[0]], []
    for x in xs:
        h = hs[-1]
        f = sigmoid(x @ w.W["f"].T + h @ w.R["f"].T + w.b["f"])
        n = np.tanh(x @ w.W["n"].T + (f * h) @ w.R["n"].T + w.b["n"])
        hs.append((1 - f) * h + f * n)
        steps.append((h, f, n))
    grads = {kind: dict.fromkeys("fn", 0.0) for kind in "WRb"}
    d_xs, d_h = np.zeros_like(xs), np.zeros_like(start[0])
    for t in reversed(range(len(xs))):
        h, f, n = steps[t]
        e = errors[t] + d_h
        at_n = e * f * (1 - n**2)
        at_seen = at_n @ w.R["n"]  # dL / d(f * h)
        at_f = (e * (n - h) + at_seen * h) * f * (1 - f)
        d_h = e * (1 - f) + at_seen * f + at_f @ w.R["f"]
        d_xs[t] = at_f @ w.W["f"] + at_n @ w.W["n"]
        for gate, error, seen in (("f", at_f, h), ("n", at_n, f * h)):
            grads["W"][gate] = grads["W"][gate] + error.T @ xs[t]
            grads["R"][gate] = grads["R"][gate] + error.T @ seen
            grads["b"][gate] = grads["b"][gate] + error.sum(axis=0)
    return np.stack(hs[1:]), joined("fn", grads), d_xs, (d_h,)


# ---- LSTM-1997: J blocks of S cells, u = [y^c, y^in, y^out] of the last step ----------------------------------------


def lstm97_weights(parameters: dict[str, Array], blocks: int, cells: int) -> Weights:
    """Take the parameters apart: rows for the input gates (J), the cells (J*S), and the output gates (J), if any."""
    at = [blocks, blocks + cells]

    def apart(value: Array) -> dict[str, Array]:
        return dict(zip("igo", np.split(value, at), strict=True))

    return Weights(*(apart(parameters[name]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))


def g_of(a: Array) -> Array:
    return 4 * sigmoid(a) - 2


def h_of(a: Array) -> Array:
    return 2 * sigmoid(a) - 1


def _lstm97_forward(w: Weights, xs: Array, start: tuple[Array, ...], block_size: int) -> tuple[list, list]:
    y, s, gates = start
    us, steps = [np.concatenate([y, gates], axis=-1)], []
    for x in xs:
        a = {gate: x @ w.W[gate].T + us[-1] @ w.R[gate].T + w.b[gate] for gate in "igo"}
        i, o = sigmoid(a["i"]), sigmoid(a["o"])
        s = s + np.repeat(i, block_size, axis=-1) * g_of(a["g"])
        y = np.repeat(o, block_size, axis=-1) * h_of(s)
        us.append(np.concatenate([y, i, o], axis=-1))
        steps.append((a, i, o, s))
    return us, steps


def _in_blocks(cells: Array, block_size: int) -> Array:
    return cells.reshape(*cells.shape[:-1], -1, block_size).sum(axis=-1)


def lstm97_backward(w: Weights, xs: Array, start: tuple[Array, ...], errors: Array, block_size: int) -> Gradients:
    """Go through the LSTM of 1997 and back, with all errors: full backpropagation through time."""
    H = start[0].shape[-1]
    us, steps = _lstm97_forward(w, xs, start, block_size)
    grads = {kind: dict.fromkeys("igo", 0.0) for kind in "WRb"}
    d_xs, d_u, e_s = np.zeros_like(xs), np.zeros_like(us[0]), np.zeros_like(start[1])
    for t in reversed(range(len(xs))):
        a, i, o, s = steps[t]
        J = i.shape[-1]
        e_y = errors[t] + d_u[:, :H]
        sigma_g, sigma_s = sigmoid(a["g"]), sigmoid(s)
        e_s = e_s + e_y * np.repeat(o, block_size, axis=-1) * 2 * sigma_s * (1 - sigma_s)
        delta = {
            "i": (_in_blocks(e_s * g_of(a["g"]), block_size) + d_u[:, H : H + J]) * i * (1 - i),
            "g": e_s * np.repeat(i, block_size, axis=-1) * 4 * sigma_g * (1 - sigma_g),
            "o": (_in_blocks(e_y * h_of(s), block_size) + d_u[:, H + J :]) * o * (1 - o),
        }
        d_u = sum(delta[gate] @ w.R[gate] for gate in "igo")
        d_xs[t] = sum(delta[gate] @ w.W[gate] for gate in "igo")
        for gate in "igo":
            grads["W"][gate] = grads["W"][gate] + delta[gate].T @ xs[t]
            grads["R"][gate] = grads["R"][gate] + delta[gate].T @ us[t]
            grads["b"][gate] = grads["b"][gate] + delta[gate].sum(axis=0)
    outputs = np.stack([u[:, :H] for u in us[1:]])
    return outputs, joined("igo", grads), d_xs, (d_u[:, :H], e_s, d_u[:, H:])


def lstm97_forward_in_time(
    w: Weights, xs: Array, start: tuple[Array, ...], errors: Array, block_size: int
) -> tuple[Array, dict[str, Array]]:
    """Return outputs and truncated gradients as the paper computes them, forward in time (its appendix).

    Only ds/dw_in and ds/dw_c are carried along, for every cell; the output gates' weights have no memory at all.
    """
    H = start[0].shape[-1]
    us, steps = _lstm97_forward(w, xs, start, block_size)
    grads = dict.fromkeys("igo", 0.0)
    B, J = steps[0][1].shape
    sources = xs.shape[-1] + us[0].shape[-1] + 1  # x, u, and 1 for the bias
    ds_in, ds_c = np.zeros((B, H, sources)), np.zeros((B, H, sources))  # a cell by its own gate's weights, and its own
    for t, (a, i, o, s) in enumerate(steps):
        z = np.concatenate([xs[t], us[t], np.ones((B, 1))], axis=-1)[:, None, :]
        slope_i, sigma_g, sigma_s = i * (1 - i), sigmoid(a["g"]), sigmoid(s)
        ds_in = ds_in + (np.repeat(slope_i, block_size, axis=-1) * g_of(a["g"]))[..., None] * z
        ds_c = ds_c + (np.repeat(i, block_size, axis=-1) * 4 * sigma_g * (1 - sigma_g))[..., None] * z
        e_s = (np.repeat(o, block_size, axis=-1) * 2 * sigma_s * (1 - sigma_s) * errors[t])[..., None]
        grads["g"] = grads["g"] + (e_s * ds_c).sum(axis=0)
        grads["i"] = grads["i"] + (e_s * ds_in).reshape(B, J, block_size, sources).sum(axis=(0, 2))
        delta_o = o * (1 - o) * _in_blocks(h_of(s) * errors[t], block_size)
        grads["o"] = grads["o"] + (delta_o[..., None] * z).sum(axis=0)
    by_source = np.concatenate([grads[gate] for gate in "igo"])
    W, R, b = np.split(by_source, [xs.shape[-1], sources - 1], axis=1)
    found = {"weight_ih": W, "weight_hh": R, "bias_ih": b[:, 0], "bias_hh": b[:, 0]}
    return np.stack([u[:, :H] for u in us[1:]]), found


def lstm97_without_output_gate(w: Weights, x: Array, state: tuple[Array, ...], block_size: int) -> tuple[Array, ...]:
    """Take a step of the net of experiment 2a: no output gate, g the logistic function, h the identity."""
    s, y_in = state
    u = np.concatenate([s, y_in], axis=-1)
    y_in = sigmoid(x @ w.W["i"].T + u @ w.R["i"].T + w.b["i"])
    g = sigmoid(x @ w.W["g"].T + u @ w.R["g"].T + w.b["g"])
    return s + np.repeat(y_in, block_size, axis=-1) * g, y_in


# ---- the simple recurrent network ----------------------------------------------------------------------------------

PHI = {
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "relu": (lambda a: np.maximum(a, 0), lambda h: 1.0 * (h > 0)),
    "sigmoid": (sigmoid, lambda h: h * (1 - h)),
    "identity": (lambda a: a, np.ones_like),
}


def elman_backward(w: Weights, xs: Array, start: tuple[Array, ...], errors: Array, phi: str = "tanh") -> Gradients:
    """Go through the simple recurrent network and back: delta_{t-1} = (delta_t * phi') W_hh."""
    phi_of, slope = PHI[phi]
    hs = [start[0]]
    for x in xs:
        hs.append(phi_of(x @ w.W["h"].T + hs[-1] @ w.R["h"].T + w.b["h"]))
    grads = {kind: {"h": 0.0} for kind in "WRb"}
    d_xs, d_h = np.zeros_like(xs), np.zeros_like(start[0])
    for t in reversed(range(len(xs))):
        delta = (errors[t] + d_h) * slope(hs[t + 1])
        d_h, d_xs[t] = delta @ w.R["h"], delta @ w.W["h"]
        grads["W"]["h"] = grads["W"]["h"] + delta.T @ xs[t]
        grads["R"]["h"] = grads["R"]["h"] + delta.T @ hs[t]
        grads["b"]["h"] = grads["b"]["h"] + delta.sum(axis=0)
    return np.stack(hs[1:]), joined("h", grads), d_xs, (d_h,)
