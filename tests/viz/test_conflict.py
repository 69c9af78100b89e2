"""The plot of the weight conflicts, and its words: worked out from the numbers, whatever they are."""

import numpy as np
import pytest

from tinygrad_rnn.tasks import ConflictTask
from tinygrad_rnn.train import ConflictRun, Pulls
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots.conflict import alt, conflict, parts, sentences, share_cancelled


def made(cell="carousel", kind="store", seed=0, each=(-3.0, 1.0, 1.0), loss=0.7, updates=40, product=0.25):
    zeros = np.zeros(3)
    pulls = [
        Pulls(at, *((one, zeros) if kind == "store" else (zeros, one)))
        for at, one in ((0, np.array([-1.0, -1, -2])), (updates, np.array(each)))
    ]
    losses = np.linspace(2, loss, updates)
    return ConflictRun(cell, ConflictTask(3, kind), seed, tuple(pulls), losses, loss, product)


def test_the_sentences_tell_of_a_conflict_that_stays():
    pulled, share, learned = sentences([made(), made(seed=1, each=(-4, 2, 2), loss=0.05)])
    assert "after 40 updates step 0, which is to be stored, contributes -3 to the gradient of the incoming" in pulled
    assert "the other 2, which are to be kept out, pull the other way, by 2 together (seed 0)" in pulled
    assert "0% cancels before training, 90% after 40 updates" in share
    assert "amounts to 6 (medians over 2 seeds)" in share  # (5 - 1) and (8 - 0)
    assert "learned (loss below 0.1) with 1 of 2 seeds: loss 0.7, 0.05" in learned
    assert "no carousel can expect less than 0.667, for which u v is 0.333, and here it is 0.25, 0.25" in learned


def test_the_sentences_tell_of_none_where_none_is():
    run = made("lstm97", "retrieve", each=(0, 0.5, 1), loss=0.01)
    pulled, share, learned = sentences([run])
    assert "step 2, which is to be answered, contributes 1 to the gradient of the outgoing" in pulled
    assert "which are to be silent, pull the same way, by 0.5 together" in pulled
    assert "0% after 40 updates; what cancels then amounts to 0" in share
    assert "with 1 of 1 seed: loss 0.01." in learned
    assert "carousel" not in learned
    assert parts(run, run.pulls[-1]) == (1, 0.5)
    assert share_cancelled(run, run.pulls[-1]) == 0


def test_the_plot_has_a_row_for_each_task_with_bars_at_each_moment_and_losses():
    cells = ("carousel", "lstm97")
    runs = [made(cell, kind, seed) for kind in ("store", "retrieve") for cell in cells for seed in (0, 1)]
    figure = conflict(runs)
    assert len(figure.axes) == 2 * 3
    before, after, losses = figure.axes[:3]
    assert "before training" in before.get_title()
    assert [bar.get_height() for bar in after.patches] == pytest.approx([-3, 1, 1] * 2)
    assert len({bar.get_facecolor() for bar in after.patches}) == 2
    curves = {line.get_label(): line.get_ydata() for line in losses.lines}
    np.testing.assert_allclose(curves["carousel"][0], runs[0].losses[:20].mean())
    np.testing.assert_allclose(curves["least of a carousel"], 2 / 3)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {*cells, "least of a carousel"}
    said = alt(runs)
    assert "store carousel: step 0 -3, the others 2 together, loss 0.7" in said
    assert "retrieve lstm97: step 2 1, the others -2 together" in said


def test_it_is_drawn_without_training_without_runs_and_in_other_looks():
    untrained = conflict([made(updates=0)])
    assert [panel.get_title() for panel in untrained.axes] == ["store: before training"] * 2  # and no losses
    assert [text.get_text() for text in untrained.legends[0].get_texts()] == ["carousel"]
    assert "Nothing was trained" in conflict([]).texts[-1].get_text()
    slide = conflict([made()], style=plots.Style(theme="dark", size="16:9", legend=False, caption=False))
    assert slide.get_figwidth() > slide.get_figheight()
    assert not slide.legends
    assert plots.paper_of(slide) == "#14181e"


def test_a_single_other_step_is_one_and_what_was_not_trained_is_not_said_to_be():
    def of(each, updates):
        pulls = tuple(Pulls(at, np.array(each), np.zeros(2)) for at in dict.fromkeys((0, updates)))
        return ConflictRun("rnn", ConflictTask(2, "store"), 0, pulls, np.ones(updates), 0.7, 0.25)

    pulled, share, loss = sentences([of([-2.0, 1.0], 0)])
    assert pulled.endswith("the other one, which is to be kept out, pulls the other way, by 1 (seed 0).")
    assert "before training step 0" in pulled
    assert share == "store, rnn: of all contributions 67% cancels before training; what cancels then amounts to 2."
    assert loss == "store, rnn: loss 0.7."
    assert alt([of([-2.0, 1.0], 0)]).startswith("Bars over the steps before training")
    assert sentences([of([-2.0, 0.0], 0)])[0].endswith(
        "the other one, which is to be kept out, contributes nothing (seed 0)."
    )
    assert "pulls alone, by 1 (" in sentences([of([0.0, 1.0], 3)])[0]
    assert "learned (loss below 0.1) with 0 of 1 seed: loss 0.7." in sentences([of([0.0, 1.0], 3)])[2]
