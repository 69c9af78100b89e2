"""Homework 3: through time by hand.

A cell reads a sequence, one step at a time, and keeps a state. At step t

    h_t = tanh(x_t U + h_{t-1} W + b)        y_t = h_t V + c

with the same U, W, b, V and c at every step. Your work is the way back: from the slopes of a loss by what came out, to its
slopes by all that went in.

    xs  (T, B, I)  what is read: steps first, then the examples of the batch, then the numbers of one example
    hs  (T, B, H)  the states: hs[t] is the one after reading xs[t]; before xs[0] there is h0 (B, H)
    ys  (T, B, O)  what is said, at every step
    U (I, H)   W (H, H)   b (H,)   V (H, O)   c (O,)

A d in front means the gradient of the loss by it, in its shape: dW is (H, H). The loss is one number for the whole batch.

Write only between the marks: what is outside of them is not handed in. All numbers are float64 arrays of NumPy. No array
that you are given may be changed.
"""

import numpy as np

### BEGIN YOURS
### END YOURS


# ---- 3.1 One step


def step(x, h, U, W, b):
    """Return the state after a step, (B, H), from what is read, x (B, I), and the state before, h (B, H).

    Also right where x is in the thousands.
    """
    ### BEGIN SOLUTION 3.1
    return np.tanh(x @ U + h @ W + b)
    ### END SOLUTION 3.1


# ---- 3.2 One step back


def step_backward(dh_next, x, h, h_next, U, W):
    """Return dx, dh, dU, dW, db of one step h_next = step(x, h, U, W, b), where dh_next, (B, H), arrives at h_next.

    Each has the shape of what it belongs to. A weight is used by all examples of the batch, and adds up what each sends.
    """
    ### BEGIN SOLUTION 3.2
    da = dh_next * (1 - h_next**2)
    return da @ U.T, da @ W.T, x.T @ da, h.T @ da, da.sum(axis=0)
    ### END SOLUTION 3.2


# ---- 3.3 The whole sequence


def states(xs, h0, U, W, b):
    """Return hs, (T, B, H): the states after each step, from the state h0 on."""
    ### BEGIN SOLUTION 3.3a
    hs = np.empty((*xs.shape[:2], len(b)))
    h = h0
    for t, x in enumerate(xs):
        hs[t] = h = step(x, h, U, W, b)
    return hs
    ### END SOLUTION 3.3a


def states_backward(dhs, xs, h0, hs, U, W):
    """Return dxs, dh0, dU, dW, db for hs = states(xs, h0, U, W, b).

    dhs, (T, B, H), is what each state gets from the loss directly: dhs[t] as if no step came after t. A state also gets
    what the step after it sends back.
    """
    ### BEGIN SOLUTION 3.3b
    dxs, dU, dW, db = np.empty_like(xs), np.zeros_like(U), np.zeros_like(W), np.zeros(len(W))
    dh = np.zeros_like(h0)
    for t in reversed(range(len(xs))):
        before = hs[t - 1] if t > 0 else h0
        dxs[t], dh, to_U, to_W, to_b = step_backward(dhs[t] + dh, xs[t], before, hs[t], U, W)
        dU += to_U
        dW += to_W
        db += to_b
    return dxs, dh, dU, dW, db
    ### END SOLUTION 3.3b


def readout(hs, V, c):
    """Return ys, (T, B, O): what is said at every step. Nothing to write here."""
    return hs @ V + c


def readout_backward(dys, hs, V):
    """Return dhs, dV, dc for ys = readout(hs, V, c), where dys, (T, B, O), arrives at ys."""
    ### BEGIN SOLUTION 3.3c
    return dys @ V.T, np.tensordot(hs, dys, axes=([0, 1], [0, 1])), dys.sum(axis=(0, 1))
    ### END SOLUTION 3.3c


# ---- 3.4 Who pulls at a weight, and when


def contributions(dys, xs, h0, hs, U, W, V):
    """Return to_U (T, I, H), to_W (T, H, H) and to_V (T, H, O): what each weight gets for its use at each step.

    Imagine a copy of U, W and V for every step: to_W[t] is the gradient by the copy that made hs[t], from the losses of
    this step and of all later ones. dys, (T, B, O), arrives at ys = readout(hs, V, c). Over the steps they sum to the
    gradients.
    """
    ### BEGIN SOLUTION 3.4
    to_U, to_W, to_V = (np.empty((len(xs), *weight.shape)) for weight in (U, W, V))
    dh = np.zeros_like(h0)
    for t in reversed(range(len(xs))):
        before = hs[t - 1] if t > 0 else h0
        to_V[t] = hs[t].T @ dys[t]
        _, dh, to_U[t], to_W[t], _ = step_backward(dys[t] @ V.T + dh, xs[t], before, hs[t], U, W)
    return to_U, to_W, to_V
    ### END SOLUTION 3.4


# ---- 3.5 Cut short


def window_backward(dhs, xs, h0, hs, U, W, k2):
    """Return dU, dW, db as states_backward does, but go back through the last k2 steps only; k2 is 1 to T.

    The state before these steps is taken as a given number: nothing is sent to it, and what the steps before it would
    get is left out. k2 = T gives the full gradient.
    """
    ### BEGIN SOLUTION 3.5a
    first = len(xs) - k2
    before = hs[first - 1] if first > 0 else h0
    _, _, *gradients = states_backward(dhs[first:], xs[first:], before, hs[first:], U, W)
    return tuple(gradients)
    ### END SOLUTION 3.5a


def truncated(dhs, xs, h0, U, W, b, k1, k2):
    """Return a list with (dU, dW, db) for every k1 steps of the sequence, each found by going back at most k2 steps.

    After k1 steps, after 2 k1 and so on, and at the end (the last part is shorter where k1 does not divide T), one entry:
    the gradient of the losses dhs of the steps since the entry before, through the last k2 steps, as in window_backward.
    Losses of older steps have had their turn and do not count again; where k2 < k1, those before the window teach nothing.
    The states run on through all parts, from h0, and are never set back. k2 can be smaller than k1, the same, or larger;
    near the start there are fewer steps than k2.
    """
    ### BEGIN SOLUTION 3.5b
    hs, found = states(xs, h0, U, W, b), []
    for begin in range(0, len(xs), k1):
        end = min(begin + k1, len(xs))
        new = dhs[:end].copy()
        new[:begin] = 0
        found.append(window_backward(new, xs[:end], h0, hs[:end], U, W, min(k2, end)))
    return found
    ### END SOLUTION 3.5b


# ---- 3.6 "hello"


def update(weights, reads, says, rate):
    """Return the weights after one step of gradient descent, and the loss before it.

    weights are (U, W, b, V, c). reads and says are lists of T letters, as numbers 0 .. I-1: a batch of one example, read
    from the state 0 on; at step t the letter reads[t] is read, one-hot, and says[t] is right. softmax(ys[t, 0]) are the
    probabilities of the letters. The loss is the mean over the steps of -log of the probability of the right one. Also
    right where ys is in the thousands. Every weight moves by rate times its gradient, down. Returned are new arrays.
    """
    ### BEGIN SOLUTION 3.6a
    U, W, b, V, c = weights
    xs, h0, steps = one_hot(reads, len(U))[:, None], np.zeros((1, len(W))), np.arange(len(reads))
    hs = states(xs, h0, U, W, b)
    ys = readout(hs, V, c)[:, 0]
    logs = ys - ys.max(axis=1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    dys = (np.exp(logs) - one_hot(says, len(c))) / len(says)
    dhs, dV, dc = readout_backward(dys[:, None], hs, V)
    _, _, dU, dW, db = states_backward(dhs, xs, h0, hs, U, W)
    moved = tuple(weight - rate * slope for weight, slope in zip(weights, (dU, dW, db, dV, dc)))
    return moved, -logs[steps, says].mean()
    ### END SOLUTION 3.6a


def write(weights, first, length):
    """Return a list of so many letters: the first, and then each time the most probable one, which is read next.

    The state before the first letter is 0.
    """
    ### BEGIN SOLUTION 3.6b
    U, W, b, V, c = weights
    letters, h = [first], np.zeros((1, len(W)))
    while len(letters) < length:
        h = step(one_hot(letters[-1:], len(U)), h, U, W, b)
        letters.append(int((h @ V + c).argmax()))
    return letters
    ### END SOLUTION 3.6b


# ---- Nothing to write from here on


def one_hot(letters, count):
    """Return a row for each letter, with a 1 at its number and 0 elsewhere: (how many letters, count)."""
    return np.eye(count)[letters]


def changed_by(function, *given):
    """Return which of its arrays, or tuples of arrays, a function changes when it is called with them, as their places."""
    parts = [each if isinstance(each, tuple) else (each,) for each in given]
    before = [[np.copy(part) for part in each] for each in parts]
    function(*given)
    return [place for place, pair in enumerate(zip(parts, before)) if not all(map(np.array_equal, *pair))]


def start(seed, letters=4, hidden=8):
    """Return weights (U, W, b, V, c) to begin with."""
    draw = np.random.default_rng(seed)
    shapes = (letters, hidden), (hidden, hidden), (hidden,), (hidden, letters), (letters,)
    return tuple(draw.uniform(-1, 1, shape) / np.sqrt(hidden) for shape in shapes)
