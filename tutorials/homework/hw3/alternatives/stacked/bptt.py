"""Another right solution: one matrix for [x; h; 1], einsum, and contributions by the Jacobians of the steps."""

import numpy as np

### BEGIN YOURS
import itertools


def joined(x, h):
    return np.hstack([x, h, np.ones((len(x), 1))])


def previous(h0, hs):
    return np.vstack([h0[None], hs[:-1]])


def jacobians(hs, W):
    """Return d h_t / d h_{t-1} of every step and example: (T, B, H of the one before, H)."""
    return np.einsum("kh,tbh->tbkh", W, 1 - np.square(hs))


### END YOURS


def step(x, h, U, W, b):
    ### BEGIN SOLUTION 3.1
    return np.tanh(joined(x, h) @ np.vstack([U, W, b]))
    ### END SOLUTION 3.1


def step_backward(dh_next, x, h, h_next, U, W):
    ### BEGIN SOLUTION 3.2
    through = dh_next - dh_next * h_next * h_next
    whole = joined(x, h).T @ through
    sent = through @ np.vstack([U, W]).T
    inputs, units = len(U), len(W)
    return sent[:, :inputs], sent[:, inputs:], whole[:inputs], whole[inputs : inputs + units], whole[-1]
    ### END SOLUTION 3.2


def states(xs, h0, U, W, b):
    ### BEGIN SOLUTION 3.3a
    walk = itertools.accumulate(xs @ U + b, lambda h, z: np.tanh(z + h @ W), initial=h0)
    return np.array(list(walk)[1:])
    ### END SOLUTION 3.3a


def states_backward(dhs, xs, h0, hs, U, W):
    ### BEGIN SOLUTION 3.3b
    # First all that arrives at the tanh of every step; then every weight in one product.
    da = np.zeros(hs.shape)
    dh = 0.0
    for t in range(len(xs))[::-1]:
        da[t] = (dhs[t] + dh) * (1 - hs[t] ** 2)
        dh = da[t] @ W.T
    dU = np.einsum("tbi,tbh->ih", xs, da)
    dW = np.einsum("tbk,tbh->kh", previous(h0, hs), da)
    return da @ U.T, dh, dU, dW, np.einsum("tbh->h", da)
    ### END SOLUTION 3.3b


def readout_backward(dys, hs, V):
    ### BEGIN SOLUTION 3.3c
    flat, said = hs.reshape(-1, hs.shape[-1]), dys.reshape(-1, dys.shape[-1])
    return np.einsum("tbo,ho->tbh", dys, V), flat.T @ said, said.sum(0)
    ### END SOLUTION 3.3c


def contributions(dys, xs, h0, hs, U, W, V):
    ### BEGIN SOLUTION 3.4
    # As the formula says it: a sum over losses, and for each a product of Jacobians from k + 1 to the loss.
    T, B, H = hs.shape
    steps, arrived = jacobians(hs, W), np.zeros((T, B, H))
    for k in range(T):
        product = np.broadcast_to(np.eye(H), (B, H, H))
        for loss in range(k, T):
            if loss > k:
                product = product @ steps[loss]
            arrived[k] += np.einsum("bkh,bh->bk", product, dys[loss] @ V.T)
    da = arrived * (1 - hs**2)
    return (
        np.einsum("tbi,tbh->tih", xs, da),
        np.einsum("tbk,tbh->tkh", previous(h0, hs), da),
        np.einsum("tbh,tbo->tho", hs, dys),
    )
    ### END SOLUTION 3.4


def window_backward(dhs, xs, h0, hs, U, W, k2):
    ### BEGIN SOLUTION 3.5a
    beginning = np.concatenate((h0[np.newaxis], hs))[-k2 - 1]
    return states_backward(dhs[-k2:], xs[-k2:], beginning, hs[-k2:], U, W)[2:]
    ### END SOLUTION 3.5a


def truncated(dhs, xs, h0, U, W, b, k1, k2):
    ### BEGIN SOLUTION 3.5b
    everything = np.concatenate((h0[np.newaxis], states(xs, h0, U, W, b)))
    ends = [*range(k1, len(xs), k1), len(xs)]
    gradients = []
    for old, end in zip([0, *ends], ends):
        first = max(0, end - k2)
        told = np.where(np.arange(first, end)[:, None, None] >= old, dhs[first:end], 0.0)
        window = states_backward(told, xs[first:end], everything[first], everything[first + 1 : end + 1], U, W)
        gradients.append(window[2:])
    return gradients
    ### END SOLUTION 3.5b


def update(weights, reads, says, rate):
    ### BEGIN SOLUTION 3.6a
    U, W, b, V, c = weights
    rows = np.arange(len(reads))
    xs, h0 = np.eye(len(U))[np.array(reads)].reshape(len(reads), 1, -1), np.zeros((1, len(W)))
    hs = states(xs, h0, U, W, b)
    ys = (hs @ V + c)[:, 0, :]
    p = np.exp(ys - np.max(ys, 1)[:, None])
    p /= p.sum(1)[:, None]
    dys = p.copy()
    dys[rows, says] -= 1
    dhs, dV, dc = readout_backward(dys[:, None, :] / len(reads), hs, V)
    slopes = [*states_backward(dhs, xs, h0, hs, U, W)[2:], dV, dc]
    largest = ys.max(axis=1)
    loss = np.mean(largest + np.log(np.exp(ys - largest[:, None]).sum(axis=1)) - ys[rows, says])
    return [weight - rate * slope for weight, slope in zip(weights, slopes)], float(loss)
    ### END SOLUTION 3.6a


def write(weights, first, length):
    ### BEGIN SOLUTION 3.6b
    U, W, b, V, c = weights
    letter, h, text = first, np.zeros(len(b)), []
    for _ in range(length):
        text.append(letter)
        h = np.tanh(U[letter] + h @ W + b)
        letter = int(np.argmax(h @ V + c))
    return text
    ### END SOLUTION 3.6b
