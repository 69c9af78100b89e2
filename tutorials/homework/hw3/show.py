"""What your functions can do now: python show.py teaches a network "hello" and draws where your own dh vanish.

Nothing is to be written in this file. Here tinygrad_rnn draws and your `bptt.py` computes: a step is one vertex of a graph,
dressed as `tinygrad_rnn.engine.protocol` asks, and what it sends back is what your step_backward returns. Put the `engine.py`
of homework 1 beside this file and the same network is also differentiated by it, op by op.
"""

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np

import bptt  # yours
from tinygrad_rnn import viz
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.viz import plots

engine = importlib.import_module("engine") if Path(__file__).with_name("engine.py").is_file() else None  # hw1, yours
ALPHABET, WORD = "helo", "hello"
numbers = itertools.count(1)


class Vertex:
    """What was computed, from what, and how a gradient is sent back: what the tensors of homework 1 are as well."""

    def __init__(self, data, parents=(), vjp=None, op=None):
        self.data, self.parents, self.vjp, self.op = np.asarray(data), parents, vjp, op


class Dressed:
    """A vertex as gradient flow and pictures want it, as a value and as a vertex of a graph."""

    engine = sys.modules[__name__]
    attrs, constant, grad, requires_grad = {}, False, None, True

    def __init__(self, vertex, name=None, role=None, step=None):
        self.vertex, self.serial = vertex, next(numbers)
        self.names, self.roles = {0: name} if name else None, {0: role} if role else None
        self.scope = () if step is None else (("t", step),)
        self.shape, self.size, self.op_name = vertex.data.shape, vertex.data.size, vertex.op
        self.outputs = (vertex.data,)
        dressed[vertex] = self

    @property
    def edge(self):
        return self, 0

    @property
    def parents(self):
        return tuple((dressed[parent], 0) for parent in self.vertex.parents)

    def numpy(self):
        return self.vertex.data

    def item(self):
        return self.vertex.data.item()

    def values(self, index=0):
        return self.vertex.data

    def grad_of(self, index):
        return None

    def describe(self):
        return self.op_name or "leaf"


class Message:
    """A gradient on its way."""

    def __init__(self, data):
        self.data, self.size = data, np.size(data)

    def numpy(self):
        return self.data

    def item(self):
        return self.data.item()


class Sums(dict):
    def add(self, edge, message):
        self[edge] = Message(self[edge].data + message.data) if edge in self else message

    so_far = dict.get


gather = Sums
dressed = {}


def topological(roots):
    seen, waiting = set(), list(roots)
    while waiting:
        vertex = waiting.pop()
        if vertex not in seen:
            seen.add(vertex)
            waiting += [parent for parent, _ in vertex.parents]
    return sorted(seen, key=lambda vertex: vertex.serial)


def walk(order, seeds, observer):
    sums = observer.sums = Sums()
    for edge, seed in seeds:
        sums.add(edge, seed)
    while order:
        vertex = order.pop()
        grads = observer.complete(vertex, (sums.pop((vertex, 0)),) if (vertex, 0) in sums else ())
        if grads and vertex.parents:
            messages = vertex.vertex.vjp(grads[0].data)
            for position, (edge, message) in enumerate(zip(vertex.parents, messages)):
                observer.receive(vertex, position, edge, Message(message))


def ones_like(x):
    return Message(np.ones(x.shape))


def norm(message):
    return float(np.sqrt((message.data**2).sum()))


def share(message, gradient, size):
    return float((message.data / size * (gradient.data / size)).sum())


def your_step(x, h, U, W, b):
    """Return the vertex of a step; its way back is your step_backward."""
    after = bptt.step(x.data, h.data, U.data, W.data, b.data)

    def way_back(g):
        return bptt.step_backward(g, x.data, h.data, after, U.data, W.data)

    return Vertex(after, (x, h, U, W, b), way_back, "step")


def surprise(h, V, c, right):
    """Return the vertex of -log of the probability of the right letter; its way back is your readout_backward."""
    y = bptt.readout(h.data, V.data, c.data)
    chances = np.exp(y - y.max()) / np.exp(y - y.max()).sum()

    def way_back(g):
        dy = g * (chances - bptt.one_hot([right], y.size))
        dhs, dV, dc = bptt.readout_backward(dy[None], h.data[None], V.data)
        return dhs[0], dV, dc

    return Vertex(-np.log(chances[0, right]), (h, V, c), way_back, "surprise")


def network(weights, text, by_engine=False):
    """Return the loss of the last letter of a text, dressed, after reading those before it."""
    leaf = engine.Tensor if by_engine else Vertex
    letters = [ALPHABET.index(letter) for letter in text]
    U, W, b, V, c = (Dressed(leaf(weight), name).vertex for weight, name in zip(weights, "UWbVc"))
    h = Dressed(leaf(np.zeros((1, len(W.data)))), "h0").vertex
    for t, letter in enumerate(letters[:-1], 1):
        x = Dressed(leaf(bptt.one_hot([letter], len(ALPHABET))), "x", step=t).vertex
        h = (x @ U + h @ W + b).tanh() if by_engine else your_step(x, h, U, W, b)
        dress_all_before(h, t)
        Dressed(h, "h", "state", t)
    if by_engine:
        chosen = Dressed(leaf(-bptt.one_hot(letters[-1:], len(ALPHABET))), "-right").vertex
        loss = ((h @ V + c).log_softmax() * chosen).sum()
    else:
        loss = surprise(h, V, c, letters[-1])
    dress_all_before(loss)
    return Dressed(loss, "loss")


def dress_all_before(end, step=None):
    """Dress the ops of homework 1's engine that have no name."""
    for vertex in engine.topological(end)[:-1] if isinstance(end, getattr(engine, "Tensor", ())) else ():
        if vertex not in dressed:
            Dressed(vertex, step=step)


def learn(seed):
    """Return weights before and after a hundred updates, and tell what they write."""
    word = [ALPHABET.index(letter) for letter in WORD]
    first = weights = bptt.start(seed)
    for number in range(101):
        if number in (0, 1, 2, 5, 10, 100):
            written = "".join(ALPHABET[letter] for letter in bptt.write(weights, word[0], len(word)))
            print(f"after {number:3} updates it writes {written}")
        weights, _ = bptt.update(weights, word[:-1], word[1:], 1.0)
    return first, weights


def main():
    first, trained = learn(0)
    text = WORD * 6
    flows = {
        "as it starts": viz.gradient_flow(network(first, text)),
        "trained": viz.gradient_flow(network(trained, text)),
    }
    for name, flow in flows.items():
        sizes = flow.hidden_grad / flow.hidden_grad[-1]
        print(f"{name}: the gradient of the last of {len(text)} letters {flow.verdict}; of your dh is left,")
        print("    " + ",  ".join(f"{sizes[-1 - lag]:.0e} after {lag} steps back" for lag in (1, 5, 10, 20)))
    viz.render(viz.draw(viz.gradient_flow(network(trained, WORD))), "hello.svg")
    print(f"written: hello.svg, {WORD} as a graph, with what your step_backward sends along each edge")
    plots.save(plots.through_time(flows), "vanishing", ["svg"])
    print("written: vanishing.svg, how much of dh is left at each step")
    if engine is not None:
        own, other = flows["trained"].hidden_grad, viz.gradient_flow(network(trained, text, by_engine=True)).hidden_grad
        off = np.abs(own / other - 1).max()
        print(f"by your engine of homework 1: dh is the same, up to a part of {off:.0e}" if off < 1e-9 else
              f"by your engine of homework 1: dh differs, by up to {off:.0%}; one of the two is wrong")  # fmt: skip
        viz.render(viz.draw(viz.gradient_flow(network(trained, WORD, by_engine=True))), "ops.svg")
        print("written: ops.svg, the same graph op by op")


if __name__ == "__main__":
    try:
        main()
    except NotImplementedError as error:
        sys.exit(f"it takes all functions: {error}")
    except MissingToolError as error:
        sys.exit(str(error))
