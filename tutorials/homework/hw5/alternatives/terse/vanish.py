"""Another right solution: in few words; a GRU whose update gate keeps."""

import math

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import tasks
from tinygrad_rnn.train import SequenceModel

### BEGIN YOURS
### END YOURS


def predicted_horizon(W, states, unit):
    ### BEGIN SOLUTION 5.1
    g = np.random.default_rng(0).standard_normal((8, states.shape[1], len(W)))  # follow the gradient of any loss back
    slopes, start, lag = (1 - states**2 if unit == "tanh" else states - states**2), np.linalg.norm(g), 0
    while np.linalg.norm(g) >= 0.01 * start:
        if lag == 2000 or np.linalg.norm(g) > 1e6 * start:
            return math.inf
        g, lag = (g * slopes[-1 - lag % len(slopes)]) @ W, lag + 1
    return lag
    ### END SOLUTION 5.1


def jacobian(W, h):
    ### BEGIN SOLUTION 5.2a
    return np.einsum("bj,jk->bjk", 1 - h * h, W)
    ### END SOLUTION 5.2a


def product(W, states, lag):
    ### BEGIN SOLUTION 5.2b
    eye = np.tile(np.eye(len(W)), (states.shape[1], 1, 1))
    return jacobian(W, states[-1]) @ product(W, states[:-1], lag - 1) if lag else eye
    ### END SOLUTION 5.2b


def singular_values(J, precision):
    ### BEGIN SOLUTION 5.2c
    values = np.array([np.linalg.svd(each, compute_uv=False) for each in J])
    values[values < precision * values.max(axis=1, keepdims=True)] = np.nan
    return values
    ### END SOLUTION 5.2c


def bound(W, lag):
    ### BEGIN SOLUTION 5.2d
    return np.linalg.svd(W)[1][0] ** lag
    ### END SOLUTION 5.2d


def reach(flow, threshold):
    ### BEGIN SOLUTION 5.3a
    if flow["verdict"] == "withheld":
        return None
    below = {
        kind: [size < threshold * sizes[-1] for size in sizes[::-1]] + [True] for kind, sizes in flow["states"].items()
    }
    kind = max(below, key=lambda kind: below[kind].index(True))
    return kind, below[kind].index(True) if any(below[kind][:-1]) else None
    ### END SOLUTION 5.3a


def path(flow):
    ### BEGIN SOLUTION 5.3b
    return max(flow["layers"][0]["why"]["states"][reach(flow, 0.01)[0]]["shares"].items(), key=lambda way: way[1])
    ### END SOLUTION 5.3b


def carrier(flow):
    ### BEGIN SOLUTION 5.3c
    about = flow["layers"][0]["why"]["states"][reach(flow, 0.01)[0]]
    logs = 2 * about["lag"] * np.log(about["gate_units"])
    p = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    return p.argmax(), 1 / (p @ p), math.exp(logs.max() / 2) * math.sqrt(np.exp(logs - logs.max()).mean())
    ### END SOLUTION 5.3c


def pulls(u, v, x, y):
    ### BEGIN SOLUTION 5.4a
    return 2 * v / x.shape[1] * (x @ (u * v * x.sum(0) - y))
    ### END SOLUTION 5.4a


def settle(x, y, u, v):
    ### BEGIN SOLUTION 5.4b
    s = x.sum(0)
    return (y @ s) / (s @ s) / v, v
    ### END SOLUTION 5.4b


TASK = tasks.FirstBitTask(steps=50)
HIDDEN = 32
UPDATES, BATCH = 500, 32


def failing(seed):
    tg.manual_seed(seed)
    return SequenceModel.for_task(TASK, "lstm", HIDDEN), {"optimizer": "Adam", "lr": 5e-3}


def mended(seed):
    ### BEGIN SOLUTION 5.5
    tg.manual_seed(seed)
    return SequenceModel.for_task(TASK, "gru:update_bias=3", HIDDEN), {"optimizer": "Adam", "lr": 3e-3}
    ### END SOLUTION 5.5
