"""Tensors with two roles, memory in two hands, two recorders, two threads: what a tape must tell apart or refuse."""

import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tape.steps import numbers_of
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, optim, tape
from tinygrad_rnn.engine.modes import recording
from tinygrad_rnn.engine.recorder import Recorder
from tinygrad_rnn.errors import DTypeError, InputError, MutationError, TapeError

ONES = (1.0, 1.0)


def pair(a, b=None):
    return tg.tensor([a, a if b is None else b])


# ---- recorders and what is made in the step -------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [tg.detect_anomaly, lambda: recording(Recorder())])
def test_another_recorder_inside_the_step_changes_nothing(inside):
    table = tg.arange(6.0).reshape(3, 2)

    def step(ids, x):
        with inside():
            return F.embedding(ids, table), x.detach() * 2.0, tg.tensor(x), tg.eye(2)

    t = tape.record(step, tg.tensor([0]), pair(1.0))
    given = tg.tensor([2]), pair(3.0)
    assert numbers_of(t.replay(*given)) == numbers_of(step(*given))


def test_what_is_made_and_overwritten_in_the_step_starts_anew_in_every_replay():
    def step(x):
        total, grid, w = tg.tensor(0.0), tg.eye(2), tg.ones(2, requires_grad=True)
        total.assign_(total + x.sum())
        grid.assign_(grid * x)
        sgd = optim.SGD([w], 0.5)
        (w * x).sum().backward()
        sgd.step()
        sgd.lr = sgd.lr * 0.5
        return total, grid, w.detach(), sgd.lr.detach()

    t = tape.record(step, pair(1.0))
    wanted = numbers_of(step(pair(2.0, 3.0)))
    t.result[1].assign_(tg.zeros(2, 2))  # the first result is the user's
    assert numbers_of(t.replay(pair(2.0, 3.0))) == wanted
    assert numbers_of(t.replay(pair(2.0, 3.0))) == wanted


def test_a_generator_that_the_step_makes_begins_anew():
    t = tape.record(lambda x: x + tg.randn(2, generator=tg.Generator(7)), pair(0.0))
    first = t.result.tolist()
    assert t.replay(pair(0.0)).tolist() == t.replay(pair(0.0)).tolist() == first


# ---- who requires grad, who has hooks -------------------------------------------------------------------------------


def test_an_input_requires_grad_as_when_it_was_recorded():
    def step(x):
        y = (x * x).sum()
        if y.requires_grad:
            y.backward()
        return y

    without = tape.record(step, pair(1.0))
    learning = tg.ones(2, requires_grad=True)
    with pytest.raises(TapeError, match=r"inputs\[0\] did not require grad when the step was recorded, and does now"):
        without.replay(learning)
    with pytest.raises(TapeError, match="did not require grad"):
        without.replay(learning * 2.0)
    with_grad = tape.record(step, learning)
    with pytest.raises(TapeError, match="did require grad when the step was recorded, and does not now"):
        with_grad.replay(pair(1.0))
    other = tg.ones(2, requires_grad=True)
    with_grad.replay(other)
    assert other.grad.tolist() == [2.0, 2.0]
    assert learning.grad.tolist() == [2.0, 2.0]


def test_the_step_must_not_change_who_requires_grad_or_add_hooks_to_what_was_there():
    w = tg.ones(2, requires_grad=True)

    def freezes(x):
        (w * x).sum().backward()
        w.requires_grad = False

    def hooks(x):
        w.register_hook(lambda g: g * 2.0)
        (w * x).sum().backward()

    w.named("w")
    with pytest.raises(TapeError, match="the step sets requires_grad of w, which was there before"):
        tape.record(freezes, pair(1.0))
    w.requires_grad, w.grad = True, None
    with pytest.raises(TapeError, match="the step registers a hook on w, which was there before"):
        tape.record(hooks, pair(1.0))


def test_hooks_that_come_or_go_between_replays_are_an_error():
    w = tg.ones(2, requires_grad=True).named("w")

    def step(x):
        w.grad = None
        (w * x).sum().backward()

    t = tape.record(step, pair(1.0))
    handle = w.register_hook(lambda g: g * 10.0)
    with pytest.raises(TapeError, match="w has other hooks than before; record the step once more"):
        t.replay(pair(1.0))
    handle.remove()
    t.replay(pair(3.0))
    assert w.grad.tolist() == [3.0, 3.0]


# ---- one tensor in two roles ----------------------------------------------------------------------------------------


def test_a_gradient_that_is_something_else_as_well_is_refused():
    w, v = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    sgd = optim.SGD([w, v], 0.1)
    g = w.grad = v.grad = pair(1.0)
    with pytest.raises(TapeError, match=r"uses the gradient of a tensor .* also as another tensor"):
        tape.record(lambda x: (sgd.step(), x)[1], pair(1.0))
    v.grad = pair(2.0)
    with pytest.raises(TapeError, match="uses the gradient of"):
        tape.record(lambda g: (sgd.step(), g * 2.0)[1], w.grad)
    with pytest.raises(TapeError, match="a gradient that the step starts from is the variable g, too"):
        tape.record(lambda x: (sgd.step(), x * g)[1], pair(1.0))


def test_a_gradient_with_a_graph_behind_it_is_refused():
    w = tg.ones(2, requires_grad=True)
    (w * w).sum().backward(create_graph=True)
    with pytest.raises(TapeError, match="with a graph behind it, of create_graph=True"):
        tape.record(lambda x: (w.grad * x).sum(), pair(1.0))


def test_inputs_that_lie_in_the_memory_of_each_other_or_of_what_is_overwritten_are_refused():
    w = tg.ones(2)

    def step(x, y):
        w.assign_(x + y)
        return w

    t = tape.record(step, pair(1.0), pair(2.0))
    x = pair(1.0)
    with pytest.raises(TapeError, match="one tensor comes twice among the inputs"):
        t.replay(x, x)
    with pytest.raises(TapeError, match=r"inputs\[1\] lies in memory that the step overwrites; pass x.copy\(\)"):
        t.replay(x, w.detach())
    with pytest.raises(TapeError, match="an input lies in memory that the step overwrites"):
        tape.record(step, pair(1.0), w.detach())


def test_a_write_through_a_view_is_noticed_by_graphs_that_read_the_whole():
    h = pair(1.0)
    for step in (lambda x: h.detach().assign_(x), lambda x: h.reshape(2, 1).assign_(x.reshape(2, 1)).sum()):
        t = tape.record(step, pair(1.0))
        v = tg.ones(2, requires_grad=True)
        older = (v * h).sum()
        t.replay(pair(5.0))
        assert h.tolist() == [5.0, 5.0]
        with pytest.raises(MutationError):
            older.backward()


def test_results_that_lie_in_one_memory_do_so_after_a_replay():
    w = tg.ones(2, requires_grad=True)

    def step(x):
        w.grad = None
        y = x * 2.0
        (w * y).sum().backward()
        return y, y.reshape(2, 1), w.grad.detach()

    for run in (step, tape.record(step, pair(1.0)).replay):
        y, column, gradient = run(pair(1.0))
        for written, other in ((column, y), (w.grad, gradient)):
            v = tg.ones(*other.shape, requires_grad=True)
            loss = (v * other).sum()
            written.assign_(written * 3.0)
            with pytest.raises(MutationError):
                loss.backward()


def test_a_gradient_never_lies_in_the_memory_of_an_input():
    w = tg.ones(4, requires_grad=True)

    def step(g):
        w.grad = None
        w.reshape(2, 2).backward(g)
        return w.grad

    a = tg.arange(4.0).reshape(2, 2)
    recorded = tape.record(step, a.T.copy())
    strided = a.T.detach()
    assert recorded.replay(strided).tolist() == step(strided).tolist()
    recorded.replay(strided)
    strided.assign_(tg.zeros(2, 2))
    assert w.grad.tolist() == [0.0, 2.0, 1.0, 3.0]
    with pytest.raises(TapeError, match="lie in another order in memory"):
        tape.record(step, a.T.detach()).replay(a)


def test_what_cannot_be_written_is_the_error_of_assign_():
    def step(x):
        x.assign_(tg.zeros(2))

    t = tape.record(step, pair(1.0))
    with pytest.raises(TapeError, match="an input that the step overwrites lies in another order in memory"):
        t.replay(tg.from_numpy(np.broadcast_to(np.float32(1.0), (2,))))


# ---- settings -------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    scale = 1.0

    def __init__(self):
        self.layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        self.act = F.relu
        self.half = np.float32(0.5)

    def forward(self, x):
        return self.act(self.layers(x)) * self.scale * float(self.half)

    def encode(self, x):
        return F.dropout(x, 0.5, self.training)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda net: setattr(net, "layers", nn.Sequential(nn.Linear(2, 2))),
            r"Net\.layers was a Sequential and is now",
        ),
        (
            lambda net: setattr(net.layers, "0", nn.Linear(2, 2)),
            r"Sequential\.0 was a Linear and is now something else",
        ),
        (lambda net: setattr(net.layers, "2", nn.Linear(2, 2)), "Sequential.names of modules was"),
        (
            lambda net: setattr(net, "act", F.tanh if hasattr(F, "tanh") else F.gelu),
            r"Net\.act was a function and is now",
        ),
        (lambda net: setattr(net, "scale", 5.0), r"Net\.scale was 1\.0 and is now 5\.0"),
        (lambda net: setattr(net, "half", np.float32(0.25)), r"Net\.half was 0\.5 and is now 0\.25"),
    ],
)
def test_modules_that_are_not_what_they_were_are_an_error(change, said):
    net = Net()
    t = tape.record(net, pair(1.0))
    t.replay(pair(2.0))
    change(net)
    with pytest.raises(TapeError, match=said):
        t.replay(pair(2.0))


def test_a_module_of_which_a_method_is_called_is_watched_as_well():
    net = Net()
    t = tape.record(lambda x: net.encode(x), pair(1.0))  # noqa: PLW0108  (the method alone has net as its object)
    net.eval()
    with pytest.raises(TapeError, match=r"Net\.training was True and is now False"):
        t.replay(pair(1.0))


def test_plain_inputs_are_compared_by_what_they_are():
    t = tape.record(lambda x, n: x * n, pair(1.0), 0.0)
    for other in (-0.0, 0, False):
        with pytest.raises(InputError, match=r"inputs\[1\] was 0\.0"):
            t.replay(pair(1.0), other)
    t = tape.record(lambda x, n: x * n, pair(1.0), float("nan"))
    assert np.isnan(t.replay(pair(1.0), float("nan")).numpy()).all()


def test_steps_that_are_no_plain_functions_can_be_recorded():
    x, late = tg.ones(2, 2), []

    def step(x):
        return x if late else x * unknown

    unknown = 2.0
    assert tape.record(x.matmul, tg.eye(2)).replay(tg.eye(2)).tolist() == x.tolist()
    assert tape.record(step, x).replay(x).tolist() == (x * 2.0).tolist()


# ---- data that come in sideways -------------------------------------------------------------------------------------


class Like:
    def __array__(self, dtype=None, copy=None):
        return np.array([0, 1])


class Masked(tg.Op):
    @staticmethod
    def forward(backend, x, *, mask):
        return np.where(mask, x, 0.0).astype(x.dtype)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda x: F.embedding([0, 1], x), "uses ids that are no tensor"),
        (lambda x: x[Like()], "uses an index that is of type Like"),
        (lambda x: x.take(memoryview(np.array([0])), 0), "uses an index that is of type memoryview"),
        (lambda x: tg.apply(Masked, x, mask=np.array([[True], [False]])), "hands data to masked as mask="),
    ],
)
def test_data_that_come_in_as_indices_ids_or_attributes_are_refused(step, said):
    step(tg.ones(2, 2))
    with pytest.raises(TapeError, match=said):
        tape.record(step, tg.ones(2, 2))


# ---- threads --------------------------------------------------------------------------------------------------------


def together(*works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_gradients_that_threads_add_at_the_same_time_are_not_lost():
    w = tg.zeros(3, requires_grad=True)

    def step(x):
        (w * x).sum().backward()

    step(tg.ones(3))
    t = tape.record(step, tg.ones(3))

    def replay():
        for _ in range(40):
            t.replay(tg.ones(3))

    def eager():
        for _ in range(40):
            step(tg.ones(3))

    together(replay, replay, eager)
    assert w.grad.tolist() == [122.0] * 3


def test_threads_never_draw_the_same_numbers():
    tg.manual_seed(0)
    t = tape.record(lambda x: tg.rand(1), tg.ones(1))
    drawn = [t.result.item()]

    def replay():
        drawn.extend(t.replay(tg.ones(1)).item() for _ in range(100))

    together(replay, replay, lambda: drawn.extend(tg.rand(1).item() for _ in range(100)))
    assert len(set(drawn)) == 301


# ---- JSON -----------------------------------------------------------------------------------------------------------


def test_a_text_is_refused_where_it_would_tear_apart_or_mix_up():
    base = tg.zeros(4)
    part = base[:2]

    def step(x):
        part.assign_(part + x)
        return base + 0.0

    t = tape.record(step, pair(1.0))
    assert t.replay(pair(1.0)).tolist() == [2.0, 2.0, 0.0, 0.0]
    with pytest.raises(TapeError, match="lies in the memory of"):
        t.to_json()

    def scaled(by):
        class Scaled(tg.Op):
            @staticmethod
            def forward(backend, x):
                return x * np.float32(by)

        return Scaled

    two, three = scaled(2), scaled(3)
    with pytest.raises(DTypeError, match=r"there are two ops called .*Scaled"):
        tape.record(lambda x: tg.apply(two, x) + tg.apply(three, x), pair(1.0)).to_json()
    text = tape.record(lambda x: tg.apply(two, x), pair(1.0)).to_json()
    with pytest.raises(InputError, match="there are two ops called"):
        tape.from_json(text, ops=[two, three])
    assert tape.from_json(text, ops=[two]).replay(pair(1.0)).tolist() == [2.0, 2.0]


def test_a_gradient_that_is_gone_is_named_when_the_text_is_written():
    w = tg.ones(2, requires_grad=True).named("w")

    def step(x):
        (w * x).sum().backward()

    step(pair(1.0))
    t = tape.record(step, pair(1.0))
    w.grad = None
    with pytest.raises(TapeError, match="the step starts from a gradient of w, and there is none now"):
        t.to_json()


class Listed(tg.Op):
    @staticmethod
    def forward(backend, x, *, rows):
        return x[rows] if isinstance(rows, list) else x * np.float32(100.0)


def test_lists_stay_lists():
    def step(x):
        return [tg.apply(Listed, x, rows=[1, 0]), (x, {"a": x * 2.0})]

    again = tape.from_json(tape.record(step, pair(1.0)).to_json(), ops=[Listed])
    given = pair(1.0, 2.0)
    assert str(again.replay(given)) == str(step(given))


def test_a_tape_cannot_be_pickled_and_says_what_to_do():
    import pickle

    with pytest.raises(TapeError, match="write to_json"):
        pickle.dumps(tape.record(lambda x: x * 2.0, pair(1.0)))


def test_the_first_replay_of_a_long_step_takes_linear_time():
    def step(x):
        for _ in range(3000):
            x = x * 1.0001
        return x

    t = tape.record(step, pair(1.0))
    contents = t._contents
    player = tape.tape.Player(contents)
    assert sum(len(over) for *_, over in player._program) == len(contents.instructions) - 1
