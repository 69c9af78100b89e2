"""Plots of attention: what they say is worked out from the weights, and what they draw are the weights."""

import numpy as np
import pytest

from tinygrad_rnn.train import Alignment, Gaze
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots import Style
from tinygrad_rnn.viz.plots.alignment import MOST, alt, sentences
from tinygrad_rnn.viz.plots.gaze import alt as gaze_alt
from tinygrad_rnn.viz.plots.gaze import sentences as gaze_sentences

#: "03" looks at the letters of "May" and what follows, "1" at the 1 with 0.6.
MAY = Alignment("1 May", "05-1", np.array([[0, 0, 0.5, 0.5, 0], [0, 0, 0, 0, 1.0], [0.2] * 5, [0.6, 0.4, 0, 0, 0]]))
STRIP = np.zeros((8, 16))
STRIP[2:6, 3] = 1.0


def test_sentences_name_the_word_that_a_part_of_the_answer_looked_at():
    assert sentences([MAY]) == ["'1 May' → '05-1': 05 looked at May (100% of its weight), 1 at 1 (60%)."]
    between = Alignment("1 May", "1", np.array([[0.1, 0.9, 0, 0, 0]]))
    assert sentences([between]) == ["'1 May' → '1': 1 looked at ' ' (90% of its weight)."]
    assert sentences([Alignment("-", "-", np.ones((1, 1)))]) == ["'-' → '-': nothing was written."]
    assert "0 at 'M' (50%), 5 at 'y' (100%), - at '1' (20%), 1 at '1' (60%)." in alt([MAY])


def test_a_gaze_adds_up_the_rows_of_the_map_and_its_centre_is_their_mean():
    weights = np.zeros((2, 8))
    weights[0, [0, 5]] = 0.75, 0.25  # rows of four places, 4 pixels each
    weights[1, [3, 7]] = 0.5
    found = Gaze.of(STRIP, "71", weights, places=4)
    assert found.weights.tolist() == [[0.75, 0.25, 0, 0], [0, 0, 0, 1.0]]
    assert found.centres.tolist() == [0.75 * 2 + 0.25 * 6, 14.0]
    assert gaze_sentences([found]) == ["'71': the centre of attention is at pixel 3, 14 of 16: from left to right."]
    back = Gaze(STRIP, "171", np.eye(4)[[1, 0, 3]])
    assert "it moves to the right at 1 of 2 steps" in gaze_sentences([back])[0]
    assert "7 at 2" in gaze_alt([back])


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_a_panel_shows_the_weights_under_their_letters(theme):
    figure = plots.alignment([MAY], style=Style(theme=theme))
    panel, bar = figure.axes
    (image,) = panel.get_images()
    np.testing.assert_array_equal(image.get_array(), MAY.weights)
    assert [label.get_text() for label in panel.get_xticklabels()] == ["1", "", "M", "a", "y"]
    assert [label.get_text() for label in panel.get_yticklabels()] == list("05-1")
    assert bar.get_ylabel() == "weight"
    darkness = [abs(sum(image.cmap(share)[:3]) - sum(image.cmap(0.0)[:3])) for share in np.linspace(0, 1, 9)]
    assert (np.diff(darkness) > 0.1).all()  # no two of them look alike, in grey either


def test_a_strip_lies_above_the_attention_of_its_letters():
    found = Gaze(STRIP, "71", np.eye(4)[[1, 3]])
    figure = plots.gaze([found])
    panel = figure.axes[0]
    strip, attention = panel.get_images()
    np.testing.assert_array_equal(strip.get_array(), STRIP)
    np.testing.assert_array_equal(attention.get_array(), found.weights)
    assert strip.get_extent()[2] == attention.get_extent()[3] == 8
    line = next(line for line in panel.get_lines() if line.get_label() == "centre of attention")
    assert line.get_xdata().tolist() == found.centres.tolist()
    assert [label.get_text() for label in panel.get_yticklabels()] == ["strip", "7", "1"]


@pytest.mark.parametrize(("draw", "one"), [(plots.alignment, MAY), (plots.gaze, Gaze(STRIP, "7", np.eye(4)[:1]))])
def test_of_many_the_first_are_drawn_and_of_none_it_says_so(draw, one):
    figure = draw([one] * (MOST + 2), style=Style(legend=False))
    assert len(figure.axes) == MOST
    assert any("2 further ones not drawn." in text.get_text() for text in figure.texts)
    assert any(text.get_text() == "Nothing was written." for text in draw([]).texts)
    assert not plots.rendered(draw([one]), ["svg"])["svg"].startswith(b"\x89")


def test_a_strip_on_which_nothing_is_seen_is_drawn_alone():
    found = Gaze.of(STRIP, "", np.zeros((0, 8)), places=4)
    assert gaze_sentences([found]) == ["'': nothing was written."]
    panel = plots.gaze([found, Gaze(STRIP, "7", np.eye(4)[:1])]).axes[0]
    assert len(panel.get_images()) == 1
    assert plots.rendered(plots.gaze([found]), ["svg"])["svg"]
