"""The guided tour: its answers against the reports, and how it is taken in a browser."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.viz import networks
from tests.viz.stepper import data_of, measured, numbers
from tinygrad_rnn.viz.page import page
from tinygrad_rnn.viz.tour import tour

T = 20
TITLES = ["Forward", "The turn", "One step back", "Paths compared", "The horizon", "What W received"]


@pytest.fixture(scope="module")
def both():
    return {kind: measured(kind, steps=T) for kind in ("RNN", "LSTM")}


def answer(reports, title, name):
    stop = next(stop for stop in tour(reports) if stop["title"] == title)
    return next(each["text"] for each in stop["answers"] if each["name"] == name)


def test_there_are_six_stops_each_with_a_question_and_an_answer_for_every_cell(both):
    stops = tour(both)
    assert [stop["title"] for stop in stops] == TITLES
    assert all(stop["question"].endswith("?") for stop in stops)
    assert all([each["name"] for each in stop["answers"]] == list(both) for stop in stops)
    assert data_of(page(both))["tour"] == stops


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_answers_are_numbers_of_the_report(both, kind):
    report = both[kind]
    state = report.state(report.horizon.state)
    k = state.kind

    said = answer(both, "Forward", kind)
    first, last = (report.node(f"t{t}_{k}").values.std for t in (0, T - 1))
    assert numbers(said.replace("t=0", "").replace(f"t={T - 1}", "")) == pytest.approx(
        [first, last, last / first], rel=6e-3
    )
    assert numbers(answer(both, "The turn", kind))[0] == pytest.approx(report.loss, rel=6e-3)
    assert numbers(answer(both, "The turn", kind))[-1] == pytest.approx(state.by_lag[0], rel=6e-3)
    share = state.relative(1)
    assert numbers(answer(both, "One step back", kind))[:2] == pytest.approx([share, share ** (T - 1)], rel=0.06)
    horizon = answer(both, "The horizon", kind)
    assert f"{report.horizon.steps} steps before the last" in horizon
    assert f"×{report.decay.per_step:.3g} per step" in horizon
    sizes = report.weights["weight_hh_l0"].per_step[::-1]
    count = next(n for n in range(1, T + 1) if sizes[:n].sum() >= 0.9 * sizes.sum())
    assert f"weight_hh_l0: {count} of {T} steps" in answer(both, "What W received", kind)


def test_paths_are_all_messages_that_come_to_the_state(both):
    assert "There is one way only to h" in answer(both, "Paths compared", "RNN")
    found = numbers(answer(both, "Paths compared", "RNN").partition("multiplies by")[2])
    attenuation = both["RNN"].attenuation("h")[-1]
    assert np.prod(found) == pytest.approx(attenuation, rel=0.02)

    report = both["LSTM"]
    c = next(i for i, node in enumerate(report.nodes) if node.name == f"t{T - 2}_c")
    sizes = {report.nodes[link.child].name: link.norm for link in report.links if link.parent == c and link.norm}
    said = dict(re.findall(r"(\w+ of t=\d+) ([\d.e-]+\d)", answer(both, "Paths compared", "LSTM").partition(": ")[2]))
    assert {name: float(size) for name, size in said.items()} == pytest.approx(
        {"{1} of t={0}".format(*re.match(r"t(\d+)_(\w+)", name).groups()): size for name, size in sizes.items()},
        rel=6e-3,
    )


@pytest.mark.parametrize("name", ["no time", "one step", "two steps", "zero", "own cell without names"])
def test_where_there_is_nothing_to_compare_there_is_no_tour(name):
    assert tour({"": networks.report(name)}) == []


@pytest.mark.parametrize("name", ["nan", "exploding", "reverse alone", "two layers, both directions", "own cell"])
def test_other_networks_have_answers_too(name):
    report = networks.report(name)
    state = report.cell[0]
    assert len(tour({"": report})) == (6 if state.measurable else 0)


# ---- in a browser ---------------------------------------------------------------------------------------------------


def test_it_asks_before_it_tells(show, both):
    shown = show(both, level="cell")
    box = shown.tab.locator("#tour")
    assert box.is_hidden()
    shown.tab.click("#take-tour")
    data = shown.data["tour"]
    for i, stop in enumerate(data):
        assert box.locator("h2").text_content() == f"{i + 1} of 6: {stop['title']}"
        assert stop["question"] in box.text_content()
        assert "What do you expect?" in box.text_content()
        assert box.locator("li").count() == 0
        asked = shown.tick
        shown.press("Enter")
        assert box.locator("li").all_text_contents() == [f"{a['name']}: {a['text']}" for a in stop["answers"]]
        assert shown.tick >= asked
        if stop["tell_at"] == "turn":
            assert shown.tick == shown.turn
        elif stop["tell_at"] == "end":
            assert shown.tick == shown.ticks
        else:
            assert f"t={T - 1 - stop['tell_at']}" in shown.live
        if i < 5:
            shown.press("Enter")
    assert shown.tab.evaluate("() => location.hash") == "#tour=6"


def test_what_will_be_asked_is_not_told_before(show, both):
    shown = show(both, level="cell")
    shown.tab.click("#take-tour")
    for each in (".finding", ".strip-facts", ".edge-text", ".told"):
        assert not any(one.is_visible() for one in shown.tab.locator(each).all())
    shown.press("Escape", "End")
    for each in (".finding", ".strip-facts", ".edge-text", ".told"):
        assert shown.tab.locator(each).first.is_visible()


def test_a_link_leads_to_a_stop_and_escape_leaves(show, both):
    shown = show(both, level="cell")
    shown.tab.evaluate("() => { location.hash = 'tour=4' }")
    box = shown.tab.locator("#tour")
    box.wait_for(state="visible")
    assert "4 of 6: Paths compared" in box.text_content()
    box.get_by_text("Back").click()
    assert "3 of 6" in box.text_content()
    shown.press("Escape")
    assert box.is_hidden()
    assert shown.tab.evaluate("() => location.hash") == ""
    shown.tab.evaluate("() => { location.hash = 'tour=99' }")
    assert box.is_hidden()


def test_without_stops_there_is_no_button(show):
    shown = show(networks.report("no time"))
    assert shown.tab.locator("#take-tour").is_hidden()
