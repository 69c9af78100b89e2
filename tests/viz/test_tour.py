"""The guided tour: its answers against the reports, and how it is taken in a browser."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz import networks
from tests.viz.stepper import data_of, measured, numbers
from tinygrad_rnn import nn, viz
from tinygrad_rnn.flow import RemedyFlow, changes, reasons
from tinygrad_rnn.flow.trained import conclusion
from tinygrad_rnn.viz.page import page
from tinygrad_rnn.viz.tour import tour

T = 20
CORE = ["Forward", "The turn", "One step back", "Paths compared", "The horizon", "What W received"]
TRIED = (
    RemedyFlow("W_hh times 2", "survives", "h", None, 0.9, T - 1, 0.5, 1.5),
    RemedyFlow("W_hh times 9", "explodes", "h", None, 1.9, T - 1, 500.0, 9.5),
)


@pytest.fixture(scope="module")
def both():
    return {kind: measured(kind, steps=T) for kind in ("RNN", "LSTM")}


@pytest.fixture(scope="module")
def three():
    return {kind: measured(kind, steps=T) for kind in ("RNN", "LSTM", "GRU")}


def answer(reports, title, name):
    stop = next(stop for stop in tour(reports) if stop["title"] == title)
    return next(each["text"] for each in stop["answers"] if each["name"] == name)


def test_six_stops_come_first_each_with_a_question_and_an_answer_for_every_cell(both):
    stops = tour(both)
    assert [stop["title"] for stop in stops] == [*CORE, "Why"]
    assert all("?" in stop["question"] for stop in stops)
    assert all([each["name"] for each in stop["answers"]] == list(both) for stop in stops)
    remedied = {kind: report.beside(remedies=TRIED) for kind, report in both.items()}
    assert [stop["title"] for stop in tour(remedied)] == [*CORE, "Why", "What to change"]
    assert data_of(page(both))["tour"] == stops


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_answers_are_numbers_of_the_report(both, kind):
    report = both[kind]
    state = report.state(report.horizon.state)
    k = state.kind

    said = answer(both, "Forward", kind)
    values = (report.node(f"t{t}_{k}").values for t in (0, T - 1))
    first, last = (float(np.hypot(known.mean, known.std)) for known in values)  # as the boxes have it
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
    into = [link for link in report.links if link.parent == c and link.norm]
    shares = {report.nodes[link.child].label: link.share for link in into}
    names = {"straight through f": "c", "round by c → h → gates → c": "h"}
    text = answer(both, "Paths compared", "LSTM").partition(" Mean of")[0]
    said = {names[way]: int(share) / 100 for share, way in re.findall(r"(−?\d+)% ([^,.]+)", text)}
    assert said == pytest.approx(shares, abs=0.006)
    assert len(said) > 1
    assert sum(said.values()) == pytest.approx(1, abs=0.02)


def test_a_way_has_one_name_wherever_it_is_spoken_of(three):
    """What comes straight through f is not called "through c" at one stop and "through f" at another."""
    for name in ("LSTM", "GRU"):
        here, mean = answer(three, "Paths compared", name).split(" Mean of ")
        why = answer(three, "Why", name).partition("comes ")[2].partition(";")[0]
        known = [re.findall(r"\d+% ([^,.]+)", said) for said in (here, mean, why)]
        cause = next(cause for cause in three[name].causes() if cause.kind == three[name].horizon.state)
        assert set(known[0]) <= {way for way, _ in reasons.ways(cause)}
        assert known[1] == known[2]
        assert f"straight through {'f' if name == 'LSTM' else 'z'}" in known[0]
        assert mean.partition(": ")[2].rstrip(".") == why


def test_no_cell_is_left_out_where_they_are_compared():
    found = {kind: measured(kind, steps=T) for kind in ("LSTM", "RNN", "GRU")}
    compared = [stop for stop in tour(found) if stop["title"] in ("Paths compared", "Why")]
    assert [stop["compare"] for stop in compared] == [list(found)] * 2
    assert [[each["name"] for each in stop["answers"]] for stop in compared] == [list(found)] * 2
    assert list(compared[-1]["point"]) == list(found)
    (alone,) = [stop for stop in tour({"": found["RNN"]}) if stop["title"] == "Paths compared"]
    assert alone["compare"] == [""]


def test_a_way_through_the_step_of_the_state_itself_is_explained(both):
    said = answer(both, "Paths compared", "LSTM")
    assert "round by c → h → gates → c" in said
    assert f"(h of t={T - 2} is made of c in the same step, and is what t={T - 1} reads.)" in said
    assert "same step" not in answer(both, "Paths compared", "RNN")


def test_shares_of_one_step_stand_beside_their_mean(both):
    report = both["LSTM"]
    said = answer(both, "Paths compared", "LSTM")
    here, mean = said.split(" Mean of ")
    assert here.startswith(f"At this step, of all that arrives at c of t={T - 2}")
    cause = next(cause for cause in report.causes() if cause.kind == "c")
    assert mean.startswith(f"{cause.lag} steps: ")
    found = {way: int(share) / 100 for share, way in re.findall(r"(−?\d+)% ([^,.]+)", mean)}
    assert found["straight through f"] == pytest.approx(dict(cause.shares)["c"], abs=0.006)
    assert sum(found.values()) == pytest.approx(1, abs=0.02), "the way round through h is the rest"


def test_a_step_that_is_unlike_the_mean_is_said_to_be_beside_its_graph(show):
    """Here a unit that the loss hardly reads has the gradient further back, of which the last step says nothing."""
    tg.manual_seed(0)
    net = nn.GRU(2, 4, dtype="float64")
    weights = {name: value.numpy() * 0.01 for name, value in net.state_dict().items()}
    weights["weight_hh_l0"][8, 0] = 2.0  # of n, from h: what the loss reads comes by the candidate
    weights["bias_hh_l0"][:8] = [9.0] * 4 + [-4.0, 6.0, -4.0, -4.0]
    net.load_state_dict({name: tg.tensor(value) for name, value in weights.items()})
    last = net.unroll(tg.randn(30, 3, 2, dtype="float64"))[0][-1]
    reports = {"odd": viz.gradient_flow(last[:, 0] + 0.1 * last[:, 1], statistics=True), "even": measured(steps=T)}
    stops = [stop for stop in tour(reports) if stop["look"] == "paths"]
    assert [list(stop["beside"]) for stop in stops] == [["odd"], ["odd"]]
    here, mean = (int(share) for share in re.findall(r"(\d+)%", stops[1]["beside"]["odd"])[:2])
    cause = reports["odd"].causes()[0]
    path = next(path for path in reports["odd"].paths if path.child == path.parent == "h")
    assert [here, mean] == pytest.approx([100 * path.shares[-1], 100 * dict(cause.shares)["h"]], abs=0.6)
    assert abs(mean - here) > 25
    shown = show(reports, level="cell")
    shown.tab.evaluate("() => { location.hash = 'tour=7' }")
    shown.tab.locator("#tour").wait_for(state="visible")
    warned = shown.tab.locator(".beside:visible")
    assert warned.count() == 0, "not before the answer"
    shown.press("Enter")
    assert warned.all_text_contents() == [stops[1]["beside"]["odd"]]
    assert shown.tab.locator('[data-panel="odd"] .beside').is_visible()
    shown.press("Escape")
    assert warned.count() == 0


def test_why_and_what_to_change_are_the_sentences_of_the_report(both):
    remedied = {kind: report.beside(remedies=TRIED) for kind, report in both.items()}
    for kind, report in remedied.items():
        assert answer(remedied, "Why", kind) == reasons.why(report) != ""
        assert answer(remedied, "What to change", kind) == changes.remedy(report)
        assert "W_hh times 2" in answer(remedied, "What to change", kind)
    (why,) = [stop for stop in tour(remedied) if stop["title"] == "Why"]
    assert why["point"] == {"RNN": ["h"], "LSTM": ["c", "f"]}


def test_of_a_trained_network_a_stop_tells_what_training_did(both):
    trained = {kind: measured(kind, steps=T, seed=1).beside(before=report) for kind, report in both.items()}
    assert [stop["title"] for stop in tour(trained)] == [*CORE, "Why", "What training did"]
    for kind, report in trained.items():
        assert answer(trained, "What training did", kind) == conclusion(report) != ""


def test_the_curves_before_a_training_are_shown_with_the_answer_about_it(show, both):
    trained = {kind: measured(kind, steps=T, seed=1).beside(before=report) for kind, report in both.items()}
    assert [stop["overlay"] for stop in tour(trained)] == [False] * 7 + [True]
    shown = show(trained, level="cell")
    pale = shown.tab.locator("#curves .curve.before")
    assert pale.count() == 3
    found = shown.panel("LSTM")["states"][1]
    old = both["LSTM"].state("c")
    assert found["before"] == pytest.approx([old.relative(lag) for lag in range(T)], rel=1e-6)
    shown.tab.evaluate("() => { location.hash = 'tour=8' }")
    shown.tab.locator("#tour").wait_for(state="visible")
    assert not any(each.is_visible() for each in pale.all()), "not before the answer"
    shown.press("Enter")
    assert all(each.is_visible() for each in pale.all())
    assert shown.tab.get_by_text("pale: with the initial weights").is_visible()
    shown.press("ArrowLeft")
    assert not any(each.is_visible() for each in pale.all())
    assert show(both, level="cell").tab.locator("#curves .curve.before").count() == 0, "nothing was trained"


def test_no_question_needs_the_one_before(both):
    """A link leads to any of them."""
    for stop in tour(both):
        assert not re.search(r"\b(of|by) (it|that|them) (is|was|are|did|left)\b|\bcome there\b", stop["question"])
        assert re.search("state|step|gradient|[Vv]alue", stop["question"])


@pytest.mark.parametrize("name", ["no time", "one step", "two steps", "zero", "own cell without names"])
def test_where_there_is_nothing_to_compare_there_is_no_tour(name):
    assert tour({"": networks.report(name)}) == []


@pytest.mark.parametrize("name", ["nan", "exploding", "reverse alone", "two layers, both directions", "own cell"])
def test_other_networks_have_answers_too(name):
    report = networks.report(name)
    state = report.cell[0]
    assert [stop["title"] for stop in tour({"": report})][:6] == (CORE if state.measurable else [])


# ---- in a browser ---------------------------------------------------------------------------------------------------


def test_it_asks_before_it_tells(show, both):
    shown = show(both, level="cell")
    box = shown.tab.locator("#tour")
    assert box.is_hidden()
    shown.tab.click("#take-tour")
    data = shown.data["tour"]
    onward = box.get_by_text("Next")
    for i, stop in enumerate(data):
        assert box.locator("h2").text_content() == f"{i + 1} of 7: {stop['title']}"
        assert onward.is_visible() is (i < 6), "behind the last stop there is none"
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
        if i < 6:
            shown.press("Enter")
    assert shown.tab.evaluate("() => location.hash") == "#tour=7"
    shown.press("Enter")
    assert box.is_hidden(), "at the last stop Enter ends the tour"


def test_what_decides_is_ringed_where_the_answer_on_why_speaks_of_it(show, both):
    shown = show(both, level="cell")
    shown.tab.evaluate("() => { location.hash = 'tour=7' }")
    shown.tab.locator("#tour").wait_for(state="visible")
    ringed = "() => [...document.querySelectorAll('[data-ringed]')].map(box => Number(box.dataset.box))"
    assert shown.tab.evaluate(ringed) == []
    shown.press("Enter")
    found = {
        name: {shown.panel(name)["boxes"][int(box.get_attribute("data-box"))]["name"] for box in boxes.all()}
        for name in both
        if (boxes := shown.tab.locator(f'[data-panel="{name}"] [data-ringed]')).count()
    }
    assert found == {"RNN": {f"t{T - 1}_h"}, "LSTM": {f"t{T - 1}_c", f"t{T - 1}_forget_gate_f"}}
    shown.press("Escape")
    assert shown.tab.evaluate(ringed) == []


def test_what_will_be_asked_is_not_told_before(show, both):
    shown = show(both, level="cell")
    shown.tab.click("#take-tour")
    for each in (".finding", ".strip-facts", ".edge-text", ".told"):
        assert not any(one.is_visible() for one in shown.tab.locator(each).all())
    shown.press("Escape")
    shown.press("t", "PageDown", "PageDown")
    for each in (".finding", ".why"):
        assert not any(one.is_visible() for one in shown.tab.locator(each).all()), "nor without the tour"
    shown.press("End")
    for each in (".finding", ".strip-facts", ".edge-text", ".told"):
        assert shown.tab.locator(each).first.is_visible()


def test_a_link_leads_to_a_stop_and_escape_leaves(show, both):
    shown = show(both, level="cell")
    shown.tab.evaluate("() => { location.hash = 'tour=4' }")
    box = shown.tab.locator("#tour")
    box.wait_for(state="visible")
    assert "4 of 7: Paths compared" in box.text_content()
    box.get_by_text("Back").click()
    assert "3 of 7" in box.text_content()
    shown.press("Escape")
    assert box.is_hidden()
    assert shown.tab.evaluate("() => location.hash") == ""
    shown.tab.evaluate("() => { location.hash = 'tour=99' }")
    assert box.is_hidden()


OVERLAP = """what => {
  const card = document.getElementById("tour").getBoundingClientRect();
  const shown = [...document.querySelectorAll(what)].filter(each => each.checkVisibility());
  return [shown.length, shown.filter(each => {
    const { left, right, top, bottom } = each.getBoundingClientRect();
    return left < card.right - 1 && right > card.left + 1 && top < card.bottom - 1 && bottom > card.top + 1;
  }).length] }"""


def test_on_a_phone_the_buttons_stay_in_sight_however_long_the_answer_is(show, both):
    shown = show(both, level="cell", size=(390, 844), has_touch=True, is_mobile=True)
    shown.tab.click("#take-tour")
    for stop in shown.data["tour"]:
        for _ in ("asked", "told"):
            card = shown.tab.locator("#tour").bounding_box()
            for button in shown.tab.locator("#tour button").all():
                if button.is_visible():
                    place = button.bounding_box()
                    assert card["y"] <= place["y"], stop["title"]
                    assert place["y"] + place["height"] <= 844, stop["title"]
            shown.press("Enter")


def test_text_that_goes_on_below_the_buttons_is_said_to(show, both):
    shown = show(both, level="cell", size=(1400, 420))
    shown.tab.evaluate("() => { location.hash = 'tour=7' }")
    card, more = shown.tab.locator("#tour"), shown.tab.get_by_role("button", name="▾ More")
    card.wait_for(state="visible")
    shown.press("Enter")
    hidden = "card => card.scrollHeight - card.scrollTop - card.clientHeight"
    assert card.evaluate(hidden) > 8
    assert more.is_visible()
    for _ in range(6):
        if more.is_visible():
            more.click()
            shown.tab.wait_for_timeout(50)
    assert card.evaluate(hidden) <= 8
    assert more.is_hidden(), "at the end there is no more"
    shown.press("Escape")
    shown.tab.evaluate("() => { location.hash = 'tour=1' }")
    shown.tab.set_viewport_size({"width": 1400, "height": 900})
    card.wait_for(state="visible")
    assert more.is_hidden(), "nor where all of it is there"


def test_on_a_phone_the_question_stays_and_a_name_says_that_it_can_be_tapped(show, three):
    shown = show(three, level="cell", size=(390, 844), has_touch=True, is_mobile=True)
    shown.tab.evaluate("() => { location.hash = 'tour=2' }")
    card = shown.tab.locator("#tour")
    card.wait_for(state="visible")
    shown.press("Enter")
    assert card.get_by_text("Where does the first one come from").is_visible()
    behind = "all => all.map(name => getComputedStyle(name, '::after').content.includes('▸'))"
    assert card.locator(".name").evaluate_all(behind) == [False, True, True]
    card.get_by_role("button", name="GRU:").click()
    assert card.locator(".name").evaluate_all(behind) == [True, True, False]


def test_on_a_phone_the_line_that_tells_where_one_is_is_whole(show, three):
    shown = show(three, level="cell", size=(390, 844), has_touch=True, is_mobile=True)
    live = shown.tab.locator("#live")
    fits = "live => live.scrollHeight <= live.clientHeight + 1 && live.scrollWidth <= live.clientWidth + 1"
    for key in ("End", "Home", "t"):
        shown.press(key)
        assert live.evaluate(fits), shown.live
    shown.press("PageDown", "PageDown")
    for name in three:
        shown.tab.locator("#tabs").get_by_role("button", name=name, exact=True).click()
        assert f"{name}: t=" in shown.live
        assert live.evaluate(fits), shown.live


def test_on_a_phone_the_cell_that_was_chosen_stays_in_sight(show, three):
    shown = show(three, level="cell", size=(390, 844), has_touch=True, is_mobile=True)
    shown.tab.get_by_role("button", name="LSTM", exact=True).click()
    shown.tab.evaluate("() => { location.hash = 'tour=4' }")
    shown.tab.locator("#tour").wait_for(state="visible")
    shown.press("Enter")
    (start,) = [box for box in shown.tab.locator("[data-start]").all() if box.is_visible()]
    assert start.evaluate("box => box.closest('.panel').dataset.panel") == "LSTM"


@pytest.mark.parametrize("size", [(1400, 900), (1100, 800)])
def test_the_card_covers_nothing(show, both, size):
    shown = show(both, level="cell", size=size)
    shown.tab.click("#take-tour")
    for stop in shown.data["tour"]:
        for _ in ("asked", "told"):
            count, hidden = shown.tab.evaluate(OVERLAP, ".strip, #curves .chart, .graph, .weights, #bar, .gates .chart")
            assert count > 5
            assert hidden == 0, stop["title"]
            card = shown.tab.locator("#tour").bounding_box()
            assert card["y"] >= 0
            assert card["y"] + card["height"] <= size[1]
            shown.press("Enter")


def test_on_a_phone_what_a_stop_speaks_of_is_above_the_card(show, both):
    shown = show({"RNN": both["RNN"]}, level="cell", size=(390, 844), has_touch=True, is_mobile=True)
    shown.tab.click("#take-tour")
    spoken_of = {"strips": ".strip", "graphs": ".graph", "paths": ".graph", "weights": ".weights"}
    for stop in shown.data["tour"]:
        what = shown.tab.locator(spoken_of[stop["look"]])
        seen = next(each for each in what.all() if each.is_visible()).bounding_box()
        card = shown.tab.locator("#tour").bounding_box()["y"]
        assert 0 <= seen["y"] < card - 100, stop["title"]
        assert stop["look"] != "weights" or seen["y"] + seen["height"] <= card
        shown.press("Enter", "Enter")


INSIDE = """part => { const [at, frame] = [part, part.closest(".graph")].map(each => each.getBoundingClientRect());
  const top = Math.max(frame.top, document.getElementById("bar").getBoundingClientRect().bottom);
  const [right, bottom] = [Math.min(frame.right, innerWidth), Math.min(frame.bottom, innerHeight)];
  return at.left >= frame.left && at.right <= right && at.top >= top && at.bottom <= bottom }"""


@pytest.mark.parametrize("size", [(1280, 800), (1680, 950)])
def test_all_that_is_lit_where_paths_are_compared_is_in_sight(show, three, size):
    shown = show(three, level="cell", size=size)
    graphs = {name: shown.tab.locator(f'[data-panel="{name}"] .graph') for name in three}
    for stop in (4, 7):
        shown.tab.evaluate(f"() => {{ scrollTo(0, 9999); location.hash = 'tour={stop}' }}")
        shown.tab.locator("#tour h2").get_by_text(f"{stop} of").wait_for()
        shown.press("Enter")
        for name, graph in graphs.items():
            kind = three[name].horizon.state
            for t in (T - 2, T - 1):
                assert shown.box(f"t{t}_{kind}", name).get_attribute("data-on") is not None, "lit up"
            assert shown.tab.locator(f'[data-panel="{name}"] .far').count() == 0, "letters can be read"
            found = graph.locator("[data-on] .body, [data-ringed] .body").all()
            assert len(found) > 2
            assert all(each.evaluate(INSIDE) for each in found), (stop, name)
    shown.press("Escape")
    assert all(graph.is_visible() for graph in graphs.values())
    assert shown.tab.locator(".lit").count() == 0


def test_on_a_phone_one_cell_is_told_of_at_a_time_and_its_name_leads_to_another(show, three):
    shown = show(three, level="cell", size=(390, 844), has_touch=True, is_mobile=True)
    shown.tab.evaluate("() => { location.hash = 'tour=7' }")
    shown.tab.locator("#tour").wait_for(state="visible")
    shown.press("Enter")
    card = shown.tab.locator("#tour")
    for name in three:
        card.get_by_role("button", name=f"{name}:").click()
        told = [each.is_visible() for each in card.locator("li span").all()]
        assert told == [each == name for each in three], "the others are but names"
        ringed = shown.tab.locator(f'[data-panel="{name}"] [data-ringed] .body').all()
        assert all(each.evaluate(INSIDE) for each in ringed)
        lowest = max(each.bounding_box()["y"] for each in ringed)
        assert lowest < card.bounding_box()["y"] - 20
        assert shown.tab.locator(f'[data-panel="{name}"] .far').count() == 0


def test_the_arrow_keys_take_the_tour(show, both):
    shown = show(both, level="cell")
    shown.tab.click("#take-tour")
    box = shown.tab.locator("#tour")
    assert shown.live.startswith("Forward pass"), "the first step is there"
    assert "t=0" in shown.live
    shown.press("ArrowRight")
    assert shown.tick == shown.turn
    assert box.locator("li").count() == 2
    shown.press("ArrowRight")
    assert "2 of 7" in box.text_content()
    assert box.locator("li").count() == 0
    shown.press("ArrowLeft")
    assert "1 of 7" in box.text_content()
    shown.press("Escape")
    assert shown.tick == shown.ticks, "the page is as it was found"
    assert shown.tab.locator(".cell.waiting").count() == 0
    shown.press("ArrowLeft")
    assert shown.tick == shown.ticks - 1, "without the tour they are the player's"


def test_after_the_comparison_graphs_have_all_their_rows_again(show, three):
    shown = show(three, level="cell", size=(1280, 800))
    shown.tab.evaluate("() => { location.hash = 'tour=4' }")
    shown.tab.locator("#tour").wait_for(state="visible")
    shown.press("Enter", "Enter")
    assert "5 of" in shown.tab.text_content("#tour")
    tops = """graph => [...graph.querySelectorAll(".frame")].map(each => each.getBoundingClientRect())
      .filter(({ width }) => width).map(({ top }) => top - graph.getBoundingClientRect().top)"""
    for graph in shown.tab.locator(".graph").all():
        assert (found := graph.evaluate(tops))
        assert min(found) > -1


def test_paths_begin_at_the_layer_that_the_verdict_is_about(show):
    report = networks.report("long, two layers, both directions")
    place = report.place(report.state(report.horizon.state))
    shown = show({"deep": report, "no time": networks.report("no time")}, level="cell")
    shown.tab.evaluate("() => { location.hash = 'tour=4' }")
    shown.tab.locator("#tour").wait_for(state="visible")
    shown.press("Enter")
    (start,) = shown.tab.locator("[data-start]").all()
    box = shown.panel("deep")["boxes"][int(start.get_attribute("data-box"))]
    strip = shown.panel("deep")["strip"]
    assert (box["kind"], box["caption"], box["step"]) == ("state", strip["kind"], strip["steps"][-2])
    assert "layer=1" in box["scope"], place


def test_what_happens_is_said_in_full(show, three):
    shown = show(three, level="cell", size=(1400, 900))
    shown.tab.click("#take-tour")
    live = shown.tab.locator("#live")
    for _ in range(6):
        for _ in ("asked", "told"):
            fits = "live => live.scrollHeight <= live.clientHeight + 1 && live.scrollWidth <= live.clientWidth"
            assert live.evaluate(fits), shown.live
            shown.press("Enter")


def test_without_stops_there_is_no_button(show):
    shown = show(networks.report("no time"))
    assert shown.tab.locator("#take-tour").is_hidden()
