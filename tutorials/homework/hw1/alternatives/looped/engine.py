"""Another right solution: loops in place of array operations, and other ideas about order."""

import numpy as np

### BEGIN YOURS
from collections import Counter

SLOPES = {
    "neg": lambda x, y: x * 0 - 1,
    "exp": lambda x, y: np.exp(x),
    "log": lambda x, y: x**-1.0,
    "sqrt": lambda x, y: x**-0.5 / 2,
    "reciprocal": lambda x, y: -1 / x**2,
    "tanh": lambda x, y: 1 / np.cosh(x) ** 2,
    "sigmoid": lambda x, y: 1 / (2 + np.exp(x) + np.exp(-x)),
    "relu": lambda x, y: np.where(x > 0, 1.0, 0.0),
}


def everything_below(root):
    found, waiting = {id(root): root}, [root]
    while waiting:
        for parent in waiting.pop().parents:
            if id(parent) not in found:
                found[id(parent)] = parent
                waiting.append(parent)
    return list(found.values())


### END YOURS


def slope(op, x, y):
    ### BEGIN SOLUTION 1.1
    return SLOPES[op](x, y)
    ### END SOLUTION 1.1


def topological(root):
    ### BEGIN SOLUTION 1.2
    # Count the uses; whoever has no use left is next, from the end on.
    uses = Counter(id(parent) for tensor in everything_below(root) for parent in tensor.parents)
    order, ready = [], [root]
    while ready:
        tensor = ready.pop()
        order.append(tensor)
        for parent in tensor.parents:
            uses[id(parent)] -= 1
            if not uses[id(parent)]:
                ready.append(parent)
    order.reverse()
    return order
    ### END SOLUTION 1.2


def backward(root):
    ### BEGIN SOLUTION 1.3a
    total = {id(root): np.ones(root.data.shape)}
    for tensor in topological(root)[::-1]:
        if tensor.parents:
            messages = tensor.vjp(total[id(tensor)])
            for number, parent in enumerate(tensor.parents):
                total[id(parent)] = total.get(id(parent), 0.0) + messages[number]
        elif tensor.grad is None:
            tensor.grad = np.array(total[id(tensor)])
        else:
            tensor.grad = tensor.grad + total[id(tensor)]
    ### END SOLUTION 1.3a


def zero_grad(leaves):
    ### BEGIN SOLUTION 1.3b
    for tensor in leaves:
        tensor.grad = np.zeros(tensor.data.shape)
    ### END SOLUTION 1.3b


def unbroadcast(message, shape):
    ### BEGIN SOLUTION 1.4
    while message.ndim > len(shape):
        message = message.sum(axis=0)
    for axis in range(len(shape)):
        if shape[axis] == 1 and message.shape[axis] > 1:
            message = message.sum(axis=axis, keepdims=True)
    return message
    ### END SOLUTION 1.4


def matmul_messages(g, a, b):
    ### BEGIN SOLUTION 1.5a
    return np.einsum("mn,kn->mk", g, b), np.einsum("mk,mn->kn", a, g)
    ### END SOLUTION 1.5a


def sum_message(g, x, axis):
    ### BEGIN SOLUTION 1.5b
    return np.ones(x.shape) * (g if axis is None else np.expand_dims(g, axis))
    ### END SOLUTION 1.5b


def max_message(g, x, axis):
    ### BEGIN SOLUTION 1.5c
    columns = np.moveaxis(x, axis, 0)
    found = np.zeros(columns.shape)
    for place in np.ndindex(*columns.shape[1:]):
        column = columns[(slice(None), *place)]
        winners = np.flatnonzero(column == column.max())
        for winner in winners:
            found[(winner, *place)] = g[place] / len(winners)
    return np.moveaxis(found, 0, axis)
    ### END SOLUTION 1.5c


def log_softmax(x):
    ### BEGIN SOLUTION 1.5d
    return np.array([row - row.max() - np.log(sum(np.exp(row - row.max()))) for row in x])
    ### END SOLUTION 1.5d


def log_softmax_message(g, y):
    ### BEGIN SOLUTION 1.5e
    rows = []
    for sent, row in zip(g, y):
        softmax = np.exp(row)
        rows.append((np.eye(len(row)) - softmax[:, None]) @ sent)
    return np.array(rows)
    ### END SOLUTION 1.5e


def gradcheck(f, x, gradient):
    ### BEGIN SOLUTION 1.6
    if np.shape(gradient) != x.shape:
        return False
    flat = x.ravel()
    for number, claimed in enumerate(np.ravel(gradient)):
        slopes = []
        for step in (1e-6, -1e-6):
            moved = flat.copy()
            moved[number] += step
            slopes.append((f(moved.reshape(x.shape)) - f(x)) / step)
        low, high = sorted(slopes)
        if not low - 1e-4 < claimed < high + 1e-4:
            return False
    return True
    ### END SOLUTION 1.6
