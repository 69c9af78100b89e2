"""A tutorial from its beginning to its end without a reader at the keyboard: everything is shown, nobody is asked."""

from __future__ import annotations

from rich.console import Console

from tinygrad_rnn.tutorial.lessons import Lesson
from tinygrad_rnn.tutorial.screen import Screen
from tinygrad_rnn.tutorial.session import Session
from tinygrad_rnn.tutorial.stepper import introduce
from tinygrad_rnn.tutorial.steps import questions_before, steps_of
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
    introduce(lesson, screen, words)
    steps = steps_of(lesson.cells)
    for at, step in enumerate(steps):
        screen.heading(words("place", at=at + 1, all=len(steps)))
        for cell in step.prose:
            screen.prose(cell.source)
        if step.cell.question is not None:
            screen.options(step.cell.question)
        if step.kind == "code":
            screen.code(step.cell.source)
            screen.gap()
            outcome = session.run(step.cell)
        else:
            outcome = session.solve(step.solutions, quiet=True)
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.error is not None:
            screen.error(outcome.error)
            return False
        if step.kind != "code":
            continue
        if outcome.asserts:
            screen.quietly(f"({words('checked')})")
        for asked in questions_before(steps, at):
            if asked.cell.question is None:
                continue
            result = session.answer(asked.cell.question)
            if isinstance(result, str):
                screen.error(words("no_result", why=result))
                return False
            screen.gap()
            screen.say(words("unguessed", result=asked.cell.question.shown(result)), "bold")
    screen.gap()
    screen.say(words("end", title=lesson.title), "bold")
    return True
