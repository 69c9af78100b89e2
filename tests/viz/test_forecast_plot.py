"""The plot of forecasts: its lines are the numbers, and its words are worked out from them."""

import numpy as np
import pytest

from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.train import Forecasts
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots.forecast import alt, sentences


@pytest.fixture
def found():
    task = parse_task("series").make()
    origins = np.arange(247, 300)
    truth = task.values[origins[:, None] + np.arange(3)]
    models = {"gru, level": truth + np.array([1.0, 3.0, 2.0])[:, None, None], "rnn, level": truth[None] + 4.0}
    return Forecasts(task, origins, truth, models, {"last value": truth - 2.5, "AR(9)": truth + 1.5})


def test_sentences_say_what_an_error_is_below(found):
    first, *_, last = sentences(found)
    assert first == (
        "gru, level: 1 step ahead its error is 2 spots (median of 3, 1 to 3): below last value (2.5); not below AR(9) "
        "(1.5)."
    )
    assert last == "rnn, level: 3 steps ahead its error is 4 spots: not below last value (2.5), AR(9) (1.5)."
    assert "AR(9) from 1.5 at step 1 to 1.5 at step 3" in alt(found)


def test_lines_are_the_truth_the_median_and_what_costs_nothing(found):
    one, free, errors = plots.forecast(found).axes
    lines = {line.get_label(): line for line in one.get_lines()}
    years = 1700.0 + found.origins[-33:]
    np.testing.assert_array_equal(lines["truth"].get_xdata(), years)
    np.testing.assert_allclose(lines["gru, level, 3 trainings"].get_ydata(), found.truth[-33:, 0] + 2)
    np.testing.assert_allclose(lines["last value"].get_ydata(), found.truth[-33:, 0] - 2.5)
    (band,) = [each.get_paths()[0].vertices for each in one.collections]
    assert {*np.round(band[1:34, 1] - found.truth[-33:, 0], 6)} == {1.0}  # its lower edge
    ahead = {line.get_label(): line for line in free.get_lines()}
    np.testing.assert_allclose(ahead["rnn, level"].get_ydata(), found.truth[-1] + 4)
    assert len(ahead["truth"].get_xdata()) == 3 + 11
    by_step = {line.get_label(): line for line in errors.get_lines()}
    np.testing.assert_allclose(by_step["gru, level, 3 trainings"].get_ydata(), [2.0] * 3)
    np.testing.assert_allclose(by_step["AR(9)"].get_ydata(), [1.5] * 3)
