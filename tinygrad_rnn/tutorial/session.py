"""The names of a tutorial, and its cells run in them one by one."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tutorial import kept
from tinygrad_rnn.tutorial.lessons import Lesson
from tinygrad_rnn.tutorial.questions import Question
from tinygrad_rnn.tutorial.script import Cell
from tinygrad_rnn.tutorial.words import Words
from tinygrad_rnn.viz import pictures

__all__ = ["Outcome", "Session"]


@dataclass(frozen=True)
class Outcome:
    """How running a cell ended.

    Attributes:
        error: the traceback, as far as it lies in cells; None if there was none.
        interrupted: whether Ctrl-C ended it.
        asserts: how many asserts the code has.
        seconds: how long it took.
        output: what it printed, if that was not shown already.
        pictures: files that it has shown.
    """

    error: str | None
    interrupted: bool
    asserts: int
    seconds: float
    output: str = ""
    pictures: tuple[Path, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it came to its end."""
        return self.error is None and not self.interrupted


class Session:
    """A tutorial that runs.

    Args:
        lesson: the tutorial.
        edited: code in place of that of a cell, by the number of the cell.
    """

    def __init__(self, lesson: Lesson, edited: dict[int, str] | None = None) -> None:
        self.lesson = lesson
        self.edited = {} if edited is None else edited
        self._main = ModuleType("__main__")  # what is pickled, or asks for its script, finds itself
        self._main.__file__ = str(lesson.path)
        os.environ.setdefault("MPLBACKEND", "agg")  # no window opens
        self._apart: dict[int, dict[str, Any]] = {}

    @property
    def names(self) -> dict[str, Any]:
        """The names of the tutorial, with their values."""
        return self._main.__dict__

    def source(self, cell: Cell) -> str:
        """Return the code of a cell, as the reader has it."""
        return self.edited.get(cell.number, cell.source)

    def run(self, cell: Cell, quiet: bool = False) -> Outcome:
        """Run a cell in the tutorial's names.

        Args:
            cell: one of code.
            quiet: put what it prints into the outcome instead of showing it.
        """
        self._apart.clear()  # a solution may give something else now
        return self._run(self.source(cell), f"<cell {cell.number}>", self.names, quiet)

    def keep(self, cell: Cell) -> str | None:
        """Keep the values that a cell says are to be kept; return what went wrong, if something did."""
        if not cell.keep:
            return None
        try:
            values = {name: self.names[name] for name in cell.keep}
            kept.save(self.lesson, cell.number, self._digest(cell), values)
        except KeyError as error:
            return f'keep="{" ".join(cell.keep)}": there is no {error}'
        except InputError as error:
            return str(error)
        return None

    def restore(self, cell: Cell) -> Outcome:
        """Bring about what a cell did: from its file if it kept all it made, else by running it without a word."""
        values = kept.load(self.lesson, cell.number, self._digest(cell)) if cell.keep else None
        if values is None:
            return self.run(cell, quiet=True)
        self.names.update(values)
        return Outcome(None, False, 0, 0.0)

    def try_out(self, source: str, quiet: bool = False) -> Outcome:
        """Run code of the reader's in a copy of the names."""
        return self._run(source, "<your code>", dict(self.names), quiet)

    def solve(self, solutions: list[Cell], quiet: bool = False) -> Outcome:
        """Run the code of a solution in a copy of the names, which `answer` takes afterwards; quietly only once."""
        if quiet and solutions and solutions[0].number in self._apart:
            return Outcome(None, False, 0, 0.0)
        names = dict(self.names)
        outcome = Outcome(None, False, 0, 0.0)
        for cell in solutions:
            if cell.is_code and outcome.ok:
                outcome = self._run(cell.source, f"<cell {cell.number}>", names, quiet)
        if solutions and outcome.ok:
            self._apart[solutions[0].number] = names
        return outcome

    def answer(self, question: Question, solutions: list[Cell] | None = None) -> float | str:
        """Return the answer to a question; if it cannot be computed, what went wrong."""
        names = self._apart.get(solutions[0].number, self.names) if solutions else self.names
        try:
            with self._as_main():
                return question.result(names)
        except Exception as error:  # whatever the expression does
            return "".join(traceback.format_exception_only(error)).strip()

    def _run(self, source: str, name: str, names: dict[str, Any], quiet: bool) -> Outcome:
        linecache.cache[name] = (len(source), None, [line + "\n" for line in source.splitlines()], name)
        printed = io.StringIO()
        error, interrupted, asserts = None, False, 0
        pictures_before = len(pictures.written)
        began = time.perf_counter()
        try:
            tree = ast.parse(source, name)
            asserts = sum(isinstance(node, ast.Assert) for node in ast.walk(tree))
            with self._as_main(), contextlib.redirect_stdout(printed) if quiet else contextlib.nullcontext():
                exec(compile(tree, name, "exec", dont_inherit=True), names)
        except KeyboardInterrupt:
            interrupted = True
        except (Exception, SystemExit) as raised:  # whatever the code does
            error = _in_cells(raised)
        sys.stdout.flush()
        seconds, seen = time.perf_counter() - began, tuple(pictures.written[pictures_before:])
        return Outcome(error, interrupted, asserts, seconds, printed.getvalue(), seen)

    def _digest(self, cell: Cell) -> str:
        before = (each for each in self.lesson.cells if each.role == "code" and each.number <= cell.number)
        return kept.digest(self.source(each) for each in before)

    @contextlib.contextmanager
    def _as_main(self) -> Iterator[None]:
        before, called = sys.modules["__main__"], pictures.called.set(Words(self.lesson.language)("picture"))
        sys.modules["__main__"] = self._main
        try:
            yield
        finally:
            sys.modules["__main__"] = before
            pictures.called.reset(called)


def _in_cells(error: BaseException) -> str:
    """Return the traceback of an error without the frames that are not in cells."""
    told = traceback.TracebackException.from_exception(error)
    waiting = [told]
    while waiting:
        each = waiting.pop()
        frames = [frame for frame in each.stack if frame.filename.startswith(("<cell ", "<your code>"))]
        each.stack = traceback.StackSummary.from_list(frames)
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
    return "".join(told.format()).rstrip()
