"""Scopes, names, nodes, and ops of one's own."""

import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine import graph
from tinygrad_rnn.engine.modes import modes, recording, scope_text, step_of
from tinygrad_rnn.engine.recorder import Recorder
from tinygrad_rnn.errors import GraphError, ShapeError


@pytest.fixture
def x():
    return tg.tensor([1.0, 2.0], dtype="float64", requires_grad=True)


# ---- scopes and names ---------------------------------------------------------------------------------------------


def test_scopes_nest_and_are_restored_after_an_error(x):
    with tg.scope("lstm"):
        with tg.scope("t", 3):
            assert (x * x).scope == (("lstm", None), ("t", 3))
        with pytest.raises(ZeroDivisionError), tg.scope("t", 4):
            raise ZeroDivisionError
        assert (x * x).scope == (("lstm", None),)
    assert (x * x).scope == ()


def test_one_scope_object_can_be_entered_again_inside_itself(x):
    again = tg.scope("cell")
    with again:
        with again:
            assert (x * x).scope == (("cell", None), ("cell", None))
        assert (x * x).scope == (("cell", None),)
    assert modes.scope == ()


def test_scopes_belong_to_their_thread(x):
    seen = []
    with tg.scope("main"):
        thread = threading.Thread(target=lambda: seen.append((x * x).scope))
        thread.start()
        thread.join()
    assert seen == [()]


def test_scope_text_and_step():
    parts = (("lstm", None), ("t", 3), ("forget_gate", None), ("t", 5))
    assert scope_text(parts) == "lstm/t=3/forget_gate/t=5"
    assert step_of(parts) == 5
    assert step_of(parts[:3]) == 3
    assert step_of(parts[:1]) is None
    assert step_of(()) is None


def test_named_returns_the_tensor_and_names_this_output_alone(x):
    a, b = x.split(1)
    assert a.named("h") is a
    assert (a.name, b.name, x.name) == ("h", None, None)
    assert a.named("c").name == "c"


def test_a_node_describes_itself(x):
    with tg.scope("gru"), tg.scope("t", 0):
        y = x.tanh()
    assert y._node.describe() == "tanh (in gru/t=0)"
    assert x._node.describe() == "leaf"


def test_a_square_has_two_edges_to_its_parent(x):
    y = x * x
    assert y._node.parents == (x.edge, x.edge)


def test_a_freed_node_has_no_inputs_to_hand_out(x):
    y = (x * x).sum()
    y.backward()
    for ask in (y._node.input, y._node.needs_grad, y._node.input_shape):
        with pytest.raises(GraphError, match="the graph behind sum was freed"):
            ask(0)


def test_every_op_is_called_by_its_class_in_lower_case_unless_it_says_otherwise():
    class Twice(tg.Op):
        pass

    class Thrice(Twice):
        name = "three_times"

    class FourTimes(Thrice):
        pass

    assert (Twice.name, Thrice.name, FourTimes.name) == ("twice", "three_times", "fourtimes")


# ---- ops of one's own ---------------------------------------------------------------------------------------------


class MinMax(tg.Op):
    """Two outputs from one input; the attribute says along which axis."""

    @staticmethod
    def forward(backend, x, *, axis):
        return backend.reduce("min", x, (axis,), False), backend.reduce("max", x, (axis,), False)

    @staticmethod
    def vjp(node, low, high):
        x, axis = node.input(0), node.attrs["axis"]
        total = None
        for k, g in enumerate((low, high)):
            if g is not None:
                part = g.unsqueeze(axis) * (x == node.output(k).unsqueeze(axis))
                total = part if total is None else total + part
        return total


def test_an_op_of_ones_own_with_several_outputs():
    x = tg.tensor([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]], dtype="float64", requires_grad=True)
    low, high = tg.apply(MinMax, x, axis=1)
    assert low.tolist() == [1.0, 4.0]
    assert high.tolist() == [3.0, 6.0]
    assert low._node is high._node
    (low * 10.0 + high).sum().backward()
    assert x.grad.tolist() == [[1.0, 10.0, 0.0], [10.0, 1.0, 0.0]]
    assert tg.gradcheck(lambda x: tg.apply(MinMax, x, axis=0), x)
    assert tg.gradgradcheck(lambda x: tg.apply(MinMax, x * x, axis=1), x)


@pytest.mark.parametrize("used", [0, 1])
def test_an_output_that_is_not_used_comes_as_none(used):
    seen = []

    class Watched(MinMax):
        @staticmethod
        def vjp(node, low, high):
            seen.append((low is None, high is None))
            return MinMax.vjp(node, low, high)

    x = tg.tensor([[3.0, 1.0]], requires_grad=True)
    tg.apply(Watched, x, axis=1)[used].sum().backward()
    assert seen == [(used != 0, used != 1)]
    assert x.grad.tolist() == [[1.0, 0.0] if used else [0.0, 1.0]]


def test_hooks_names_and_grad_tell_outputs_of_one_node_apart():
    x = tg.tensor([[3.0, 1.0]], requires_grad=True)
    low, high = tg.apply(MinMax, x, axis=1)
    seen = []
    high.register_hook(lambda g: seen.append(g.tolist()))
    low.retain_grad()
    (low * 2.0 + high * 5.0).sum().backward(retain_graph=True)
    assert seen == [[5.0]]
    assert low.grad.tolist() == [2.0]
    with pytest.warns(UserWarning, match="result of minmax"):
        assert high.grad is None
    by_low, by_high = tg.grad((low * high).sum(), [low, high])
    assert by_low.tolist() == [3.0]
    assert by_high.tolist() == [1.0]


def op_with_vjp(rule, arity=2):
    class Sum2(tg.Op):
        name = "sum2"

        @staticmethod
        def forward(backend, *xs):
            return backend.binary("add", xs[0], xs[-1])

        @staticmethod
        def vjp(node, g):
            return rule(node, g)

    return Sum2


@pytest.mark.parametrize(
    "messages", [lambda n, g: (g,), lambda n, g: g, lambda n, g: (g, g, g), lambda n, g: [], lambda n, g: ()]
)
def test_a_vjp_with_the_wrong_number_of_messages_is_named(messages, x):
    with tg.scope("mine"):
        y = tg.apply(op_with_vjp(messages), x, x)
    with pytest.raises(
        GraphError, match=r"vjp of sum2 \(in mine\) returned [013] messages for 2 inputs; return one for each"
    ):
        y.sum().backward()


@pytest.mark.parametrize("messages", [lambda n, g: [g, g], lambda n, g: (g, g)])
def test_messages_may_come_as_list_or_tuple(messages, x):
    tg.apply(op_with_vjp(messages), x, x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_one_message_may_come_without_a_tuple_and_none_means_no_gradient(x):
    tg.apply(op_with_vjp(lambda n, g: g), x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    y = tg.tensor([5.0, 5.0], dtype="float64", requires_grad=True)
    tg.apply(op_with_vjp(lambda n, g: (None, g)), x, y).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    assert y.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("message", [1.0, np.ones(2), [1.0, 1.0]], ids=["number", "array", "list"])
def test_a_message_that_is_no_tensor_is_named(message, x):
    y = tg.apply(op_with_vjp(lambda n, g: (g, message)), x, x)
    with pytest.raises(
        GraphError, match=rf"vjp of sum2 returned a {type(message).__name__} for input 1; return a tensor"
    ):
        y.sum().backward()


@pytest.mark.host
def test_an_op_may_return_what_numpy_reduces_to_a_scalar():
    class Total(tg.Op):
        @staticmethod
        def forward(backend, x):
            return np.sum(x)

        @staticmethod
        def vjp(node, g):
            return g.broadcast_to(node.input_shape(0))

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = tg.apply(Total, x)
    assert y.item() == 3.0
    assert y.shape == ()
    assert "3." in repr(y)
    (y * y).backward()
    assert x.grad.tolist() == [6.0, 6.0]


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 3)])
def test_a_message_that_does_not_fit_its_input_is_named(shape, x):
    with tg.scope("mine"):
        y = tg.apply(op_with_vjp(lambda n, g: (g, g._zeros(shape))), x, x)
    with pytest.raises(
        ShapeError, match=r"vjp of sum2 \(in mine\) returned a message of shape .* for an input of shape \(2,\)"
    ):
        y.sum().backward()


def test_messages_are_brought_to_the_shape_and_dtype_of_their_input():
    column = tg.ones(2, 1, requires_grad=True)
    double = tg.ones(2, 3, dtype="float64", requires_grad=True)
    tg.apply(op_with_vjp(lambda n, g: (g, g.sum())), column, double).sum().backward()
    assert column.grad.dtype == tg.float32
    assert column.grad.tolist() == [[3.0], [3.0]]
    assert double.grad.dtype == tg.float64
    assert double.grad.tolist() == [[6.0] * 3] * 2  # a message may also be smaller, and is then repeated


def test_a_result_that_only_gets_none_passes_nothing_on(x):
    h = x.exp()
    h.register_hook(lambda g: pytest.fail("no gradient came"))
    low, high = tg.apply(MinMax, x.reshape(1, 2), axis=0)
    nothing = op_with_vjp(lambda n, g: (None,) * len(n.parents))
    (tg.apply(nothing, h, low) + tg.apply(nothing, high) + x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_needs_grad_lets_a_vjp_skip_work(x):
    asked = []
    constant = tg.ones(2, dtype="float64")

    def rule(node, g):
        asked.append([node.needs_grad(0), node.needs_grad(1)])
        return g, g

    tg.apply(op_with_vjp(rule), constant, x).sum().backward()
    assert asked == [[False, True]]
    assert constant.grad is None


def test_an_error_in_ones_own_forward_names_the_op():
    class Picky(tg.Op):
        hint = "it wants three elements"

        @staticmethod
        def forward(backend, x, *, mode):
            raise ValueError("inner")

    class Terse(Picky):
        hint = ""

    with (
        pytest.raises(
            ShapeError, match=r"picky: cannot work on shape \(2,\) with mode=fast \(in t=1\): it wants three"
        ),
        tg.scope("t", 1),
    ):
        tg.apply(Picky, tg.ones(2), mode="fast")
    with pytest.raises(ShapeError, match=r"terse: .*: inner"):
        tg.apply(Terse, tg.ones(2), mode="fast")


def test_the_base_class_has_no_rules():
    class Empty(tg.Op):
        pass

    class OnlyForward(tg.Op):
        @staticmethod
        def forward(backend, x):
            return backend.copy(x)

    with pytest.raises(NotImplementedError):
        tg.apply(Empty, tg.ones(1))
    with pytest.raises(NotImplementedError):
        tg.apply(OnlyForward, tg.ones(1, requires_grad=True)).backward()


def test_many_inputs_are_named_by_their_first_few():
    with pytest.raises(ShapeError, match=r"shapes \(1,\) and \(2,\) and \(3,\) and \(4,\) \.\.\. with axis=0"):
        tg.stack([tg.ones(n) for n in range(1, 7)])


# ---- recorders ----------------------------------------------------------------------------------------------------


class Log(Recorder):
    def __init__(self):
        self.events = []

    def op(self, node, inputs, op, attrs):
        self.events.append((op.name, [x.shape for x in inputs], node.outputs[0].shape, attrs, modes.grad_enabled))

    def assigned(self, target, value):
        self.events.append(("assign_", target, value))


@pytest.fixture
def log():
    found = Log()
    with recording(found):
        yield found


def test_a_recorder_receives_every_op_and_assign_in_order_whatever_the_mode(log, x):
    y = (x * 2.0).sum(axis=0)
    with tg.no_grad():
        z = x.exp()
    y.backward()
    x.assign_(z)
    names = [event[0] for event in log.events]
    assert names[:3] == ["mul", "sum", "exp"]
    assert "mul" in names[3:-1]  # the backward pass
    assert names[-1] == "assign_"
    assert log.events[1] == ("sum", [(2,)], (), {"axes": (0,), "keepdims": False}, True)
    assert log.events[2][4] is False
    assert log.events[-1][1] is x
    assert log.events[-1][2] is z


def test_a_recorded_backward_pass_writes_nothing_in_place(log, x, monkeypatch):
    monkeypatch.setattr(x._node.backend, "add_into", lambda *a: pytest.fail("a write that no recorder saw"))
    y = x * 1.0
    (y + y + y + y.exp()).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 3.0 + np.exp([1.0, 2.0]))


def test_a_recorder_of_one_thread_does_not_see_another(log, x):
    thread = threading.Thread(target=lambda: x * x)
    thread.start()
    thread.join()
    assert log.events == []


def test_a_number_is_a_constant_made_once(x):
    one, two = (x * 2.5)._node, (x + 2.5)._node
    assert one.parents[1] == two.parents[1]
    assert one.parents[1][0].constant
    assert not x._node.constant
    (y,) = tg.grad((x * -0.0).sum(), [x])
    assert np.signbit(y.numpy()).all()
    (y,) = tg.grad((x * 0.0).sum(), [x])
    assert not np.signbit(y.numpy()).any()


def test_the_cache_of_constants_is_bounded(x):
    from tinygrad_rnn.engine import constants

    for i in range(2 * constants._MOST_CONSTANTS):
        x + (i + 0.5)
    assert len(constants._constants) <= constants._MOST_CONSTANTS
    assert (x + 0.5).tolist() == [1.5, 2.5]


def test_serial_numbers_grow_over_all_threads(x):
    made = []

    def work():
        made.extend((x * x)._node.serial for _ in range(200))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 600
    assert graph.next_serial() > max(made)
