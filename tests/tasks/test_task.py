"""What a criterion says and refuses, and what no task takes."""

import numpy as np
import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import (
    AddingTask,
    ConflictTask,
    CopyTask,
    Criterion,
    EmbeddedReberTask,
    MarkedBitTask,
    NoiseFreeTask,
    ParityTask,
    TemporalOrderTask,
    TriggeredTask,
    TwoSequencesTask,
    parse_task,
)
from tinygrad_rnn.tasks.adding import adding_task
from tinygrad_rnn.tasks.digits import DigitsTask
from tinygrad_rnn.tasks.noise_free import noise_free_task


def test_a_criterion_is_met_at_its_bound_and_never_by_nan():
    assert Criterion("accuracy", at_least=0.9).met({"accuracy": 0.9})
    assert not Criterion("wrong", at_most=0.0).met({"wrong": float("nan")})
    below = Criterion("error", below="naive")
    assert below.met({"error": 1.0, "naive": 1.5})
    assert not below.met({"error": 1.5, "naive": 1.5})


def test_a_criterion_says_of_how_many_examples_it_speaks():
    assert str(Criterion("accuracy", at_least=0.9)) == "accuracy at least 0.9"
    assert str(Criterion("wrong", at_most=0.0, examples=2000)) == "wrong at most 0 of 2,000 examples"
    assert str(Criterion("error", below="naive")) == "error below that of naive"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs one of"),
        ({"at_most": 0.1, "below": "naive"}, "needs one of"),
        ({"at_most": "0.1"}, "at_most must be a finite number, not '0.1'"),
        ({"at_least": float("nan")}, "at_least must be a finite number, not nan"),
        ({"at_most": 0.1, "examples": 2.5}, "examples must be a whole number >= 0, not 2.5"),
    ],
)
def test_what_is_no_criterion_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        Criterion("wrong", **given)


@pytest.mark.parametrize(
    ("criterion", "missing"),
    [(Criterion("right", at_least=1.0), "right"), (Criterion("wrong", below="naive"), "naive")],
)
def test_a_score_that_is_not_there_is_named(criterion, missing):
    with pytest.raises(InputError, match=f"there is no {missing} among the scores: loss, wrong"):
        criterion.met({"loss": 0.5, "wrong": 0.1})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TwoSequencesTask(10, "3z"), "form must be one of 3a, 3b, 3c, not '3z'"),
        (lambda: TwoSequencesTask(10, informative=0), "informative must be a positive whole number, not 0"),
        (lambda: TwoSequencesTask(10, informative="3"), "informative must be a positive whole number, not '3'"),
        (lambda: TemporalOrderTask(20, "6c"), "form must be one of 6a, 6b, not '6c'"),
        (lambda: NoiseFreeTask(10, "2c"), "form must be one of 2a, 2b, not '2c'"),
        (lambda: noise_free_task(10, "2z"), "form must be one of 2a, 2b, 2c, not '2z'"),
        (lambda: TriggeredTask(10, 0), "symbols must be a positive whole number, not 0"),
        (lambda: adding_task(20, "1998"), "form must be one of 2015, 1997, not '1998'"),
        (lambda: DigitsTask("column"), "by must be one of image, row, pixel, not 'column'"),
        (lambda: CopyTask(3, symbols=0), "symbols must be a positive whole number, not 0"),
        (lambda: CopyTask(3, length=-1), "length must be a positive whole number, not -1"),
        (lambda: EmbeddedReberTask(20, 0), "strings must be a positive whole number, not 0"),
        (lambda: MarkedBitTask(10, 0), "span must be a positive whole number, not 0"),
        (lambda: AddingTask("6"), "steps must be a whole number >= 2, not '6'"),
        (lambda: ParityTask(6.5), "steps must be a whole number >= 2, not 6.5"),
        (lambda: ConflictTask(None), "steps must be a whole number >= 2, not None"),
        (lambda: parse_task("adding").make(steps=0), "0 is too few, take at least 2"),
    ],
)
def test_what_a_task_cannot_have_is_refused_with_what_it_can(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_number_of_numpy_is_a_number_of_steps():
    steps = AddingTask(np.int64(6)).steps
    assert (steps, type(steps)) == (6, int)
