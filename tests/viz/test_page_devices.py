"""The page by finger and on paper, and what the forward pass shows before there is any gradient."""

from __future__ import annotations

import re

import pytest

from tests.viz.stepper import STEPS, measured, numbers


def test_gates_fill_as_far_as_they_are_open(show, lstm):
    shown = show(lstm, level="cell")
    shown.press("t")
    for node in lstm.nodes:
        if node.role != "gate":
            continue
        box = shown.box(node.name)
        level, body = box.locator(".level").first, box.locator(".body")
        share = level.bounding_box()["width"] / body.bounding_box()["width"]
        assert level.is_visible()
        if node.name.endswith("_g"):  # between -1 and 1: the middle 80% of the values
            assert share == pytest.approx((node.values.high - node.values.low) / 2, abs=0.5)
        else:
            assert share == pytest.approx(node.values.mean, abs=0.03)
    shown.press("End")
    gate = shown.box("t1_forget_gate_f")
    assert [level.is_visible() for level in gate.locator(".level").all()] == [False, True], "small beside the gradient"


def test_at_the_turn_the_page_says_that_gradients_begin(show, lstm):
    shown = show(lstm, level="cell")
    kind = "() => document.documentElement.dataset.pass"
    line = "graph => getComputedStyle(graph).outlineColor"
    seen = []
    for key in ("Home", "ArrowRight", "t", "ArrowRight", "End"):
        shown.press(key)
        seen.append((shown.tab.evaluate(kind), shown.tab.locator(".graph").evaluate(line)))
    assert [name for name, _ in seen] == ["start", "forward", "turn", "backward", "end"]
    assert seen[1][1] != seen[2][1] == seen[3][1]


def test_curves_are_as_long_as_the_backward_pass_is(show, lstm):
    shown = show(lstm, level="cell")
    left = "() => Number(document.querySelector('#known rect').getAttribute('x'))"
    whole = shown.tab.evaluate(left)
    shown.press("t")
    nothing = shown.tab.evaluate(left)
    shown.press("PageDown", "PageDown", "PageDown")
    chart = shown.tab.locator("#curves .chart").bounding_box()["x"]
    assert whole == 0
    assert shown.at(2)[0] < chart + shown.tab.evaluate(left) < shown.at(1)[0] < shown.at(0)[0] < chart + nothing


def test_letters_keep_their_size_and_rows_their_names(show):
    shown = show({kind: measured(kind, steps=30) for kind in ("LSTM", "GRU")}, level="cell", size=(1400, 900))
    names = shown.tab.locator('[data-panel="LSTM"] .rows text').all_text_contents()
    assert names[:6] == ["h", "c", "o", "g", "f", "i"]
    curve = shown.tab.locator("#curves .chart").bounding_box()
    assert curve["y"] + curve["height"] < 900, "the curve is in sight"
    assert not shown.tab.locator(".overview").first.is_visible()


def test_on_a_phone_a_tap_shows_the_card_and_two_fingers_zoom(show, lstm):
    shown = show(lstm, level="cell", size=(390, 844), has_touch=True, is_mobile=True)
    assert shown.tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    box = shown.box(f"t{STEPS - 1}_h")
    box.scroll_into_view_if_needed()
    box.tap()
    card = shown.tab.locator("#card")
    assert card.is_visible()
    assert "gradient" in card.text_content()
    assert shown.tab.locator(".lit").count() == 0
    shown.tab.locator("h1").tap()
    assert card.is_hidden()
    bar = shown.tab.locator("#bar").bounding_box()
    assert bar["y"] < 844, "the controls stay in sight"
    before = numbers(shown.tab.get_attribute(".graph > g", "transform"))[2]
    shown.tab.evaluate(
        """() => { const graph = document.querySelector(".graph");
          const at = (type, pointerId, clientX) => graph.dispatchEvent(
            new PointerEvent(type, { pointerId, clientX, clientY: 200, pointerType: "touch", bubbles: true }));
          at("pointerdown", 1, 100); at("pointerdown", 2, 200);
          at("pointermove", 2, 300); at("pointerup", 1, 100); at("pointerup", 2, 300) }"""
    )
    assert numbers(shown.tab.get_attribute(".graph > g", "transform"))[2] == pytest.approx(2 * before, rel=1e-3)


def test_on_paper_are_both_ends_of_time_and_the_horizon_and_no_button(show):
    report = measured("LSTM", steps=40)
    shown = show(report, level="cell", color_scheme="dark")
    shown.press("t")
    shown.tab.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    shown.tab.emulate_media(media="print")
    assert [shown.tab.locator(each).first.is_visible() for each in ("button", "#slider", ".panel > .graph")] == [
        False
    ] * 3
    assert [shown.tab.locator(each).first.is_visible() for each in (".strip", "#curves .chart", ".weights")] == [
        True
    ] * 3
    rows = shown.tab.locator(".printed svg").evaluate_all(
        "all => all.map(row => [row.viewBox.baseVal.x, row.viewBox.baseVal.width, row.getBoundingClientRect().width])"
    )
    assert rows[0][0] == 0
    assert rows[-1][0] + rows[-1][1] == pytest.approx(shown.panel()["width"])
    frames = [frame for frame in shown.panel()["frames"] if frame["step"] is not None and not frame["inner"]]
    drawn = {
        frame["step"]
        for frame in frames
        if any(x - 1 < frame["x"] and frame["x"] + frame["w"] < x + width + 1 for x, width, _ in rows)
    }
    said = [numbers(text) for text in shown.tab.locator(".left-out").all_text_contents()]
    left_out = {step for first, last in said for step in range(int(first), int(last) + 1)}
    assert len(left_out) > 10
    assert not drawn & left_out
    assert drawn | left_out == set(range(40)), "what is not drawn is said not to be"
    assert {0, 39, 39 - report.horizon.steps} <= drawn
    assert all(wide <= 701 for *_, wide in rows)
    assert shown.tab.evaluate("() => document.documentElement.scrollWidth") <= 1300
    room = shown.tab.evaluate("() => document.body.getBoundingClientRect().width")
    assert room <= 704, "A4 between its margins: more, and the browser would shrink all letters"
    shown.tab.emulate_media(media="screen")
    shown.tab.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert shown.tab.locator(".printed").count() == 0
    assert shown.tab.evaluate("() => document.documentElement.dataset.theme") == "dark"
    assert not re.search("width", shown.tab.get_attribute("body", "style") or "")


def test_on_paper_the_mark_of_the_horizon_is_in_one_row(show):
    report = measured("LSTM", steps=30)
    state = report.state(report.horizon.state)
    seen = []
    for lag in (10, 12):  # a row has about four steps: one of them is at its end
        marked = measured("LSTM", steps=30, threshold=1.0001 * state.relative(lag))
        assert marked.horizon.steps == lag
        shown = show(marked, level="cell")
        shown.tab.evaluate("() => dispatchEvent(new Event('beforeprint'))")
        shown.tab.emulate_media(media="print")
        box = "text => { const { x, width } = text.getBBox(); return [x, x + width] }"
        left, right = shown.tab.locator(".printed .flag text").first.evaluate(box)
        rows = shown.tab.locator(".printed svg").evaluate_all(
            "all => all.map(({ viewBox: { baseVal: { x, width } } }) => [x, x + width])"
        )
        assert any(first <= left and right <= last for first, last in rows), lag
        (flag,) = shown.panel()["flags"]
        seen.append(flag["x"] - (left + right) / 2)
    assert max(map(abs, seen)) > 20, "some had to be moved"
