"""Two threads compute at the same time, each in its own modes, and get the numbers one would get."""

import sys
import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.engine.test_memory import rnn, rnn_loss
from tinygrad_rnn.errors import AnomalyError


def together(*works):
    """Run functions in threads that start at the same moment and switch often; raise what they raised."""
    barrier, errors = threading.Barrier(len(works)), []

    def guarded(work):
        try:
            barrier.wait()
            work()
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


def gradients(w, u, b, xs):
    loss = rnn_loss(w, u, b, xs)
    return [g.numpy().copy() for g in tg.grad(loss, [w, u, b])] + [loss.numpy()]


def test_forward_and_backward_in_two_threads_over_shared_weights():
    w, u, b, _ = rnn()
    inputs = [tg.randn(12, 4, 3), tg.randn(12, 4, 3)]
    expected = [gradients(w, u, b, xs) for xs in inputs]

    def work(i):
        for _ in range(30):
            for found, wanted in zip(gradients(w, u, b, inputs[i]), expected[i], strict=True):
                np.testing.assert_array_equal(found, wanted)

    together(lambda: work(0), lambda: work(1))


def test_backward_in_two_threads_over_graphs_of_their_own():
    models = [rnn(), rnn()]

    def work(i):
        *parameters, xs = models[i]
        first = None
        for _ in range(30):
            rnn_loss(*parameters, xs).backward()
            found = [p.grad.numpy().copy() for p in parameters]
            first = first or found
            for a, b in zip(found, first, strict=True):
                np.testing.assert_array_equal(a, b)
            for p in parameters:
                p.grad = None

    together(lambda: work(0), lambda: work(1))


def test_modes_belong_to_their_thread():
    x = tg.ones(2, requires_grad=True)

    def silent():
        for i in range(500):
            with tg.no_grad(), tg.scope("silent", i):
                assert not (x * x).requires_grad

    def loud():
        for i in range(500):
            with tg.scope("loud", i):
                y = x * x
            assert y.requires_grad
            assert y.scope == (("loud", i),)
            (g,) = tg.grad(y.sum(), [x], create_graph=True)
            assert g.requires_grad

    def watching():
        for _ in range(200):
            with pytest.raises(AnomalyError), tg.detect_anomaly():
                tg.zeros(1).log()

    def careless():
        for _ in range(500):
            assert tg.zeros(1).log().item() == -float("inf")

    together(silent, loud, watching, careless)


def test_one_decorated_function_in_two_threads_restores_the_mode_of_each():
    """The first enters first and leaves first, so that what both remember cannot be one stack."""
    x = tg.ones(1, requires_grad=True)
    first_entered, second_entered, first_left = (threading.Event() for _ in range(3))
    after = {}

    @tg.no_grad()
    def silent(entered, may_leave):
        entered.set()
        assert may_leave.wait(timeout=60)

    def first():
        silent(first_entered, second_entered)
        after["first"] = (x * x).requires_grad
        first_left.set()

    def second():
        with tg.no_grad():
            assert first_entered.wait(timeout=60)
            silent(second_entered, first_left)
            after["second"] = (x * x).requires_grad

    together(first, second)
    assert after == {"first": True, "second": False}


def test_a_new_thread_starts_with_gradients_enabled_and_no_scope():
    x = tg.ones(2, requires_grad=True)
    seen = []
    with tg.no_grad(), tg.scope("outer"):
        together(lambda: seen.append(x * x))
    assert seen[0].requires_grad
    assert seen[0].scope == ()


def test_constants_made_in_two_threads_at_once():
    from tinygrad_rnn.engine import tensor

    x = tg.ones(1, dtype="float64")

    def work():
        for i in range(3 * tensor._MOST_CONSTANTS):
            assert (x * (i + 0.25)).item() == i + 0.25

    together(work, work)
