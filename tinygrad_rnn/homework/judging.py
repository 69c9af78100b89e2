"""Judge a solution: checks run against it in a process of its own, and each gives points or one clear line."""

from __future__ import annotations

import ast
import contextlib
import signal
import threading
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework.assignment import Assignment
from tinygrad_rnn.homework.checks import Check, CheckFailedError
from tinygrad_rnn.homework.marks import YOURS, Region, lenient_regions, regions_of, splice, task_of
from tinygrad_rnn.homework.remote import Child, Remote, StudentError, TooLateError, WorkerDiedError, printable
from tinygrad_rnn.homework.withholding import PACKAGE, is_withheld

__all__ = ["MORE", "Result", "forbidden", "judge", "judge_alone", "one_cause", "student_regions"]

#: How many times its seconds a check gets at grading that was too slow.
MORE = 3.0
#: Names that a solution of formulas has no use for.
_NO_USE = {"__import__", "eval", "exec", "compile", "open", "input", "breakpoint", "globals", "__builtins__"}


@dataclass(frozen=True)
class Result:
    """What a check found."""

    check: str
    task: str
    points: float
    earned: float
    #: "passed", "failed", "missing" (not written yet), "stopped" (the process ended) or "late" (it hung).
    status: str
    #: For the student; empty where it passed.
    message: str
    #: Where a check drew what is wrong, a graph as DOT text.
    graph: str = ""


def judge(
    assignment: Assignment,
    reference: Mapping[str, str],
    solution: Mapping[str, str],
    checks: Sequence[Check],
    *,
    seed: int = 0,
    patience: float = 20.0,
    only: str | None = None,
    more: float = MORE,
) -> list[Result]:
    """Judge each task with the reference in place of all the other tasks: none is lost by another's mistake.

    Args:
        assignment: what was asked for.
        reference: the files of the reference, by name.
        solution: those of the student; a file that is missing counts as not written.
        checks: the hidden checks.
        seed: what numbers, shapes and directions are drawn from.
        patience: the seconds that a check may take.
        only: the task to judge; all, unless given.
        more: how many times its seconds a check gets that was too slow; see `judge_alone`.

    Raises:
        InputError: the marks of the reference are wrong.
    """
    results = []
    for task in assignment.tasks:
        own = [each for each in checks if each.task == task.id]
        if not own or only not in (None, task.id):
            continue
        try:
            files, theirs = _spliced(reference, solution, task.id)
        except InputError as error:
            results += [_none(each, "failed", str(error)) for each in own]
            continue
        results += judge_alone(assignment, files, own, seed=seed, patience=patience, theirs=theirs, more=more)
    return results


def judge_alone(
    assignment: Assignment,
    files: Mapping[str, str],
    checks: Sequence[Check],
    *,
    seed: int = 0,
    patience: float = 20.0,
    theirs: Mapping[str, Region] | None = None,
    printed: list[str] | None = None,
    more: float = 1.0,
) -> list[Result]:
    """Run checks against files as they are, in one process, and in a new one after it ended or hung.

    Args:
        assignment: what may be imported, and which file is the module.
        files: the texts of the files.
        checks: the checks to run.
        seed: what numbers are drawn from.
        patience: the seconds that a check may take.
        theirs: the regions of a student's file that were put into these, for line numbers as she has them.
        printed: the end of what the code prints is appended to this.
        more: how many times its seconds a check gets that was too slow, alone: a busy machine shall cost no points.
            The first that is too slow even then is the last that gets it. Where none gets it, a check that is too slow
            is the last of its task that is run: at a desk each would take as long again.
    """
    main = assignment.files[0]
    allowed, without = assignment.imports, assignment.without
    if wrong := [line for name in assignment.files for line in forbidden(files[name], allowed, without)]:
        return [_none(each, "failed", _at(wrong[0], files[main], theirs)) for each in checks]
    results: list[Result] = []
    waiting, patient = list(checks), more > 1
    while waiting:
        before = len(waiting)
        try:
            whole = patience * sum(each.times for each in waiting)
            with Child(files, allowed, patience, without, assignment.threads, whole) as child:
                try:
                    module, alive = child.load(main), True
                    while waiting and alive:
                        seconds = child.patience = patience * waiting[0].times
                        child.rest()
                        result, alive = _one(module, waiting[0], seconds, seed, files[main], theirs)
                        if result.status == "late" and more > 1:
                            child.close()
                            with Child(files, allowed, seconds * more, without, assignment.threads) as alone:
                                again = alone.load(main)
                                alone.rest()
                                result, _ = _one(again, waiting[0], alone.patience, seed, files[main], theirs)
                            more = 1.0 if result.status == "late" else more
                        results.append(result)
                        waiting.pop(0)
                        if result.status == "late" and not patient:
                            same = [each for each in waiting if each.task == result.task]
                            results += [_none(each, "late", f"not tried after {result.check}") for each in same]
                            waiting = [each for each in waiting if each.task != result.task]
                finally:
                    if printed is not None:
                        printed.append(child.output())
        except StudentError as error:
            message = _at((f"when the file is imported: {error}", error.line), files[main], theirs)
            status = "missing" if error.kind == "NotImplementedError" else "failed"
            return results + [_none(each, status, message) for each in waiting]
        except WorkerDiedError as error:
            if len(waiting) == before:
                return results + [_none(each, "stopped", f"when the file is imported: {error}") for each in waiting]
    return results


def _one(
    module: Remote, check: Check, seconds: float, seed: int, source: str, theirs: Mapping[str, Region] | None
) -> tuple[Result, bool]:
    """Return what one check found, and whether the process is still there."""
    draw = np.random.default_rng([seed, zlib.crc32(f"{check.task} {check.name}".encode())])
    try:
        with _no_longer_than(2 * seconds):
            check.run(module, draw)
    except CheckFailedError as error:
        return replace(_none(check, "failed", str(error)), graph=error.graph), True
    except StudentError as error:
        status = "missing" if error.kind == "NotImplementedError" else "failed"
        message = error.words if status == "missing" else str(error)
        return _none(check, status, _at((message, error.line), source, theirs)), True
    except TooLateError as error:
        return _none(check, "late", str(error)), False
    except WorkerDiedError as error:
        return _none(check, "stopped", str(error)), False
    except AssertionError as error:  # a plain `assert` of a check
        return _none(check, "failed", str(error) or "what has to hold does not hold"), True
    except Exception as error:  # a check that trips over an answer, as over a text where an array should be
        why = f"{type(error).__name__}: {error}".replace("'Remote'", "an object that is no number, array, list or text")
        hint = "; is a return missing?" * ("NoneType" in why)
        return _none(check, "failed", f"the answer is of a kind that cannot be used ({why})"[:300] + hint), True
    return Result(check.name, check.task, check.points, check.points, "passed", ""), True


@contextlib.contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    """Bound the time of what a check does itself, as with an answer of a million things; in a main thread only.

    Raises:
        TooLateError: it took longer.
    """

    def ring(*_: object) -> None:
        raise TooLateError(f"to look at what it answered took longer than {seconds:g} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def student_regions(assignment: Assignment, reference: Mapping[str, str], name: str, source: str) -> dict[str, Region]:
    """Return the regions of a student's file.

    Args:
        assignment: what was asked for.
        reference: the files whose regions there may be: those of the reference, or of the stub.
        name: the name of the file.
        source: its text.

    Raises:
        InputError: its marks are wrong; the message says in which line.
    """
    known = regions_of(reference[name]).keys()
    try:
        found = regions_of(source, known)
    except InputError as error:
        raise InputError(f"{assignment.name}, {name}: {error}") from error
    if missing := sorted(known - found.keys() - {YOURS}):
        raise InputError(f"{name}: the marks of {missing[0]} are gone; put ### BEGIN SOLUTION {missing[0]} back")
    return found


def _spliced(
    reference: Mapping[str, str], solution: Mapping[str, str], task: str
) -> tuple[dict[str, str], dict[str, Region]]:
    files: dict[str, str] = {}
    theirs: dict[str, Region] = {}
    for name, base in reference.items():
        known = regions_of(base).keys()
        own = {each for each in known if each == YOURS or task_of(each) == task}
        found = lenient_regions(solution[name]) if name in solution else {}
        if missing := sorted(own - found.keys() - {YOURS}):
            what = f"the marks of {missing[0]} are gone, or there twice" if name in solution else f"{name} is missing"
            raise InputError(what)
        chosen = {each: region for each, region in found.items() if each in own}
        files[name] = splice(base, chosen)
        theirs |= chosen
    return files, theirs


def forbidden(source: str, allowed: Iterable[str], without: tuple[str, ...] = ()) -> list[tuple[str, int | None]]:
    """Return what a file may not do, as sentences with their lines; a mistake in its syntax is one.

    Args:
        source: the text of the file.
        allowed: the modules that it may import.
        without: those of tinygrad_rnn that it may not.

    >>> forbidden("import torch", ["numpy"])
    [('import torch: this homework may import numpy', 1)]
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            # A `return` outside of functions, say, is found here only.
            compile(source, "<solution>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [(f"not Python: {getattr(error, 'msg', error)}", getattr(error, "lineno", None))]
    allowed = list(allowed)
    # Names that a file gives to things of its own, as `input` to what a layer reads.
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found: list[tuple[str, int | None]] = []
    for node in ast.walk(tree):
        names, whole = [], []
        if isinstance(node, ast.Import):
            names = whole = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
            whole = [f"{names[0]}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Name) and node.id in _NO_USE - own:
            found.append((f"{node.id}: a solution has no use for it", node.lineno))
        line = getattr(node, "lineno", None)
        found += [
            (f"import {name}: this homework may import {', '.join(allowed)}", line)
            for name in names
            if name.split(".")[0] not in (*allowed, "__future__")
        ]
        found += [
            (f"import {name}: this homework is done without it", line)
            for name in whole
            if name.split(".")[0] == PACKAGE and PACKAGE in allowed and is_withheld(name, without)
        ]
    found += _taken(tree, source)
    return sorted(found, key=lambda each: each[1] or 0)


def _taken(tree: ast.Module, source: str) -> list[tuple[str, int | None]]:
    """Return where something between the marks takes the name of what a file has outside of them, with its lines."""
    regions = lenient_regions(source).values()
    own: list[tuple[str, int]] = []
    given: set[str] = set()
    for node in tree.body:
        inside = any(region.begin < node.lineno - 1 < region.end for region in regions)
        if isinstance(node, ast.Import | ast.ImportFrom):
            given |= set() if inside else {each.asname or each.name.split(".")[0] for each in node.names}
            continue
        names = list(_bound(node))
        given |= set() if inside else {*names}
        own += [(name, node.lineno) for name in names if inside]
    for told in ast.walk(tree):
        if isinstance(told, ast.Global) and any(region.begin < told.lineno - 1 < region.end for region in regions):
            own += [(name, told.lineno) for name in told.names]
    return [
        (f"{name}: this file has one already; give yours another name", line) for name, line in own if name in given
    ]


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement gives to things, not those inside of functions, classes and comprehensions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for each in ast.iter_child_nodes(node):
            yield from _bound(each)


def one_cause(told: Iterable[tuple[str, str, str]]) -> str:
    """Return the message of what cost everything, as an import that is not allowed does; "" if nothing did.

    Args:
        told: the task, the status and the message of each check; of one task alone it is no more than its own mistake.

    >>> one_cause([("1.1", "failed", "not Python"), ("1.2", "failed", "not Python")])
    'not Python'
    """
    found = list(told)
    tasks, said = {task for task, *_ in found}, {(status, message) for _, status, message in found}
    return found[0][2] if len(tasks) > 1 and said == {("failed", found[0][2])} else ""


def _none(check: Check, status: str, message: str) -> Result:
    return Result(check.name, check.task, check.points, 0.0, status, printable(message))


def _at(told: tuple[str, int | None], source: str, theirs: Mapping[str, Region] | None) -> str:
    """Return a message with its line, as the student's own file has it."""
    message, line = told
    if line is not None and theirs is not None:
        for name, region in lenient_regions(source).items():
            if region.begin < line - 1 < region.end and name in theirs:
                return f"{message} (line {theirs[name].begin + line - region.begin})"
        return message
    return message if line is None else f"{message} (line {line})"
