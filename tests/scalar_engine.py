"""An engine of one's own, as a student writes it: single numbers that remember how they were computed.

It has what `tinygrad_rnn.engine.protocol` asks for and nothing of this library's engine, so gradient flow, pictures and
listings must work on it as they do on tensors.
"""

from __future__ import annotations

import itertools
import math
import sys
from contextlib import contextmanager

import numpy as np

_serial = itertools.count(1)
_scope: list[tuple[str, int | None]] = []


@contextmanager
def scope(name, index=None):
    _scope.append((name, index))
    yield
    _scope.pop()


class Value:
    """A number, the op that made it, and the local derivative by each of its inputs."""

    engine = sys.modules[__name__]
    shape, size, attrs = (), 1, {}

    def __init__(self, data, parents=(), op_name=None, slopes=(), constant=False, requires_grad=True):
        self.data, self.op_name, self.slopes, self.constant = float(data), op_name, slopes, constant
        self.parents = tuple((parent, 0) for parent in parents)
        self.requires_grad = any(p.requires_grad for p in parents) if op_name else requires_grad and not constant
        self.serial = next(_serial)
        self.scope = tuple(_scope) if op_name else ()
        self.names = self.roles = self.grad = None

    # ---- arithmetic

    def __add__(self, other):
        other = _value(other)
        return Value(self.data + other.data, (self, other), "add", (1.0, 1.0))

    def __mul__(self, other):
        other = _value(other)
        return Value(self.data * other.data, (self, other), "mul", (other.data, self.data))

    def tanh(self):
        y = math.tanh(self.data)
        return Value(y, (self,), "tanh", (1 - y * y,))

    def named(self, name, role=None):
        self.names = {0: name}
        self.roles = {0: role} if role else None
        return self

    # ---- what the protocol asks of a value and of its vertex; here they are one

    @property
    def edge(self):
        return self, 0

    @property
    def outputs(self):
        return (np.asarray(self.data),)

    def numpy(self):
        return np.asarray(self.data)

    def item(self):
        return self.data

    def values(self, index=0):
        return np.asarray(self.data)

    def grad_of(self, index):
        return self.grad

    def describe(self):
        return self.op_name or "leaf"


def _value(x):
    return x if isinstance(x, Value) else Value(x, constant=True)


# ---- the engine


class Sums(dict):
    def add(self, edge, message):
        self[edge] = Value(self[edge].data + message.data) if edge in self else message

    so_far = dict.get


gather = Sums


def topological(roots):
    seen, waiting = set(), list(roots)
    while waiting:
        node = waiting.pop()
        if node.requires_grad and node not in seen:
            seen.add(node)
            waiting.extend(parent for parent, _ in node.parents)
    return sorted(seen, key=lambda node: node.serial)


def walk(order, seeds, observer):
    sums = observer.sums = Sums()
    for edge, seed in seeds:
        sums.add(edge, seed)
    while order:
        node = order.pop()
        grads = observer.complete(node, (sums.pop((node, 0)),) if (node, 0) in sums else ())
        for position, (edge, slope) in enumerate(zip(node.parents, node.slopes, strict=True) if grads else ()):
            if edge[0].requires_grad:
                observer.receive(node, position, edge, Value(grads[0].data * slope))


def ones_like(x):
    return Value(1.0)


def norm(message):
    return abs(message.data)


def share(message, gradient, size):
    return message.data / size * (gradient.data / size)
