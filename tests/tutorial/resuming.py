"""A tutorial that is left at its end and taken up from what it has kept: `python -m tests.tutorial.resuming SCRIPT`."""

import sys

from tinygrad_rnn.tutorial import find
from tinygrad_rnn.tutorial.session import Session


def left_and_taken_up(lesson):
    """Run a tutorial, and then again with what it has kept; every answer must be there both times."""
    for again in (False, True):
        session = Session(lesson)
        asked, solutions = [], []
        for cell, following in zip(lesson.cells, [*lesson.cells[1:], None], strict=True):
            asked += [cell] * (cell.question is not None)
            if cell.role == "solution":
                solutions.append(cell)
                if following is not None and following.role == "solution":
                    continue
                outcome = session.solve(solutions, quiet=True)
            elif cell.is_code:
                outcome = session.restore(cell) if again else session.run(cell, quiet=True)
                assert session.keep(cell) is None
            else:
                continue
            assert outcome.ok, f"cell {cell.number}: {outcome.error}"
            for question in asked:
                answer = session.answer(question.question, solutions)
                assert isinstance(answer, float), f"cell {question.number}: {answer}"
            asked, solutions = [], []
    return session


if __name__ == "__main__":
    left_and_taken_up(find(sys.argv[1]))
