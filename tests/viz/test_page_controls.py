"""The stepper's controls, in a real browser: each is used, by mouse and by keyboard, and does what it says."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from tests.viz.stepper import STEPS, measured, numbers, shown_colour
from tinygrad_rnn.viz.picture import picture

# ---- the controls ---------------------------------------------------------------------------------------------------


def test_every_button_moves_as_it_says(show, lstm):
    shown = show(lstm)
    stretches = shown.data["clock"]["stretches"]
    shown.tab.click("#start")
    assert shown.tick == 0
    assert shown.tab.get_attribute("#start", "aria-disabled") == "true"
    for part in stretches:
        shown.tab.click("#step-forward")
        assert shown.tick == part["end"]
        if part["step"] is not None and not part["forward"]:
            norm = lstm.cell_grad[part["step"]]
            assert f"t={part['step']}: " in shown.live
            assert any(number == pytest.approx(norm, rel=0.06) for number in numbers(shown.live))
    shown.press("PageDown")
    assert shown.tick == shown.ticks, "there is nothing after the end"
    for part in reversed(stretches):
        shown.tab.click("#step-back")
        assert shown.tick == part["start"]
    shown.tab.click("#turn")
    assert shown.tick == shown.turn
    shown.tab.click("#box-back")
    assert shown.tick == shown.turn - 1
    shown.tab.click("#box-forward")
    shown.tab.click("#box-forward")
    assert shown.tick == shown.turn + 1
    shown.tab.click("#step-back")
    assert shown.tick == shown.turn
    shown.tab.click("#end")
    assert shown.tick == shown.ticks
    assert shown.tab.get_attribute("#box-forward", "aria-disabled") == "true"
    assert shown.current() is None


def test_the_slider_gives_what_stepping_gives(show, reports):
    shown = show(reports)

    def everything():
        return [(shown.looks(name), [arrow[1] for arrow in shown.arrows(name)]) for name in reports]

    rng = np.random.default_rng(0)
    for tick in rng.integers(0, shown.ticks, 3):
        shown.go(0)
        shown.go(int(tick))
        jumped = everything()
        shown.go(shown.ticks)
        shown.go(int(tick) - 2)
        shown.tab.click("#box-forward")
        shown.tab.click("#box-forward")
        assert shown.tick == tick
        assert everything() == jumped
    slider = shown.tab.locator("#slider")
    slider.click(position={"x": 10, "y": 8})
    assert shown.tick < shown.ticks / 10
    assert slider.get_attribute("aria-valuetext") == shown.live


def test_play_runs_to_the_end_and_pauses(show, lstm):
    shown = show(lstm)
    speeds = shown.tab.locator("#speed option").all_text_contents()
    assert len(speeds) == len(set(speeds)) == 7
    shown.tab.select_option("#speed", "box 60")
    shown.tab.click("#play")
    assert "Pause" in shown.tab.text_content("#play")
    assert shown.tab.get_attribute("#live", "aria-live") == "off"
    shown.tab.wait_for_function("() => { const s = document.getElementById('slider'); return s.value > 3 }")
    shown.tab.click("#play")
    stopped = shown.tick
    assert 3 < stopped < shown.ticks
    assert "Play" in shown.tab.text_content("#play")
    assert shown.tab.get_attribute("#live", "aria-live") == "polite"
    shown.tab.select_option("#speed", "step 10")
    shown.tab.click("#play")
    shown.tab.wait_for_function("() => { const s = document.getElementById('slider'); return s.value === s.max }")
    shown.tab.wait_for_function("() => document.getElementById('play').textContent.includes('Play')")
    shown.tab.click("#start")
    shown.tab.select_option("#speed", "step 1")
    shown.tab.click("#play")
    shown.tab.click("#turn")
    assert shown.tick == shown.turn, "a step by hand pauses"
    assert "Play" in shown.tab.text_content("#play")


def test_the_keyboard_alone_is_enough(show, lstm):
    shown = show(lstm, level="cell")
    stretches = shown.data["clock"]["stretches"]
    shown.press("Home")
    assert shown.tick == 0
    shown.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert shown.tick == 1
    shown.press("Home", "Shift+ArrowRight", "PageDown")
    assert shown.tick == stretches[1]["end"]
    shown.press("PageUp", "Shift+ArrowLeft")
    assert shown.tick == 0
    shown.press("t")
    assert shown.tick == shown.turn
    shown.press("End")
    assert shown.tick == shown.ticks
    shown.press("Space")
    assert "Pause" in shown.tab.text_content("#play")
    shown.press("Space")
    assert "Play" in shown.tab.text_content("#play")
    shown.press("End")

    order = []
    for _ in range(25):
        shown.press("Tab")
        order.append(
            shown.tab.evaluate("() => { const e = document.activeElement; return e.id || e.dataset.box || e.tagName }")
        )
        if order[-1].isdigit():
            break
    assert order[:6] == ["take-tour", "theme", "svg", "start", "step-back", "box-back"], "the strip is one stop"
    assert "slider" in order
    first = order[-1]
    card = shown.tab.locator("#card")
    assert card.is_visible()
    names = [box["name"] for box in shown.panel()["boxes"]]
    assert card.locator("h3").text_content().endswith(shown.panel()["boxes"][int(first)]["caption"])

    def focused():
        return names[int(shown.tab.evaluate("() => document.activeElement.dataset.box"))]

    seen = {focused()}
    for _ in range(len(names)):
        shown.press("ArrowDown")
        seen.add(focused())
    assert seen == set(names), "the arrow keys reach every box"
    assert shown.tab.locator('.graph [tabindex="0"]').count() == 1
    assert shown.tick == shown.ticks, "up and down do not move in time"
    shown.press("Home")
    while focused() != "t2_c":
        shown.press("ArrowUp")
    shown.press("Shift+ArrowDown")
    assert focused() == "t3_c"
    shown.press("Enter")
    assert shown.tab.locator(".graph.lit").count() == 1
    shown.press("Escape")
    assert shown.tab.locator(".graph.lit").count() == 0
    assert card.is_hidden()
    before = shown.tab.get_attribute(".graph > g", "transform")
    shown.press("+")
    assert shown.tab.get_attribute(".graph > g", "transform") != before
    shown.press("-", "0")
    shown.press("ArrowRight")
    assert shown.tick == 1, "right and left still move in time"


def test_three_panels_move_together(show, reports):
    shown = show(reports)
    shown.tab.click("#turn")
    for name in reports:
        assert all(classes & {"valued", "not-required"} for classes, _ in shown.looks(name).values())
    shown.tab.click("#step-forward")
    for t in reversed(range(STEPS)):
        shown.tab.click("#step-forward")
        for name, report in reports.items():
            looks = shown.looks(name)
            assert "finite" in looks[f"t{t}_h"][0]
            assert t == 0 or "finite" not in looks[f"t{t - 1}_h"][0]
            said = shown.tab.text_content(f'[data-panel="{name}"] .now-text')
            assert said.startswith(f"t={t}: gradient of h ")
            assert numbers(said)[1] == pytest.approx(report.hidden_grad[t], rel=0.06)
            kind = report.horizon.state
            share = report.state(kind).relative(STEPS - 1 - t)
            rest = re.search(rf"{name}: t={t}, ([\d.e-]+) of ‖∂L/∂{kind}_T‖", shown.live)[1]
            assert float(rest) == pytest.approx(share, rel=0.06), "in short, so that all of it can be read"


def test_side_by_side_or_stacked(show, reports):
    shown = show(reports)

    def places():
        return [shown.tab.locator(f'[data-panel="{name}"]').bounding_box() for name in reports]

    assert len({place["x"] for place in places()}) == 1, "side by side not all could be read"
    assert shown.tab.get_attribute("#stack", "aria-pressed") == "true"
    shown.tab.click("#stack")
    assert len({place["y"] for place in places()}) < 3
    shown.tab.click("#stack")
    assert len({place["x"] for place in places()}) == 1
    shown.tab.click("#stack")
    shown.tab.set_viewport_size({"width": 420, "height": 800})
    panels = [shown.tab.locator(f'[data-panel="{name}"]') for name in reports]
    assert [panel.is_visible() for panel in panels] == [True, False, False], "one at a time"
    shown.tab.locator("#tabs button").nth(1).click()
    assert [panel.is_visible() for panel in panels] == [False, True, False]
    assert shown.tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    assert not shown.tab.is_visible("#stack") or shown.tab.is_visible("#play")


# ---- pointing -------------------------------------------------------------------------------------------------------


def test_a_box_tells_all_that_is_known_of_it(show, lstm):
    shown = show(lstm, level="cell")
    name = f"t{STEPS - 2}_forget_gate_f"
    node = lstm.node(name)
    shown.box(name).hover()
    card = shown.tab.locator("#card")
    facts = dict(zip(card.locator("dt").all_text_contents(), card.locator("dd").all_text_contents(), strict=True))
    assert card.locator("h3").text_content() == f"t={STEPS - 2}, forget gate f"
    assert facts["op"] == "sigmoid"
    assert facts["equation"] == f"{name} = sigmoid(t{STEPS - 2}_split)"
    assert facts["shape"] == "(2, 4)"
    assert "forget_gate" in facts["scope"]
    found = node.values
    assert numbers(facts["value"].replace("80%", "")) == pytest.approx(
        [found.mean, found.std, found.low, found.high, found.minimum, found.maximum], rel=6e-3
    )
    assert numbers(facts["gradient"])[0] == pytest.approx(node.norm, rel=6e-4)
    assert numbers(facts["gradient"])[1] == pytest.approx(node.norm / lstm.reference[1], rel=0.06)
    assert numbers(facts["its elements"])[:2] == pytest.approx([node.gradients.mean, node.gradients.std], rel=6e-3)
    assert facts["messages"] == "1 of 1 arrived"
    assert shown.tab.locator(".frame.hot").count() == 1
    assert "shown" in shown.tab.get_attribute("#curves .hot-band", "class")
    band = shown.tab.locator("#curves .hot-band").bounding_box()
    assert band["x"] + band["width"] / 2 == pytest.approx(shown.at(1)[0], abs=1.5)
    assert shown.tab.locator("#gates .hot-band.shown").count() == 1
    shown.tab.mouse.move(1, 1)
    assert card.is_hidden()
    assert shown.tab.locator(".hot, .hot-band.shown").count() == 0
    shown.tab.click("#start")
    shown.box(name).hover()
    assert card.text_content().count("not computed yet") == 2


def test_what_is_told_of_a_curve_does_not_cover_it(show, lstm):
    shown = show(lstm, level="cell", size=(1400, 900))
    x, y = shown.at(2)
    shown.tab.mouse.move(x, y)
    card, chart = shown.tab.locator("#card"), shown.tab.locator("#curves .chart").bounding_box()
    assert "2 steps before the last" in card.text_content()
    place = card.bounding_box()
    assert place["y"] >= chart["y"] + chart["height"] or place["y"] + place["height"] <= chart["y"]


def test_parameters_stand_in_the_same_order_in_all_cells(show, reports):
    shown = show(reports, level="cell")
    wanted = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    for name in reports:
        rows = shown.tab.locator(f'[data-panel="{name}"] .weights tbody tr').evaluate_all(
            "all => all.map(e => e.dataset.weight)"
        )
        assert rows == wanted
        boxes = [box for box in shown.panel(name)["boxes"] if box["kind"] == "parameter" and box["step"] == 1]
        assert [box["caption"] for box in sorted(boxes, key=lambda box: box["y"])] == wanted


def test_an_arrow_tells_its_message_and_its_share(show, lstm):
    shown = show(lstm, level="cell")
    arrows, boxes = shown.panel()["arrows"], shown.panel()["boxes"]
    ends = [(boxes[arrow["tail"]]["name"], boxes[arrow["head"]]["name"]) for arrow in arrows]
    index = ends.index((f"t{STEPS - 3}_c", f"t{STEPS - 2}_c"))
    card = shown.tab.locator("#card")

    def point() -> None:
        spot = shown.tab.evaluate(
            """i => { const path = document.querySelector(`[data-arrow="${i}"]`);
              const at = path.getPointAtLength(path.getTotalLength() * 0.45).matrixTransform(path.getScreenCTM());
              return [at.x, at.y] }""",
            index,
        )
        shown.tab.mouse.move(*spot)

    point()
    facts = dict(zip(card.locator("dt").all_text_contents(), card.locator("dd").all_text_contents(), strict=True))
    parent = lstm.node(f"t{STEPS - 3}_c")
    message = next(
        link.norm
        for link in lstm.links
        if lstm.nodes[link.parent] is parent and lstm.nodes[link.child].name == f"t{STEPS - 2}_c"
    )
    assert facts["forward"] == f"t={STEPS - 3}, c → t={STEPS - 2}, c"
    assert numbers(facts["message"])[0] == pytest.approx(message, rel=6e-4)
    assert numbers(facts["size"])[0] == pytest.approx(message / parent.norm, rel=6e-3)
    assert "at this step" in facts["share"]
    shown.press("t")
    point()
    assert "not sent yet" in card.text_content()


def test_a_click_lights_up_the_paths_to_the_loss(show, lstm):
    shown = show(lstm, level="cell")
    start = f"t{STEPS - 2}_candidate_g"
    drawn = picture(lstm, "cell")
    after = {start}
    for _ in drawn.arrows:  # repeated often enough to reach everything
        after |= {arrow.head for arrow in drawn.arrows if arrow.tail in after}
    shown.box(start).click()
    names = [box.name for box in drawn.boxes]
    lit = shown.tab.evaluate(
        "() => [...document.querySelectorAll('[data-box][data-on]')].map(box => Number(box.dataset.box))"
    )
    assert {names[i] for i in lit} == after
    assert f"t{STEPS - 2}_forget_gate_f" not in after
    dim = shown.box(f"t{STEPS - 2}_forget_gate_f").evaluate("box => getComputedStyle(box).opacity")
    assert float(dim) < 0.5
    on = shown.tab.locator(".arrow[data-on]").count()
    assert on == sum(arrow.tail in after and arrow.head in after for arrow in drawn.arrows)
    assert f"{len(after) - 1} other boxes" in shown.live
    shown.press("Escape")
    assert shown.tab.locator("[data-on], .lit").count() == 0
    shown.box(start).click()
    shown.box(start).click()
    assert shown.tab.locator(".lit").count() == 0, "a second click puts them out"


def lit(shown):
    names = [box["name"] for box in shown.panel()["boxes"]]
    found = "() => [...document.querySelectorAll('[data-box][data-on]')].map(box => Number(box.dataset.box))"
    return {names[i] for i in shown.tab.evaluate(found)}


def test_a_click_on_a_weight_lights_up_what_is_computed_with_it(show, lstm):
    shown = show(lstm, level="cell")
    gates = {"input_gate_i", "forget_gate_f", "candidate_g", "output_gate_o"}
    shown.box(f"t{STEPS - 1}_weight_hh_l0").click()
    last = {f"t{STEPS - 1}_{name}" for name in (*gates, "c", "h", "weight_hh_l0")}
    assert lit(shown) == last | {"loss"}
    assert "no path to the loss" not in shown.live
    shown.press("Escape")
    shown.box("weight_hh_l0").click()
    assert lit(shown) >= {f"t{t}_{name}" for t in range(STEPS) for name in gates} | {"loss"}


def test_a_click_on_the_curve_goes_to_a_step_that_is_folded(show):
    shown = show(measured("RNN", steps=40), level="cell", window=(30, 40))
    fold = next(box for box in shown.panel()["boxes"] if box["kind"] == "fold")
    shown.tab.locator("#curve-section").scroll_into_view_if_needed()
    for step in (fold["fold"][0], sum(fold["fold"]) // 2, fold["fold"][1]):
        shown.press("End")
        shown.tab.mouse.click(*shown.at(39 - step, last=39))
        assert shown.current() == fold["name"]


def test_the_letters_on_a_fold_stand_on_the_page_colour(show):
    shown = show(measured("RNN", steps=40), level="cell", window=(30, 40))
    fold = shown.box("fold0")
    style = "(group, what) => getComputedStyle(group.querySelector(what)).fill"
    assert fold.evaluate(style, ".body") == "rgb(255, 255, 255)"


def test_following_cuts_nothing_off_while_there_is_room(show, lstm):
    shown = show(lstm, level="cell")
    for _ in range(4):
        shown.tab.get_by_title("zoom in").click()
    shown.press("t")
    graph = shown.tab.locator(".graph").bounding_box()
    while shown.tick < shown.ticks - 1:
        shown.press("ArrowRight")
        box = shown.box(shown.current()).bounding_box()
        assert graph["x"] - 1 <= box["x"]
        assert box["x"] + box["width"] <= graph["x"] + graph["width"] + 1
        assert graph["y"] - 1 <= box["y"]
        assert box["y"] + box["height"] <= graph["y"] + graph["height"] + 1
        _, y, zoom = numbers(shown.tab.get_attribute(".graph > g", "transform"))
        high = shown.panel()["height"] * zoom
        assert high < graph["height"] or (y <= 27 and y + high >= graph["height"] - 7), "no empty room above or below"


def test_the_letters_of_a_flag_are_inside_the_window(show):
    panels = {name: measured(name, steps=40) for name in ("RNN", "LSTM", "GRU")}
    shown = show(panels, level="cell", size=(1400, 900))
    assert shown.tab.locator(".flag").count() == 3
    for fit in shown.tab.get_by_title("show the whole graph").all():
        fit.click()
    for name in panels:
        graph = shown.tab.locator(f'[data-panel="{name}"] .graph').bounding_box()
        text = shown.tab.locator(f'[data-panel="{name}"] .flag text').bounding_box()
        assert graph["x"] <= text["x"]
        assert text["x"] + text["width"] <= graph["x"] + graph["width"]


def test_curves_gates_and_graphs_are_linked(show, reports):
    shown = show(reports)
    shown.tab.locator("#curve-section").scroll_into_view_if_needed()
    shown.tab.mouse.move(*shown.at(2))
    for name in reports:
        hot = shown.tab.locator(f'[data-panel="{name}"] .frame.hot .frame-label')
        assert hot.count() == 1
    card = shown.tab.text_content("#card")
    share = reports["GRU"].state("h").relative(2)
    assert "2 steps before the last" in card
    assert any(number == pytest.approx(share, rel=6e-3) for number in numbers(card))
    assert shown.tab.locator("#gates .hot-band.shown").count() == 2, "an RNN has no gates"
    shown.tab.mouse.click(*shown.at(2))
    assert f"t={STEPS - 3}" in shown.live
    now = shown.tab.locator("#curves .now-band").bounding_box()
    assert now["x"] + now["width"] / 2 == pytest.approx(shown.at(2)[0], abs=1.5)
    chart = shown.tab.locator("#gates .chart").first
    chart.scroll_into_view_if_needed()
    chart.hover(position={"x": 60, "y": 60})
    gate = reports["LSTM"].gates[0]
    card = shown.tab.text_content("#card")
    assert "LSTM, t=0" in card
    assert any(number == pytest.approx(gate.mean[0], rel=6e-3) for number in numbers(card))
    frames = shown.tab.locator('[data-panel="RNN"] .frame.hot').count()
    assert frames == 1, "the same lag in the others"


def test_the_graph_zooms_moves_and_follows(show, lstm):
    shown = show(lstm, level="cell", size=(700, 900))
    graph = shown.tab.locator(".graph")
    graph.scroll_into_view_if_needed()

    def view():
        return numbers(shown.tab.get_attribute(".graph > g", "transform"))

    assert view()[2] == pytest.approx(9 / 11, abs=1e-3), "letters of 11 points are 9 pixels high"
    shown.tab.get_by_title("show the whole graph").click()
    x, y, zoom = view()
    place = graph.bounding_box()
    middle = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    shown.tab.mouse.move(*middle)
    shown.tab.mouse.wheel(0, -200)
    shown.tab.wait_for_function("() => true")
    assert view() == [x, y, zoom], "the wheel alone belongs to the page"
    shown.tab.evaluate("() => scrollTo(0, 0)")
    graph.scroll_into_view_if_needed()
    shown.tab.keyboard.down("Control")
    shown.tab.mouse.wheel(0, -600)
    shown.tab.keyboard.up("Control")
    shown.tab.wait_for_function(
        f"() => !document.querySelector('.graph > g').getAttribute('transform').includes('({zoom})')"
    )
    larger = view()
    assert larger[2] == pytest.approx(zoom * math.exp(0.9), rel=1e-2)
    for start, now, mouse in ((x, larger[0], place["width"] / 2), (y, larger[1], place["height"] / 2)):
        assert (mouse - start) / zoom == pytest.approx((mouse - now) / larger[2], abs=2), (
            "what is under the mouse stays"
        )
    shown.tab.mouse.down()
    shown.tab.mouse.move(middle[0] + 60, middle[1] + 25, steps=3)
    shown.tab.mouse.up()
    assert view()[:2] == pytest.approx([larger[0] + 60, larger[1] + 25], abs=1)
    assert shown.tab.locator(".lit").count() == 0, "a drag is no click"
    follow = shown.tab.get_by_text("Follow")
    assert follow.get_attribute("aria-pressed") == "false"
    dragged = view()
    shown.tab.click("#start")
    shown.tab.click("#box-forward")
    assert view() == dragged
    follow.click()
    for key in ("Home", "ArrowRight", "End", "ArrowLeft", "t", "ArrowRight"):
        shown.press(key)
        if shown.current():
            now = shown.box(shown.current()).bounding_box()
            assert place["x"] - 1 <= now["x"] <= place["x"] + place["width"]
    shown.tab.get_by_title("zoom in").click()
    shown.tab.get_by_title("zoom out").click()
    shown.tab.get_by_title("show the whole graph").click()
    assert view() == pytest.approx([x, y, zoom], abs=0.2)
    assert graph.evaluate("graph => graph.classList.contains('far')") == (zoom < 9 / 11)
    assert shown.tab.is_visible(".overview")


def test_help_opens(show, lstm):
    shown = show(lstm)
    shown.tab.click("#help summary")
    assert shown.tab.is_visible("#help dl")
    words = shown.tab.locator("#help dt").all_text_contents()
    assert {"message", "its turn", "T, the last step", "exactly 0 at t=0"} <= set(words)


# ---- light, dark, still ---------------------------------------------------------------------------------------------


def test_dark_turns_the_scale_round_so_that_small_stays_faint(show, lstm):
    shown = show(lstm, level="cell", color_scheme="dark")
    theme = "() => document.documentElement.dataset.theme"
    fill = "box => getComputedStyle(box.querySelector('.body')).fill"
    box = shown.box(f"t{STEPS - 1}_h")
    assert shown.tab.evaluate(theme) == "dark"
    assert sum(numbers(shown.tab.evaluate("() => getComputedStyle(document.body).backgroundColor"))) < 150
    seen = next(each.seen for each in picture(lstm, "cell").boxes if each.name == f"t{STEPS - 1}_h")
    assert box.evaluate(fill) == shown_colour(seen, dark=True)
    shown.tab.click("#theme")
    assert shown.tab.evaluate(theme) == "light"
    assert box.evaluate(fill) == shown_colour(seen)
    shown.tab.click("#theme")
    assert shown.tab.evaluate(theme) == "dark"
    shown.tab.emulate_media(color_scheme="light")
    shown.tab.wait_for_function(f"{theme} === 'light'")


def test_letters_can_be_read_on_every_colour_in_both_themes(show, lstm):
    shown = show(lstm)
    contrast = """() => {
      const part = v => v <= 10 ? v / 3294.6 : ((v / 255 + .055) / 1.055) ** 2.4;
      const light = c => { const [r, g, b] = c.match(/\\d+/g).map(part); return .2126 * r + .7152 * g + .0722 * b };
      const probe = document.createElement("i"); document.body.append(probe);
      return [...Array(241).keys()].map(i => {
        probe.className = `s${i}`; probe.style.color = "var(--i)"; probe.style.background = "var(--c)";
        const style = getComputedStyle(probe);
        const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
        return (a + .05) / (b + .05) }) }"""
    for _ in range(2):
        assert min(shown.tab.evaluate(contrast)) > 4.5
        shown.tab.click("#theme")


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_nothing_eases_for_those_who_asked_for_less_motion(show, lstm, motion, moves):
    shown = show(lstm, level="cell", reduced_motion=motion)
    shown.tab.select_option("#speed", "box 1")
    shown.tab.click("#play")
    duration = shown.box("t1_h").evaluate("box => getComputedStyle(box.querySelector('.body')).transitionDuration")
    assert (max(map(float, re.findall(r"[\d.]+", duration))) > 0) is moves
    shown.tab.click("#play")


def test_what_a_screen_reader_is_told(show, lstm):
    shown = show(lstm, level="cell")
    norm = lstm.node("t1_h").norm
    label = shown.box("t1_h").get_attribute("aria-label")
    assert label.startswith("t=1, h, ")
    assert numbers(label.partition("grad ")[2])[0] == pytest.approx(norm, rel=0.06)
    assert shown.tab.get_attribute("#live", "aria-live") == "polite"
    shown.tab.click("#turn")
    shown.tab.click("#box-forward")
    shown.tab.click("#box-forward")
    last = lstm.hidden_grad[-1]
    assert re.fullmatch(rf"Backward pass\. t={STEPS - 1}, h: gradient (\S+), 1 of ‖∂L/∂h_T‖", shown.live)
    assert numbers(shown.live)[1] == pytest.approx(last, rel=0.06)
    assert "gradient" in shown.tab.get_attribute("#curves .chart", "aria-label")
    unnamed = (
        "() => [...document.querySelectorAll('button, input, select, [role=img], [role=group]')].filter(e => "
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).length"
    )
    assert shown.tab.evaluate(unnamed) == 0
