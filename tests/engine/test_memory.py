"""Memory comes back at once, without the garbage collector; long graphs need no recursion."""

import contextlib
import gc
import os
import subprocess
import sys
import textwrap
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.graph import Node

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def rnn_loss(w, u, b, xs):
    h = tg.zeros(xs.shape[1], w.shape[0])
    for t in range(xs.shape[0]):
        with tg.scope("t", t):
            h = (xs[t] @ u + h @ w + b).tanh().named("h")
    return (h * h).mean()


def rnn(hidden=8, steps=12, batch=4):
    w, u = tg.randn(hidden, hidden, requires_grad=True), tg.randn(3, hidden, requires_grad=True)
    return w, u, tg.zeros(hidden, requires_grad=True), tg.randn(steps, batch, 3)


def train_step(w, u, b, xs):
    rnn_loss(w, u, b, xs).backward()
    for p in (w, u, b):
        p.assign_(p.detach() - 0.01 * p.grad)
        p.grad = None


def test_a_graph_dies_with_its_last_tensor(no_collector):
    w, u, b, xs = rnn()
    loss = rnn_loss(w, u, b, xs)
    nodes, waiting = [], [loss._node]
    while waiting:
        node = waiting.pop()
        if node.op is not None:
            nodes.append(weakref.ref(node))
            waiting.extend(parent for parent, _ in node.parents)
    assert len(nodes) > 60
    del node, loss
    assert all(ref() is None for ref in nodes)


@pytest.mark.parametrize("kept", [False, True])
def test_backward_frees_the_way_back_unless_told_not_to(no_collector, kept):
    x = tg.ones(3, requires_grad=True)
    inner = x * 2.0
    ref = weakref.ref(inner._node)
    loss = inner.exp().sum()
    del inner
    loss.backward(retain_graph=kept)
    assert (ref() is not None) == kept
    del loss
    assert ref() is None


def test_hooks_retained_gradients_and_names_do_not_keep_a_graph_alive(no_collector):
    x = tg.ones(3, requires_grad=True)
    y = (x * 2.0).named("h").retain_grad()
    remove = y.register_hook(lambda g: g * 1.0)
    x.register_hook(lambda g: None)
    (y * y).sum().backward()
    ref = weakref.ref(y._node)
    del y
    remove()
    del remove
    assert ref() is None


def test_higher_derivatives_do_not_keep_a_graph_alive(no_collector):
    x = tg.ones(3, requires_grad=True)
    first = tg.grad((x * x * x).sum(), x, create_graph=True)
    second = tg.grad(first.sum(), x, create_graph=True)
    refs = [weakref.ref(first._node), weakref.ref(second._node)]
    del first, second
    assert [ref() for ref in refs] == [None, None]


def test_transforms_and_an_error_keep_nothing(no_collector):
    x = tg.ones(2, dtype="float64")
    out, pullback = tg.vjp(lambda x: x.exp(), x)
    ref = weakref.ref(out._node)
    pullback(out.detach())
    tg.hessian(lambda x: x.exp().sum(), x)
    del out, pullback
    assert ref() is None
    y = tg.ones(2, requires_grad=True).exp()
    ref = weakref.ref(y._node)
    with contextlib.suppress(tg.errors.GraphError):
        y.backward()
    del y
    assert ref() is None


def test_200_training_steps_leave_no_tensor_and_no_array_behind(no_collector):
    model = rnn(hidden=32, steps=6, batch=16)

    def living():
        return sum(type(thing) in (Node, tg.Tensor) for thing in gc.get_objects())

    tracemalloc.start()
    try:
        for _ in range(5):
            train_step(*model)
        nodes, before = living(), tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            train_step(*model)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert living() == nodes
    assert after - before < 500_000  # one step makes arrays of 200 kB


@pytest.mark.process
def test_200_training_steps_do_not_grow_the_process():
    """Its peak, in a process of its own: a step's graph has 1 MB, so that 1 step leaked in 20 would show."""
    pytest.importorskip("resource")
    program = """
        import gc, resource, sys
        from tests.engine.test_memory import rnn, train_step
        gc.disable()
        model = rnn(hidden=32, steps=20, batch=64)
        peaks = []
        for step in range(220):
            train_step(*model)
            if step in (20, 219):
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        print((peaks[1] - peaks[0]) * (1 if sys.platform == "darwin" else 1024))
    """
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, cwd=ROOT, env=one_thread, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8e6


def chain(length):
    x = tg.tensor(0.0, requires_grad=True)
    one = tg.tensor(1.0)
    y = x
    for _ in range(length):
        y = y + one
    return x, y


@pytest.mark.parametrize("length", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_long_chain_runs_forward_and_backward_and_is_freed(no_collector, length):
    x, y = chain(length)
    assert y.item() == length
    y.backward(retain_graph=True)
    assert x.grad.item() == 1.0
    middle = y._node
    for _ in range(length // 2):
        middle = middle.parents[0][0]
    ref = weakref.ref(middle)
    del middle
    y.backward()  # frees it link by link
    assert x.grad.item() == 2.0
    assert ref() is None
    x, y = chain(length)
    ref = weakref.ref(y._node)
    del y  # frees it all at once
    assert ref() is None


@pytest.mark.parametrize("steps", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_long_rnn(steps):
    limit = sys.getrecursionlimit()
    w, u, b, xs = rnn(hidden=2, steps=steps, batch=1)
    sys.setrecursionlimit(200)
    try:
        rnn_loss(w, u, b, xs).backward()
    finally:
        sys.setrecursionlimit(limit)
    assert all(np.isfinite(p.grad.numpy()).all() for p in (w, u, b))
    assert b.grad.numpy().any()


def test_backward_holds_few_gradients_at_once(no_collector):
    x = tg.ones(50_000, dtype="float64", requires_grad=True)
    y = x
    for _ in range(60):
        y = y.tanh()
    loss = y.sum()
    tracemalloc.start()
    try:
        loss.backward(retain_graph=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * 400_000  # of the 60 gradients of 400 kB


def test_errors_do_not_keep_the_inputs_alive(no_collector):
    a, b = tg.ones(2), tg.ones(3)
    ref = weakref.ref(a._node)
    with contextlib.suppress(tg.errors.ShapeError):
        _ = a + b
    del a
    assert ref() is None
