"""A tutorial step by step on a terminal: read, guess, run, compare. A key and Enter do everything; nothing is lost."""

from __future__ import annotations

import contextlib
import os
import sys
import webbrowser
from collections.abc import Callable
from itertools import count
from pathlib import Path

from rich.console import Console

from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.tutorial import progress
from tinygrad_rnn.tutorial.editing import chosen_here, edit, editor, is_vi
from tinygrad_rnn.tutorial.lessons import Lesson, names
from tinygrad_rnn.tutorial.questions import Question
from tinygrad_rnn.tutorial.screen import Screen
from tinygrad_rnn.tutorial.script import Cell
from tinygrad_rnn.tutorial.session import Session
from tinygrad_rnn.tutorial.steps import Step, questions_before, steps_of
from tinygrad_rnn.tutorial.telling import LONG, Telling
from tinygrad_rnn.tutorial.words import Words, command

__all__ = ["Stepper"]

KEYS = ("b", "r", "s", "e", "h", "a", "o", "q", "?")


class _Quit(Exception):
    """The reader wants to stop here."""


class Stepper:
    """A reader at a tutorial.

    Args:
        lesson: the tutorial.
        console: of rich, what is shown there.
        ask: returns what the reader types; `input` unless given.
        restart: begin at the first cell, whatever was done before; guesses made then stay.
    """

    def __init__(
        self, lesson: Lesson, console: Console, ask: Callable[[str], str] = input, restart: bool = False
    ) -> None:
        self.lesson = lesson
        self.screen = Screen(console)
        self.words = Words(lesson.language)
        self._telling = Telling(self.screen, self.words)
        self._ask = ask
        self._steps = steps_of(lesson.cells)
        self._progress = progress.load(lesson)
        if restart:
            self._progress = progress.Progress(guesses=self._progress.guesses)
        self._session = Session(lesson, self._progress.edited)
        self._keeps = True

    def run(self) -> int:
        """Go through the tutorial until its end, or until the reader quits; return 0.

        Raises:
            KeyboardInterrupt: the reader pressed Ctrl-C where no cell ran; the place is kept.
        """
        self._telling.introduction(self.lesson)
        try:
            at = self._come_back()
            while at < len(self._steps):
                at = self._step(at)
            self._end()
        except (_Quit, EOFError) as left:
            if isinstance(left, EOFError):
                self.screen.gap()
            self._leave()
        except KeyboardInterrupt:
            self.screen.gap()
            self._leave()
            raise
        return 0

    # Coming and going

    def _come_back(self) -> int:
        """Return the step to go on with; what came before it is there again then."""
        if self._progress.done and self._progress.cell == 0:
            self.screen.say(self.words("done_before"))
        at = max((at for at, step in enumerate(self._steps) if step.first <= self._progress.cell), default=0)
        if at == 0:
            return 0
        before = [step.cell for step in self._steps[:at] if step.kind == "code"]
        before = [cell for cell in before if cell.number not in self._progress.skipped]
        self.screen.say(self.words("going_on", at=at + 1, all=len(self._steps)))
        seconds = sum(cell.seconds for cell in before if not cell.keep)
        if before:
            key = "catching_up" if seconds >= LONG else "catching_up_soon"
            self.screen.quietly(self.words(key, seconds=f"{seconds:g}"))
        for cell in before:
            outcome = self._session.restore(cell)
            if outcome.interrupted:
                raise KeyboardInterrupt
            if not outcome.ok:
                self._telling.outcome(outcome)
                return next(at for at, step in enumerate(self._steps) if step.cell is cell)
        return at

    def _end(self) -> None:
        guesses = [guess for guess in self._progress.guesses.values() if "fits" in guess]
        self._progress.done, self._progress.cell = True, 0
        self._save()
        self.screen.gap()
        self.screen.say(self.words("end", title=self.lesson.title), "bold")
        if guesses:
            right = sum(bool(guess["fits"]) for guess in guesses)
            self.screen.say(self.words("score", right=right, all=len(guesses)))
        if self.lesson.is_ours:
            later = [name for name in names() if name > self.lesson.name]
            said = self.words("next_one" if later else "last_one", command=self._command(later[0][:2] if later else ""))
            self.screen.say(said, wrap=False)

    @property
    def _here(self) -> str:
        return self.lesson.name[:2] if self.lesson.is_ours else str(self.lesson.path)

    def _command(self, lesson: str) -> str:
        return command(lesson, self.lesson.language if self.lesson.missing is None else None)

    def _leave(self) -> None:
        if self._keeps:
            self.screen.say(self.words("kept", command=self._command(self._here)), wrap=False)

    def _save(self) -> None:
        if not self._keeps:
            return
        try:
            progress.save(self.lesson, self._progress)
        except InputError as error:  # a reader who cannot keep the place can read all the same
            self._keeps = False
            self.screen.say(self.words("unkept_place", why=error), "yellow")

    # The steps: each returns which one is next

    def _step(self, at: int) -> int:
        step = self._steps[at]
        self._progress.cell, self._progress.cells = step.first, self._steps[-1].first
        if step is self._steps[-1] and step.kind != "code":  # code counts once it has run
            self._progress.done = True
        self._save()
        self.screen.heading(self.words("place", at=at + 1, all=len(self._steps)))
        for cell in step.prose:
            self.screen.prose(cell.source)
        kinds = {"prose": self._read, "question": self._question, "code": self._code, "exercise": self._exercise}
        return max(at + kinds[step.kind](step, at), 0)

    def _read(self, step: Step, at: int) -> int:
        while True:
            key = self._key("read")
            if key == "b":
                return -1
            if key in ("", "s"):
                return 1
            self._not_here(key)

    def _question(self, step: Step, at: int) -> int:
        question = _asked(step.cell)
        self.screen.options(question)
        before = self._progress.guesses.get(step.cell.number, {}).get("guess")
        if before is not None:
            self.screen.quietly(self.words("before", guess=question.shown(before)))
        hints = count()
        while True:
            typed = self._key("guess", step)
            if typed in ("", "s"):
                return 1
            if typed == "b":
                return -1
            if typed == "h":
                self._telling.hint(step.hints, next(hints))
            elif typed in KEYS:
                self._not_here(typed)
            elif (guess := self._read_answer(question, typed)) is not None:
                self._progress.guesses[step.cell.number] = {"asked": question.mark, "guess": guess}
                self._save()
                return 1

    def _code(self, step: Step, at: int) -> int:
        cell = step.cell
        self._pictures: tuple[Path, ...] = ()
        self._show_code(cell)
        prompt = "run"
        while True:
            key = self._key(prompt)
            if key == "b":
                return -1
            if key == "s":
                if not prompt.startswith("next"):
                    self._skip(cell)
                return 1
            if key == "" and prompt.startswith("next"):
                return 1
            if key == "e" and not self._edit(cell):
                continue
            if key == "o" and self._pictures:
                self._open()
            elif key in ("", "r", "e"):
                prompt = "failed" if not self._run(cell, at) else "next_with_picture" if self._pictures else "next"
            else:
                self._not_here(key)

    def _exercise(self, step: Step, at: int) -> int:
        question = step.cell.question
        if question is not None:
            self.screen.options(question)
        hints = count()
        draft = "\n".join([*(f"# {line}".rstrip() for line in step.cell.source.splitlines()), self.words("template")])
        while True:
            key = self._key("exercise" if question is None else "solve", step)
            if key in ("", "s"):
                return 1
            if key == "b":
                return -1
            if key == "h":
                self._telling.hint(step.hints, next(hints))
            elif key == "e":
                written = self._edited(draft)
                if written:
                    draft = written
                    self.screen.code(draft)
                    self.screen.gap()
                    self._telling.outcome(self._session.try_out(draft), self._progress.skipped)
            elif key == "a":
                self._solution(step)
            elif key in KEYS or question is None:
                self._not_here(key)
            elif (guess := self._read_answer(question, key)) is not None:
                self._check(step, question, guess)

    # What the steps do

    def _run(self, cell: Cell, at: int) -> bool:
        """Run a cell, show how it went, and what was guessed about it; return whether it went well."""
        self.screen.gap()
        if cell.seconds >= LONG:
            self.screen.quietly(self.words("running"))
        outcome = self._session.run(cell)
        self._pictures = outcome.pictures
        _forget_what_was_typed()
        self._telling.outcome(outcome, (number for number in self._progress.skipped if number < cell.number))
        if not outcome.ok:
            return False
        if cell.number in self._progress.skipped:
            self._progress.skipped.remove(cell.number)
        if (why := self._session.keep(cell)) is not None:
            self.screen.quietly(self.words("unkept", why=why))
        for step in questions_before(self._steps, at):
            self._compare(step)
        if cell is self._steps[-1].cell:
            self._progress.done = True
        self._save()
        return True

    def _compare(self, step: Step) -> None:
        """Show what was guessed beside what is, and keep both."""
        question = _asked(step.cell)
        result = self._session.answer(question)
        guess = self._progress.guesses.get(step.cell.number)
        self._telling.result(question, result, guess["guess"] if guess else None)
        if guess and isinstance(result, float):
            guess |= {"result": result, "fits": question.fits(guess["guess"], result)}

    def _check(self, step: Step, question: Question, guess: float) -> None:
        """Say whether an answer to an exercise is right."""
        if sum(cell.seconds for cell in step.solutions) >= LONG:
            self.screen.quietly(self.words("checking"))
        outcome = self._session.solve(step.solutions, quiet=True)
        if not outcome.ok:
            self._telling.outcome(outcome, self._progress.skipped)
            return
        result = self._session.answer(question, step.solutions)
        if isinstance(result, str):
            self._telling.result(question, result)
            return
        fits = question.fits(guess, result)
        first = {"asked": question.mark, "guess": guess, "result": result, "fits": fits}
        told = self._progress.guesses.setdefault(step.cell.number, first)
        told |= {"last": guess, "solved": fits or told.get("solved", False)}
        self._save()
        self._telling.verdict(question, result, fits, bool(step.hints))

    def _solution(self, step: Step) -> None:
        """Show the solution of an exercise, and what comes out of it."""
        self._telling.solution(step.solutions)
        if not step.solutions:
            return
        self.screen.gap()
        outcome = self._session.solve(step.solutions)
        self._telling.outcome(outcome, self._progress.skipped)
        if outcome.ok and step.cell.question is not None:
            self._telling.result(step.cell.question, self._session.answer(step.cell.question, step.solutions))

    def _open(self) -> None:
        """Open the pictures of the cell that ran last, with what the system opens pages with."""
        screen_there = os.name == "nt" or sys.platform == "darwin" or "DISPLAY" in os.environ
        for path in self._pictures:
            if not (screen_there or "WAYLAND_DISPLAY" in os.environ) or not webbrowser.open(path.absolute().as_uri()):
                self.screen.say(self.words("unopened", path=path), wrap=False)

    def _show_code(self, cell: Cell) -> None:
        self.screen.code(self._session.source(cell))
        if cell.number in self._session.edited:
            self.screen.quietly(self.words("edited"))
        if cell.seconds >= LONG:
            self.screen.quietly(self.words("takes", seconds=f"{cell.seconds:g}"))

    def _skip(self, cell: Cell) -> None:
        if cell.number not in self._progress.skipped:
            self._progress.skipped.append(cell.number)
        self._save()
        self.screen.quietly(self.words("skipped"))

    def _edit(self, cell: Cell) -> bool:
        """Let the reader change a cell; return whether there is something to run."""
        written = self._edited(self._session.source(cell))
        if written is None:
            return False
        if written.strip() and written != cell.source:
            self._session.edited[cell.number] = written
        elif self._session.edited.pop(cell.number, None) is not None:
            self.screen.say(self.words("original"))
        self._save()
        self._show_code(cell)
        return True

    def _edited(self, source: str) -> str | None:
        """Return what the reader makes of some code; None if there is no editor, or it failed."""
        try:
            name = editor()[0]
            self.screen.say(self.words("opening", editor=name))
            if is_vi(name):
                self.screen.say(self.words("leaving_vi", editor=name))
                if chosen_here():
                    self.screen.say(self.words("another_editor"))
                    if self._key("open_vi", editor=name) == "b":  # what is said is read before vi covers it
                        return None
            return edit(source)
        except MissingToolError:
            self.screen.say(self.words("no_editor", command=self._command(self._here)), wrap=False)
        except InputError as error:
            self.screen.say(self.words("editor_failed", why=error))
        return None

    def _read_answer(self, question: Question, typed: str) -> float | None:
        answer = question.read(typed)
        if answer is None:
            self._telling.no_answer(question)
        return answer

    def _key(self, prompt: str, step: Step | None = None, **values: str) -> str:
        """Return what the reader typed at a prompt; a key is a small letter."""
        hint = self.words("hint_key") if step is not None and step.hints else ""
        self.screen.gap()
        while True:
            typed = self._ask(self.words(prompt, hint=hint, **values)).strip()
            key = typed.lower()
            if key == "q":
                raise _Quit
            if key != "?":
                return key
            self.screen.say(self.words("keys"))

    def _not_here(self, key: str) -> None:
        self._telling.key(key, key in KEYS)


def _forget_what_was_typed() -> None:
    """Let no key pressed while a cell ran run the next one as well."""
    try:
        import termios  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError, termios.error):  # no terminal
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _asked(cell: Cell) -> Question:
    question = cell.question
    if question is None:
        raise InputError(f"cell {cell.number} asks nothing")
    return question
