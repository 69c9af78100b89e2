"""A tutorial step by step on a terminal: read, guess, run, compare. A key and Enter do everything; nothing is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from rich.console import Console

from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.tutorial import progress
from tinygrad_rnn.tutorial.editing import edit
from tinygrad_rnn.tutorial.lessons import Lesson, names
from tinygrad_rnn.tutorial.questions import Question
from tinygrad_rnn.tutorial.screen import Screen
from tinygrad_rnn.tutorial.script import Cell
from tinygrad_rnn.tutorial.session import Outcome, Session
from tinygrad_rnn.tutorial.steps import Step, questions_before, steps_of
from tinygrad_rnn.tutorial.words import Words

__all__ = ["Stepper", "introduce"]

#: Seconds from which on it is said how long something takes.
LONG = 2.0
KEYS = ("b", "r", "s", "e", "h", "a", "q", "?")


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
        introduce(self.lesson, self.screen, self.words)
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
                self._tell(cell, outcome)
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
            command = f"tinygrad-rnn tutorial {later[0][:2]}" if later else ""
            self.screen.say(self.words("next_one", command=command) if later else self.words("last_one"))

    def _command(self) -> str:
        return f"tinygrad-rnn tutorial {self.lesson.name[:2] if self.lesson.is_ours else self.lesson.path}"

    def _leave(self) -> None:
        if self._keeps:
            self.screen.say(self.words("kept", command=self._command()), wrap=False)

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
        hints = iter(step.hints)
        while True:
            typed = self._key("guess")
            if typed in ("", "s"):
                return 1
            if typed == "b":
                return -1
            if typed == "h":
                self._hint(step, hints)
            elif typed in KEYS:
                self._not_here(typed)
            elif (guess := self._read_answer(question, typed)) is not None:
                self._progress.guesses[step.cell.number] = {"asked": question.mark, "guess": guess}
                self._save()
                return 1

    def _code(self, step: Step, at: int) -> int:
        cell = step.cell
        self._show_code(cell)
        prompt = "run"
        while True:
            key = self._key(prompt)
            if key == "b":
                return -1
            if key == "s":
                if prompt != "next":
                    self._skip(cell)
                return 1
            if key == "" and prompt == "next":
                return 1
            if key == "e" and not self._edit(cell):
                continue
            if key in ("", "r", "e"):
                prompt = "next" if self._run(cell, at) else "failed"
            else:
                self._not_here(key)

    def _exercise(self, step: Step, at: int) -> int:
        question = step.cell.question
        if question is not None:
            self.screen.options(question)
        hints = iter(step.hints)
        draft = "\n".join([*(f"# {line}".rstrip() for line in step.cell.source.splitlines()), self.words("template")])
        while True:
            key = self._key("exercise" if question is None else "solve")
            if key in ("", "s"):
                return 1
            if key == "b":
                return -1
            if key == "h":
                self._hint(step, hints)
            elif key == "e":
                written = self._edited(draft)
                if written:
                    draft = written
                    self.screen.code(draft)
                    self.screen.gap()
                    self._tell(None, self._session.try_out(draft))
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
        _forget_what_was_typed()
        self._tell(cell, outcome)
        if not outcome.ok:
            return False
        if cell.number in self._progress.skipped:
            self._progress.skipped.remove(cell.number)
        if (why := self._session.keep(cell)) is not None:
            self.screen.quietly(self.words("unkept", why=why))
        for step in questions_before(self._steps, at):
            self._compare(step)
        self._save()
        return True

    def _tell(self, cell: Cell | None, outcome: Outcome) -> None:
        """Show how running something ended."""
        if outcome.output:
            self.screen.say(outcome.output.rstrip())
        if outcome.interrupted:
            self.screen.gap()
            self.screen.say(self.words("stopped"), "yellow")
        elif outcome.error is not None:
            self.screen.error(outcome.error)
            missing = [number for number in self._progress.skipped if cell is not None and number < cell.number]
            if missing:
                self.screen.say(self.words("after_skipping", cells=", ".join(map(str, sorted(missing)))))
        else:
            said = [self.words("checked")] * bool(outcome.asserts)
            said += [self.words("took", seconds=outcome.seconds)] * (outcome.seconds >= LONG)
            if said:
                self.screen.quietly(f"({', '.join(said)})")

    def _compare(self, step: Step) -> None:
        """Show what was guessed beside what is."""
        question = _asked(step.cell)
        result = self._session.answer(question)
        self.screen.gap()
        if isinstance(result, str):
            self.screen.say(self.words("no_result", why=result))
            return
        guess = self._progress.guesses.get(step.cell.number)
        if guess is None:
            self.screen.say(self.words("unguessed", result=question.shown(result)), "bold")
            return
        fits = question.fits(guess["guess"], result)
        guess |= {"result": result, "fits": fits}
        told = self.words("compared", guess=question.shown(guess["guess"]), result=question.shown(result))
        self.screen.say(told, "bold")
        self.screen.say(self.words("right" if fits else "wrong"), "green" if fits else "yellow")

    def _check(self, step: Step, question: Question, guess: float) -> None:
        """Say whether an answer to an exercise is right."""
        if sum(cell.seconds for cell in step.solutions) >= LONG:
            self.screen.quietly(self.words("checking"))
        outcome = self._session.solve(step.solutions, quiet=True)
        if not outcome.ok:
            self._tell(None, outcome)
            return
        result = self._session.answer(question, step.solutions)
        if isinstance(result, str):
            self.screen.say(self.words("no_result", why=result))
            return
        fits = question.fits(guess, result)
        first = {"asked": question.mark, "guess": guess, "result": result, "fits": fits}
        told = self._progress.guesses.setdefault(step.cell.number, first)
        told |= {"last": guess, "solved": fits or told.get("solved", False)}
        self._save()
        said = self.words("solved", result=question.shown(result)) if fits else self.words("unsolved")
        self.screen.say(said, "green" if fits else "yellow")

    def _solution(self, step: Step) -> None:
        if not step.solutions:
            self.screen.say(self.words("no_solution"))
            return
        self.screen.gap()
        self.screen.say(self.words("solution"), "bold")
        for cell in step.solutions:
            if cell.is_code:
                self.screen.code(cell.source)
            else:
                self.screen.prose(cell.source)
        if any(cell.is_code for cell in step.solutions):
            self.screen.gap()
            self._tell(None, self._session.solve(step.solutions))
        question = step.cell.question
        result = None if question is None else self._session.answer(question, step.solutions)
        if question is not None and isinstance(result, float):
            self.screen.say(self.words("unguessed", result=question.shown(result)), "bold")

    def _hint(self, step: Step, hints: Iterator[Cell]) -> None:
        if not step.hints:
            self.screen.say(self.words("no_hint"))
            return
        hint = next(hints, None)
        if hint is None:
            self.screen.say(self.words("no_more_hints"))
            return
        self.screen.gap()
        self.screen.say(self.words("hint", at=step.hints.index(hint) + 1, all=len(step.hints)), "bold")
        self.screen.prose(hint.source)

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
            return edit(source)
        except MissingToolError:
            self.screen.say(self.words("no_editor"))
        except InputError as error:
            self.screen.say(self.words("editor_failed", why=error))
        return None

    def _read_answer(self, question: Question, typed: str) -> float | None:
        answer = question.read(typed)
        if answer is None:
            key = "not_an_option" if question.options else "not_a_number"
            self.screen.say(self.words(key, last=len(question.options)))
        return answer

    def _key(self, prompt: str) -> str:
        """Return what the reader typed at a prompt; a key is a small letter."""
        self.screen.gap()
        while True:
            typed = self._ask(self.words(prompt)).strip()
            key = typed.lower()
            if key == "q":
                raise _Quit
            if key != "?":
                return key
            self.screen.say(self.words("keys"))

    def _not_here(self, key: str) -> None:
        self.screen.say(self.words("not_here" if key in KEYS else "unknown", typed=key))


def _forget_what_was_typed() -> None:
    """Let no key pressed while a cell ran run the next one as well."""
    try:
        import termios  # noqa: PLC0415  (not on Windows)

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    except (ImportError, OSError, ValueError, termios.error):  # no terminal
        pass


def introduce(lesson: Lesson, screen: Screen, words: Words) -> None:
    """Say what is missing of what was asked for, and how long the tutorial takes."""
    if lesson.missing is not None:
        untranslated = lesson.missing == "untranslated"
        screen.quietly(words("untranslated") if untranslated else words("unfit", why=lesson.missing))
    if lesson.minutes:
        screen.quietly(words("minutes", minutes=f"{lesson.minutes:g}"))


def _asked(cell: Cell) -> Question:
    question = cell.question
    if question is None:
        raise InputError(f"cell {cell.number} asks nothing")
    return question
