"""What a check is made of: `@check` says which task it judges, `close` and `same` compare and explain.

A check is a function of the student's module and of a generator of random numbers, `def both_uses(hw, draw)`. It runs
here, never in the student's process: what it expects cannot be read there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework.remote import Remote, StudentError, WorkerDiedError
from tinygrad_rnn.tasks.corpus import shown

__all__ = [
    "PUBLIC", "Check", "CheckFailedError", "check", "checks_in", "checks_of", "checks_of_task", "close", "raises",
    "same", "text_of",
]  # fmt: skip

#: The file with the checks that students have.
PUBLIC = "public.py"


class CheckFailedError(AssertionError):
    """A check found something wrong; the message is for the student."""

    #: A graph to draw, as DOT text; see `graphs.drawn`.
    graph = ""


@dataclass(frozen=True)
class Check:
    """A function that judges one thing about one task."""

    name: str
    task: str
    points: float
    function: Callable[..., None]
    #: What the function is given besides the module and the generator.
    more: tuple[Any, ...] = ()
    #: How many times as long as others it may take.
    times: float = 1.0

    def run(self, module: Any, draw: np.random.Generator) -> None:
        """Call the function; it returns where all is right.

        Args:
            module: the student's module, or what stands for it.
            draw: where its random numbers come from.
        """
        self.function(module, draw, *self.more)


def check(
    task: str, points: float, each: Iterable[Any] | None = None, times: float = 1.0
) -> Callable[[Callable[..., None]], Any]:
    """Make a function a check of a task.

    Args:
        task: the number of the task.
        points: what passing it gives.
        each: the check is done, for so many points, with each of these as a third argument.
        times: how many times as long as others it may take, such as one that trains a model.
    """

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        made = []
        for more in [()] if each is None else [(case,) for case in each]:
            name = function.__name__ + "".join(f"[{case}]" for case in more)
            made.append(Check(name, task, points, function, more, times))
        function.checks = made  # type: ignore[attr-defined]
        return function

    return mark


def text_of(path: Path) -> str:
    """Return the text of a file of checks, complete: what it imports from the public ones beside it is written in it.

    So hidden checks share functions with those that students have, and can be handed to others as one text.

    Raises:
        InputError: it, or the file with the public checks, cannot be read, or is not Python.
    """
    try:
        text = path.read_text(encoding="utf-8")
        for node in reversed(ast.parse(text).body):
            if isinstance(node, ast.ImportFrom) and f"{node.module}.py" == PUBLIC and path.name != PUBLIC:
                lines = text.splitlines(keepends=True)
                lines[node.lineno - 1 : node.end_lineno] = [checks_of_task(text_of(path.with_name(PUBLIC)), "")]
                text = "".join(lines)
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise InputError(f"cannot take the checks from {shown(path)}: {error}") from error
    return text


def checks_of(path: Path) -> list[Check]:
    """Return the checks of a file, in the order in which it has them.

    Raises:
        InputError: the file cannot be read or run, or has no checks.
    """
    return checks_in(text_of(path), shown(path))


def checks_in(text: str, where: str = "this text") -> list[Check]:
    """Return the checks of a text, in the order in which it has them.

    Args:
        text: what `text_of` returns.
        where: where it is from, for the message of an error.

    Raises:
        InputError: the text cannot be run, or has no checks.
    """
    names: dict[str, Any] = {"__name__": "checks"}
    try:
        exec(compile(text, "<checks>", "exec"), names)
    except (SyntaxError, ImportError, NameError) as error:
        raise InputError(f"cannot take the checks from {where}: {error}") from error
    found = [each for value in names.values() for each in getattr(value, "checks", ())]
    if not found:
        raise InputError(f'{where} has no checks; write @check("1.1", points=5) above a function')
    return found


def checks_of_task(text: str, task: str) -> str:
    r"""Return a file of checks without those of other tasks: what these share is kept.

    Args:
        text: the file.
        task: the number of the task; "" for what they share alone.

    Raises:
        InputError: it is not Python.

    >>> checks_of_task('x = 1\n@check("1.1", 5)\ndef a(): ...\n@check("1.2", 5)\ndef b(): ...\n', "1.2")
    'x = 1\n@check("1.2", 5)\ndef b(): ...\n'
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise InputError(f"the checks are not Python: {error}") from error
    lines = text.splitlines(keepends=True)
    for node in reversed(tree.body):
        tasks = {_task(each) for each in node.decorator_list} if isinstance(node, ast.FunctionDef) else set()
        if isinstance(node, ast.FunctionDef) and tasks - {None, task}:
            del lines[node.decorator_list[0].lineno - 1 : node.end_lineno]
    return "".join(lines)


def _task(decorator: ast.AST) -> str | None:
    """Return the task of a `@check("1.1", ...)`, None of anything else."""
    if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "check":
        first = decorator.args[0] if decorator.args else None
        return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    return None


def close(
    got: Any, expected: Any, what: str = "the result", *, suspects: Mapping[str, Any] | None = None,
    rtol: float = 1e-6, atol: float = 1e-8,
) -> None:  # fmt: skip
    """Compare numbers; the message of a difference says what was expected, what came, and where they part first.

    Args:
        got: what a student's code returned: numbers, arrays, tensors, or lists of them.
        expected: the right numbers.
        what: what they are, for the message.
        suspects: what would come out of well-known mistakes, by a sentence about the mistake.
        rtol: how large a difference may be, as a part of the right number.
        atol: how large it may be at least.

    Raises:
        CheckFailedError: something else came.

    >>> close(3.0, 6.0, "the gradient", suspects={"missing accumulation (= for +=)": 3.0})
    Traceback (most recent call last):
    ...
    tinygrad_rnn.homework.checks.CheckFailedError: the gradient: expected 6, got 3
        this is what comes of: missing accumulation (= for +=)
    """
    right = np.asarray(expected)
    given = _numbers(got, what)
    if given.shape != right.shape:
        hint = _suspect(given, suspects, rtol, atol)
        raise CheckFailedError(f"{what}: expected shape {right.shape}, got shape {given.shape}{hint}")
    with np.errstate(all="ignore"):
        near = np.isfinite(right) & (np.abs(given - right) <= atol + rtol * np.abs(right))
        wrong = ~near & ~(given == right)
    if not wrong.any():
        return
    hint = _suspect(given, suspects, rtol, atol)
    if not right.shape:
        raise CheckFailedError(f"{what}: {_apart(right, given)}{hint}")
    at = tuple(int(index) for index in np.argwhere(wrong)[0])
    shape = "x".join(map(str, right.shape))
    raise CheckFailedError(
        f"{what} (shape {shape}): {int(wrong.sum())} of {right.size} entries differ; the first is "
        f"[{', '.join(map(str, at))}]: {_apart(right[at], given[at])}{hint}"
    )


def _apart(right: Any, given: Any) -> str:
    """Return two numbers with as many digits as it takes to tell them apart."""
    digits = next((each for each in (6, 9, 12) if f"{right:.{each}g}" != f"{given:.{each}g}"), 17)
    return f"expected {right:.{digits}g}, got {given:.{digits}g}"


def same(got: Any, expected: Any, what: str = "the result", because: str = "") -> None:
    """Compare what is either right or wrong, such as True, None or a text.

    Args:
        got: what a student's code returned.
        expected: what is right.
        what: what it is, for the message.
        because: why it has to be so.

    Raises:
        CheckFailedError: something else came.
    """
    if isinstance(got, np.bool_):
        got = bool(got)
    if type(got) is not type(expected) or got != expected:
        reason = f"; {because}" if because else ""
        raise CheckFailedError(f"{what}: expected {expected!r}, got {_short(got)}{_returned(got)}{reason}")


def raises(kind: str, what: str, function: Callable[..., Any], *arguments: Any, because: str = "") -> None:
    """Require that a call raises an error of a kind, or of one derived from it.

    Args:
        kind: the name of its class, such as "ValueError".
        what: which error that is, for the message.
        function: what is called with the arguments.
        arguments: what it is called with.
        because: why it has to be raised.

    Raises:
        CheckFailedError: nothing is raised, or something else.
    """
    kinds = ["nothing"]
    try:
        function(*arguments)
    except Exception as error:  # in a notebook it is no StudentError
        if isinstance(error, CheckFailedError | WorkerDiedError):
            raise
        kinds = error.kinds if isinstance(error, StudentError) else [each.__name__ for each in type(error).__mro__]
        if kinds[0] == "NotImplementedError":  # not written yet
            raise
    same(kind if kind in kinds else kinds[0], kind, what, because)


def _numbers(got: Any, what: str) -> np.ndarray:
    got = _of_tensors(got)
    if isinstance(got, Remote) or got is None or isinstance(got, str | dict):
        raise CheckFailedError(f"{what}: expected numbers, got {_short(got)}{_returned(got)}")
    try:
        given = np.asarray(got)
    except (ValueError, OverflowError):
        given = np.asarray(None)
    if given.dtype.kind not in "fiub":
        raise CheckFailedError(f"{what}: expected numbers, got {_short(got)}")
    return given.astype(np.float64)


def _of_tensors(got: Any) -> Any:
    """Return what a student returned with arrays for tensors of tinygrad_rnn, of which there are stand-ins here."""
    if isinstance(got, list | tuple):
        return [_of_tensors(each) for each in got]
    return got.detach().numpy() if isinstance(got, Remote) and repr(got).endswith(" Tensor") else got


def _suspect(given: np.ndarray, suspects: Mapping[str, Any] | None, rtol: float, atol: float) -> str:
    for mistake, value in (suspects or {}).items():
        numbers = np.asarray(value, dtype=np.float64)
        if numbers.shape in ((), given.shape) and np.allclose(given, numbers, rtol=rtol, atol=atol):
            return f"\n    this is what comes of: {mistake}"
    return ""


def _returned(value: Any) -> str:
    return " (is a return missing?)" if value is None else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
