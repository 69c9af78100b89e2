"""What readers type as an answer, and when it fits."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tutorial.questions import Question


@pytest.mark.parametrize(
    ("typed", "number"),
    [("28", 28), (" -3 ", -3), ("\u22123", -3), ("1e-5", 1e-5), ("1/60", 1 / 60), ("25%", 0.25), ("\uff12\uff18", 28),
     ("nan", None), ("", None), ("about 3", None), ("1/0", None), ("1e999", None)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(typed, number):
    assert Question("number", "1").read(typed) == number


def test_a_choice_is_the_number_of_an_option():
    choice = Question("choice", "1", options=("a", "b"))
    assert [choice.read(typed) for typed in ("1", "2", "0", "3", "1.5", "a")] == [1, 2, None, None, None, None]


@pytest.mark.parametrize(
    ("tolerance", "fit"),
    [(None, [0.99, 1.0, 1.01]), ("0.1", [0.95, 0.99, 1.0, 1.01]), ("0.001abs", [1.0]), ("0", [1.0])],
)
def test_a_guess_may_be_as_far_away_as_the_question_allows(tolerance, fit):
    header = {"question": "number", "answer": "x"} | ({} if tolerance is None else {"tolerance": tolerance})
    question = Question.of(header)
    assert [guess for guess in (0.5, 0.95, 0.99, 1.0, 1.01) if question.fits(guess, 1.0)] == fit


def test_an_absolute_tolerance_does_not_shrink_with_the_answer():
    question = Question.of({"question": "number", "answer": "0", "tolerance": "0.5abs"})
    assert question.fits(0.4, 0.0)
    assert not Question.of({"question": "number", "answer": "0"}).fits(0.4, 0.0)


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.array(3), tg.tensor(3.0)])
def test_answers_are_computed_from_the_names(value):
    assert Question("number", "x + 1").result({"x": value}) == 4.0


def test_an_answer_that_is_none_is_refused():
    with pytest.raises(InputError, match="gave str"):
        Question("number", "'x'").result({})
    with pytest.raises(InputError, match="options 1 to 2"):
        Question("choice", "3", options=("a", "b")).result({})


def test_numbers_are_shown_short():
    shown = Question("number", "1").shown
    assert [shown(x) for x in (28.0, 118096.0, 0.5, 1 / 3, 1.4272e-5, 1e30, math.inf)] == [
        "28", "118096", "0.5", "0.3333", "1.427e-05", "1e+30", "inf"
    ]  # fmt: skip
