"""Dates: every form is read back, and nothing else is."""

import datetime

import numpy as np
import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import dates, parse_task
from tinygrad_rnn.tasks.dates import FORMATS, read_date, written


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_in_a_form_is_read_back(form):
    for ordinal in range(datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal(), 397):
        assert read_date(written(ordinal, form)) == datetime.date.fromordinal(ordinal).isoformat()


@pytest.mark.parametrize("text", ["", "1 May", "32 May 2000", "1 Mai 2000", "2000-05-01", "1 May 2000 ", "5/1/2000"])
def test_other_texts_are_no_dates(text):
    assert read_date(text) is None


def test_a_text_longer_than_any_date_is_not_searched_for_one(monkeypatch):
    def tried(*_):
        raise AssertionError("some of its numbers were tried as a date")

    monkeypatch.setattr(dates, "written", tried)
    assert read_date(" ".join(map(str, range(1, 400)))) is None


def test_texts_are_read_as_the_task_draws_them():
    task = parse_task("dates").make()
    drawn = task.batch(5, seed=0)
    texts = [task.read(drawn.inputs[:, example]) for example in range(5)]
    read = task.encode(texts)
    assert read.lengths.tolist() == drawn.lengths.tolist() == list(map(len, texts))
    np.testing.assert_array_equal(read.inputs, drawn.inputs[: max(map(len, texts))])
    for text, target in zip(texts, drawn.targets.T, strict=True):
        assert read_date(text) == task.said(target)


def test_letters_that_no_date_has_are_named():
    task = parse_task("dates").make()
    with pytest.raises(InputError, match="'1st of May: ½' has ':', 'f', '½', which the model has never read; it knows"):
        task.encode(["1 May", "1st of May: ½"])
