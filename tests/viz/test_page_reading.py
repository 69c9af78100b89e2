"""What a reader is told on the page: which number is what, where each state vanishes, and what a mark means."""

from __future__ import annotations

import re
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from tests.viz.stepper import data_of, measured, rgb
from tinygrad_rnn.flow import RemedyFlow
from tinygrad_rnn.viz.averages import mean_shares
from tinygrad_rnn.viz.page import page

T = 20
PHONE = {"size": (390, 844), "has_touch": True, "is_mobile": True}
TRIED = (RemedyFlow("W_hh times 2", "survives", "h", None, 0.9, T - 1, 0.5, 1.5),)


@pytest.fixture(scope="module")
def three():
    found = {kind: measured(kind, steps=T) for kind in ("RNN", "LSTM", "GRU")}
    return {kind: report.beside(remedies=TRIED) for kind, report in found.items()}


# ---- without a browser ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_mean_share_is_the_mean_of_the_shares_of_its_steps(three, kind):
    report = three[kind]
    state = report.horizon.state
    cause = next(cause for cause in report.causes() if cause.kind == state)
    steps = range(T - cause.lag, T)
    found = mean_shares(report)
    assert {lag for (parent, _), (_, lag) in found.items() if parent == state} == {cause.lag}
    for path in report.paths:
        if path.parent == state:
            mean = np.mean([share for step, share in zip(path.steps, path.shares, strict=True) if step in steps])
            assert found[state, path.child][0] == pytest.approx(mean, abs=1e-4)
    assert sum(share for (parent, _), (share, _) in found.items() if parent == state) == pytest.approx(1, abs=1e-3)


def test_an_arrow_has_its_share_at_its_step_and_the_mean_beside_it(three):
    (panel,) = data_of(page(three["GRU"], level="cell"))["panels"]
    means = mean_shares(three["GRU"])
    names = [box["name"] for box in panel["boxes"]]
    by_ends = {(names[arrow["tail"]], names[arrow["head"]]): arrow for arrow in panel["arrows"]}
    nodes = three["GRU"].nodes
    checked = 0
    for link in three["GRU"].links:
        tail, head = nodes[link.parent], nodes[link.child]
        arrow = by_ends.get((tail.name, head.name))
        if arrow and (tail.label, head.label) in means and tail.step is not None and head.step is not None:
            assert arrow["part"] == pytest.approx(link.share, abs=1e-2)
            assert arrow["mean"] == list(means[tail.label, head.label])
            checked += 1
    assert checked > T


def test_a_gate_says_at_which_end_it_keeps(three):
    def keeps(kind):
        (panel,) = data_of(page(three[kind], level="cell"))["panels"]
        return {gate["label"]: gate["keeps"] for gate in panel["gates"] if gate["keeps"]}

    assert keeps("GRU") == {"z": "1: keep the old h"}
    assert keeps("LSTM") == {"f": "1: keep the old c"}


# ---- in a browser ---------------------------------------------------------------------------------------------------


def test_curve_and_graph_are_in_sight_and_long_sentences_folded(show, three):
    shown = show(three, level="cell", size=(1400, 900))
    curve, graph = (shown.tab.locator(each).first.bounding_box() for each in ("#curves .chart", ".graph"))
    assert curve["y"] + curve["height"] < 450
    assert graph["y"] < 680, "so that its first rows are there"
    why = shown.tab.locator('[data-panel="LSTM"] .why')
    line = why.locator("summary").bounding_box()["height"]
    assert line < 30
    said = why.locator("p")
    assert said.nth(0).text_content().startswith("What to change: with W_hh times 2")
    assert "not to say that anything is learned" in said.last.text_content(), "it has the word survive"
    assert not said.first.is_visible()
    why.locator("summary").click()
    assert said.first.is_visible()
    assert why.locator("summary").bounding_box()["height"] > line, "now all of it can be read"


def test_every_state_has_a_mark_at_its_own_horizon(show, three):
    shown = show(three["LSTM"], level="cell")
    states = {state.kind: state.horizon(0.01) for state in three["LSTM"].cell}
    assert len(set(states.values())) == 2, "they differ, or this shows nothing"
    rings = shown.tab.locator("#curves circle.horizon")
    centres = sorted(ring.bounding_box()["x"] + 5 for ring in rings.all())
    assert centres == pytest.approx([shown.at(lag, last=T - 1)[0] for lag in sorted(states.values())[::-1]], abs=2)
    assert sorted(shown.tab.locator("#curves .which").all_text_contents()) == ["c", "h"]
    key = shown.tab.text_content("#curves .key")
    for kind, lag in states.items():
        assert f"∂L/∂{kind}: below 0.01 from {lag} back" in key
    lines = shown.tab.locator(".strip .edge").all()
    places = sorted(line.bounding_box()["x"] for line in lines)
    cells = [cell.bounding_box()["x"] for cell in shown.tab.locator(".strip .cell").all()]
    assert places == pytest.approx(sorted(cells[T - lag] for lag in states.values()), abs=2)
    said = shown.tab.locator(".edge-text").all_text_contents()
    assert said == [f"◂ horizon of c, {states['c']} back: less than 0.01", f"h: {states['h']} back"]


def test_a_verdict_says_what_it_means_and_that_it_is_not_about_learning(show, three):
    shown = show(three, level="cell")
    for row in shown.tab.locator(".strip-name b[title]").all():
        assert row.get_attribute("title").startswith(f"{row.text_content()}: ")
    meanings = shown.tab.text_content("#verdicts")
    assert "explodes: somewhere it is over 100 times" in meanings
    assert "not to say that anything is learned" in meanings


def test_the_card_of_a_message_has_the_share_of_the_step_and_the_mean(show, three):
    shown = show(three["GRU"], level="cell")
    boxes = [box["name"] for box in shown.panel()["boxes"]]
    ends = [(boxes[arrow["tail"]], boxes[arrow["head"]]) for arrow in shown.panel()["arrows"]]
    at = ends.index((f"t{T - 2}_h", f"t{T - 1}_h"))
    place = shown.tab.evaluate(
        """i => { const path = document.querySelector(`[data-arrow="${i}"]`);
          const { x, y } = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
          return [x, y] }""",
        at,
    )
    shown.tab.mouse.wheel(0, place[1] - 400)
    shown.tab.wait_for_function("y => Math.abs(scrollY - y) < 2 || scrollY > 0", arg=place[1] - 400)
    shown.tab.mouse.move(place[0], place[1] - shown.tab.evaluate("() => scrollY"))
    said = shown.tab.text_content("#card")
    arrow = shown.panel()["arrows"][at]
    here, (mean, steps) = round(100 * arrow["part"]), arrow["mean"]
    assert f"{here}% of what arrives, at this step; {round(100 * mean)}% as the mean of {steps} steps" in said


@pytest.mark.parametrize("dark", [False, True])
def test_a_dark_outline_means_one_thing(show, three, dark):
    """A box that was chosen has one; what is exactly 0 is hatched, and what the graphs show is bracketed."""
    shown = show(three["LSTM"], level="cell", color_scheme="dark" if dark else "light")
    ink = shown.tab.evaluate("() => getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()")
    outlined = f"""() => [...document.querySelectorAll(".graph rect, .strip rect, .strip path")].filter(each =>
      getComputedStyle(each).stroke === "{rgb(ink)}")
      .map(each => each.closest("[data-box]")?.dataset.box ?? each.className.baseVal)"""
    assert shown.tab.evaluate(outlined) == []
    zero = next(name for name, (classes, _) in shown.looks().items() if "zero" in classes)
    fill = "box => getComputedStyle(box.querySelector('.body')).fill"
    assert "nought" in shown.box(zero).evaluate(fill)
    shown.box(f"t{T - 1}_h").click()
    boxes = shown.panel()["boxes"]
    assert [boxes[int(i)]["name"] for i in shown.tab.evaluate(outlined)] == [f"t{T - 1}_h"]
    legend = shown.tab.text_content("#legend")
    for meaning in ("exactly 0", "chosen: its paths to the loss are lit", "steps that the graphs show"):
        assert meaning in legend


def test_letters_below_a_strip_do_not_touch_each_other(show):
    long = measured("RNN", steps=40)
    read = SimpleNamespace(labels=tuple("WM" * 20), products=[0.0] * 40, norms=[1.0] * 40)
    for options in ({"size": (1400, 900)}, PHONE):
        shown = show(long, level="cell", inputs=read, **options)
        places = [letter.bounding_box() for letter in shown.tab.locator(".letter").all()]
        assert len(places) == 40
        gaps = [after["x"] - before["x"] - before["width"] for before, after in pairwise(places)]
        assert min(gaps) > 1.2
        strip = shown.tab.locator(".strip .cell").last.bounding_box()
        assert places[-1]["y"] > strip["y"] + strip["height"], "nor the strip"


def test_a_program_that_prints_without_saying_so_prints_the_graphs(show, three):
    shown = show(three["LSTM"], level="cell")
    shown.tab.emulate_media(media="print")
    shown.tab.wait_for_selector(".printed .graph")
    for each in (".printed .graph", "#legend", ".why p"):
        assert shown.tab.locator(each).first.is_visible()
    assert not re.search(
        "turn now|chosen",
        " ".join(row.text_content() for row in shown.tab.locator("#legend .look").all() if row.is_visible()),
    ), "paper has no such box"
    shown.tab.emulate_media(media="screen")
    shown.tab.wait_for_function("() => !document.querySelector('.printed')")
    assert not shown.tab.locator(".why p").first.is_visible()
