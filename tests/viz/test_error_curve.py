"""The error over one weight, with the steps on it."""

import numpy as np
import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import DoublingTask
from tinygrad_rnn.train import descend
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots.error_curve import alt, sentences

ERROR = DoublingTask().error
DESCENTS = {
    "subtracted": descend(ERROR, 3.0, 1 / 28, 1),
    "added": descend(ERROR, 3.0, 1 / 28, 1, added=True),
    "swings": descend(ERROR, 3.0, 1 / 14, 5),
}


def test_the_steps_lie_on_the_curve():
    figure = plots.error_curve(DESCENTS)
    for axes, found in zip(figure.axes, DESCENTS.values(), strict=True):
        curve, slope, steps = axes.lines
        np.testing.assert_allclose(14 * (curve.get_xdata() - 2) ** 2, curve.get_ydata(), atol=1e-9)
        np.testing.assert_array_equal(steps.get_xydata(), np.stack([found.weights, found.errors], axis=1))
        (x, y) = slope.get_xydata().T
        np.testing.assert_allclose(np.diff(y) / np.diff(x), 28)
    assert [text.get_text() for text in figure.axes[2].texts] == ["A", "B"]  # it comes back: a place is named once


def test_words_say_where_it_went():
    assert sentences(DESCENTS) == [
        "subtracted: from W = 3, where E is 14 and its slope 28, to W = 2, where E is 0, in 1 step: downhill.",
        "added: from W = 3, where E is 14 and its slope 28, to W = 4, where E is 56, in 1 step: uphill.",
        "swings: from W = 3, where E is 14 and its slope 28, to W = 1, where E is 14, in 5 steps: no lower.",
    ]
    assert "swings, W: 3, 1, 3, 1 ..." in alt(DESCENTS)


def test_without_a_descent_there_is_no_curve():
    with pytest.raises(InputError, match="at least one"):
        plots.error_curve({})
