"""Homework 4: gates.

An LSTM on the ops of tinygrad_rnn, which then differentiates it for you; the same LSTM in NumPy, where you do that by hand;
a cell that no library has; and a GRU in all its readings.

Letters: T steps, B examples, I inputs, H units. Weights have a row for each unit of each gate, as PyTorch's: w_ih is
(4*H, I), w_hh is (4*H, H), b is (4*H,), and the blocks of H rows are in the order i, f, g, o. All numbers are float64.

Write only between the marks: what is outside of them is not handed in.
"""

import copy

import numpy as np
import tinygrad_rnn as tg

### BEGIN YOURS
### END YOURS


# ---- 4.1 An LSTM from primitive ops


def lstm(x, h, c, w_ih, w_hh, b):
    """Return the states h of all steps, (T, B, H), and the last c, (B, H), as tensors.

    x is (T, B, I); h and c, (B, H), are the states before the first step. All are tensors of tinygrad_rnn, and the
    gradient has to find its way back to each of them: use tensor operations only. With @ the matrix product, * the
    product of entries, and the rows of the weights in the order i, f, g, o, each step computes

        i = sigmoid(W_i x + V_i h + b_i)        input gate
        f = sigmoid(W_f x + V_f h + b_f)        forget gate
        g = tanh(W_g x + V_g h + b_g)           candidate
        o = sigmoid(W_o x + V_o h + b_o)        output gate
        c' = f * c + i * g
        h' = o * tanh(c')

    W are the blocks of w_ih, V those of w_hh.
    """
    ### BEGIN SOLUTION 4.1
    hs = []
    for t in range(x.shape[0]):
        net_i, net_f, net_g, net_o = (x[t] @ w_ih.T + h @ w_hh.T + b).chunk(4, axis=1)
        c = net_f.sigmoid() * c + net_i.sigmoid() * net_g.tanh()
        h = net_o.sigmoid() * c.tanh()
        hs.append(h)
    return tg.stack(hs), c
    ### END SOLUTION 4.1


# ---- 4.2 The same in NumPy, and backward by hand


def sigmoid(a):
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def lstm_step(x, h, c, w_ih, w_hh, b):
    """Return h' and c', each (B, H), and a dict with what the backward pass will need.

    All are arrays of NumPy: x (B, I), h and c (B, H) before the step. The dict has exactly these: "x", "h" and "c", as
    they were given; "i", "f", "g", "o", the gates; "c_new", which is c'. Each of the last five is (B, H). Nothing that is
    given is changed.
    """
    ### BEGIN SOLUTION 4.2a
    net_i, net_f, net_g, net_o = np.split(x @ w_ih.T + h @ w_hh.T + b, 4, axis=1)
    i, f, g, o = sigmoid(net_i), sigmoid(net_f), np.tanh(net_g), sigmoid(net_o)
    c_new = f * c + i * g
    kept = {"x": x, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": c_new}
    return o * np.tanh(c_new), c_new, kept
    ### END SOLUTION 4.2a


def lstm_step_backward(dh, dc, kept, w_ih, w_hh):
    """Return the derivatives of the loss by x, h, c, w_ih, w_hh and b of one step, in this order and of their shapes.

    dh and dc, (B, H), are what arrives at h' and at c' from everything that comes after this step. kept is the dict of
    `lstm_step`. The loss is a sum over the batch, so nothing is divided by B. Nothing that is given is changed.
    """
    ### BEGIN SOLUTION 4.2b
    i, f, g, o = kept["i"], kept["f"], kept["g"], kept["o"]
    squashed = np.tanh(kept["c_new"])
    dc = dc + dh * o * (1 - squashed**2)
    net_i = dc * g * i * (1 - i)
    net_f = dc * kept["c"] * f * (1 - f)
    net_g = dc * i * (1 - g**2)
    net_o = dh * squashed * o * (1 - o)
    net = np.concatenate([net_i, net_f, net_g, net_o], axis=1)
    return net @ w_ih, net @ w_hh, dc * f, net.T @ kept["x"], net.T @ kept["h"], net.sum(axis=0)
    ### END SOLUTION 4.2b


def lstm_backward(dhs, dc, steps, w_ih, w_hh):
    """Return the derivatives of the loss by x, h, c, w_ih, w_hh and b of a whole sequence, of their shapes.

    dhs, (T, B, H), is what the loss sends to the h' of each step directly, dc, (B, H), what it sends to the last c'.
    steps are the dicts of `lstm_step`, the first step first. x was (T, B, I); h and c are the states before the first
    step. Use `lstm_step_backward`. Nothing that is given is changed, least of all dhs.
    """
    ### BEGIN SOLUTION 4.2c
    dxs, dh = [], np.zeros_like(dc)
    dw_ih, dw_hh, db = np.zeros_like(w_ih), np.zeros_like(w_hh), np.zeros(len(w_ih))
    for t in reversed(range(len(steps))):
        dx, dh, dc, *to_weights = lstm_step_backward(dhs[t] + dh, dc, steps[t], w_ih, w_hh)
        dxs.append(dx)
        dw_ih, dw_hh, db = dw_ih + to_weights[0], dw_hh + to_weights[1], db + to_weights[2]
    return np.stack(dxs[::-1]), dh, dc, dw_ih, dw_hh, db
    ### END SOLUTION 4.2c


def lstm_forward(x, h, c, w_ih, w_hh, b):
    """Return the states h of all steps, the last c, and the dicts of the steps. (Nothing to write here.)"""
    hs, steps = [], []
    for t in range(len(x)):
        h, c, kept = lstm_step(x[t], h, c, w_ih, w_hh, b)
        hs.append(h)
        steps.append(kept)
    return np.stack(hs), c, steps


def changed_by(function, *arguments):
    """Return the numbers of the arguments that a call of the function changes: [] is right. (Nothing to write here.)"""
    before = copy.deepcopy(arguments)
    function(*arguments)
    return [number for number, pair in enumerate(zip(before, arguments)) if not alike(*pair)]


def alike(a, b):
    """Return whether two arrays, or dicts or lists of them, hold the same. (Nothing to write here.)"""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[name], b[name]) for name in a)
    return all(map(alike, a, b)) if isinstance(a, list) else np.array_equal(a, b)


# ---- 4.3 How it starts


def initial(input_size, hidden_size, forget_bias, seed):
    """Return w_ih, w_hh and b, arrays, before the first update.

    The weights are uniform between -1/sqrt(H) and 1/sqrt(H), H being hidden_size, and drawn from one
    np.random.default_rng(seed), w_ih first. The bias of each forget gate is forget_bias, all others are 0.
    """
    ### BEGIN SOLUTION 4.3a
    draw, bound = np.random.default_rng(seed), 1 / np.sqrt(hidden_size)
    w_ih = draw.uniform(-bound, bound, (4 * hidden_size, input_size))
    w_hh = draw.uniform(-bound, bound, (4 * hidden_size, hidden_size))
    b = np.zeros(4 * hidden_size)
    b[hidden_size : 2 * hidden_size] = forget_bias
    return w_ih, w_hh, b
    ### END SOLUTION 4.3a


def forget_bias_for(steps, left):
    """Return the bias of a forget gate that leaves this part of c after so many steps, where nothing else speaks.

    The gate sees no input and no state: f = sigmoid(bias) in each step, and left is between 0 and 1. Right to six digits
    also where steps are many, when f is nearly 1.
    """
    ### BEGIN SOLUTION 4.3b
    kept = np.log(left) / steps
    return kept - np.log(-np.expm1(kept))
    ### END SOLUTION 4.3b


# ---- 4.4 A cell that you find nowhere


def coupled(x, h, c, w_ih, w_hh, b, u_f, p_o):
    """Return the states h of all steps, (T, B, H), and the last c, (B, H), as tensors.

    There are three blocks of H rows, in the order f, g, o: w_ih is (3*H, I), w_hh is (3*H, H), b is (3*H,). u_f, (H, H),
    shows the forget gate all cells as they were before the step: U c has in row k the sum of U[k, j] c[j]. p_o, (H,),
    shows each output gate its own cell as it is after the step. What is forgotten makes room: the input gate is 1 - f.

        f = sigmoid(W_f x + V_f h + b_f + U_f c)
        g = tanh(W_g x + V_g h + b_g)
        c' = f * c + (1 - f) * g
        o = sigmoid(W_o x + V_o h + b_o + p_o * c')
        h' = o * tanh(c')

    Tensors, as in `lstm`.
    """
    ### BEGIN SOLUTION 4.4
    hs = []
    for t in range(x.shape[0]):
        net_f, net_g, net_o = (x[t] @ w_ih.T + h @ w_hh.T + b).chunk(3, axis=1)
        f = (net_f + c @ u_f.T).sigmoid()
        c = f * c + (1 - f) * net_g.tanh()
        h = (net_o + p_o * c).sigmoid() * c.tanh()
        hs.append(h)
    return tg.stack(hs), c
    ### END SOLUTION 4.4


# ---- 4.5 One name, four cells


def gru(x, h, w_ih, w_hh, b_ih, b_hh, reset, update):
    """Return the states h of all steps, (T, B, H), as a tensor.

    All but the last two are tensors: x (T, B, I), h (B, H), w_ih (3*H, I), w_hh (3*H, H), b_ih and b_hh (3*H,), with
    blocks of H rows in the order r, z, n. There are two biases: b those of b_ih, d those of b_hh.

        r = sigmoid(W_r x + b_r + V_r h + d_r)                    reset gate
        z = sigmoid(W_z x + b_z + V_z h + d_z)                    update gate
        n = tanh(W_n x + b_n + r * (V_n h + d_n))                 for reset = "after"
        n = tanh(W_n x + b_n + V_n (r * h) + d_n)                 for reset = "before"
        h' = (1 - z) * n + z * h                                  for update = "keep"
        h' = (1 - z) * h + z * n                                  for update = "renew"
    """
    ### BEGIN SOLUTION 4.5a
    size, hs = h.shape[1], []
    for t in range(x.shape[0]):
        seen = x[t] @ w_ih.T + b_ih
        gates = (seen[:, : 2 * size] + h @ w_hh[: 2 * size].T + b_hh[: 2 * size]).sigmoid()
        r, z = gates[:, :size], gates[:, size:]
        if reset == "after":
            back = r * (h @ w_hh[2 * size :].T + b_hh[2 * size :])
        else:
            back = (r * h) @ w_hh[2 * size :].T + b_hh[2 * size :]
        n = (seen[:, 2 * size :] + back).tanh()
        h = (1 - z) * n + z * h if update == "keep" else (1 - z) * h + z * n
        hs.append(h)
    return tg.stack(hs)
    ### END SOLUTION 4.5a


def convert(weights, source, target):
    """Return the weights of a GRU of convention `target` that computes what `weights` do in convention `source`.

    weights is a dict of arrays of NumPy: "w_ih", "w_hh", "b_ih", "b_hh", as in `gru`; it is not changed. What you
    return has the same form. A convention is a dict: "order" of the blocks of rows, a text such as "rzn" or "nrz"; "reset", "after" or
    "before"; "update", "keep" or "renew". From one "reset" to the other raise a ValueError that says
    why, also for the few weights for which it would work.
    """
    ### BEGIN SOLUTION 4.5b
    if source["reset"] != target["reset"]:
        raise ValueError(f"no weights with the reset gate {target['reset']} do what these do {source['reset']} it")
    converted = {}
    for name, value in weights.items():
        blocks = dict(zip(source["order"], np.split(value, 3)))
        if source["update"] != target["update"]:
            blocks["z"] = -blocks["z"]
        converted[name] = np.concatenate([blocks[gate] for gate in target["order"]])
    return converted
    ### END SOLUTION 4.5b
