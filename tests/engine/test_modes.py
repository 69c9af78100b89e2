"""Modes as decorators: right on functions, refused on what runs later than its call; names and scopes are checked."""

import asyncio
import contextlib
import functools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.errors import AnomalyError, DTypeError, GraphError, InputError

MODES = {
    "no_grad": tg.no_grad,
    "enable_grad": tg.enable_grad,
    "detect_anomaly": tg.detect_anomaly,
    "scope": lambda: tg.scope("part", 3),
}


def state():
    return modes.grad_enabled, modes.scope, len(modes.recorders)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_decorated_function_runs_in_the_mode_and_keeps_its_name(mode):
    with mode():
        inside = state()

    @mode()
    def observed(depth):
        """Says so."""
        return [state(), *(observed(depth - 1) if depth else [])]

    deeper = observed(1)
    assert deeper[0] == inside
    assert state() == (True, (), 0)
    assert (observed.__name__, observed.__doc__) == ("observed", "Says so.")

    @mode()
    def failing():
        raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert state() == (True, (), 0)


def test_parentheses_may_be_left_out():
    @tg.no_grad
    def silent():
        return state()

    @tg.enable_grad
    def loud():
        return state()

    @tg.detect_anomaly
    def careful():
        return tg.zeros(1).log()

    assert silent() == (False, (), 0)
    with tg.no_grad():
        assert loud() == (True, (), 0)
    with pytest.raises(AnomalyError):
        careful()


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_one_object_can_be_entered_again_inside_itself(mode):
    again = mode()
    with again, again:
        inner = state()
    assert state() == (True, (), 0)
    with again:
        assert state()[0] == inner[0]


def generator():
    yield state()


async def coroutine():
    return state()


async def async_generator():
    yield state()


class Callable:
    def __call__(self):
        yield state()

    def method(self):
        yield state()

    async def async_method(self):
        return state()


LATER = {
    "generator": generator,
    "coroutine": coroutine,
    "async generator": async_generator,
    "partial of a generator": functools.partial(generator),
    "partial of a coroutine": functools.partial(functools.partial(coroutine)),
    "callable object": Callable(),
    "bound method": Callable().method,
    "bound async method": Callable().async_method,
}


def that_returns(what):
    return lambda: (what(),)[0]


SEEN_WHEN_CALLED = {
    "lambda": that_returns(generator),
    "generator expression": lambda: (state() for _ in range(3)),
    "wrapped": functools.wraps(generator)(that_returns(generator)),
    "wrapped coroutine": functools.wraps(coroutine)(that_returns(coroutine)),
    "partial of a lambda": functools.partial(that_returns(async_generator)),
    "context manager": contextlib.contextmanager(generator),
}


REFUSED = r"tg\..*\) cannot decorate .*runs later.* Write `with tg\."


@pytest.mark.filterwarnings("error")  # such as a coroutine that was never awaited
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("function", LATER.values(), ids=LATER)
def test_what_runs_later_than_its_call_is_not_decorated(function, mode):
    with pytest.raises(GraphError, match=REFUSED):
        mode()(function)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("function", SEEN_WHEN_CALLED.values(), ids=SEEN_WHEN_CALLED)
def test_what_turns_out_to_run_later_is_refused_when_it_is_called(function, mode):
    decorated = mode()(function)
    with pytest.raises(GraphError, match=REFUSED):
        decorated()
    assert state() == (True, (), 0)


def test_a_function_that_runs_a_coroutine_to_its_end_is_fine():
    @tg.no_grad()
    @functools.wraps(coroutine)
    def whole():
        return asyncio.run(coroutine())

    assert whole() == (False, (), 0)
    assert tg.no_grad()(functools.partial(state))() == (False, (), 0)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (Callable, "the class Callable"),
        (staticmethod(state), "a staticmethod"),
        (classmethod(state), "a classmethod"),
        (property(state), "a property"),
        (True, "a bool"),
        (3, "a int"),
    ],
)
@pytest.mark.parametrize("mode", [tg.no_grad, tg.enable_grad, tg.detect_anomaly, tg.scope("x")])
def test_what_is_no_function_is_not_decorated(mode, wrong, what):
    with pytest.raises(GraphError, match=f"cannot decorate {what}; decorate a function"):
        mode(wrong)


# ---- names and scopes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 7, -1, np.int64(3), tg.tensor(3)])
def test_the_index_of_a_scope_is_a_whole_number(index):
    with tg.scope("t", index):
        ((name, kept),) = modes.scope
    assert (name, kept, type(kept)) == ("t", int(index), int)


@pytest.mark.parametrize("index", ["a", 1.0, np.float64(2.0), True, False, np.True_, (1,), tg.tensor(1.0)])
def test_any_other_index_is_refused_where_it_is_said(index):
    with pytest.raises(DTypeError, match="scope: the index of 't' must be a whole number"):
        tg.scope("t", index)


@pytest.mark.parametrize("use", [tg.scope, lambda name: tg.ones(1).named(name)], ids=["scope", "named"])
def test_a_name_is_a_text_that_a_file_can_hold(use):
    for wrong in (5, None, b"h", ("h",), tg.ones(1)):
        with pytest.raises(DTypeError, match="a name must be a str, not"):
            use(wrong)
    with pytest.raises(InputError, match="a name must not be empty"):
        use("")
    with pytest.raises(InputError, match="surrogate"):
        use("caf\udce9")
    for fine in ("h", "größe", "状态", "\U0001f600", "two\nlines", np.str_("h")):
        use(fine)
