"""Another right solution: numbers one by one, example after example, and truncation from part to part."""

import numpy as np

### BEGIN YOURS
from math import exp, log, tanh


def row_times(row, matrix):
    return [sum(value * matrix[i, j] for i, value in enumerate(row)) for j in range(matrix.shape[1])]


def before(h0, hs, t):
    return h0 if t == 0 else hs[t - 1]


def probabilities(y):
    powers = [exp(value - max(y)) for value in y]
    return [power / sum(powers) for power in powers]


### END YOURS


def step(x, h, U, W, b):
    ### BEGIN SOLUTION 3.1
    rows = []
    for one, state in zip(x, h):
        sums = zip(row_times(one, U), row_times(state, W), b)
        rows.append([tanh(sum(three)) for three in sums])
    return np.array(rows)
    ### END SOLUTION 3.1


def step_backward(dh_next, x, h, h_next, U, W):
    ### BEGIN SOLUTION 3.2
    dx, dh, dU, dW, db = (np.zeros(like.shape) for like in (x, h, U, W, U[0]))
    for n in range(len(x)):
        for j in range(len(W)):
            slope = dh_next[n, j] * (1 + h_next[n, j]) * (1 - h_next[n, j])
            db[j] += slope
            for i in range(len(U)):
                dU[i, j] += x[n, i] * slope
                dx[n, i] += U[i, j] * slope
            for k in range(len(W)):
                dW[k, j] += h[n, k] * slope
                dh[n, k] += W[k, j] * slope
    return dx, dh, dU, dW, db
    ### END SOLUTION 3.2


def states(xs, h0, U, W, b):
    ### BEGIN SOLUTION 3.3a
    hs = [h0]
    for x in xs:
        hs.append(step(x, hs[-1], U, W, b))
    return np.stack(hs[1:])
    ### END SOLUTION 3.3a


def states_backward(dhs, xs, h0, hs, U, W):
    ### BEGIN SOLUTION 3.3b
    total, dxs, later = [0.0, 0.0, 0.0], [], 0.0
    for t in range(len(xs) - 1, -1, -1):
        dx, later, *three = step_backward(dhs[t] + later, xs[t], before(h0, hs, t), hs[t], U, W)
        dxs.append(dx)
        total = [sum_so_far + new for sum_so_far, new in zip(total, three)]
    return np.array(dxs[::-1]), later, *total
    ### END SOLUTION 3.3b


def readout_backward(dys, hs, V):
    ### BEGIN SOLUTION 3.3c
    dhs, dV, dc = np.zeros(hs.shape), np.zeros(V.shape), np.zeros(V.shape[1])
    for place in np.ndindex(*hs.shape[:2]):
        dhs[place] = V @ dys[place]
        dV += np.outer(hs[place], dys[place])
        dc += dys[place]
    return dhs, dV, dc
    ### END SOLUTION 3.3c


def contributions(dys, xs, h0, hs, U, W, V):
    ### BEGIN SOLUTION 3.4
    # Each loss is followed back on its own, and leaves its part at every use on the way.
    to_U, to_W = np.zeros((len(xs), *U.shape)), np.zeros((len(xs), *W.shape))
    for loss in range(len(xs)):
        dh = dys[loss] @ V.T
        for t in range(loss, -1, -1):
            _, dh, dU, dW, _ = step_backward(dh, xs[t], before(h0, hs, t), hs[t], U, W)
            to_U[t] += dU
            to_W[t] += dW
    return to_U, to_W, np.array([h.T @ dy for h, dy in zip(hs, dys)])
    ### END SOLUTION 3.4


def window_backward(dhs, xs, h0, hs, U, W, k2):
    ### BEGIN SOLUTION 3.5a
    dU, dW, db, dh = 0.0, 0.0, 0.0, 0.0
    for back in range(k2):
        t = len(xs) - 1 - back
        _, dh, *new = step_backward(dhs[t] + dh, xs[t], before(h0, hs, t), hs[t], U, W)
        dU, dW, db = dU + new[0], dW + new[1], db + new[2]
    return dU, dW, db
    ### END SOLUTION 3.5a


def truncated(dhs, xs, h0, U, W, b, k1, k2):
    ### BEGIN SOLUTION 3.5b
    # Step by step, as where the sequence never ends: the last k2 steps are remembered, older ones are dropped.
    found, h, remembered = [], h0, []
    for t, x in enumerate(xs):
        remembered = [*remembered, (x, h, step(x, h, U, W, b), dhs[t])][-k2:]
        h = remembered[-1][2]
        since = t % k1 + 1
        if since == k1 or t == len(xs) - 1:
            dU, dW, db, dh = np.zeros(U.shape), np.zeros(W.shape), np.zeros(b.shape), 0.0
            for age, (x_then, h_then, h_after, told) in enumerate(reversed(remembered)):
                arrived = dh + told * (age < since)
                _, dh, *new = step_backward(arrived, x_then, h_then, h_after, U, W)
                dU, dW, db = dU + new[0], dW + new[1], db + new[2]
            found.append([dU, dW, db])
    return found
    ### END SOLUTION 3.5b


def update(weights, reads, says, rate):
    ### BEGIN SOLUTION 3.6a
    U, W, b, V, c = weights
    count = len(reads)
    xs = np.zeros((count, 1, U.shape[0]))
    for t, letter in enumerate(reads):
        xs[t, 0, letter] = 1
    h0 = np.zeros((1, W.shape[0]))
    hs = states(xs, h0, U, W, b)
    loss, dys = 0.0, np.zeros((count, 1, len(c)))
    for t in range(count):
        y = (hs[t] @ V + c)[0]
        loss += (log(sum(np.exp(y - y.max()))) + y.max() - y[says[t]]) / count
        dys[t, 0] = probabilities(y)
        dys[t, 0, says[t]] -= 1
    dhs, dV, dc = readout_backward(dys / count, hs, V)
    dU, dW, db = states_backward(dhs, xs, h0, hs, U, W)[2:]
    return [U - rate * dU, W - rate * dW, b - rate * db, V - rate * dV, c - rate * dc], loss
    ### END SOLUTION 3.6a


def write(weights, first, length):
    ### BEGIN SOLUTION 3.6b
    U, W, b, V, c = weights
    text = [first]
    for _ in range(length - 1):
        # Everything is read again from the beginning; slow, and the same.
        xs = np.array([[[float(letter == n) for n in range(len(U))]] for letter in text])
        scores = list(states(xs, np.zeros((1, len(W))), U, W, b)[-1, 0] @ V + c)
        text.append(scores.index(max(scores)))
    return text
    ### END SOLUTION 3.6b
