"""Modes: what holds for the thread that computes, such as whether a graph is made, and in which scope."""

from __future__ import annotations

import functools
import inspect
import operator
import threading
from collections.abc import Callable, Mapping
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.engine.recorder import Recorder
from tinygrad_rnn.errors import DTypeError, GraphError, InputError


class Modes(threading.local):
    """The modes of the current thread."""

    def __init__(self) -> None:  # runs once per thread; class attributes would be twice as slow to read
        self.grad_enabled = True
        self.scope: Scope = ()
        self.recorders: tuple[Recorder, ...] = ()
        self.roles: Mapping[str, str] = {}


modes = Modes()


class Mode:
    """Something that holds inside a `with` block, or in each call of a function it decorates."""

    __slots__ = ()

    def _fresh(self) -> Any:
        """Return what to enter for one call: a decorated function may run in several threads at once."""
        return self

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(function) or isinstance(function, type | staticmethod):
            what = f"the class {function.__name__}" if isinstance(function, type) else f"a {type(function).__name__}"
            raise GraphError(
                f"{self._name()} cannot decorate {what}; decorate a function, or a method, below its @staticmethod"
            )
        if any(later(function) or later(type(function).__call__) for later in _RUN_LATER):
            raise self._runs_later(function)

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                result = function(*args, **kwargs)
            started = getattr(result, "gen", result)  # of contextlib.contextmanager
            if isinstance(started, _STARTED_LATER):
                if not isinstance(started, AsyncGeneratorType):
                    started.close()
                raise self._runs_later(function)
            return result

        return inside

    def _runs_later(self, function: Any) -> GraphError:
        return GraphError(
            f"{self._name()} cannot decorate {getattr(function, '__qualname__', repr(function))}: its body, that of a "
            "generator, a coroutine or a context manager, runs later than the call that it decorates. Write "
            f"`with {self._name()}:` inside it, around what computes and with no yield or await in between"
        )

    def _name(self) -> str:
        raise NotImplementedError


class recording(Mode):
    """Let a recorder see, in this thread, all that is done with tensors inside.

    Args:
        recorder: see `Recorder`.
        name: what the errors call it when it decorates what it cannot.
    """

    __slots__ = ("_before", "_recorder", "_shown")

    def __init__(self, recorder: Recorder, name: str = "recording(...)") -> None:
        self._recorder, self._shown = recorder, name
        self._before: list[tuple[Recorder, ...]] = []

    def _fresh(self) -> recording:
        return recording(self._recorder, self._shown)

    def _name(self) -> str:
        return self._shown

    def __enter__(self) -> None:
        self._before.append(modes.recorders)
        modes.recorders = (*modes.recorders, self._recorder)

    def __exit__(self, *error: object) -> None:
        modes.recorders = self._before.pop()


class unrecorded:
    """Let no recorder see what is done inside: it makes what the program keeps, as if it had been made before."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = modes.recorders
        modes.recorders = ()

    def __exit__(self, *error: object) -> None:
        modes.recorders = self._before


_RUN_LATER = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
_STARTED_LATER = (GeneratorType, CoroutineType, AsyncGeneratorType)


class grad_mode(Mode):
    """Record a graph, or not, inside the block or the function; may be entered again inside itself."""

    __slots__ = ("_before", "enabled")

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._before: list[bool] = []

    def _fresh(self) -> grad_mode:
        return grad_mode(self.enabled)

    def _name(self) -> str:
        return "tg.enable_grad()" if self.enabled else "tg.no_grad()"

    def __enter__(self) -> None:
        self._before.append(modes.grad_enabled)
        modes.grad_enabled = self.enabled

    def __exit__(self, *error: object) -> None:
        modes.grad_enabled = self._before.pop()


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Compute without recording a graph, in this thread; also a decorator, with or without parentheses.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     (x * x).requires_grad
    False
    """
    return grad_mode(False) if function is None else grad_mode(False)(function)


def enable_grad(function: Callable[..., Any] | None = None) -> Any:
    """Record a graph again inside a `no_grad` block, in this thread; also a decorator, with or without parentheses."""
    return grad_mode(True) if function is None else grad_mode(True)(function)


class scope(Mode):
    """Note on every node made inside where it belongs: `with tg.scope("lstm"), tg.scope("t", 3): ...`.

    Time is the innermost scope called "t". Also a decorator: `@tg.scope("encoder")`.

    Args:
        name: a text that is not empty.
        index: a whole number, or None.

    Raises:
        DTypeError, InputError: the name is none, or the index is no whole number.

    >>> import tinygrad_rnn as tg
    >>> with tg.scope("lstm"), tg.scope("t", 3):
    ...     (tg.ones(2, requires_grad=True) * 2.0).scope
    (('lstm', None), ('t', 3))
    """

    __slots__ = ("_part",)

    def __init__(self, name: str, index: int | None = None) -> None:
        if type(name) is not str or not name.isascii() or not name:
            check_name(name, "scope")
        if index is not None and type(index) is not int:
            try:
                index = int(operator.index(index)) if not isinstance(index, bool) else None
            except TypeError:
                index = None
            if index is None:
                raise DTypeError(f"scope: the index of {name!r} must be a whole number, such as the time step")
        self._part = (name, index)

    def _name(self) -> str:
        name, index = self._part
        return f"tg.scope({name!r})" if index is None else f"tg.scope({name!r}, {index})"

    def __enter__(self) -> None:
        modes.scope = (*modes.scope, self._part)

    def __exit__(self, *error: object) -> None:
        modes.scope = modes.scope[:-1]


#: What a named output can be in a recurrent network.
ROLES = ("state", "gate")


class naming:
    """Give the tensors named inside a role: `with naming({"h": "state", "f": "gate"}): ...`; what a cell does."""

    __slots__ = ("_before", "_roles")

    def __init__(self, roles: Mapping[str, str]) -> None:
        self._roles = roles

    def __enter__(self) -> None:
        self._before = modes.roles
        modes.roles = self._roles

    def __exit__(self, *error: object) -> None:
        modes.roles = self._before


def check_name(name: Any, what: str) -> None:
    """Raise DTypeError unless this is a text, and InputError unless drawings and files can show it."""
    if not isinstance(name, str):
        raise DTypeError(f"{what}: a name must be a str, not {type(name).__name__} ({name!r})")
    if not name:
        raise InputError(f"{what}: a name must not be empty")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{what}: the name {name!r} holds half a character (a surrogate), which no file can; decode its bytes with "
            "errors='replace'"
        ) from None


def scope_text(parts: Scope) -> str:
    """Return a scope as readers see it: `lstm/t=3/forget_gate`."""
    return "/".join(name if index is None else f"{name}={index}" for name, index in parts)


def scope_suffix(parts: Scope) -> str:
    return f" (in {scope_text(parts)})" if parts else ""


def step_of(parts: Scope) -> int | None:
    """Return the time step of a scope: the index of its innermost "t", or None outside any step."""
    for name, index in reversed(parts):
        if name == "t":
            return index
    return None
