"""Small networks to draw, by name; all in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn
from tinygrad_rnn.flow import FlowReport, backward_graph, gradient_flow
from tinygrad_rnn.viz.picture import picture
from tinygrad_rnn.viz.shapes import Picture


def unrolled(kind: str = "LSTM", steps: int = 3, batch: int = 2, hidden: int = 4) -> Tensor:
    """A cell run step by step, with one loss at the end."""
    tg.manual_seed(0)
    net = getattr(nn, kind)(3, hidden, dtype="float64")
    outputs, _ = nn.unroll(net.cell(), tg.randn(steps, batch, 3, dtype="float64"))
    return (outputs[-1] * outputs[-1]).sum(axis=1)


def module(kind: str = "LSTM", steps: int = 3, **options: object) -> Tensor:
    """Layers of cells, step by step."""
    tg.manual_seed(0)
    net = getattr(nn, kind)(3, 4, dtype="float64", **options)
    output, _ = net.unroll(tg.randn(steps, 2, 3, dtype="float64"))
    return (output[-1] * output[-1]).sum(axis=1)


def hoisted(kind: str, steps: int = 3, **options: object) -> Tensor:
    """What no step needs from the one before is computed outside time: projections, the output layer, the losses."""
    tg.manual_seed(0)
    net = getattr(nn, kind)(3, 4, dtype="float64", **options)
    output, _ = net(tg.randn(steps, 2, 3, dtype="float64").named("x"))
    logits = nn.Linear(output.shape[-1], 5, dtype="float64")(output)
    return (logits * logits).sum(axis=2).sum(axis=0)


def loss_at_every_step(kind: str = "GRU", steps: int = 3) -> Tensor:
    tg.manual_seed(0)
    net = getattr(nn, kind)(3, 4, dtype="float64")
    layer = nn.Linear(4, 5, dtype="float64")
    outputs, _ = nn.unroll(net.cell(), tg.randn(steps, 2, 3, dtype="float64"))
    losses = []
    for t, h in enumerate(outputs):
        with tg.scope("t", t):
            losses.append((layer(h) * layer(h)).sum(axis=1).named("loss"))
    return tg.stack(losses).sum(axis=0)


def last_of_reverse(steps: int = 3) -> Tensor:
    """The reverse direction alone: the first step is the last to be computed."""
    tg.manual_seed(0)
    net = nn.RNN(3, 4, bidirectional=True, dtype="float64")
    outputs, _ = nn.unroll(net.cell(reverse=True), tg.randn(steps, 2, 3, dtype="float64"), reverse=True)
    return outputs[0].sum(axis=1)


def own_cell(named: bool = True, steps: int = 4) -> Tensor:
    """A student's cell: leaves and ops, no module."""
    rng = np.random.default_rng(0)
    w, u, v = (
        tg.tensor(rng.normal(0, 0.5, (4, size)), requires_grad=True).named(name)
        for name, size in (("W", 3), ("U", 4), ("V", 4))
    )
    h, m = tg.zeros(2, 4, dtype="float64").named("h0"), tg.zeros(2, 4, dtype="float64").named("m0")
    for t in range(steps):
        with tg.scope("t", t):
            keep = (m @ v.T).sigmoid()
            m = keep * m + (1 - keep) * (tg.tensor(rng.normal(size=(2, 3))) @ w.T + h @ u.T)
            h = m.tanh()
        if named:
            keep.named("keep"), m.named("c"), h.named("h")
    return h.square().sum(axis=1)


def exploding(steps: int = 8) -> Tensor:
    tg.manual_seed(0)
    net = nn.RNN(3, 8, nonlinearity="relu", dtype="float64")
    nn.init.orthogonal_(net.weight_hh_l0, 4.0)
    outputs, _ = nn.unroll(net.cell(), tg.randn(steps, 2, 3, dtype="float64"))
    return outputs[-1].square().sum(axis=1)


def without_gradient() -> Tensor:
    tg.manual_seed(0)
    outputs, _ = nn.unroll(nn.LSTMCell(3, 4, dtype="float64"), tg.randn(3, 2, 3, dtype="float64"))
    return (outputs[-1] * 0.0).sum(axis=1)


def with_nan() -> Tensor:
    x = np.ones((3, 2, 3))
    x[1, 0, 0] = np.nan
    tg.manual_seed(0)
    outputs, _ = nn.unroll(nn.LSTMCell(3, 4, dtype="float64"), tg.tensor(x))
    return outputs[-1].sum(axis=1)


def perceptron() -> Tensor:
    """No time at all."""
    tg.manual_seed(0)
    first, second = nn.Linear(3, 8, dtype="float64"), nn.Linear(8, 2, dtype="float64")
    x = tg.randn(5, 3, dtype="float64").named("x")
    return second(first(x).tanh()).square().sum(axis=1)


def expression() -> tuple[Tensor, Tensor]:
    """A leaf, and what is computed from it and another."""
    a = tg.tensor(2.0, requires_grad=True).named("a")
    b = tg.tensor(-3.0, requires_grad=True).named("b")
    return a, ((a * b + 10.0).tanh() * a).named("L")


LOSSES: dict[str, Callable[[], Tensor]] = {
    "rnn": partial(unrolled, "RNN"),
    "lstm": unrolled,
    "gru": partial(unrolled, "GRU"),
    "one step": partial(unrolled, "LSTM", 1),
    "two steps": partial(unrolled, "GRU", 2),
    "two layers": partial(module, num_layers=2),
    "both directions": partial(module, "RNN", bidirectional=True),
    "two layers, both directions": partial(module, num_layers=2, bidirectional=True),
    "hoisted": partial(hoisted, "LSTM"),
    "hoisted, two layers, both directions": partial(hoisted, "GRU", num_layers=2, bidirectional=True),
    "a loss at every step": loss_at_every_step,
    "reverse alone": last_of_reverse,
    "own cell": own_cell,
    "own cell without names": partial(own_cell, named=False),
    "exploding": exploding,
    "zero": without_gradient,
    "nan": with_nan,
    "long": partial(unrolled, "LSTM", 40),
    "long, losses": partial(loss_at_every_step, "RNN", 40),
    "long, two layers, both directions": partial(module, steps=40, num_layers=2, bidirectional=True),
    "no time": perceptron,
}
#: Networks whose picture has places of steps.
TIMED = [name for name in LOSSES if name != "no time"]


@cache
def report(name: str) -> FlowReport:
    """Return the report of a network; "backward of NAME" is that of its backward pass."""
    if name.startswith("backward of "):
        return backward_graph(LOSSES[name.removeprefix("backward of ")]())
    return gradient_flow(LOSSES[name]())


@cache
def drawn(name: str, level: str | None = None, window: tuple[int, int] | None = None) -> Picture:
    """Return the picture of a network; nobody may change it."""
    return picture(report(name), level, window)
