"""Initial and trained weights on a sheet: each answer stands under the weights that it is about."""

import re

import pytest

from tests.viz.sheet_page import page_of
from tests.viz.test_plots import report
from tinygrad_rnn.flow import RemedyFlow
from tinygrad_rnn.viz.plots import Entry
from tinygrad_rnn.viz.sheet import write_sheet
from tinygrad_rnn.viz.weights_told import concluded, initial, survivors, told

AT_FIRST = (
    RemedyFlow("W_hh times 2", "vanishes", "h", 2, 0.07, 2, 0.005, 4.2),
    RemedyFlow("W_hh made orthogonal", "survives", "h", None, 0.9, 2, 0.81, 4.3),
)
THEN = (RemedyFlow("W_hh times 9", "explodes", "h", None, 30.0, 2, 900.0, 9.0),)


def entry(**more):
    before = report(h=[0.001, 0.1, 1.0]).beside(remedies=AT_FIRST)
    after = report(h=[0.005, 0.1, 1.0]).beside(before=before, remedies=THEN)
    history = [(0, before), (7, after)]
    return Entry("rnn, 7 updates", after, cell="rnn", updates_made=7, history=history, **more)


def test_a_trained_cell_has_a_column_for_each_kind_of_weights():
    heading, columns = told([entry()])
    assert heading == "<h2>rnn</h2>"
    before, after = columns.split("<section>")[1:]
    assert "<h3>Initial weights</h3>" in before
    assert "<h3>Trained weights, after 7 updates</h3>" in after
    assert "0.001 at lag 2" in before
    assert "0.005 at lag 2" in after
    assert "W_hh made orthogonal" in before
    assert "W_hh made orthogonal" not in after
    assert "what training did" not in before


def test_a_cell_that_was_not_trained_has_one_column():
    plain = Entry("rnn", report(h=[0.001, 0.1, 1.0]), cell="rnn")
    assert initial(plain) is None
    _, columns = told([plain])
    assert re.findall("<h3>(.*?)</h3>", columns) == ["Initial weights"]
    loaded = Entry("rnn, 7 updates", report(h=[0.001, 0.1, 1.0]), cell="rnn", updates_made=7)
    _, columns = told([loaded])
    assert re.findall("<h3>(.*?)</h3>", columns) == ["Trained weights, after 7 updates"]


def test_what_a_training_did_is_concluded_of_each_cell_that_was_trained():
    (said,) = concluded([entry(), Entry("bare", report(h=[0.5, 0.7, 1.0]))])
    assert said.startswith("rnn: Training left the horizon where it was: 2 steps back")


def test_what_survives_is_named_and_what_does_not_is_said_to():
    assert survivors([initial(entry())]) == ["rnn vanishes; it would survive with W_hh made orthogonal."]
    assert survivors([entry()]) == ["rnn vanishes; it would survive with none of 1 change tried."]
    kept = Entry("gru", report(h=[0.5, 0.7, 1.0]).beside(remedies=AT_FIRST), cell="gru")
    assert survivors([kept]) == ["gru survives as it is."]
    assert survivors([Entry("bare", report(h=[0.5, 0.7, 1.0]))]) == []


@pytest.mark.usefixtures("words_only")
def test_a_sheet_says_everywhere_which_weights_it_speaks_of(tmp_path):
    write_sheet(tmp_path, [entry()], {}, "make it --with 'a long -- word'")
    page = page_of(tmp_path)
    headings = [text for text in page.texts["h2"] if text.startswith("What would have to be changed?")]
    assert headings == [
        "What would have to be changed? (initial weights)",
        "What would have to be changed? (trained weights, after 7 updates)",
    ]
    for name in ("#change-initial", "#change"):
        assert name in page.addresses
    assert {"rnn, initial weights", "rnn, 7 updates"} <= set(page.texts["td"])
    assert {"W_hh made orthogonal", "W_hh times 9"} <= set(page.texts["td"])
    words = dict(zip(page.texts["dt"], page.texts["dd"], strict=True))
    assert "more than 100 times" in words["explodes"], "it is in the table of changes alone"
    assert "not to say that anything is learned" in words["survives"]
    beside = [text for text in page.texts["p"] if "explodes: " in text]
    assert any("more than 100 times" in text for text in beside), "and where it stands"
    assert page.texts["pre"] == ["make it --with 'a long -- word'"], "what is copied is what was typed"
