"""What your engine can do now: python show.py draws two graphs, computed and differentiated by your `engine.py`.

Here tinygrad_rnn draws, but your engine computes: each of your tensors is dressed as `tinygrad_rnn.engine.protocol` asks.
Nothing is to be written in this file. The RNN takes some steps, and the verdict says whether its gradient gets back.
"""

import itertools
import sys

import numpy as np

import engine  # yours
from tinygrad_rnn import viz


class Dressed:
    """A tensor of yours, as a value and as a vertex of a graph."""

    engine = sys.modules[__name__]
    attrs, constant, grad = {}, False, None

    def __init__(self, tensor):
        self.tensor, self.scope, self.names, self.roles, self.serial = tensor, (), None, None, 0
        self.shape, self.size, self.op_name = tensor.data.shape, tensor.data.size, tensor.op
        self.outputs, self.requires_grad = (tensor.data,), True

    @classmethod
    def of(cls, tensor):
        if tensor not in dressed:
            dressed[tensor] = cls(tensor)
        return dressed[tensor]

    @property
    def edge(self):
        return self, 0

    @property
    def parents(self):
        return tuple((Dressed.of(parent), 0) for parent in self.tensor.parents)

    def named(self, name, role=None):
        self.names, self.roles = {0: name}, {0: role} if role else None
        return self

    def numpy(self):
        return self.tensor.data

    def item(self):
        return self.tensor.data.item()

    def values(self, index=0):
        return self.tensor.data

    def grad_of(self, index):
        return None

    def describe(self):
        return self.op_name or "leaf"


class Sums(dict):
    def add(self, edge, message):
        self[edge] = Dressed(engine.Tensor(self[edge].numpy() + message.numpy())) if edge in self else message

    so_far = dict.get


gather = Sums
numbers, dressed = itertools.count(1), {}


def topological(roots):
    """Return the order that your engine finds, dressed; whoever is met for the first time gets the next number."""
    order = list(dict.fromkeys(Dressed.of(tensor) for root in roots for tensor in engine.topological(root.tensor)))
    for each in order:
        each.serial = each.serial or next(numbers)
    return order


def walk(order, seeds, observer):
    sums = observer.sums = Sums()
    for edge, seed in seeds:
        sums.add(edge, seed)
    while order:
        vertex = order.pop()
        grads = observer.complete(vertex, (sums.pop((vertex, 0)),) if (vertex, 0) in sums else ())
        if grads and vertex.parents:
            messages = vertex.tensor.vjp(grads[0].numpy())
            for position, (edge, message) in enumerate(zip(vertex.parents, messages)):
                observer.receive(vertex, position, edge, Dressed(engine.Tensor(message)))


def ones_like(x):
    return Dressed(engine.Tensor(np.ones(x.shape)))


def norm(message):
    return float(np.sqrt((message.numpy() ** 2).sum()))


def share(message, gradient, size):
    return float((message.numpy() / size * (gradient.numpy() / size)).sum())


def rnn(steps, recurrent):
    """Return the loss of an Elman network after some steps, dressed; its weights are as large as `recurrent` says."""
    draw = np.random.default_rng(0)
    w, u = recurrent * np.linalg.qr(draw.standard_normal((4, 4)))[0], 0.1 * draw.standard_normal((2, 4))
    w, u, h = engine.Tensor(w), engine.Tensor(u), engine.Tensor(np.zeros((1, 4)))
    Dressed.of(w).named("W")
    Dressed.of(u).named("U")
    Dressed.of(h).named("h0")
    seen = {h, w, u}
    for step in range(steps):
        x = engine.Tensor(draw.standard_normal((1, 2)))
        h = (h @ w + x @ u).tanh()
        Dressed.of(x).named("x")
        Dressed.of(h).named("h", role="state")
        for tensor in engine.topological(h):
            if tensor not in seen:
                seen.add(tensor)
                Dressed.of(tensor).scope = (("t", step),)
    loss = Dressed.of((h * h).sum())
    topological([loss])
    return loss


def main():
    x = engine.Tensor(3.0)
    Dressed.of(x).named("x")
    square = Dressed.of(x * x)
    viz.render(viz.draw(viz.gradient_flow(square)), "square.svg")
    print("written: square.svg, x * x with its two edges")
    for recurrent in (0.5, 1.0):
        flow = viz.gradient_flow(rnn(12, recurrent))
        print(f"an RNN with recurrent weights of size {recurrent}: its gradient {flow.verdict}")
    viz.render(viz.draw(flow), "rnn.svg")
    print("written: rnn.svg")


if __name__ == "__main__":
    try:
        main()
    except NotImplementedError as error:
        sys.exit(f"it takes a finished engine: {error}")
