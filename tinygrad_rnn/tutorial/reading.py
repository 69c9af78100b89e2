"""A tutorial from its beginning to its end without a reader at the keyboard: everything is shown, nobody is asked."""

from __future__ import annotations

from rich.console import Console

from tinygrad_rnn.tutorial.lessons import Lesson
from tinygrad_rnn.tutorial.screen import Screen
from tinygrad_rnn.tutorial.session import Session
from tinygrad_rnn.tutorial.steps import questions_before, steps_of
from tinygrad_rnn.tutorial.telling import Telling
from tinygrad_rnn.tutorial.words import Words

__all__ = ["read_through"]


def read_through(lesson: Lesson, console: Console) -> bool:
    """Show a tutorial and run its cells; solutions are run, not shown. Stop at the first error.

    Args:
        lesson: the tutorial.
        console: of rich, where to.

    Returns:
        Whether every cell came to its end.

    Raises:
        KeyboardInterrupt: Ctrl-C ended a cell.
    """
    screen, words, session = Screen(console), Words(lesson.language), Session(lesson)
    telling = Telling(screen, words)
    telling.introduction(lesson)
    steps = steps_of(lesson.cells)
    for at, step in enumerate(steps):
        screen.heading(words("place", at=at + 1, all=len(steps)))
        for cell in step.prose:
            screen.prose(cell.source)
        if step.cell.question is not None:
            screen.options(step.cell.question)
        if step.kind != "code":
            outcome = session.solve(step.solutions, quiet=True)
        else:
            screen.code(step.cell.source)
            screen.gap()
            outcome = session.run(step.cell)
        if outcome.interrupted:
            raise KeyboardInterrupt
        if not outcome.ok or step.kind == "code":
            telling.outcome(outcome)
        if not outcome.ok:
            return False
        for asked in questions_before(steps, at) if step.kind == "code" else ():
            if (question := asked.cell.question) is not None:
                result = session.answer(question)
                telling.result(question, result)
                if isinstance(result, str):
                    return False
    screen.gap()
    screen.say(words("end", title=lesson.title), "bold")
    return True
