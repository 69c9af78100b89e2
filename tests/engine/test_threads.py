"""Two threads compute at the same time, each in its own modes, and get the numbers one would get."""

import os
import signal
import sys
import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.engine.test_memory import rnn, rnn_loss
from tests.recording import Recording
from tinygrad_rnn.backends import cpu_loops, locks
from tinygrad_rnn.engine import creation, graph
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
    from tinygrad_rnn.engine import constants

    x = tg.ones(1, dtype="float64")

    def work():
        for i in range(3 * constants._MOST_CONSTANTS):
            assert (x * (i + 0.25)).item() == i + 0.25

    together(work, work)


def test_backward_in_four_threads_loses_no_gradient_of_a_shared_leaf():
    w = tg.ones(4, 4, dtype="float64", requires_grad=True)
    y = (w * 1.0).retain_grad()
    x = tg.ones(2, 4, dtype="float64")

    def work():
        for _ in range(50):
            (x @ w).sum().backward()
            y.sum().backward(retain_graph=True)

    together(*[work] * 4)
    assert y.grad.tolist() == [[200.0] * 4] * 4
    assert w.grad.tolist() == [[600.0] * 4] * 4


class FirstAnother:
    """A lock before which somebody else always comes in between, once."""

    def __init__(self, monkeypatch, comes):
        self.undo, self.comes = monkeypatch.undo, comes
        monkeypatch.setattr(graph, "attaching", self)

    def __enter__(self):
        self.undo()
        self.comes()

    def __exit__(self, *error):
        pass


def test_what_hangs_on_a_node_is_made_once_whoever_comes_first(monkeypatch):
    node = tg.ones(1, requires_grad=True)._node
    made = []
    FirstAnother(monkeypatch, lambda: made.append(node.info(0)))
    assert node.info(0) is made[0]
    FirstAnother(monkeypatch, lambda: made.append(node.info(2)))
    assert node.info(1) is not node.info(2) is made[1]
    FirstAnother(monkeypatch, lambda: made.append(node.shared_storage()))
    assert node.shared_storage() is made[2]
    FirstAnother(monkeypatch, lambda: node.set_name(1, "second"))
    node.set_name(0, "first")
    assert node.names == {0: "first", 1: "second"}


def test_hooks_registered_and_removed_in_threads_are_all_there_and_all_gone():
    x = tg.ones(1, requires_grad=True)
    calls, handles = [], []

    def register():
        for _ in range(100):
            handles.append(x.register_hook(calls.append))

    together(register, register, lambda: [x.sum().backward() for _ in range(20)])
    calls.clear()
    x.sum().backward()
    assert len(calls) == 200
    together(*[lambda: [handle.remove() for handle in handles]] * 2)
    x.sum().backward()
    assert len(calls) == 200


def test_nobody_draws_between_the_writes_of_a_new_seed():
    generator = tg.Generator(1)
    generator.draw("uniform", (1,), "float32")
    free = []

    class Watch(Recording):
        def assigned(self, target, value):
            together(lambda: free.append(creation.drawing.acquire(blocking=False)))

    with Watch():
        generator.manual_seed(2)
    assert free == [False, False]


@pytest.mark.host
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_another_thread_holds_every_lock_computes():
    held, may_release = threading.Event(), threading.Event()
    waits_for_a_fork = cpu_loops._compile_lock  # held during the fork itself

    def hold(rest):
        if rest:
            with rest[0]:
                hold(rest[1:])
        else:
            held.set()
            assert may_release.wait(timeout=60)

    every = [lock for lock in locks._made if lock is not waits_for_a_fork]
    assert len(every) >= 3
    holder = threading.Thread(target=hold, args=(every,))
    holder.start()
    assert held.wait(timeout=60)
    child = os.fork()
    if not child:
        signal.alarm(20)  # a child that hangs is ended
        x = tg.randn(3, requires_grad=True)
        x.detach()
        tg.manual_seed(1)
        (x * tg.rand(3)).sum().backward()
        cpu_loops.Loops("unary")["neg", np.dtype("float32")]
        os._exit(0)
    _, status = os.waitpid(child, 0)
    may_release.set()
    holder.join()
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.host
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_waits_for_the_compiler():
    holding, fork_begins, order = threading.Event(), threading.Event(), []

    def compiler():
        with cpu_loops._compile_lock:
            holding.set()
            assert fork_begins.wait(timeout=60)
            for _ in range(20):
                threading.Event().wait(1e-4)  # lets the other thread run
            order.append("compiled")

    holder = threading.Thread(target=compiler)
    holder.start()
    assert holding.wait(timeout=60)
    before_fork.append(fork_begins.set)
    child = os.fork()
    if not child:
        os._exit(0)
    order.append("forked")
    before_fork.clear()
    os.waitpid(child, 0)
    holder.join()
    assert order == ["compiled", "forked"]
    assert cpu_loops._compile_lock.acquire(timeout=60)
    cpu_loops._compile_lock.release()


before_fork = []
if hasattr(os, "register_at_fork"):  # registered last, so that it runs first; it stays for good
    os.register_at_fork(before=lambda: [call() for call in before_fork])
