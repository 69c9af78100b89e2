"""Another right solution: a gate at a time, an example at a time, and states in lists."""

import numpy as np
import tinygrad_rnn as tg

### BEGIN YOURS
from math import exp, log1p

from tinygrad_rnn import functional as F


def rows(array, gate, names):
    size = array.shape[0] // len(names)
    start = names.index(gate) * size
    return array[start : start + size]


def net(gate, names, x, h, w_ih, w_hh, b):
    return F.linear(x, rows(w_ih, gate, names), rows(b, gate, names)) + F.linear(h, rows(w_hh, gate, names))


def all_steps(step, x, *states):
    found = []
    for each in x:
        states = step(each, *states)
        found.append(states)
    return [tg.concat([state.unsqueeze(0) for state in kind], axis=0) for kind in zip(*found)]


def logistic(a):
    return 1.0 / (1.0 + np.exp(-a))


### END YOURS


def lstm(x, h, c, w_ih, w_hh, b):
    ### BEGIN SOLUTION 4.1
    def step(x, h, c):
        i, f, o = (net(gate, "ifgo", x, h, w_ih, w_hh, b).sigmoid() for gate in "ifo")
        c = i * tg.tanh(net("g", "ifgo", x, h, w_ih, w_hh, b)) + c * f
        return tg.tanh(c) * o, c

    hs, cs = all_steps(step, x, h, c)
    return hs, cs[-1]
    ### END SOLUTION 4.1


def lstm_step(x, h, c, w_ih, w_hh, b):
    ### BEGIN SOLUTION 4.2a
    kept = {"x": x, "h": h, "c": c}
    for gate in "ifgo":
        a = np.array([rows(w_ih, gate, "ifgo") @ xx + rows(w_hh, gate, "ifgo") @ hh + rows(b, gate, "ifgo")
                      for xx, hh in zip(x, h)])  # fmt: skip
        kept[gate] = np.tanh(a) if gate == "g" else logistic(a)
    kept["c_new"] = kept["i"] * kept["g"] + kept["f"] * c
    return np.tanh(kept["c_new"]) * kept["o"], kept["c_new"], kept
    ### END SOLUTION 4.2a


def lstm_step_backward(dh, dc, kept, w_ih, w_hh):
    ### BEGIN SOLUTION 4.2b
    dx, dh_before, dc_before = np.zeros_like(kept["x"]), np.zeros_like(dh), np.zeros_like(dc)
    dw_ih, dw_hh, db = np.zeros_like(w_ih), np.zeros_like(w_hh), np.zeros(4 * dh.shape[1])
    for n in range(len(dh)):
        i, f, g, o, c, new = (kept[name][n] for name in ("i", "f", "g", "o", "c", "c_new"))
        to_c = dc[n] + o * dh[n] / np.cosh(new) ** 2
        dc_before[n] = f * to_c
        to_gates = {"i": g * to_c * (i - i * i), "f": c * to_c * (f - f * f), "g": i * to_c * (1 - g) * (1 + g),
                    "o": np.tanh(new) * dh[n] * (o - o * o)}  # fmt: skip
        for gate, delta in to_gates.items():
            dx[n] += delta @ rows(w_ih, gate, "ifgo")
            dh_before[n] += delta @ rows(w_hh, gate, "ifgo")
            rows(dw_ih, gate, "ifgo")[...] += np.outer(delta, kept["x"][n])
            rows(dw_hh, gate, "ifgo")[...] += np.outer(delta, kept["h"][n])
            rows(db, gate, "ifgo")[...] += delta
    return [dx, dh_before, dc_before, dw_ih, dw_hh, db]
    ### END SOLUTION 4.2b


def lstm_backward(dhs, dc, steps, w_ih, w_hh):
    ### BEGIN SOLUTION 4.2c
    dx, dh, sums = [], 0 * dc, None
    remaining = list(zip(dhs, steps))
    while remaining:
        direct, kept = remaining.pop()
        first, dh, dc, *found = lstm_step_backward(direct + dh, dc, kept, w_ih, w_hh)
        dx.insert(0, first)
        sums = found if sums is None else [a + b for a, b in zip(sums, found)]
    return np.array(dx), dh, dc, *sums
    ### END SOLUTION 4.2c


def initial(input_size, hidden_size, forget_bias, seed):
    ### BEGIN SOLUTION 4.3a
    draw = np.random.default_rng(seed)
    both = (2 * draw.random((4 * hidden_size, hidden_size + input_size)) - 1) / hidden_size**0.5
    bias = np.repeat([0.0, forget_bias, 0.0, 0.0], hidden_size)
    return both[:, hidden_size:], both[:, :hidden_size], bias
    ### END SOLUTION 4.3a


def forget_bias_for(steps, left):
    ### BEGIN SOLUTION 4.3b
    low, high = -50.0, 50.0
    for _ in range(200):
        middle = (low + high) / 2
        if exp(-steps * log1p(exp(-middle))) < left:
            low = middle
        else:
            high = middle
    return middle
    ### END SOLUTION 4.3b


def coupled(x, h, c, w_ih, w_hh, b, u_f, p_o):
    ### BEGIN SOLUTION 4.4
    def step(x, h, c):
        i = 1 - tg.sigmoid(net("f", "fgo", x, h, w_ih, w_hh, b) + F.linear(c, u_f))
        g = tg.tanh(net("g", "fgo", x, h, w_ih, w_hh, b))
        new = c + i * (g - c)
        return tg.sigmoid(net("o", "fgo", x, h, w_ih, w_hh, b) + new * p_o) * tg.tanh(new), new

    hs, cs = all_steps(step, x, h, c)
    return hs, cs[len(cs) - 1]
    ### END SOLUTION 4.4


def gru(x, h, w_ih, w_hh, b_ih, b_hh, reset, update):
    ### BEGIN SOLUTION 4.5a
    def step(x, h):
        r = tg.sigmoid(net("r", "rzn", x, h, w_ih, w_hh, b_ih) + rows(b_hh, "r", "rzn"))
        z = tg.sigmoid(net("z", "rzn", x, h, w_ih, w_hh, b_ih) + rows(b_hh, "z", "rzn"))
        v, d = rows(w_hh, "n", "rzn"), rows(b_hh, "n", "rzn")
        back = {"after": lambda: r * F.linear(h, v, d), "before": lambda: F.linear(r * h, v, d)}[reset]()
        n = tg.tanh(F.linear(x, rows(w_ih, "n", "rzn"), rows(b_ih, "n", "rzn")) + back)
        old, new = (h, n) if update == "keep" else (n, h)
        return (new + z * (old - new),)

    return all_steps(step, x, h)[0]
    ### END SOLUTION 4.5a


def convert(weights, source, target):
    ### BEGIN SOLUTION 4.5b
    if {source["reset"], target["reset"]} == {"after", "before"}:
        raise ValueError("r scales rows in one and columns in the other: there are no such weights")
    sign = -1 if source["update"] != target["update"] else 1
    size = len(weights["b_ih"]) // 3
    where = [row for gate in target["order"] for row in size * source["order"].index(gate) + np.arange(size)]
    factor = np.repeat([sign if gate == "z" else 1 for gate in target["order"]], size)
    return {name: (value[where].T * factor).T for name, value in weights.items()}
    ### END SOLUTION 4.5b
