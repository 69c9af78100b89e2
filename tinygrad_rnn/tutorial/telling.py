"""What a reader is told of cells and questions, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinygrad_rnn.tutorial.lessons import Lesson
from tinygrad_rnn.tutorial.questions import Question
from tinygrad_rnn.tutorial.screen import Screen
from tinygrad_rnn.tutorial.script import Cell
from tinygrad_rnn.tutorial.session import Outcome
from tinygrad_rnn.tutorial.words import Words

__all__ = ["LONG", "Telling"]

#: Seconds from which on it is said how long something takes.
LONG = 2.0


class Telling:
    """The words of a tutorial on a screen.

    Args:
        screen: where they are shown.
        words: of the language.
    """

    def __init__(self, screen: Screen, words: Words) -> None:
        self.screen = screen
        self.words = words

    def introduction(self, lesson: Lesson) -> None:
        """Say what is missing of what was asked for, and how long the tutorial takes."""
        if lesson.missing is not None:
            untranslated = lesson.missing == "untranslated"
            self.screen.quietly(self.words("untranslated") if untranslated else self.words("unfit", why=lesson.missing))
        if lesson.minutes:
            self.screen.quietly(self.words("minutes", minutes=f"{lesson.minutes:g}"))

    def outcome(self, outcome: Outcome, skipped: Iterable[int] = ()) -> None:
        """Show how running something ended; `skipped` are cells that it may have needed."""
        if outcome.output:
            self.screen.say(outcome.output.rstrip())
        if outcome.interrupted:
            self.screen.gap()
            self.screen.say(self.words("stopped"), "yellow")
        elif outcome.error is not None:
            self.screen.error(outcome.error)
            if missing := sorted(skipped):
                self.screen.say(self.words("after_skipping", cells=", ".join(map(str, missing))))
        else:
            said = [self.words("checked")] * bool(outcome.asserts)
            said += [self.words("took", seconds=outcome.seconds)] * (outcome.seconds >= LONG)
            if said:
                self.screen.quietly(self.words("went_well", said=self.words("and").join(said)))

    def result(self, question: Question, result: float | str, guess: float | None = None) -> None:
        """Show the answer to a question, beside what was guessed; a text says why there is none."""
        self.screen.gap()
        if isinstance(result, str):
            self.screen.say(self.words("no_result", why=result))
        elif guess is None:
            self.screen.say(self.words("unguessed", result=question.shown(result)), "bold")
        else:
            fits = question.fits(guess, result)
            told = self.words("compared", guess=question.shown(guess), result=question.shown(result))
            self.screen.say(told, "bold")
            self.screen.say(self.words("right" if fits else "wrong"), "green" if fits else "yellow")

    def verdict(self, question: Question, result: float, fits: bool, hints: bool) -> None:
        """Say whether an answer to an exercise is right; the right one is not told. `hints`: whether there are any."""
        hint = self.words("or_a_hint") if hints else ""
        said = self.words("solved", result=question.shown(result)) if fits else self.words("unsolved", hint=hint)
        self.screen.say(said, "green" if fits else "yellow")

    def solution(self, cells: Sequence[Cell]) -> None:
        """Show the cells of a solution."""
        self.screen.gap()
        self.screen.say(self.words("solution" if cells else "no_solution"), "bold" if cells else "")
        for cell in cells:
            (self.screen.code if cell.is_code else self.screen.prose)(cell.source)

    def hint(self, hints: Sequence[Cell], at: int) -> None:
        """Show the hint at a place, from 0, if there is one."""
        if at >= len(hints):
            self.screen.say(self.words("no_more_hints" if hints else "no_hint"))
            return
        self.screen.gap()
        self.screen.say(self.words("hint", at=at + 1, all=len(hints)), "bold")
        self.screen.prose(hints[at].source)

    def key(self, typed: str, known: bool) -> None:
        """Say that a key does nothing here."""
        self.screen.say(self.words("not_here" if known else "unknown", typed=typed))

    def no_answer(self, question: Question) -> None:
        """Say how an answer is written."""
        self.screen.say(self.words("not_an_option" if question.options else "not_a_number", last=len(question.options)))
