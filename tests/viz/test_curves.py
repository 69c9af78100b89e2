"""The curves of trainings."""

import re

import numpy as np
from matplotlib.colors import to_rgb

from tinygrad_rnn.tasks import Criterion
from tinygrad_rnn.train import History
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots.curves import POINTS, alt, sentences

SOLVED = Criterion("wrong", at_most=0.1)


def history(updates=6, every=3, level=1.0, solved=None, diverged=None):
    """A training whose loss at update u is level / u, and whose norm is twice that."""
    at = np.arange(1, updates + 1)
    validated = np.array([0, *range(every, updates + 1, every)])
    scores = {"loss": level / (validated + 1), "wrong": np.linspace(1, 0, len(validated)) * level}
    return History(at, level / at, 2 * level / at, np.minimum(2 * level / at, 1), validated, scores, solved, diverged)


def lines(figure, panel, label=""):
    return [line for line in figure.axes[panel].lines if line.get_label().startswith(label)]


def test_it_shows_what_the_history_says():
    figure = plots.curves({"gru": history()}, "nats", SOLVED)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [
        "training: loss", "training: gradient norm, before clipping", "validation: loss", "validation: wrong",
    ]  # fmt: skip
    assert [axes.get_ylabel() for axes in figure.axes] == ["nats", "norm", "nats", "wrong"]
    expected = history()
    drawn = [lines(figure, panel, "gru")[0].get_xydata() for panel in range(4)]
    for found, x, y in zip(
        drawn,
        (expected.updates, expected.updates, expected.validated, expected.validated),
        (expected.losses, expected.norms, *expected.scores.values()),
        strict=True,
    ):
        np.testing.assert_allclose(found, np.stack([x, y], axis=1))
    (edge,) = lines(figure, 3, "solved: wrong at most 0.1")
    assert edge.get_ydata()[0] == 0.1
    assert not lines(figure, 2, "solved")


def test_many_updates_become_means_of_neighbours():
    many = history(updates=10 * POINTS + 3)
    (line,) = lines(plots.curves({"gru": many}), 0, "gru")
    x, y = line.get_xydata().T
    assert len(x) <= POINTS
    assert x[-1] == 10 * POINTS + 3
    np.testing.assert_allclose(y[0], many.losses[: int(x[0])].mean())
    np.testing.assert_allclose(y[-1], many.losses[int(x[-2]) :].mean())


def test_of_several_runs_it_is_the_median_with_the_quartiles_as_far_as_all_got():
    runs = [history(level=level, updates=updates) for level, updates in ((1, 6), (2, 9), (4, 12))]
    figure = plots.curves({"gru": runs})
    (line,) = lines(figure, 0, "gru, median of 3 runs")
    np.testing.assert_allclose(line.get_xydata(), np.stack([np.arange(1, 7), 2 / np.arange(1, 7)], axis=1))
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    at_first = band[band[:, 0] == 1, 1]
    assert (at_first.min(), at_first.max()) == (1.5, 3.0)


def test_only_sizes_that_lie_far_apart_and_are_positive_take_a_logarithmic_axis():
    scales = [axes.get_yscale() for axes in plots.curves({"gru": history(updates=30)}).axes]
    assert scales == ["log", "log", "log", "linear"]  # the share of wrong answers ends at 0
    assert plots.curves({"gru": history(updates=5)}).axes[0].get_yscale() == "linear"


def test_a_training_without_updates_or_validations_is_drawn_as_far_as_it_goes():
    nothing = History.of([])
    assert "No updates were made." in [text.get_text() for text in plots.curves({"gru": nothing}).texts]
    assert "No updates were made." in [text.get_text() for text in plots.curves({}).texts]
    assert sentences({"gru": nothing}) == ["gru: there was no validation."]
    figure = plots.curves({"gru": nothing, "lstm": history()})
    assert [len(lines(figure, panel, "gru")) for panel in range(4)] == [0] * 4
    first = History.of([{"update": 0, "validation": {"loss": None}}])
    assert np.isnan(first.scores["loss"][0])
    plots.rendered(plots.curves({"gru": first}), ["png"])


def test_sentences_say_what_it_came_to():
    assert sentences({"a": history(solved=3)}, "nats") == [
        "a: the loss of validations went from 1 to 0.143 nats in 6 updates; solved after 3 updates."
    ]
    runs = [history(level=level, solved=solved) for level, solved in ((1, 3), (2, 6), (4, None))]
    assert sentences({"a": runs}) == [
        "a: the loss of validations went from 2 to 0.286 in 6 updates, the median of 3 runs; 2 of 3 solved it, after 3 "
        "to 6 updates."
    ]
    assert sentences({"a": history(diverged="the loss is nan at update 7")})[1] == "a: the loss is nan at update 7."


def test_the_alt_text_says_where_the_lines_begin_and_end():
    said = alt({"a": history()})
    assert "a, training: loss, from 1 at update 1 to 0.167 at 6" in said
    assert "a, validation: wrong, from 1 at update 0 to 0 at 6" in said


def test_it_draws_on_axes_of_a_figure_of_ones_own():
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots(2, 2).ravel()
    assert plots.curves({"gru": history()}, axes=axes) is figure
    assert [len(panel.lines) for panel in axes] == [1, 1, 1, 1]
    svg = plots.rendered(figure, ["svg"])["svg"].decode()
    assert re.search("validation: wrong", svg)


def test_the_same_curves_give_the_same_bytes():
    first, second = (plots.rendered(plots.curves({"gru": history()}), ["svg"])["svg"] for _ in range(2))
    assert first == second


def test_in_print_the_lines_are_grey():
    figure = plots.curves({"gru": history(), "lstm": history()}, style=plots.Style(theme="print"))
    for line in lines(figure, 0, "gru") + lines(figure, 0, "lstm"):
        assert len(set(to_rgb(line.get_color()))) == 1
