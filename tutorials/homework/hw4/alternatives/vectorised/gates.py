"""Another right solution: products with the input for all steps at once, and the weights' gradients at the end."""

import numpy as np
import tinygrad_rnn as tg


### BEGIN YOURS
def halves(a):
    return np.tanh(a / 2) / 2 + 0.5


def deltas(dh, dc, kept):
    """Return what arrives at the nets, (4, B, H), and at the old c."""
    i, f, g, o = (kept[name] for name in "ifgo")
    bent = np.tanh(kept["c_new"])
    dc = dc + dh * o - dh * o * bent**2
    local = np.stack([i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)])
    return np.stack([dc * g, dc * kept["c"], dc * i, dh * bent]) * local, dc * f


def to_weights(many, many_x, many_h):
    """Return the derivatives by the weights; many is (T, 4, B, H)."""
    rows = 4 * many.shape[3]
    return (
        np.einsum("tgbh,tbi->ghi", many, many_x).reshape(rows, -1),
        np.einsum("tgbh,tbk->ghk", many, many_h).reshape(rows, -1),
        many.sum(axis=(0, 2)).ravel(),
    )


### END YOURS


def lstm(x, h, c, w_ih, w_hh, b):
    ### BEGIN SOLUTION 4.1
    size = h.shape[1]
    projected, hs = x @ w_ih.transpose(0, 1) + b, []
    back = w_hh.transpose(0, 1)
    for t in range(len(x)):
        nets = projected[t] + h @ back
        i, f, o = (nets[:, k * size : (k + 1) * size].sigmoid() for k in (0, 1, 3))
        c = i * nets[:, 2 * size : 3 * size].tanh() + f * c
        h = o * c.tanh()
        hs += [h]
    return [tg.stack(hs, axis=0), c]
    ### END SOLUTION 4.1


def lstm_step(x, h, c, w_ih, w_hh, b):
    ### BEGIN SOLUTION 4.2a
    size = h.shape[1]
    a = np.hstack([x, h]) @ np.hstack([w_ih, w_hh]).T + b[None]
    s = halves(a)
    g = np.tanh(a[:, 2 * size : 3 * size])
    i, f, o = s[:, :size], s[:, size : 2 * size], s[:, 3 * size :]
    kept = {"x": x, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": f * c + i * g}
    return o * np.tanh(kept["c_new"]), kept["c_new"], kept
    ### END SOLUTION 4.2a


def lstm_step_backward(dh, dc, kept, w_ih, w_hh):
    ### BEGIN SOLUTION 4.2b
    delta, dc_before = deltas(dh, dc, kept)
    flat = np.hstack(list(delta))
    return flat @ w_ih, flat @ w_hh, dc_before, *to_weights(delta[None], kept["x"][None], kept["h"][None])
    ### END SOLUTION 4.2b


def lstm_backward(dhs, dc, steps, w_ih, w_hh):
    ### BEGIN SOLUTION 4.2c
    many, dh = np.zeros((len(steps), 4, *dc.shape)), 0
    for t in range(len(steps) - 1, -1, -1):
        many[t], dc = deltas(dhs[t] + dh, dc, steps[t])
        dh = np.hstack(list(many[t])) @ w_hh
    dx = np.einsum("tgbh,ghi->tbi", many, w_ih.reshape(4, dc.shape[1], -1))
    many_x, many_h = (np.stack([kept[name] for kept in steps]) for name in "xh")
    return dx, dh, dc, *to_weights(many, many_x, many_h)
    ### END SOLUTION 4.2c


def initial(input_size, hidden_size, forget_bias, seed):
    ### BEGIN SOLUTION 4.3a
    draw, size = np.random.default_rng(seed), 4 * hidden_size
    w_hh, w_ih = (draw.uniform(-1, 1, (size, columns)) * hidden_size**-0.5 for columns in (hidden_size, input_size))
    return w_ih, w_hh, np.where(np.arange(size) // hidden_size == 1, forget_bias, 0.0)
    ### END SOLUTION 4.3a


def forget_bias_for(steps, left):
    ### BEGIN SOLUTION 4.3b
    return -np.log(np.expm1(-np.log(left) / steps))
    ### END SOLUTION 4.3b


def coupled(x, h, c, w_ih, w_hh, b, u_f, p_o):
    ### BEGIN SOLUTION 4.4
    size, hs, projected = h.shape[1], [], x @ w_ih.T + b
    for t in range(len(x)):
        nets = projected[t] + h @ w_hh.T
        f = (nets[:, :size] + (u_f @ c.T).T).sigmoid()
        c = nets[:, size : 2 * size].tanh() * (1 - f) + f * c
        h = c.tanh() * (nets[:, 2 * size :] + c * p_o).sigmoid()
        hs.append(h)
    return tg.stack(hs), c
    ### END SOLUTION 4.4


def gru(x, h, w_ih, w_hh, b_ih, b_hh, reset, update):
    ### BEGIN SOLUTION 4.5a
    v_r, v_z, v_n = w_hh.chunk(3)
    d_r, d_z, d_n = b_hh.chunk(3)
    sign = -1 if update == "renew" else 1
    hs = []
    for nets in x @ w_ih.T + b_ih:
        a_r, a_z, a_n = nets.chunk(3, axis=1)
        r = (a_r + h @ v_r.T + d_r).sigmoid()
        keep = (sign * (a_z + h @ v_z.T + d_z)).sigmoid()
        inner = r * (h @ v_n.T + d_n) if reset == "after" else (r * h) @ v_n.T + d_n
        h = (1 - keep) * (a_n + inner).tanh() + keep * h
        hs.append(h)
    return tg.stack(hs)
    ### END SOLUTION 4.5a


def convert(weights, source, target):
    ### BEGIN SOLUTION 4.5b
    if source["reset"] != target["reset"]:
        raise ValueError("no")
    flip = source["update"] != target["update"]
    permutation = [source["order"].index(gate) for gate in target["order"]]
    found = {}
    for name in weights:
        blocks = weights[name].reshape(3, -1, *weights[name].shape[1:])[permutation]
        if flip:
            blocks[target["order"].index("z")] *= -1
        found[name] = blocks.reshape(weights[name].shape)
    return found
    ### END SOLUTION 4.5b
